"""The maps of craters: what was detected, what the network answered, and hits, misses and false alarms.

Craters are drawn as what they are on the polar map: circles, in map metres. Whether a crater is a hit, a miss or a
false alarm stands in the validation's table; nothing is matched here. `crater_charts.py` holds what is no map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from lunarsite.artefact import raster, table
from lunarsite.artefact.contracts import CRATER_MATCHES, CRATER_PROBABILITY, DEM, DETECTED
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import MOON_RADIUS_M, Grid, Pole, colatitude_deg, lonlat_to_xy, map_radius_m
from lunarsite.publish.figures import finish, shaded_relief, unknown_ground
from lunarsite.publish.polar_map import Feature, Labels, draw_features, frame, read_named_features
from lunarsite.publish.rasters import Picture, View, picture, whole_view
from lunarsite.publish.style import (
    BLACK,
    BLUE,
    INK,
    SMALL_PT,
    UNKNOWN,
    VERMILION,
    WIDE_IN,
    halo,
    new_figure,
    styled,
)
from lunarsite.publish.words import number_words
from lunarsite.settings import CatalogueSettings, CraterReferenceSettings, SplitSettings

Floats = NDArray[np.float64]
Sector = tuple[float, float]
"""Longitudes, degrees: from the first one eastwards to the second."""

ZOOM_M: Final = 64_000.0
"""Width of the enlarged squares, map metres."""
MAP_PX, ZOOM_PX = 1_950, 950
"""Most pixels along a side of the shading in the map and in an enlarged square."""
_SIDE, _FOOT, _GAP = 0.3, 1.5, 0.42
"""Margins at the sides, room at the foot and gaps between panels, inches."""
HEADLINE: Final = "test"
"""The split that is measured and nothing else."""


@dataclass(frozen=True)
class Outcome:
    """How a crater of one outcome is drawn: colour and line style each tell it apart alone."""

    words: str
    colour: str
    dashes: Any
    width: float


OUTCOMES: Final[dict[str, Outcome]] = {
    "hit": Outcome("hit", BLUE, "solid", 1.0),
    "miss": Outcome("miss: in the catalogue, not detected", VERMILION, (0.0, (3.2, 1.4)), 1.1),
    "false_alarm": Outcome("false alarm: detected, not in the catalogue", BLACK, (0.0, (0.9, 1.1)), 1.2),
}


def map_circles(x_m: Floats, y_m: Floats, diameter_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Return centre and radius on the map of circles on the sphere, map metres.

    A circle on the sphere is a circle on the stereographic map, though its centre is not the circle's centre on the
    map (Snyder 1987, p. 154).

    Args:
        x_m: Map x of the circles' centres on the sphere.
        y_m: Their map y.
        diameter_m: Diameters along the surface, true metres.
    """
    rho_m = np.hypot(x_m, y_m)
    angular_radius_deg = np.degrees(0.5 * np.asarray(diameter_m, dtype=np.float64) / MOON_RADIUS_M)
    near_m = map_radius_m(colatitude_deg(rho_m) - angular_radius_deg)
    far_m = map_radius_m(colatitude_deg(rho_m) + angular_radius_deg)
    outward = 0.5 * (near_m + far_m) / np.where(rho_m > 0.0, rho_m, 1.0)
    return x_m * outward, y_m * outward, 0.5 * (far_m - near_m)


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
class Detections:
    """The craters that the run detected, accepted ones alone."""

    craters: pd.DataFrame
    total: int
    """Number of detections with those below the threshold."""
    stamp: Stamp
    ground: Ground

    @classmethod
    def read(cls, detected: Path, ground: Ground) -> Detections:
        """Read the detected craters.

        Raises:
            ArtefactError: The file breaks its contract.
        """
        found, stamp = table.read(detected, DETECTED, ["x_m", "y_m", "diameter_m", "score", "accepted"])
        return cls(found[found["accepted"]], len(found), stamp, ground)

    def draw(self) -> Figure:
        """Return the map of the detected craters with two squares enlarged, for two columns."""
        with styled():
            whole = whole_view(self.ground.grid)
            zooms = [square(0.0, 0.0, whole), densest(self.craters, whole)]
            sheet = Sheet.of(whole, zooms, self.ground)
            low = float(np.floor(10.0 * self.craters["score"].min()) / 10.0) if len(self.craters) else 0.0
            norm, colours = Normalize(min(low, 0.9), 1.0), _scores()
            for axes, view in sheet.panels:
                shown = _within(self.craters, view)
                score = shown["score"].to_numpy(dtype=np.float64)
                widths = (0.25 + 0.45 * norm(score)) * (1.0 if view is whole else 1.7)
                _circles(axes, shown, colours(norm(score)), widths)
            sheet.name_ground(14)
            bar = sheet.figure.add_axes((0.08, 0.9 / sheet.height, 0.4, 0.12 / sheet.height))
            label = "Score: share of such detections that a catalogue confirms"
            sheet.figure.colorbar(ScalarMappable(norm, colours), cax=bar, orientation="horizontal", label=label)
            count, total = number_words(len(self.craters)), number_words(self.total)
            words = f"{count} craters at or above the threshold\nof the score; {total} detections in all"
            sheet.say(0.56, 1.06, words)
            lines = ["Circles are the craters' rims on the map. b: around the pole. c: where centres lie most densely."]
            finish(sheet.figure, "Detected craters", self.stamp, self.ground.stamp, self.ground.grid.pixel_m, lines)
            return sheet.figure


