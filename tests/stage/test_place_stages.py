"""Sites of a small made-up run: contracts, ground truth, regions, bytes, other programs' files, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from numpy.typing import NDArray

from lunarsite import command, stage
from lunarsite.artefact import contracts, raster, record, table
from lunarsite.artefact.record import Metric, Record
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import MOON_RADIUS_M, Cells, Grid, is_polar_map, xy_to_lonlat
from lunarsite.site.criteria.reach import find_ways, shadow_regions

GRID = {"half_width_m": 24_000.0, "pixel_m": 240.0, "latitude_limit_deg": 89.3, "far_half_width_m": 48_000.0}
AREA = Grid.centred(24_000.0, 240.0, 960.0)
CELLS = Cells(AREA, 960.0, 89.3)
TABLES = {
    "cells": contracts.CELLS,
    "labels": contracts.LABELS,
    "scores": contracts.SCORES,
    "criteria": contracts.CRITERIA,
}
LAYERS = ("dem", "slope", "sun_any", "sun_mean", "earth_any", "psr", "walk", "rover")
OUTPUTS = {
    **dict.fromkeys(("sites", "region_sites", "ranks", "routes"), "parquet"),
    "record": "json",
    "sites_geojson": "geojson",
    "region_sites_geojson": "geojson",
    "sites_gpkg": "gpkg",
}
# Centres of gentle ground in map metres, and how far it reaches: two plateaus, the second inside region AA.
PLATEAUS = ((-9_000.0, 9_000.0, 4_000.0), (10_000.0, -3_000.0, 2_600.0))
SETTINGS: dict[str, Any] = {
    "grid": GRID,
    "placing": {"spacing_km": 3.0, "region_spacing_km": 2.0, "most": 40},
    "ranking": {"draws": 60},
}


class Run:
    """The inputs and outputs of `place-sites` in one folder."""

    def __init__(
        self, folder: Path, probability: Callable[[pd.DataFrame], Any] | None = None, light_bias: float = 0.0
    ) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._layers()
        self.frame = self._frame()
        self._tables(probability, light_bias)
        self._regions()

    def path(self, name: str) -> Path:
        suffix = dict.fromkeys(TABLES, "parquet") | OUTPUTS | {"labels_record": "json", "regions": "csv"}
        return self.folder / f"{name}.{suffix.get(name, 'tif')}"

    def call(self, changed: dict[str, Any] | None = None, **inputs: Path) -> int:
        names = (*TABLES, "labels_record", *LAYERS, "regions")
        given = {name: inputs.get(name, self.path(name)) for name in names}
        return command.main(
            ["place-sites", "--run", "fake", "--settings", json.dumps(SETTINGS | (changed or {})), "--in"]
            + [f"{name}={path}" for name, path in given.items()]
            + ["--out", *(f"{name}={self.path(name)}" for name in OUTPUTS)]
        )

    def sites(self, name: str = "sites") -> gpd.GeoDataFrame:
        return table.read(self.path(name), contracts.SITES if name == "sites" else contracts.REGION_SITES)[0]

    def stamp(self, spec: Any) -> Stamp:
        values = {"artefact": spec.name, "stage": "test-made-up", "run": "fake", "settings_hash": "5" * 64}
        rest = {"code": "c" * 16, "inputs": {}, "git_commit": None, "git_dirty": None, "seed": 1, "origin": "synthetic"}
        return Stamp.model_validate(values | rest)

    def _layers(self) -> None:
        x, y = np.meshgrid(AREA.x_m(), AREA.y_m())
        steep = np.min([np.hypot(x - a, y - b) / reach for a, b, reach in PLATEAUS], axis=0)
        self.slope = np.clip(2.0 + 6.0 * (steep - 0.9), 1.0, 14.0) + 0.5 * np.abs(np.sin(x / 700.0))
        shadow = (np.hypot(x + 9_000.0, y + 9_000.0) < 2_000.0).astype(np.uint8)
        light = 0.5 + 0.1 * np.sin(y / 5_000.0)
        layers: dict[str, tuple[raster.RasterSpec, NDArray[Any]]] = {
            "dem": (contracts.DEM, 100.0 * np.sin(x / 3_000.0)),
            "slope": (contracts.SLOPE, self.slope),
            "sun_any": (contracts.SUN_ANY, light),
            "sun_mean": (contracts.SUN_MEAN, 0.9 * light),
            "earth_any": (contracts.EARTH_ANY, np.full(AREA.shape, 0.8)),
            "psr": (contracts.PSR, shadow),
        }
        for name, (spec, values) in layers.items():
            bands = {spec.bands[0].name: values.astype(spec.dtype)}
            raster.write(self.path(name), spec, AREA, bands, self.stamp(spec))
        # The second plateau is walled off on foot.
        walls = np.where(np.abs(np.hypot(x - 10_000.0, y + 3_000.0) - 7_000.0) < 500.0, 20.0, self.slope)
        self.ways = {}
        for mover, limit in (("walk", 15.0), ("rover", 25.0)):
            found = find_ways(walls.astype(np.float32), shadow_regions(shadow, AREA, 1.0), AREA, limit)
            self.ways[mover] = found
            raster.write(self.path(mover), contracts.REACH, AREA, found._asdict(), self.stamp(contracts.REACH))

    def _frame(self) -> pd.DataFrame:
        (x, y), (lon, lat) = CELLS.centres_m(), CELLS.centres_lonlat()
        frame = pd.DataFrame({"cell_id": np.arange(CELLS.count), "lon": lon, "lat": lat, "x_m": x, "y_m": y})
        return frame.assign(slope=self._of_cells(self.slope, np.mean), light=50.0 + 10.0 * np.sin(y / 5_000.0))

    def _of_cells(self, layer: NDArray[Any], reduce: Callable[..., Any]) -> Any:
        side = CELLS.pixels_per_cell
        blocks = layer.reshape(CELLS.rows, side, CELLS.cols, side)
        return reduce(reduce(blocks, axis=3), axis=1)[CELLS.kept]

    def _tables(self, probability: Callable[[pd.DataFrame], Any] | None, light_bias: float) -> None:
        base = self.frame
        points = gpd.points_from_xy(base["x_m"], base["y_m"])
        by_rule = {"cassa": np.where(base["slope"] <= 5.0, 0.97, 0.02), "hls": np.where(base["slope"] <= 8.0, 0.9, 0.1)}
        if probability is not None:
            by_rule = dict.fromkeys(by_rule, probability(base))
        known = base.assign(**{column.name: 1.0 for column in contracts.CELLS.columns[5:-2]})
        known = known.assign(slope_mean=base["slope"], buffered_slope_deg=base["slope"])
        known = known.assign(avg_illumination_pct=base["light"], earth_visibility_pct=80.0)
        known = known.assign(psr_fraction=0.0, crater_coverage_pct=12.5, label_cassa="suitable", label_hls="suitable")
        self._write("cells", self._typed(known, contracts.CELLS), points)
        labels = [
            base.assign(rule=rule, label="suitable", probability=chance, slope_mean_deg=base["slope"])
            for rule, chance in by_rule.items()
        ]
        whole = pd.concat(labels, ignore_index=True).assign(slope_sigma_deg=0.3, unknown_because="")
        self._write("labels", self._typed(whole, contracts.LABELS))
        errors = {"light_sigma": 3.0, "earth_sigma": 3.0, "light_bias": light_bias, "earth_bias": 0.0}
        sigmas = tuple(Metric(name=name, value=value, unit="%") for name, value in errors.items())
        path = self.path("labels_record")
        spec = contracts.LABELS_RECORD
        record.write(path, spec, Record(title="Labels", metrics=sigmas), self.stamp(spec))
        scores = base.assign(label="suitable", score=5.0 - base["slope"], probability=0.5, rank=0)
        shap = {"shap_slope_mean": 5.0 - base["slope"], "shap_crater_coverage_pct": -0.25}
        scored = self._typed(scores, contracts.SCORES).assign(**shap)
        self._write("scores", scored.astype(dict.fromkeys(shap, "float32")), points)
        criteria = base.assign(**dict.fromkeys((column.name for column in contracts.CRITERIA.columns[3:]), np.nan))
        criteria = criteria.assign(longest_night_h=100.0 + base["x_m"] / 1_000.0, crater_coverage_1km_pct=base["slope"])
        for mover in ("walk", "rover"):
            way = self._of_cells(np.where(np.isnan(self.ways[mover].path_m), np.inf, self.ways[mover].path_m), np.min)
            criteria[f"psr_{mover}"] = np.where(np.isinf(way), "no way", "reached")
            criteria[f"psr_{mover}_m"] = np.where(np.isinf(way), np.nan, way)
        self._write("criteria", self._typed(criteria, contracts.CRITERIA), points)

    def _typed(self, frame: pd.DataFrame, spec: table.TableSpec) -> pd.DataFrame:
        kinds = {column.name: "object" if column.dtype == "string" else column.dtype for column in spec.columns}
        return frame.reindex(columns=list(kinds)).astype(kinds)

    def _write(self, name: str, frame: pd.DataFrame, points: Any = None) -> None:
        whole = frame if points is None else gpd.GeoDataFrame(frame, geometry=points)
        table.write(self.path(name), TABLES[name], whole, self.stamp(TABLES[name]))

    def _regions(self) -> None:
        rows = ["region,code,corner_index,lon_deg,lat_deg,area_km2,source"]
        squares = {"AA": (6_000.0, 14_000.0, -7_000.0, 1_000.0), "BB": (8_000.0, 16_000.0, 8_000.0, 16_000.0)}
        squares["CC"] = (100_000.0, 110_000.0, 0.0, 10_000.0)
        for code, (left, right, low, high) in squares.items():
            corners = [(left, low), (right, low), (right, high), (left, high)]
            for index, corner in enumerate(corners):
                lon, lat = xy_to_lonlat(*corner)
                rows.append(f"Region {code},{code},{index},{float(lon)},{float(lat)},64.0,made up")
        self.path("regions").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def one_commit() -> Iterator[None]:
    """Hold the commit still that stamps name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "_git_state", lambda: (None, None))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = Run(tmp_path_factory.mktemp("place") / "run")
    assert made.call() == 0
    return made


