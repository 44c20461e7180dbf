"""Which images and cut-outs make pairs: every filter on both sides of its limit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.source.archive.filters import (
    agreement,
    black_share,
    cutout_refused,
    image_refused,
    is_grey,
    seen_of_image,
)

ALL = np.ones((60, 80), dtype=bool)


def noisy(level: float, spread: float, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(level, spread, (60, 80, 3)) * 255.0
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def test_grey_is_grey_everywhere() -> None:
    rgb = np.repeat(noisy(0.5, 0.1)[..., :1], 3, axis=-1)
    assert is_grey(rgb)
    assert image_refused(rgb, ALL) == "the image is grey"
    rgb[3, 4, 1] ^= 1
    assert not is_grey(rgb)
    assert image_refused(rgb, ALL) is None


def test_black_share_beyond_a_survey() -> None:
    rgb = np.clip(noisy(0.3, 0.1), 1, 255)
    rgb[:1] = 0  # 1.7 %
    assert black_share(rgb, ALL) == pytest.approx(1 / 60)
    assert cutout_refused(rgb, ALL, "sdss9") is None
    rgb[:2] = 0  # 3.3 %
    assert cutout_refused(rgb, ALL, "sdss9") == "the cut-out reaches beyond the survey"
    assert cutout_refused(rgb, ALL, "dss2") is None
    seen = ALL.copy()
    seen[:2] = False
    assert cutout_refused(rgb, seen, "sdss9") is None, "where the image shows nothing the survey need not"
    assert cutout_refused(rgb, ~ALL, "dss2") == "the cut-out is empty"


def test_overexposed() -> None:
    assert cutout_refused(noisy(0.88, 0.05), ALL, "dss2") is None
    assert cutout_refused(noisy(0.93, 0.05), ALL, "dss2") == "the cut-out is overexposed"


def test_one_colour() -> None:
    assert cutout_refused(noisy(0.3, 0.03), ALL, "dss2") == "the cut-out has one colour"
    assert cutout_refused(noisy(0.3, 0.05), ALL, "dss2") is None
    assert cutout_refused(noisy(0.1, 0.03), ALL, "dss2") is None, "a dark sky has little spread"
    assert cutout_refused(np.zeros((60, 80, 3), dtype=np.uint8), ALL, "dss2") == "the cut-out has one colour"


def test_black_frame_of_a_mosaic_is_not_seen() -> None:
    rgb = noisy(0.3, 0.1)
    rgb[:20, 50:] = 0
    seen = seen_of_image(rgb)
    assert not seen[:20, 50:].any()
    assert not seen[:22, 48:].any(), "its border is smeared"
    assert seen[25:].all()
    assert seen[:, :45].all()


def test_dark_sky_and_dark_middle_are_seen() -> None:
    rng = np.random.default_rng(1)
    dark = rng.integers(0, 9, (60, 80, 3), dtype=np.uint8)
    assert seen_of_image(dark).all()
    hole = noisy(0.3, 0.1)
    hole[20:40, 30:60] = 0
    assert seen_of_image(hole).all(), "a dark nebula touches no corner"
    speck = noisy(0.3, 0.1)
    speck[:4, :4] = 0
    assert seen_of_image(speck).all(), "too small for a frame"


def test_a_sky_that_fades_to_black_is_no_frame() -> None:
    y, x = np.mgrid[:120, :160]
    nebula = 220.0 * np.exp(-(((x - 80) / 25.0) ** 2 + ((y - 60) / 20.0) ** 2))
    rgb = np.repeat(nebula[..., None], 3, axis=-1).astype(np.uint8)
    assert (rgb == 0).all(axis=-1).mean() > 0.5
    assert seen_of_image(rgb).all()


def test_ragged_black_is_no_frame() -> None:
    rng = np.random.default_rng(4)
    rgb = np.full((120, 160, 3), 60, dtype=np.uint8)
    for col in range(0, 160, 10):
        rgb[: rng.integers(15, 60), col : col + 10] = 0
    assert seen_of_image(rgb).all()


@pytest.mark.parametrize("degrees", [10.0, 45.0])
def test_frames_of_turned_mosaics_are_not_seen(degrees: float) -> None:
    y, x = np.mgrid[:240, :320]
    angle = math.radians(degrees)
    across = (x - 160) * math.cos(angle) + (y - 120) * math.sin(angle)
    frame = across < -100
    rgb = np.where(frame[..., None], 0, 40).astype(np.uint8)
    seen = seen_of_image(rgb)
    assert (~seen & frame).sum() > 0.98 * frame.sum()
    assert (~seen & (across > -96)).sum() == 0


def test_mostly_black_frame_is_left_out() -> None:
    rgb = noisy(0.3, 0.1)
    rgb[:25] = 0
    assert image_refused(rgb, seen_of_image(rgb)) is None
    rgb[:32] = 0
    assert image_refused(rgb, seen_of_image(rgb)) == "more than half of the image is black frame"


def test_agreement_of_the_same_sky_another_one_and_none() -> None:
    rng = np.random.default_rng(2)
    first, other = (rng.integers(0, 255, (60, 80, 1)).repeat(3, axis=-1).astype(np.uint8) for _ in range(2))
    assert agreement(first, first, ALL, 1.0) == pytest.approx(1.0)
    assert agreement(first, 255 - first, ALL, 1.0) == pytest.approx(-1.0)
    assert abs(agreement(first, other, ALL, 1.0)) < 0.2
    brighter = (40 + first * 0.5).astype(np.uint8)
    assert agreement(first, brighter, ALL, 1.0) > 0.99
    half = ALL.copy()
    half[:, 40:] = False
    mixed = np.where(half[..., None], first, other)
    assert agreement(first, mixed, half, 1.0) > 0.99
    assert agreement(first, mixed, ALL, 1.0) < 0.8
    flat = np.full((60, 80, 3), 9, dtype=np.uint8)
    assert math.isnan(agreement(first, flat, ALL, 1.0))
    assert math.isnan(agreement(first, other, ~ALL, 1.0))
