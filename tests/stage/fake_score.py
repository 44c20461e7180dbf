"""What a made-up run has beyond its cells and scores: labels, tables and records of the score, criteria and sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import JsonValue
from shapely import LineString, box

from lunarsite.artefact import contracts, raster, record, table
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.grid import Cells, Grid, xy_to_lonlat

if TYPE_CHECKING:
    from .fake_run import FakeRun

RASTERS = ("walk", "rover", "temperature", "ice_depth")
TABLES = (
    *("labels", "sweeps", "calibration", "held_out", "criteria", "relief", "scarps", "sites", "region_sites"),
    *("site_ranks", "routes", "site_profiles", "site_series", "site_months"),
)
RECORDS = ("labels_record", "crossvalidation", "sites_record", "site_record")
MODELS = ("full", "context", "logistic", "margin")
BLOCKS_KM = (0.0, 50.0)
SITES = 30


def write_score(run: FakeRun, cells: Cells) -> None:
    """Write everything into a run's folder."""
    _labels(run, cells)
    _sweeps(run)
    _crossvalidation(run, cells)
    _criteria(run, cells)
    _sites(run)
    _light(run)


def _put(run: FakeRun, name: str, spec: table.TableSpec, frame: pd.DataFrame, geometry: Any = None) -> None:
    """Write a table; columns that the frame lacks get a value that their contract allows."""
    neutral = {"string": "", "bool": False, "timestamp": np.datetime64("2025-01-01", "ms")}
    for column in spec.columns:
        if column.name not in frame:
            frame[column.name] = neutral.get(column.dtype, max(column.valid_min or 0.0, 0.0))
    kinds = {c.name: c.dtype for c in spec.columns if c.dtype.startswith(("int", "float"))}
    frame = frame.astype(kinds)[[column.name for column in spec.columns]].sort_values(list(spec.sort), kind="stable")
    whole = frame if geometry is None else gpd.GeoDataFrame(frame, geometry=list(geometry))
    table.write(run.path(name), spec, whole.reset_index(drop=True), run.stamp(spec.name, f"test-{name}"))


def _labels(run: FakeRun, cells: Cells) -> None:
    light = 100.0 * run.layers["sun_any"][cells.kept[: cells.grid.rows, : cells.grid.cols]]
    slope = run.layers["slope"][cells.kept[: cells.grid.rows, : cells.grid.cols]]
    unknown, good = np.isnan(light), (slope <= 5.0) & (light >= 33.0)
    parts = [
        pd.DataFrame({"cell_id": np.arange(cells.count), "rule": rule}).assign(
            label=np.where(unknown, "unknown", np.where(good, "suitable", "unsuitable")),
            probability=np.where(unknown, np.nan, 1.0 / (1.0 + np.exp(slope - 5.0))),
            slope_mean_deg=slope,
            slope_sigma_deg=0.5,
            unknown_because=np.where(unknown, "light", ""),
        )
        for rule in ("cassa", "hls")
    ]
    _put(run, "labels", contracts.LABELS, pd.concat(parts, ignore_index=True))
    rows: list[dict[str, JsonValue]] = [
        {"rule": rule, "cells_passing": 1_000, "expected_cells": 950.5, "undecided_cells": 300}
        for rule in ("cassa", "hls")
    ]
    found = Record(
        title="Labels with uncertainty",
        metrics=(Metric(name="draws", value=200.0), Metric(name="light_sigma_pct", value=2.9, unit="%")),
        tables={"rules": rows},
        notes=("Noise makes slopes steeper.",),
    )
    record.write(run.path("labels_record"), contracts.LABELS_RECORD, found, run.stamp("labels", "label-labels"))


def _sweeps(run: FakeRun) -> None:
    parts = []
    for name, limit, sign, width in (("slope", 5.0, -1.0, 0.5), ("light", 33.0, 1.0, 3.0), ("earth", 50.0, 1.0, 5.0)):
        value = np.linspace(limit - 4.0 * width, limit + 4.0 * width, 41)
        middle = 1.0 / (1.0 + np.exp(-sign * (value - limit) / width))
        parts.append(
            pd.DataFrame({"input": name, "limit": limit, "value": value, "cells": 77}).assign(
                probability_low=0.8 * middle,
                probability_median=0.9 * middle,
                probability_high=middle,
            )
        )
    _put(run, "sweeps", contracts.SWEEPS, pd.concat(parts, ignore_index=True))


