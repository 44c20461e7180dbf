import numpy as np
import pytest

from lunarsite.source.noise import add_octave, add_octave_at

KNOBS = {"seed": 3, "stream": 1, "octave": 2, "spacing_m": 1_000.0}


def noise(x_m: np.ndarray, y_m: np.ndarray, **knobs: float) -> np.ndarray:
    out = np.zeros((y_m.size, x_m.size))
    add_octave(out, x_m, y_m, rms=1.0, **(KNOBS | knobs))
    return out


def test_unit_variance_and_zero_mean() -> None:
    axis = np.arange(400) * 800.0 + 13.0
    field = noise(axis, axis)
    assert field.std() == pytest.approx(1.0, abs=0.02)
    assert abs(field.mean()) < 0.02


def test_points_and_axes_agree() -> None:
    x, y = np.linspace(-5e5, 5e5, 37), np.linspace(4e5, -3e5, 23)
    at = np.zeros(x.size * y.size)
    grid_x, grid_y = np.meshgrid(x, y)
    add_octave_at(at, grid_x.ravel(), grid_y.ravel(), rms=1.0, **KNOBS)
    assert np.allclose(at.reshape(23, 37), noise(x, y), atol=1e-9)


def test_value_depends_on_the_place_alone() -> None:
    x, y = np.arange(-3_000.0, 3_000.0, 120.0), np.arange(2_000.0, -2_000.0, -120.0)
    assert np.array_equal(noise(x, y)[5:20, 7:31], noise(x[7:31], y[5:20]))


def test_smooth_at_the_scale_of_its_lattice() -> None:
    axis = np.arange(2_000) * 10.0
    steps = np.diff(noise(axis, axis[:50]), axis=1)
    # A cubic spline of nodes 1 km apart cannot change by more than a few percent over 10 m.
    assert np.abs(steps).max() < 0.06


@pytest.mark.parametrize("other", [{"seed": 4}, {"stream": 2}, {"octave": 3}])
def test_streams_are_independent(other: dict[str, int]) -> None:
    axis = np.arange(300) * 900.0
    a, b = noise(axis, axis).ravel(), noise(axis, axis, **other).ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_same_statistics_along_rows_and_columns_and_diagonals() -> None:
    axis = np.arange(600) * 300.0
    field = noise(axis, axis)
    lag = 3
    along = [
        np.mean((field[:, lag:] - field[:, :-lag]) ** 2),
        np.mean((field[lag:] - field[:-lag]) ** 2),
    ]
    assert along[0] == pytest.approx(along[1], rel=0.05)