def test_sites_lie_on_the_plateaus_and_apart(run: Run) -> None:
    sites = run.sites()
    assert len(sites) >= 4
    assert (sites["rank"] == np.arange(1, len(sites) + 1)).all()
    assert (sites["probability"] == np.float32(0.97)).all()
    near = np.min([np.hypot(sites["x_m"] - a, sites["y_m"] - b) - 1.5 * reach for a, b, reach in PLATEAUS], axis=0)
    assert (near < 960.0).all()
    # Of the published places, the ellipses' centres.
    for placed, spacing_m in ((sites, 3_000.0), (run.sites("region_sites"), 2_000.0)):
        assert len(placed) >= 2
        lon, lat = (np.radians(placed[name].to_numpy()) for name in ("lon", "lat"))
        unit = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        gaps = np.linalg.norm(unit[:, None] - unit[None, :], axis=2) * MOON_RADIUS_M
        assert gaps[~np.eye(len(placed), dtype=bool)].min() >= spacing_m * (1.0 - 1e-6)
    overlaps = sites.geometry.iloc[0].intersection(sites.geometry.iloc[1]).area
    assert overlaps == pytest.approx(0.0)
    assert sites.geometry.union_all().area == pytest.approx(sites["cells"].sum() * 960.0**2)


def test_ellipses_lie_about_their_best_cell_and_in_their_ground(run: Run) -> None:
    sites = run.sites()
    cell = run.frame.loc[sites["cell_id"]]
    for axis in ("x_m", "y_m"):
        assert (np.abs(sites[axis].to_numpy() - cell[axis].to_numpy()) < 1.5 * 960.0).all()
    inside = sites["ellipse_inside_share"]
    assert (inside > 0.99).mean() > 0.9
    assert (sites["reasons_against"].str.contains("landing ellipse lies in") == (inside < 0.9)).all()
    for site in sites.itertuples():
        assert (site.geometry.distance(shapely.Point(site.x_m, site.y_m)) == 0.0) or site.ellipse_inside_share < 0.9
    assert (sites["ellipse_slope_mean_deg"] <= sites["ellipse_slope_max_deg"]).all()
    np.testing.assert_allclose(sites["ellipse_earth_pct"], 80.0, rtol=1e-6)
    row = sites.iloc[0]
    (i,), (j,) = AREA.index([row["x_m"]], [row["y_m"]])
    assert row["ellipse_slope_mean_deg"] == pytest.approx(run.slope[i, j], abs=0.7)


