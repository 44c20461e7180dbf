"""Classical filters: even noise, the way back, stripes, and what each does to noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lunarsite.settings.enhance import SensorSettings
from lunarsite.validate import enhance_classical as ec
from lunarsite.validate.enhance_classical import CLASSICAL, filtered
from lunarsite.vision.enhance.sensor import Conditions, Exposure, expose

SENSOR = SensorSettings(gain_spread=0.0, bits=14)
SIDE = 96
RAMP = 3e-4 * (1.0 + np.arange(SIDE) / SIDE)[:, None] * np.ones((1, SIDE))


def exposure(electrons: float = 30.0, stripes: float = 0.0, lit_px: int = 0, seed: int = 0) -> Exposure:
    sun = np.zeros((SIDE, SIDE))
    sun[:, :lit_px] = 1.0
    conditions = Conditions(electrons, 2.0, 1.5, stripes)
    return expose(RAMP, sun, conditions, SENSOR, np.random.default_rng(seed))


def by_name(name: str) -> ec.Classical:
    return next(one for one in CLASSICAL if one.name == name)


@pytest.mark.parametrize("electrons", [10.0, 200.0])
def test_noise_is_even_and_known(electrons: float) -> None:
    image = ec.even(exposure(electrons))
    dark, bright = (np.diff(image[rows], axis=1).std() / np.sqrt(2.0) for rows in (slice(0, 20), slice(-20, None)))
    assert dark == pytest.approx(1.0, abs=0.06)
    assert bright == pytest.approx(1.0, abs=0.06)
    assert ec.noise_sigma(image) == pytest.approx(1.0, abs=0.06)


def test_noise_is_told_from_ground() -> None:
    rows, cols = np.indices((SIDE, SIDE)) / SIDE
    ground = 50.0 * (rows + cols**2)
    assert ec.noise_sigma(ground) < 0.05
    noise = 3.0 * np.random.default_rng(1).normal(size=ground.shape)
    assert ec.noise_sigma(ground + noise) == pytest.approx(3.0, rel=0.05)
    assert ec.noise_sigma(np.ones((8, 8))) > 0.0, "never zero: filters divide by it"


def test_there_and_back_is_the_image() -> None:
    seen = exposure()
    back = ec.uneven(ec.even(seen), seen, np.ones((SIDE, SIDE), dtype=np.bool_))
    assert back == pytest.approx(seen.image.astype(np.float64), abs=1e-7)


def test_radiometry_is_kept() -> None:
    """A mean of square roots is lower than the root of the mean: at few electrons by much."""
    seen = exposure(4.0)
    found = filtered(seen, by_name("gaussian"), 4.0, destriped=False)
    assert found.mean() == pytest.approx(float(seen.image.mean()), rel=1e-6)
    assert found.mean() == pytest.approx(RAMP.mean(), rel=0.02)


@pytest.mark.parametrize("method", [one for one in CLASSICAL if not one.package], ids=lambda one: one.name)
def test_every_filter_is_nearer_to_the_truth(method: ec.Classical) -> None:
    seen = exposure(20.0)
    raw = float(np.mean((seen.image - RAMP) ** 2))
    found = [filtered(seen, method, one, destriped=False) for one in method.strengths]
    assert min(float(np.mean((one - RAMP) ** 2)) for one in found) < 0.5 * raw
    assert all(one.shape == RAMP.shape and np.isfinite(one).all() for one in found)


def test_sunlit_ground_does_not_spill() -> None:
    seen = exposure(50.0, lit_px=30)
    for method in ("median", "gaussian", "non-local means", "total variation"):
        found = filtered(seen, by_name(method), by_name(method).strengths[-2], destriped=False)
        assert found[:, 30:32].mean() == pytest.approx(RAMP.mean(), rel=0.1), method


def test_unknown_stays_unknown() -> None:
    seen = exposure()
    seen.image[10:20, 10:20] = np.nan
    found = filtered(seen, by_name("gaussian"), 2.0, destriped=True)
    assert np.isnan(found[10:20, 10:20]).all()
    assert np.isfinite(found).sum() == SIDE**2 - 100
    seen.image[:] = np.nan
    with pytest.raises(ValueError, match="nothing to filter"):
        filtered(seen, by_name("gaussian"), 2.0, destriped=True)


def test_stripes_are_columns_alone() -> None:
    rng = np.random.default_rng(2)
    offsets = rng.normal(size=SIDE)
    everywhere = np.ones((SIDE, SIDE), dtype=np.bool_)
    rows = np.linspace(0.0, 9.0, SIDE)[:, None]
    found = ec.stripes(rows + offsets[None, :], everywhere)
    assert np.corrcoef(found[0], offsets)[0, 1] > 0.95
    assert np.abs(ec.stripes(np.broadcast_to(rows, (SIDE, SIDE)), everywhere)).max() < 1e-9
    few = everywhere.copy()
    few[20:, 5] = False
    assert ec.stripes(rows + offsets[None, :], few)[0, 5] == 0.0, "too few pixels to tell"
    seen = exposure(20.0, stripes=4.0)
    error = {
        kind: float(np.mean((filtered(seen, by_name("gaussian"), 1.4, destriped=kind) - RAMP) ** 2))
        for kind in (False, True)
    }
    assert error[True] < 0.6 * error[False]


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = dataclasses.replace(by_name("bm3d"), package="no_such_package")
    monkeypatch.setattr(ec, "CLASSICAL", (by_name("gaussian"), absent))
    here, missing = ec.present()
    assert [one.name for one in here] == ["gaussian"]
    assert [one.name for one in missing] == ["bm3d"]


def test_a_flat_image_is_no_error() -> None:
    flat = np.full((32, 32), 5.0)
    for one in CLASSICAL:
        if not one.package:
            assert one.apply(flat, 1.0, one.strengths[0]) == pytest.approx(flat)
