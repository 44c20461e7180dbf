"""Published maps of light, Earth view and permanent shadow as references, on the run's grid.

Maps of averages become the table of cell means that a run without them may bring (`illumination_record.read_table`), so
both are judged in one way and under one set of names. Permanent shadow is compared pixel by pixel, over ground that
both maps know. Published maps cover less than a run, and finer terrain than a run's finds more shadow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact.record import Metric, Verdict
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid
from lunarsite.settings import IlluminationReferenceSettings
from lunarsite.validate.illumination import (
    Windowed,
    cap_mask,
    displaced,
    large_regions,
    overlap,
    phi,
    true_area_km2,
    windowed_means,
)

DISPLACEMENT_M = 10_000.0
"""How far copies of our mask are moved, which show what as much shadow reaches by chance."""
_UNKNOWN = 255


def check_one_reference(*, table: bool, sun: bool, earth: bool) -> None:
    """Refuse two references of averages, or half of one.

    Raises:
        ArtefactError: A table and maps are both given, or only one of the two maps is.
    """
    if table and (sun or earth):
        raise ArtefactError(
            "validate-illumination: both a table (validation.illumination.table) and published maps (sun_reference,"
            " earth_reference) are given; give one of them, for the record has one name for each number"
        )
    if sun != earth:
        given, lacking = ("sun", "earth") if sun else ("earth", "sun")
        raise ArtefactError(
            f"validate-illumination: {given}_reference is given without {lacking}_reference; give both or neither"
        )


def reference_table(sun: Windowed, earth: Windowed, grid: Grid, cell_m: float) -> pd.DataFrame:
    """Return cell means of published maps as a reference table has them, percent of time.

    Cells lie side by side from the grid's upper-left corner. One of which a map does not cover every part is NaN there,
    and is left out where no map covers it.

    Args:
        sun: Shares of time with any part of the Sun in sight, 0..1.
        earth: The same of the Earth.
        grid: The grid of both.
        cell_m: Side of the cells, map metres.
    """
    columns, rows = (int(pixels * grid.pixel_m / cell_m + 1e-9) for pixels in (grid.cols, grid.rows))
    x_m, y_m = (
        axis.ravel()
        for axis in np.meshgrid(
            grid.x_min_m + (np.arange(columns) + 0.5) * cell_m, grid.y_max_m - (np.arange(rows) + 0.5) * cell_m
        )
    )
    means = {
        column: np.clip(100.0 * windowed_means(source, grid, x_m, y_m, cell_m), 0.0, 100.0)
        for column, source in (("avg_illumination_pct", sun), ("earth_visibility_pct", earth))
    }
    table = pd.DataFrame({"x_m": x_m, "y_m": y_m, **means})
    kept: pd.DataFrame = table[table[list(means)].notna().any(axis=1)]
    return kept.reset_index(drop=True)


def judge_shadow(
    ours: NDArray[np.uint8],
    published: NDArray[np.uint8],
    grid: Grid,
    reference: IlluminationReferenceSettings,
    latitude_limit_deg: float,
    bound: float,
) -> tuple[list[Metric], list[Verdict]]:
    """Return what a published map of permanent shadow says of ours.

    Args:
        ours: 0, 1, or 255 where unknown.
        published: The same of the published map, on the same grid.
        grid: The grid of both.
        reference: Smallest region that counts as large.
        latitude_limit_deg: Absolute latitude from which on ground counts.
        bound: Least overlap of large regions that holds.
    """
    known = cap_mask(grid, latitude_limit_deg) & (ours != _UNKNOWN) & (published != _UNKNOWN)
    mine, theirs = known & (ours == 1), known & (published == 1)
    areas = true_area_km2(known, grid), true_area_km2(mine, grid), true_area_km2(theirs, grid)
    blank = not known.any()
    none = not theirs.any()
    why = "unknown: the published map has no data on the run's known ground" if blank else ""
    why_none = why or ("unknown: the published map has no shadow on the run's known ground" if none else "")
    found = None if none else overlap(mine, theirs)
    alike = None if none else _finite(phi(mine, theirs, known))
    chance_overlap, known_chance = _by_chance(mine, theirs, known, grid)
    sizes = [large_regions(mask, grid, reference.psr_min_area_km2, None) for mask in (mine, theirs)]
    large = overlap(*sizes) if sizes[1].any() else None
    moved = f"median over eight directions after moving our mask by {DISPLACEMENT_M / 1e3:g} km"
    metrics = [
        Metric(name="psr_map_ground", value=None if blank else areas[0], unit="km2", why=why or "known to both maps"),
        Metric(name="psr_map_area", value=None if blank else areas[1], unit="km2", why=why or "ours, on that ground"),
        Metric(name="psr_map_area_published", value=None if blank else areas[2], unit="km2", why=why),
        Metric(name="psr_map_overlap", value=found, unit="1", why=why_none or "intersection over union of pixels"),
        Metric(
            name="psr_map_overlap_displaced", value=None if none else chance_overlap, unit="1", why=why_none or moved
        ),
        Metric(name="psr_map_phi", value=alike, unit="1", why=why_none or "correlation of the two masks"),
        Metric(name="psr_map_phi_displaced", value=None if none else known_chance, unit="1", why=why_none or moved),
    ]
    better, why_better = None, why_none or "unknown: one of the masks is the same everywhere"
    if alike is not None and known_chance is not None:
        better = alike - known_chance
        why_better = f"correlation of pixels {alike:.2f}, of displaced copies {known_chance:.2f}"
    verdicts = [
        Verdict(
            name="PSR pixels agree with the published map better than displaced ones",
            value=better,
            unit="1",
            bound="> 0",
            holds=None if better is None else better > 0.0,
            why=why_better,
        ),
        Verdict(
            name="PSR overlap with the published map, large regions",
            value=large,
            unit="1",
            bound=f">= {bound:g}",
            holds=None if large is None else large >= bound,
            why=f"regions of at least {reference.psr_min_area_km2:g} km2 on ground that both maps know"
            if large is not None
            else why_none or f"unknown: the published map has no region of {reference.psr_min_area_km2:g} km2 there",
        ),
    ]
    return metrics, verdicts


def _by_chance(
    mine: NDArray[np.bool_], theirs: NDArray[np.bool_], known: NDArray[np.bool_], grid: Grid
) -> tuple[float | None, float | None]:
    """Return the median overlap and correlation of displaced copies of our mask on known ground, where finite."""
    overlaps, phis = [], []
    for copy in displaced(mine, round(DISPLACEMENT_M / grid.pixel_m)):
        overlaps.append(overlap(copy & known, theirs))
        phis.append(phi(copy, theirs, known))
    return _median(overlaps), _median(phis)


def _median(values: list[float]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