def test_rows_hold_the_facts_of_their_best_cell(run: Run) -> None:
    sites = run.sites()
    cell = run.frame.loc[sites["cell_id"]]
    np.testing.assert_allclose(sites["slope_deg"], cell["slope"], rtol=1e-6)
    np.testing.assert_allclose(sites["longest_night_h"], 100.0 + cell["x_m"] / 1_000.0, rtol=1e-6)
    assert (sites["good_area_km2"] >= sites["area_km2"] * (1.0 - 1e-6)).all()
    found, _ = record.read(run.path("record"), contracts.SITES_RECORD)
    assert sites.groupby("piece_id")["good_area_km2"].nunique().eq(1).all()
    assert found.metric("pieces_of_sites") == sites["piece_id"].nunique() == 2
    assert f"The {len(sites)} sites lie on 2 of 2 pieces" in " ".join(found.notes)
    assert sum(float(str(row["share_of_weighted_spread"])) for row in found.tables["criteria"]) == pytest.approx(1.0)
    assert found.metric("good_area") == pytest.approx(sites["good_area_km2"].unique().sum(), rel=0.2)


def test_sentences_tell_what_is_true_of_a_site(run: Run) -> None:
    sites = run.sites()
    walled = sites["psr_walk"] == "no way"
    assert walled.any()
    assert not walled.all()
    assert (sites["reasons_against"].str.contains("no way on foot") == walled).all()
    assert sites["reasons_against"].str.contains("craters on 12.5 % of the cell").all()
    gentle = sites["slope_deg"] < 4.9
    assert sites.loc[gentle, "reasons_for"].str.contains("slope").all()
    assert sites["unknown"].str.contains("temperature").all()
    assert not sites["unknown"].str.contains("longest night").any()


