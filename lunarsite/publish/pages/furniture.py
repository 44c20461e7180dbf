"""What stands on every map of a page beside its data: axes in km, the scale bar, north and the Earth.

Maps of a few kilometres need other furniture than those of the pole: circles of latitude would be straight lines there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lunarsite.grid import Pole
from lunarsite.publish.rasters import View
from lunarsite.publish.style import BLACK, BLUE, INK, SMALL_PT

_NICE_M = (50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0)


def furnish(axes: Axes, view: View, pole: Pole, origin: str) -> None:
    """Fit the axes to the view; ticks tell km from the middle; add the scale bar and the arrows."""
    middle = 0.5 * (view.x_min_m + view.x_max_m), 0.5 * (view.y_min_m + view.y_max_m)
    step = next(nice for nice in _NICE_M if view.width_m / nice <= 6.5 or nice == _NICE_M[-1])
    reach = math.floor(0.5 * view.width_m / step)
    offsets = np.arange(-reach, reach + 1) * step
    words = [f"{offset / 1000.0:g}" for offset in offsets]
    axes.set(xlim=view.extent[:2], ylim=view.extent[2:], aspect="equal")
    axes.set_xticks(middle[0] + offsets, words)
    axes.set_yticks(middle[1] + offsets, words)
    axes.set_xlabel(f"Map x from {origin} (km)", labelpad=1.5)
    axes.set_ylabel("Map y (km)", labelpad=0.5)
    axes.set_facecolor("#E4E4E4")
    figure: Any = axes.get_figure(root=True)
    inches = axes.get_position().width * figure.get_figwidth()
    _scale_bar(axes, view, view.width_m / inches)
    _arrows(axes, middle, pole, 1.0 / inches)


def _scale_bar(axes: Axes, view: View, inch: float) -> None:
    """Draw the scale bar into the lower left corner; `inch` is an inch on paper in map metres."""
    length = max((nice for nice in _NICE_M if nice <= 0.26 * view.width_m), default=_NICE_M[0])
    left, low = view.x_min_m + 0.12 * inch, view.y_min_m + 0.09 * inch
    back = Rectangle((left - 0.06 * inch, low - 0.05 * inch), length + 0.12 * inch, 0.28 * inch)
    back.set(fc="white", ec="none", alpha=0.85, zorder=4.0)
    axes.add_patch(back)
    for half, colour in ((0, BLACK), (1, "white")):
        part = Rectangle((left + 0.5 * half * length, low), 0.5 * length, 0.045 * inch)
        part.set(fc=colour, ec=BLACK, lw=0.5, zorder=4.1)
        axes.add_patch(part)
    words = f"{length / 1000.0:g} km" if length >= 1_000.0 else f"{length:g} m"
    label = axes.annotate(words, (left + 0.5 * length, low + 0.075 * inch), zorder=4.2)
    label.set(fontsize=SMALL_PT, ha="center", va="bottom", color=INK)


def _arrows(axes: Axes, middle: tuple[float, float], pole: Pole, inch: float) -> None:
    """Draw local north and the direction of the Earth into the upper right corner, side by side.

    On the southern map north points away from the pole; the Earth's mean direction is that of longitude 0, up. `inch`
    is an inch on paper as a share of the axes.
    """
    outward = math.atan2(middle[1], middle[0])
    south = pole == "south"
    north = outward if south else outward + math.pi
    earth = 0.5 * math.pi if south else -0.5 * math.pi
    width, height = 0.78 * inch, 0.52 * inch
    corner = 1.0 - 0.04 * inch - width, 1.0 - 0.04 * inch - height
    box = Rectangle(corner, width, height, transform=axes.transAxes)
    box.set(fc="white", ec="none", alpha=0.85, zorder=4.0)
    axes.add_patch(box)
    for angle, word, colour, share in ((north, "N", BLACK, 0.26), (earth, "Earth", BLUE, 0.71)):
        direction = 0.15 * inch * np.array([math.cos(angle), math.sin(angle)])
        centre = np.array([corner[0] + share * width, corner[1] + 0.64 * height])
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.0, "shrinkA": 0.0, "shrinkB": 0.0, "mutation_scale": 7.0}
        axes.annotate(
            "",
            tuple(centre + direction),
            tuple(centre - direction),
            xycoords="axes fraction",
            textcoords="axes fraction",
            arrowprops=arrow,
            zorder=4.3,
        )
        place = float(centre[0]), corner[1] + 0.03 * inch
        label = axes.annotate(word, place, xycoords="axes fraction", zorder=4.4)
        label.set(fontsize=SMALL_PT, ha="center", va="bottom", color=colour)
