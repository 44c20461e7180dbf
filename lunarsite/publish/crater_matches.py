"""The map of hits, misses and false alarms. The validation's table says which is which; nothing is matched here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lunarsite.artefact import table
from lunarsite.artefact.contracts import CRATER_MATCHES, DETECTED
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import Pole, lonlat_to_xy
from lunarsite.publish.crater_sheet import (
    LETTER_PT,
    ZOOM_M,
    Floats,
    Ground,
    Sheet,
    circles,
    densest,
    legend,
    middle,
    reaching,
)
from lunarsite.publish.figures import finish
from lunarsite.publish.rasters import View, whole_view
from lunarsite.publish.style import BLACK, BLUE, INK, VERMILION, halo, styled
from lunarsite.publish.words import number_words
from lunarsite.settings import CatalogueSettings, CraterReferenceSettings, SplitSettings

Sector = tuple[float, float]
"""Longitudes, degrees: from the first one eastwards to the second."""
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
            apart = np.hypot(rows["x_m"] - middle(first)[0], rows["y_m"] - middle(first)[1]) > 1.2 * ZOOM_M
            zooms = [first, densest(rows[apart] if apart.any() else rows, view)]
            sheet = Sheet.of(view, zooms, self.ground)
            for axes, part in sheet.panels:
                self._panel(axes, part, rows, enlarged=part is not view)
            for name, (start, stop) in sectors.items():
                _outline(sheet.panels[0][0], view, zooms, (start, stop), self.limit_deg, name, pole)
            sheet.name_ground(10)
            self._legend(sheet, rows)
            if len(measured):
                ground = f"Test ground, which training and tuning leave out: {sector_words(sector)}."
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
        shown = reaching(rows, view)
        scale = 1.25 if enlarged else 0.8
        for name, look in OUTCOMES.items():
            craters = shown[shown["outcome"] == name]
            if name == "hit" and enlarged:
                # The catalogue's rim beneath, the detected one over it.
                circles(axes, craters, look.colour, 0.7, (0.0, (2.0, 1.6)), under=False)
                craters = self.rims.loc[craters["detected_id"]]
            circles(axes, craters, look.colour, look.width * scale, look.dashes)

    def _legend(self, sheet: Sheet, rows: pd.DataFrame) -> None:
        counts = rows["outcome"].value_counts()
        handles = [
            Line2D(
                [], [], color=look.colour, ls=look.dashes, lw=1.3 * look.width,
                label=f"{look.words} ({number_words(int(counts.get(name, 0)))})",
            )
            for name, look in OUTCOMES.items()
        ]  # fmt: skip
        handles.append(
            Line2D([], [], color=BLUE, ls=(0.0, (2.0, 1.6)), lw=0.8, label="b, c: a hit's rim in the catalogue")
        )
        legend(sheet.figure, handles[:2], 0.03, 1.16 / sheet.height)
        legend(sheet.figure, handles[2:], 0.45, 1.16 / sheet.height)
        covered = self.catalogue.lon_deg
        if covered != (-180.0, 180.0):
            sheet.say(
                0.03, 0.72, f"The catalogue covers {sector_words(covered)}; elsewhere nothing is known of craters."
            )


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


def _outline(
    axes: Axes, view: View, zooms: Sequence[View], sector: Sector, limit_deg: float, name: str, pole: Pole
) -> None:
    """Draw a sector's outline, and its name in it: towards its rim, where the view and the enlarged squares allow."""
    line = sector_line(sector, limit_deg, pole)
    for colour, width in (("white", 3.0), (INK, 1.4)):
        axes.plot(line[:, 0], line[:, 1], color=colour, lw=width, zorder=3.4, solid_joinstyle="round")
    axes.set(xlim=view.extent[:2], ylim=view.extent[2:])
    width = (sector[1] - sector[0]) % 360.0 or 360.0
    sign = -1.0 if pole == "south" else 1.0
    for from_rim, share in product((0.06, 0.3, 0.6, 0.75), (0.5, 0.35, 0.65, 0.2, 0.8)):
        lat = limit_deg + from_rim * (90.0 - limit_deg)
        x, y = (float(value) for value in lonlat_to_xy(sector[0] + share * width, sign * lat, pole))
        if view.holds(x, y, 0.06) and not any(zoom.holds(x, y, -0.15) for zoom in zooms):
            style: dict[str, Any] = {
                "fontsize": LETTER_PT,
                "fontweight": "bold",
                "color": INK,
                "path_effects": halo(2.4),
            }
            axes.text(x, y, name, ha="center", va="center", zorder=5.0, **style)
            return


def sector_words(sector: Sector) -> str:
    """Return a sector in words."""

    def words(lon: float) -> str:
        return f"{abs(lon):g}°" if lon in (0.0, 180.0, -180.0) else f"{abs(lon):g}° {'E' if lon > 0 else 'W'}"

    return f"longitudes {words(sector[0])} to {words(sector[1])}"
