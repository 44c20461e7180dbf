"""What a response is worth: the calibration finds what is there, the threshold is the best one, the test ground is
out of the game."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lunarsite.grid import lonlat_to_xy
from lunarsite.settings import CatalogueSettings, DetectionSettings, SplitSettings
from lunarsite.vision.crater.calibration import Calibration, CalibrationError, best_threshold, fit
from lunarsite.vision.crater.inference import Candidates
from lunarsite.vision.crater.tuning import calibrate_on

from .ground import catalogue

Floats = NDArray[np.float64]
SPLIT = SplitSettings(validation_lon_deg=(120.0, 160.0), test_lon_deg=(40.0, 120.0))
COVERED = CatalogueSettings()
DETECTION = DetectionSettings()


def test_a_fit_recovers_the_coefficients_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(1)
    response, diameter_m = rng.uniform(0.02, 0.98, 40_000), rng.uniform(1_500.0, 20_000.0, 40_000)
    truth = Calibration(-0.4, 1.3, 0.5, threshold=0.5)
    confirmed = rng.random(40_000) < truth.score(response, diameter_m)
    # Standard errors are near 0.02.
    assert fit(response, diameter_m, confirmed) == pytest.approx((-0.4, 1.3, 0.5), abs=0.08)


@given(st.floats(0.1, 3.0), st.floats(-2.0, 2.0), st.floats(1_000.0, 60_000.0))
def test_scores_rise_with_the_response_and_stay_in_0_to_1(slope: float, octave: float, diameter_m: float) -> None:
    response = np.linspace(0.0, 1.0, 101)
    score = Calibration(-0.3, slope, octave, 0.5).score(response, np.full(101, diameter_m))
    assert (np.diff(score) >= 0.0).all()
    assert np.ptp(score) > 0.0
    assert score.min() >= 0.0
    assert score.max() <= 1.0


@pytest.mark.parametrize(("confirmed", "unconfirmed"), [(9, 500), (500, 9), (0, 0)])
def test_too_few_outcomes_of_a_kind_are_refused_with_what_to_do(confirmed: int, unconfirmed: int) -> None:
    outcome = np.repeat([True, False], [confirmed, unconfirmed])
    values = np.linspace(0.1, 0.9, outcome.size)
    with pytest.raises(CalibrationError, match=rf"{confirmed} confirmed and {unconfirmed} .*validation_lon_deg"):
        fit(values, 3_000.0 + values, outcome)


@settings(max_examples=30)
@given(st.integers(0, 2**31 - 1), st.integers(200, 1_500))
def test_the_threshold_is_about_the_best_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.random(count)
    confirmed = rng.random(count) < score
    truths = int(confirmed.sum() * 1.2) + 1

    def f1(threshold: float) -> float:
        accepted = score >= threshold
        return 2.0 * float(confirmed[accepted].sum()) / (accepted.sum() + truths)

    best = max(f1(float(threshold)) for threshold in score)
    # The curve is flat at its top and ragged by some 1 / sqrt(count).
    assert f1(best_threshold(score, truths)) > best - 0.5 / np.sqrt(count)


def test_the_threshold_is_half_of_the_f1_that_it_promises() -> None:
    score = np.random.default_rng(3).random(50_000)
    truths = int(score.sum() * 1.3)
    threshold = best_threshold(score, truths)
    accepted = score >= threshold
    assert threshold == pytest.approx(float(score[accepted].sum()) / (accepted.sum() + truths), abs=2e-3)


def test_the_threshold_of_scores_that_separate_lies_at_the_gap() -> None:
    score = np.concatenate([np.linspace(0.7, 0.95, 300), np.linspace(0.05, 0.3, 300)])
    found = best_threshold(score, 300)
    assert 0.29 < found < 0.72


@pytest.mark.parametrize(("detections", "truths"), [(0, 5), (5, 0)])
def test_there_is_no_threshold_of_nothing(detections: int, truths: int) -> None:
    with pytest.raises(CalibrationError, match=f"{detections} detections and {truths} .*validation_lon_deg"):
        best_threshold(np.full(detections, 0.5), truths)


def test_a_calibration_goes_through_a_card() -> None:
    made = Calibration(-0.123456789012345, 1.1, 0.3, 0.42)
    assert Calibration.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": "high"},
        {"threshold": None},
        {"threshold": float("nan")},
        {"slope": 1.0},
        {"intercept": float("inf")},
    ],
)
def test_a_card_with_something_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CalibrationError, match="calibration"):
        Calibration.from_json({**Calibration(0.0, 1.0, 0.0, 0.5).to_json(), **change})
    with pytest.raises(CalibrationError, match="no calibration"):
        Calibration.from_json({})


class Ground:
    """Craters all around the pole; the detector finds three of four, and claims some that are not there."""

    def __init__(self, seed: int = 2, count: int = 1_600) -> None:
        rng = np.random.default_rng(seed)
        lon, lat = rng.uniform(-180.0, 180.0, count), rng.uniform(-89.0, -81.0, count)
        x_m, y_m = lonlat_to_xy(lon, lat)
        diameter_m = 1_500.0 * (1.0 - rng.random(count)) ** -0.5
        self.lon_deg, self.found, self.claimed = lon, rng.random(count) < 0.75, rng.random(count) < 0.25
        self.catalogue = catalogue(x_m[~self.claimed], y_m[~self.claimed], diameter_m[~self.claimed])
        kept = self.found | self.claimed
        self.at = lon[kept]
        self.candidates = Candidates(
            x_m[kept] + 100.0,
            y_m[kept],
            1.05 * diameter_m[kept],
            0.1 * diameter_m[kept],
            np.where(self.claimed, rng.beta(2, 4, count), rng.beta(4, 2, count))[kept],
        )

    def calibrated(self, split: SplitSettings = SPLIT, candidates: Candidates | None = None) -> Calibration:
        found = self.candidates if candidates is None else candidates
        return calibrate_on(found, self.catalogue, split, COVERED, DETECTION, "south")[0]


def joined(first: Candidates, second: Candidates) -> Candidates:
    return Candidates(*(np.concatenate([getattr(first, n), getattr(second, n)]) for n in vars(first)))


def chosen(found: Candidates, kept: NDArray[np.bool_]) -> Candidates:
    return Candidates(*(getattr(found, name)[kept] for name in vars(found)))


def test_what_was_found_on_the_test_ground_plays_no_part() -> None:
    ground = Ground()
    before = ground.calibrated()
    tests = (ground.at >= 40.0) & (ground.at < 120.0)
    rest = chosen(ground.candidates, ~tests)
    assert ground.calibrated(candidates=rest) == before
    # Perfect detections just beyond the common border, of craters that lie just within the validation ground.
    near = ground.catalogue[(ground.catalogue["lon_deg"] >= 120.0) & (ground.catalogue["lon_deg"] < 160.0)].iloc[:15]
    lon = np.full(len(near), 119.999)
    x_m, y_m = lonlat_to_xy(lon, near["lat_deg"].to_numpy())
    size = near["diameter_m"].to_numpy()
    ground.catalogue.loc[near.index, ["x_m", "y_m"]] = np.stack(
        lonlat_to_xy(lon + 0.002, near["lat_deg"].to_numpy()), 1
    )
    spy = joined(rest, Candidates(x_m, y_m, size, size, np.full(len(near), 0.99)))
    assert ground.calibrated(candidates=spy) == ground.calibrated(candidates=rest)


def test_what_was_found_on_the_validation_ground_does() -> None:
    ground = Ground()
    kept = (ground.at < 120.0) | (ground.at > 130.0)
    assert ground.calibrated(candidates=chosen(ground.candidates, kept)) != ground.calibrated()


def test_small_detections_are_neutral() -> None:
    ground = Ground()
    rng = np.random.default_rng(4)
    x_m, y_m = lonlat_to_xy(rng.uniform(120.0, 160.0, 300), rng.uniform(-89.0, -81.0, 300))
    # The catalogue is complete from 1 km on; what is measured at 1.3 km may be 1 km or less.
    small = Candidates(x_m, y_m, np.full(300, 1_300.0), np.zeros(300), np.full(300, 0.9))
    assert ground.calibrated(candidates=joined(ground.candidates, small)) == ground.calibrated()
    large = Candidates(x_m, y_m, np.full(300, 3_500.0), np.zeros(300), np.full(300, 0.9))
    assert ground.calibrated(candidates=joined(ground.candidates, large)) != ground.calibrated()


def test_a_sector_may_pass_180_degrees() -> None:
    ground, turned = Ground(), Ground()
    turned.catalogue["x_m"], turned.catalogue["y_m"] = lonlat_to_xy(
        turned.catalogue["lon_deg"] + 40.0, turned.catalogue["lat_deg"]
    )
    x_m, y_m = ground.candidates.x_m, ground.candidates.y_m
    c, s = np.cos(np.radians(40.0)), np.sin(np.radians(40.0))
    turned.candidates = Candidates(x_m * c + y_m * s, y_m * c - x_m * s, *list(vars(ground.candidates).values())[2:])
    split = SplitSettings(validation_lon_deg=(160.0, -160.0), test_lon_deg=(80.0, 160.0))
    here, there = ground.calibrated(), turned.calibrated(split)
    assert list(there.to_json().values()) == pytest.approx(list(here.to_json().values()), rel=1e-6)


def test_what_is_measured_is_measured_at_the_threshold() -> None:
    ground = Ground()
    calibration, metrics = calibrate_on(ground.candidates, ground.catalogue, SPLIT, COVERED, DETECTION, "south")
    assert metrics["threshold"] == calibration.threshold
    assert metrics["least_diameter_m"] == 3_000.0
    inside = (ground.catalogue["lon_deg"] >= 120.0) & (ground.catalogue["lon_deg"] < 160.0)
    assert metrics["catalogue_craters"] == (inside & (ground.catalogue["diameter_m"] >= 3_000.0)).sum()
    assert 0.6 < metrics["recall"] < 0.9
    assert metrics["f1"] == pytest.approx(
        2 * metrics["precision"] * metrics["recall"] / (metrics["precision"] + metrics["recall"])
    )


def test_without_large_craters_on_the_validation_ground_smaller_ones_choose_the_threshold() -> None:
    ground = Ground()
    theirs = (ground.catalogue["lon_deg"] >= 120.0) & (ground.catalogue["lon_deg"] < 160.0)
    ground.catalogue = ground.catalogue[~theirs | (ground.catalogue["diameter_m"] < 2_900.0)]
    metrics = calibrate_on(ground.candidates, ground.catalogue, SPLIT, COVERED, DETECTION, "south")[1]
    assert metrics["least_diameter_m"] == pytest.approx(1_400.0)


@pytest.mark.parametrize("covered", [(-180.0, 0.0), (0.0, 100.0)])
def test_a_catalogue_without_craters_there_is_refused_with_what_to_do(covered: tuple[float, float]) -> None:
    ground = Ground()
    with pytest.raises(CalibrationError, match=r"no catalogue crater .*crater\.split\.validation_lon_deg within"):
        calibrate_on(ground.candidates, ground.catalogue, SPLIT, CatalogueSettings(lon_deg=covered), DETECTION, "south")
    empty = ground.catalogue.iloc[:0]
    with pytest.raises(CalibrationError, match="no catalogue crater"):
        calibrate_on(ground.candidates, empty, SPLIT, COVERED, DETECTION, "south")


def test_the_pole_of_the_map_tells_its_longitudes() -> None:
    """A northern map is the mirror image of a southern one: y turns round, and nothing else."""
    ground = Ground()
    south = calibrate_on(ground.candidates, ground.catalogue, SPLIT, COVERED, DETECTION, "south")
    found = dataclasses.replace(ground.candidates, y_m=-ground.candidates.y_m)
    catalogue = ground.catalogue.assign(y_m=-ground.catalogue["y_m"])
    assert calibrate_on(found, catalogue, SPLIT, COVERED, DETECTION, "north") == south
    assert calibrate_on(found, catalogue, SPLIT, COVERED, DETECTION, "south") != south
