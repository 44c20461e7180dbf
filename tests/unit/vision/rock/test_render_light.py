"""Hapke's function keeps its laws; the sensor its scale."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.vision.rock.render.light import Sensor, photograph, reflectance, scattered, texture, textured


def _one(incidence: float, emission: float, phase_deg: float, albedo: float = 0.25) -> float:
    cosines = (np.array([value]) for value in (incidence, emission, np.cos(np.radians(phase_deg)), albedo))
    return float(reflectance(*cosines)[0])


def test_what_faces_away_is_dark() -> None:
    assert _one(-0.2, 0.5, 90.0) == 0.0
    assert _one(0.2, 0.5, 90.0) > 0.0


def test_light_and_eye_may_change_places() -> None:
    # Helmholtz: radiance over the irradiance on the surface is the same both ways.
    assert _one(0.3, 0.8, 60.0) / 0.3 == pytest.approx(_one(0.8, 0.3, 60.0) / 0.8)


def test_opposition_surge_and_albedo() -> None:
    assert _one(0.7, 0.7, 0.0) > 1.5 * _one(0.7, 0.7, 15.0)
    assert _one(0.7, 0.7, 30.0, 0.4) > _one(0.7, 0.7, 30.0, 0.25)
    # A highland's normal albedo is near 0.15.
    assert 0.1 < _one(1.0, 1.0, 0.0) < 0.3


def test_scattered_light_comes_from_below() -> None:
    down, up = scattered(np.array([-1.0, 1.0]), 0.1, 0.2)
    assert down == pytest.approx(0.02)
    assert 0.0 < up < 0.2 * down


def test_texture_repeats_and_has_spread_one() -> None:
    pattern = texture(np.random.default_rng(0), 64)
    assert pattern.std() == pytest.approx(1.0)
    assert pattern.mean() == pytest.approx(0.0, abs=1e-9)
    x, y = np.array([[0.3, 8.3]]), np.array([[1.7, -6.3]])
    found = textured(pattern, x, y, 8.0)
    assert found[0, 0] == pytest.approx(found[0, 1])


def test_exposure_puts_the_ground_at_its_level_and_leaves_the_sky_black() -> None:
    brightness = np.zeros((40, 60))
    brightness[20:] = 0.05
    brightness[39, :2] = 1.0
    sensor = Sensor(level=0.6, gamma=2.0, electrons=1e9, tint=(1.0, 0.9, 0.8), vignetting=0.0)
    picture = photograph(brightness, brightness > 0.0, sensor, np.random.default_rng(0))
    assert picture.dtype == np.uint8
    assert picture[:20].max() <= 16  # read noise alone, under the square root
    assert np.median(picture[20:39, :, 0]) == pytest.approx(0.6 * 255.0, abs=1.0)
    assert np.median(picture[20:39, :, 2]) == pytest.approx(0.6 * 255.0 * 0.8**0.5, abs=1.0)
    assert (picture[39, :2] == 255).all()


def test_a_picture_without_lit_ground_is_dark() -> None:
    dark = photograph(
        np.zeros((8, 8)),
        np.ones((8, 8), dtype=np.bool_),
        Sensor(0.8, 1.0, 1e3, (1, 1, 1), 0.2),
        np.random.default_rng(0),
    )
    assert dark.max() <= 2
