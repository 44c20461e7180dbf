"""Tiles of a map: what they show, whose ground it is, and where their craters lie."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.artefact import ArtefactError, contracts, raster, table, tiles
from lunarsite.grid import Grid, in_sector, lonlat_to_xy, scale_factor, xy_to_lonlat
from lunarsite.settings import CatalogueSettings, SplitSettings, TileSettings
from lunarsite.stage import Job
from lunarsite.vision.crater.tiles import SIZE_PX, CutTile, cut_tiles, ring_mask, split_ground, tile_places, write_tiles

GRID = Grid(-96_000.0, 96_000.0, 240.0, 800, 800)
SPLIT = SplitSettings()


def relief(grid: Grid = GRID) -> np.ndarray:
    return (0.01 * grid.x_m()[None, :] + 0.02 * grid.y_m()[:, None]).astype(np.float32)


def catalogue(places: list[tuple[float, float, float]], grid: Grid = GRID) -> pd.DataFrame:
    lon, lat, diameter = (np.array(column, dtype=float) for column in zip(*places, strict=True))
    x_m, y_m = lonlat_to_xy(lon, lat, grid.pole)
    return pd.DataFrame({"lon_deg": lon, "lat_deg": lat, "x_m": x_m, "y_m": y_m, "diameter_m": diameter})


def random_craters(count: int = 400, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x_m, y_m = rng.uniform(-96_000.0, 96_000.0, (2, count))
    lon, lat = xy_to_lonlat(x_m, y_m)
    frame = {
        "lon_deg": lon,
        "lat_deg": lat,
        "x_m": x_m,
        "y_m": y_m,
        "diameter_m": 800.0 * rng.pareto(1.8, count) + 800.0,
    }
    return pd.DataFrame(frame)


def cut(
    craters: pd.DataFrame,
    pixel_m: tuple[float, ...] = (240.0,),
    covered: tuple[float, float] = (-180.0, 180.0),
    split: SplitSettings = SPLIT,
    heights: np.ndarray | None = None,
    grid: Grid = GRID,
) -> list[CutTile]:
    ground = relief(grid) if heights is None else heights
    settings_of_catalogue = CatalogueSettings(lon_deg=covered)
    tiling = TileSettings(pixel_m=pixel_m)
    return list(cut_tiles(lambda window: ground[window], grid, craters, tiling, split, settings_of_catalogue))


def corners_lon(tile: CutTile, grid: Grid = GRID) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes of a 3 x 3 lattice over every known pixel of a tile, from one corner to the other."""
    row, col = np.nonzero(tile.image)
    found = []
    for down in (0.001, 0.5, 0.999):
        for across in (0.001, 0.5, 0.999):
            x_m = grid.x_min_m + (tile.col + col + across) * tile.pixel_m
            y_m = grid.y_max_m - (tile.row + row + down) * tile.pixel_m
            found.append(xy_to_lonlat(x_m, y_m, grid.pole)[0])
    return np.concatenate(found), np.hypot(x_m, y_m)


@given(
    st.floats(-180.0, 180.0),
    st.floats(4.0, 120.0),
    st.floats(4.0, 100.0),
    st.sampled_from([(-180.0, 180.0), (0.0, 180.0), (170.0, 350.0)]),
    st.sampled_from(["south", "north"]),
)
@settings(max_examples=12)
def test_a_tile_shows_the_ground_of_its_split_alone(first, width, test_width, covered, pole) -> None:
    grid = Grid(-60_000.0, 60_000.0, 480.0, 250, 250, pole)
    validation = first, (first + width + 180.0) % 360.0 - 180.0
    start = validation[1] + 5.0
    start = start if start <= 180.0 else start - 360.0
    tests = start, (start + test_width + 180.0) % 360.0 - 180.0
    split = SplitSettings(validation_lon_deg=validation, test_lon_deg=tests)
    for tile in cut(random_craters(), (340.0, 480.0, 700.0), covered, split, grid=grid):
        lon_deg, _ = corners_lon(tile, grid)
        assert lon_deg.size > 0
        assert in_sector(lon_deg, covered).all()
        assert not in_sector(lon_deg, tests).any()
        assert (in_sector(lon_deg, validation) == (tile.per_tile["split"] == 1.0)).all()


