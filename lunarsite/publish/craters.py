"""The maps of what was detected: the craters themselves, and what the network answers.

Craters are drawn as what they are on the polar map: circles, in map metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lunarsite.artefact import raster, table
from lunarsite.artefact.contracts import CRATER_PROBABILITY, DETECTED
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.crater_sheet import SIDE_IN, Ground, Sheet, circles, densest, legend, reaching, square
from lunarsite.publish.figures import finish, unknown_ground
from lunarsite.publish.polar_map import frame
from lunarsite.publish.rasters import picture, whole_view
from lunarsite.publish.style import UNKNOWN, WIDE_IN, new_figure, styled
from lunarsite.publish.words import number_words


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
                shown = reaching(self.craters, view)
                score = shown["score"].to_numpy(dtype=np.float64)
                widths = (0.25 + 0.45 * norm(score)) * (1.0 if view is whole else 1.7)
                circles(axes, shown, colours(norm(score)), widths)
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
            side, gap, foot, between = SIDE_IN, 0.5, 1.2, 0.62
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
                legend(figure, [Patch(fc=UNKNOWN, hatch="////", ec="white", label="no elevation")], 0.68, 0.85 / total)
            finish(figure, "Where the network sees craters", self.stamp, self.ground.stamp, self.ground.grid.pixel_m)
            return figure


def _scores() -> Colormap:
    # Dark is certain: thin lines must be seen on light relief, and stay apart in black and white.
    return ListedColormap(colormaps["viridis_r"](np.linspace(0.05, 1.0, 256)))
