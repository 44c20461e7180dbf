import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.gradient import slope_deg
from lunarsite.grid import Cells, Grid, scale_factor
from lunarsite.terrain import relief
from lunarsite.terrain.relief import CellRelief, ReliefError, disc_mask, disc_reach, step_m, survey
from lunarsite.terrain.relief_kernels import disc_rank

CELLS = Cells(Grid(0.0, 2_880.0, 240.0, 12, 12), 960.0, 80.0)


def fine(pixel_m: float, cells: float = 3.0, x_min_m: float = 0.0, y_max_m: float = 2_880.0) -> Grid:
    size = round(cells * 960.0 / pixel_m)
    return Grid(x_min_m, y_max_m, pixel_m, size, size)


def surveyed(heights: np.ndarray, grid: Grid, cells: Cells = CELLS, **change: float) -> dict[int, CellRelief]:
    knobs = {"radius_m": 100.0, "steep_deg": 8.0} | change
    parts = list(survey(lambda window: heights.astype(np.float32)[window], grid, cells, **knobs))
    shares = [share for share, _ in parts]
    assert shares == sorted(shares)
    assert shares[-1:] in ([1.0], [])
    return {cell.cell_id: cell for _, found in parts for cell in found}


def middle(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from the middle of the middle cell."""
    return grid.x_m()[None, :] - 1_440.0, grid.y_m()[:, None] - 1_440.0


@pytest.mark.parametrize("pixel_m", [20.0, 48.0])
def test_a_plane_has_its_slope_everywhere_and_no_step(pixel_m: float) -> None:
    grid = fine(pixel_m)
    x, y = middle(grid)
    found = surveyed(0.1 * x - 0.05 * y, grid, steep_deg=math.degrees(math.atan(0.111)))
    true = math.degrees(math.atan(math.hypot(0.1, 0.05)))
    assert sorted(found) == list(range(9))
    for cell in found.values():
        assert cell.p95_slope_deg == pytest.approx(true, abs=1e-3)
        assert cell.median_p95_slope_deg == pytest.approx(true, abs=0.003)
        assert cell.step_m == pytest.approx(0.0, abs=1e-3)
        assert (cell.steep_share, cell.covered_share, cell.pixel_m) == (1.0, 1.0, pixel_m)
    # Of equally gentle discs the one at the cell's centre is taken.
    assert math.hypot(found[4].x_m - 1_440.0, found[4].y_m - 1_440.0) < pixel_m


def test_slopes_are_true_where_the_map_stretches() -> None:
    grid = Grid(290_000.0, 480.0, 20.0, 48, 48)
    cells = Cells(Grid(290_000.0, 480.0, 240.0, 4, 4), 960.0, 80.0)
    found = surveyed(0.1 * np.ones((48, 1)) * grid.x_m()[None, :], grid, cells)
    k = float(scale_factor(found[0].x_m, found[0].y_m))
    assert k > 1.006
    assert found[0].p95_slope_deg == pytest.approx(math.degrees(math.atan(0.1 * k)), abs=2e-3)


def test_a_disc_is_as_wide_on_the_map_as_its_true_radius_is() -> None:
    """1.0079 x 100 m is 25.2 pixels of 4 m; pixels 25.0 and 25.2 (7 along, 24.2 across) away are both inside."""
    cells = Cells(Grid(304_000.0, 480.0, 240.0, 4, 4), 960.0, 75.0)
    grid = Grid(304_200.0, 280.0, 4.0, 58, 61)
    rough = np.random.default_rng(5).normal(0.0, 0.5, grid.shape)
    cell = surveyed(rough, grid, cells)[0]
    brute = brute_force(rough, grid, cells, 0, 100.0)
    assert cell.p95_slope_deg == pytest.approx(brute[0], abs=1e-4)
    assert cell.median_p95_slope_deg == pytest.approx(brute[1], abs=0.003)


def test_a_cone_has_its_angle_even_at_its_tip() -> None:
    grid = fine(10.0)
    x, y = middle(grid)
    found = surveyed(-math.tan(math.radians(12.0)) * np.hypot(x, y), grid)
    assert found[4].p95_slope_deg == pytest.approx(12.0, abs=0.1)
    # At the tip and only there Horn's slopes are gentle, but fewer than one pixel in twenty is.
    assert math.hypot(found[4].x_m - 1_440.0, found[4].y_m - 1_440.0) <= 110.0
    assert 0.95 <= found[4].steep_share <= 1.0


def test_the_gentlest_disc_of_a_bowl_is_its_bottom() -> None:
    """Slope grows with the distance r from the bottom: 95 % of the disc lies within sqrt(0.95) of its radius."""
    grid = fine(4.0)
    x, y = middle(grid)
    bottom = 200.0, -120.0
    curvature = 1e-3
    found = surveyed(0.5 * curvature * ((x - bottom[0]) ** 2 + (y - bottom[1]) ** 2), grid, steep_deg=4.0)
    cell = found[4]
    assert (cell.x_m, cell.y_m) == pytest.approx((1_640.0, 1_320.0), abs=4.0)
    assert cell.p95_slope_deg == pytest.approx(math.degrees(math.atan(curvature * 100.0 * math.sqrt(0.95))), rel=5e-3)
    share = 1.0 - (math.tan(math.radians(4.0)) / curvature / 100.0) ** 2
    assert cell.steep_share == pytest.approx(share, abs=0.02)
    assert cell.median_p95_slope_deg > 3.0 * cell.p95_slope_deg


def test_a_ledge_is_a_step_less_the_tilt_that_it_gives_the_plane() -> None:
    reach = disc_reach(50.0)
    mask = disc_mask(reach)
    ledge = np.where(np.arange(mask.shape[1])[None, :] > 50, 3.0, 0.0) * np.ones(mask.shape)
    # Least squares over a disc of radius R: the plane rises by 8 H / (3 pi R) per pixel.
    assert step_m(ledge.astype(np.float32), mask) == pytest.approx(3.0 - 8.0 * 3.0 / (3.0 * math.pi * 50.0), rel=0.01)
    tilted = ledge + 0.4 * np.arange(mask.shape[0])[:, None]
    assert step_m(tilted.astype(np.float32), mask) == pytest.approx(step_m(ledge.astype(np.float32), mask), abs=1e-4)


def test_a_step_beyond_the_disc_is_none_of_it() -> None:
    mask = disc_mask(disc_reach(3.0))
    heights = np.where(mask, 0.0, 100.0).astype(np.float32)
    assert step_m(heights, mask) == pytest.approx(0.0, abs=1e-9)
    heights[3, 4] = 1.0
    assert step_m(heights, mask) == pytest.approx(1.0, abs=0.2)


def test_discs_avoid_holes_and_cells_say_how_much_is_covered() -> None:
    grid = fine(20.0)
    x, y = middle(grid)
    # Gentle on the left, steep on the right; a hole where it is gentlest.
    heights = 1e-4 * (x + 1_440.0) ** 2 + 0.0 * y
    heights[:, :70] = np.nan
    found = surveyed(heights, grid)
    assert set(found) == {1, 2, 4, 5, 7, 8}
    assert found[4].covered_share == pytest.approx(1.0 - 22.0 / 48.0)
    # The first known column is 70; the slope of 71 is known, and the disc reaches 5 pixels.
    assert found[4].x_m == grid.x_m()[76]
    one = heights.copy()
    one[72, 80] = np.nan
    beside = surveyed(one, grid)[4]
    assert beside.covered_share == pytest.approx(found[4].covered_share - 1.0 / 48.0**2)
    assert math.hypot(beside.x_m - grid.x_m()[80], beside.y_m - grid.y_m()[72]) > 100.0


def test_a_model_that_ends_in_a_cell_holds_discs_up_to_a_radius_from_its_border() -> None:
    grid = Grid(1_000.0, 1_900.0, 20.0, 20, 30)
    found = surveyed(np.zeros(grid.shape), grid)
    assert list(found) == [4]
    assert found[4].covered_share == pytest.approx(20 * 30 / 48**2)
    # Nearest to the cell's centre (1440, 1440) of the whole discs: 1500 is the border, less slope's pixel and disc.
    assert (found[4].x_m, found[4].y_m) == (1_430.0, 1_630.0)
    smaller = Grid(1_000.0, 1_900.0, 20.0, 12, 12)
    assert surveyed(np.zeros(smaller.shape), smaller) == {}
    elsewhere = Grid(9_000.0, 1_900.0, 20.0, 40, 40)
    assert surveyed(np.zeros(elsewhere.shape), elsewhere) == {}
    tiny = Grid(1_000.0, 1_900.0, 20.0, 2, 2)
    assert surveyed(np.zeros(tiny.shape), tiny) == {}


def brute_force(heights: np.ndarray, grid: Grid, cells: Cells, cell_id: int, radius_m: float) -> tuple[float, float]:
    """Least and median 95th percentile over a cell's whole discs, disc by disc from the definition."""
    slopes = np.full(grid.shape, np.nan)
    scale = grid.scale_factor()[1:-1, 1:-1]
    slopes[1:-1, 1:-1] = slope_deg(heights.astype(np.float32), scale, grid.pixel_m)
    x_m, y_m = np.meshgrid(grid.x_m(), grid.y_m())
    centre = (float(axis[cell_id]) for axis in cells.centres_m())
    radius_map_m = radius_m * float(scale_factor(*centre))
    rows, cols = np.nonzero(cells.id_at(x_m, y_m) == cell_id)
    left, bottom, right, top = grid.bounds_m
    found = []
    for row, col in zip(rows, cols, strict=True):
        x, y = x_m[row, col], y_m[row, col]
        if min(x - left, right - x, y - bottom, top - y) < radius_map_m:
            continue
        disc = slopes[np.hypot(x_m - x, y_m - y) <= radius_map_m]
        if np.isfinite(disc).all():
            found.append(float(np.percentile(disc, 95.0, method="inverted_cdf")))
    return min(found), float(np.median(found))


def test_pixels_that_do_not_divide_cells_agree_with_brute_force() -> None:
    grid = Grid(711.0, 2_317.0, 37.3, 44, 37)
    draws = np.random.default_rng(3)
    heights = np.cumsum(draws.normal(0.0, 3.0, grid.shape), axis=0)
    heights[28, 17] = np.nan
    found = surveyed(heights, grid)
    for cell in (1, 3, 4):
        least, median = brute_force(heights, grid, CELLS, cell, 100.0)
        assert found[cell].p95_slope_deg == pytest.approx(least, abs=1e-4)
        assert found[cell].median_p95_slope_deg == pytest.approx(median, abs=0.003)
    # Pixels whose centres lie in a cell, over those that would if the model went on: 25 or 26 along a side.
    assert 0.0 < found[4].covered_share < 1.0


def test_a_model_that_covers_a_cell_covers_all_of_it_whatever_its_pixels() -> None:
    grid = Grid(-13.7, 2_893.1, 37.3, 79, 79)
    found = surveyed(np.zeros(grid.shape), grid)
    assert {cell.covered_share for cell in found.values()} == {1.0}
    assert len(found) == 9


def test_blocks_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = fine(20.0)
    heights = np.cumsum(np.random.default_rng(4).normal(0.0, 2.0, grid.shape), axis=1)
    whole = surveyed(heights, grid)
    monkeypatch.setattr(relief, "_BLOCK_PX", 1)
    monkeypatch.setattr(relief, "_STRIP_ROWS", 7)
    assert surveyed(heights, grid) == whole


@given(
    seed=st.integers(0, 10_000),
    radius=st.floats(1.0, 6.0),
    share=st.floats(0.01, 1.0),
    missing=st.sampled_from([0.0, 0.02]),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9)),
)
def test_ranks_follow_the_definition(
    seed: int, radius: float, share: float, missing: float, shape: tuple[int, int]
) -> None:
    draws = np.random.default_rng(seed)
    reach, n_bins = disc_reach(radius), 40
    mask, margin = disc_mask(reach), reach.size - 1
    bins = draws.integers(0, n_bins, (shape[0] + margin, shape[1] + margin)).astype(np.uint16)
    bins[draws.random(bins.shape) < missing] = n_bins
    rank = max(1, math.ceil(share * int(mask.sum())))
    out = np.empty(shape, np.int32)
    disc_rank(bins, reach, rank, n_bins, out)
    for i, j in np.ndindex(shape):
        disc = bins[i : i + reach.size, j : j + reach.size][mask]
        assert out[i, j] == (-1 if (disc == n_bins).any() else np.sort(disc)[rank - 1])


