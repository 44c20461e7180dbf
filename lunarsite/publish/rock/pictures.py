"""Pictures of rocks: the image, the truth, the classes given and how doubtful they are, side by side.

All pictures and numbers come from the validation's samples; none is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact.contracts import ROCK_ANSWERS, ROCK_SAMPLES
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.rock.looks import CLASSES
from lunarsite.publish.samples import read_pictures
from lunarsite.publish.style import (
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
from lunarsite.vision.rock import classes as numbers

MOST_ROWS: Final = 8
"""Rows of pictures in the figure."""
COLUMNS: Final = ("image", "truth", "classes given", "entropy", "mutual information")
_MOST_LETTERS: Final = 25
"""That fit beneath a picture."""
_OPACITY: Final = 0.78
_ANSWERS: Final = {words: answer for answer, words in ROCK_ANSWERS.items()}
_WORDS: Final = {"render": "render", "photograph": "photograph"}


@dataclass(frozen=True)
class Sample:
    """One image and what is said of it.

    Attributes:
        kind: 'render', 'photograph', 'orbital' or 'corrupted'.
        name: The image's.
        picture: (rows, cols, 3), 8 bits.
        classes: (rows, cols) numbers of ROCK_SCENES, 255 unknown. So for `truth`, all 255 where there is none.
        truth: What each pixel is.
        entropy: (rows, cols), nats; NaN where unknown. So for `mutual_information`.
        mutual_information: What the members disagree about.
        miou: Mean IoU of the image; NaN where there is no truth.
        unfamiliarity: Distance of its features; NaN where no ground is seen.
        out_of_distribution: Whether it exceeds the limit on the model's card; None where nothing tells.
    """

    kind: str
    name: str
    picture: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    entropy: NDArray[np.float32]
    mutual_information: NDArray[np.float32]
    miou: float
    unfamiliarity: float
    out_of_distribution: bool | None


@dataclass(frozen=True)
class Samples:
    """The pictures of a run."""

    found: tuple[Sample, ...]
    stamp: Stamp

    @classmethod
    def read(cls, path: Path) -> Samples:
        """Read the validation's samples.

        Raises:
            ArtefactError: The file breaks its contract, or an image claims more pixels than the file has.
        """
        pictures, stamp = read_pictures(path, ROCK_SAMPLES, "validate-rock", _shown)
        found = (
            Sample(
                kind=one.of["kind"],
                name=str(one.of["name"]),
                **one.pixels,
                miou=float(one.of["miou"]),
                unfamiliarity=float(one.of["unfamiliarity"]),
                out_of_distribution=_ANSWERS[one.of["out_of_distribution"]],
            )
            for one in pictures
        )
        return cls(tuple(found), stamp)

    def draw(self) -> Figure:
        """Draw each image beside its truth, the classes given and their doubt; for two columns."""
        shown = self.found
        with styled():
            figure, panels = _sheet([sample.picture.shape[:2] for sample in shown], len(COLUMNS))
            tops = {
                name: _top([getattr(sample, name) for sample in shown]) for name in ("entropy", "mutual_information")
            }
            for sample, line in zip(shown, panels, strict=True):
                line[0].imshow(sample.picture, interpolation="nearest")
                _classes(line[1], sample.picture, sample.truth)
                _classes(line[2], sample.picture, sample.classes)
                for axes, name in zip(line[3:], tops, strict=True):
                    _doubt(axes, getattr(sample, name), tops[name])
                _beneath(line[2], f"mean IoU {sample.miou:.2f}" if np.isfinite(sample.miou) else "no truth", INK)
                # The verdict is the image's, not one column's.
                _beneath(line[4], *_verdict(sample))
                _beneath(line[0], _name_words(sample), INK, "left")
            for axes, words in zip(panels[0] if panels else (), COLUMNS, strict=False):
                axes.set_title(words, fontsize=SMALL_PT + 0.5, fontweight="bold", loc="center", pad=3.0)
            height = figure.get_figheight()
            handles = [Patch(fc=colour, label=words) for words, colour in list(CLASSES.values())[1:]]
            handles += [Patch(fc="white", ec=INK, lw=0.4, label="ground"), Patch(fc=UNKNOWN, label="unknown")]
            figure.legend(
                handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.36 / height), ncols=5, columnspacing=1.2
            )
            if panels:
                _scales(figure, panels[-1][3:], list(tops.values()))
            caption(
                figure,
                "Images were drawn by seed, none was chosen; orbital and corrupted ones have no truth, and ought to be"
                " called unfamiliar.\nEntropy and mutual information in nats, one scale for all. Pictures from"
                " validate/rock_samples.h5.",
            )
            header(
                figure,
                "Rocks: what is seen, what is said, how sure",
                synthetic=self.stamp.origin == "synthetic",
                real_among=any(sample.kind == "photograph" for sample in shown),
            )
            return figure


def _shown(kinds: Sequence[str]) -> list[int]:
    """Return which images are drawn, in the file's order: the first of every kind before the second of any."""
    turns = [(kinds[:at].count(kind), at) for at, kind in enumerate(kinds)]
    return sorted(at for _, at in sorted(turns)[:MOST_ROWS])


