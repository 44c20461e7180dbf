"""Tiles: weights that sum to 1, nothing lost or shifted, shards, views, borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.grid import shard
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import NetworkSpec, build
from lunarsite.vision.learn.tiling import predict, predict_strips, spans, tile_rows

MULTIPLES = st.integers(1, 4).map(lambda n: 32 * n)
STRIDES = st.sampled_from([1, 2])


class Pooled(nn.Module):
    """The image itself, or its means over 2 x 2 pixels: a network whose result on the whole map is known."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, image: Tensor) -> Tensor:
        return functional.avg_pool2d(image, self.stride)


class Blurred(nn.Module):
    """A mean over 15 x 15 pixels: context, but less than half a halo of 32."""

    def forward(self, image: Tensor) -> Tensor:
        return functional.avg_pool2d(image, 15, stride=1, padding=7, count_include_pad=False)


def noise(channels: int, height: int, width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(4).standard_normal((channels, height, width)).astype(np.float32)


@given(size=st.integers(1, 700), stride=STRIDES, tile=MULTIPLES, halo=st.integers(0, 4).map(lambda n: 32 * n))
def test_weights_sum_to_one_and_use_what_has_context(size: int, stride: int, tile: int, halo: int) -> None:
    halo = min(halo, tile)
    total = np.zeros(-(-size // stride), np.float64)
    for span in spans(size, stride, tile, halo):
        total[span.used] += span.weight
        assert (span.weight >= 0.0).all()
        assert (span.stop - span.start) % 32 == 0
        # What is used lies half a halo inside of what is read, but at the map's border, where reflection goes on.
        assert span.offset >= halo // stride // 2
        assert (
            span.offset + span.used.stop - span.used.start + halo // stride // 2 <= (span.stop - span.start) // stride
        )
    assert np.abs(total - 1.0).max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150), stride=STRIDES, tile=MULTIPLES, batch=st.integers(1, 3))
def test_nothing_is_lost_or_shifted(height: int, width: int, stride: int, tile: int, batch: int) -> None:
    image = noise(2, height, width)
    found = predict(Pooled(stride), image, outputs=2, stride=stride, tile_px=tile, halo_px=32, views=8, batch=batch)
    pad = [(0, 0), (0, height % stride), (0, width % stride)]
    even = np.pad(image, pad, mode="reflect" if min(height, width) > 1 else "edge")
    expected = even.reshape(2, even.shape[1] // stride, stride, even.shape[2] // stride, stride).mean((2, 4))
    assert found.shape == (2, -(-height // stride), -(-width // stride))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_context_within_half_a_halo_leaves_no_trace_of_the_tiles() -> None:
    image = noise(1, 200, 170)
    padded = np.pad(image, ((0, 0), (7, 7), (7, 7)), mode="reflect")
    expected = functional.avg_pool2d(torch.from_numpy(padded), 15, stride=1).numpy()
    for tile in (32, 64, 96):
        found = predict(Blurred(), image, outputs=1, stride=1, tile_px=tile, halo_px=32)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return build(NetworkSpec(kind="plain-unet", inputs=1, outputs=2, channels=4, depth=2, stride=2))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_shards_are_the_whole_bit_by_bit(network: nn.Module, shards: int, batch: int) -> None:
    image = noise(1, 211, 130)
    options: dict[str, Any] = {"outputs": 2, "stride": 2, "tile_px": 64, "halo_px": 32, "views": 4, "batch": batch}
    whole = predict(network, image, **options)
    count = tile_rows(image.shape[1], 64)
    assert count == 4
    parts = [predict(network, image, rows=shard(count, index, shards), **options) for index in range(shards)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("rows", [None, range(1, 3), range(3, 4), range(2, 2)])
def test_strips_are_the_whole_and_each_tile_is_run_once(network: nn.Module, rows: range | None) -> None:
    image, done = noise(1, 211, 130), []
    options: dict[str, Any] = {"outputs": 2, "stride": 2, "tile_px": 64, "halo_px": 32, "rows": rows}
    whole = predict(network, image, **options)
    strips = list(predict_strips(network, image, progress=lambda at, _: done.append(at), **options))
    assert torch.is_inference_mode_enabled() is False
    if rows is None:
        assert done == list(range(1, 4 * 3 + 1))
        assert len(strips) == 4
        assert [where.start for where, _ in strips[1:]] == [where.stop for where, _ in strips[:-1]]
    together = np.concatenate([values for _, values in strips] or [np.empty((2, 0, 65), np.float32)], axis=1)
    assert np.array_equal(together, whole)


def test_strips_leave_inference_to_themselves(network: nn.Module) -> None:
    network.train()
    strips = predict_strips(network, noise(1, 211, 70), outputs=2, stride=2, tile_px=64, halo_px=32)
    next(strips)
    assert not torch.is_inference_mode_enabled()
    strips.close()  # type: ignore[attr-defined]
    assert network.training
    network.eval()


def test_eight_views_turn_with_the_map(network: nn.Module) -> None:
    image = noise(1, 64, 96)
    options: dict[str, Any] = {"outputs": 2, "stride": 2, "tile_px": 96, "halo_px": 32, "activation": torch.sigmoid}
    upright = predict(network, image, views=8, **options)
    for turn, mirror in ((1, False), (2, True)):
        moved = np.rot90(image[:, :, ::-1] if mirror else image, turn, (1, 2))
        found = predict(network, moved, views=8, **options)
        found = np.rot90(found, -turn, (1, 2))
        np.testing.assert_allclose(found[:, :, ::-1] if mirror else found, upright, atol=1e-5)
        alone = np.rot90(predict(network, moved, views=1, **options), -turn, (1, 2))
        assert np.abs((alone[:, :, ::-1] if mirror else alone) - predict(network, image, **options)).max() > 1e-4


def test_probabilities_are_averaged_and_not_logits() -> None:
    class Corner(nn.Module):
        """10 everywhere, if the image's first pixel is its brightest; -10 otherwise."""

        def forward(self, image: Tensor) -> Tensor:
            first = image[:, :, :1, :1] >= image.amax((2, 3), keepdim=True)
            return torch.where(first, 10.0, -10.0).expand_as(image)

    image = np.zeros((1, 32, 32), np.float32)
    image[0, 0, 0] = 1.0
    found = predict(Corner(), image, outputs=1, stride=1, tile_px=32, halo_px=0, views=4, activation=torch.sigmoid)
    np.testing.assert_allclose(found, (1.0 / (1.0 + np.exp(-10.0)) + 3.0 / (1.0 + np.exp(10.0))) / 4.0, rtol=1e-5)


def test_memory_holds_windows_and_modes_are_put_back(network: nn.Module) -> None:
    class Windows:
        """An array that only gives windows."""

        def __init__(self, values: Any) -> None:
            self.values, self.shape, self.largest = values, values.shape, 0

        def __getitem__(self, key: tuple[slice, slice, slice]) -> Any:
            window = self.values[key]
            self.largest = max(self.largest, window.shape[1] * window.shape[2])
            return window

    image = noise(1, 300, 310)
    windows = Windows(image)
    seen: list[tuple[float, float]] = []
    network.train()
    network.head.eval()  # type: ignore[union-attr,operator]
    options: dict[str, Any] = {"outputs": 2, "stride": 2, "tile_px": 64, "halo_px": 32}
    found = predict(network, windows, progress=lambda done, total: seen.append((done, total)), **options)
    assert network.training
    assert not network.head.training  # type: ignore[union-attr]
    assert windows.largest <= 128 * 128
    assert seen[-1] == (25, 25)
    assert np.array_equal(found, predict(network, image, **options))


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_a_result_that_is_not_finite_is_refused(spoiled: float) -> None:
    image = noise(1, 100, 100)
    image[0, 80, 20] = spoiled
    with pytest.raises(LearningError, match="not finite at rows"):
        predict(Pooled(2), image, outputs=1, stride=2, tile_px=64, halo_px=32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile_px": 48}, "multiples of 32"),
        ({"halo_px": 16}, "multiples of 32"),
        ({"halo_px": 128}, "no wider than the tile"),
        ({"views": 2}, "views are 1, 4 or 8"),
        ({"stride": 3}, "stride divides 32"),
        ({"rows": range(3)}, "tile rows 0 to 1"),
        ({"outputs": 3}, r"gives \(2, .*not \(3, "),
        ({"image": np.zeros((64, 64), np.float32)}, r"\(C, H, W\)"),
        ({"image": np.zeros((1, 0, 64), np.float32)}, r"\(C, H, W\)"),
    ],
)
def test_what_does_not_fit_is_refused(network: nn.Module, change: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"outputs": 2, "stride": 2, "tile_px": 64, "halo_px": 32, **change}
    image = options.pop("image", noise(1, 100, 100))
    with pytest.raises(LearningError, match=message):
        predict(network, image, **options)
