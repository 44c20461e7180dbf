"""The frame of every map: graticule with labels, scale bar, named features and candidate regions.

Everything is drawn in map metres on the polar stereographic plane: circles of latitude are circles, meridians are rays
from the pole. The module must not know what the map shows.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.transforms import Bbox

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import colatitude_deg, lonlat_to_xy, map_radius_m
from lunarsite.publish.rasters import View
from lunarsite.publish.style import BLACK, INK, SMALL_PT, VERMILION, halo
from lunarsite.site.place.regions import Region

_FURNITURE = 4.0
"""Drawing order from which on nothing may be written over."""
_LABEL_PT = 16.0
"""Half the width of a circle's label, points."""
_DECIMAL_PT = 30.0
"""Least distance of circles whose labels have a decimal, points."""
_NICE = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


@dataclass(frozen=True)
class Feature:
    """A named feature: where it is and how large."""

    name: str
    kind: str
    lat_deg: float
    lon_deg: float
    diameter_m: float


def read_named_features(path: Path) -> tuple[Feature, ...]:
    """Read named features in the order of the file.

    Raises:
        ArtefactError: The file is no table with the columns name, kind, lat_deg, lon_deg and diameter_m.
    """
    wanted = ("name", "kind", "lat_deg", "lon_deg", "diameter_m")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(
                Feature(row["name"], row["kind"], *(float(row[column]) for column in wanted[2:]))
                for row in csv.DictReader(file)
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path}: is no table of named features with {', '.join(wanted)} ({error!r})") from error


def frame(axes: Axes, view: View) -> None:
    """Fit the axes to a view and draw the graticule with its labels and the scale bar."""
    axes.set(xlim=view.extent[:2], ylim=view.extent[2:], aspect="equal", xticks=[], yticks=[])
    _latitudes(axes, view)
    _meridians(axes, view)
    _scale_bar(axes, view)


def _latitudes(axes: Axes, view: View) -> None:
    near, far = _colatitudes_deg(view)
    # Labels with decimals are wide: enlarged maps of the pole have room for fewer circles than for a graticule.
    room = _point_m(axes, view) * _DECIMAL_PT
    steps = [step for step in (0.1, 0.2, 0.5) if float(map_radius_m(step)) >= room] + [1.0, 2.0, 5.0, 10.0]
    step = next((step for step in steps if (far - near) / step <= 7.5), 10.0)
    sign = -1.0 if view.pole == "south" else 1.0
    margin = max(0.09, _LABEL_PT * _point_m(axes, view) / view.width_m)
    for index in range(max(1, math.ceil(near / step)), math.floor(far / step) + 1):
        colatitude = index * step
        rho = float(map_radius_m(colatitude))
        axes.add_patch(Circle((0.0, 0.0), rho, fill=False, lw=0.45, ec=BLACK, alpha=0.55, ls=(0, (4, 2))))
        place = _label_place(view, rho, margin)
        if place is not None:
            text = f"{90.0 - colatitude:.{0 if step >= 1 else 1}f}° {'N' if sign > 0 else 'S'}"
            axes.text(*place, text, fontsize=SMALL_PT, ha="center", va="center", color=INK, path_effects=halo())


def _colatitudes_deg(view: View) -> tuple[float, float]:
    """Return the smallest and largest distance from the pole in the view, degrees."""
    x, y = max(view.x_min_m, -view.x_max_m, 0.0), max(view.y_min_m, -view.y_max_m, 0.0)
    far_x, far_y = max(abs(view.x_min_m), abs(view.x_max_m)), max(abs(view.y_min_m), abs(view.y_max_m))
    rhos = math.hypot(x, y), math.hypot(far_x, far_y)
    near, far = (float(colatitude_deg(rho)) for rho in rhos)
    return near, far


def _label_place(view: View, rho_m: float, margin: float) -> tuple[float, float] | None:
    """Return where a circle of latitude is labelled: inside the view, left of the pole, clear of the scale bar."""
    angles = np.radians(np.arange(0.0, 360.0, 1.0))
    places = np.column_stack([rho_m * np.cos(angles), rho_m * np.sin(angles)])
    bar = view.x_min_m + (0.24 + margin) * view.width_m, view.y_min_m + 0.15 * view.height_m
    inside = [
        i
        for i, (x, y) in enumerate(places)
        if view.holds(float(x), float(y), margin) and not (x < bar[0] and y < bar[1])
    ]
    if not inside:
        return None
    wanted = math.radians(195.0)
    best = min(inside, key=lambda i: abs(math.remainder(float(angles[i]) - wanted, 2.0 * math.pi)))
    return float(places[best, 0]), float(places[best, 1])


