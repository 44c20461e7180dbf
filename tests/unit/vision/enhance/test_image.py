"""Images of any size: no trace of tiles or of how rows are read, radiometry given back, holes unknown again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.settings import EnhancementSettings
from lunarsite.vision.enhance.image import (
    ArraySource,
    enhance_array,
    enhance_strips,
    fit_scale,
    fit_scale_of,
    load_enhancer,
)
from lunarsite.vision.enhance.normalise import Scale, fit
from lunarsite.vision.enhance.one_image import MODELS
from lunarsite.vision.learn import LearningError
from tests.unit.vision.enhance.made_images import Mean, Same, enhancer, shadowed

SMALL = EnhancementSettings(tile_px=64, halo_px=32)


def holed(height: int, width: int) -> NDArray[np.float32]:
    image = shadowed(height, width)
    image[height // 3 : height // 3 + 20, 5 : width // 2] = np.nan
    image[:, -3:] = np.nan
    return image


def test_tiles_leave_no_trace() -> None:
    image = holed(230, 170)
    whole = enhance_array(image, enhancer(Mean()), EnhancementSettings(tile_px=256, halo_px=64))
    for tile, halo in ((64, 32), (96, 64), (128, 32)):
        found = enhance_array(image, enhancer(Mean()), EnhancementSettings(tile_px=tile, halo_px=halo))
        np.testing.assert_allclose(found.enhanced, whole.enhanced, rtol=1e-6)
        np.testing.assert_allclose(found.error, whole.error, rtol=1e-5)
        assert np.array_equal(found.support, whole.support)


def test_a_network_that_changes_nothing_gives_the_image_back() -> None:
    image = holed(130, 99)
    found = enhance_array(image, enhancer(Same(0.04)), SMALL)
    scale = fit(image)
    np.testing.assert_allclose(found.enhanced, image, rtol=1e-6)
    # 0.2 in the standard scale, times how many of the image's numbers that is there.
    expected = 0.2 * np.hypot(scale.spread, image - scale.median)
    np.testing.assert_allclose(found.error, expected, rtol=1e-4)
    assert np.array_equal(np.isnan(found.enhanced), np.isnan(image))
    assert np.array_equal(found.support == 255, np.isnan(image))


@pytest.mark.parametrize("change", [lambda x: 7.0 * x, lambda x: x - 250.0, lambda x: 1e-6 * x + 1e-3])
def test_units_do_not_matter(change: Callable[[Any], Any]) -> None:
    image = holed(100, 90).astype(np.float64)
    found = enhance_array(image, enhancer(Mean()), SMALL)
    other = enhance_array(change(image), enhancer(Mean()), SMALL)
    spread = fit(change(image)).spread
    assert np.nanmax(np.abs(other.enhanced - change(found.enhanced.astype(np.float64)))) < 1e-3 * spread
    assert (found.support == other.support).mean() > 0.999


class Told:
    """A source that notes which rows are asked for."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.source, self.asked = ArraySource(values), list[tuple[int, int]]()

    @property
    def shape(self) -> tuple[int, int]:
        return self.source.shape

    @property
    def rounding(self) -> float:
        return self.source.rounding

    def read(self, rows: slice) -> NDArray[np.float32]:
        self.asked.append((rows.start, rows.stop))
        return self.source.read(rows)


def test_strips_are_the_whole_and_each_row_is_read_once() -> None:
    image = holed(400, 100)
    told, scale = Told(image), fit(image)
    strips = list(enhance_strips(told, scale, enhancer(Mean()), SMALL))
    assert len(strips) > 4
    assert [rows.stop for rows, _ in strips[:-1]] == [rows.start for rows, _ in strips[1:]]
    assert (strips[0][0].start, strips[-1][0].stop) == (0, 400)
    assert [stop for _, stop in told.asked[:-1]] == [start for start, _ in told.asked[1:]]
    assert (told.asked[0][0], told.asked[-1][1]) == (0, 400)
    whole = enhance_array(image, enhancer(Mean()), SMALL, scale)
    for name in ("enhanced", "error", "support"):
        together = np.concatenate([getattr(strip, name) for _, strip in strips])
        assert np.array_equal(together, getattr(whole, name), equal_nan=True)


def test_a_part_with_the_scale_of_the_whole_is_part_of_the_whole() -> None:
    image = shadowed(200, 150)
    scale = fit(image)
    whole = enhance_array(image, enhancer(Mean()), SMALL, scale)
    part = enhance_array(image[:120], enhancer(Mean()), SMALL, scale)
    np.testing.assert_allclose(part.enhanced[:100], whole.enhanced[:100], rtol=1e-6)
    assert not np.allclose(enhance_array(2.0 * image[:120], enhancer(Mean()), SMALL, scale).enhanced, part.enhanced)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3), (33, 200), (64, 64), (65, 1)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    image = shadowed(*shape) if shape != (1, 1) else np.array([[3.0]], np.float32)
    if shape == (1, 1):
        with pytest.raises(LearningError, match="one value"):
            enhance_array(image, enhancer(Same()), SMALL)
        return
    image[0, 0] += 1.0
    np.testing.assert_allclose(enhance_array(image, enhancer(Same()), SMALL).enhanced, image, rtol=1e-5)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((40, 40), np.uint8), "one value"),
        (np.full((40, 40), 3.5), "one value"),
        (np.full((40, 40), np.nan), "no known pixel"),
        (np.full((40, 40), np.inf), "no known pixel"),
        (np.zeros((3, 4, 5)), r"\(H, W\)"),
        (np.zeros((0, 5)), r"\(H, W\)"),
    ],
)
def test_images_without_signal_are_refused(image: NDArray[Any], words: str) -> None:
    with pytest.raises(LearningError, match=words):
        enhance_array(image, enhancer(Same()), SMALL)


