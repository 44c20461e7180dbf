"""Members of the segmenter and their model file: built, started from a file of weights, written and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lunarsite.artefact.contracts.rock import ROCK_MODEL
from lunarsite.artefact.model import read_tensors, write_tensors
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockNetworkSettings
from lunarsite.stage import Job
from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock.classes import CLASSES
from lunarsite.vision.rock.network import (
    METHODS,
    RockSpec,
    Unfamiliarity,
    build,
    load_model,
    network_spec,
    save_model,
    spec_of,
    start,
)

SMALL = RockNetworkSettings(encoder="tu-mobilenetv2_035", decoder_channels=(8, 8, 4, 4, 4))
STAMP = Job("rock-train", "default", "code", "settings", origin="local", git=(None, None)).stamp(ROCK_MODEL)


def spec(members: int = 2) -> RockSpec:
    return RockSpec(
        network=network_spec(SMALL),
        members=members,
        temperature=dict.fromkeys(METHODS, 1.5),
        unfamiliarity=dict.fromkeys(METHODS, Unfamiliarity(statistic="feature_distance", limit=0.2)),
    )


def members(count: int = 2) -> list[nn.Module]:
    torch.manual_seed(1)
    return [build(network_spec(SMALL)).eval() for _ in range(count)]


def unet(network: nn.Module) -> Any:
    """The network of segmentation-models-pytorch inside of a member."""
    return network.unet


def test_a_member_gives_four_classes_and_drops_channels_of_its_decoder() -> None:
    network = members(1)[0]
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        assert network(image).shape == (2, len(CLASSES), 64, 96)
    dropping = [layer for layer in network.modules() if isinstance(layer, nn.Dropout2d)]
    assert [layer.p for layer in dropping] == [0.1] * 5
    for layer in dropping:
        layer.train()
    with torch.inference_mode():
        assert not torch.equal(network(image), network(image))
    none = build(network_spec(SMALL.model_copy(update={"dropout": 0.0})))
    assert not [layer for layer in none.modules() if isinstance(layer, nn.Dropout2d)]


def test_a_decoder_of_few_levels_is_refused() -> None:
    few = network_spec(SMALL.model_copy(update={"decoder_channels": (8, 8, 8)}))
    with pytest.raises(LearningError, match=r"decoder of 3 levels.*rock\.learning\.network\.decoder_channels"):
        build(few)


def test_five_default_members_stay_below_30_mb_in_16_bits() -> None:
    network = build(network_spec(RockNetworkSettings()))
    parameters = sum(2 * value.numel() for value in network.parameters())
    buffers = sum(value.numel() * value.element_size() for value in network.buffers())
    assert 5 * (parameters + buffers) < 30e6


def test_a_model_file_gives_the_members_back(tmp_path: Path) -> None:
    path, made = tmp_path / "rock.safetensors", members()
    save_model(path, made, spec(), STAMP, {"data": "made up"})
    found, card = load_model(path)
    assert spec_of(card) == spec()
    assert card.classes == ("background", "small_rocks", "large_rocks", "sky")
    assert card.training == {"data": "made up"}
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for one, other in zip(made, found, strict=True):
            assert torch.allclose(one(image), other(image), atol=0.05)
            assert not other.training
    assert not torch.equal(found[0](image), found[1](image))
    tensors, _, _ = read_tensors(path, ROCK_MODEL)
    assert {name.split(".")[0] for name in tensors} == {"0", "1"}
    assert all(values.dtype == np.float16 for name, values in tensors.items() if values.ndim == 4)


def test_another_number_of_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match="a model of 3 members was given 2"):
        save_model(tmp_path / "rock.safetensors", members(), spec(3), STAMP, {})


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rock.safetensors"
    save_model(path, members(), spec(), STAMP, {})
    tensors, card, stamp = read_tensors(path, ROCK_MODEL)
    fewer = {name: value for name, value in tensors.items() if not name.endswith("segmentation_head.0.bias")}
    write_tensors(path, ROCK_MODEL, fewer, card, stamp)
    with pytest.raises(ArtefactError, match="lacks weights"):
        load_model(path)
    former = {**card.spec, "unfamiliarity": {"single": {"statistic": "entropy", "limit": 0.2}}}
    write_tensors(path, ROCK_MODEL, tensors, card.model_copy(update={"spec": former}), stamp)
    with pytest.raises(ArtefactError, match=r"another statistic than the distance of features.*train the model again"):
        load_model(path)
    write_tensors(path, ROCK_MODEL, tensors, card.model_copy(update={"spec": {"members": 2}}), stamp)
    with pytest.raises(ArtefactError, match="builds no network"):
        load_model(path)
    lacking = card.model_copy(update={"spec": {**card.spec, "temperature": {"single": 1.0}}})
    with pytest.raises(LearningError, match="lacks a temperature or a limit for 'ensemble'"):
        spec_of(lacking)
    with pytest.raises(LearningError, match="is of classes"):
        spec_of(card.model_copy(update={"classes": ("sky",)}))


def folded_file(path: Path) -> RockNetworkSettings:
    """Write folded weights of the small encoder, as large as a trained one's, and return settings that name them."""
    network = build(network_spec(SMALL, folded=True))
    chain: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(3)
    for layer in unet(network).encoder.modules():
        if isinstance(layer, nn.Conv2d):
            number = len(chain) // 2
            deviation = (2.0 / layer.weight[0].numel()) ** 0.5
            chain[f"{number:03d}_conv.weight"] = deviation * torch.randn(layer.weight.shape, generator=generator)
            chain[f"{number:03d}_conv.bias"] = 0.3 * torch.randn(layer.out_channels, generator=generator)
    save_file(chain, path)
    return SMALL.model_copy(update={"encoder_weights": str(path)})


