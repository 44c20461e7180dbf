"""The figures of light: averages against published ones, and nights and hours of Sun and Earth on the map.

Everything is read from the tables and records of the illumination and validation rooms; no number is computed here
but the difference of two columns that stand side by side in one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact import raster, record, table
from lunarsite.artefact.contracts import DEM, ILLUMINATION_CELLS, ILLUMINATION_RECORD, NIGHT
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import Cells, Grid, Pole
from lunarsite.publish.figures import column_map, finish, source_line, unknown_ground
from lunarsite.publish.polar_map import Feature, Labels, draw_features, frame, read_named_features
from lunarsite.publish.rasters import View, whole_view
from lunarsite.publish.style import (
    BLUE,
    FAINT,
    INK,
    SMALL_PT,
    UNKNOWN,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)
from lunarsite.publish.words import number_words
from lunarsite.settings import DarknessSettings, GridSettings, IlluminationReferenceSettings, SpanSettings

PANELS = {
    "sun_mean": "Sun, mean disc",
    "sun_any": "Sun, any part",
    "earth_mean": "Earth, mean disc",
    "earth_any": "Earth, any part",
}
"""What is compared with the reference, in words."""
_MEANING = "Mean disc: mean visible fraction of the disc; any part: share of time with any part of it in view."
_NICE_PCT = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
_NICE_DAYS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1000.0, 2000.0, 5000.0)
_SHORTEST_DAYS = 0.1
"""Where a logarithmic scale of nights begins at the least."""
_MASKED = "#C4C4C4"
"""Colour of cells that are known but left out; lighter than unknown ground, which is hatched too."""


@dataclass(frozen=True)
class Terrain:
    """Where the terrain under a figure comes from."""

    stamp: Stamp
    grid: Grid

    @classmethod
    def read(cls, dem: Path) -> Terrain:
        """Read what an elevation model says of itself."""
        with raster.opened(dem, DEM) as source:
            return cls(source.stamp, source.grid)


@dataclass(frozen=True)
class Comparison:
    """Light against a published reference: the compared cells and the record that judged them."""

    cells: pd.DataFrame
    record: Record
    stamp: Stamp
    reference: IlluminationReferenceSettings
    terrain: Terrain

    @classmethod
    def read(cls, cells: Path, found: Path, dem: Path, reference: IlluminationReferenceSettings) -> Comparison:
        """Read a comparison.

        Raises:
            ArtefactError: A file breaks its contract, nothing was compared, or the files are of different comparisons.
        """
        frame, stamp = table.read(cells, ILLUMINATION_CELLS)
        judged, judged_stamp = record.read(found, ILLUMINATION_RECORD)
        if frame.empty:
            raise ArtefactError(
                f"{cells}: no cell was compared; name a table in validation.illumination.table, or published maps that"
                " cover whole cells of the run, and rerun validate-illumination"
            )
        if stamp.inputs != judged_stamp.inputs or stamp.settings_hash != judged_stamp.settings_hash:
            raise ArtefactError(f"{cells}: comes from another comparison than {found}; rerun validate-illumination")
        return cls(frame, judged, stamp, reference, Terrain.read(dem))

    def differences(self, name: str) -> NDArray[np.float64]:
        """Return ours minus published per cell, percent of time; NaN where either is unknown."""
        published = self.cells[f"{name.split('_', maxsplit=1)[0]}_reference_pct"]
        return np.asarray((self.cells[f"{name}_pct"] - published).to_numpy(dtype=np.float64))

    def numbers(self, name: str) -> str:
        """Return the record's numbers for one average, as they are printed.

        Raises:
            ArtefactError: The record lacks one.
        """
        try:
            bias, rms, correlation, count = (
                self.record.metric(f"{name}_{metric}") for metric in ("bias", "rms", "correlation", "cells")
            )
        except KeyError as error:
            raise ArtefactError(
                f"the record '{self.record.title}' has no metric {error}; rerun validate-illumination"
            ) from error
        return "\n".join(
            (
                f"bias {_fixed(bias, '+.2f', ' %')}",
                f"RMS {_fixed(rms, '.2f', ' %')}",
                f"correlation {_fixed(correlation, '.4f', '')}",
                f"{number_words(count)} cells",
            )
        )

    def source(self) -> str:
        """Return the words that say what is compared with what."""
        if self.reference.table is None:
            return f"Reference: published maps, cells of {self.reference.table_cell_m:g} m."
        name = self.reference.table.name
        factor = "" if self.reference.table_factor == 1.0 else f", its values × {self.reference.table_factor:.6g}"
        return f"Reference: {name}, cells of {self.reference.table_cell_m:g} m{factor}."


def _fixed(value: float | None, form: str, unit: str) -> str:
    return "unknown" if value is None else f"{value:{form}}{unit}".replace("-", "\N{MINUS SIGN}")


def draw_differences(comparison: Comparison, pole: Pole) -> Figure:
    """Return the maps of ours minus published for Sun and Earth, for two columns."""
    with styled():
        view = _cells_view(comparison, pole)
        ratio = view.height_m / view.width_m
        columns = 4 if ratio >= 1.3 else 2
        rows = len(PANELS) // columns
        side, gap, above, below = 0.27, 0.42, 0.42, 0.22
        width = (WIDE_IN - 2.0 * side - gap * (columns - 1)) / columns
        height = ratio * width
        total = 0.28 + rows * (above + height + below) + 1.12
        figure = new_figure(WIDE_IN, total)
        limit = _limit(np.concatenate([comparison.differences(name) for name in PANELS]))
        norm, colours = Normalize(-limit, limit), colormaps["PuOr_r"]
        unknown = False
        for index, (name, words) in enumerate(PANELS.items()):
            row, column = divmod(index, columns)
            left = side + column * (width + gap)
            low = total - 0.28 - (row + 1) * (above + height) - row * below
            axes = figure.add_axes((left / WIDE_IN, low / total, width / WIDE_IN, height / total))
            unknown |= _difference_panel(axes, comparison, name, view, norm, colours)
            axes.set_title(words, pad=13.0)
        bar = figure.add_axes((0.2, 0.95 / total, 0.6, 0.11 / total))
        worst = np.nanmax([np.nanmax(np.abs(comparison.differences(name)), initial=0.0) for name in PANELS])
        figure.colorbar(
            ScalarMappable(norm, colours),
            cax=bar,
            orientation="horizontal",
            label="Ours minus published (% of time); orange: ours is higher",
            extend="both" if worst > limit else "neither",
        )
        if unknown:
            handles = [Patch(fc=UNKNOWN, hatch="////", ec="white", label="unknown")]
            figure.legend(handles=handles, loc="center left", bbox_to_anchor=(0.85, 1.0 / total))
        terrain = source_line(comparison.terrain.stamp, comparison.terrain.grid.pixel_m)
        caption(figure, f"{_MEANING}\n{comparison.source()}\n{terrain}")
        _header(figure, "Light and Earth view against published maps: differences", comparison.stamp)
        return figure


def _header(figure: Figure, title: str, stamp: Stamp) -> None:
    header(figure, title, synthetic=stamp.origin == "synthetic")


def _cells_view(comparison: Comparison, pole: Pole) -> View:
    """Return the view of all compared cells, no narrower than half its other side."""
    half = 0.5 * comparison.reference.table_cell_m
    x, y = comparison.cells["x_m"], comparison.cells["y_m"]
    left, right, bottom, top = x.min() - half, x.max() + half, y.min() - half, y.max() + half
    wider = max(0.0, 0.5 * (0.5 * (top - bottom) - (right - left)))
    taller = max(0.0, 0.5 * (0.5 * (right - left) - (top - bottom)))
    return View(float(left - wider), float(right + wider), float(bottom - taller), float(top + taller), pole)


def _limit(differences: NDArray[np.float64]) -> float:
    """Return the end of the colour scale: a round number that 98 % of the differences do not pass."""
    finite = np.abs(differences[np.isfinite(differences)])
    most = float(np.quantile(finite, 0.98)) if finite.size else 0.0
    return next((nice for nice in _NICE_PCT if nice >= most), _NICE_PCT[-1])


def _difference_panel(
    axes: Axes, comparison: Comparison, name: str, view: View, norm: Normalize, colours: Colormap
) -> bool:
    """Draw one map of differences; return whether a cell of it is unknown."""
    half = 0.5 * comparison.reference.table_cell_m
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    squares = comparison.cells[["x_m", "y_m"]].to_numpy()[:, None, :] + corners
    differences = comparison.differences(name)
    known = np.isfinite(differences)
    for chosen, style in (
        (known, {"array": differences[known], "norm": norm, "cmap": colours, "edgecolors": "face"}),
        (~known, {"facecolors": UNKNOWN, "hatch": "////", "edgecolors": "white"}),
    ):
        if chosen.any():
            axes.add_collection(
                PolyCollection(list(squares[chosen]), linewidths=0.2, rasterized=True, zorder=0.5, **style),
                autolim=False,
            )
    frame(axes, view)
    return not bool(known.all())


def draw_scatter(comparison: Comparison) -> Figure:
    """Return the charts of ours against published with the record's numbers, for two columns."""
    with styled():
        figure = new_figure(WIDE_IN, 7.2)
        panels = figure.subplots(2, 2)
        figure.subplots_adjust(left=0.085, right=0.98, top=0.925, bottom=0.145, wspace=0.2, hspace=0.3)
        for axes, (name, words) in zip(panels.flat, PANELS.items(), strict=True):
            published = comparison.cells[f"{name.split('_')[0]}_reference_pct"].to_numpy()
            ours = comparison.cells[f"{name}_pct"].to_numpy()
            body = [column for column in comparison.cells.columns if str(column).startswith(name.split("_")[0])]
            most = float(np.nanmax(comparison.cells[body].to_numpy(), initial=1.0)) * 1.04
            size = 3.0 if ours.size < 10_000 else 0.6
            axes.plot([0.0, most], [0.0, most], color=VERMILION, lw=0.9, ls="--", zorder=3.0, label="ours = published")
            axes.scatter(published, ours, s=size, c=BLUE, alpha=0.45, linewidths=0.0, rasterized=True, zorder=2.0)
            axes.set(xlim=(0.0, most), ylim=(0.0, most), aspect="equal")
            axes.set_title(words)
            axes.set_xlabel("Published (% of time)")
            axes.set_ylabel("Ours (% of time)")
            axes.grid(lw=0.3, alpha=0.6)
            axes.text(
                0.03, 0.97, comparison.numbers(name), transform=axes.transAxes, ha="left", va="top",
                fontsize=SMALL_PT + 0.5, color=INK, linespacing=1.35,
            )  # fmt: skip
            axes.legend(loc="lower right")
            axes.spines[["top", "right"]].set_visible(False)
        terrain = source_line(comparison.terrain.stamp, comparison.terrain.grid.pixel_m)
        numbers = "A dot is a cell. Numbers from validate/illumination.json, in % of time; bias: ours minus published."
        caption(figure, f"{numbers}\n{_MEANING}\n{comparison.source()}\n{terrain}")
        _header(figure, "Light and Earth view against published maps: cell by cell", comparison.stamp)
        return figure


