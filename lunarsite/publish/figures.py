"""The maps: elevation, slope, light, Earth view, shadow, and where the best cells lie.

Each function takes what was read from artefacts and returns a figure; `charts.py` holds what is no map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Cells
from lunarsite.publish.polar_map import Feature, Labels, draw_features, draw_regions, frame
from lunarsite.publish.rasters import Picture, View, hillshade
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    COLUMN_IN,
    SMALL_PT,
    UNKNOWN,
    VERMILION,
    WIDE_IN,
    caption,
    halo,
    header,
    new_figure,
    styled,
)
from lunarsite.site.place.regions import Region

CLASS_LIMITS_PCT = (0.0, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Limits of the classes of the score map: a cell is among the best so many percent of the known cells."""

DOTTED_SHARE, DOTTED_VIEW_M = 0.01, 300_000.0
"""Cells that pass the rule are dotted if they are few, or if the view is small enough that dots hide no colours."""

RGB = NDArray[np.float64]


@dataclass(frozen=True)
class Places:
    """What is written on maps beside their data."""

    features: tuple[Feature, ...]
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Layer:
    """How one raster is drawn."""

    title: str
    label: str
    """Label of the colour bar, with the unit."""
    colours: str
    scale: float = 1.0
    """Factor from the raster's unit to the one shown."""
    low: float | None = None
    high: float | None = None
    shaded: bool = False
    """Whether the relief's shading lies under the colours."""


LAYERS: dict[str, Layer] = {
    "elevation": Layer("Elevation", "Height above the sphere of 1737.4 km (km)", "viridis", 1e-3, shaded=True),
    "slope": Layer("Slope", "Slope (degrees)", "cividis", 1.0, 0.0, 30.0),
    "sun_mean": Layer("Sunlight", "Mean visible fraction of the Sun's disc (%)", "cividis", 100.0, 0.0),
    "sun_any": Layer("Sunlight", "Time with any part of the Sun in view (%)", "cividis", 100.0, 0.0),
    "earth": Layer("Earth view", "Time with any part of the Earth in view (%)", "cividis", 100.0, 0.0, 100.0),
}


def terrain_line(stamp: Stamp, pixel_m: float) -> str:
    """Return the words that say where the terrain comes from."""
    terrain = {
        "synthetic": f"synthetic terrain, seed {stamp.seed}" if stamp.seed is not None else "synthetic terrain",
        "local": "elevation model given by the user",
        "published": "published elevation model",
    }[stamp.origin]
    return f"{terrain[0].upper()}{terrain[1:]}, {pixel_m:g} m pixels."


def source_line(stamp: Stamp, pixel_m: float) -> str:
    """Return the words that say where a map's terrain comes from and how it is drawn, for the caption line."""
    return f"{terrain_line(stamp, pixel_m)} Polar stereographic, sphere of 1737.4 km."


def draw_layer(layer: Layer, shown: Picture, dem: Picture, places: Places) -> Figure:
    """Return the map of one raster, for one column."""
    with styled():
        figure, axes, bar = column_map(shown.view)
        values = shown.data * layer.scale
        finite = values[np.isfinite(values)]
        low = layer.low if layer.low is not None else float(np.quantile(finite, 0.002))
        high = layer.high if layer.high is not None else float(np.quantile(finite, 0.998))
        norm, colours = Normalize(low, max(high, low + 1e-6)), colormaps[layer.colours]
        rgb = colours(norm(np.nan_to_num(values, nan=low)))[..., :3]
        if layer.shaded:
            rgb = _lit(rgb, _shade(dem, values.shape))
        rgb[~np.isfinite(values)] = unknown_ground(values.shape)[~np.isfinite(values)]
        axes.imshow(rgb, extent=shown.view.extent, interpolation="nearest", zorder=0.5)
        frame(axes, shown.view)
        labels = Labels(axes, shown.view)
        draw_features(axes, shown.view, places.features, labels, 9)
        slack = 1e-3 * (high - low)
        beyond = (finite < low - slack).any(), (finite > high + slack).any()
        extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        figure.colorbar(
            ScalarMappable(norm, colours),
            cax=bar,
            orientation="horizontal",
            label=layer.label,
            extend=extend[bool(beyond[0]), bool(beyond[1])],
        )
        if finite.size < values.size:
            handles = [Patch(fc=UNKNOWN, hatch="////", ec="white", label="no data")]
            axes.legend(handles=handles, loc="upper right", frameon=True, framealpha=0.85, edgecolor="none")
        finish(figure, layer.title, shown.stamp, dem.stamp, dem.grid.pixel_m)
        return figure


