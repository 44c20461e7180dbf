"""Ways of sites: those of the ellipse's centre, and windows give what the whole map gives."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import REACH
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Cells, Grid
from lunarsite.site.criteria.reach import Shadow, find_ways
from lunarsite.site.criteria.routes import route
from lunarsite.site.place.ways import opened_ways, sites_routes, ways_from

AREA = Grid.centred(9_600.0, 240.0, 960.0)
CELLS = Cells(AREA, 960.0, 89.6)
STAMP = Stamp.model_validate(
    {"artefact": "reach", "stage": "test", "run": "fake", "settings_hash": "5" * 64, "code": "c" * 16, "inputs": {}}
    | {"git_commit": None, "git_dirty": None, "seed": None, "origin": "synthetic"}
)
SHADOW = np.zeros(AREA.shape, dtype=bool)
SHADOW[8:12, 8:12] = True


def site(cell: int) -> gpd.GeoDataFrame:
    (x_m, y_m), half = (CELLS.centres_m(), 0.5 * AREA.pixel_m)
    return gpd.GeoDataFrame({"site_id": [1], "cell_id": [cell], "x_m": [x_m[cell] + half], "y_m": [y_m[cell] + half]})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    slope = np.random.default_rng(3).uniform(0.0, 17.0, AREA.shape).astype(np.float32)
    slope[SHADOW] = 1.0
    paths = {}
    for mover, limit in (("walk", 15.0), ("rover", 25.0)):
        paths[mover] = tmp_path / f"{mover}.tif"
        found = find_ways(slope, Shadow(SHADOW, SHADOW), AREA, limit)
        raster.write(paths[mover], REACH, AREA, found._asdict(), STAMP)
    return paths


def test_a_window_holds_the_whole_way(files: dict[str, Path]) -> None:
    for cell in range(0, CELLS.count, 29):
        one = site(cell)
        found = sites_routes(one, files, CELLS)
        for mover, path in files.items():
            lengths = raster.read(path, REACH)["path_m"]
            own = found[found["mover"] == mover]
            start = tuple(int(index) for index in AREA.index(one["x_m"][0], one["y_m"][0]))
            assert own.empty == np.isnan(lengths[start])
            if own.empty:
                continue
            row, col = AREA.index(own["x_m"].iloc[0], own["y_m"].iloc[0])
            whole = route(lengths, AREA, int(row), int(col))
            np.testing.assert_allclose(own[["x_m", "y_m"]], whole.points_m)
            np.testing.assert_allclose(own["path_m"], whole.lengths_m)
            assert CELLS.id_at(own["x_m"].iloc[0], own["y_m"].iloc[0]) == cell


def test_ways_are_those_of_the_pixel_of_the_centre(tmp_path: Path) -> None:
    # The centre's own pixel is too steep to walk, all around it is level; of the next one the slope is unknown.
    slope = np.ones(AREA.shape, dtype=np.float32)
    one = site(CELLS.count // 2)
    x_m, y_m = float(one["x_m"][0]), float(one["y_m"][0])
    row, col = (int(index) for index in AREA.index(x_m, y_m))
    slope[row, col], slope[row, col + 1] = 20.0, np.nan
    paths = {}
    for mover, limit in (("walk", 15.0), ("rover", 25.0)):
        paths[mover] = tmp_path / f"{mover}.tif"
        found = find_ways(slope, Shadow(SHADOW, SHADOW), AREA, limit)
        raster.write(paths[mover], REACH, AREA, found._asdict(), STAMP)
    with opened_ways(paths, AREA) as ways:
        told = ways_from(ways, AREA, np.array([x_m, x_m + 240.0, x_m]), np.array([y_m, y_m, y_m + 240.0]))
    assert told["psr_walk"] == ["no way", "unknown", "reached"]
    assert told["psr_rover"] == ["reached", "unknown", "reached"]
    assert np.isnan(told["psr_walk_m"]).tolist() == [True, True, False]
    routes = sites_routes(one, paths, CELLS)
    assert set(routes["mover"]) == {"rover"}
    assert routes["path_m"].iloc[-1] == pytest.approx(told["psr_rover_m"][0], rel=1e-5)
    assert (routes["x_m"].iloc[0], routes["y_m"].iloc[0]) == (x_m, y_m)


def test_a_site_without_a_way_has_no_route(tmp_path: Path) -> None:
    slope = np.ones(AREA.shape, dtype=np.float32)
    slope[14:16] = 40.0
    slope[:, 14:16] = 40.0
    found = find_ways(slope, Shadow(SHADOW, SHADOW), AREA, 15.0)
    paths = dict.fromkeys(("walk", "rover"), tmp_path / "reach.tif")
    raster.write(paths["walk"], REACH, AREA, found._asdict(), STAMP)
    assert sites_routes(site(CELLS.count - 5), paths, CELLS).empty
