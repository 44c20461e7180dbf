"""From the files of a run to what is judged, and from what was judged to tables: matches and candidates.

Splits, known ground and matching are decided once here, for all detectors alike. This module must not know figures of
merit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.contracts import CRATER_CANDIDATES, CRATER_MATCHES
from lunarsite.artefact.model import Card
from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.settings import (
    CatalogueSettings,
    CraterReferenceSettings,
    DetectionSettings,
    SplitSettings,
)
from lunarsite.validate import crater as measures
from lunarsite.validate.crater_counts import BEYOND, SPLITS, Catalogue, Ground, from_border_m, prepared, split_of, tally
from lunarsite.validate.crater_record import LEAST_RELIEF, Evidence
from lunarsite.validate.crater_relief import crossed, known_at, relief_ratio
from lunarsite.vision.crater.matching import Circles

Floats = NDArray[np.float64]
Heights = NDArray[np.float32]


def check_unseen(model: Path, card: Card, split: SplitSettings) -> None:
    """Refuse to call ground unseen that a model may have been trained on.

    Args:
        model: The model's file, for the message.
        card: Its card, which tells the sectors that it was trained, tuned and tested with.
        split: The run's sectors.

    Raises:
        ArtefactError: They differ.
    """
    theirs, ours = card.training.get("split"), split.model_dump(mode="json")
    if theirs != ours:
        raise ArtefactError(
            f"{model}: was trained with crater.split {theirs}, this run has {ours}, so what the run calls unseen ground"
            " the model may have seen; take the model's split, or train one with this run's (crater.model: train)"
        )


def gather(
    catalogue: pd.DataFrame,
    detectors: Mapping[str, pd.DataFrame],
    heights: Heights,
    grid: Grid,
    latitude_limit_deg: float,
    settings: tuple[CatalogueSettings, SplitSettings, DetectionSettings, CraterReferenceSettings],
) -> Evidence:
    """Return what is judged.

    Args:
        catalogue: The given craters, columns of CRATERS.
        detectors: Columns of DETECTED by detector; the first is measured, the others are its rivals.
        heights: (rows, cols) of the elevation model, NaN = unknown.
        grid: Its grid.
        latitude_limit_deg: Absolute latitude from which on ground counts.
        settings: Coverage of the catalogue, splits, sizes that are looked for, tolerances and blocks.
    """
    covered, split, detection, reference = settings

    def ground(frame: pd.DataFrame) -> NDArray[np.int64]:
        x_m, y_m, lon_deg, lat_deg = (_column(frame, name) for name in ("x_m", "y_m", "lon_deg", "lat_deg"))
        return split_of(lon_deg, lat_deg, known_at(heights, grid, x_m, y_m), latitude_limit_deg, covered, split)

    def ground_of_detections(frame: pd.DataFrame) -> NDArray[np.int64]:
        # The largest crater that a detection may be is larger than the detection, and its radius is what counts.
        largest_m = _column(frame, "diameter_m") / (1.0 - reference.diameter_tolerance)
        reach_m = 0.5 * reference.centre_tolerance * largest_m
        border_m = from_border_m(_column(frame, "lon_deg"), _column(frame, "lat_deg"), covered)
        return np.where(border_m < reach_m, BEYOND, ground(frame))

    circles = _circles(catalogue)
    truth = Catalogue(circles, _column(catalogue, "depth_m") / circles.diameter_m, ground(catalogue))
    tolerances = reference.centre_tolerance, reference.diameter_tolerance
    found = [
        prepared(
            name, _circles(frame), _column(frame, "score"), frame["accepted"].to_numpy(bool),
            ground_of_detections(frame), truth,
            tolerances,
        )
        for name, frame in detectors.items()
    ]  # fmt: skip
    first = next(iter(detectors.values()))
    return Evidence(
        catalogue=truth,
        detectors=found,
        detected_place=(_column(first, "lon_deg"), _column(first, "lat_deg")),
        relief=relief_ratio(heights, grid, circles),
        cut=crossed(circles, truth.depth_ratio),
        chance_hollow=_chance_hollow(catalogue[truth.split >= 0], heights, grid, reference.seed),
        test_lon_deg=split.test_lon_deg,
        covered_lon_deg=covered.lon_deg,
        largest_m=detection.largest_diameter_m,
        pixel_m=grid.pixel_m,
        pole=grid.pole,
    )


def _chance_hollow(frame: pd.DataFrame, heights: Heights, grid: Grid, seed: int) -> float | None:
    """Return the share of circles, each turned about the pole by an angle of its own, that show a hollow."""
    turn_deg = np.random.default_rng(seed).uniform(0.0, 360.0, len(frame))
    x_m, y_m = lonlat_to_xy(_column(frame, "lon_deg") + turn_deg, _column(frame, "lat_deg"), grid.pole)
    relief = relief_ratio(heights, grid, Circles(x_m, y_m, _column(frame, "diameter_m")))
    known = relief[np.isfinite(relief)]
    return float((known >= LEAST_RELIEF).mean()) if known.size else None


def match_table(
    evidence: Evidence, catalogue: pd.DataFrame, detected: pd.DataFrame, least_diameter_m: float
) -> gpd.GeoDataFrame:
    """Return hits, misses and false alarms of the measured detector on all splits, from the least diameter on.

    A larger least diameter may be cut out of the table by `diameter_m`: it counts as the record does.
    """
    found = evidence.detectors[0]
    parts: list[pd.DataFrame] = []
    for split, word in enumerate(SPLITS):
        ground = Ground(split, least_diameter_m, evidence.largest_m)
        one = tally(found, evidence.catalogue, ground, found.accepted, found.partner)
        hit, false_alarm, missed = (
            np.flatnonzero(chosen) for chosen in (one.hit, one.false_alarm, one.truth & ~one.found)
        )
        partner = one.partner[hit]
        centre_m = pd.Series(
            found.pairs.distance_m, index=pd.MultiIndex.from_arrays([found.pairs.detection, found.pairs.truth])
        )
        distance_m = centre_m.reindex(pd.MultiIndex.from_arrays([hit, partner])).to_numpy()
        hits = _rows(catalogue.iloc[partner], "hit", word).assign(
            catalogue_id=catalogue["id"].to_numpy()[partner],
            detected_id=detected["id"].to_numpy()[hit],
            detected_diameter_m=_column(detected, "diameter_m")[hit],
            centre_error_radii=distance_m / (0.5 * _column(catalogue, "diameter_m")[partner]),
            score=_column(detected, "score")[hit],
        )
        misses = _rows(catalogue.iloc[missed], "miss", word).assign(
            catalogue_id=catalogue["id"].to_numpy()[missed],
            detected_id=np.int64(-1),
            detected_diameter_m=np.nan,
            centre_error_radii=np.nan,
            score=np.nan,
        )
        alarms = _rows(detected.iloc[false_alarm], "false_alarm", word).assign(
            catalogue_id=np.int64(-1),
            detected_id=detected["id"].to_numpy()[false_alarm],
            detected_diameter_m=_column(detected, "diameter_m")[false_alarm],
            centre_error_radii=np.nan,
            score=_column(detected, "score")[false_alarm],
        )
        parts += [hits, misses, alarms]
    order = [column.name for column in CRATER_MATCHES.columns]
    whole = pd.DataFrame({name: np.concatenate([part[name].to_numpy() for part in parts]) for name in order})
    return gpd.GeoDataFrame(whole, geometry=gpd.points_from_xy(whole["x_m"], whole["y_m"]))


def _rows(frame: pd.DataFrame, outcome: str, split: str) -> pd.DataFrame:
    places = frame[["lon_deg", "lat_deg", "x_m", "y_m", "diameter_m", "depth_m"]].reset_index(drop=True)
    return places.astype(np.float64).assign(outcome=outcome, split=split)


def candidate_table(evidence: Evidence, detected: pd.DataFrame, heights: Heights, grid: Grid) -> gpd.GeoDataFrame:
    """Return the accepted detections that no catalogue crater explains and whose ground is hollow, by their ids.

    Ids ascend as scores descend. A depth that the detector does not tell is the relief of the circle.
    """
    found = evidence.detectors[0]
    relief = relief_ratio(heights, grid, found.circles)
    chosen = measures.candidates(found, relief, LEAST_RELIEF)
    names = [column.name for column in CRATER_CANDIDATES.columns]
    frame: Any = pd.DataFrame(detected[names])[chosen].reset_index(drop=True)
    depth_m = frame["depth_m"].to_numpy(np.float64)
    frame["depth_m"] = np.where(np.isnan(depth_m), (relief * found.circles.diameter_m)[chosen], depth_m)
    frame = frame.sort_values("id", kind="stable").reset_index(drop=True)
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["x_m"], frame["y_m"]))


def _circles(frame: pd.DataFrame) -> Circles:
    return Circles(_column(frame, "x_m"), _column(frame, "y_m"), _column(frame, "diameter_m"))


def _column(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64)