@dataclass(frozen=True)
class Responses:
    """What the network answers on the map."""

    path: Path
    stamp: Stamp
    ground: Ground

    @classmethod
    def read(cls, probability: Path, ground: Ground) -> Responses:
        """Read the raster's stamp.

        Raises:
            ArtefactError: It breaks its contract, or lies on another grid than the terrain.
        """
        with raster.opened(probability, CRATER_PROBABILITY) as source:
            if source.grid != ground.grid:
                raise ArtefactError(f"{probability}: lies on another grid than {ground.dem}; rerun crater detection")
            return cls(probability, source.stamp, ground)

    def draw(self) -> Figure:
        """Return the quick-look: responses to rims on the whole map, to rims and centres enlarged, for two columns."""
        with styled():
            side, gap, foot, between = _SIDE, 0.5, 1.2, 0.62
            small = (WIDE_IN - 2.0 * side - gap - between) / 3.0
            big = 2.0 * small + between
            total = big + foot + 0.62
            figure = new_figure(WIDE_IN, total)
            whole = whole_view(self.ground.grid)
            zoom = square(0.0, 0.0, whole)
            left = side + big + gap
            places = (
                (side, foot, big, whole, 2, "a   Response to rims"),
                (left, foot + big - small, small, zoom, 2, "b   Rims, at the pole"),
                (left, foot, small, zoom, 1, "c   Centres, at the pole"),
            )
            norm, colours = Normalize(0.0, 1.0), colormaps["viridis"]
            missing = False
            for x, y, width, view, band, title in places:
                axes = figure.add_axes((x / WIDE_IN, y / total, width / WIDE_IN, width / total))
                shown = picture(self.path, CRATER_PROBABILITY, 1_400, view, band=band)
                rgb = colours(norm(np.nan_to_num(shown.data)))[..., :3]
                hidden = ~np.isfinite(shown.data)
                rgb[hidden] = unknown_ground(hidden.shape)[hidden]
                missing |= bool(hidden.any())
                axes.imshow(rgb, extent=shown.view.extent, interpolation="nearest", zorder=0.5)
                frame(axes, view)
                axes.set_title(title, pad=12.0)
            bar = figure.add_axes((0.12, 0.72 / total, 0.5, 0.11 / total))
            label = "Response of the network, highest over all sizes (before calibration)"
            figure.colorbar(ScalarMappable(norm, colours), cax=bar, orientation="horizontal", label=label)
            if missing:
                _legend(figure, [Patch(fc=UNKNOWN, hatch="////", ec="white", label="no elevation")], 0.68, 0.85 / total)
            finish(figure, "Where the network sees craters", self.stamp, self.ground.stamp, self.ground.grid.pixel_m)
            return figure


