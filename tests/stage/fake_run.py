"""The artefacts of a small made-up run around the south pole, as the stages of publication and validation read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from lunarsite import command
from lunarsite.artefact import contracts, model, raster, record, table
from lunarsite.artefact.raster import RasterSpec
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Cells, Grid

RESOURCES = Path(__file__).parents[2] / "resources"
FIGURES = ("score_map", "close_up", "elevation", "slope", "sun", "earth", "psr", "shap", "artemis")
LIGHT = ("night", "sun_and_earth", "light_differences", "light_scatter")
TABLES = ("illumination_cells", "night", "place_profiles", "place_series")
GRID = {"half_width_m": 96_000.0, "pixel_m": 960.0, "latitude_limit_deg": 87.0, "far_half_width_m": 120_000.0}
FEATURES = ("slope_mean", "avg_illumination_pct", "earth_visibility_pct", "crater_count")


@dataclass
class FakeRun:
    """Paths of the artefacts by the stages' names for them, in one folder."""

    folder: Path
    origin: str = "synthetic"

    def __post_init__(self) -> None:
        grid = Grid.centred(96_000.0, 960.0, 960.0)
        self._rasters(grid)
        self._tables(Cells(grid, 960.0, 87.0))
        self._others()
        self._light(Cells(grid, 960.0, 87.0))

    def path(self, name: str) -> Path:
        """Path of an artefact or output by its name."""
        suffix = {"cells": "parquet", "scores": "parquet", "scorer": "ubj", "report": "html"}
        suffix |= dict.fromkeys(TABLES, "parquet")
        if name == "named_features":
            return RESOURCES / "named_features.csv"
        if name.endswith(("_png", "_pdf")):
            return self.folder / "figures" / f"{name[:-4]}.{name[-3:]}"
        if name in ("scorer_record", "artemis", "illumination"):
            return self.folder / f"{name}.json"
        return self.folder / f"{name}.{suffix.get(name, 'tif')}"

    def stamp(self, artefact: str, stage: str) -> Stamp:
        """A stamp for an artefact of this run."""
        return Stamp.model_validate(
            {
                "artefact": artefact,
                "stage": stage,
                "run": "fake",
                "settings_hash": "5" * 64,
                "code": "c" * 16,
                "inputs": {"dem": "d" * 64},
                "git_commit": None,
                "git_dirty": None,
                "seed": 11,
                "origin": self.origin,
            }
        )

    def call(self, stage: str, inputs: tuple[str, ...], outputs: dict[str, Path], settings: dict[str, object]) -> int:
        """Run a stage as the command line does; return the exit code. An input 'name=other' takes another's file."""
        arguments = [stage, "--run", "fake", "--settings", json.dumps(settings), "--in"]
        pairs = [name.split("=") for name in inputs]
        arguments += [f"{pair[0]}={self.path(pair[-1])}" for pair in pairs]
        arguments += ["--out", *(f"{name}={path}" for name, path in outputs.items())]
        return command.main(arguments)

    def _rasters(self, grid: Grid) -> None:
        x, y = np.meshgrid(grid.x_m(), grid.y_m())
        height = 2_000.0 * np.sin(x / 21_000.0) * np.cos(y / 17_000.0)
        slope = 12.0 * np.abs(np.cos(x / 21_000.0))
        light = np.clip(0.35 + height / 5_000.0, 0.0, 1.0)
        light[60:80, 100:120] = np.nan
        shadow = np.where(height < -1_500.0, 1, 0).astype(np.uint8)
        layers: dict[RasterSpec, NDArray[np.float64]] = {
            contracts.DEM: height,
            contracts.SLOPE: slope,
            contracts.ROUGHNESS: 0.1 * slope,
            contracts.SUN_MEAN: 0.9 * light,
            contracts.SUN_ANY: light,
            contracts.EARTH_MEAN: np.clip(0.5 + y / 200_000.0, 0.0, 1.0),
            contracts.EARTH_ANY: np.clip(0.55 + y / 200_000.0, 0.0, 1.0),
        }
        self.layers = {spec.name: values for spec, values in layers.items()}
        for spec, values in layers.items():
            stamp = self.stamp(spec.name, f"test-{spec.name}")
            raster.write(self.path(spec.name), spec, grid, {spec.bands[0].name: values.astype(np.float32)}, stamp)
        raster.write(self.path("psr"), contracts.PSR, grid, {"psr": shadow}, self.stamp("psr", "test-psr"))

    def _tables(self, cells: Cells) -> None:
        (x, y), (lon, lat) = cells.centres_m(), cells.centres_lonlat()
        kept = cells.kept[: cells.grid.rows, : cells.grid.cols]
        at = {name: values[kept] for name, values in self.layers.items()}
        frame = pd.DataFrame({"cell_id": np.arange(cells.count), "lon": lon, "lat": lat, "x_m": x, "y_m": y})
        for layer in ("elevation", "slope", "roughness", "elevation_error"):
            for statistic in ("mean", "std", "min", "max"):
                frame[f"{layer}_{statistic}"] = at[{"elevation": "dem"}.get(layer, "slope")]
        light, earth = 100.0 * at["sun_any"], 100.0 * at["earth_any"]
        frame = frame.assign(
            crater_count=0.0,
            crater_coverage_pct=0.0,
            crater_mean_diameter_m=np.nan,
            crater_max_diameter_m=np.nan,
            avg_illumination_pct=light,
            psr_fraction=0.0,
            illumination_min_pct=light,
            earth_visibility_pct=earth,
            buffered_slope_deg=at["slope"],
            valid_fraction=1.0,
        )
        passes = (at["slope"] <= 5.0) & (light >= 33.0) & (earth >= 50.0)
        # Unknown although steep: the rule's own logic would call some of these unsuitable.
        label = np.where(np.isnan(light), "unknown", np.where(passes, "suitable", "unsuitable"))
        frame = frame.assign(label_cassa=label, label_hls=label)
        self._write("cells", contracts.CELLS, frame, x, y)
        known = ~np.isnan(light)
        margin = np.minimum(5.0 - at["slope"], np.nan_to_num(light) - 33.0)
        rank = np.zeros(cells.count, dtype=np.int64)
        rank[np.flatnonzero(known)[np.argsort(-margin[known], kind="stable")]] = np.arange(1, known.sum() + 1)
        score = np.where(known, 1.0 / (1.0 + np.exp(-margin / 10.0)), np.nan)
        scores = pd.DataFrame(
            {
                "cell_id": np.arange(cells.count),
                "lon": lon,
                "lat": lat,
                "label": label,
                "score": score,
                "probability": score,
                "rank": rank,
            }
        )
        for weight, name in enumerate(FEATURES, start=1):
            scores[f"shap_{name}"] = np.where(known, weight * np.sin(x / 9_000.0 + weight), np.nan).astype(np.float32)
        self._write("scores", contracts.SCORES, scores, x, y)

    def _write(
        self, name: str, spec: table.TableSpec, frame: pd.DataFrame, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> None:
        kinds = {column.name: column.dtype for column in spec.columns if column.dtype.startswith(("int", "float"))}
        frame = frame.astype(kinds)
        order = [column.name for column in spec.columns] + [c for c in frame.columns if c.startswith("shap_")]
        geo = gpd.GeoDataFrame(frame[order], geometry=gpd.points_from_xy(x, y))
        table.write(self.path(name), spec, geo, self.stamp(spec.name, f"site-{name}"))

    def _others(self) -> None:
        rows = ["region,code,corner_index,lon_deg,lat_deg,area_km2,source"]
        for code, lon in (("NR", 10.0), ("MM", 120.0), ("MP", -130.0)):
            corners = [(lon, -88.2), (lon, -87.6), (lon + 12.0, -87.6), (lon + 12.0, -88.2)]
            rows += [f"Region {code},{code},{i},{x},{y},100.0,made up" for i, (x, y) in enumerate(corners)]
        self.path("regions").write_text("\n".join(rows) + "\n", encoding="utf-8")
        note = "The label is a hard function of its inputs <script>alert('&')</script>."
        scorer = Record(title="Scorer", metrics=(Metric(name="auc_blocked", value=0.9, unit="1"),), notes=(note,))
        record.write(
            self.path("scorer_record"), contracts.SCORER_RECORD, scorer, self.stamp("scorer_record", "site-scores")
        )
        generator = np.random.default_rng(0)
        data = xgboost.DMatrix(generator.random((30, 2)), label=generator.random(30))
        booster = xgboost.train({"max_depth": 2, "nthread": 1}, data, 2)
        card = model.Card(spec={"kind": "xgboost"}, inputs=("a", "b"))
        model.write_trees(self.path("scorer"), contracts.SCORER, booster, card, self.stamp("scorer", "site-scores"))

    def _light(self, cells: Cells) -> None:
        (x, y), (lon, lat) = cells.centres_m(), cells.centres_lonlat()
        lit = self.layers["sun_any"][cells.kept[: cells.grid.rows, : cells.grid.cols]]
        dark = np.isnan(lit) | (lit < 0.05)
        nights = {name: np.where(dark, np.nan, 10.0) for name in ("longest_light_h", "best_month_lit_fraction")}
        nights |= {f"nights_over_{hours}h": np.where(dark, np.nan, 3.0) for hours in (24, 72, 150)}
        start = np.where(dark, np.datetime64("NaT"), np.datetime64("2025-06-01")).astype("datetime64[ms]")
        frame = pd.DataFrame({"cell_id": np.arange(cells.count), "lon": lon, "lat": lat, "lit_fraction": lit}).assign(
            longest_night_h=np.where(dark, np.nan, 24.0 / np.clip(lit, 0.02, 1.0)),
            longest_night_start=start,
            best_month=start,
            earth_fraction=0.5,
            sun_and_earth_h_per_year=np.where(dark, np.nan, 4_000.0 * lit),
            **(nights | {"best_month_lit_fraction": np.where(dark, np.nan, lit)}),
        )
        self._write("night", contracts.NIGHT, frame, x, y)
        self._places()
        self._compared()

    def _places(self) -> None:
        compass = np.arange(0.5, 360.0, 5.0)
        times = np.arange(np.datetime64("2028-01-01"), np.datetime64("2028-02-01"), np.timedelta64(2, "h"))
        turn = np.arange(times.size) / times.size
        horizons, skies = [], []
        for index, name in enumerate(("Costs $5 & <more>", "Floor")):
            horizon = 3.0 * np.sin(np.radians(compass)) + index
            place = {"place": name, "lon_deg": 10.0 + index, "lat_deg": -88.0}
            horizons.append(pd.DataFrame({**place, "compass_deg": compass, "horizon_deg": horizon}))
            sky = pd.DataFrame({"place": name, "time_utc": times.astype("datetime64[ms]")})
            for body, high in (("sun", 1.5), ("earth", 6.0)):
                sky[f"{body}_elevation_deg"] = high * np.sin(2.0 * np.pi * turn)
                sky[f"{body}_compass_deg"] = (350.0 + 360.0 * turn) % 360.0
                sky[f"{body}_above_horizon_deg"] = high * np.sin(2.0 * np.pi * turn) - index
                sky[f"{body}_visible_fraction"] = np.where(turn < 0.1, np.nan, turn)
            skies.append(sky)
        for spec, parts in ((contracts.PLACE_PROFILES, horizons), (contracts.PLACE_SERIES, skies)):
            kinds = {column.name: column.dtype for column in spec.columns if column.dtype.startswith("float")}
            whole = pd.concat(parts, ignore_index=True).astype(kinds)
            table.write(self.path(spec.name), spec, whole, self.stamp(spec.name, "illumination-places"))

    def _compared(self) -> None:
        x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-80e3, 81e3, 4e3), np.arange(-80e3, 81e3, 4e3)))
        reference = 45.0 + x / 4_000.0
        frame = pd.DataFrame({"x_m": x, "y_m": y, "sun_reference_pct": reference, "earth_reference_pct": reference})
        metrics = []
        for name, bias in (("sun_mean", 0.5), ("sun_any", 2.25), ("earth_mean", -1.5), ("earth_any", 1.0)):
            frame[f"{name}_pct"] = reference + bias + 2.0 * np.sin(y / 9_000.0)
            numbers = {"bias": bias, "rms": 1.75, "correlation": 0.9876, "cells": float(x.size)}
            metrics += [Metric(name=f"{name}_{metric}", value=value) for metric, value in numbers.items()]
        frame.loc[:3, "sun_mean_pct"] = np.nan
        verdict = Verdict(name="sun_mean RMS", value=1.75, unit="%", bound="<= 2.2 %", holds=True, why="made up")
        found = Record(title="Light against published maps", metrics=tuple(metrics), verdicts=(verdict,))
        stamp = self.stamp("illumination", "validate-illumination")
        record.write(self.path("illumination"), contracts.ILLUMINATION_RECORD, found, stamp)
        stamp = self.stamp("illumination_cells", "validate-illumination")
        table.write(self.path("illumination_cells"), contracts.ILLUMINATION_CELLS, frame, stamp)