def draw_shadow(psr: Picture, dem: Picture, places: Places) -> Figure:
    """Return the map of permanent shadow over shaded relief, for one column."""
    with styled():
        figure, axes, bar = column_map(psr.view)
        bar.set_axis_off()
        rgb = _relief(_shade(dem, psr.data.shape))
        shadowed = psr.data == 1
        rgb[shadowed] = _lit(np.broadcast_to(to_rgb(BLUE), (*psr.data.shape, 3)).copy(), rgb[..., 0])[shadowed]
        missing = ~np.isfinite(psr.data)
        rgb[missing] = unknown_ground(missing.shape)[missing]
        axes.imshow(rgb, extent=psr.view.extent, interpolation="nearest", zorder=0.5)
        frame(axes, psr.view)
        draw_features(axes, psr.view, places.features, Labels(axes, psr.view), 9)
        handles = [
            Patch(fc=BLUE, label="never sunlit (Sun of 1972 to 2049)"),
            Patch(fc="#D0D0D0", label="lit at some time"),
        ]
        if missing.any():
            handles.append(Patch(fc=UNKNOWN, hatch="////", ec="white", label="unknown"))
        bar.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.05, 1.0), borderaxespad=0.0, labelspacing=0.3)
        finish(figure, "Permanent shadow", psr.stamp, dem.stamp, dem.grid.pixel_m)
        return figure


def cell_shares(scores: pd.DataFrame, cells: Cells) -> NDArray[np.float64]:
    """Return, on the lattice of cells, the share (%) of known cells that rank at least as high; NaN where unknown.

    -1 marks places that are no cells.
    """
    rank = scores["rank"].to_numpy()
    known = max(int((rank > 0).sum()), 1)
    lattice = np.full(cells.kept.shape, -1.0)
    lattice[cells.kept] = np.where(rank > 0, 100.0 * rank / known, np.nan)
    return lattice


def draw_scores(
    scores: pd.DataFrame,
    cells: Cells,
    dem: Picture,
    places: Places,
    view: View,
    stamp: Stamp,
    *,
    title: str,
    numbered: int,
) -> Figure:
    """Return the map of the score over shaded relief, for two columns.

    Args:
        scores: The table of scores.
        cells: The cells that it lists.
        dem: Elevation for the shading, covering the view.
        places: Names and regions.
        view: What is shown.
        stamp: The scores' stamp.
        title: The map's title.
        numbered: How many of the best cells are numbered.
    """
    with styled():
        width = WIDE_IN - 0.6
        height = width * view.height_m / view.width_m
        total = height + 1.95
        figure = new_figure(WIDE_IN, total)
        axes = figure.add_axes((0.3 / WIDE_IN, 1.45 / total, width / WIDE_IN, height / total))
        rgb = _relief(_shade(dem, dem.data.shape))
        share = _on_picture(cell_shares(scores, cells), cells, dem)
        colours, norm = _class_colours()
        good = (share > 0) & (share <= CLASS_LIMITS_PCT[-1])
        rgb[good] = _lit(colours(norm(np.where(good, share, 1.0)))[..., :3], rgb[..., 0], 0.55)[good]
        rgb[np.isnan(share)] = unknown_ground(share.shape)[np.isnan(share)]
        axes.imshow(rgb, extent=dem.view.extent, interpolation="nearest", zorder=0.5)
        frame(axes, view)
        labels = Labels(axes, view)
        passing = scores[scores["label"] == "suitable"]
        dotted = len(passing) <= DOTTED_SHARE * len(scores) or view.width_m <= DOTTED_VIEW_M
        _best_cells(axes, scores, view, labels, numbered, passing if dotted else passing[:0])
        draw_regions(axes, view, places.regions, labels)
        draw_features(axes, view, places.features, labels, 26, [region.name for region in places.regions])
        bar = figure.add_axes((0.06, 0.92 / total, 0.46, 0.13 / total))
        figure.colorbar(ScalarMappable(norm, colours), cax=bar, orientation="horizontal", ticks=CLASS_LIMITS_PCT)
        bar.set_xticklabels([f"{limit:g}" for limit in CLASS_LIMITS_PCT])
        bar.set_xlabel("Score, as rank: the cell is among the best ... % of known cells", fontsize=SMALL_PT)
        known = bool(np.isfinite(share).all())
        handles = _score_handles(len(passing) if dotted else 0, numbered, known=known, regions=bool(places.regions))
        figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.56, 1.15 / total), borderaxespad=0.0)
        line = "Cells of 960 m." if cells.cell_m == 960.0 else f"Cells of {cells.cell_m:g} m."
        sources = [f"{line} Names: IAU Gazetteer and literature. Regions: USGS, doi 10.5066/P1MEQ6UK."]
        finish(figure, title, stamp, dem.stamp, dem.grid.pixel_m, sources)
        return figure