def _crossvalidation(run: FakeRun, cells: Cells) -> None:
    bins = np.arange(15)
    predicted = (bins + 0.5) / 15
    parts = [
        pd.DataFrame({"model": model, "block_km": block, "bin": bins, "predicted": predicted}).assign(
            expected=np.clip(predicted + 0.02 * index * np.sin(6.0 * predicted), 0.0, 1.0),
            passing=np.clip(predicted - 0.03 * index * np.sin(6.0 * predicted), 0.0, 1.0),
            cells=np.maximum(1, (4_000 * np.exp(-0.5 * bins)).astype(int)),
        )
        for index, model in enumerate(MODELS)
        for block in BLOCKS_KM
    ]
    _put(run, "calibration", contracts.CALIBRATION, pd.concat(parts, ignore_index=True))
    stamp = run.stamp("crossvalidation", "score-crossvalidate")
    record.write(run.path("crossvalidation"), contracts.CROSSVALIDATION_RECORD, crossvalidation_record(), stamp)
    probability = np.linspace(0.0, 1.0, cells.count)
    held = pd.DataFrame({"cell_id": np.arange(cells.count), "fold": np.arange(cells.count) % 5})
    held = held.assign(probability=probability, context_probability=0.5)
    _put(run, "held_out", contracts.HELD_OUT, held)


def crossvalidation_record() -> Record:
    """A record of the score on held-out blocks, with numbers that belong to no table."""
    rows: list[dict[str, JsonValue]] = []
    for block in BLOCKS_KM:
        for rank, model in enumerate(MODELS):
            auc, precision = 0.99 - 0.08 * rank - 0.0002 * block, 0.9 - 0.15 * rank
            row: dict[str, JsonValue] = {
                "model": model,
                "block_km": block,
                "auc": auc,
                "average_precision": precision,
                "base_rate": 0.05,
                "ece_probability": 0.004 + 0.01 * rank,
                "ece_label": 0.006 + 0.01 * rank,
                "brier_label": 0.01 + 0.01 * rank,
            }
            if block == 50.0:
                row |= {"auc_low": auc - 0.01, "auc_high": auc + 0.005}
                row |= {"average_precision_low": precision - 0.06, "average_precision_high": precision + 0.05}
            rows.append(row)
    verdict = Verdict(name="ECE on held-out blocks", value=0.004, bound="<= 0.03", holds=True, why="made up")
    return Record(
        title="The score on held-out blocks",
        metrics=(Metric(name="headline_block_km", value=50.0, unit="km"),),
        verdicts=(verdict,),
        tables={"models": rows},
        notes=("Labels are the plain rule's.",),
    )


def _criteria(run: FakeRun, cells: Cells) -> None:
    (x, y), (lon, lat) = cells.centres_m(), cells.centres_lonlat()
    frame = pd.DataFrame({"cell_id": np.arange(cells.count), "lon": lon, "lat": lat})
    nights = np.where(lat < -89.5, np.nan, 90.0)
    frame = frame.assign(longest_night_h=nights, psr_walk="reached", psr_rover="reached", temperature_k=np.nan)
    _put(run, "criteria", contracts.CRITERIA, frame, gpd.points_from_xy(x, y))
    _put(run, "relief", contracts.RELIEF, pd.DataFrame({"cell_id": [3, 5], "pixel_m": 40.0, "covered_share": 1.0}))
    lines = [LineString([(0.0, 0.0), (5_000.0, 3_000.0)])]
    _put(run, "scarps", contracts.SCARPS, pd.DataFrame({"id": [1]}), lines)
    grid = Grid.centred(96_000.0, 960.0, 960.0)
    values = np.broadcast_to(np.linspace(0.0, 300.0, grid.cols, dtype=np.float32), grid.shape).copy()
    specs = (contracts.REACH, contracts.REACH, contracts.TEMPERATURE, contracts.ICE_DEPTH)
    for name, spec in zip(RASTERS, specs, strict=True):
        bands = {band.name: np.minimum(values, band.valid_max or np.inf) for band in spec.bands}
        raster.write(run.path(name), spec, grid, bands, run.stamp(spec.name, f"test-{name}"))


