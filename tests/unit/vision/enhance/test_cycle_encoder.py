"""The encoder of the perceptual term: weights from files of two kinds or random ones, and clear refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lunarsite.vision.enhance.cycle_encoder import load_encoder
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.encoder_weights import unfolded
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision

SMALL = "mobilenetv2_035"


class Chain(nn.Module):
    """Two convolutions, each with its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm_one = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps=1e-2)
        self.two, self.norm_two = nn.Conv2d(4, 2, 1, bias=False), nn.BatchNorm2d(2)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm_two(self.two(torch.relu(self.norm_one(self.one(image)))))  # type: ignore[no-any-return]


def folded() -> dict[str, Tensor]:
    torch.manual_seed(2)
    return {
        "000_conv.weight": torch.randn(4, 3, 3, 3), "000_conv.bias": torch.randn(4),
        "001_conv.weight": torch.randn(2, 4, 1, 1), "001_conv.bias": torch.randn(2),
        "002_conv.weight": torch.randn(9, 2, 1, 1), "002_conv.bias": torch.randn(9),
    }  # fmt: skip


def test_random_weights_are_those_of_the_seed_and_never_change() -> None:
    before = torch.get_rng_state()
    first, source = load_encoder(SMALL, None, 1)
    assert torch.equal(before, torch.get_rng_state())
    again, other = (load_encoder(SMALL, None, seed)[0] for seed in (1, 2))
    image = torch.randn(2, 1, 64, 64)
    levels = first(image)
    assert [tuple(level.shape[2:]) for level in levels] == [(32, 32), (16, 16), (8, 8)]
    assert all(torch.equal(a, b) for a, b in zip(levels, again(image), strict=True))
    assert not torch.equal(levels[0], other(image)[0])
    assert source.words == f"{SMALL} with random weights"
    # It learns nothing, its statistics included, whatever mode it is put into.
    assert not any(parameter.requires_grad for parameter in first.parameters())
    first.train()
    first(image)
    assert all(torch.equal(a, b) for a, b in zip(levels, first(image), strict=True))


def test_weights_with_the_names_of_timm(tmp_path: Path) -> None:
    ensure_torchvision()
    import timm

    torch.manual_seed(5)
    whole = timm.create_model(SMALL, pretrained=False).eval()
    state = whole.state_dict()
    path = tmp_path / "encoder.safetensors"
    save_file({name: value for name, value in state.items() if "num_batches" not in name}, path)
    encoder, source = load_encoder(SMALL, path, 1)
    image = torch.randn(1, 1, 64, 64)
    mean, deviation = (torch.tensor(whole.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
    expected = whole.blocks[0](whole.bn1(whole.conv_stem((0.5 + image / 6.0 - mean) / deviation)))
    assert torch.allclose(encoder(image)[0], expected, atol=1e-6)
    assert re.fullmatch(rf"{SMALL} with the weights of encoder.safetensors \(SHA-256 [0-9a-f]{{64}}\)", source.words)


def test_folded_convolutions_become_convolution_and_normalisation() -> None:
    tensors, chain = folded(), Chain().eval()
    chain.load_state_dict(unfolded(tensors, chain, Path("file")), strict=False)
    image = torch.randn(1, 3, 8, 8)
    expected = nn.functional.conv2d(image, tensors["000_conv.weight"], tensors["000_conv.bias"], padding=1).relu()
    expected = nn.functional.conv2d(expected, tensors["001_conv.weight"], tensors["001_conv.bias"])
    assert torch.allclose(chain(image), expected, atol=1e-5)


def test_folded_convolutions_that_do_not_fit_are_refused() -> None:
    short = {key: value for key, value in folded().items() if key.startswith("000")}
    with pytest.raises(LearningError, match="holds 1 convolutions, the encoder has 2"):
        unfolded(short, Chain(), Path("file"))
    bare = {key: value for key, value in folded().items() if key != "001_conv.bias"}
    with pytest.raises(LearningError, match="'001_conv' has no bias"):
        unfolded(bare, Chain(), Path("file"))
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    with pytest.raises(LearningError, match="a batch normalisation follows"):
        unfolded(folded(), other, Path("file"))


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match=r"perceptual_encoder: timm has no model 'mobilenot'"):
        load_encoder("mobilenot", None, 1)
    path = tmp_path / "encoder.safetensors"
    with pytest.raises(LearningError, match=r"perceptual_weights does not exist.*null for random weights"):
        load_encoder(SMALL, path, 1)
    path.write_bytes(b"no weights")
    with pytest.raises(LearningError, match="is no readable safetensors file"):
        load_encoder(SMALL, path, 1)
    save_file({"conv_stem.weight": torch.zeros(16, 3, 3, 3)}, path)
    with pytest.raises(LearningError, match=rf"lacks 'blocks.*must be those of perceptual_encoder '{SMALL}'"):
        load_encoder(SMALL, path, 1)
    save_file({"conv_stem.weight": torch.full((16, 3, 3, 3), float("nan"))}, path)
    with pytest.raises(LearningError, match=r"'conv_stem\.weight' are not finite"):
        load_encoder(SMALL, path, 1)
    encoder, _ = load_encoder(SMALL, None, 1)
    state = {name: torch.zeros(2) for name in encoder.body.state_dict()}
    save_file(state, path)
    with pytest.raises(LearningError, match="in another shape"):
        load_encoder(SMALL, path, 1)