def test_overexposed_ground_and_what_is_too_bright_keep_their_numbers() -> None:
    image = shadowed(150, 140)
    image[20:60, 30:70] = 4_000.0
    image[100, 100] = 3e6
    image[120, 20:60] = 3e6
    scale = fit(np.where(image > 3e5, np.float32(np.nan), image))
    assert scale.most == 4_000.0
    found = enhance_array(image, enhancer(Mean()), SMALL, scale)
    kept = image >= 4_000.0
    assert np.array_equal(found.enhanced[kept], image[kept])
    assert np.isnan(found.error[kept]).all()
    assert (found.support[kept] == 0).all()
    assert np.isfinite(found.error[~kept]).all()
    bright = Scale(scale.median, scale.spread)
    assert enhance_array(image, enhancer(Mean()), SMALL, bright).enhanced[100, 100] == np.float32(3e6)


def test_unknown_tiles_are_spared_and_holes_do_not_darken_their_rims() -> None:
    class Counting(Mean):
        count = 0

        def forward(self, image: Tensor) -> Tensor:
            self.count += 1
            assert bool(torch.isfinite(image).all())
            return super().forward(image)

    image = np.full((700, 64), np.nan, np.float32)
    image[:64] = shadowed(64, 64)
    network = Counting()
    enhance_array(image, enhancer(network), SMALL)
    assert network.count == 2
    flat = shadowed(120, 120, noise=0.0)
    flat[:60] = 1.0
    flat[60:] = 2.0
    flat[0, 0] = 3.0
    flat[70:90, 40:80] = np.nan
    found = enhance_array(flat, enhancer(Mean()), SMALL, Scale(1.0, 0.5))
    rim = found.enhanced[69, 45:75]
    np.testing.assert_allclose(rim, 2.0, atol=0.01)


def test_spoiled_networks_are_told() -> None:
    image = shadowed(70, 70)
    with pytest.raises(LearningError, match="negative"):
        enhance_array(image, enhancer(Same(-1.0)), SMALL)
    with pytest.raises(LearningError, match="not finite"):
        enhance_array(image, enhancer(Same(float("nan"))), SMALL)

    class Three(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.repeat(1, 3, 1, 1)

    with pytest.raises(LearningError, match="as stated"):
        enhance_array(image, enhancer(Three()), SMALL)


def test_the_scale_is_that_of_the_whole_image() -> None:
    image = holed(300, 50)
    told: list[tuple[float, float]] = []
    assert fit_scale(ArraySource(image), lambda done, total: told.append((done, total))) == fit(image)
    assert told == [(300, 300)]
    assert fit_scale_of(image) == fit(image)


def test_integers_and_what_is_too_large_for_32_bits() -> None:
    image = np.round(shadowed(80, 80)).astype(np.uint16)
    np.testing.assert_allclose(enhance_array(image, enhancer(Same()), SMALL).enhanced, image, rtol=1e-6)
    large = image.astype(np.float64)
    large[3, 4] = 1e300
    assert enhance_array(large, enhancer(Same()), SMALL).support[3, 4] == 255


def test_signal_that_is_lost_in_32_bits_is_refused() -> None:
    counts = np.random.default_rng(0).poisson(8.0, (80, 80))
    for values in (counts + 1e8, (counts + 100_000_000).astype(np.int32)):
        with pytest.raises(LearningError, match=r"lost in 32 bits.*subtract"):
            enhance_array(values, enhancer(Same()), SMALL)
    # What is in 32 bits already is as good as it will be, and 16 bits lose nothing.
    for kept in (counts + 1e4, counts.astype(np.uint16), (counts + 1e8).astype(np.float32)):
        assert enhance_array(kept, enhancer(Same()), SMALL).enhanced.shape == (80, 80)


@pytest.mark.parametrize("method", ["denoiser", "cycle"])
def test_the_networks_that_come_along_leave_no_trace_of_tiles(method: Literal["denoiser", "cycle"]) -> None:
    network = load_enhancer(method, MODELS / f"{method}.safetensors")
    image = holed(256, 200)
    scale = fit(image)
    whole = enhance_array(image, network, EnhancementSettings(tile_px=256, halo_px=64))
    tiled = enhance_array(image, network, EnhancementSettings(tile_px=128, halo_px=64))
    known = np.isfinite(whole.enhanced)
    assert np.array_equal(known, np.isfinite(tiled.enhanced))
    assert np.abs(tiled.enhanced - whole.enhanced)[known].max() < 1e-3 * scale.spread
