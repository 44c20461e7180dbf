"""The figures of named places: the horizon with the tracks of Sun and Earth over it, and when they are in view.

One page per place in one PDF, and the first places side by side on one sheet. All curves are the tables' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact import raster, table
from lunarsite.artefact.contracts import DEM, PLACE_PROFILES, PLACE_SERIES
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.figures import terrain_line
from lunarsite.publish.style import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    SMALL_PT,
    UNKNOWN,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)
from lunarsite.settings import PlacesSettings

MOST_ON_SHEET = 24
"""Places on the contact sheet; the PDF has all of them."""
_COLUMNS = 2
_LONGEST_NAME = 56
_BODIES = (("sun", "Sun", ORANGE), ("earth", "Earth", BLUE))
_GROUND = "#D9D4CC"
_COMPASS = {0: "N", 45: "45", 90: "E", 135: "135", 180: "S", 225: "225", 270: "W", 315: "315", 360: "N"}


@dataclass(frozen=True)
class Place:
    """One place: its horizon, and the sky over it epoch by epoch."""

    name: str
    lon_deg: float
    lat_deg: float
    horizon: pd.DataFrame
    sky: pd.DataFrame

    @property
    def title(self) -> str:
        """The place's name, cut if it is long."""
        return self.name if len(self.name) <= _LONGEST_NAME else f"{self.name[: _LONGEST_NAME - 1]}…"

    @property
    def position(self) -> str:
        """Where it is, in words."""
        north, east = "N" if self.lat_deg >= 0 else "S", "E" if self.lon_deg >= 0 else "W"
        return f"{abs(self.lat_deg):.3f}° {north}, {abs(self.lon_deg):.3f}° {east}"