def close_up_view(scores: pd.DataFrame, grid_view: View, best: int, width_m: float) -> View:
    """Return the square view, as wide as given or as the grid, that holds most of the best cells.

    It is centred on one of them; the better ranked wins a tie.
    """
    top = scores[(scores["rank"] > 0) & (scores["rank"] <= best)].sort_values("rank")
    x, y = top.geometry.x.to_numpy(), top.geometry.y.to_numpy()
    half = 0.5 * min(width_m, grid_view.width_m, grid_view.height_m)
    near = (np.abs(x[:, None] - x) <= half) & (np.abs(y[:, None] - y) <= half)
    centre = int(near.sum(axis=1).argmax())
    middle_x = float(np.clip(x[centre], grid_view.x_min_m + half, grid_view.x_max_m - half))
    middle_y = float(np.clip(y[centre], grid_view.y_min_m + half, grid_view.y_max_m - half))
    return View(middle_x - half, middle_x + half, middle_y - half, middle_y + half, grid_view.pole)


def column_map(view: View, sources: int = 2) -> tuple[Figure, Axes, Axes]:
    """Return an empty figure for one column, the map's axes in it and those of the colour bar.

    Args:
        view: What the map shows.
        sources: Lines of sources for which there is room at the foot.
    """
    width = COLUMN_IN - 0.46
    height = width * view.height_m / view.width_m
    foot = 0.13 * (sources - 2)
    total = height + 1.5 + foot
    figure = new_figure(COLUMN_IN, total)
    axes = figure.add_axes((0.23 / COLUMN_IN, (1.02 + foot) / total, width / COLUMN_IN, height / total))
    bar = figure.add_axes((0.35 / COLUMN_IN, (0.74 + foot) / total, 1.0 - 0.7 / COLUMN_IN, 0.1 / total))
    return figure, axes, bar


def finish(figure: Figure, title: str, stamp: Stamp, dem: Stamp, pixel_m: float, sources: Sequence[str] = ()) -> None:
    """Write a map's title and sources.

    Args:
        figure: The map's figure.
        title: Its title.
        stamp: Stamp of what it shows.
        dem: Stamp of the terrain behind it.
        pixel_m: The terrain's pixel size, metres.
        sources: Further lines for the foot.
    """
    line = source_line(dem, pixel_m)
    if figure.get_figwidth() < WIDE_IN:
        line = line.replace(" Polar", "\nPolar")
    caption(figure, "\n".join([line, *sources]))
    header(figure, title, synthetic=stamp.origin == "synthetic")


def _relief(shade: NDArray[np.float64]) -> RGB:
    grey = 0.42 + 0.58 * shade
    return np.repeat(grey[..., None], 3, axis=2)


def shaded_relief(dem: Picture) -> RGB:
    """Return a picture's relief in light greys, hatched where the elevation is unknown."""
    rgb = _relief(_shade(dem, dem.data.shape))
    missing = ~np.isfinite(dem.data)
    rgb[missing] = unknown_ground(missing.shape)[missing]
    return rgb