def test_folded_weights_start_a_member_that_can_learn_from_batches(tmp_path: Path) -> None:
    path = tmp_path / "folded.safetensors"
    settings = folded_file(path)
    images = torch.randn(8, 3, 64, 64)
    network, found, source = start(settings, images, seed=5)
    assert found.padding == "same"
    assert found.encoder_weights is None
    assert source.words.startswith("tu-mobilenetv2_035 with the weights of folded.safetensors (SHA-256 ")
    again, _, _ = start(settings, images, seed=5)
    other, _, _ = start(settings, 0.5 * images, seed=6)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    )
    with torch.no_grad():
        encoders = [unet(each).encoder for each in (network, other)]
        still, elsewhere = (encoder.eval()(images)[-1] for encoder in encoders)
        # The statistics differ, what the encoder says does not; and a batch of the images' own says it, too.
        assert torch.allclose(still, elsewhere, atol=1e-3)
        assert torch.allclose(still, encoders[0].train()(images)[-1], atol=1e-3)
        heads = [unet(each).segmentation_head.kind.weight for each in (network, other)]
        assert not torch.equal(*heads), "what no file gives is drawn by the seed"


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "folded.safetensors"
    settings = folded_file(path)
    images = torch.zeros(1, 3, 64, 64)
    with pytest.raises(LearningError, match=r"encoder_weights must be those of encoder 'tu-mobilenetv2_050'"):
        start(settings.model_copy(update={"encoder": "tu-mobilenetv2_050"}), images, 1)
    for name in ("resnet18", "tu-resnet18"):
        with pytest.raises(LearningError, match=rf"'{name}' cannot pad as TensorFlow does"):
            start(settings.model_copy(update={"encoder": name}), images, 1)
    with pytest.raises(LearningError, match=r"rock\.learning\.network\.encoder_weights does not exist"):
        start(settings.model_copy(update={"encoder_weights": str(tmp_path / "none.safetensors")}), images, 1)


def test_random_weights_are_those_of_the_seed() -> None:
    before = torch.get_rng_state()
    images = torch.zeros(1, 3, 64, 64)
    one, found, source = start(SMALL, images, 1)
    assert torch.equal(before, torch.get_rng_state())
    assert found.padding == "symmetric"
    assert source.words == "tu-mobilenetv2_035 with random weights"
    other = start(SMALL, images, 2)[0]
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.parametrize("folded", [False, True])
def test_members_of_either_head_begin_with_the_same_weights_elsewhere(tmp_path: Path, folded: bool) -> None:
    settings = folded_file(tmp_path / "folded.safetensors") if folded else SMALL
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    horizon, plain = (
        unet(start(settings.model_copy(update={"head": head}), images, 5)[0]) for head in ("horizon", "plain")
    )
    assert type(horizon.segmentation_head) is not type(plain.segmentation_head)
    for part in ("encoder", "decoder"):
        ours, theirs = (getattr(one, part).state_dict() for one in (horizon, plain))
        assert ours.keys() == theirs.keys()
        for name, values in ours.items():
            assert torch.equal(values, theirs[name]), f"{part}.{name}"


def test_a_last_layer_of_its_own_is_no_convolution_to_be_set() -> None:
    network = build(network_spec(SMALL), "horizon")
    with pytest.raises(LearningError, match="HorizonHead"):
        _ = network.last
    assert build(network_spec(SMALL)).last.out_channels == 4  # type: ignore[operator, union-attr]