def site_table(count: int = SITES) -> tuple[pd.DataFrame, list[Any]]:
    """Made-up sites around the pole, best first, and their polygons."""
    turn = np.arange(count)
    x = np.round((6_000.0 + 2_600.0 * turn) * np.cos(0.9 * turn))
    y = np.round((6_000.0 + 2_600.0 * turn) * np.sin(0.9 * turn))
    lon, lat = xy_to_lonlat(x, y)
    low: NDArray[np.float64] = np.maximum(1.0, turn + 1.0 - 0.5 * turn)
    frame = pd.DataFrame({"site_id": turn, "rank": turn + 1, "cell_id": turn, "lon": lon, "lat": lat}).assign(
        x_m=x, y_m=y, region=np.where(turn % 4 == 1, "MM", ""), cells=4, area_km2=3.6,
        piece_id=1 + turn // 2, ellipse_inside_share=1.0,
        ellipse_semi_major_m=500.0, ellipse_semi_minor_m=300.0, label="suitable",
        probability=0.99 - 0.005 * turn, score=4.0 - 0.1 * turn, slope_deg=2.0 + 0.05 * turn,
        illumination_pct=80.0 - turn, earth_visibility_pct=60.0, longest_night_h=100.0 + turn,
        psr_walk_m=np.where(turn % 3 == 0, np.nan, 4_000.0), psr_walk=np.where(turn % 3 == 0, "no way", "reached"),
        psr_rover_m=3_000.0, psr_rover="reached", temperature_k=np.nan,
        merit_topsis=0.9 - 0.01 * turn, merit_weighted_sum=0.8 - 0.01 * turn, rank_topsis=turn + 1,
        rank_weighted_sum=turn + 1, rank_low=low, rank_median=turn + 1.5, rank_high=turn + 4.0,
        share_top_20=np.clip(1.2 - turn / 25.0, 0.0, 1.0), share_top_100=1.0,
        reasons_for="slope 2.1° on average\nlight", reasons_against="few craters <known>",
        unknown=np.where(turn % 2 == 0, "temperature\nrelief at the scale of a lander", ""),
    )  # fmt: skip
    shapes = [box(a - 960.0, b - 960.0, a + 960.0, b + 960.0) for a, b in zip(x, y, strict=True)]
    return frame, shapes


def _sites(run: FakeRun) -> None:
    frame, shapes = site_table()
    _put(run, "sites", contracts.SITES, frame.copy(), shapes)
    of_region = frame[frame["region"] == "MM"].head(3).reset_index(drop=True).assign(rank=[1, 2, 3])
    _put(run, "region_sites", contracts.REGION_SITES, of_region, shapes[:3])
    draws = pd.MultiIndex.from_product([range(10), range(SITES)], names=["draw", "site_id"]).to_frame(index=False)
    _put(run, "site_ranks", contracts.SITE_RANKS, draws.assign(rank=draws["site_id"] + 1))
    way = pd.DataFrame({"site_id": 1, "mover": "walk", "point": [0, 1], "x_m": [0.0, 9.0], "y_m": 0.0})
    _put(run, "routes", contracts.ROUTES, way.assign(path_m=[0.0, 9.0]))
    metrics = (Metric(name="sites", value=float(SITES)), Metric(name="kendall_tau", value=0.8, why="made up"))
    found = Record(title="Sites and their order", metrics=metrics, notes=("Pixels do not resolve the buffer.",))
    record.write(run.path("sites_record"), contracts.SITES_RECORD, found, run.stamp("sites", "place-sites"))
    rows: list[dict[str, JsonValue]] = [
        {"sites": 20, "distance_km": 5.0, "recall": 0.9, "null_median": 0.1, "null_low": 0.0, "null_high": 0.3}
    ]
    why = "made up"
    judged = Record(
        title="Sites against others",
        verdicts=(
            Verdict(name="Massifs found", value=0.9, bound=">= 0.8", holds=True, why=why),
            Verdict(name="Experts' sites found", value=None, bound=">= 0.5", holds=None, why="the run names no table"),
        ),
        tables={"truth": rows},
    )
    record.write(run.path("site_record"), contracts.SITE_RECORD, judged, run.stamp("site", "validate-site"))


def _light(run: FakeRun) -> None:
    for name in ("profiles", "series"):
        run.path(f"site_{name}").write_bytes(run.path(f"place_{name}").read_bytes())
    months = pd.DataFrame({"place": "site-001", "month": np.arange(1, 13)})
    _put(run, "site_months", contracts.SITE_MONTHS, months)
