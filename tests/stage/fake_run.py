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
from pydantic import JsonValue

from lunarsite import command
from lunarsite.artefact import contracts, model, raster, record, table
from lunarsite.artefact.raster import RasterSpec
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Cells, Grid, lonlat_to_xy

from . import fake_enhance, fake_rock, fake_score

RESOURCES = Path(__file__).parents[2] / "resources"
FIGURES = ("score_map", "close_up", "elevation", "slope", "sun", "earth", "psr", "shap", "artemis")
LIGHT = ("night", "sun_and_earth", "light_differences", "light_scatter")
CRATERS = (
    *("crater_map", "crater_matches", "crater_curve", "crater_reliability"),
    *("crater_recall", "crater_probability"),
)
SITE_CHECKS = ("calibration", "blocks", "sweeps", "dependence", "site_map", "site_ranks")
CRATER_TABLES = ("detected_craters", "crater_matches", "crater_candidates", "crater_curve")
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
        self._craters(grid)
        fake_score.write_score(self, Cells(grid, 960.0, 87.0))
        fake_enhance.write_enhance(self)
        fake_rock.write_rock(self)

    def path(self, name: str) -> Path:
        """Path of an artefact or output by its name."""
        suffix = {"cells": "parquet", "scores": "parquet", "scorer": "ubj", "report": "html"}
        tables = (*TABLES, *CRATER_TABLES, *fake_score.TABLES)
        suffix |= dict.fromkeys(tables, "parquet") | {"crater_model": "safetensors", "pages": "html"}
        suffix |= dict.fromkeys(fake_enhance.IMAGES, "h5") | dict.fromkeys(fake_enhance.MODELS, "safetensors")
        suffix |= dict.fromkeys(fake_rock.IMAGES, "h5") | dict.fromkeys(fake_rock.TABLES, "parquet")
        suffix["rock_model"] = "safetensors"
        if name == "named_features":
            return RESOURCES / "named_features.csv"
        if name.endswith(("_png", "_pdf")):
            return self.folder / "figures" / f"{name[:-4]}.{name[-3:]}"
        records = ("scorer_record", "artemis", "illumination", "slope_record", "crater_record")
        if name in (*records, *fake_score.RECORDS, *fake_enhance.RECORDS, *fake_rock.RECORDS):
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
            crater_count_5km=3.0,
            crater_coverage_5km_pct=12.5,
            crater_mean_diameter_5km_m=1_500.0,
            crater_max_diameter_5km_m=2_000.0,
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
        self.path("pages").write_text("<!DOCTYPE html><title>Pages</title>", encoding="utf-8")

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
            self.path("scorer_record"), contracts.SCORER_RECORD, scorer, self.stamp("scorer_record", "score-train")
        )
        generator = np.random.default_rng(0)
        data = xgboost.DMatrix(generator.random((30, 2)), label=generator.random(30))
        booster = xgboost.train({"max_depth": 2, "nthread": 1}, data, 2)
        card = model.Card(spec={"kind": "xgboost"}, inputs=("a", "b"))
        model.write_trees(self.path("scorer"), contracts.SCORER, booster, card, self.stamp("scorer", "score-train"))

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
        self._slopes()
        stamp = self.stamp("illumination_cells", "validate-illumination")
        table.write(self.path("illumination_cells"), contracts.ILLUMINATION_CELLS, frame, stamp)

    def _slopes(self) -> None:
        row: dict[str, JsonValue] = {
            "pieces": "cells of 960 m",
            "max_slope_deg": 5.0,
            "rules": "cassa",
            "known": 1200,
            "passing": 400,
            "mean_above_share": 0.125,
            "mean_above_base_share": 0.75,
            "steepest_above_share": 0.9375,
            "steepest_above_base_share": 1.0,
            "missed_share": 0.0625,
            "why_unknown": "",
        }
        found = Record(
            title="Slopes against finer published ones",
            metrics=(Metric(name="slope_rms", value=2.5, unit="deg"),),
            verdicts=(Verdict(name="slope RMS", value=0.5, unit="1", bound="< 1", holds=True, why="made up"),),
            tables={"what_limits_hide": [row]},
            notes=("Finer slopes are steeper.",),
        )
        stamp = self.stamp("slope_check", "validate-slope")
        record.write(self.path("slope_record"), contracts.SLOPE_RECORD, found, stamp)

    def _craters(self, grid: Grid) -> None:
        generator = np.random.default_rng(3)
        count = 240
        lon, lat = generator.uniform(-180.0, 180.0, count), generator.uniform(-89.9, -87.0, count)
        x, y = lonlat_to_xy(lon, lat)
        score = generator.uniform(0.0, 1.0, count)
        diameter = 1_500.0 * generator.pareto(2.0, count) + 1_500.0
        frame = pd.DataFrame({"id": np.arange(count), "lon_deg": lon, "lat_deg": lat, "x_m": x, "y_m": y}).assign(
            diameter_m=diameter, depth_m=0.1 * diameter, score=score, response=score, accepted=score >= 0.4
        )
        frame.loc[:5, "depth_m"] = np.nan
        self._write("detected_craters", contracts.DETECTED, frame, x, y)
        accepted = frame["accepted"].to_numpy()
        self._write("crater_candidates", contracts.CRATER_CANDIDATES, frame[accepted], x[accepted], y[accepted])
        hit, alarm = accepted & (score >= 0.6), accepted & (score < 0.6)
        matches = frame.assign(
            catalogue_id=np.where(alarm, -1, 1_000 + frame["id"]),
            detected_id=np.where(accepted, frame["id"], -1),
            outcome=np.select([hit, alarm], ["hit", "false_alarm"], "miss"),
            detected_diameter_m=np.where(accepted, 1.1 * diameter, np.nan),
            centre_error_radii=np.where(hit, 0.1, np.nan),
            score=np.where(accepted, score, np.nan),
            split=np.select(
                [(lon >= 15.0) & (lon < 75.0), (lon >= 135.0) & (lon < 175.0)], ["test", "validation"], "training"
            ),
        )
        self._write("crater_matches", contracts.CRATER_MATCHES, matches, x, y)
        names = "network", "base", "classical"
        curve = pd.DataFrame(
            [
                (name, "test", least, value, 1.0 - 0.1 * rank - 0.5 * (1.0 - value) ** 2, 1.0 - value)
                for rank, name in enumerate(names)
                for least in (3_000.0, 5_000.0)
                for value in np.linspace(1.0, 0.0, 11)
            ],
            columns=[column.name for column in contracts.CRATER_CURVE.columns],
        )
        table.write(
            self.path("crater_curve"), contracts.CRATER_CURVE, curve, self.stamp("crater_curve", "validate-crater")
        )
        x_grid, y_grid = np.meshgrid(grid.x_m(), grid.y_m())
        response = (0.5 + 0.5 * np.sin(x_grid / 5_000.0) * np.cos(y_grid / 7_000.0)).astype(np.float32)
        response[:9, :9] = np.nan
        bands = {"centre": response**2, "rim": response}
        stamp = self.stamp("crater_probability", "crater-extract")
        raster.write(self.path("crater_probability"), contracts.CRATER_PROBABILITY, grid, bands, stamp)
        history: list[JsonValue] = [{"epoch": float(epoch), "loss": 1.0 / (1.0 + epoch)} for epoch in range(9)]
        card = model.Card(
            spec={"kind": "plain-unet", "calibration": {"threshold": 0.4}},
            inputs=("relief",),
            training={
                "data": "tiles <made up>",
                "test": {"f1_3km": 0.71, "pixels_m": [240.0, 340.0]},
                "history": history,
            },
        )
        weights = {"weight": np.zeros(3, dtype=np.float16)}
        stamp = self.stamp("crater_model", "crater-calibrate")
        model.write_tensors(self.path("crater_model"), contracts.CRATER_MODEL, weights, card, stamp)
        stamp = self.stamp("crater", "validate-crater")
        record.write(self.path("crater_record"), contracts.CRATER_RECORD, crater_record(), stamp)