@dataclass(frozen=True)
class Matches:
    """Detected craters against the catalogue, crater by crater."""

    rows: pd.DataFrame
    """Rows of at least the least diameter."""
    rims: pd.DataFrame
    """Detected craters by their id."""
    least_m: float
    stamp: Stamp
    ground: Ground
    catalogue: CatalogueSettings
    split: SplitSettings
    limit_deg: float
    """Absolute latitude beyond which nothing is compared."""

    @classmethod
    def read(
        cls,
        matches: Path,
        detected: Path,
        ground: Ground,
        catalogue: CatalogueSettings,
        split: SplitSettings,
        reference: CraterReferenceSettings,
        limit_deg: float,
    ) -> Matches:
        """Read the matches.

        Raises:
            ArtefactError: A file breaks its contract, an outcome is unknown, or the tables are of different detections.
        """
        found, stamp = table.read(matches, CRATER_MATCHES)
        strange = sorted(set(found["outcome"]) - set(OUTCOMES))
        if strange:
            raise ArtefactError(f"{matches}: unknown outcomes {strange}; they are {', '.join(OUTCOMES)}")
        rims, _ = table.read(detected, DETECTED, ["id", "x_m", "y_m", "diameter_m"])
        rims = rims.set_index("id")
        if not found.loc[found["detected_id"] >= 0, "detected_id"].isin(rims.index).all():
            raise ArtefactError(f"{matches}: matches craters that {detected} does not hold; rerun validate-crater")
        least_m = min(reference.least_diameters_m)
        shown = found[found["diameter_m"] >= least_m]
        return cls(shown, rims, least_m, stamp, ground, catalogue, split, limit_deg)

    def draw(self) -> Figure:
        """Return the map of hits, misses and false alarms on the measured ground with two squares enlarged."""
        with styled():
            sectors = self._sectors()
            measured = self.rows[self.rows["split"] == HEADLINE]
            rows, sector = (measured, sectors[HEADLINE]) if len(measured) else (self.rows, self.catalogue.lon_deg)
            pole, whole = self.ground.grid.pole, whole_view(self.ground.grid)
            view = sector_view(sector, self.limit_deg, whole)
            first = densest(rows, view)
            apart = np.hypot(rows["x_m"] - _middle(first)[0], rows["y_m"] - _middle(first)[1]) > 1.2 * ZOOM_M
            zooms = [first, densest(rows[apart] if apart.any() else rows, view)]
            sheet = Sheet.of(view, zooms, self.ground)
            for axes, part in sheet.panels:
                self._panel(axes, part, rows, enlarged=part is not view)
            for name, (start, stop) in sectors.items():
                _outline(sheet.panels[0][0], view, (start, stop), self.limit_deg, name, pole)
            sheet.name_ground(10)
            self._legend(sheet, rows)
            if len(measured):
                ground = f"Ground that neither trained nor tuned the network: {_sector_words(sector)}."
            elif len(rows):
                ground = "No crater lies on test ground: training and validation ground is shown."
            else:
                ground = "No crater was compared."
            lines = [f"{ground} Craters of at least {self.least_m / 1000:g} km. Circles are rims on the map."]
            title = "Hits, misses and false alarms against the catalogue"
            finish(sheet.figure, title, self.stamp, self.ground.stamp, self.ground.grid.pixel_m, lines)
            return sheet.figure

    def _sectors(self) -> dict[str, Sector]:
        return {"validation": self.split.validation_lon_deg, HEADLINE: self.split.test_lon_deg}

    def _panel(self, axes: Axes, view: View, rows: pd.DataFrame, *, enlarged: bool) -> None:
        shown = _within(rows, view)
        scale = 1.25 if enlarged else 0.8
        for name, look in OUTCOMES.items():
            craters = shown[shown["outcome"] == name]
            if name == "hit" and enlarged:
                # The catalogue's rim beneath, the detected one over it.
                _circles(axes, craters, look.colour, 0.7, (0.0, (2.0, 1.6)), under=False)
                craters = self.rims.loc[craters["detected_id"]]
            _circles(axes, craters, look.colour, look.width * scale, look.dashes)

    def _legend(self, sheet: Sheet, rows: pd.DataFrame) -> None:
        counts = rows["outcome"].value_counts()
        handles = [
            Line2D(
                [], [], color=look.colour, ls=look.dashes, lw=1.3 * look.width,
                label=f"{look.words} ({number_words(int(counts.get(name, 0)))})",
            )
            for name, look in OUTCOMES.items()
        ]  # fmt: skip
        handles.append(Line2D([], [], color=BLUE, ls=(0.0, (2.0, 1.6)), lw=0.8, label="b, c: a hit's rim in the catalogue"))
        _legend(sheet.figure, handles[:2], 0.03, 1.16 / sheet.height)
        _legend(sheet.figure, handles[2:], 0.45, 1.16 / sheet.height)
        covered = self.catalogue.lon_deg
        if covered != (-180.0, 180.0):
            sheet.say(0.03, 0.72, f"The catalogue covers {_sector_words(covered)}; elsewhere nothing is known of craters.")


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
        width = WIDE_IN - 2.0 * _SIDE
        part = (width - _GAP * (len(zooms) - 1)) / len(zooms)
        ratio = max(zoom.height_m / zoom.width_m for zoom in zooms)
        tall = width * view.height_m / view.width_m
        height = _FOOT + part * ratio + 0.5 + tall + 0.45
        figure = new_figure(WIDE_IN, height)
        boxes = [(_SIDE, _FOOT + part * ratio + 0.5, width, tall)]
        boxes += [(_SIDE + index * (part + _GAP), _FOOT, part, part * ratio) for index in range(len(zooms))]
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
        _letter(panels[0][0], "a")
        for letter, (axes, _) in zip("bcdef", panels[1:], strict=False):
            _letter(axes, letter)
        return sheet

    def _frame(self, letter: str, zoom: View) -> None:
        axes = self.panels[0][0]
        corner, size = (zoom.x_min_m, zoom.y_min_m), (zoom.width_m, zoom.height_m)
        for colour, line in (("white", 2.2), (BLACK, 1.0)):
            axes.add_patch(Rectangle(corner, *size, fill=False, ec=colour, lw=line, zorder=3.0))
        at = zoom.x_min_m + 0.04 * zoom.width_m, zoom.y_max_m - 0.05 * zoom.height_m
        axes.text(*at, letter, ha="left", va="top", fontsize=SMALL_PT + 1, fontweight="bold", zorder=5.0, path_effects=halo(2.0))

    def name_ground(self, most: int) -> None:
        """Write the names of named ground on every panel, as far as there is room."""
        for axes, view in self.panels:
            draw_features(axes, view, self.ground.features, Labels(axes, view), most if view is self.panels[0][1] else 4)

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
        return square(*_middle(within), within, width_m)
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


