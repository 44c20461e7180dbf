"""The landing ellipse: its footprint on pixels, and the place and direction that are chosen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lunarsite.grid import Grid
from lunarsite.settings import RuleSettings
from lunarsite.site.place.ellipse import ANGLES_DEG, Patch, best_ellipse, footprint, reach_px

RULE = RuleSettings(max_slope_deg=5.0, min_illumination_pct=33.0, min_earth_visibility_pct=50.0)
AXES = (500.0, 300.0)
SIDE, REACH = 4, reach_px(AXES, 240.0, 1.0)
SIZE = SIDE + 2 * REACH
GRID = Grid(-0.5 * SIZE * 240.0, 0.5 * SIZE * 240.0, 240.0, SIZE, SIZE)
CENTRES = tuple(index.ravel() + REACH for index in np.mgrid[:SIDE, :SIDE])


def patch(**changed: Any) -> Patch:
    layers = {"slope_deg": 2.0, "sun_pct": 60.0, "earth_pct": 80.0, "shadow": 0.0, "height_m": 100.0, "ground": 1.0}
    layers |= changed
    return Patch(GRID, **{name: np.broadcast_to(value, GRID.shape).astype(float) for name, value in layers.items()})


def at(**pixels: tuple[tuple[int, int], float]) -> Patch:
    """A level patch with one pixel changed in a layer."""
    found = patch()
    for name, (place, value) in pixels.items():
        getattr(found, name)[place] = value
    return found


def touched(found: Any) -> set[tuple[int, int]]:
    shape = footprint(AXES, found.angle_deg, 240.0, 1.0)
    (row,), (col,) = GRID.index([found.x_m], [found.y_m])
    return set(zip((shape.rows + row).tolist(), (shape.cols + col).tolist(), strict=True))


@example(700.0, 0.2, 0.0, 20.0)  # points on the outline itself
@given(st.floats(50.0, 900.0), st.floats(0.2, 1.0), st.sampled_from(ANGLES_DEG), st.sampled_from([20.0, 80.0, 240.0]))
def test_a_footprint_has_the_area_and_the_moments_of_its_ellipse(
    major: float, flatness: float, angle: float, pixel_m: float
) -> None:
    shape = footprint((major, flatness * major), angle, pixel_m, 1.0)
    assert shape.shares.sum() == pytest.approx(1.0)
    assert (shape.shares > 0.0).all()
    # Symmetric about the centre.
    assert shape.rows @ shape.shares == pytest.approx(0.0, abs=1e-9)
    assert shape.cols @ shape.shares == pytest.approx(0.0, abs=1e-9)
    # No pixel has more than its whole area.
    area_px = math.pi * flatness * major**2 / pixel_m**2
    assert shape.shares.max() <= 1.1 / area_px


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 150.0])
def test_the_angle_runs_from_x_towards_y(angle: float) -> None:
    shape = footprint((500.0, 100.0), angle, 20.0, 1.0)
    x, y = shape.cols.astype(float), -shape.rows.astype(float)
    variance_x, variance_y = shape.shares @ x**2, shape.shares @ y**2
    covariance = shape.shares @ (x * y)
    direction = 0.5 * math.degrees(math.atan2(2.0 * covariance, variance_x - variance_y)) % 180.0
    assert min(abs(direction - angle), 180.0 - abs(direction - angle)) < 0.5
    # An ellipse's variance along an axis is a quarter of the axis squared.
    along = (variance_x + variance_y) + math.hypot(variance_x - variance_y, 2.0 * covariance)
    assert 20.0 * math.sqrt(0.5 * along) == pytest.approx(250.0, rel=0.03)


def test_map_metres_are_longer_than_true_ones() -> None:
    near, far = (footprint((500.0, 300.0), 0.0, 5.0, scale) for scale in (1.0, 1.0077))
    assert far.rows.size / near.rows.size == pytest.approx(1.0077**2, rel=0.01)


def test_an_ellipse_smaller_than_a_pixel_is_that_pixel() -> None:
    shape = footprint((50.0, 30.0), 45.0, 240.0, 1.0)
    assert (shape.rows.tolist(), shape.cols.tolist(), shape.shares.tolist()) == ([0], [0], [1.0])


def test_level_ground_gives_its_own_figures() -> None:
    found = best_ellipse(patch(), CENTRES, AXES, RULE)
    assert (found.slope_mean_deg, found.slope_max_deg) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (found.sun_pct, found.earth_pct) == (pytest.approx(60.0), pytest.approx(80.0))
    assert (found.shadow_share, found.height_range_m, found.known_share, found.meets_light) == (0.0, 0.0, 1.0, True)
    assert found.semi_axes_m == AXES
    assert best_ellipse(patch(), CENTRES, (300.0, 500.0), RULE).semi_axes_m == AXES


def test_it_lies_along_a_gentle_lane() -> None:
    slope = np.full(GRID.shape, 4.0)
    slope[REACH + 1, :] = 1.0
    found = best_ellipse(patch(slope_deg=slope), CENTRES, AXES, RULE)
    (row,), _ = GRID.index([found.x_m], [found.y_m])
    assert (row, found.angle_deg) == (REACH + 1, 0.0)
    turned = best_ellipse(patch(slope_deg=slope.T), CENTRES, AXES, RULE)
    _, (col,) = GRID.index([turned.x_m], [turned.y_m])
    assert (col, turned.angle_deg) == (REACH + 1, 90.0)


def test_one_steep_pixel_is_avoided() -> None:
    found = best_ellipse(at(slope_deg=((REACH + 1, REACH + 1), 30.0)), CENTRES, AXES, RULE)
    assert (REACH + 1, REACH + 1) not in touched(found)
    assert found.slope_max_deg == pytest.approx(2.0)


def test_permanent_shadow_is_avoided_even_where_it_is_gentle() -> None:
    dark = at(shadow=((REACH, REACH), 1.0), slope_deg=((REACH, REACH), 0.0))
    found = best_ellipse(dark, CENTRES, AXES, RULE)
    assert (REACH, REACH) not in touched(found)
    assert found.meets_light


def test_light_comes_before_gentleness_and_decides_between_equals() -> None:
    sun, slope = np.full(GRID.shape, 20.0), np.full(GRID.shape, 1.0)
    sun[:, REACH + 2 :], slope[:, REACH + 2 :] = 60.0, 3.0
    found = best_ellipse(patch(sun_pct=sun, slope_deg=slope), CENTRES, AXES, RULE)
    assert found.meets_light
    assert found.sun_pct is not None
    assert found.sun_pct >= 33.0
    brighter = np.tile(np.linspace(40.0, 60.0, SIZE), (SIZE, 1))
    assert best_ellipse(patch(sun_pct=brighter), CENTRES, AXES, RULE).x_m == GRID.x_m()[REACH + SIDE - 1]


def test_it_lies_in_the_ground_before_it_is_gentle() -> None:
    # A gentle lane beyond the ground, steeper lanes inside it; two columns of ground are narrower than the ellipse.
    ground, slope = np.ones(GRID.shape), np.full(GRID.shape, 4.0)
    ground[:, REACH + 2 :], slope[:, REACH + 2 :] = 0.0, 1.0
    found = best_ellipse(patch(ground=ground, slope_deg=slope), CENTRES, AXES, RULE)
    assert all(col < REACH + 2 for _, col in touched(found))
    # Light goes before it.
    sun = np.where(ground > 0.0, 10.0, 60.0)
    lit = best_ellipse(patch(ground=ground, slope_deg=slope, sun_pct=sun), CENTRES, AXES, RULE)
    assert lit.meets_light


def test_it_leaves_the_cell_only_for_less_fault() -> None:
    further = tuple(index.ravel() + REACH - 1 for index in np.mgrid[: SIDE + 2, : SIDE + 2])
    corner = tuple(index[:1] for index in CENTRES)
    gentle = np.full(GRID.shape, 4.0)
    gentle[:, REACH + 2 :] = 1.0
    assert best_ellipse(patch(slope_deg=gentle), corner, AXES, RULE, further).x_m == GRID.x_m()[REACH]
    steep = np.where(gentle == 4.0, 6.0, 1.0)
    steep[:, : REACH - 1] = 1.0
    found = best_ellipse(patch(slope_deg=steep), corner, AXES, RULE, further)
    assert found.slope_max_deg is not None
    assert (found.x_m != GRID.x_m()[REACH]) == (found.slope_max_deg <= 5.0)
    hole = best_ellipse(at(slope_deg=((REACH, REACH), math.nan)), corner, AXES, RULE, further)
    assert hole.known_share == 1.0
    assert hole.x_m != GRID.x_m()[REACH] or hole.y_m != GRID.y_m()[REACH]


def test_ground_that_is_too_dark_is_told() -> None:
    found = best_ellipse(patch(sun_pct=10.0), CENTRES, AXES, RULE)
    assert not found.meets_light
    assert found.sun_pct == pytest.approx(10.0)


def test_unknown_pixels_are_avoided_else_told() -> None:
    hole = at(slope_deg=((REACH, REACH), math.nan))
    assert best_ellipse(hole, CENTRES, AXES, RULE).known_share == 1.0
    half = np.full(GRID.shape, 2.0)
    half[:, : SIZE // 2] = math.nan
    partly = best_ellipse(patch(earth_pct=half), (np.array([REACH]), np.array([REACH + 1])), AXES, RULE)
    assert 0.0 < partly.known_share < 0.5
    nothing = best_ellipse(patch(slope_deg=math.nan, height_m=math.nan), CENTRES, AXES, RULE)
    assert (nothing.known_share, nothing.slope_mean_deg, nothing.slope_max_deg) == (0.0, None, None)
    assert nothing.height_range_m is None


@given(st.integers(0, 2**32 - 1))
def test_no_other_ellipse_is_gentler(seed: int) -> None:
    slope = np.random.default_rng(seed).uniform(0.0, 4.9, GRID.shape)
    found = best_ellipse(patch(slope_deg=slope), CENTRES, AXES, RULE)

    def squares(row: int, col: int, angle: float) -> float:
        shape = footprint(AXES, angle, 240.0, 1.0)
        return float(shape.shares @ slope[row + shape.rows, col + shape.cols] ** 2)

    least = min(squares(row, col, angle) for row, col in zip(*CENTRES, strict=True) for angle in ANGLES_DEG)
    (row,), (col,) = GRID.index([found.x_m], [found.y_m])
    assert squares(row, col, found.angle_deg) == pytest.approx(least)


def test_the_outline_is_the_ellipse_in_map_metres() -> None:
    found = best_ellipse(patch(), CENTRES, AXES, RULE)
    assert found.outline.area == pytest.approx(math.pi * 500.0 * 300.0, rel=0.01)
    assert (found.outline.centroid.x, found.outline.centroid.y) == pytest.approx((found.x_m, found.y_m))
