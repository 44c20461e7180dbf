"""Criteria of all cells from the run's files, each file by itself. This is the only module here that knows files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from lunarsite.artefact import ArtefactError, raster, table
from lunarsite.artefact.contracts import CELLS, CRATERS, DETECTED, LABELS, NIGHT, PSR, REACH, RELIEF, SCARPS
from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Cells
from lunarsite.site.craters import hazard_within
from lunarsite.site.criteria.distances import line_distance_m, shadow_distance_m
from lunarsite.site.criteria.gathering import (
    Columns,
    GatheringError,
    check_cells,
    probabilities,
    relief_columns,
)
from lunarsite.site.criteria.ground import cell_ways, good_area_km2
from lunarsite.site.criteria.reach import shadow_regions
from lunarsite.site.layers import opened_layer
from lunarsite.site.reduction import reduce_layer

_CRATER = ("x_m", "y_m", "diameter_m")
_HAZARD_M = 1_000.0
"""Distance of the nearer craters; those within 5 km are a feature of the cells."""
_NIGHT = ("longest_night_h", "sun_and_earth_h_per_year")
_LEAST_KNOWN = 0.5
"""Share of a cell's pixels that a layer of the user's must know."""
_CRATERS_5KM = ("crater_count_5km", "crater_coverage_5km_pct")


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Name the file in whatever error of its content is raised."""
    try:
        yield
    except GatheringError as error:
        raise ArtefactError(f"{path}: {error}") from error


def nights(path: Path, cells: Cells) -> Columns:
    """Return the longest night and the time with Sun and Earth together."""
    frame, _ = table.read(path, NIGHT, ["cell_id", *_NIGHT])
    with _blamed(path):
        check_cells(frame, cells)
    return {name: frame[name].to_numpy() for name in _NIGHT}


def ways(path: Path, mover: str, cells: Cells) -> Columns:
    """Return length and class of a mover's way to permanent shadow."""
    with (
        opened_layer(path, REACH, cells.grid, "path_m") as path_m,
        opened_layer(path, REACH, cells.grid, "way") as way,
    ):
        shortest_m, kinds = cell_ways(path_m, way, cells)
    return {f"psr_{mover}_m": shortest_m, f"psr_{mover}": kinds}


def shadow(path: Path, least_km2: float, cells: Cells) -> Columns:
    """Return the straight distance to the nearest region of permanent shadow of at least so large an area.

    It is unknown in cells that hold no such region but ground whose shadow is unknown.
    """
    psr = raster.read(path, PSR, cells.grid)["psr"]
    distance_m = shadow_distance_m(shadow_regions(psr, cells.grid, least_km2).certain, cells)
    with opened_layer(path, PSR, cells.grid) as layer:
        whole = reduce_layer(layer, cells).valid_fraction >= 1.0
    return {"psr_distance_m": np.where(whole | (distance_m == 0.0), distance_m, np.nan)}


def craters(path: Path, given: Path | None, detected: Path | None, cells: Cells) -> Columns:
    """Return the crater hazard within 1 and 5 km; that within 1 km is known where that within 5 km is.

    A crater centred farther than 1 km away may cover ground within 1 km, so that needs more than its own disc surveyed.

    Args:
        path: The table of cells.
        given: The catalogue that the run was given, or None.
        detected: The craters that it detected, or None; of these the accepted ones count.
        cells: The cells.
    """
    frame, _ = table.read(path, CELLS, ["cell_id", *_CRATERS_5KM])
    with _blamed(path):
        check_cells(frame, cells)
    found: Columns = {name: frame[name].to_numpy() for name in _CRATERS_5KM}
    if given is not None:
        catalogue, _ = table.read(given, CRATERS, _CRATER)
    elif detected is not None:
        catalogue, _ = table.read(detected, DETECTED, [*_CRATER, "accepted"])
        catalogue = catalogue[catalogue["accepted"]]
    else:
        return found
    x_m, y_m, diameter_m = (catalogue[name].to_numpy(np.float64) for name in _CRATER)
    near = hazard_within(x_m, y_m, diameter_m, cells, _HAZARD_M)
    unknown = np.isnan(found["crater_count_5km"])
    for name, values in zip(("crater_count_1km", "crater_coverage_1km_pct"), near, strict=True):
        found[name] = np.where(unknown, np.float32(np.nan), values)
    return found


def relief(path: Path, cells: Cells) -> Columns:
    """Return the relief at lander scale."""
    frame, _ = table.read(path, RELIEF)
    with _blamed(path):
        return relief_columns(frame, cells)


def layer(path: Path, spec: RasterSpec, statistic: Literal["mean", "min"], cells: Cells) -> Columns:
    """Return the mean or least value of a layer that the user brought, over each cell's known pixels.

    It is unknown where fewer than half of the cell's pixels are known: a lone pixel does not tell of its cell.
    """
    with opened_layer(path, spec, cells.grid) as values:
        found = reduce_layer(values, cells)
    value = found.mean if statistic == "mean" else found.min
    return {spec.bands[0].name: np.where(found.valid_fraction >= _LEAST_KNOWN, value, np.float32(np.nan))}


def scarps(path: Path, cells: Cells) -> Columns:
    """Return the distance to the nearest lobate scarp."""
    frame, _ = table.read(path, SCARPS)
    return {"scarp_distance_m": line_distance_m(frame["geometry"].to_numpy(), cells)}


def good_ground(path: Path, rule: str, least: float, cells: Cells) -> Columns:
    """Return the area of the contiguous ground that probably meets a rule."""
    frame, _ = table.read(path, LABELS, ["cell_id", "rule", "probability"])
    with _blamed(path):
        return {"good_area_km2": good_area_km2(probabilities(frame, rule, cells), least, cells)}
