"""What the maps of craters share: a map with enlarged squares beneath it, and where those lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lunarsite.artefact import raster
from lunarsite.artefact.contracts import DEM
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Grid, map_circles
from lunarsite.publish.figures import shaded_relief
from lunarsite.publish.polar_map import Feature, Labels, draw_features, frame, read_named_features
from lunarsite.publish.rasters import Picture, View, picture
from lunarsite.publish.style import BLACK, INK, SMALL_PT, WIDE_IN, halo, new_figure

Floats = NDArray[np.float64]

ZOOM_M: Final = 64_000.0
"""Width of the enlarged squares, map metres."""
MAP_PX, ZOOM_PX = 1_950, 950
"""Most pixels along a side of the shading in the map and in an enlarged square."""
LETTER_PT: Final = SMALL_PT + 1.0
SIDE_IN: Final = 0.3
"""Margin at the sides of a map, inches."""
_FOOT, _GAP = 1.5, 0.42
"""Room at the foot and gaps between panels, inches."""


@dataclass(frozen=True)
class Ground:
    """The terrain under the maps of craters and what is written on it."""

    dem: Path
    grid: Grid
    stamp: Stamp
    features: tuple[Feature, ...]

    @classmethod
    def read(cls, dem: Path, named_features: Path) -> Ground:
        """Read the terrain's grid and stamp, and the named features."""
        with raster.opened(dem, DEM) as source:
            return cls(dem, source.grid, source.stamp, read_named_features(named_features))

    def shading(self, view: View, most_px: int) -> Picture:
        """Return the elevation of a view for its shading."""
        return picture(self.dem, DEM, most_px, view)


@dataclass(frozen=True)
class Sheet:
    """A map with enlarged squares beneath it, over shaded relief."""

    figure: Figure
    height: float
    """Inches."""
    panels: tuple[tuple[Axes, View], ...]
    """The map first."""
    ground: Ground

    @classmethod
    def of(cls, view: View, zooms: Sequence[View], ground: Ground) -> Sheet:
        """Lay out the panels and draw relief, graticules and the squares' frames."""
        width = WIDE_IN - 2.0 * SIDE_IN
        part = (width - _GAP * (len(zooms) - 1)) / len(zooms)
        ratio = max(zoom.height_m / zoom.width_m for zoom in zooms)
        tall = width * view.height_m / view.width_m
        height = _FOOT + part * ratio + 0.5 + tall + 0.45
        figure = new_figure(WIDE_IN, height)
        boxes = [(SIDE_IN, _FOOT + part * ratio + 0.5, width, tall)]
        boxes += [(SIDE_IN + index * (part + _GAP), _FOOT, part, part * ratio) for index in range(len(zooms))]
        panels = []
        for box, shown in zip(boxes, (view, *zooms), strict=True):
            axes = figure.add_axes((box[0] / WIDE_IN, box[1] / height, box[2] / WIDE_IN, box[3] / height))
            dem = ground.shading(shown, MAP_PX if shown is view else ZOOM_PX)
            axes.imshow(shaded_relief(dem), extent=dem.view.extent, interpolation="nearest", zorder=0.5)
            frame(axes, shown)
            panels.append((axes, shown))
        sheet = cls(figure, height, tuple(panels), ground)
        for letter, zoom in zip("bcdef", zooms, strict=False):
            sheet._frame(letter, zoom)
        write_letter(panels[0][0], "a")
        for letter, (axes, _) in zip("bcdef", panels[1:], strict=False):
            write_letter(axes, letter)
        return sheet

    def _frame(self, letter: str, zoom: View) -> None:
        axes = self.panels[0][0]
        corner, size = (zoom.x_min_m, zoom.y_min_m), (zoom.width_m, zoom.height_m)
        for colour, line in (("white", 2.2), (BLACK, 1.0)):
            axes.add_patch(Rectangle(corner, *size, fill=False, ec=colour, lw=line, zorder=3.0))
        at = zoom.x_min_m + 0.04 * zoom.width_m, zoom.y_max_m - 0.05 * zoom.height_m
        axes.text(
            *at,
            letter,
            ha="left",
            va="top",
            fontsize=SMALL_PT + 1,
            fontweight="bold",
            zorder=5.0,
            path_effects=halo(2.0),
        )

    def name_ground(self, most: int) -> None:
        """Write the names of named ground on every panel, as far as there is room."""
        for axes, view in self.panels:
            draw_features(
                axes, view, self.ground.features, Labels(axes, view), most if view is self.panels[0][1] else 4
            )

    def say(self, x: float, inches: float, words: str) -> None:
        """Write words at the foot: `x` in shares of the width, `inches` from the bottom."""
        self.figure.text(x, inches / self.height, words, fontsize=SMALL_PT, color=INK, va="top", linespacing=1.35)