def _sheet(shapes: Sequence[tuple[int, ...]], columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with a line of panels for each image, each line as high as its image is."""
    side_in, gap_in, words_in, head_in, foot_in = 0.06, 0.05, 0.17, 0.62, 0.92
    width_in = (WIDE_IN - 2.0 * side_in - (columns - 1) * gap_in) / columns
    # Tall images are drawn narrower than their column rather than filling the page.
    heights = [width_in * min(rows / cols, 1.0) for rows, cols in shapes]
    height = head_in + foot_in + sum(heights) + words_in * len(heights)
    figure = new_figure(WIDE_IN, height)
    panels, top = [], height - head_in
    for high in heights:
        line = []
        for column in range(columns):
            left = side_in + column * (width_in + gap_in)
            axes = figure.add_axes((left / WIDE_IN, (top - high) / height, width_in / WIDE_IN, high / height))
            axes.set_axis_off()
            line.append(axes)
        panels.append(line)
        top -= high + words_in
    return figure, panels


def _classes(axes: Axes, picture: NDArray[np.uint8], classes: NDArray[np.uint8]) -> None:
    """Draw classes over the image, ground as it is; grey where nothing is known."""
    shown = picture.astype(np.float32) / 255.0
    for number, name in enumerate(numbers.CLASSES):
        if number != numbers.BACKGROUND:
            where = classes == number
            colour = np.asarray(to_rgb(CLASSES[name.replace("_", " ")][1]), dtype=np.float32)
            shown[where] = (1.0 - _OPACITY) * shown[where] + _OPACITY * colour
    shown[classes == numbers.UNKNOWN] = to_rgb(UNKNOWN)
    axes.imshow(shown, interpolation="nearest")


def _doubt(axes: Axes, values: NDArray[np.float32], top: float) -> None:
    shown = colormaps["cividis"](np.clip(np.nan_to_num(values) / top, 0.0, 1.0))[..., :3]
    shown[~np.isfinite(values)] = to_rgb(UNKNOWN)
    axes.imshow(shown, interpolation="nearest")


def _top(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return the upper end of a scale: the largest value, or 1 where there is none."""
    known = [float(np.nanmax(values)) for values in maps if np.isfinite(values).any()]
    return max([value for value in known if value > 0.0], default=1.0)


def _scales(figure: Figure, line: Sequence[Axes], tops: Sequence[float]) -> None:
    """Draw the scales of doubt at the foot of their columns."""
    height = figure.get_figheight()
    for axes, top in zip(line, tops, strict=True):
        box = axes.get_position()
        bar = figure.add_axes((box.x0 + 0.02, 0.62 / height, box.width - 0.04, 0.05 / height))
        figure.colorbar(ScalarMappable(Normalize(0.0, top), colormaps["cividis"]), cax=bar, orientation="horizontal")
        bar.set_xticks([0.0, top], ["0", f"{number_words(float(f'{top:.2g}'))} nat"])
        bar.tick_params(length=1.5, pad=1.0, labelsize=SMALL_PT, width=0.4)
        first, last = bar.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")


def _verdict(sample: Sample) -> tuple[str, str]:
    if sample.out_of_distribution is None:
        return "no ground: not judged", FAINT
    words = "unfamiliar" if sample.out_of_distribution else "familiar"
    return f"{words} (distance {sample.unfamiliarity:.2f})", VERMILION if sample.out_of_distribution else FAINT


def _name_words(sample: Sample) -> str:
    # The name of one from orbit says so, that of a corrupted one how it was corrupted.
    words = f"{_WORDS[sample.kind]}: {sample.name}" if sample.kind in _WORDS else sample.name
    return words if len(words) <= _MOST_LETTERS else f"{words[: _MOST_LETTERS - 1]}…"


def _beneath(axes: Axes, words: str, colour: str, side: str = "center") -> None:
    style: dict[str, Any] = {"fontsize": SMALL_PT, "color": colour, "ha": side, "va": "top", "parse_math": False}
    axes.text(0.0 if side == "left" else 0.5, -0.03, words, transform=axes.transAxes, **style)
