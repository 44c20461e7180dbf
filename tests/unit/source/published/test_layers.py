"""Light, shadow and slopes from published rasters: the first product that knows a pixel fills it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from lunarsite.grid import Grid, xy_to_lonlat
from lunarsite.source.kinds import LocalError
from lunarsite.source.local import Quantity
from lunarsite.source.published import layers
from lunarsite.source.published.layers import CLASSES, SHARE, SLOPE, Layer
from lunarsite.source.published.rasters import opened
from tests.layouts.rasters import SHARE_SCALE, write_tiff
from tests.layouts.tables import receipt_of
from tests.unit.source.test_local import write

RUN = Grid(-960.0, 960.0, 80.0, 24, 24)


def product(folder: Path, name: str, grid: Grid, values: np.ndarray, **stored: object) -> Path:
    (folder / name).mkdir()
    write_tiff(folder / name / f"{name}.TIF", grid, values, **stored)
    return receipt_of(name, folder / name)


@contextmanager
def seen(receipts: Sequence[Path], quantity: Quantity, grid: Grid = RUN) -> Iterator[list[Layer]]:
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(path, "sun", quantity)) for path in receipts]
        yield [stack.enter_context(layers.layer(source, grid, quantity)) for source in sources]


def light(receipts: Sequence[Path], grid: Grid = RUN) -> tuple[np.ndarray, np.ndarray]:
    out = np.full(grid.shape, -1.0, dtype=np.float32)
    with seen(receipts, SHARE, grid) as maps:
        counts = np.zeros(len(maps), dtype=np.int64)
        for tile, values in layers.shares(maps, counts):
            out[tile.core] = values
    return out, counts


def dark(receipts: Sequence[Path], grid: Grid = RUN) -> np.ndarray:
    out = np.full(grid.shape, 7, dtype=np.uint8)
    with seen(receipts, CLASSES, grid) as maps:
        pairs = [(each, layers.shadow_value(each.source)) for each in maps]
        for tile, values in layers.shadow(pairs, np.zeros(len(maps), dtype=np.int64)):
            out[tile.core] = values
    return out


def stored(shares: np.ndarray) -> np.ndarray:
    return np.round(shares / SHARE_SCALE).astype(np.int16)


def test_stored_integers_become_shares_by_the_band_s_own_scale(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 25_001, RUN.shape).astype(np.int16)
    numbers[0, 0] = 25_000
    found, _ = light([product(tmp_path, "a", RUN, numbers, scale=SHARE_SCALE)])
    assert np.array_equal(found, (numbers * SHARE_SCALE).astype(np.float32))
    assert found.max() == 1.0
    other, _ = light([product(tmp_path, "b", RUN, numbers, scale=1.0 / 51_000.0)])
    assert np.allclose(other, numbers / 51_000.0)


def test_60_m_average_onto_80_m_by_area(tmp_path: Path) -> None:
    fine = Grid(-1_140.0, 1_140.0, 60.0, 38, 38)  # as the published pixels lie to the run's: edges agree at the pole
    numbers = np.random.default_rng(1).integers(0, 22_000, fine.shape).astype(np.int16)
    found, _ = light([product(tmp_path, "a", fine, numbers, scale=SHARE_SCALE)])
    small = np.repeat(np.repeat(numbers.astype(np.float64), 3, axis=0), 3, axis=1)[9:-9, 9:-9]  # 20 m, on the run's map
    expected = small.reshape(24, 4, 24, 4).mean(axis=(1, 3)) * SHARE_SCALE
    assert np.abs(found - expected).max() < 1e-6


def test_the_finest_product_that_has_all_of_a_pixel_fills_it(tmp_path: Path) -> None:
    fine = Grid(-300.0, 300.0, 60.0, 10, 10)
    coarse = Grid(-840.0, 840.0, 120.0, 14, 14)
    holed = np.full(fine.shape, 0.5)
    values = stored(holed)
    values[1, 1] = -32_768
    receipts = [
        product(tmp_path, "fine", fine, values, scale=SHARE_SCALE, nodata=-32_768),
        product(tmp_path, "coarse", coarse, stored(np.full(coarse.shape, 0.25)), scale=SHARE_SCALE),
    ]
    found, counts = light(receipts)
    x, y = (np.abs(axis) for axis in np.meshgrid(RUN.x_m(), RUN.y_m()))
    in_fine = (np.maximum(x, y) + 40.0) <= 300.0
    in_coarse = (np.maximum(x, y) + 40.0) <= 840.0
    hole = np.isclose(found, 0.25) & in_fine
    # Pixel (1, 1) of the fine map, 60 m about (-210, 210), lies within one of 80 m.
    assert {tuple(place) for place in np.argwhere(hole)} == {(9, 9)}
    assert np.allclose(found[in_fine & ~hole], 0.5)
    assert np.allclose(found[in_coarse & ~in_fine], 0.25)
    assert np.isnan(found[~in_coarse]).all()
    assert counts.tolist() == [int((in_fine & ~hole).sum()), int((in_coarse & ~in_fine).sum() + hole.sum())]


def test_maps_must_stand_finest_first(tmp_path: Path) -> None:
    fine, coarse = Grid(-300.0, 300.0, 60.0, 10, 10), Grid(-840.0, 840.0, 120.0, 14, 14)
    receipts = [
        product(tmp_path, name, grid, stored(np.full(grid.shape, 0.5)), scale=SHARE_SCALE)
        for name, grid in (("fine", fine), ("same", fine), ("coarse", coarse))
    ]
    with seen(receipts, SHARE) as maps:
        layers.check_order(maps)
        with pytest.raises(LocalError, match=r"^sun \(fine\): .*has pixels of 60 m .*coarse.TIF with 120 m"):
            layers.check_order([maps[2], maps[0]])
        assert not any(each.skips for each in maps)


def test_coarser_maps_are_interpolated_and_end_where_their_data_do(tmp_path: Path) -> None:
    coarse = Grid(-1_440.0, 1_440.0, 240.0, 12, 12)
    plane = 0.5 + coarse.x_m()[None, :] / 6_000.0 - coarse.y_m()[:, None] / 7_000.0
    found, _ = light([product(tmp_path, "a", coarse, plane.astype(np.float32), nodata=np.nan)])
    assert np.abs(found - (0.5 + RUN.x_m()[None, :] / 6_000.0 - RUN.y_m()[:, None] / 7_000.0)).max() < 1e-6


def test_longitude_and_latitude_are_averaged_onto_the_map(tmp_path: Path) -> None:
    run = Grid(-9_600.0, 9_600.0, 240.0, 80, 80)
    step = 1.0 / 256.0
    lon = np.arange(0.0, 360.0, 0.25) + 0.125
    lat = -89.0 - step * (np.arange(256) + 0.5)
    values = 0.5 + 0.4 * np.cos(np.radians(lon))[None, :] * (lat + 90.0)[:, None]
    (tmp_path / "a").mkdir()
    affine = Affine(0.25, 0.0, 0.0, 0.0, -step, -89.0)
    write(tmp_path / "a" / "a.TIF", values.astype(np.float32), affine, CRS.from_authority("IAU_2015", 30100))
    found, _ = light([receipt_of("a", tmp_path / "a")], run)
    lon_deg, lat_deg = xy_to_lonlat(run.x_m()[None, :], run.y_m()[:, None])
    expected = 0.5 + 0.4 * np.cos(np.radians(lon_deg)) * (lat_deg + 90.0)
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() < 0.004


def test_integers_without_a_scale_and_percentages_are_refused_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"int16 and its band declares no scale.*gdal_edit.py -scale"):
        light([product(tmp_path, "a", RUN, stored(np.full(RUN.shape, 0.3)))])
    with pytest.raises(LocalError, match=r"holds 30..30, allowed are 0..1 1; .*a percentage"):
        light([product(tmp_path, "b", RUN, np.full(RUN.shape, 30.0, np.float32))])
    with pytest.raises(LocalError, match=r"holds -0.4..-0.4"):
        light([product(tmp_path, "c", RUN, stored(np.full(RUN.shape, -0.4)), scale=SHARE_SCALE)])


def test_a_map_of_another_place_is_refused(tmp_path: Path) -> None:
    away = Grid(90_000.0, 0.0, 60.0, 4, 4)
    with pytest.raises(LocalError, match="does not overlap the run's grid"):
        light([product(tmp_path, "a", away, np.zeros(away.shape, np.float32))])


@pytest.mark.parametrize("value", [1, 255])
def test_shadow_is_the_larger_of_two_values_by_the_larger_part_of_a_pixel(tmp_path: Path, value: int) -> None:
    fine = Grid(-960.0, 960.0, 20.0, 96, 96)
    classes = np.zeros(fine.shape, np.uint8)
    classes[0:4, 0:2] = value  # half of pixel (0, 0)
    classes[0:4, 4:5] = value  # a quarter of pixel (0, 1)
    classes[4:7, 0:4] = value  # three quarters of pixel (1, 0)
    found = dark([product(tmp_path, "a", fine, classes)])
    assert {tuple(place) for place in np.argwhere(found == 1)} == {(0, 0), (1, 0)}
    assert set(np.unique(found)) == {0, 1}


def test_shadow_of_coarser_maps_is_that_of_the_nearest_pixel_and_ends_with_the_data(tmp_path: Path) -> None:
    coarse = Grid(-480.0, 480.0, 240.0, 4, 4)
    classes = np.random.default_rng(5).permutation(np.array([1] * 6 + [0] * 9 + [9], np.uint8)).reshape(4, 4)
    found = dark([product(tmp_path, "a", coarse, classes, nodata=9)])
    expected = np.full(RUN.shape, 255, np.uint8)
    expected[6:18, 6:18] = np.repeat(np.repeat(np.where(classes == 9, 255, classes), 3, axis=0), 3, axis=1)
    assert np.array_equal(found, expected)


def test_shadow_of_the_next_map_fills_what_the_first_lacks(tmp_path: Path) -> None:
    fine, coarse = Grid(-480.0, 480.0, 60.0, 16, 16), Grid(-960.0, 960.0, 120.0, 16, 16)
    first, second = np.zeros(fine.shape, np.uint8), np.zeros(coarse.shape, np.uint8)
    first[:4], second[:, :4] = 1, 255
    found = dark([product(tmp_path, "a", fine, first), product(tmp_path, "b", coarse, second)])
    expected = np.zeros(RUN.shape, np.uint8)
    expected[:, :6] = 1
    expected[6:18, 6:18] = 0
    expected[6:9, 6:18] = 1
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("values", "nodata", "word"),
    [
        ([0, 0], None, "this one has 0 beside no-data"),
        ([0, 1], 0, r"this one has 1 beside no-data \(0.0\)"),
        ([0, 255], 255, r"this one has 0 beside no-data \(255.0\)"),
        ([0, 1, 2], None, "this one has 0, 1, 2 beside"),
        ([1, 2], None, "this one has 1, 2 beside"),
        ([0, 1, 255], None, "this one has 0, 1, 255 beside"),
        (list(range(12)), None, "this one has 0, 1, 2, 3, 4, 5 and more beside"),
    ],
)
def test_classes_that_tell_not_which_is_shadow_are_refused(
    tmp_path: Path, values: list[int], nodata: int | None, word: str
) -> None:
    classes = np.resize(np.array(values, np.uint8), RUN.shape)
    with pytest.raises(LocalError, match=word):
        dark([product(tmp_path, "a", RUN, classes, nodata=nodata)])


def test_a_map_that_marks_the_lit_ground_is_refused(tmp_path: Path) -> None:
    classes = np.ones(RUN.shape, np.uint8)
    classes[:5] = 0
    with pytest.raises(LocalError, match=r"1 covers 79% of the map.*is it the lit ground"):
        dark([product(tmp_path, "a", RUN, classes)])


def test_classes_may_be_stored_with_a_scale(tmp_path: Path) -> None:
    classes = np.zeros(RUN.shape, np.int16)
    classes[2, 3] = 25_000
    assert np.argwhere(dark([product(tmp_path, "a", RUN, classes, scale=SHARE_SCALE)]) == 1).tolist() == [[2, 3]]


def slopes(receipt: Path, grid: Grid = RUN) -> tuple[np.ndarray, np.ndarray]:
    out = np.full((2, *grid.shape), -1.0, dtype=np.float32)
    with seen([receipt], SLOPE, grid) as (fine,):
        for tile, mean, most in layers.slopes(fine):
            out[0][tile.core], out[1][tile.core] = mean, most
    return out[0], out[1]


def test_slopes_have_a_mean_and_a_largest_in_each_pixel(tmp_path: Path) -> None:
    fine = Grid(-960.0, 960.0, 20.0, 96, 96)
    values = np.random.default_rng(2).uniform(0.0, 60.0, fine.shape).astype(np.float32)
    values[1, 1] = np.nan
    mean, most = slopes(product(tmp_path, "a", fine, values, nodata=np.nan))
    blocks = values.reshape(24, 4, 24, 4)
    assert np.allclose(mean, blocks.mean(axis=(1, 3)), atol=1e-5, equal_nan=True)
    assert np.array_equal(most, blocks.max(axis=(1, 3)), equal_nan=True)
    assert np.argwhere(np.isnan(mean)).tolist() == [[0, 0]]


def test_slopes_no_finer_than_the_map_have_one_value(tmp_path: Path) -> None:
    values = np.random.default_rng(2).uniform(0.0, 60.0, RUN.shape).astype(np.float32)
    mean, most = slopes(product(tmp_path, "a", RUN, values, nodata=np.nan))
    assert np.array_equal(mean, values)
    assert np.array_equal(most, values)


RADIAL = Grid(-9_600.0, 9_600.0, 240.0, 80, 80)


@pytest.mark.parametrize(("step_deg", "skips"), [(0.25, False), (0.05, True)])
def test_narrow_pixels_that_lie_between_samples_are_told(tmp_path: Path, step_deg: float, skips: bool) -> None:
    """One column of steep ground along 0 E: 4.4 m wide for each kilometre from the pole, or a fifth of that."""
    step_lat = 1.0 / 64.0
    values = np.full((64, round(360.0 / step_deg)), 5.0, np.float32)
    values[:, 0] = 80.0
    (tmp_path / "a").mkdir()
    affine = Affine(step_deg, 0.0, 0.0, 0.0, -step_lat, -89.0)
    write(tmp_path / "a" / "a.TIF", values, affine, CRS.from_authority("IAU_2015", 30100))
    receipt = receipt_of("a", tmp_path / "a")
    with seen([receipt], SLOPE, RADIAL) as (each,):
        assert each.skips == skips
        assert each.file_pixels < 16.0, "by area alone they would all be seen"
        assert each.columns > 4.0 * each.file_pixels * 0.5
    _, most = slopes(receipt, RADIAL)
    # Pixels whose western or eastern side is 0 E, 6 to 8 km from the pole; samples begin half a step from it.
    lon_deg, _ = xy_to_lonlat(np.array([[1.0]]), RADIAL.y_m()[None, 6:14])
    assert ((lon_deg >= 0.0) & (lon_deg < step_deg)).all()
    assert (most[6:14, 40] == (5.0 if skips else 80.0)).all()


@pytest.mark.parametrize(("file_m", "skips"), [(40.0, False), (12.0, True)])
def test_turned_maps_are_sampled_and_say_when_pixels_are_left_out(tmp_path: Path, file_m: float, skips: bool) -> None:
    run = Grid(-2_400.0, 2_400.0, 240.0, 20, 20)
    side = round(6_800.0 / file_m)
    turned = Affine.rotation(30.0) @ Affine.translation(-3_400.0, 3_400.0) @ Affine.scale(file_m, -file_m)
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "a.TIF", np.full((side, side), 5.0, np.float32), turned)
    with seen([receipt_of("a", tmp_path / "a")], SLOPE, run) as (each,):
        assert each.columns == pytest.approx(each.file_pixels, rel=1e-3), "square pixels, however they are turned"
        assert each.file_pixels == pytest.approx(240.0 / file_m, rel=1e-3)
        assert each.skips == skips


def test_slopes_beyond_the_vertical_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"allowed are 0..90 deg; is a no-data value not declared"):
        slopes(product(tmp_path, "a", RUN, np.full(RUN.shape, -9_999.0, np.float32)))


@pytest.mark.parametrize(("pixel_m", "side"), [(80.0, 256), (240.0, 64), (20.0, 1_024)])
def test_tiles_need_a_bounded_part_of_the_file(tmp_path: Path, pixel_m: float, side: int) -> None:
    fine = Grid(-1_000.0, 1_000.0, 20.0, 100, 100)
    receipt = product(tmp_path, "a", fine, np.zeros(fine.shape, np.float32))
    run = Grid(-960.0, 960.0, pixel_m, 8, 8)
    with seen([receipt], SLOPE, run) as (each,):
        assert each.tile_px == side
        assert each.tile_px * max(pixel_m / 20.0, 1.0) <= 1_024


def test_tiles_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = Grid(-1_140.0, 1_140.0, 60.0, 38, 38)
    numbers = np.random.default_rng(1).integers(0, 22_000, fine.shape).astype(np.int16)
    receipt = product(tmp_path, "a", fine, numbers, scale=SHARE_SCALE)
    whole, _ = light([receipt])
    monkeypatch.setattr(layers, "_MOST_TILE_PX", 8)
    monkeypatch.setattr(layers, "_LEAST_TILE_PX", 8)
    assert np.array_equal(light([receipt])[0], whole)