def _meridians(axes: Axes, view: View) -> None:
    holds_pole = view.holds(0.0, 0.0)
    step = 30.0 if holds_pole else _meridian_step(view)
    sign = 1.0 if view.pole == "south" else -1.0
    for lon_deg in np.arange(-180.0 + step, 180.0 + 0.5 * step, step):
        direction = np.array([math.sin(math.radians(lon_deg)), sign * math.cos(math.radians(lon_deg))])
        ends = _ray(view, direction)
        if ends is None:
            continue
        start, stop = max(ends[0], 0.02 * view.width_m if holds_pole else 0.0), ends[1]
        line = np.outer([start, stop], direction)
        axes.plot(line[:, 0], line[:, 1], lw=0.45, color=BLACK, alpha=0.55, ls=(0, (4, 2)), zorder=1.5)
        # Where the pole lies at the view's border the rays across it are stubs, whose labels would lie on one another.
        if stop - start >= 0.06 * max(view.width_m, view.height_m):
            _edge_label(axes, view, line[1], _longitude(float(lon_deg)))


def _meridian_step(view: View) -> float:
    corners = [math.atan2(x, y) for x in view.extent[:2] for y in view.extent[2:]]
    middle = math.atan2(sum(view.extent[:2]), sum(view.extent[2:]))
    spread = [math.degrees(math.remainder(corner - middle, 2.0 * math.pi)) for corner in corners]
    span = max(spread) - min(spread)
    return next((step for step in (1.0, 2.0, 5.0, 10.0, 15.0) if span / step <= 7.0), 30.0)


def _ray(view: View, direction: Any) -> tuple[float, float] | None:
    """Return the distances from the pole at which a ray enters and leaves the view, or None if it misses it."""
    enters, leaves = 0.0, math.inf
    for component, low, high in zip(direction, (view.x_min_m, view.y_min_m), (view.x_max_m, view.y_max_m), strict=True):
        if abs(component) < 1e-12:
            if not low <= 0.0 <= high:
                return None
            continue
        first, second = sorted((low / component, high / component))
        enters, leaves = max(enters, first), min(leaves, second)
    return (enters, leaves) if leaves > enters else None


def _longitude(lon_deg: float) -> str:
    if lon_deg in (0.0, 180.0, -180.0):
        return f"{abs(lon_deg):.0f}°"
    return f"{abs(lon_deg):g}° {'E' if lon_deg > 0 else 'W'}"


def _edge_label(axes: Axes, view: View, place: Any, text: str) -> None:
    distances = {
        "left": place[0] - view.x_min_m,
        "right": view.x_max_m - place[0],
        "bottom": place[1] - view.y_min_m,
        "top": view.y_max_m - place[1],
    }
    side = min(distances, key=lambda name: abs(distances[name]))
    offset = {"left": (-3, 0), "right": (3, 0), "bottom": (0, -3), "top": (0, 3)}[side]
    axes.annotate(
        text,
        (float(place[0]), float(place[1])),
        xytext=offset,
        textcoords="offset points",
        fontsize=SMALL_PT,
        color=INK,
        ha={"left": "right", "right": "left"}.get(side, "center"),
        va={"bottom": "top", "top": "bottom"}.get(side, "center"),
        rotation={"left": 90.0, "right": 270.0}.get(side, 0.0),
        rotation_mode="default",
        annotation_clip=False,
    )


def _point_m(axes: Axes, view: View) -> float:
    """Return how many map metres a typographic point spans."""
    figure: Any = axes.get_figure(root=True)
    return float(view.width_m / (72.0 * axes.get_position().width * figure.get_figwidth()))


def _scale_bar(axes: Axes, view: View) -> None:
    length_km = max((nice for nice in _NICE if 1000.0 * nice <= 0.24 * view.width_m), default=_NICE[0])
    length = 1000.0 * length_km
    point = _point_m(axes, view)
    left, low, thick = view.x_min_m + 8.0 * point, view.y_min_m + 7.0 * point, 3.0 * point
    back = (left - 4.0 * point, low - 4.0 * point), length + 8.0 * point, thick + 16.0 * point
    axes.add_patch(Rectangle(*back, fc="white", ec="none", alpha=0.8, zorder=_FURNITURE))
    for half, colour in ((0, BLACK), (1, "white")):
        start = left + 0.5 * half * length, low
        axes.add_patch(Rectangle(start, 0.5 * length, thick, fc=colour, ec=BLACK, lw=0.5, zorder=_FURNITURE + 0.1))
    axes.text(
        left + 0.5 * length,
        low + thick + 1.5 * point,
        f"{length_km:g} km",
        fontsize=SMALL_PT,
        ha="center",
        va="bottom",
        color=INK,
        zorder=_FURNITURE + 0.2,
    )