def test_resampling_brings_no_height_from_other_ground() -> None:
    lon_deg, _ = xy_to_lonlat(GRID.x_m()[None, :], GRID.y_m()[:, None])
    for number, sector in ((1.0, SPLIT.validation_lon_deg), (0.0, SPLIT.test_lon_deg)):
        # Training ground borders on test ground: nothing of its height may show; validation ground has its own.
        heights = np.where(in_sector(lon_deg, sector), 1000.0, 0.0).astype(np.float32)
        expected = 1000.0 if number == 1.0 else 0.0
        for tile in cut(random_craters(), (170.0, 340.0, 480.0, 700.0), heights=heights):
            if tile.per_tile["split"] == number:
                assert (tile.per_tile["elev_min_m"], tile.per_tile["elev_max_m"]) == (expected, expected)


def test_hardly_any_ground_is_lost() -> None:
    found = cut(random_craters())
    shown = {0.0: np.zeros(GRID.shape, bool), 1.0: np.zeros(GRID.shape, bool)}
    for tile in found:
        row, col = np.nonzero(tile.image)
        shown[float(tile.per_tile["split"])][tile.row + row, tile.col + col] = True
    lon_deg, _ = xy_to_lonlat(GRID.x_m()[None, :], GRID.y_m()[:, None])
    validates, tests = in_sector(lon_deg, SPLIT.validation_lon_deg), in_sector(lon_deg, SPLIT.test_lon_deg)
    assert shown[1.0].sum() > 0.97 * validates.sum()
    assert shown[0.0].sum() > 0.97 * (~validates & ~tests).sum()
    assert not (shown[0.0] & shown[1.0]).any()


def test_validation_never_shows_test_ground() -> None:
    """Settings refuse such sectors; were they to let them through, the ground that tests would still be kept out."""
    grid = Grid(-60_000.0, 60_000.0, 480.0, 250, 250)
    split = SplitSettings.model_construct(validation_lon_deg=(-180.0, 180.0), test_lon_deg=(40.0, 100.0))
    ground = split_ground(grid, split, CatalogueSettings(), 1)
    lon_deg, _ = xy_to_lonlat(grid.x_m()[None, :], grid.y_m()[:, None])
    assert not ground[in_sector(lon_deg, (40.0, 100.0))].any()
    assert ground[~in_sector(lon_deg, (35.0, 105.0))].mean() > 0.9


def test_grey_levels_give_the_heights_back() -> None:
    for tile in cut(random_craters(), (240.0, 340.0)):
        low, high = float(tile.per_tile["elev_min_m"]), float(tile.per_tile["elev_max_m"])
        row, col = np.nonzero(tile.image)
        x_m = GRID.x_min_m + (tile.col + col + 0.5) * tile.pixel_m
        y_m = GRID.y_max_m - (tile.row + row + 0.5) * tile.pixel_m
        expected = 0.01 * x_m + 0.02 * y_m
        inside = np.maximum(np.abs(x_m), np.abs(y_m)) < 95_000.0
        # A mean over parts of pixels takes each part for its pixel's centre: up to 60 m off along x and y.
        slack = 0.1 if tile.pixel_m == 240.0 else 1.9
        found = low + (tile.image[row, col] - 1.0) * (high - low) / 254.0
        assert np.abs(found - expected)[inside].max() < 0.51 * (high - low) / 254.0 + slack
        assert tile.image.max() == 255
        assert tile.image[tile.image > 0].min() == 1


def test_level_ground_and_gaps() -> None:
    heights = np.full(GRID.shape, 7.0, np.float32)
    heights[100:140, 200:230] = np.nan
    shown = np.zeros(GRID.shape, bool)
    for tile in cut(random_craters(), heights=heights):
        assert set(np.unique(tile.image)) <= {0, 1}
        assert tile.per_tile["elev_min_m"] == tile.per_tile["elev_max_m"] == 7.0
        row, col = np.nonzero(tile.image)
        shown[tile.row + row, tile.col + col] = True
    assert not shown[100:140, 200:230].any()


