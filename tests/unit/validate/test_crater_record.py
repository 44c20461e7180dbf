"""The record of craters on made-up ground where the truth is known."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact.contracts import CRATER_CANDIDATES, CRATER_MATCHES
from lunarsite.artefact.record import Record
from lunarsite.grid import Grid, scale_factor, xy_to_lonlat
from lunarsite.settings import CatalogueSettings, CraterReferenceSettings, DetectionSettings, SplitSettings
from lunarsite.validate import crater as measures
from lunarsite.validate.crater_counts import SPLITS, Blocks, Ground
from lunarsite.validate.crater_products import candidate_table, gather, match_table
from lunarsite.validate.crater_record import Evidence, judge_craters

GRID = Grid(-100_000.0, 100_000.0, 400.0, 500, 500)
REFERENCE = CraterReferenceSettings(draws=200, block_km=20.0)
SPLIT = SplitSettings(validation_lon_deg=(115.0, 155.0), test_lon_deg=(40.0, 100.0))
SETTINGS = (CatalogueSettings(lon_deg=(0.0, 180.0)), SPLIT, DetectionSettings(), REFERENCE)


def frame(x_m: np.ndarray, y_m: np.ndarray, diameter_m: np.ndarray, depth_m: np.ndarray) -> pd.DataFrame:
    lon, lat = xy_to_lonlat(x_m, y_m)
    columns = {"lon_deg": lon, "lat_deg": lat, "x_m": x_m, "y_m": y_m, "diameter_m": diameter_m, "depth_m": depth_m}
    return pd.DataFrame({"id": np.arange(7, 7 + x_m.size), **columns})


def truth(count: int = 300, seed: int = 5) -> pd.DataFrame:
    """Craters on a lattice wide enough that none lies near another, half of them deep."""
    rng = np.random.default_rng(seed)
    side = np.arange(-90e3, 91e3, 9e3)
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    kept = np.sort(rng.permutation(x.size)[:count])
    diameter = rng.choice([2_500.0, 3_500.0, 5_500.0], kept.size)
    return frame(x[kept], y[kept], diameter, diameter * rng.choice([0.03, 0.14], kept.size))


def terrain(craters: pd.DataFrame) -> np.ndarray:
    """Flat ground with the craters as paraboloids."""
    heights = np.zeros(GRID.shape, dtype=np.float32)
    x, y = GRID.x_m()[None, :], GRID.y_m()[:, None]
    for row in craters.itertuples():
        radius = 0.5 * row.diameter_m * scale_factor(row.x_m, row.y_m)
        squared = ((x - row.x_m) ** 2 + (y - row.y_m) ** 2) / radius**2
        heights = np.where(squared < 1.0, heights - row.depth_m * (1.0 - squared), heights)
    return heights.astype(np.float32)


def detected(craters: pd.DataFrame, kept: np.ndarray, score: float = 0.9) -> pd.DataFrame:
    """What a detector tells that finds some of the craters, 100 m off and 4 % too large."""
    found = craters[kept].reset_index(drop=True)
    x_m, y_m, diameter_m, depth_m = (found[name].to_numpy() for name in ("x_m", "y_m", "diameter_m", "depth_m"))
    one = frame(x_m + 100.0, y_m, 1.04 * diameter_m, depth_m)
    return one.assign(id=np.arange(1, len(one) + 1), score=score, response=score, accepted=score >= 0.5)


def evidence(
    found: pd.DataFrame, rivals: dict[str, pd.DataFrame] | None = None, given: pd.DataFrame | None = None
) -> Evidence:
    craters = truth() if given is None else given
    return gather(craters, {"network": found, **(rivals or {})}, terrain(truth()), GRID, 80.0, SETTINGS)


def in_half(craters: pd.DataFrame) -> np.ndarray:
    """Which lie on the ground that the catalogue covers: the border at 180 degrees does not belong to it."""
    return ((craters["lon_deg"] >= 0.0) & (craters["lon_deg"] < 180.0)).to_numpy()


def row(record: Record, table: str, **wanted: object) -> dict[str, object]:
    (found,) = [one for one in record.tables[table] if all(one[key] == value for key, value in wanted.items())]
    return dict(found)


@pytest.fixture(scope="module")
def deep_only() -> Record:
    """A network that finds every deep crater, and a rival that finds half of them."""
    craters = truth()
    deep = (craters["depth_m"] / craters["diameter_m"] > 0.1).to_numpy()
    half = deep & (np.arange(len(craters)) % 2 == 0)
    rivals = {"classical": detected(craters, half)}
    return judge_craters(evidence(detected(craters, deep), rivals), REFERENCE, synthetic=False)[0]


def test_what_is_found_is_what_is_told(deep_only: Record) -> None:
    craters = truth()
    lon = craters["lon_deg"].to_numpy()
    for least in (3_000.0, 5_000.0):
        counted = (lon >= 40.0) & (lon < 100.0) & (craters["diameter_m"] >= least).to_numpy()
        deep = counted & (craters["depth_m"] / craters["diameter_m"] > 0.1).to_numpy()
        size = f"{least / 1000:g}km"
        assert deep_only.metric(f"precision_{size}") == 1.0
        assert deep_only.metric(f"recall_{size}") == pytest.approx(deep.sum() / counted.sum())
        assert deep_only.metric(f"recall_deep_{size}") == 1.0
        assert deep_only.metric(f"f1_not_shallow_{size}") == 1.0
        assert deep_only.metric(f"precision_better_half_{size}") == 1.0
        recall = next(one for one in deep_only.metrics if one.name == f"recall_{size}")
        assert recall.low is not None
        assert recall.high is not None
        assert recall.low < recall.value < recall.high  # type: ignore[operator]


def test_rivals_and_chance_stand_beside_it(deep_only: Record) -> None:
    own = row(deep_only, "headline", detector="network", split="test", least_diameter_m=3_000.0)
    rival = row(deep_only, "headline", detector="classical", split="test", least_diameter_m=3_000.0)
    chance = row(deep_only, "headline", detector="chance", split="test", least_diameter_m=3_000.0)
    gain = row(deep_only, "gains", over="classical", least_diameter_m=3_000.0)
    assert gain["gain_f1"] == own["f1"] - rival["f1"]  # type: ignore[operator]
    assert 0.0 < gain["gain_f1_low"] < gain["gain_f1"] < gain["gain_f1_high"]  # type: ignore[operator]
    assert chance["f1"] < 0.5 * own["f1"]  # type: ignore[operator]
    assert {one["split"] for one in deep_only.tables["headline"]} == set(SPLITS)
    claims = {verdict.name: verdict.holds for verdict in deep_only.verdicts}
    assert claims["F1 above that of 'classical', D >= 3 km"] is True
    assert claims["Recall of craters with depth/diameter >= 0.1, D >= 5 km"] is True
    assert claims["F1, D >= 3 km"] is False, "it misses all that is shallow"


def test_a_detector_does_not_beat_itself() -> None:
    craters = truth()
    own = detected(craters, np.ones(len(craters), bool))
    record, _ = judge_craters(evidence(own, {"classical": own}), REFERENCE, synthetic=False)
    for verdict in record.verdicts:
        if "above that of" in verdict.name:
            assert (verdict.value, verdict.holds) == (0.0, False)


def test_where_craters_are_lost(deep_only: Record) -> None:
    flat = row(deep_only, "losses", doubt="no hollow in the elevation model", least_diameter_m=3_000.0)
    assert flat["share_missed"] == 1.0
    assert flat["share_of_misses"] == 1.0
    assert row(deep_only, "by_depth", split="test", depth_ratio="0.1 to 0.15")["recall"] == 1.0
    assert row(deep_only, "by_depth", split="test", depth_ratio="below 0.04")["recall"] == 0.0
    sizes = [one for one in deep_only.tables["by_diameter"] if one["split"] == "test" and one["craters"]]
    assert {one["diameter"] for one in sizes} == {"2 to 3 km", "3 to 4 km", "5 to 7 km"}
    error = row(deep_only, "localisation", least_diameter_m=5_000.0)
    assert error["diameter_ratio_median"] == pytest.approx(1.04)
    assert error["centre_radii_median"] == pytest.approx(200.0 / 5_500.0, rel=0.01)
    assert error["centre_px_median"] == pytest.approx(100.0 / 400.0, rel=0.01)
    assert row(deep_only, "other_measures", detector="network", least_diameter_m=3_000.0)["deepmoon_precision"] == 1.0


def test_scores_that_are_shares_are_reliable_and_others_are_not() -> None:
    craters = truth()
    found = detected(craters, np.ones(len(craters), bool))
    rng = np.random.default_rng(2)
    # Of two kinds of detection nine in ten and one in ten are craters: the others are moved off.
    score = np.where(np.arange(len(found)) % 2 == 0, 0.9, 0.1)
    moved = rng.uniform(size=len(found)) > score
    x = found["x_m"].to_numpy() + np.where(moved, 4_500.0, 0.0)
    own = frame(x, found["y_m"].to_numpy(), np.full(len(x), 4_000.0), np.full(len(x), np.nan))
    alike = np.full(len(craters), 4_000.0)
    given = frame(craters["x_m"].to_numpy(), craters["y_m"].to_numpy(), alike, np.nan * alike)
    gaps = []
    for told in (score, 1.0 - score):
        table = own.assign(id=np.arange(1, len(own) + 1), score=told, response=told, accepted=told >= 0.5)
        record, _ = judge_craters(evidence(table, given=given), REFERENCE, synthetic=False)
        gaps.append(record.metric("calibration_error"))
        assert record.metric("recall_deep_3km") is None, "a catalogue without depths says nothing of deep craters"
    assert gaps[0] < 0.15  # type: ignore[operator]
    assert gaps[1] > 0.6  # type: ignore[operator]


@pytest.mark.parametrize("what", ["catalogue", "detections", "both"])
def test_nothing_there_is_unknown_and_no_failure(what: str) -> None:
    craters = truth()
    none = np.zeros(len(craters), bool)
    given = craters[none] if what != "detections" else craters
    found = detected(craters, none if what != "catalogue" else ~none)
    record, curves = judge_craters(evidence(found, {"base": found}, given), REFERENCE, synthetic=False)
    assert record.metric("precision_3km") is None
    assert record.metric("f1_3km") == (None if what != "detections" else 0.0)
    holds = {verdict.holds for verdict in record.verdicts if verdict.name.startswith("F1, ")}
    assert holds == ({None} if what != "detections" else {False})
    assert all(one.why for one in record.metrics if one.value is None)
    assert curves[["precision", "recall"]].isna().all(axis=None) or what == "detections"
    assert (
        len(match_table(evidence(found, given=given), given, found, 1_400.0))
        == {
            "catalogue": int((in_half(detected(craters, ~none)) & (np.abs(craters["x_m"]) > 1.0)).sum()),
            "detections": int(in_half(craters).sum()),
            "both": 0,
        }[what]
    )


def test_synthetic_ground_has_no_bounds(deep_only: Record) -> None:
    craters = truth()
    record, _ = judge_craters(evidence(detected(craters, np.ones(len(craters), bool))), REFERENCE, synthetic=True)
    assert record.verdicts == ()
    assert any("synthetic" in note for note in record.notes)
    assert not any("synthetic" in note for note in deep_only.notes)


@pytest.mark.parametrize("change", [{"centre_tolerance": 1.0}, {"diameter_tolerance": 0.5}])
def test_other_tolerances_have_no_bounds(change: dict[str, float], deep_only: Record) -> None:
    craters = truth()
    found = detected(craters, np.ones(len(craters), bool))
    other = REFERENCE.model_copy(update=change)
    seen = gather(craters, {"network": found}, terrain(craters), GRID, 80.0, (*SETTINGS[:3], other))
    record, _ = judge_craters(seen, other, synthetic=False)
    assert record.verdicts == ()
    assert any("with the tolerances of this run no bound" in note for note in record.notes)
    told = f"closer than {other.centre_tolerance:g} of .* within {100.0 * other.diameter_tolerance:g} % of"
    assert any(re.search(told, note) for note in record.notes)
    assert deep_only.verdicts
    assert not any("no bound" in note for note in deep_only.notes)
    assert any("closer than 0.5 of" in note and "within 35 % of" in note for note in deep_only.notes)


def test_the_border_reaches_as_far_as_the_largest_crater_that_a_detection_may_be() -> None:
    """East of the border at longitude 0, where x is the distance; the catalogue's crater may be 1 / 0.65 as large."""
    diameter_m = 4_000.0
    reach_m = 0.5 * 0.5 * diameter_m / (1.0 - 0.35)
    x_m = np.array([0.9 * 0.25 * diameter_m, 0.98 * reach_m, 1.02 * reach_m])
    found = frame(x_m, np.full(3, 50_000.0), np.full(3, diameter_m), np.full(3, np.nan))
    seen = evidence(found.assign(score=0.9, response=0.9, accepted=True))
    assert (seen.detectors[0].split >= 0).tolist() == [False, False, True]