@pytest.mark.parametrize(("radius", "pixels"), [(1.0, 5), (2.0, 13), (2.5, 21), (5.0, 81), (1.99, 9)])
def test_a_disc_holds_the_pixels_whose_centres_it_holds(radius: float, pixels: int) -> None:
    assert int(disc_mask(disc_reach(radius)).sum()) == pixels


def cell(**change: float) -> CellRelief:
    values = {"pixel_m": 40.0, "covered_share": 1.0, "x_m": 0.0, "y_m": 0.0, "p95_slope_deg": 3.0, "steep_share": 0.0}
    return CellRelief(cell_id=0, **(values | {"step_m": 1.0, "median_p95_slope_deg": 5.0} | change))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"pixel_m": 5.0, "covered_share": 0.6}, {"pixel_m": 40.0}),
        ({"pixel_m": 40.0}, {"pixel_m": 5.0, "covered_share": 0.4}),
        ({"pixel_m": 40.0, "covered_share": 0.4}, {"pixel_m": 5.0, "covered_share": 0.1}),
        ({"covered_share": 0.9}, {"covered_share": 0.8}),
        ({"p95_slope_deg": 4.0}, {"p95_slope_deg": 3.0}),
    ],
)
def test_the_finest_model_that_covers_a_cell_wins(first: dict, then: dict) -> None:
    assert cell(**first).order < cell(**then).order


def test_models_that_do_not_fit_are_refused() -> None:
    coarse = fine(60.0)
    with pytest.raises(ReliefError, match=r"pixels of 60 m.*site.relief.radius_m.*raise it to 120 m"):
        surveyed(np.zeros(coarse.shape), coarse)
    assert surveyed(np.zeros(coarse.shape), coarse, radius_m=120.0)
    north = Grid(0.0, 2_880.0, 20.0, 144, 144, "north")
    with pytest.raises(ReliefError, match="north pole"):
        surveyed(np.zeros(north.shape), north)
