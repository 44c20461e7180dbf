import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lunarsite.grid import Grid
from lunarsite.source.features import Feature
from lunarsite.source.synthetic import SyntheticError, SyntheticMoon

REPOSITORY = Path(__file__).parents[3]


def slopes_deg(heights: np.ndarray, pixel_m: float) -> np.ndarray:
    gy, gx = np.gradient(heights.astype(np.float64), pixel_m)
    return np.degrees(np.arctan(np.hypot(gx, gy)))


@pytest.fixture(scope="module")
def heights(moon, small_grid) -> np.ndarray:
    return moon.heights(small_grid)


def test_heights_are_finite_floats_of_the_grid(heights, small_grid) -> None:
    assert heights.shape == small_grid.shape
    assert heights.dtype == np.float32
    assert np.isfinite(heights).all()


def test_same_seed_same_bytes_other_seed_other_moon(features, heights, small_grid) -> None:
    assert SyntheticMoon.build(features, seed=7).heights(small_grid).tobytes() == heights.tobytes()
    other = SyntheticMoon.build(features, seed=8).heights(small_grid)
    assert np.std(other - heights) > 100.0


def test_a_window_is_the_same_wherever_it_is_cut(moon, heights) -> None:
    window = Grid(-24_000.0 + 40 * 240.0, 24_000.0 - 25 * 240.0, 240.0, 90, 70)
    assert np.allclose(moon.heights(window), heights[25:115, 40:110], atol=1e-3)


def test_rows_per_block_do_not_matter(moon) -> None:
    tall = Grid(-3_000.0, 150_000.0, 480.0, 600, 12)
    single = Grid(-3_000.0, 150_000.0 - 300 * 480.0, 480.0, 20, 12)
    assert np.allclose(moon.heights(tall)[300:320], moon.heights(single), atol=1e-3)


def test_coarse_and_fine_grids_show_the_same_moon(moon, heights, small_grid) -> None:
    coarse = Grid(-24_000.0, 24_000.0, 480.0, 100, 100)
    averaged = heights.reshape(100, 2, 100, 2).mean(axis=(1, 3))
    difference = moon.heights(coarse) - averaged
    assert abs(difference.mean()) < 1.0
    assert difference.std() < 12.0 < 0.02 * heights.std()


def test_a_finer_grid_adds_detail_to_the_same_relief(moon, heights) -> None:
    fine = moon.heights(Grid(-12_000.0, 12_000.0, 80.0, 300, 300))
    averaged = fine.reshape(100, 3, 100, 3).mean(axis=(1, 3))
    assert (averaged - heights[50:150, 50:150]).std() < 6.0
    assert (fine - np.repeat(np.repeat(averaged, 3, axis=0), 3, axis=1)).std() > 1.0


