"""Roughness: a plane has none; noise has its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.terrain.plane import roughness_m, window_radius_px


@given(a=st.floats(-0.7, 0.7), b=st.floats(-0.7, 0.7), c=st.floats(-7000, 7000), radius=st.integers(1, 4))
@settings(max_examples=40)
def test_a_plane_is_smooth(a: float, b: float, c: float, radius: int) -> None:
    row, col = np.mgrid[:30, :30] * 240.0
    found = roughness_m((a * col + b * row + c).astype(np.float32), radius)
    inside = found[radius:-radius, radius:-radius]
    assert inside.max() < 0.002, "float32 heights carry half a millimetre"


@pytest.mark.parametrize("radius", [1, 3])
def test_equals_a_fitted_plane(radius: int) -> None:
    z = np.random.default_rng(5).normal(0, 20, (12, 14)).astype(np.float32)
    found = roughness_m(z, radius)
    row, col = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    design = np.column_stack([np.ones(row.size), row.ravel(), col.ravel()])
    for i in range(radius, 12 - radius):
        for j in range(radius, 14 - radius):
            window = z[i - radius : i + radius + 1, j - radius : j + radius + 1].ravel().astype(float)
            fit = np.linalg.lstsq(design, window, rcond=None)[0]
            assert found[i, j] == pytest.approx(np.sqrt(np.mean((window - design @ fit) ** 2)), rel=1e-5)


def test_noise_of_sigma() -> None:
    z = np.random.default_rng(1).normal(0, 3, (400, 400)).astype(np.float32)
    rms = np.sqrt(np.nanmean(roughness_m(z, 2).astype(float) ** 2))
    assert rms == pytest.approx(3 * np.sqrt((25 - 3) / 25), rel=0.01), "three parameters are fitted to 25 pixels"


def test_no_data_and_border_are_unknown() -> None:
    z = np.zeros((20, 20), np.float32)
    z[10, 10] = np.nan
    unknown = np.isnan(roughness_m(z, 2))
    assert unknown[8:13, 8:13].all()
    assert unknown[:2].all()
    assert unknown[:, -2:].all()
    assert unknown.sum() == 20 * 20 - 16 * 16 + 25


def test_windows() -> None:
    assert [window_radius_px(100.0, pixel) for pixel in (20.0, 40.0, 80.0, 240.0)] == [5, 2, 1, 1]
    assert np.isnan(roughness_m(np.zeros((2, 2), np.float32), 1)).all()
    with pytest.raises(ValueError, match="at least 3 x 3"):
        roughness_m(np.zeros((5, 5), np.float32), 0)