def sector_line(sector: Sector, limit_deg: float, pole: Pole) -> Floats:
    """Return the outline of a sector of longitude around the pole, map metres, (points, 2); closed.

    A sector of the whole circle is the circle of latitude alone.
    """
    start, stop = sector
    width = (stop - start) % 360.0 or 360.0
    lon = start + np.linspace(0.0, width, max(2, math.ceil(width) + 1))
    sign = -1.0 if pole == "south" else 1.0
    x, y = lonlat_to_xy(lon, np.full(lon.shape, sign * limit_deg), pole)
    arc = np.column_stack([x, y])
    return arc if width == 360.0 else np.vstack([np.zeros((1, 2)), arc, np.zeros((1, 2))])


def sector_view(sector: Sector, limit_deg: float, whole: View) -> View:
    """Return the part of a map that holds a sector with a margin, no narrower than three fifths of its other side."""
    line = sector_line(sector, limit_deg, whole.pole)
    low, high = line.min(axis=0), line.max(axis=0)
    margin = 0.02 * float((high - low).max())
    size = np.maximum(high - low + 2.0 * margin, 0.6 * float((high - low).max() + 2.0 * margin))
    middle = 0.5 * (low + high)
    return View(
        max(float(middle[0] - 0.5 * size[0]), whole.x_min_m),
        min(float(middle[0] + 0.5 * size[0]), whole.x_max_m),
        max(float(middle[1] - 0.5 * size[1]), whole.y_min_m),
        min(float(middle[1] + 0.5 * size[1]), whole.y_max_m),
        whole.pole,
    )


