"""The sensor: moments of what it makes of even light, stripes, companding, and what it cannot show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.sensor import (
    FULL_SCALE_ELECTRONS,
    Conditions,
    Exposure,
    compand,
    draw_conditions,
    expand,
    expose,
)
from lunarsite.vision.learn import LearningError

FINE = SensorSettings(bits=16, gain_spread=0.0)
DARK = np.zeros((200, 300))


def exposed(conditions: Conditions, sensor: SensorSettings = FINE, level: float = 2e-4, seed: int = 1) -> Exposure:
    return expose(np.full(DARK.shape, level), DARK, conditions, sensor, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("electrons", "dark", "read_noise"), [(4.0, 0.0, 0.0), (4.0, 3.0, 2.0), (100.0, 1.0, 3.0), (2.0, 4.0, 0.5)]
)
def test_mean_and_variance_are_those_of_photons_dark_current_and_read_out(
    electrons: float, dark: float, read_noise: float
) -> None:
    found = exposed(Conditions(electrons, dark, read_noise, 0.0))
    values = found.image.astype(np.float64) * found.electrons_per_unit
    expected = electrons + dark + read_noise**2
    assert values.mean() == pytest.approx(electrons, abs=4.0 * np.sqrt(expected / values.size))
    assert values.var() == pytest.approx(expected, rel=0.03)
    assert found.electrons_per_unit == pytest.approx(electrons / 2e-4)


def test_stripes_are_columns() -> None:
    found = exposed(Conditions(50.0, 0.0, 0.0, 8.0))
    values = found.image.astype(np.float64) * found.electrons_per_unit
    across = values.mean(axis=0).std()
    assert across == pytest.approx(np.sqrt(64.0 + 50.0 / 200), rel=0.15)
    assert values.mean(axis=1).std() < 0.1 * across


def test_gains_scale_the_signal_of_a_column() -> None:
    found = exposed(Conditions(1_000.0, 0.0, 0.0, 0.0), SensorSettings(bits=16, gain_spread=0.05))
    relative = found.image.mean(axis=0) / 2e-4
    assert relative.std() == pytest.approx(0.05, rel=0.15)


@pytest.mark.parametrize("bits", [6, 8, 12, 16])
def test_companding_is_undone_within_half_a_step(bits: int) -> None:
    stored = np.arange(2**bits, dtype=np.uint16)
    assert np.array_equal(compand(expand(stored, bits), bits), stored)
    electrons = np.linspace(-15.9, FULL_SCALE_ELECTRONS, 50_001)
    step = np.abs(np.diff(expand(stored, bits))).max()
    error = np.abs(expand(compand(electrons, bits), bits) - electrons)
    assert error.max() <= 0.51 * step
    # Steps follow the photon noise: they are finer where there is less light.
    assert error[electrons < 10.0].max() < 0.2 * error.max()


def test_stored_numbers_have_no_more_bits_than_asked_for() -> None:
    found = exposed(Conditions(20.0, 1.0, 2.0, 0.5), SensorSettings(bits=6), level=3.0)
    assert found.stored.max() < 64
    assert len(np.unique(found.image)) == len(np.unique(found.stored)) < 64


def test_sunlit_ground_is_overexposed_and_unknown_ground_stays_unknown() -> None:
    radiance, sun = np.full((40, 50), 1e-4), np.zeros((40, 50))
    sun[:, 30:] = 0.01
    radiance[:10] = np.nan
    found = expose(radiance, sun, Conditions(4.0, 1.0, 1.0, 0.0), SensorSettings(), np.random.default_rng(1))
    assert np.isnan(found.image[:10]).all()
    assert not found.overexposed[:10].any()
    assert found.overexposed[10:, 30:].all()
    assert not found.overexposed[:, :30].any()
    assert np.unique(found.image[10:, 30:]).size == 1
    assert found.image[10:, 30:].min() > 100.0 * found.image[10:, :30].max()
    assert (found.stored[10:, 30:] == 255).all()


def test_signal_beyond_the_full_scale_is_overexposed() -> None:
    radiance = np.full((40, 50), 1e-4)
    radiance[0] = 1e30
    found = expose(radiance, np.zeros((40, 50)), Conditions(400.0, 0.0, 0.0, 0.0), FINE, np.random.default_rng(1))
    assert found.overexposed[0].all()
    assert not found.overexposed[1:].any()


def test_the_median_is_of_ground_in_shadow_that_gets_light() -> None:
    radiance, sun = np.full((40, 50), 1e-4), np.zeros((40, 50))
    radiance[:15] = 0.0
    radiance[15:30], sun[15:30] = 0.05, 1.0
    found = expose(radiance, sun, Conditions(10.0, 0.0, 0.0, 0.0), FINE, np.random.default_rng(1))
    assert found.electrons_per_unit == pytest.approx(10.0 / 1e-4)
    assert (found.image[:15] == found.image[0, 0]).all()
    assert abs(float(found.image[0, 0]) * 1e5) < 0.05


@pytest.mark.parametrize(("level", "sun"), [(0.0, 0.0), (np.nan, 0.0), (1e-4, 1.0)])
def test_a_scene_without_light_in_shadow_is_refused(level: float, sun: float) -> None:
    arrays: list[NDArray[Any]] = [np.full((8, 8), value) for value in (level, sun)]
    with pytest.raises(LearningError, match="nothing to expose for"):
        expose(arrays[0], arrays[1], Conditions(4.0, 0.0, 0.0, 0.0), FINE, np.random.default_rng(1))


def test_a_seed_gives_an_image_and_another_seed_another() -> None:
    conditions = Conditions(4.0, 1.0, 1.0, 0.5)
    first, again, other = (exposed(conditions, SensorSettings(), seed=seed).stored for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_conditions_lie_in_the_settings_ranges() -> None:
    sensor = SensorSettings(least_electrons=3.0, most_electrons=300.0, dark_electrons=(1.0, 2.0))
    rng = np.random.default_rng(1)
    drawn = [draw_conditions(sensor, rng) for _ in range(4_000)]
    levels = np.array([found.electrons for found in drawn])
    assert (levels.min(), levels.max()) == (pytest.approx(3.0, rel=0.02), pytest.approx(300.0, rel=0.02))
    assert np.median(levels) == pytest.approx(30.0, rel=0.1)
    assert all(1.0 <= found.dark <= 2.0 and 0.5 <= found.read_noise <= 3.0 for found in drawn)
    # A given level changes the level and nothing else.
    free, given = (draw_conditions(sensor, np.random.default_rng(2), level) for level in (None, 7.0))
    assert given.electrons == 7.0
    assert (given.dark, given.read_noise, given.stripes) == (free.dark, free.read_noise, free.stripes)