def test_ranks_are_kept_draw_by_draw(run: Run) -> None:
    sites, (ranks, stamp) = run.sites(), table.read(run.path("ranks"), contracts.SITE_RANKS)
    assert len(ranks) == 60 * len(sites)
    assert stamp.seed == 13
    for _, draw in ranks.groupby("draw"):
        assert sorted(draw["rank"]) == list(range(1, len(sites) + 1))
    medians = ranks.groupby("site_id")["rank"].median()
    np.testing.assert_allclose(sites.set_index("site_id")["rank_median"], medians)
    assert ((sites["rank_low"] <= sites["rank_median"]) & (sites["rank_median"] <= sites["rank_high"])).all()
    assert (sites["share_top_100"] == 1.0).all()
    found, _ = record.read(run.path("record"), contracts.SITES_RECORD)
    # Fewer than 20 sites cannot leave the 20 best, by either method.
    assert found.metric("top_20_mean_share_topsis") == found.metric("top_20_mean_share_weighted_sum") == 1.0
    removed = found.metric("sites_removed_per_draw")
    assert removed is not None
    assert removed < 1.0


def test_routes_start_at_the_site_and_end_in_the_shadow(run: Run) -> None:
    sites, (routes, _) = run.sites().set_index("site_id"), table.read(run.path("routes"), contracts.ROUTES)
    assert set(routes.loc[routes["mover"] == "walk", "site_id"]) == set(sites.index[sites["psr_walk"] == "reached"])
    assert set(routes.loc[routes["mover"] == "rover", "site_id"]) == set(sites.index)
    for (site, mover), points in routes.groupby(["site_id", "mover"]):
        first, last = points.iloc[0], points.iloc[-1]
        assert (first["x_m"], first["y_m"]) == (sites["x_m"][site], sites["y_m"][site])
        row, col = AREA.index(last["x_m"], last["y_m"])
        assert run.ways[mover].path_m[row, col] == 0.0
        row, col = AREA.index(first["x_m"], first["y_m"])
        assert sites[f"psr_{mover}_m"][site] == pytest.approx(last["path_m"], rel=1e-4)
        assert last["path_m"] == pytest.approx(run.ways[mover].path_m[row, col], rel=1e-4)