def _shade(dem: Picture, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the shading of a picture's relief on an array of another size over the same view, 1 = brightest."""
    shade = hillshade(dem.data, dem.pixel_m).astype(np.float64)
    lit = np.nan_to_num(shade / np.nanquantile(shade, 0.995) if np.isfinite(shade).any() else shade, nan=0.6)
    rows = np.arange(shape[0]) * lit.shape[0] // shape[0]
    cols = np.arange(shape[1]) * lit.shape[1] // shape[1]
    return np.clip(lit, 0.0, 1.0)[np.ix_(rows, cols)]


def _lit(rgb: RGB, light: NDArray[np.float64], depth: float = 0.6) -> RGB:
    return np.asarray(np.clip(rgb * (1.0 - depth + depth * light[..., None]) * 1.06, 0.0, 1.0))


def unknown_ground(shape: tuple[int, ...]) -> RGB:
    """Return the hatching of unknown ground: grey with light stripes."""
    row, col = np.ogrid[: shape[0], : shape[1]]
    stripes = ((row + col) // 4) % 4 == 0
    return np.where(stripes[..., None], 0.95, np.array(to_rgb(UNKNOWN)))


def _class_colours() -> tuple[Colormap, BoundaryNorm]:
    # Dark is best: on the light relief the few best cells must be seen, and they stay apart in black and white.
    shades = colormaps["viridis"](np.linspace(0.0, 0.95, len(CLASS_LIMITS_PCT) - 1))
    return ListedColormap(shades), BoundaryNorm(CLASS_LIMITS_PCT, len(CLASS_LIMITS_PCT) - 1)


def _on_picture(lattice: NDArray[np.float64], cells: Cells, shown: Picture) -> NDArray[np.float64]:
    """Return the cells' values at the pixels of a picture, -1 where there is no cell."""
    rows, cols = shown.data.shape
    x = shown.view.x_min_m + (np.arange(cols) + 0.5) * shown.view.width_m / cols
    y = shown.view.y_max_m - (np.arange(rows) + 0.5) * shown.view.height_m / rows
    col = np.floor((x - cells.grid.x_min_m) / cells.cell_m).astype(np.int64)
    row = np.floor((cells.grid.y_max_m - y) / cells.cell_m).astype(np.int64)
    return lattice[np.ix_(np.clip(row, 0, cells.rows - 1), np.clip(col, 0, cells.cols - 1))]


def _best_cells(
    axes: Axes, scores: pd.DataFrame, view: View, labels: Labels, numbered: int, passing: pd.DataFrame
) -> None:
    size = 1.2 if view.width_m > 300_000.0 else 4.0
    axes.scatter(passing.geometry.x, passing.geometry.y, s=size, c=VERMILION, marker="o", linewidths=0.0, zorder=2.5)
    top = scores[(scores["rank"] > 0) & (scores["rank"] <= numbered)].sort_values("rank")
    for rank, x, y in zip(top["rank"], top.geometry.x, top.geometry.y, strict=True):
        axes.plot([x], [y], marker="o", ms=5.5, mfc="none", mec=BLACK, mew=0.9, zorder=4.5)
        labels.place(
            float(x), float(y), str(rank), 0.013 * view.width_m, fontweight="bold", color=BLACK, path_effects=halo(2.0)
        )


def _score_handles(passing: int, numbered: int, *, known: bool, regions: bool) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = []
    if passing:
        words = f"passes the rule ({passing} in all)"
        handles.append(Line2D([], [], marker="o", ls="", ms=3.0, color=VERMILION, mec="none", label=words))
    if numbered:
        handles.append(
            Line2D(
                [], [], marker="o", ls="", ms=5.5, mfc="none", mec=BLACK, label=f"the {numbered} best cells, by rank"
            )
        )
    if regions:
        handles.append(Line2D([], [], color=VERMILION, lw=1.2, label="Artemis III candidate region (2024)"))
    if not known:
        handles.append(Patch(fc=UNKNOWN, hatch="////", ec="white", label="unknown: an input is missing"))
    return handles