def test_craters_lie_where_the_map_has_them() -> None:
    known = random_craters()
    for tile in cut(known, (240.0, 340.0), (0.0, 180.0)):
        listed = tile.craters
        x_m = GRID.x_min_m + (tile.col + listed["x_px"] + 0.5) * tile.pixel_m
        y_m = GRID.y_max_m - (tile.row + listed["y_px"] + 0.5) * tile.pixel_m
        expected_x, expected_y = lonlat_to_xy(listed["lon"], listed["lat"])
        assert np.allclose(x_m, expected_x, atol=1.0)
        assert np.allclose(y_m, expected_y, atol=1.0)
        diameter_px = 1000.0 * listed["diameter_km"] * scale_factor(x_m, y_m) / tile.pixel_m
        assert np.allclose(listed["diameter_px"], diameter_px, rtol=1e-5)
        assert (listed["diameter_km"] >= 1.0).all()
        assert (listed["diameter_px"] >= 2.0).all()
        validates = in_sector(listed["lon"], SPLIT.validation_lon_deg)
        assert (validates == (tile.per_tile["split"] == 1.0)).all()
        assert not in_sector(listed["lon"], SPLIT.test_lon_deg).any()
        assert in_sector(listed["lon"], (0.0, 180.0)).all()
        # Complete: every crater of that ground whose centre lies in the tile is listed.
        col = (known["x_m"] - GRID.x_min_m) / tile.pixel_m - tile.col
        row = (GRID.y_max_m - known["y_m"]) / tile.pixel_m - tile.row
        size_px = known["diameter_m"] * scale_factor(known["x_m"], known["y_m"]) / tile.pixel_m
        wanted = (known["diameter_m"] >= 1000.0) & (size_px >= 2.0) & col.between(0, SIZE_PX) & row.between(0, SIZE_PX)
        wanted &= in_sector(known["lon_deg"], (0.0, 180.0)) & ~in_sector(known["lon_deg"], SPLIT.test_lon_deg)
        wanted &= in_sector(known["lon_deg"], SPLIT.validation_lon_deg) == bool(tile.per_tile["split"])
        assert set(known["lon_deg"][wanted].astype(np.float32)) <= set(listed["lon"])


def test_scales_and_bounds() -> None:
    for tile in cut(random_craters(), (340.0,), (0.0, 180.0)):
        x_m = GRID.x_min_m + (tile.col + np.linspace(0, SIZE_PX, 65)[None, :]) * 340.0
        y_m = GRID.y_max_m - (tile.row + np.linspace(0, SIZE_PX, 65)[:, None]) * 340.0
        lon_deg, lat_deg = xy_to_lonlat(x_m, y_m)
        west, east, south, north = tile.per_tile["longlat_bounds"]
        assert ((lon_deg - west + 1e-6) % 360.0 <= east - west + 2e-6).all() or east - west == 360.0
        assert lat_deg.min() >= south - 1e-9
        assert north == pytest.approx(lat_deg.max())
        scale = scale_factor(x_m[0, 32], y_m[32, 0])
        assert tile.per_tile["km_per_px"] == pytest.approx(0.34 / scale)
        assert tile.per_tile["least_diameter_px"] == pytest.approx(1.0 * scale / 0.34)
        assert tile.per_tile["pix_distortion"] == 1.0


def test_rings_are_one_pixel_thick_and_centred() -> None:
    mask = ring_mask(np.array([20.3]), np.array([30.0]), np.array([17.0]), (64, 64))
    row, col = np.nonzero(mask)
    distance = np.hypot(col - 20.3, row - 30.0)
    assert np.abs(distance - 8.5).max() <= 0.5
    assert mask.sum() == pytest.approx(np.pi * 17.0, rel=0.08)
    assert ring_mask(np.array([-40.0]), np.array([30.0]), np.array([17.0]), (64, 64)).sum() == 0
    clipped = ring_mask(np.array([-1.0]), np.array([30.0]), np.array([17.0]), (64, 64))
    assert clipped[:, 0].any()


def test_rings_are_drawn_on_known_ground_only() -> None:
    found = cut(random_craters())
    assert sum(int(tile.mask.sum()) for tile in found) > 1000
    for tile in found:
        assert not (tile.mask > 0)[tile.image == 0].any()