def _middle(view: View) -> tuple[float, float]:
    return 0.5 * (view.x_min_m + view.x_max_m), 0.5 * (view.y_min_m + view.y_max_m)


def _outline(axes: Axes, view: View, sector: Sector, limit_deg: float, name: str, pole: Pole) -> None:
    line = sector_line(sector, limit_deg, pole)
    for colour, width in (("white", 3.0), (INK, 1.4)):
        axes.plot(line[:, 0], line[:, 1], color=colour, lw=width, zorder=3.4, solid_joinstyle="round")
    axes.set(xlim=view.extent[:2], ylim=view.extent[2:])
    width = (sector[1] - sector[0]) % 360.0 or 360.0
    sign = -1.0 if pole == "south" else 1.0
    for share in (0.5, 0.35, 0.65, 0.2, 0.8):
        at = lonlat_to_xy(sector[0] + share * width, sign * (limit_deg + 0.35), pole)
        x, y = float(at[0]), float(at[1])
        if view.holds(x, y, 0.06):
            style: dict[str, Any] = {"fontsize": BODY, "fontweight": "bold", "color": INK, "path_effects": halo(2.4)}
            axes.text(x, y, name, ha="center", va="center", zorder=5.0, **style)
            return


BODY: Final = SMALL_PT + 1.0


def _sector_words(sector: Sector) -> str:
    def words(lon: float) -> str:
        return f"{abs(lon):g}°" if lon in (0.0, 180.0, -180.0) else f"{abs(lon):g}° {'E' if lon > 0 else 'W'}"

    return f"longitudes {words(sector[0])} to {words(sector[1])}"


def _scores() -> Colormap:
    # Dark is certain: thin lines must be seen on light relief, and stay apart in black and white.
    return ListedColormap(colormaps["viridis_r"](np.linspace(0.05, 1.0, 256)))


def _within(craters: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return the craters whose rim may reach a view; centres may lie beside it."""
    reach = 0.55 * craters["diameter_m"]
    x, y = craters["x_m"], craters["y_m"]
    held = (x + reach >= view.x_min_m) & (x - reach <= view.x_max_m)
    held &= (y + reach >= view.y_min_m) & (y - reach <= view.y_max_m)
    return craters[held]


def _circles(
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


def _letter(axes: Axes, letter: str) -> None:
    axes.text(
        0.0, 1.0, f" {letter} ", transform=axes.transAxes, ha="left", va="top", fontsize=BODY, fontweight="bold",
        zorder=6.0, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )  # fmt: skip


def _legend(figure: Figure, handles: Sequence[Any], x: float, y: float) -> None:
    figure.legend(handles=list(handles), loc="upper left", bbox_to_anchor=(x, y), borderaxespad=0.0, handlelength=2.8)