def test_thread_count_does_not_change_the_bytes(tmp_path) -> None:
    program = (
        "import sys, hashlib; from pathlib import Path; from lunarsite.grid import Grid;"
        "from lunarsite.source.features import read_features; from lunarsite.source.synthetic import SyntheticMoon;"
        "features = read_features(Path('resources/named_features.csv'));"
        "heights = SyntheticMoon.build(features, seed=5).heights(Grid(-9e3, 1e4, 240.0, 60, 80));"
        "print(hashlib.sha256(heights.tobytes()).hexdigest())"
    )
    sums = set()
    for threads in ("1", "2"):
        environment = os.environ | {"NUMBA_NUM_THREADS": threads, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        sums.add(done.stdout)
    assert len(sums) == 1


def test_slopes_and_relief_are_those_of_the_lunar_pole(moon) -> None:
    coarse = moon.heights(Grid(-300_000.0, 300_000.0, 2_400.0, 250, 250))
    # GLD100/LOLA at 240 m over the cap: standard deviation 1985 m, range -6667..7016 m.
    assert 1_500.0 < coarse.std() < 2_600.0
    assert -9_000.0 < coarse.min() < -4_000.0
    assert 4_000.0 < coarse.max() < 9_000.0
    fine = slopes_deg(moon.heights(Grid(60_000.0, -40_000.0, 240.0, 500, 500)), 240.0)
    assert 4.5 < np.median(fine) < 9.5  # the real cap's median is 7.2
    assert np.percentile(fine, 99.9) < 45.0


def test_named_craters_are_depressions_of_their_depth(moon, features) -> None:
    shackleton = next(feature for feature in features if feature.name == "Shackleton")
    table = moon.crater_table(Grid(-60_000.0, 60_000.0, 240.0, 500, 500), 5_000.0)
    row = table[table["name"] == "Shackleton"].iloc[0]
    grid = Grid(row["x_m"] - 18_000.0, row["y_m"] + 18_000.0, 240.0, 150, 150)
    heights = moon.heights(grid, 20_000.0)
    distance = np.hypot(grid.x_m()[None, :] - row["x_m"], grid.y_m()[:, None] - row["y_m"]) / (0.5 * row["diameter_m"])
    rim = np.median(heights[(distance > 0.95) & (distance < 1.1)])
    floor = np.percentile(heights[distance < 0.5], 10)
    assert rim - floor == pytest.approx(shackleton.relief_m, rel=0.25)


def test_truth_lists_what_lies_on_the_grid(moon) -> None:
    grid = Grid(-90_000.0, 90_000.0, 240.0, 750, 750)
    table = moon.crater_table(grid, 1_000.0)
    assert list(table.columns) == [
        "id", "name", "lon_deg", "lat_deg", "x_m", "y_m", "diameter_m", "depth_m", "degradation",
    ]  # fmt: skip
    assert table["id"].is_unique
    assert grid.contains(table["x_m"], table["y_m"]).all()
    assert {"Shackleton", "de Gerlache", "Sverdrup", "Slater", "Haworth"} <= set(table["name"])
    assert table["diameter_m"].min() >= 1_000.0
    assert table["degradation"].between(0.0, 1.0).all()
    assert table["diameter_m"].is_monotonic_decreasing


def test_small_craters_of_the_truth_are_seen_in_the_heights(moon) -> None:
    """Rim over middle, and the same at places turned away: craters are depressions, other places are not."""
    grid = Grid(-60_000.0, 60_000.0, 80.0, 1_500, 1_500)
    heights = moon.heights(grid)
    table = moon.crater_table(grid, 1_000.0)
    chosen = table[(table["diameter_m"] < 3_000.0) & (table["depth_m"] > 0.08 * table["diameter_m"])]

    def bowl(x_m: float, y_m: float, diameter_m: float) -> float:
        angle = np.linspace(0, 2 * np.pi, 24)
        rim = grid.index(x_m + 0.5 * diameter_m * np.cos(angle), y_m + 0.5 * diameter_m * np.sin(angle))
        middle = grid.index([x_m], [y_m])
        if min(rim[0].min(), rim[1].min()) < 0 or max(rim[0].max(), rim[1].max()) >= 1_500:
            return np.nan
        return float(np.mean(heights[rim]) - heights[middle][0])

    at = np.array([bowl(row.x_m, row.y_m, row.diameter_m) / row.depth_m for row in chosen.itertuples()])
    off = np.array([bowl(-row.y_m, row.x_m, row.diameter_m) / row.depth_m for row in chosen.itertuples()])
    assert len(chosen) > 50
    assert np.nanmedian(at) > 0.6
    assert np.nanmean(at > 0.3) > 0.9
    assert abs(np.nanmedian(off)) < 0.2


def test_all_summits_that_were_built_are_gentle(moon) -> None:
    ground = moon.ground_table()
    assert {"Malapert Massif", "Connecting Ridge"} <= set(ground["name"])
    for row in ground[ground["diameter_m"] < 20_000.0].itertuples():
        grid = Grid(row.x_m - 4_800.0, row.y_m + 4_800.0, 240.0, 40, 40)
        distance = np.hypot(grid.x_m()[None, :] - row.x_m, grid.y_m()[:, None] - row.y_m)
        summit = slopes_deg(moon.heights(grid), 240.0)[distance < 0.3 * row.diameter_m]
        assert np.median(summit) < 5.0, row.name


def test_massifs_stand_above_their_surroundings(moon) -> None:
    ground = moon.ground_table()
    row = ground[ground["name"] == "Malapert Massif"].iloc[0]
    grid = Grid(row["x_m"] - 30_000.0, row["y_m"] + 30_000.0, 240.0, 250, 250)
    heights = moon.heights(grid)
    distance = np.hypot(grid.x_m()[None, :] - row["x_m"], grid.y_m()[:, None] - row["y_m"])
    assert heights[distance < 3_000.0].mean() - np.median(heights[distance > 25_000.0]) > 2_000.0


def test_basin_lowers_the_far_side(features) -> None:
    moon = SyntheticMoon.build(features, seed=3)
    near_side = moon.heights(Grid(-100_000.0, 600_000.0, 2_400.0, 80, 80))
    far_side = moon.heights(Grid(-100_000.0, -400_000.0, 2_400.0, 80, 80))
    assert near_side.mean() - far_side.mean() > 1_000.0


def test_north_pole_builds_without_names(features) -> None:
    moon = SyntheticMoon.build(features, seed=3, pole="north")
    assert not any(moon.names)
    assert moon.ground_table().empty
    assert np.isfinite(moon.heights(Grid(0.0, 10_000.0, 240.0, 40, 40, "north"))).all()


def test_craters_may_be_left_out() -> None:
    moon = SyntheticMoon.build((), seed=3, crater_density=0.0)
    grid = Grid(0.0, 10_000.0, 240.0, 40, 40)
    assert moon.crater_table(grid).empty
    assert np.isfinite(moon.heights(grid)).all()


def test_lone_crater_on_the_pole_stands_on_the_plane_it_found() -> None:
    crater = Feature("Lone", "crater", -90.0, 0.0, 30_000.0, 2_000.0, "a test")
    moon = SyntheticMoon.build((crater,), seed=3, crater_density=0.0)
    bare = SyntheticMoon.build((), seed=3, crater_density=0.0)
    grid = Grid(-60_000.0, 60_000.0, 480.0, 250, 250)
    change = moon.heights(grid) - bare.heights(grid)
    distance = np.hypot(grid.x_m()[None, :], grid.y_m()[:, None])
    assert np.abs(change[distance > 2.5 * 15_000.0 * 1.3]).max() == 0.0
    assert change[distance < 5_000.0].mean() < -1_000.0


@pytest.mark.parametrize(
    ("grid", "word"),
    [
        (Grid(-10_000.0, 10_000.0, 240.0, 10, 10, "north"), "south pole"),
        (Grid(-800_000.0, 10_000.0, 240.0, 10, 10), "half_width_m"),
    ],
)
def test_grids_it_cannot_make_are_refused(moon, grid: Grid, word: str) -> None:
    with pytest.raises(SyntheticError, match=word):
        moon.heights(grid)


@pytest.mark.parametrize("knobs", [{"seed": -1}, {"seed": 1, "crater_density": -0.1}])
def test_negative_knobs_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(SyntheticError, match="negative"):
        SyntheticMoon.build((), **knobs)