@given(st.integers(1, 900), st.integers(1, 900), st.integers(64, 256))
@settings(max_examples=30)
def test_places_cover_all_of_a_rectangle(rows: int, cols: int, stride: int) -> None:
    ground = np.ones((rows, cols), bool)
    covered = np.zeros((rows + 2 * SIZE_PX, cols + 2 * SIZE_PX), bool)
    places = tile_places(ground, stride)
    for row, col in places:
        covered[SIZE_PX + row : 2 * SIZE_PX + row, SIZE_PX + col : 2 * SIZE_PX + col] = True
    if min(rows, cols) < 96:
        return  # tiles may show less than an eighth of it
    assert covered[SIZE_PX : SIZE_PX + rows, SIZE_PX : SIZE_PX + cols].all()
    for axis, size in ((0, rows), (1, cols)):
        starts = sorted({place[axis] for place in places})
        assert np.diff(starts).max(initial=0) <= stride
        if size >= SIZE_PX:
            assert (starts[0], starts[-1]) == (0, size - SIZE_PX)


def test_small_ground_has_its_best_tile() -> None:
    ground = np.zeros((300, 300), bool)
    assert tile_places(ground, 192) == []
    ground[10:30, 10:30] = True
    assert tile_places(ground, 192) == []
    ground[10:40, 10:40] = True
    assert tile_places(ground, 192) == [(-103, -103)]


def test_next_to_the_pole_narrow_sectors_are_kept_apart() -> None:
    split = SplitSettings(validation_lon_deg=(30.0, 34.0), test_lon_deg=(50.0, 55.0))
    grid = Grid(-12_000.0, 12_000.0, 240.0, 100, 100)
    ground = split_ground(grid, split, CatalogueSettings(), 0)
    x_m, y_m = (
        axis.ravel() for axis in np.meshgrid(np.linspace(-11_999, 11_999, 1601), np.linspace(-11_999, 11_999, 1601))
    )
    row, col = grid.index(x_m, y_m)
    lon_deg, _ = xy_to_lonlat(x_m, y_m)
    other = in_sector(lon_deg, (30.0, 34.0)) | in_sector(lon_deg, (50.0, 55.0))
    assert not ground[row[other], col[other]].any()
    assert ground.any()


def make_job() -> Job:
    return Job("crater-tiles", "default", "0" * 16, "0" * 64, origin="synthetic", git=(None, None))


def inputs(folder: Path, craters: pd.DataFrame) -> tuple[Path, Path]:
    import geopandas as gpd

    job, dem, catalogue_path = make_job(), folder / "dem.tif", folder / "craters.parquet"
    raster.write(dem, contracts.DEM, GRID, {"elevation_m": relief()}, job.stamp(contracts.DEM))
    frame = craters.assign(id=np.arange(len(craters)), name="", depth_m=np.nan, score=np.nan)
    frame = frame[[column.name for column in contracts.CRATERS.columns]]
    frame = frame.assign(geometry=gpd.points_from_xy(frame["x_m"], frame["y_m"]))
    table.write(catalogue_path, contracts.CRATERS, frame, job.stamp(contracts.CRATERS), "south")
    return dem, catalogue_path


def test_tiles_are_written_whole(tmp_path: Path) -> None:
    dem, craters = inputs(tmp_path, random_craters())
    tiling = TileSettings(pixel_m=(240.0, 480.0))
    for name in ("a.h5", "b.h5"):
        write_tiles(make_job(), tiling, SPLIT, CatalogueSettings(), dem, craters, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    tiles.validate(tmp_path / "a.h5", contracts.CRATER_TILES)
    expected = cut(random_craters(), (240.0, 480.0))
    with tiles.opened(tmp_path / "a.h5", contracts.CRATER_TILES) as source:
        assert len(source) == len(expected)
        for index, tile in enumerate(expected):
            assert np.array_equal(source.read("input_images", slice(index, index + 1))[0], tile.image)
            assert np.array_equal(source.craters(index)["x_px"], tile.craters["x_px"])


def test_a_map_without_ground_for_a_split_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dem, craters = inputs(tmp_path, random_craters())
    tiling, nowhere = TileSettings(pixel_m=(240.0,)), CatalogueSettings(lon_deg=(-90.0, -60.0))
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(ArtefactError, match="no ground for validation; change crater"),
    ):
        write_tiles(make_job(), tiling, SPLIT, nowhere, dem, craters, tmp_path / "t.h5")
    assert "0 tiles for validation" in caplog.text
    assert not (tmp_path / "t.h5").exists()
