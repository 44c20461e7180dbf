"""Made-up tables of labels, criteria, sites and what belongs to them, for any run that has cells and scores.

The sites lie on the best cells by score; everything else about them is drawn at random from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pydantic import JsonValue

from lunarsite.artefact import contracts, record, table
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.artefact.stamp import Stamp
from lunarsite.artefact.table import TableSpec
from lunarsite.grid import lonlat_to_xy, xy_to_lonlat
from lunarsite.site.place.regions import Region, inside

StampOf = Callable[[str, str], Stamp]
NAMES = (
    *("labels", "criteria", "sites", "region_sites", "ranks", "routes", "held_out"),
    *("profiles", "series", "months", "sites_record", "site", "artemis"),
)
DRAWS = 100
_CELL_M = 960.0


class FakeSites:
    """Writes the tables of sites into a folder.

    Args:
        folder: Where to.
        stamp: Makes a stamp for an artefact and a stage.
        cells: The run's cells.
        scores: Their scores.
        regions: The candidate regions.
        count: Number of sites; 0 makes a run without good ground.
    """

    def __init__(
        self,
        folder: Path,
        stamp: StampOf,
        cells: pd.DataFrame,
        scores: pd.DataFrame,
        regions: tuple[Region, ...],
        count: int = 8,
    ) -> None:
        self.folder, self._stamp = folder, stamp
        self.cells, self.scores = cells.reset_index(drop=True), scores.reset_index(drop=True)
        self._random = np.random.default_rng(4)
        self._labels()
        self._criteria()
        best = np.flatnonzero(self.scores["rank"] > 0)
        best = best[np.argsort(self.scores["rank"].to_numpy()[best])]
        self.sites = self._sites(self._apart(best, 6_000.0, count))
        self._write("sites", contracts.SITES, self.sites, "place-sites")
        self._region_sites(regions, best if count else best[:0])
        self._ranks()
        self._routes()
        self._light()
        self._records(regions)

    def path(self, name: str) -> Path:
        """Path of a table or record by the stages' name for it."""
        suffix = "json" if name in ("sites_record", "site", "artemis") else "parquet"
        return self.folder / f"{name}.{suffix}"

    def _write(self, name: str, spec: TableSpec, frame: pd.DataFrame, stage: str) -> None:
        kinds = {c.name: c.dtype for c in spec.columns if c.dtype.startswith(("float", "int"))}
        names = [column.name for column in spec.columns] + (["geometry"] if spec.geometry else [])
        table.write(self.path(name), spec, frame[names].astype(kinds), self._stamp(spec.name, stage))

    def _labels(self) -> None:
        known = (self.scores["rank"] > 0).to_numpy()
        margin = 5.0 - self.cells["slope_mean"].to_numpy(dtype=np.float64)
        probability = np.where(known, 1.0 / (1.0 + np.exp(-2.0 * margin)), np.nan)
        parts = []
        for rule in ("cassa", "hls"):
            rows = pd.DataFrame({"cell_id": self.cells["cell_id"], "rule": rule})
            rows["label"] = np.where(known, np.where(probability >= 0.5, "suitable", "unsuitable"), "unknown")
            rows["probability"] = probability
            rows["slope_mean_deg"] = np.where(known, self.cells["slope_mean"], np.nan)
            rows["slope_sigma_deg"] = np.where(known, 0.4, np.nan)
            rows["unknown_because"] = np.where(known, "", "sunlight")
            parts.append(rows)
        self.labels = pd.concat(parts, ignore_index=True)
        self._write("labels", contracts.LABELS, self.labels, "label-labels")
        held = pd.DataFrame({"cell_id": self.cells["cell_id"], "fold": np.where(known, 1, -1)})
        held["probability"] = np.clip(probability + 0.02, 0.0, 1.0)
        held["context_probability"] = np.where(known, 0.2, np.nan)
        self._write("held_out", contracts.HELD_OUT, held, "score-crossvalidate")

    def _criteria(self) -> None:
        n, draw = len(self.cells), self._random
        walk = draw.choice(["reached", "no way", "unknown"], n, p=[0.7, 0.2, 0.1])
        length = draw.uniform(500.0, 30_000.0, n)
        frame = self.cells[["cell_id", "lon", "lat", "geometry"]].assign(
            longest_night_h=draw.uniform(20.0, 400.0, n),
            sun_and_earth_h_per_year=draw.uniform(500.0, 4_000.0, n),
            psr_distance_m=0.5 * length,
            psr_walk_m=np.where(walk == "reached", length, np.nan),
            psr_walk=walk,
            psr_rover_m=0.9 * length,
            psr_rover="reached",
            crater_count_1km=1.0,
            crater_coverage_1km_pct=draw.uniform(0.0, 30.0, n),
            crater_count_5km=7.0,
            crater_coverage_5km_pct=draw.uniform(0.0, 30.0, n),
            good_area_km2=draw.uniform(0.0, 90.0, n),
            **dict.fromkeys(
                (
                    *("relief_pixel_m", "relief_p95_slope_deg", "relief_steep_share", "relief_step_m"),
                    *("temperature_k", "ice_depth_m", "scarp_distance_m"),
                ),
                np.nan,
            ),
        )
        self.criteria = frame
        self._write("criteria", contracts.CRITERIA, frame, "criteria-gather")

    def _apart(self, order: np.ndarray, spacing_m: float, most: int) -> list[int]:
        places = self.cells[["x_m", "y_m"]].to_numpy()
        chosen: list[int] = []
        for index in order:
            if len(chosen) == most:
                break
            if all(np.hypot(*(places[index] - places[other])) >= spacing_m for other in chosen):
                chosen.append(int(index))
        return chosen

    def _sites(self, chosen: list[int]) -> gpd.GeoDataFrame:
        count, draw = len(chosen), self._random
        cells, scores = self.cells.iloc[chosen].reset_index(drop=True), self.scores.iloc[chosen].reset_index(drop=True)
        criteria = self.criteria.iloc[chosen].reset_index(drop=True)
        labels = self.labels[self.labels["rule"] == "cassa"].iloc[chosen].reset_index(drop=True)
        x, y = cells["x_m"] + 120.0, cells["y_m"] - 120.0
        lon, lat = xy_to_lonlat(x.to_numpy(), y.to_numpy())
        rank = np.arange(1, count + 1)
        half = 0.5 * _CELL_M
        squares = [
            shapely.union_all(
                [
                    shapely.box(px + dx - half, py + dy - half, px + dx + half, py + dy + half)
                    for dx, dy in ((0, 0), (_CELL_M, 0), (_CELL_M, _CELL_M), (0, -_CELL_M))
                ]
            )
            for px, py in zip(cells["x_m"], cells["y_m"], strict=True)
        ]
        frame = pd.DataFrame(
            {"site_id": rank - 1, "rank": rank, "cell_id": cells["cell_id"], "lon": lon, "lat": lat, "x_m": x, "y_m": y}
        ).assign(
            region="",
            cells=4,
            area_km2=3.7,
            piece_id=1 + rank // 2,
            ellipse_semi_major_m=500.0,
            ellipse_semi_minor_m=300.0,
            ellipse_map_angle_deg=draw.uniform(0.0, 180.0, count),
            ellipse_inside_share=np.linspace(1.0, 0.8, count),
            ellipse_slope_mean_deg=0.8 * cells["slope_mean"],
            ellipse_slope_max_deg=1.4 * cells["slope_mean"],
            ellipse_sun_pct=cells["avg_illumination_pct"],
            ellipse_earth_pct=cells["earth_visibility_pct"],
            label=labels["label"],
            probability=labels["probability"],
            score=scores["score"],
            slope_deg=cells["slope_mean"],
            illumination_pct=cells["avg_illumination_pct"],
            earth_visibility_pct=cells["earth_visibility_pct"],
            **{column.name: criteria[column.name] for column in contracts.CRITERIA.columns[3:]},
            merit_topsis=np.linspace(0.8, 0.3, count),
            merit_weighted_sum=np.linspace(0.7, 0.4, count),
            rank_topsis=rank,
            rank_weighted_sum=rank[::-1],
            rank_low=np.maximum(rank - 1.5, 1.0),
            rank_median=rank,
            rank_high=np.minimum(rank + 3.5, count),
            share_top_20=np.linspace(1.0, 0.2, count),
            share_top_100=1.0,
            reasons_for="slope 1.2° on average (the rule allows 5°) adds 1.8\nEarth in view 80 % of the time adds 0.9",
            reasons_against="longest night 312 h <b>takes</b> 0.4\nno way on foot to permanent shadow",
            unknown="relief at the scale of a lander: no finer elevation model covers it\ntemperature",
        )
        return gpd.GeoDataFrame(frame, geometry=squares)

    def _region_sites(self, regions: tuple[Region, ...], best: np.ndarray) -> None:
        x, y = self.cells["x_m"].to_numpy(), self.cells["y_m"].to_numpy()
        parts = []
        # The last region offers none.
        for region in sorted(regions, key=lambda region: region.code)[:-1]:
            held = inside(region.outline, x, y)
            chosen = self._apart(best[held[best]], 2_000.0, 3)
            if chosen:
                parts.append(self._sites(chosen).assign(region=region.code))
        frame = pd.concat(parts, ignore_index=True) if parts else self.sites.head(0)
        frame = gpd.GeoDataFrame(frame.assign(site_id=np.arange(len(frame))), geometry="geometry")
        self.region_sites = frame
        self._write("region_sites", contracts.REGION_SITES, frame, "place-sites")

    def _ranks(self) -> None:
        count = len(self.sites)
        parts = []
        for draw in range(DRAWS):
            jittered = np.arange(count) + self._random.normal(0.0, 2.0, count)
            ranks = np.argsort(np.argsort(jittered)) + 1
            parts.append(pd.DataFrame({"site_id": np.arange(count), "draw": draw, "rank": ranks}))
        self._write("ranks", contracts.SITE_RANKS, pd.concat(parts, ignore_index=True), "place-sites")

    def _routes(self) -> None:
        parts = [pd.DataFrame(columns=[column.name for column in contracts.ROUTES.columns])]
        for site in self.sites.itertuples():
            for mover in ("rover", "walk"):
                if getattr(site, f"psr_{mover}") != "reached":
                    continue
                steps = np.linspace(0.0, getattr(site, f"psr_{mover}_m"), 30)
                bend = 400.0 * np.sin(steps / 900.0) * (1.0 if mover == "walk" else -0.6)
                towards = np.hypot(site.x_m, site.y_m)
                x, y = site.x_m - site.x_m / towards * steps + bend, site.y_m - site.y_m / towards * steps - bend
                rows = {"site_id": site.site_id, "mover": mover, "point": np.arange(30), "x_m": x, "y_m": y}
                parts.append(pd.DataFrame({**rows, "path_m": steps}))
        frame = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
        frame = frame.sort_values(["site_id", "mover", "point"], ignore_index=True)
        self._write("routes", contracts.ROUTES, frame, "place-sites")

    def _light(self) -> None:
        compass = np.arange(0.5, 360.0, 2.0)
        times = np.arange(np.datetime64("2028-01-01"), np.datetime64("2028-02-29"), np.timedelta64(2, "h"))
        turn = np.arange(times.size) * 2.0 / 708.7
        horizons, skies, months = [], [], []
        for site in self.sites.itertuples():
            name = f"site-{site.rank:03d}"
            place = {"place": name, "lon_deg": site.lon, "lat_deg": site.lat}
            horizon = 2.0 * np.sin(np.radians(compass * 3 + 40.0 * site.rank)) + np.sin(np.radians(compass * 11))
            horizons.append(pd.DataFrame({**place, "compass_deg": compass, "horizon_deg": horizon}))
            sky = pd.DataFrame({"place": name, "time_utc": times.astype("datetime64[ms]")})
            for body, high in (("sun", 1.5), ("earth", 6.0)):
                elevation = high * np.cos(2.0 * np.pi * turn)
                sky[f"{body}_elevation_deg"] = elevation
                sky[f"{body}_compass_deg"] = (360.0 * turn) % 360.0 if body == "sun" else 355.0 + 4.0 * np.sin(turn)
                sky[f"{body}_above_horizon_deg"] = elevation - 0.3
                sky[f"{body}_visible_fraction"] = np.clip(0.5 + elevation, 0.0, 1.0)
            skies.append(sky)
            month = np.arange(1, 13)
            light = pd.DataFrame({"place": name, "month": month})
            for body, level in (("sun", 0.55), ("earth", 0.6)):
                mean = level + 0.25 * np.cos(2.0 * np.pi * (month - 1) / 12.0)
                light = light.assign(
                    **{f"{body}_mean": mean, f"{body}_low": mean - 0.15, f"{body}_high": np.minimum(mean + 0.1, 1.0)}
                )
            months.append(light)
        written = (
            ("profiles", contracts.PLACE_PROFILES, horizons),
            ("series", contracts.PLACE_SERIES, skies),
            ("months", contracts.SITE_MONTHS, months),
        )
        for name, spec, parts in written:
            kinds = {"string": "object", "timestamp[ms]": "datetime64[ms]"}
            bare = pd.DataFrame({c.name: pd.Series(dtype=kinds.get(c.dtype, c.dtype)) for c in spec.columns})
            frame = pd.concat(parts, ignore_index=True) if parts else bare
            self._write(name, spec, frame, "illumination-sites")

    def _records(self, regions: tuple[Region, ...]) -> None:
        note = "Pixels of 240 m do not resolve the ellipse's shorter axis <300 m>."
        sites = Record(
            title="Sites",
            metrics=(
                Metric(name="sites", value=float(len(self.sites)), unit="1"),
                Metric(name="kendall_tau", value=0.71, unit="1", why="TOPSIS against the weighted sum"),
            ),
            notes=(note,),
        )
        record.write(self.path("sites_record"), contracts.SITES_RECORD, sites, self._stamp("sites", "place-sites"))
        verdict = Verdict(name="Massifs found", value=0.9, unit="1", bound=">= 0.8", holds=True, why="made up")
        unknown = Verdict(name="Experts found", value=None, bound=">= 0.3", holds=None, why="no table of experts")
        site = Record(title="Sites against others", verdicts=(verdict, unknown))
        record.write(self.path("site"), contracts.SITE_RECORD, site, self._stamp("site", "validate-site"))
        rows: list[dict[str, JsonValue]] = [
            {"code": region.code, "region": region.name, "suitable_cells": 7 + place}
            for place, region in enumerate(regions)
        ]
        metrics = (
            Metric(name="enrichment_top_100_all", value=4.25, unit="1"),
            Metric(name="enrichment_rotation_null_top_100_all", value=1.0, low=0.0, high=3.5),
            Metric(name="p_rotation_top_100_all", value=0.03),
        )
        artemis = Record(title="Agreement with the regions", metrics=metrics, tables={"regions": rows})
        stamp = self._stamp("artemis", "validate-artemis")
        record.write(self.path("artemis"), contracts.ARTEMIS_RECORD, artemis, stamp)


def bare_sites(places: list[tuple[float, float]]) -> gpd.GeoDataFrame:
    """Return a table of sites that holds nothing but their ranks and places (lon, lat)."""
    lon, lat = (np.array([place[axis] for place in places]) for axis in (0, 1))
    x, y = lonlat_to_xy(lon, lat)
    count = len(places)
    kinds = {"string": "", "int64": 1, "float64": 1.0, "float32": 1.0}
    frame = pd.DataFrame(
        {column.name: np.full(count, kinds[column.dtype]) for column in contracts.SITES.columns}
    ).assign(site_id=np.arange(count), rank=np.arange(1, count + 1), lon=lon, lat=lat, x_m=x, y_m=y)
    squares = [shapely.box(px - 100.0, py - 100.0, px + 100.0, py + 100.0) for px, py in zip(x, y, strict=True)]
    return gpd.GeoDataFrame(frame, geometry=squares)