def crater_record() -> Record:
    """A record of detected craters against a catalogue, with numbers that belong to no table."""

    def rates(**values: float) -> dict[str, JsonValue]:
        ends = {"": 0.0, "_low": -0.03, "_high": 0.03}
        return {f"{name}{end}": value + shift for name, value in values.items() for end, shift in ends.items()}

    headline = [
        {
            "detector": name,
            "split": "test",
            "least_diameter_m": least,
            **rates(precision=f1 + 0.1, recall=max(f1 - 0.1, 0.05), f1=f1),
        }
        for least in (3_000.0, 5_000.0)
        for name, f1 in (("network", 0.74), ("base", 0.66), ("classical", 0.52), ("chance", 0.06))
    ]
    scores = np.linspace(0.4, 0.95, 5)
    reliability = [
        {"split": "test", "score": float(score), "detections": 40, **rates(precision=float(score))} for score in scores
    ]
    by_diameter = [
        {"split": "test", "diameter": name, "craters": 90, **rates(precision=0.8, recall=0.7)}
        for name in ("1.4 to 3", "over 3")
    ]
    by_depth = [
        {"split": "test", "depth_ratio": name, "craters": 50, **rates(recall=recall)}
        for name, recall in (("below 0.04", 0.17), ("above 0.15", 0.91))
    ]
    tables: dict[str, list[dict[str, JsonValue]]] = {
        "headline": headline,
        "reliability": reliability,
        "by_diameter": by_diameter,
        "by_depth": by_depth,
        "gains": [{"over": "base", "least_diameter_m": 3_000.0, **rates(gain_f1=0.08)}],
        "losses": [
            {"least_diameter_m": 3_000.0, "doubt": "no hollow", "share_of_misses": 0.38},
            {"least_diameter_m": 3_000.0, "doubt": "none of these", "share_of_misses": 0.62},
        ],
    }
    verdicts = (
        Verdict(name="F1 from 3 km", value=0.74, unit="1", bound=">= 0.73", holds=True, why="made up"),
        Verdict(name="F1 from 5 km", value=0.7, unit="1", bound=">= 0.74", holds=False, why="made up"),
    )
    return Record(title="Detected craters against the catalogue", verdicts=verdicts, tables=tables)
