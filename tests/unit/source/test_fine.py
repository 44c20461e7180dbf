from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from lunarsite.grid import Grid, map_radius_m, xy_to_lonlat
from lunarsite.source import fine
from lunarsite.source.fine import fine_grid
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import opened

from .test_local import plane, write

RUN = Grid(-48_000.0, 48_000.0, 240.0, 400, 400)
FIELD = "source.local.fine_dems"
GEOGRAPHIC = CRS.from_authority("IAU_2015", 30100)
GNOMONIC = CRS.from_string("+proj=gnom +lat_0=-90 +lon_0=30 +R=1737400 +units=m +no_defs")


def read(path: Path) -> tuple[Grid, np.ndarray, object]:
    grid = fine_grid(path, RUN, FIELD)
    with opened(path, grid, FIELD) as raster:
        return grid, raster.read(), raster.reading


def test_a_model_on_the_polar_map_keeps_its_own_pixels(tmp_path) -> None:
    own = Grid(1_003.0, -2_001.0, 5.0, 60, 70)
    grid, heights, reading = read(write(tmp_path / "fine.tif", plane(own), own.affine))
    assert grid == own
    assert reading.method == "copied"
    assert np.array_equal(heights, plane(own))


def test_a_model_that_reaches_beyond_the_map_is_cut_to_whole_pixels_of_its_own(tmp_path) -> None:
    own = Grid(47_901.0, 48_050.0, 20.0, 30, 30)
    grid, heights, reading = read(write(tmp_path / "fine.tif", plane(own), own.affine))
    assert grid == Grid(47_901.0, 48_010.0, 20.0, 28, 5)
    assert reading.method == "copied"
    assert np.array_equal(heights, plane(own)[2:, :5])


def lonlat_plane(lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
    rho = map_radius_m(90.0 + lat_deg)
    return 500.0 + 0.1 * rho * np.sin(np.radians(lon_deg)) - 0.05 * rho * np.cos(np.radians(lon_deg))


@pytest.mark.parametrize("first_lon_deg", [-175.0, 175.0, 200.0, 0.0])
def test_longitude_and_latitude_come_onto_a_polar_grid_as_fine_as_the_longer_side(
    tmp_path, first_lon_deg: float
) -> None:
    step = 1.0 / 512.0
    lon = first_lon_deg + (np.arange(10 * 512) + 0.5) * step
    lat = -88.75 - (np.arange(128) + 0.5) * step
    values = lonlat_plane(lon[None, :], lat[:, None]).astype(np.float32)
    path = write(tmp_path / "geo.tif", values, Affine(step, 0.0, first_lon_deg, 0.0, -step, -88.75), GEOGRAPHIC)
    grid, heights, reading = read(path)
    # A step of latitude is 59 m, one of longitude 1.3 m: the file tells no more than 59 m in every direction.
    assert grid.pixel_m == pytest.approx(np.radians(step) * 1_737_400.0, rel=1e-3)
    assert reading.method == "averaged"
    known = np.isfinite(heights)
    assert np.abs(heights - plane(grid))[known].max() < 8.0
    assert np.abs(np.median((heights - plane(grid))[known])) < 0.2
    # All of the file's ground is there, on whichever side of the longitudes' seam it lies.
    area = np.pi * float(map_radius_m(1.25) ** 2 - map_radius_m(1.0) ** 2) * 10.0 / 360.0
    assert known.sum() * grid.pixel_m**2 == pytest.approx(area, rel=0.05)


def test_another_projection_is_put_on_the_map_and_says_so(tmp_path) -> None:
    affine = Affine(10.0, 0.0, 5_000.0, 0.0, -10.0, -7_000.0)
    east, north = 5_000.0 + 10.0 * (np.arange(90) + 0.5), -7_000.0 - 10.0 * (np.arange(80) + 0.5)
    # Gnomonic and stereographic agree to a few parts in 1e5 so near to the pole; the map is turned by 30 degrees.
    turn = np.radians(30.0)
    x = east[None, :] * np.cos(turn) + north[:, None] * np.sin(turn)
    y = -east[None, :] * np.sin(turn) + north[:, None] * np.cos(turn)
    path = write(tmp_path / "gnom.tif", (500.0 + 0.1 * x - 0.05 * y).astype(np.float32), affine, GNOMONIC)
    grid, heights, reading = read(path)
    assert grid.pixel_m == pytest.approx(10.0, rel=1e-3)
    assert (round(grid.x_min_m / grid.pixel_m, 6) % 1.0, round(grid.y_max_m / grid.pixel_m, 6) % 1.0) == (0.0, 0.0)
    assert reading.method == "interpolated"
    known = np.isfinite(heights)
    assert np.abs(heights - plane(grid))[known].max() < 1.5
    assert known.sum() == pytest.approx(90 * 80, rel=0.05)


def test_pixels_that_are_not_square_are_resampled(tmp_path) -> None:
    own = Grid(0.0, 0.0, 10.0, 40, 40)
    path = write(tmp_path / "flat.tif", plane(own)[::2], Affine(10.0, 0.0, 0.0, 0.0, -20.0, 0.0))
    grid, _, reading = read(path)
    assert grid == Grid(0.0, 0.0, 20.0, 20, 20)
    assert reading.method == "averaged"


@pytest.mark.parametrize(
    ("grid", "word"),
    [
        (Grid(0.0, 0.0, 480.0, 20, 20), r"480 m are larger than the run's own of 240 m \(grid.pixel_m\)"),
        (Grid(90_000.0, 0.0, 20.0, 20, 20), "does not overlap"),
        (Grid(0.0, 90_000.0, 20.0, 20, 20), "does not overlap"),
    ],
)
def test_models_that_tell_nothing_are_refused(tmp_path, grid: Grid, word: str) -> None:
    path = write(tmp_path / "fine.tif", plane(grid), grid.affine)
    with pytest.raises(LocalError, match=word) as error:
        fine_grid(path, RUN, FIELD)
    assert str(error.value).startswith(f"{FIELD}: {path}")


def test_longitudes_elsewhere_and_far_too_many_pixels_are_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.zeros((64, 64), np.float32)
    equator = write(tmp_path / "equator.tif", values, Affine(0.01, 0.0, 10.0, 0.0, -0.01, 1.0), GEOGRAPHIC)
    with pytest.raises(LocalError, match="does not overlap"):
        fine_grid(equator, RUN, FIELD)
    monkeypatch.setattr(fine, "_MOST_PX", 1_000)
    own = Grid(0.0, 0.0, 10.0, 40, 40)
    with pytest.raises(LocalError, match=r"40 x 40 pixels.*several files"):
        fine_grid(write(tmp_path / "fine.tif", plane(own), own.affine), RUN, FIELD)


def test_bad_headers_are_refused_as_those_of_the_map_s_own_model(tmp_path) -> None:
    with pytest.raises(LocalError, match="does not exist"):
        fine_grid(tmp_path / "absent.tif", RUN, FIELD)
    own = Grid(0.0, 0.0, 10.0, 40, 40)
    earth = write(tmp_path / "earth.tif", plane(own), own.affine, CRS.from_epsg(3031))
    with pytest.raises(LocalError, match="not on the Moon's sphere"):
        fine_grid(earth, RUN, FIELD)


def test_places_of_the_test_s_plane() -> None:
    lon_deg, lat_deg = xy_to_lonlat(12_000.0, -7_000.0)
    assert float(lonlat_plane(lon_deg, lat_deg)) == pytest.approx(500.0 + 1_200.0 + 350.0)