@dataclass(frozen=True)
class NamedPlaces:
    """All named places of a run, in the order of the user's table."""

    places: tuple[Place, ...]
    stamp: Stamp
    terrain: str
    settings: PlacesSettings

    @classmethod
    def read(cls, profiles: Path, series: Path, dem: Path, settings: PlacesSettings) -> NamedPlaces:
        """Read the tables of a run's places.

        Raises:
            ArtefactError: A file breaks its contract, or the tables name different places.
        """
        horizons, stamp = table.read(profiles, PLACE_PROFILES)
        skies, _ = table.read(series, PLACE_SERIES)
        sky_of = {str(name): rows for name, rows in skies.groupby("place", sort=False)}
        horizon_of = {str(name): rows for name, rows in horizons.groupby("place", sort=False)}
        if list(sky_of) != list(horizon_of):
            raise ArtefactError(f"{series}: names other places than {profiles}; rerun illumination-places")
        places = tuple(
            Place(name, float(rows["lon_deg"].iloc[0]), float(rows["lat_deg"].iloc[0]), rows, sky_of[name])
            for name, rows in horizon_of.items()
        )
        with raster.opened(dem, DEM) as source:
            terrain = terrain_line(source.stamp, source.grid.pixel_m)
        return cls(places, stamp, terrain, settings)

    def pages(self) -> Iterator[Figure]:
        """Draw the places one by one, each for two columns."""
        for place in self.places:
            yield self.page(place)

    def page(self, place: Place, title: str | None = None) -> Figure:
        """Draw one place for two columns, under its name or a title of its own."""
        with styled():
            height = 5.0
            figure = new_figure(WIDE_IN, height)
            above, below = figure.subplots(2, 1, height_ratios=(3.0, 1.0))
            figure.subplots_adjust(left=0.08, right=0.975, top=1.0 - 0.62 / height, bottom=1.0 / height, hspace=0.38)
            _skyline(above, place)
            above.set_xlabel("Direction (degrees clockwise from local north)")
            above.set_ylabel("Elevation (degrees)")
            _strips(below, place)
            below.set_xlabel("Time (UTC)")
            figure.legend(
                handles=_handles(place),
                loc="lower left",
                bbox_to_anchor=(0.0, 0.37 / height),
                ncols=5,
                columnspacing=1.2,
            )
            figure.text(
                0.05 / WIDE_IN, 1.0 - 0.4 / height, place.position, fontsize=SMALL_PT + 0.5, va="center", color=INK
            )
            caption(figure, self._foot("Strips: visible fraction of each disc, 0 to 100 %."))
            header(figure, title or f"Sky over {place.title}", synthetic=self.stamp.origin == "synthetic")
            return figure

    def _foot(self, first: str) -> str:
        observer = f"Observer {self.settings.height_m:g} m above the ground; tracks of the discs' centres."
        span = f"{self.settings.days:g} days from {self.settings.start_utc} (UTC), every {self.settings.step_h:g} h."
        return f"{first} {observer}\n{span} {self.terrain}"

    def sheet(self) -> Figure:
        """Return the contact sheet: the first places side by side, for two columns."""
        with styled():
            shown = self.places[:MOST_ON_SHEET]
            columns = min(_COLUMNS, len(shown))
            rows = -(-len(shown) // columns)
            each, top, foot = 1.95, 0.34, 0.72
            height = top + rows * each + foot
            figure = new_figure(WIDE_IN, height)
            for index, place in enumerate(shown):
                row, column = divmod(index, columns)
                width = (WIDE_IN - 0.1) / columns - 0.5
                left = 0.43 + column * (width + 0.5)
                low = height - top - (row + 1) * each
                above = figure.add_axes((left / WIDE_IN, (low + 0.72) / height, width / WIDE_IN, 0.93 / height))
                below = figure.add_axes((left / WIDE_IN, (low + 0.22) / height, width / WIDE_IN, 0.3 / height))
                _skyline(above, place)
                _strips(below, place, labelled=column == 0)
                above.set_title(
                    place.title if len(place.title) <= 40 else f"{place.title[:39]}…",
                    fontsize=8.0,
                    pad=3.0,
                    parse_math=False,
                )
            figure.legend(
                handles=_handles(*shown),
                loc="lower left",
                bbox_to_anchor=(0.0, 0.34 / height),
                ncols=5,
                columnspacing=1.2,
            )
            count = len(self.places)
            words = (
                f"{len(shown)} of {count} places; the PDF has all." if count > len(shown) else "Elevation in degrees."
            )
            caption(figure, self._foot(words))
            header(figure, "Sky over the named places", synthetic=self.stamp.origin == "synthetic")
            return figure


def _skyline(axes: Axes, place: Place) -> None:
    """Draw a place's horizon over the compass with the tracks of Sun and Earth, dimmed behind the ground."""
    compass, horizon = _closed(place.horizon)
    low, high = float(horizon.min()), float(horizon.max())
    for body, _, colour in _BODIES:
        elevation = place.sky[f"{body}_elevation_deg"].to_numpy(dtype=np.float64)
        axes.plot(*_track(place.sky, body), color=colour, lw=1.0, zorder=1.0, rasterized=elevation.size > 5_000)
        if np.isfinite(elevation).any():
            low, high = min(low, float(np.nanmin(elevation))), max(high, float(np.nanmax(elevation)))
    margin = 0.06 * max(high - low, 1.0)
    bottom = low - margin
    axes.fill_between(compass, bottom, horizon, color=_GROUND, alpha=0.68, lw=0.0, zorder=2.0)
    axes.plot(compass, horizon, color=INK, lw=0.8, zorder=3.0)
    axes.axhline(0.0, color=FAINT, lw=0.5, ls=(0, (4, 2)), zorder=2.5)
    axes.set(xlim=(0.0, 360.0), ylim=(bottom, high + margin))
    axes.set_xticks(list(_COMPASS), list(_COMPASS.values()))
    axes.spines[["top", "right"]].set_visible(False)


def _closed(horizon: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a horizon that runs over 0 and 360 degrees alike."""
    compass = horizon["compass_deg"].to_numpy(dtype=np.float64)
    elevation = horizon["horizon_deg"].to_numpy(dtype=np.float64)
    order = np.argsort(compass, kind="stable")
    compass, elevation = compass[order], elevation[order]
    around = np.concatenate([[compass[-1] - 360.0], compass, [compass[0] + 360.0]])
    return around, np.concatenate([elevation[-1:], elevation, elevation[:1]])


def _track(sky: pd.DataFrame, body: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a body's track, broken where it passes north: a line may not run back across the whole compass."""
    compass = sky[f"{body}_compass_deg"].to_numpy(dtype=np.float64)
    elevation = sky[f"{body}_elevation_deg"].to_numpy(dtype=np.float64)
    breaks = np.flatnonzero(np.abs(np.diff(compass)) > 180.0) + 1
    return np.insert(compass, breaks, np.nan), np.insert(elevation, breaks, np.nan)


def _strips(axes: Axes, place: Place, *, labelled: bool = True) -> None:
    """Draw when the Sun (above) and the Earth (below) are in view: height is the visible fraction of the disc."""
    times = place.sky["time_utc"].to_numpy().astype("datetime64[ms]")
    drawn: Any = axes
    for base, (body, _, colour) in zip((1.15, 0.0), _BODIES, strict=True):
        fraction = place.sky[f"{body}_visible_fraction"].to_numpy(dtype=np.float64)
        style = {"step": "mid", "lw": 0.0, "rasterized": fraction.size > 5_000}
        drawn.fill_between(times, base, base + np.nan_to_num(fraction), color=colour, **style)
        unknown = np.isnan(fraction)
        if unknown.any():
            drawn.fill_between(times, base, base + 1.0, where=unknown, color=UNKNOWN, **style)
        axes.axhline(base, color=FAINT, lw=0.4)
    axes.set_ylim(-0.05, 2.2)
    if times.size > 1:
        drawn.set_xlim(times[0], times[-1])
    axes.set_yticks([0.5, 1.65], ["Earth", "Sun"] if labelled else ["", ""])
    axes.tick_params(axis="y", length=0.0)
    untyped: Any = dates
    locator = untyped.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    # Its offset names the last month alone, so the foot tells the span instead.
    axes.xaxis.set_major_formatter(untyped.ConciseDateFormatter(locator, show_offset=False))
    axes.spines[["top", "right", "left"]].set_visible(False)


def _handles(*places: Place) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [Line2D([], [], color=colour, lw=1.6, label=name) for _, name, colour in _BODIES]
    handles.append(Line2D([], [], color=INK, lw=0.8, label="horizon"))
    handles.append(Patch(fc=_GROUND, label="behind the ground"))
    fractions = [f"{body}_visible_fraction" for body, _, _ in _BODIES]
    if any(bool(place.sky[fractions].isna().to_numpy().any()) for place in places):
        handles.append(Patch(fc=UNKNOWN, label="unknown"))
    return handles
