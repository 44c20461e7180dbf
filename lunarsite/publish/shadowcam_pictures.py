"""Pictures of ShadowCam's frames and composites beside what is predicted of them, out of the validation's samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact.contracts import SHADOWCAM_SAMPLES
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.samples import read_pictures
from lunarsite.publish.style import (
    INK,
    ORANGE,
    SKY,
    SMALL_PT,
    UNKNOWN,
    VERMILION,
    WIDE_IN,
    caption,
    header,
    new_figure,
    styled,
)

COLUMNS: Final = 4
"""Pictures side by side."""
CLASSES: Final[dict[str, str]] = {
    "both dark": "#1F2A44",
    "both lit": "#F2E6C9",
    "image only": ORANGE,
    "prediction only": SKY,
    "unknown": UNKNOWN,
}
"""Colours of where image and prediction agree."""
_WORDS: Final = {
    "both dark": "dark in both",
    "both lit": "lit in both",
    "image only": "lit in the image only",
    "prediction only": "lit in the prediction only",
    "unknown": "unknown",
}
_TALL_IN, _WORDS_IN, _SIDE_IN, _GAP_IN = 1.62, 0.3, 0.06, 0.07
_QUANTILES = (0.005, 0.98)
"""Of an image's brightness, drawn black and white."""


@dataclass(frozen=True)
class Sample:
    """A frame or composite; arrays are (rows, cols), NaN or 255 where unknown."""

    kind: str
    name: str
    brightness: NDArray[np.float32]
    predicted: NDArray[np.float32]
    classes: NDArray[np.uint8]
    pixel_m: float
    auc: float


@dataclass(frozen=True)
class Samples:
    """The pictures of a run."""

    found: tuple[Sample, ...]
    stamp: Stamp

    @classmethod
    def read(cls, path: Path) -> Samples:
        """Read the validation's samples.

        Raises:
            ArtefactError: The file breaks its contract, or a picture claims more pixels than the file has.
        """
        pictures, stamp = read_pictures(path, SHADOWCAM_SAMPLES, "validate-shadowcam")
        found = (
            Sample(
                kind=one.of["kind"],
                name=str(one.of["name"]),
                brightness=one.pixels["brightness"],
                predicted=one.pixels["predicted"],
                classes=one.pixels["classes"],
                pixel_m=float(one.of["pixel_m"]),
                auc=float(one.of["auc"]),
            )
            for one in pictures
        )
        return cls(tuple(found), stamp)

    def draw(self) -> Figure:
        """Draw pictures two by two: the image with the predicted outline of shadow, and where both agree."""
        pairs_each = COLUMNS // 2
        lines = max(1, -(-len(self.found) // pairs_each))
        side = (WIDE_IN - 2.0 * _SIDE_IN - _GAP_IN * (COLUMNS - 1)) / COLUMNS
        height = 0.42 + lines * (_TALL_IN + _WORDS_IN) + 0.95
        numbers = {name: number for number, name in SHADOWCAM_SAMPLES.array("classes").classes}
        with styled():
            figure = new_figure(WIDE_IN, height)
            for place, sample in enumerate(self.found):
                line, pair = divmod(place, pairs_each)
                low = height - 0.42 - (line + 1) * (_TALL_IN + _WORDS_IN)
                panels = []
                for column in (0, 1):
                    left = _SIDE_IN + (2 * pair + column) * (side + _GAP_IN)
                    box = (left / WIDE_IN, low / height, side / WIDE_IN, _TALL_IN / height)
                    panels.append(figure.add_axes(box))
                _outlined(panels[0], sample)
                _agreement(panels[1], sample, numbers)
                panels[0].set_title(_title(sample), fontsize=SMALL_PT, fontweight="normal", pad=3.0)
            figure.legend(
                handles=[
                    Line2D([], [], color=VERMILION, lw=1.0, label="predicted edge of shadow"),
                    *(Patch(fc=colour, ec=INK, lw=0.3, label=_WORDS[name]) for name, colour in CLASSES.items()),
                ],
                loc="lower left",
                bbox_to_anchor=(0.01, 0.46 / height),
                ncols=3,
                columnspacing=1.4,
            )
            caption(
                figure,
                "Frames: worst, best and evenly between by the area under the ROC curve (AUC); their gaps hold ground"
                " too bright to be mapped, and\ncount as lit. Composites: edge of permanent shadow as the run computes"
                " it; the brighter half of the pixels counts as lit. Images:\nShadowCam, NASA, KARI, Arizona State"
                " University. Pictures from validate/shadowcam_samples.h5.",
            )
            header(figure, "ShadowCam and predicted shadow", synthetic=self.stamp.origin == "synthetic")
            return figure


def _title(sample: Sample) -> str:
    across_km = sample.brightness.shape[1] * sample.pixel_m / 1000.0
    words = f"{sample.name}, {across_km:.0f} km wide"
    return f"{words}, AUC {sample.auc:.2f}" if np.isfinite(sample.auc) else words


def _outlined(axes: Axes, sample: Sample) -> None:
    """Draw brightness by its own quantiles, and the outline of predicted shadow where a prediction has both kinds."""
    known = sample.brightness[np.isfinite(sample.brightness)]
    low, high = (float(end) for end in np.quantile(known, _QUANTILES)) if known.size else (0.0, 1.0)
    # The square root shows dark ground beside bright ground.
    grey = np.sqrt(np.clip((sample.brightness - low) / max(high - low, 1e-30), 0.0, 1.0))
    rgb = np.where(np.isfinite(grey)[..., None], np.nan_to_num(grey)[..., None], np.array(to_rgb("#DCE3EE")))
    axes.imshow(rgb, interpolation="nearest")
    _bare(axes)
    lit = np.where(np.isfinite(sample.predicted), sample.predicted, np.nan)
    if min(lit.shape) > 1 and (lit >= 0.5).any() and (lit < 0.5).any():
        axes.contour(lit, levels=[0.5], colors=[VERMILION], linewidths=0.7)


def _agreement(axes: Axes, sample: Sample, numbers: dict[str, int]) -> None:
    shown = np.empty((*sample.classes.shape, 3))
    for name, colour in CLASSES.items():
        shown[sample.classes == numbers[name]] = to_rgb(colour)
    axes.imshow(shown, interpolation="nearest")
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_anchor("NW")
    axes.spines[:].set_linewidth(0.4)