def test_regions_have_sites_by_the_hls_rule_or_say_why_not(run: Run) -> None:
    sites = run.sites("region_sites")
    # The learned score learned another rule: its reasons say which.
    told = "\n".join([*sites["reasons_for"], *sites["reasons_against"]])
    assert "the CASSA rule, which the score learned, allows 5°" in told
    assert "(the rule" not in told
    assert set(sites["region"]) == {"AA"}
    assert (sites["probability"] == np.float32(0.9)).all()
    assert sites["x_m"].between(6_000.0, 14_000.0).all()
    assert sites["y_m"].between(-7_000.0, 1_000.0).all()
    assert sites["rank"].tolist() == list(range(1, len(sites) + 1))
    found, _ = record.read(run.path("record"), contracts.SITES_RECORD)
    rows = {row["code"]: row for row in found.tables["regions"]}
    assert rows["AA"]["why"] == ""
    assert rows["AA"]["sites"] == len(sites)
    assert rows["BB"]["sites"] == 0
    assert "slope in 100 %" in str(rows["BB"]["why"])
    assert "no cell of the map" in str(rows["CC"]["why"])
    assert any("do not resolve the hls rule's buffer of 100 m" in note for note in found.notes)
    overall = run.sites()
    assert set(overall["region"]) == {"", "AA"}


def test_regions_do_not_touch_the_overall_list(run: Run, tmp_path: Path) -> None:
    before = run.sites().drop(columns=["region", "geometry"])
    moved = tmp_path / "regions.csv"
    text = run.path("regions").read_text(encoding="utf-8")
    moved.write_text("\n".join(line for line in text.splitlines() if ",AA," not in line) + "\n", encoding="utf-8")
    other = Run(tmp_path / "other")
    assert other.call(regions=moved) == 0
    pd.testing.assert_frame_equal(other.sites().drop(columns=["region", "geometry"]), before)


def test_the_same_inputs_give_the_same_bytes(run: Run, tmp_path: Path) -> None:
    other = Run(tmp_path / "again")
    assert other.call() == 0
    for name in OUTPUTS:
        assert other.path(name).read_bytes() == run.path(name).read_bytes(), name