@dataclass(frozen=True)
class Nights:
    """Nights and days of a run's cells, on the lattice of cells."""

    rows: pd.DataFrame
    cells: Cells
    stamp: Stamp
    terrain: Terrain
    features: tuple[Feature, ...]
    span: SpanSettings
    darkness: DarknessSettings

    @classmethod
    def read(
        cls,
        grid: GridSettings,
        span: SpanSettings,
        darkness: DarknessSettings,
        night: Path,
        dem: Path,
        named_features: Path,
    ) -> Nights:
        """Read a run's nights.

        Raises:
            ArtefactError: A file breaks its contract, or the table and the settings speak of different cells.
        """
        pixels = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
        cells = Cells(pixels, grid.cell_m, grid.latitude_limit_deg)
        columns = ["cell_id", "lit_fraction", "longest_night_h", "sun_and_earth_h_per_year"]
        values, stamp = table.read(night, NIGHT, columns)
        if len(values) != cells.count or (values["cell_id"].to_numpy() != np.arange(cells.count)).any():
            raise ArtefactError(f"{night}: lists other cells than the run's grid; rerun illumination-darkness")
        features = read_named_features(named_features)
        return cls(values, cells, stamp, Terrain.read(dem), features, span, darkness)

    def draw_longest(self) -> Figure:
        """Return the map of the longest night, for one column."""
        days = self.rows["longest_night_h"].to_numpy(dtype=np.float64) / 24.0
        low, high = _ends(days)
        low = max(low, _SHORTEST_DAYS)
        norm = LogNorm(low, max(high, 1.5 * low))
        return self._draw(days, norm, "viridis_r", "Longest night", "Longest night (days)")

    def draw_together(self) -> Figure:
        """Return the map of the hours per year with Sun and Earth in view, for one column."""
        hours = self.rows["sun_and_earth_h_per_year"].to_numpy(dtype=np.float64)
        norm = Normalize(0.0, max(_ends(hours)[1], 1.0))
        return self._draw(hours, norm, "cividis", "Sun and Earth", "Sun and Earth both in view (hours per year)")

    def _draw(self, values: NDArray[np.float64], norm: Normalize, colours: str, title: str, label: str) -> Figure:
        with styled():
            view, grid, cell_m = whole_view(self.cells.grid), self.cells.grid, self.cells.cell_m
            figure, axes, bar = column_map(view, sources=3)
            unknown = self.rows["lit_fraction"].isna().to_numpy()
            left_out = np.isnan(values) & ~unknown
            rgb = np.ones((*self.cells.kept.shape, 3))
            shown = colormaps[colours](norm(np.nan_to_num(values)))[:, :3]
            shown[left_out] = to_rgb(_MASKED)
            shown[unknown] = unknown_ground(self.cells.kept.shape)[self.cells.kept][unknown]
            rgb[self.cells.kept] = shown
            right, bottom = grid.x_min_m + self.cells.cols * cell_m, grid.y_max_m - self.cells.rows * cell_m
            axes.imshow(rgb, extent=(grid.x_min_m, right, bottom, grid.y_max_m), interpolation="nearest", zorder=0.5)
            frame(axes, view)
            draw_features(axes, view, self.features, Labels(axes, view), 9)
            _colour_bar(figure, bar, norm, colours, label, values)
            handles = []
            if left_out.any():
                words = f"lit < {100.0 * self.darkness.least_lit_fraction:g} % of the time"
                handles.append(Patch(fc=_MASKED, ec=FAINT, lw=0.3, label=words))
            if unknown.any():
                handles.append(Patch(fc=UNKNOWN, hatch="////", ec="white", label="unknown"))
            if handles:
                axes.legend(handles=handles, loc="upper right", frameon=True, framealpha=0.85, edgecolor="none")
            span = f"{self.span.years:g} years from {self.span.start_utc}, every {self.span.step_h:g} h"
            sources = [f"Best-lit pixel of a cell; {span}."]
            finish(figure, title, self.stamp, self.terrain.stamp, self.terrain.grid.pixel_m, sources)
            return figure


def _colour_bar(
    figure: Figure, bar: Axes, norm: Normalize, colours: str, label: str, values: NDArray[np.float64]
) -> None:
    """Draw a map's colour bar; a logarithmic one is ticked at round numbers."""
    low, high = norm.vmin or 0.0, norm.vmax or 0.0
    finite = values[np.isfinite(values)]
    beyond = bool((finite < low).any()), bool((finite > high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
    drawn = figure.colorbar(
        ScalarMappable(norm, colormaps[colours]),
        cax=bar,
        orientation="horizontal",
        label=label,
        extend=extend,
    )
    if isinstance(norm, LogNorm):
        drawn.set_ticks(_NICE_DAYS, labels=[f"{tick:g}" for tick in _NICE_DAYS])
        drawn.minorticks_off()
        bar.set_xlim(low, high)


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the values beyond which 0.1 % of the known ones lie at either end; 0 and 0 if none is known."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.quantile(finite, (0.001, 0.999)))
    return low, high