class Labels:
    """Places labels so that none hides another; one that finds no room is left out."""

    def __init__(self, axes: Axes, view: View) -> None:
        self._axes, self._view = axes, view
        canvas: Any = FigureCanvasAgg(axes.get_figure(root=True))
        self._renderer = canvas.get_renderer()
        self._taken: list[Bbox] = [
            text.get_window_extent(self._renderer).expanded(1.05, 1.1) for text in axes.texts if text.get_text()
        ]
        self._taken += [
            patch.get_window_extent(self._renderer) for patch in axes.patches if patch.get_zorder() >= _FURNITURE
        ]

    def place(self, x_m: float, y_m: float, text: str, gap_m: float = 0.0, **style: Any) -> bool:
        """Try the sides of a place in turn; return whether the label found room."""
        label = self._axes.text(x_m, y_m, text, **{"fontsize": SMALL_PT, "zorder": 5.0, **style})
        frame_box = self._axes.get_window_extent(self._renderer)
        for dx, dy, horizontal, vertical in _sides(gap_m):
            label.set(position=(x_m + dx, y_m + dy), ha=horizontal, va=vertical)
            box = label.get_window_extent(self._renderer).padded(1.0)
            within = (
                frame_box.x0 <= box.x0 and box.x1 <= frame_box.x1 and frame_box.y0 <= box.y0 and box.y1 <= frame_box.y1
            )
            if within and not any(box.overlaps(other) for other in self._taken):
                self._taken.append(box)
                return True
        label.remove()
        return False


def _sides(gap_m: float) -> Iterator[tuple[float, float, str, str]]:
    if gap_m == 0.0:
        yield 0.0, 0.0, "center", "center"
        return
    yield gap_m, 0.0, "left", "center"
    yield -gap_m, 0.0, "right", "center"
    yield 0.0, gap_m, "center", "bottom"
    yield 0.0, -gap_m, "center", "top"
    slant = 0.75 * gap_m
    for dx, horizontal in ((slant, "left"), (-slant, "right")):
        for dy, vertical in ((slant, "bottom"), (-slant, "top")):
            yield dx, dy, horizontal, vertical


def draw_regions(axes: Axes, view: View, regions: Sequence[Region], labels: Labels) -> None:
    """Draw the outlines of the candidate regions that the view shows, with their names."""
    for region in regions:
        corners = np.asarray(region.outline.exterior.coords)
        if not any(view.holds(float(x), float(y)) for x, y in corners):
            continue
        axes.add_patch(Polygon(corners, closed=True, fill=False, ec="white", lw=2.0, zorder=3.0))
        axes.add_patch(Polygon(corners, closed=True, fill=False, ec=VERMILION, lw=1.1, zorder=3.1))
    for region in sorted(regions, key=lambda region: region.outline.area):
        centre = region.outline.centroid
        if view.holds(centre.x, centre.y):
            reach = 0.5 * math.hypot(
                region.outline.bounds[2] - region.outline.bounds[0], region.outline.bounds[3] - region.outline.bounds[1]
            )
            labels.place(
                centre.x,
                centre.y,
                region.name,
                0.75 * reach,
                color=VERMILION,
                fontweight="bold",
                path_effects=halo(2.0),
            )


def draw_features(
    axes: Axes, view: View, features: Sequence[Feature], labels: Labels, most: int, taken: Sequence[str] = ()
) -> None:
    """Write the names of the largest craters and of other named ground that the view shows, as far as there is room.

    Args:
        axes: The map's axes.
        view: What they show.
        features: All named features.
        labels: The labels placed so far.
        most: Largest number of names.
        taken: Names that stand on the map already.
    """
    present = {name.casefold() for name in taken}
    shown = 0
    for feature in sorted(features, key=lambda feature: -feature.diameter_m):
        x, y = (float(value) for value in lonlat_to_xy(feature.lon_deg, feature.lat_deg, view.pole))
        small = feature.diameter_m < 0.012 * view.width_m
        if shown >= most or not view.holds(x, y, 0.01) or feature.name.casefold() in present or small:
            continue
        crater = feature.kind in ("crater", "basin")
        if feature.diameter_m > view.width_m:
            continue
        gap = 0.0 if crater and feature.diameter_m > 0.06 * view.width_m else 0.012 * view.width_m
        placed = labels.place(
            x, y, feature.name, gap, color=INK, style="normal" if crater else "italic", path_effects=halo(1.8)
        )
        if placed and gap:
            axes.plot([x], [y], marker="^" if not crater else "o", ms=2.2, mfc=INK, mec="white", mew=0.4, zorder=4.9)
        shown += placed