def square(x_m: float, y_m: float, within: View, width_m: float = ZOOM_M) -> View:
    """Return the square of a width about a place, moved and shrunk so that it lies within a view."""
    half = 0.5 * min(width_m, within.width_m, within.height_m)
    x = min(max(x_m, within.x_min_m + half), within.x_max_m - half)
    y = min(max(y_m, within.y_min_m + half), within.y_max_m - half)
    return View(x - half, x + half, y - half, y + half, within.pole)


def densest(craters: pd.DataFrame, within: View, width_m: float = ZOOM_M) -> View:
    """Return the square, centred on one of the craters where the view allows, that holds most centres.

    The first crater of the table wins a tie; without craters it is the middle of the view.
    """
    x, y = craters["x_m"].to_numpy(dtype=np.float64), craters["y_m"].to_numpy(dtype=np.float64)
    held = (x >= within.x_min_m) & (x <= within.x_max_m) & (y >= within.y_min_m) & (y <= within.y_max_m)
    x, y = x[held], y[held]
    if not x.size:
        return square(*middle(within), within, width_m)
    half = 0.5 * min(width_m, within.width_m, within.height_m)
    centre_x = np.clip(x, within.x_min_m + half, within.x_max_m - half)
    centre_y = np.clip(y, within.y_min_m + half, within.y_max_m - half)
    # A few hundred places are enough to find a dense one, and keep the cost linear.
    step = max(1, x.size // 600)
    counts = [
        int(((np.abs(x - at_x) <= half) & (np.abs(y - at_y) <= half)).sum())
        for at_x, at_y in zip(centre_x[::step], centre_y[::step], strict=True)
    ]
    best = step * int(np.argmax(counts))
    return square(float(centre_x[best]), float(centre_y[best]), within, width_m)


def middle(view: View) -> tuple[float, float]:
    """Return the middle of a view, map metres."""
    return 0.5 * (view.x_min_m + view.x_max_m), 0.5 * (view.y_min_m + view.y_max_m)


def reaching(craters: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the craters whose rim may reach a view; centres may lie beside it."""
    reach = 0.55 * craters["diameter_m"]
    x, y = craters["x_m"], craters["y_m"]
    held = (x + reach >= view.x_min_m) & (x - reach <= view.x_max_m)
    held &= (y + reach >= view.y_min_m) & (y - reach <= view.y_max_m)
    return craters[held]


def circles(
    axes: Axes, craters: pd.DataFrame, colours: Any, widths: Any, dashes: Any = "solid", *, under: bool = True
) -> None:
    """Draw craters' rims; a faint light line beneath keeps dark ones legible on dark relief."""
    if craters.empty:
        return
    columns = (craters[name].to_numpy(dtype=np.float64) for name in ("x_m", "y_m", "diameter_m"))
    x, y, radius = map_circles(*columns)
    place: dict[str, Any] = {
        "widths": 2.0 * radius,
        "heights": 2.0 * radius,
        "angles": 0.0,
        "units": "xy",
        "offsets": np.column_stack([x, y]),
        "offset_transform": axes.transData,
        "facecolors": "none",
    }
    if under:
        light = np.asarray(widths) + 0.8
        axes.add_collection(
            EllipseCollection(**place, edgecolors="white", linewidths=light, alpha=0.55, zorder=2.0), autolim=False
        )
    axes.add_collection(
        EllipseCollection(**place, edgecolors=colours, linewidths=widths, linestyles=dashes, zorder=2.1), autolim=False
    )


def write_letter(axes: Axes, letter: str) -> None:
    """Write a panel's letter into its upper left corner."""
    axes.text(
        0.0, 1.0, f" {letter} ", transform=axes.transAxes, ha="left", va="top", fontsize=LETTER_PT, fontweight="bold",
        zorder=6.0, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )  # fmt: skip


def legend(figure: Figure, handles: Sequence[Any], x: float, y: float) -> None:
    """Write a legend at the foot of a figure; its upper left corner in shares of the figure."""
    figure.legend(handles=list(handles), loc="upper left", bbox_to_anchor=(x, y), borderaxespad=0.0, handlelength=2.8)