def test_matches_repeat_the_record_and_candidates_are_hollow() -> None:
    craters = truth()
    found = detected(craters, np.ones(len(craters), bool))
    flat = frame(
        np.array([4_500.0, 40_500.0]), np.array([4_500.0, 4_500.0]), np.array([4e3, 4e3]), np.array([np.nan] * 2)
    )
    found = pd.concat([found, flat.assign(score=0.6, response=0.6, accepted=True)], ignore_index=True)
    found["id"] = np.arange(1, len(found) + 1)
    # Of the craters of the ground the catalogue lacks every fifth.
    given = craters[np.arange(len(craters)) % 5 != 0].reset_index(drop=True)
    seen = evidence(found, given=given)
    record, _ = judge_craters(seen, REFERENCE, synthetic=False)
    matches = match_table(seen, given, found, 1_400.0)
    assert list(matches.columns) == [column.name for column in CRATER_MATCHES.columns] + ["geometry"]
    for least in (3_000.0, 5_000.0):
        test = matches[(matches["split"] == "test") & (matches["diameter_m"] >= least)]
        head = row(record, "headline", detector="network", split="test", least_diameter_m=least)
        assert (test["outcome"] == "hit").sum() + (test["outcome"] == "miss").sum() == head["craters"]
        assert (test["outcome"] == "hit").sum() + (test["outcome"] == "false_alarm").sum() == head["detections"]
    hits = matches[matches["outcome"] == "hit"].set_index("catalogue_id")
    own = given.set_index("id").loc[hits.index]
    assert np.array_equal(hits["x_m"], own["x_m"])
    assert found.set_index("id").loc[hits["detected_id"], "x_m"].to_numpy() == pytest.approx(own["x_m"] + 100.0)
    new = candidate_table(seen, found, terrain(craters), GRID)
    assert list(new.columns) == [column.name for column in CRATER_CANDIDATES.columns] + ["geometry"]
    lacked = craters[(np.arange(len(craters)) % 5 == 0) & (craters["x_m"] > 1_000.0)]  # those on the border are unknown
    deep = lacked[lacked["depth_m"] / lacked["diameter_m"] > 0.1]
    assert len(new) == len(deep), "neither the two on flat ground nor what lies beyond the catalogue"
    assert new["id"].is_monotonic_increasing


def test_the_better_half_is_better() -> None:
    craters = truth()
    found = detected(craters, np.ones(len(craters), bool))
    wrong = np.arange(len(found)) % 2 == 1
    found["x_m"] += np.where(wrong, 4_500.0, 0.0)
    found["score"] = np.where(wrong, 0.6, 0.9)
    seen = evidence(found)
    scene = measures.Scene(seen.catalogue, seen.detectors[0], Ground(2, 3_000.0, 1e5), Blocks(2e4, 100, 1))
    assert measures.better_half(scene) > 0.95  # type: ignore[operator]
    worst = dataclasses.replace(seen.detectors[0], score=1.0 - seen.detectors[0].score)
    assert measures.better_half(dataclasses.replace(scene, detections=worst)) < 0.05  # type: ignore[operator]
