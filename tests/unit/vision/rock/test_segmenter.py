"""Running a model of rocks: views, members, passes, calibration, unfamiliarity, and images of any size."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lunarsite.artefact import ArtefactError
from lunarsite.settings import RockInferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.saved import rounded
from lunarsite.vision.rock import folding
from lunarsite.vision.rock import segmenter as segmenters
from lunarsite.vision.rock.classes import SKY, UNKNOWN
from lunarsite.vision.rock.folding import folded
from lunarsite.vision.rock.network import build
from lunarsite.vision.rock.segmenter import Segmenter, load_segmenter
from lunarsite.vision.rock.uncertainty import classes_of, entropy, mutual_information, pooled, softmax, tempered
from lunarsite.vision.rock.views import filled

from .made_model import made_image, made_members, made_segmenter, made_spec, write_model

IMAGE = made_image(60, 90)


def settings(**changes: Any) -> RockInferenceSettings:
    return RockInferenceSettings.model_validate({"flips": 1, "longest_side_px": 96, "passes": 3} | changes)


@pytest.fixture(scope="module")
def two() -> Segmenter:
    return made_segmenter(2)


def plain(member: Any, image: np.ndarray, upside_down: bool = False) -> np.ndarray:
    """What the network itself says of an image whose sides are multiples of 32."""
    with torch.inference_mode():
        given = (torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1))[None] - 127.5) / 127.5
        features = member.unet.decoder(member.unet.encoder(given))
        return np.asarray(member.unet.segmentation_head(features, upside_down)[0])


def test_one_view_of_a_single_member_is_what_the_network_says(two: Segmenter) -> None:
    image = made_image(64, 96)
    logits = two.said(image, settings(method="single")).logits
    assert logits.shape == (1, 4, 64, 96)
    truth = softmax(plain(two.members[0], image))
    np.testing.assert_allclose(softmax(logits[0]), truth, atol=1e-4)
    found = two.segment(image, settings(method="single"))
    np.testing.assert_allclose(found.probability, truth.transpose(1, 2, 0), atol=1e-4)
    assert len(np.unique(found.classes)) > 1
    assert not found.mutual_information.any(), "one member disagrees with nobody"


def test_an_ensemble_is_the_mean_of_its_members_probabilities(two: Segmenter) -> None:
    logits = two.said(IMAGE, settings()).logits
    assert logits.shape == (2, 4, 60, 90)
    members = softmax(logits)
    assert np.abs(members[0] - members[1]).max() > 0.1
    found = two.segment(IMAGE, settings())
    np.testing.assert_allclose(found.raw_probability, members.mean(axis=0).transpose(1, 2, 0), atol=1e-5)
    expected = entropy(members.mean(axis=0)) - entropy(members).mean(axis=0)
    np.testing.assert_allclose(found.mutual_information, expected, atol=1e-5)
    np.testing.assert_allclose(found.mutual_information, mutual_information(logits), atol=1e-5)
    assert found.mutual_information.min() >= 0.0
    assert (found.classes == classes_of(found.probability.transpose(2, 0, 1))).all()
    first = two.segment(IMAGE, settings(method="single"))
    np.testing.assert_allclose(first.raw_probability, members[0].transpose(1, 2, 0), atol=1e-5)


def test_the_pool_is_calibrated_by_the_methods_temperature() -> None:
    warm = made_segmenter(2, temperature={"single": 1.0, "ensemble": 2.5, "dropout": 1.0})  # type: ignore[arg-type]
    found = warm.segment(IMAGE, settings())
    raw = pooled(warm.said(IMAGE, settings()).logits)
    np.testing.assert_allclose(found.raw_probability.transpose(2, 0, 1), raw, atol=1e-5)
    np.testing.assert_allclose(found.probability.transpose(2, 0, 1), tempered(raw, 2.5), atol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy(tempered(raw, 2.5)), atol=1e-4)
    assert found.entropy.mean() > 1.1 * entropy(raw).mean()
    single = warm.segment(IMAGE, settings(method="single"))
    np.testing.assert_array_equal(single.probability, single.raw_probability)


@pytest.mark.parametrize(("flips", "axes"), [(2, [(), (1,)]), (4, [(), (1,), (0,), (0, 1)])])
def test_mirrored_views_are_averaged_in_place(two: Segmenter, flips: int, axes: list[tuple[int, ...]]) -> None:
    image = made_image(64, 96)
    views = []
    for axis in axes:
        seen = softmax(plain(two.members[0], np.flip(image, axis).copy(), 0 in axis))
        views.append(np.flip(seen, [1 + k for k in axis]))
    found = two.segment(image, settings(method="single", flips=flips))
    np.testing.assert_allclose(found.probability.transpose(2, 0, 1), np.mean(views, axis=0), atol=1e-4)
    # What all mirrored views say does not depend on which way the image is held.
    turned = two.segment(image[:, ::-1].copy(), settings(method="single", flips=flips))
    np.testing.assert_allclose(turned.probability[:, ::-1], found.probability, atol=1e-4)


def test_scales_are_averaged(two: Segmenter) -> None:
    one, half = (two.segment(IMAGE, settings(method="single", scales=[s])).probability for s in (1.0, 0.5))
    both = two.segment(IMAGE, settings(method="single", scales=[1.0, 0.5])).probability
    assert np.abs(one - half).max() > 0.01
    np.testing.assert_allclose(both, 0.5 * (one + half), atol=1e-5)
    np.testing.assert_allclose(half.sum(axis=2), 1.0, atol=1e-5)


def test_dropout_drops_channels_by_seed_and_nothing_else_changes(two: Segmenter) -> None:
    member = two.members[0]
    state = {name: value.clone() for name, value in member.state_dict().items()}
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    chosen = settings(method="dropout", flips=2)
    first, again = two.said(IMAGE, chosen).logits, two.said(IMAGE, chosen).logits
    assert torch.equal(torch.rand(1), before), "the caller's random numbers go on"
    assert first.shape == (3, 4, 60, 90)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.01
    other = two.said(IMAGE, settings(method="dropout", flips=2, seed=100)).logits
    assert np.abs(first[0] - other[0]).max() > 0.01
    assert not any(layer.training for layer in member.modules())
    assert all(torch.equal(value, state[name]) for name, value in member.state_dict().items())
    single = two.said(IMAGE, settings(method="single", flips=2)).logits
    assert np.abs(first - single).max() > 0.01


def test_batch_norm_keeps_its_statistics_while_dropout_drops(two: Segmenter) -> None:
    modes: list[tuple[bool, bool]] = []
    layers = [layer for layer in two.members[0].modules() if isinstance(layer, nn.BatchNorm2d)]
    drops = [layer for layer in two.members[0].modules() if isinstance(layer, nn.Dropout2d)]
    hook = two.members[0].unet.segmentation_head.register_forward_hook(  # type: ignore[operator,union-attr]
        lambda *_: modes.append((layers[-1].training, drops[-1].training))
    )
    try:
        two.segment(IMAGE, settings(method="dropout"))
        two.segment(IMAGE, settings(method="single"))
    finally:
        hook.remove()
    assert modes == [(False, True)] * 3 + [(False, False)]


def test_passes_see_one_drawn_network_in_all_views(two: Segmenter) -> None:
    """A mirrored image gives the mirrored passes: its two views meet the same dropped channels."""
    image = made_image(64, 96)
    chosen = settings(method="dropout", flips=2)
    found = two.said(image, chosen).logits
    turned = two.said(image[:, ::-1].copy(), chosen).logits
    np.testing.assert_allclose(softmax(turned)[..., ::-1], softmax(found), atol=1e-5)


def test_a_network_without_dropout_has_no_passes() -> None:
    with pytest.raises(LearningError, match="has no dropout"):
        made_segmenter(1, dropout=0.0).segment(IMAGE, settings(method="dropout"))


@pytest.mark.parametrize(("limit", "strange"), [(0.0, True), (2.0, False)])
@pytest.mark.parametrize("method", ["ensemble", "single", "dropout"])
def test_the_cards_limit_tells_what_is_out_of_distribution(method: str, limit: float, strange: bool) -> None:
    found = made_segmenter(2, limit=limit).segment(IMAGE, settings(method=method))
    assert found.out_of_distribution is strange
    assert found.unfamiliarity > 0.0


@pytest.mark.parametrize("method", ["ensemble", "single", "dropout"])
@pytest.mark.parametrize("views", [{}, {"flips": 4}, {"scales": [0.5]}])
def test_unfamiliarity_is_the_members_mean_distance_whatever_the_views(method: str, views: dict[str, Any]) -> None:
    segmenter = made_segmenter(2)
    each = [Segmenter((member,), segmenter.spec).said(IMAGE, settings()).distance for member in segmenter.members]
    assert each[0] != pytest.approx(each[1], rel=1e-3)
    expected = float(np.mean(each)) if method == "ensemble" else each[0]
    chosen = settings(method=method, **views)
    assert segmenter.segment(IMAGE, chosen).unfamiliarity == pytest.approx(expected, rel=1e-5)
    assert segmenter.said(IMAGE, chosen).distance == pytest.approx(expected, rel=1e-5)


def test_larger_images_are_reduced_and_their_maps_brought_back(two: Segmenter) -> None:
    small = made_image(48, 96)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    found, reduced = two.segment(large, settings()), two.segment(small, settings())
    assert found.probability.shape == (192, 384, 4)
    assert found.unfamiliarity == pytest.approx(reduced.unfamiliarity, abs=1e-6)
    np.testing.assert_allclose(found.probability.sum(axis=2), 1.0, atol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy(found.probability.transpose(2, 0, 1)), atol=1e-5)
    # Means over the pixels that one stands for are near its own values.
    means = found.probability.reshape(48, 4, 96, 4, 4).mean(axis=(1, 3))
    assert np.corrcoef(means.ravel(), reduced.probability.ravel())[0, 1] > 0.95
    assert two.said(large, settings()).logits.shape == (2, 4, 192, 384)


def test_strips_are_the_parts_of_the_whole(two: Segmenter) -> None:
    image = made_image(150, 200)
    whole = two.segment(image, settings())
    parts = list(two.segment_reduced(image, settings()).strips(150, 200, 64))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 64), (64, 128), (128, 150)]
    for name in ("probability", "classes", "entropy", "mutual_information", "raw_probability"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for _, part in parts]), getattr(whole, name))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (33, 31), (2000, 7)])
def test_images_of_odd_sizes_have_maps(two: Segmenter, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    found = two.segment(image, settings(flips=2, scales=[1.0, 0.25]))
    assert found.probability.shape == (*shape, 4)
    assert np.isfinite(found.probability).all()
    np.testing.assert_allclose(found.probability.sum(axis=2), 1.0, atol=1e-5)


@pytest.mark.parametrize("method", ["ensemble", "single", "dropout"])
def test_where_no_ground_is_seen_nothing_is_judged(method: str) -> None:
    spec = made_spec(2, limit=0.0)
    blind = Segmenter(made_members(spec, all_sky=True), spec)
    found = blind.segment(np.zeros((60, 90, 3), np.uint8), settings(method=method))
    assert (found.classes == SKY).all()
    assert np.isnan(found.unfamiliarity)
    assert found.out_of_distribution is None
    # Ground that is not known tells nothing either.
    seeing = Segmenter(made_members(spec), spec)
    assert seeing.segment(IMAGE, settings(method=method)).out_of_distribution is True
    told = set()
    for at in ((0, 0), (0, 45), (59, 0), (45, 80), (50, 20), (59, 89)):
        known = np.zeros((60, 90), bool)
        known[at] = True
        found = seeing.segment(IMAGE, settings(method=method), known)
        told.add((bool(found.classes[at] == SKY), found.out_of_distribution))
    assert told == {(True, None), (False, True)}, "some of the pixels are called sky, and some are not"


def test_unknown_pixels_are_filled_from_their_row() -> None:
    image = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6, 1).repeat(3, axis=2)
    known = np.ones((4, 6), dtype=bool)
    known[1, [0, 1, 4]], known[2], known[3, 1:] = False, False, False
    found = filled(image, known)[:, :, 0]
    np.testing.assert_array_equal(found[0], [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found[1], [8, 8, 8, 9, 9, 11])
    np.testing.assert_array_equal(found[2], found[1])
    np.testing.assert_array_equal(found[3], [18] * 6)
    with pytest.raises(LearningError, match="no pixel"):
        filled(image, np.zeros_like(known))


def test_a_sky_that_was_cut_out_stays_black_and_all_else_is_filled() -> None:
    image = np.full((6, 5, 3), 200, dtype=np.uint8)
    image[:, 1] = 100
    known = np.zeros((6, 5), dtype=bool)
    # A horizon that rises to the right, a hole in the ground; of the lowest row and the first column nothing is known.
    known[3:5, 1:] = known[2, 3:] = known[1, 4] = True
    known[4, 2] = False
    found = filled(image, known)[:, :, 0]
    sky = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0] * 5, [0] * 5, [0] * 5], dtype=bool)
    assert ((found == 0) == sky).all(), "what is beneath transparent pixels is not seen either"
    np.testing.assert_array_equal(found[3:], [[100, 100, 200, 200, 200], [100, 100, 100, 200, 200], found[4]])
    # Where the picture begins with a known row nothing is taken for sky, however much of it is unknown.
    known[0] = True
    assert filled(image, known).all()


def test_unknown_pixels_are_told_of_nothing(two: Segmenter) -> None:
    known = np.ones((60, 90), dtype=bool)
    known[:, 70:] = False
    # What is not known looks as its row does beside it, and not as the black sky.
    beside = np.concatenate([IMAGE[:, :70], IMAGE[:, 69:70].repeat(20, axis=1)], axis=1)
    found, whole = two.segment(IMAGE, settings(), known), two.segment(beside, settings())
    for values in (found.probability[..., 0], found.entropy, found.mutual_information, found.raw_probability[..., 3]):
        assert (np.isnan(values) == ~known).all()
    assert ((found.classes == UNKNOWN) == ~known).all()
    assert found.unfamiliarity == pytest.approx(whole.unfamiliarity, abs=1e-6)
    np.testing.assert_array_equal(found.probability[known], whole.probability[known])
    with pytest.raises(LearningError, match="no pixel"):
        two.segment(IMAGE, settings(), np.zeros_like(known))
    assert not np.array_equal(found.probability[known], two.segment(IMAGE, settings()).probability[known])
    # Reduced, it stays where it was.
    large = IMAGE.repeat(3, axis=0).repeat(3, axis=1)
    wide = known.repeat(3, axis=0).repeat(3, axis=1)
    assert ((two.segment(large, settings(), wide).classes == UNKNOWN) == ~wide).all()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 8), "uint8"), ((8, 8, 4), "uint8"), ((8, 8, 3), "float64"), ((0, 8, 3), "uint8")]
)
def test_what_is_no_image_is_refused(two: Segmenter, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(LearningError, match="an image is"):
        two.segment(np.zeros(shape, dtype), settings())  # type: ignore[arg-type]


def test_maps_too_large_to_be_returned_are_read_in_strips(two: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenters, "MOST_PX", 1_000_000)
    panorama = np.zeros((1_000, 4_000, 3), dtype=np.uint8)
    with pytest.raises(LearningError, match="strips"):
        two.segment(panorama, settings())
    with pytest.raises(LearningError, match="strips"):
        two.said(panorama, settings())
    tracemalloc.start()
    rows = sum(part.stop - part.start for part, _ in two.segment_reduced(panorama, settings()).strips(1_000, 4_000, 50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1_000
    assert peak < 64e6, "nine maps of the whole are 144 MB"


def test_spoiled_weights_are_told(two: Segmenter) -> None:
    spec = made_spec(1)
    member = made_members(spec)[0]
    with torch.no_grad():
        member.unet.segmentation_head.kind.bias.fill_(float("nan"))  # type: ignore[operator,union-attr]
    with pytest.raises(LearningError, match="not finite"):
        Segmenter([member], spec).segment(IMAGE, settings(method="single"))


def test_a_model_file_gives_the_same_maps(tmp_path: Path) -> None:
    found = load_segmenter(write_model(tmp_path / "model.safetensors"))
    assert len(found.members) == 2
    truth = made_segmenter(2)
    for member in truth.members:
        rounded(member)
    np.testing.assert_allclose(
        found.segment(IMAGE, settings()).probability, truth.segment(IMAGE, settings()).probability, atol=1e-3
    )
    with pytest.raises(ArtefactError, match="does not exist"):
        load_segmenter(tmp_path / "none.safetensors")


@pytest.mark.parametrize("encoder", ["tu-mobilenetv2_035", "resnet18"])
def test_folded_members_are_the_same_function(encoder: str, caplog: pytest.LogCaptureFixture) -> None:
    spec = made_spec(1)
    network = build(spec.network.model_copy(update={"encoder": encoder, "padding": "symmetric"}))
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.normal_(0.0, 0.2)
            layer.running_var.uniform_(0.5, 2.0)
    network.eval()
    quick = folded(network)
    assert "cannot be folded" not in caplog.text
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()), "the network itself is left alone"
    assert any(isinstance(layer, nn.Dropout2d) for layer in quick.modules()), "passes can still drop"
    with torch.inference_mode():
        image = torch.randn(2, 3, 64, 96)
        torch.testing.assert_close(quick(image), network(image), rtol=1e-3, atol=1e-4)


def test_what_cannot_be_folded_by_its_order_is_left_and_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folding, "fuse_conv_bn_eval", lambda convolution, _: convolution)
    network = made_members(made_spec(1))[0]
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_var is not None:
            layer.running_var.fill_(4.0)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in folded(network).modules())
    assert "cannot be folded" in caplog.text
