"""From heights to craters over a whole map: the same however it is shared out, in place, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from torch import nn

from lunarsite.grid import Grid, lonlat_to_xy, scale_factor
from lunarsite.settings import DetectionSettings, InferenceSettings, SettingsError
from lunarsite.vision.crater import resample
from lunarsite.vision.crater.calibration import Calibration
from lunarsite.vision.crater.inference import (
    Candidates,
    detections,
    find_candidates,
    infer_shard,
    probability_strips,
    pyramid_of,
)
from lunarsite.vision.crater.matching import NOTHING, Circles, match
from lunarsite.vision.crater.network import OUTPUTS

from .ground import DEPTH_RATIO, Oracle, bowls, moonlet, trained

PIXEL_M = 240.0
DETECTION = DetectionSettings(least_diameter_m=2_000.0, largest_diameter_m=6_000.0)
TILING = InferenceSettings(tile_px=96, halo_px=64)
Maps = NDArray[np.float32]

EPSILON = {"centre": 0.005, "octaves": 0.03, "rim": 0.01}
"""How far a shifted tiling may move responses and sizes, whose own errors are some ten times as large. The network of
these tests moves by less than 0.001 in its centres, 0.01 in its sizes and 0.003 in its rims at a halo of 64 px."""


def map_grid(size: int, centre: tuple[float, float] = (0.0, 0.0)) -> Grid:
    half = 0.5 * size * PIXEL_M
    return Grid(centre[0] - half, centre[1] + half, PIXEL_M, size, size)


def outputs_of(heights: Maps, grid: Grid, network: nn.Module, tiling: InferenceSettings = TILING) -> list[Maps]:
    pyramid = pyramid_of(grid, DETECTION)
    return list(infer_shard(lambda window: heights[window], grid, pyramid, network, tiling, 0))


def candidates_of(heights: Maps, grid: Grid, least: float = 0.3) -> Candidates:
    outputs = outputs_of(heights, grid, Oracle())
    return find_candidates(lambda window: heights[window], grid, pyramid_of(grid, DETECTION), outputs, DETECTION, least)


def one_bowl(grid: Grid, x_m: float, y_m: float, diameter_m: float) -> Maps:
    """A bowl whose diameter is the true one, anywhere on the map."""
    map_m = diameter_m * float(scale_factor(x_m, y_m))
    at = (np.array([(x_m - grid.x_min_m) / PIXEL_M - 0.5]), np.array([(grid.y_max_m - y_m) / PIXEL_M - 0.5]))
    return (PIXEL_M * bowls(grid.shape, *at, np.array([map_m / PIXEL_M]))).astype(np.float32)


def apart(first: list[Maps], second: list[Maps]) -> dict[str, float]:
    groups = {"centre": slice(0, 4), "octaves": slice(4, 8), "rim": slice(8, 9)}
    return {
        name: max(float(np.abs(a[part] - b[part]).max()) for a, b in zip(first, second, strict=True))
        for name, part in groups.items()
    }


def test_shards_put_together_are_the_whole() -> None:
    grid = map_grid(250)
    heights, _ = moonlet(grid, 5, 60)
    heights[:40, 100:160] = np.nan
    whole = outputs_of(heights, grid, Oracle())
    pyramid = pyramid_of(grid, DETECTION)
    for count in (2, 5):  # five: levels of fewer tile rows have empty shards
        tiling = TILING.model_copy(update={"shards": count})
        parts = [
            list(infer_shard(lambda window: heights[window], grid, pyramid, Oracle(), tiling, index))
            for index in range(count)
        ]
        for level, maps in enumerate(whole):
            assert np.array_equal(np.concatenate([part[level] for part in parts], axis=1), maps)
    assert min(part[-1].shape[1] for part in parts) == 0


def test_another_tiling_hardly_changes_what_a_trained_network_says() -> None:
    grid = map_grid(224)
    heights, _ = moonlet(grid, 6, 50)
    here = outputs_of(heights, grid, trained())
    assert here[0][:4].max() > 0.3, "the network says something at all"
    other = outputs_of(heights, grid, trained(), TILING.model_copy(update={"tile_px": 128}))
    found = apart(here, other)
    assert 0.0 < found["centre"] < EPSILON["centre"]
    assert found["octaves"] < EPSILON["octaves"]
    assert found["rim"] < EPSILON["rim"]


def test_a_shifted_lattice_hardly_changes_what_a_trained_network_says() -> None:
    """Exact shifts exist where the level's pixels are the map's: the finest level, 32 pixels less of the map."""
    grid = map_grid(224)
    heights, _ = moonlet(grid, 6, 50)
    pyramid = type(pyramid_of(grid, DETECTION))((PIXEL_M,))

    def finest(part: Maps, rows: int, cols: int) -> Maps:
        place = Grid(grid.x_min_m, grid.y_max_m, PIXEL_M, rows, cols)
        return next(infer_shard(lambda window: part[window], place, pyramid, trained(), TILING, 0))

    whole, shifted = finest(heights, 224, 224), finest(np.ascontiguousarray(heights[32:, 32:]), 192, 192)
    # What lies within a halo of the new border has lost its surroundings.
    inner = np.s_[:, 32:, 32:]
    found = apart([whole[:, 16:, 16:][inner]], [shifted[inner]])
    assert all(found[name] < EPSILON[name] for name in EPSILON)


@pytest.mark.parametrize("views", [4, 8])
def test_views_change_nothing_of_an_answer_that_knows_no_direction(views: int) -> None:
    grid = map_grid(128)
    heights, _ = moonlet(grid, 7, 20)
    one = outputs_of(heights, grid, Oracle())
    more = outputs_of(heights, grid, Oracle(), TILING.model_copy(update={"views": views}))
    assert max(apart(one, more).values()) < 1e-4


def test_views_are_averaged() -> None:
    grid = map_grid(96)
    heights, _ = moonlet(grid, 7, 12)
    turned = np.ascontiguousarray(np.rot90(heights))
    tiling = TILING.model_copy(update={"views": 4})
    pyramid = type(pyramid_of(grid, DETECTION))((PIXEL_M,))

    def maps(part: Maps, tiling: InferenceSettings) -> Maps:
        return next(infer_shard(lambda window: part[window], grid, pyramid, trained(), tiling, 0))

    back = np.rot90(maps(turned, tiling), -1, (1, 2))
    assert np.abs(maps(heights, tiling) - back).max() < 1e-4
    assert np.abs(maps(heights, TILING) - np.rot90(maps(turned, TILING), -1, (1, 2))).max() > 1e-3


def test_bowls_are_found_in_their_places_with_their_sizes() -> None:
    grid = map_grid(300, centre=(60_000.0, -90_000.0))
    heights, craters = moonlet(grid, 8, 60)
    found = candidates_of(heights, grid)
    wanted = craters[(craters["diameter_m"] > 2_300.0) & (craters["diameter_m"] < 5_200.0)]
    inside = (wanted[["x_m", "y_m"]] - [60_000.0, -90_000.0]).abs().max(axis=1) < 0.5 * 300 * PIXEL_M - 5_000.0
    wanted = wanted[inside]
    truth = Circles(*(wanted[name].to_numpy() for name in ("x_m", "y_m", "diameter_m")))
    partner = match(Circles(found.x_m, found.y_m, found.diameter_m), truth)
    assert (partner != NOTHING).sum() >= 0.9 * len(truth)
    paired = partner != NOTHING
    offset = np.hypot(found.x_m[paired] - truth.x_m[partner[paired]], found.y_m[paired] - truth.y_m[partner[paired]])
    assert np.median(offset) < 0.5 * PIXEL_M
    assert (np.diff(found.response) <= 0.0).all()
    depth = found.depth_m[paired] / found.diameter_m[paired]
    assert np.median(depth) == pytest.approx(DEPTH_RATIO, rel=0.25)


@pytest.mark.parametrize("lat_deg", [-90.0, -80.0])
def test_diameters_are_true_ones_at_the_pole_and_at_80_degrees(lat_deg: float) -> None:
    x_m, y_m = (float(value) for value in lonlat_to_xy(60.0, lat_deg))
    grid = map_grid(128, centre=(x_m, y_m))
    heights = one_bowl(grid, x_m, y_m, 3_600.0)
    found = candidates_of(heights, grid)
    pyramid = pyramid_of(grid, DETECTION)
    assert np.hypot(found.x_m[0] - x_m, found.y_m[0] - y_m) < 0.3 * PIXEL_M
    # The oracle knows the size of the scale alone, which is one of map metres.
    scale = float(scale_factor(x_m, y_m))
    sizes = np.array([one.diameter_m for one in pyramid.scales()])
    assert np.abs(found.diameter_m[0] * scale / sizes - 1.0).min() < 1e-3
    assert found.diameter_m[0] == pytest.approx(3_600.0, rel=0.2)


def test_wanted_diameters_are_true_ones() -> None:
    x_m, y_m = (float(value) for value in lonlat_to_xy(60.0, -80.0))
    grid = map_grid(128, centre=(x_m, y_m))
    heights = one_bowl(grid, x_m, y_m, 3_600.0)
    pyramid = pyramid_of(grid, DETECTION)
    outputs = outputs_of(heights, grid, Oracle())
    found = candidates_of(heights, grid).diameter_m[0]
    for factor, wanted in ((0.999, False), (1.001, True)):
        detection = DETECTION.model_copy(update={"largest_diameter_m": factor * found})
        kept = find_candidates(lambda window: heights[window], grid, pyramid, outputs, detection, 0.3)
        assert bool(np.isclose(kept.diameter_m, found).any()) is wanted


def test_the_pyramid_reaches_as_far_as_the_map_and_no_farther() -> None:
    wide = DetectionSettings(least_diameter_m=2_000.0, largest_diameter_m=200_000.0)
    pyramid = pyramid_of(map_grid(128), wide)
    assert pyramid.scales()[-1].diameter_m < 2.0 * 128 * PIXEL_M
    tiny = pyramid_of(map_grid(8), wide)
    assert len(tiny.pixel_m) == 1


def test_diameters_too_small_for_the_elevation_model_are_refused() -> None:
    tiny = DetectionSettings(least_diameter_m=900.0)
    with pytest.raises(SettingsError, match=r"crater\.detection\.least_diameter_m: 900 m .*113 m, .* 240 m; .* 959 m"):
        pyramid_of(map_grid(128), tiny)
    assert pyramid_of(map_grid(128), DetectionSettings(least_diameter_m=959.0)).pixel_m[0] >= 0.5 * PIXEL_M
    assert pyramid_of(map_grid(128), DetectionSettings()).pixel_m[0] == pytest.approx(0.73 * PIXEL_M, rel=0.01)


def test_candidates_on_unknown_ground_are_dropped() -> None:
    grid = map_grid(160)
    heights = one_bowl(grid, 5_000.0, 5_000.0, 3_600.0) + one_bowl(grid, -9_000.0, -3_000.0, 3_600.0)
    pyramid = pyramid_of(grid, DETECTION)
    outputs = outputs_of(heights, grid, Oracle())
    holed = heights.copy()
    row, col = round((grid.y_max_m - 5_000.0) / PIXEL_M), round((5_000.0 - grid.x_min_m) / PIXEL_M)
    holed[row - 3 : row + 3, col - 3 : col + 3] = np.nan
    found = find_candidates(lambda window: holed[window], grid, pyramid, outputs, DETECTION, 0.3)
    assert np.hypot(found.x_m + 9_000.0, found.y_m + 3_000.0).min() < PIXEL_M
    assert np.hypot(found.x_m - 5_000.0, found.y_m - 5_000.0).min() > 3.0 * PIXEL_M


def test_a_map_of_nothing_gives_an_empty_table() -> None:
    grid = map_grid(96)
    found = candidates_of(np.full(grid.shape, np.nan, np.float32), grid)
    assert found.x_m.size == 0
    table = detections(found, Calibration(0.0, 1.0, 0.0, 0.5), grid)
    assert len(table) == 0
    assert str(table["id"].dtype) == "int64"


def test_the_raster_is_known_where_heights_are_and_peaks_at_the_bowl() -> None:
    grid = map_grid(160)
    heights = one_bowl(grid, 5_000.0, -2_000.0, 3_000.0)
    rng = np.random.default_rng(0)
    heights[rng.random(grid.shape) < 0.02] = np.nan
    heights[:, :7] = np.nan
    outputs = outputs_of(heights, grid, Oracle())
    bands: dict[str, list[Maps]] = {"centre": [], "rim": []}
    for rows, strip in probability_strips(grid, pyramid_of(grid, DETECTION), outputs, lambda window: heights[window]):
        assert all(values.shape == (rows.stop - rows.start, grid.cols) for values in strip.values())
        for name, values in strip.items():
            bands[name].append(values)
    for parts in bands.values():
        raster = np.concatenate(parts)
        assert np.array_equal(np.isnan(raster), np.isnan(heights))
        assert np.nanmin(raster) >= 0.0
        assert np.nanmax(raster) <= 1.0
    centre = np.nan_to_num(np.concatenate(bands["centre"]))
    row, col = np.unravel_index(int(centre.argmax()), centre.shape)
    assert centre.max() > 0.5
    assert (col + 0.5) * PIXEL_M + grid.x_min_m == pytest.approx(5_000.0, abs=2.0 * PIXEL_M)
    assert grid.y_max_m - (row + 0.5) * PIXEL_M == pytest.approx(-2_000.0, abs=2.0 * PIXEL_M)


def test_the_table_is_ordered_by_score_and_says_what_is_accepted() -> None:
    grid = map_grid(64)
    rng = np.random.default_rng(0)
    x_m, y_m = rng.uniform(-7_000.0, 7_000.0, (2, 30))
    response = np.sort(rng.random(30))[::-1]
    found = Candidates(x_m, y_m, rng.uniform(2e3, 6e3, 30), np.full(30, np.nan), response)
    table = detections(found, Calibration(-0.2, 1.2, 0.8, 0.55), grid)
    assert table["id"].tolist() == list(range(1, 31))
    assert table["score"].is_monotonic_decreasing
    assert (table["accepted"] == (table["score"] >= 0.55)).all()
    order = pd.Series(response).isin(table["response"])
    assert order.all()
    again = Candidates(*(values[::-1] for values in vars(found).values()))
    pd.testing.assert_frame_equal(detections(again, Calibration(-0.2, 1.2, 0.8, 0.55), grid), table)


def test_memory_follows_the_finest_level_and_not_the_elevation_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heights at 30 m are averaged as they are read: 64 times the pixels, hardly more memory."""
    size, fine = 200, 8
    coarse, grid = map_grid(size), Grid(-24_000.0, 24_000.0, PIXEL_M / fine, fine * size, fine * size)
    monkeypatch.setattr(resample, "_STRIP_PIXELS", 50_000)
    pyramid = pyramid_of(coarse, DETECTION)
    largest = 0

    def read(window: tuple[slice, slice]) -> Maps:
        nonlocal largest
        shape = tuple(part.stop - part.start for part in window)
        largest = max(largest, int(np.prod(shape)))
        return np.zeros(shape, np.float32)

    tracemalloc.start()
    outputs = list(infer_shard(read, grid, pyramid, Oracle(), TILING, 0))
    find_candidates(read, grid, pyramid, outputs, DETECTION, 0.3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = sum(maps.nbytes for maps in outputs)
    source = 4 * grid.rows * grid.cols
    assert largest <= max(50_000, 3 * grid.cols * fine)
    assert outputs[0].shape == (len(OUTPUTS), 96, 96)
    assert peak < 0.6 * source, "the elevation model was never held whole"
    assert peak < 4.0 * held + 3_000_000