def test_other_programs_read_the_lunar_map(run: Run) -> None:
    for name in ("sites", "region_sites"):
        frame, told = run.sites(name), gpd.read_file(run.path(f"{name}_geojson"))
        assert is_polar_map(told.crs)
        assert told.geometry.iloc[0].equals_exact(frame.geometry.iloc[0], 1e-6)
        whole = json.loads(run.path(f"{name}_geojson").read_text(encoding="utf-8"))
        assert "not longitude and latitude" in whole["lunarsite"]["coordinates"]
        assert whole["lunarsite"]["units"]["slope_deg"] == "deg"
        assert whole["features"][0]["properties"]["temperature_k"] is None
    layers = {
        layer: gpd.read_file(run.path("sites_gpkg"), layer=layer)
        for layer in gpd.list_layers(run.path("sites_gpkg"))["name"]
    }
    assert set(layers) == {"sites", "region_sites", "ellipses", "routes"}
    assert all(is_polar_map(layer.crs) for layer in layers.values())
    assert len(layers["ellipses"]) == len(layers["sites"]) + len(layers["region_sites"])
    assert (layers["routes"].length > 0.0).all()


@pytest.mark.parametrize("chance", [0.1, np.nan])
def test_no_good_ground_makes_empty_lists_and_says_so(tmp_path: Path, chance: float) -> None:
    bare = Run(tmp_path / "bare", lambda base: np.full(len(base), chance))
    assert bare.call() == 0
    assert bare.sites().empty
    assert bare.sites("region_sites").empty
    found, _ = record.read(bare.path("record"), contracts.SITES_RECORD)
    assert found.metric("sites") == 0.0
    assert any("no sites" in note for note in found.notes)
    assert found.verdicts[0].holds is None
    why = str(next(row["why"] for row in found.tables["regions"] if row["code"] == "AA"))
    assert ("unknown in all" if np.isnan(chance) else "none is probable enough") in why
    assert json.loads(bare.path("sites_geojson").read_text(encoding="utf-8"))["features"] == []
    assert is_polar_map(gpd.read_file(bare.path("sites_gpkg"), layer="sites").crs)


def test_one_site_is_a_list(tmp_path: Path) -> None:
    single = Run(tmp_path / "single", lambda base: np.where(base["cell_id"] == 700, 0.9, 0.0))
    assert single.call() == 0
    (row,) = single.sites().to_dict("records")
    assert (row["cell_id"], row["cells"], row["rank_low"], row["rank_high"]) == (700, 1, 1.0, 1.0)


def test_shifted_limits_start_from_light_less_its_bias(tmp_path: Path) -> None:
    # All light lies between 40 and 60 %: only less 20 % of bias do limits of 33 % remove sites.
    biased = Run(tmp_path / "biased", lambda base: np.where(base["slope"] <= 5.0, 0.97, 0.02), light_bias=20.0)
    assert biased.call() == 0
    found, _ = record.read(biased.path("record"), contracts.SITES_RECORD)
    removed = found.metric("sites_removed_per_draw")
    assert removed is not None
    assert removed > 1.0


def test_the_weighted_sum_orders_where_it_is_asked_for(tmp_path: Path) -> None:
    other = Run(tmp_path / "sum")
    assert other.call({"ranking": {"draws": 20, "method": "weighted_sum"}}) == 0
    sites = other.sites()
    assert (sites["rank"] == sites["rank_weighted_sum"]).all()
    assert sites["merit_weighted_sum"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {
                "scorer": {"target": "mine"},
                "rules": {
                    "own": {
                        "mine": {"max_slope_deg": 3.0, "min_illumination_pct": 1.0, "min_earth_visibility_pct": 1.0}
                    }
                },
            },
            "no labels of the rule 'mine'",
        ),
        ({"grid": GRID | {"latitude_limit_deg": 89.5}}, "lists 1536 cells, the run's grid has 788"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    run: Run, changed: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.call(changed) == command.EXIT_ARTEFACT
    assert said in capsys.readouterr().err


def test_a_record_of_labels_without_errors_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "labels.json"
    record.write(bare, contracts.LABELS_RECORD, Record(title="Labels"), run.stamp(contracts.LABELS_RECORD))
    assert run.call(labels_record=bare) == command.EXIT_ARTEFACT
    assert "light_sigma, earth_sigma, light_bias, earth_bias" in capsys.readouterr().err
