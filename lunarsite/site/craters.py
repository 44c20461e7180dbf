"""What a crater catalogue says of each cell and of the ground within 5 km: number, size and cover of its craters.

On the polar stereographic map a circle on the sphere is a circle, though its centre is not the circle's centre on the
map. So 'centred within 5 km of the cell's centre', in true metres, is a circle on the map as well, about the crater or
about the cell. This module must not know where the catalogue came from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from lunarsite.grid import Cells, map_circles
from lunarsite.site.crater_union import Chords, Circles, chords, covered_cells, covered_discs
from lunarsite.site.survey import Survey

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[np.float32]]

NEAR_M = 5_000.0
"""Distance on the sphere up to which craters count as near a cell's centre."""
CELL_COLUMNS = ("crater_count", "crater_coverage_pct", "crater_mean_diameter_m", "crater_max_diameter_m")
NEAR_COLUMNS = (
    "crater_count_5km",
    "crater_coverage_5km_pct",
    "crater_mean_diameter_5km_m",
    "crater_max_diameter_5km_m",
)
CRATER_COLUMNS = (*CELL_COLUMNS, *NEAR_COLUMNS)


@dataclass(frozen=True)
class Catalogue:
    """Craters by their centres on the map and true diameters, each (craters,), metres; and the ground they are of."""

    x_m: Floats
    y_m: Floats
    diameter_m: Floats
    survey: Survey

    @classmethod
    def of(cls, craters: pd.DataFrame, survey: Survey) -> Catalogue:
        """Return the catalogue of a table with the columns x_m, y_m and diameter_m."""
        x_m, y_m, diameter_m = (craters[name].to_numpy(np.float64) for name in ("x_m", "y_m", "diameter_m"))
        return cls(x_m, y_m, diameter_m, survey)


def crater_columns(catalogue: Catalogue | None, cells: Cells) -> Columns:
    """Return the crater columns of the kept cells, each (count,).

    A column is NaN where the catalogue does not know the ground that it is of: all of them without a catalogue. A
    crater that is centred elsewhere may cover a cell, so the cell's coverage is known where the ground within 5 km is.
    """
    if catalogue is None:
        return {name: np.full(cells.count, np.nan, dtype=np.float32) for name in CRATER_COLUMNS}
    own = catalogue.survey.known(cells, 0.5 * math.hypot(cells.cell_m, cells.cell_m))
    near = catalogue.survey.known(cells, NEAR_M)
    reached = ("crater_coverage_pct", *NEAR_COLUMNS)
    columns = columns_of_all(catalogue.x_m, catalogue.y_m, catalogue.diameter_m, cells)
    return {
        name: np.where(near if name in reached else own, values, np.float32(np.nan)) for name, values in columns.items()
    }


def columns_of_all(x_m: Floats, y_m: Floats, diameter_m: Floats, cells: Cells) -> Columns:
    """Return the crater columns of the kept cells, each (count,), for a catalogue that knows all of the map.

    `crater_count`, `crater_mean_diameter_m` and `crater_max_diameter_m` are of the craters centred in the cell; the
    diameters are NaN where there is none. `crater_coverage_pct` is the share of the cell inside any crater. Those
    of 5 km are of the craters centred within 5 km of the cell's centre on the sphere, and of the disc of that radius.

    Args:
        x_m: Map x of the craters' centres.
        y_m: Their map y.
        diameter_m: Their diameters, true metres.
        cells: The cells.
    """
    at = cells.id_at(x_m, y_m)
    inside = at >= 0
    count = np.bincount(at[inside], minlength=cells.count)
    total_m = np.bincount(at[inside], weights=diameter_m[inside], minlength=cells.count)
    largest_m = np.full(cells.count, -np.inf)
    np.maximum.at(largest_m, at[inside], diameter_m[inside])
    union = chords(_circles(x_m, y_m, diameter_m, cells), cells.rows, cells.cols)
    own = _named(CELL_COLUMNS, covered_cells(union, cells.rows, cells.cols)[cells.kept], count, total_m, largest_m)
    covered, around = _around(union, x_m, y_m, diameter_m, cells, NEAR_M)
    return own | _named(NEAR_COLUMNS, covered, around[0], around[1], around[2])


def hazard_within(
    x_m: Floats, y_m: Floats, diameter_m: Floats, cells: Cells, radius_m: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return number and covered share (percent), each (count,), of the craters around the kept cells' centres.

    As `columns_of_all` has them within 5 km: craters centred within a true distance, and the share of the disc of that
    radius inside any crater, of a catalogue that knows all of the map.

    Args:
        x_m: Map x of the craters' centres.
        y_m: Their map y.
        diameter_m: Their diameters, true metres.
        cells: The cells.
        radius_m: The distance, true metres.
    """
    union = chords(_circles(x_m, y_m, diameter_m, cells), cells.rows, cells.cols)
    covered, around = _around(union, x_m, y_m, diameter_m, cells, radius_m)
    return around[0].astype(np.float32), (100.0 * covered).astype(np.float32)


def _around(
    union: Chords, x_m: Floats, y_m: Floats, diameter_m: Floats, cells: Cells, radius_m: float
) -> tuple[Floats, Floats]:
    """Return the covered share of the kept cells' discs, and number, summed and largest diameter of their craters."""
    about_craters = _circles(x_m, y_m, np.full(x_m.size, 2.0 * radius_m), cells)
    around = _craters_around(*about_craters, diameter_m, cells.rows, cells.cols)[:, cells.kept]
    cell_x_m, cell_y_m = cells.centres_m()
    about_cells = _circles(cell_x_m, cell_y_m, np.full(cells.count, 2.0 * radius_m), cells)
    return covered_discs(union, about_cells, cells.cols), around


def _circles(x_m: Floats, y_m: Floats, diameter_m: Floats, cells: Cells) -> Circles:
    centre_x_m, centre_y_m, radius_m = map_circles(x_m, y_m, diameter_m)
    return Circles(
        (centre_x_m - cells.grid.x_min_m) / cells.cell_m,
        (cells.grid.y_max_m - centre_y_m) / cells.cell_m,
        radius_m / cells.cell_m,
    )


def _named(
    names: tuple[str, ...], covered: Floats, count: NDArray[Any], total_m: NDArray[Any], largest_m: Floats
) -> Columns:
    none = count == 0
    values = (
        count,
        100.0 * covered,
        np.where(none, np.nan, total_m / np.maximum(count, 1)),
        np.where(none, np.nan, largest_m),
    )
    return {name: value.astype(np.float32) for name, value in zip(names, values, strict=True)}


@njit(cache=True, nogil=True)
def _craters_around(x: Floats, y: Floats, radius: Floats, diameter_m: Floats, rows: int, cols: int) -> Floats:
    """Return count, summed and largest diameter (3, rows, cols) of the circles that hold each cell's centre."""
    found = np.zeros((3, rows, cols))
    found[2] = -np.inf
    for k in range(x.size):
        for row in range(max(math.ceil(y[k] - radius[k] - 0.5), 0), min(math.floor(y[k] + radius[k] + 0.5), rows)):
            off = row + 0.5 - y[k]
            half = math.sqrt(max(radius[k] * radius[k] - off * off, 0.0))
            for col in range(max(math.ceil(x[k] - half - 0.5), 0), min(math.floor(x[k] + half - 0.5) + 1, cols)):
                found[0, row, col] += 1.0
                found[1, row, col] += diameter_m[k]
                found[2, row, col] = max(found[2, row, col], diameter_m[k])
    return found
