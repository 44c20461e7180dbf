"""Pictures of seeing into shadow: every method beside the image as taken and the truth, and real frames with errors.

All pictures, their grey scales and the numbers beneath them come from the validation's samples; none is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from lunarsite.artefact.contracts import ENHANCE_SAMPLES
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.enhance_looks import CYCLE, DENOISER, METHODS, RAW, SHOWN, TRUTH, in_order, look
from lunarsite.publish.samples import read_pictures
from lunarsite.publish.style import (
    BLUE,
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
from lunarsite.publish.words import number_words

MOST_ROWS: Final = 6
"""Rows of pictures in one figure."""
MOST_FRAMES: Final = 4
SUPPORTED, UNSUPPORTED = 1.0, 0.0
"""Values of a picture of support."""
_HEAD_IN, _SIDE_IN, _GAP_IN, _WORDS_IN = 0.62, 0.42, 0.04, 0.2
_BAD = to_rgb(UNKNOWN)


@dataclass(frozen=True)
class Sample:
    """One picture.

    Attributes:
        kind: 'scene' or 'frame'.
        name: The scene or frame.
        method: 'raw', a method's name, or 'truth'.
        quantity: 'image', 'error' or 'support'.
        electrons: Signal of the median pixel; NaN for the truth and for real frames.
        pixels: (rows, cols), NaN where nothing is known.
        pixel_m: Pixel size, metres.
        scale: Numbers that are drawn black and white.
        psnr_db: Against the truth; NaN where nothing was measured. So for `ssim`.
        ssim: Structural similarity.
    """

    kind: str
    name: str
    method: str
    quantity: str
    electrons: float
    pixels: NDArray[np.float32]
    pixel_m: float
    scale: tuple[float, float]
    psnr_db: float
    ssim: float


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
        pictures, stamp = read_pictures(path, ENHANCE_SAMPLES, "validate-enhance")
        found = (
            Sample(
                kind=one.of["kind"],
                name=str(one.of["name"]),
                method=str(one.of["method"]),
                quantity=one.of["quantity"],
                electrons=float(one.of["electrons"]),
                pixels=one.pixels["picture"],
                pixel_m=float(one.of["pixel_m"]),
                scale=(float(one.of["display_low"]), float(one.of["display_high"])),
                psnr_db=float(one.of["psnr_db"]),
                ssim=float(one.of["ssim"]),
            )
            for one in pictures
        )
        return cls(tuple(found), stamp)

    def names(self, kind: str) -> list[str]:
        """Return the scenes or frames, in the file's order."""
        return list(dict.fromkeys(sample.name for sample in self.found if sample.kind == kind))

    def draw_scenes(self) -> Figure:
        """Draw scenes by signal level: the image as taken, methods, the truth, side by side; for two columns."""
        scenes = [sample for sample in self.found if sample.kind == "scene" and sample.quantity == "image"]
        levels = sorted({sample.electrons for sample in scenes if np.isfinite(sample.electrons)})
        names = self.names("scene")[: max(1, MOST_ROWS // max(len(levels), 1))]
        rows = [(name, level) for name in names for level in levels][:MOST_ROWS]
        methods = [method for method in SHOWN if any(sample.method == method for sample in scenes)]
        # A network without a look of its own is shown too.
        methods = in_order({*methods, *(s.method for s in scenes if s.method not in _CATALOGUED)})
        at = {(sample.name, sample.method, sample.electrons): sample for sample in scenes if sample.method != TRUTH}
        truths = {sample.name: sample for sample in scenes if sample.method == TRUTH}
        with styled():
            figure, panels = _sheet(len(rows), len(methods), self._aspect(names))
            for (name, level), line in zip(rows, panels, strict=True):
                for method, axes in zip(methods, line, strict=True):
                    sample = truths.get(name) if method == TRUTH else at.get((name, method, level))
                    _image(axes, sample)
                    if sample is not None and method != TRUTH:
                        _beneath(axes, _score_words(sample))
                _beside(line[0], f"{number_words(level)} electrons")
            for method, axes in zip(methods, panels[0] if len(panels) else (), strict=False):
                axes.set_title(look(method).short, fontsize=SMALL_PT, fontweight="bold", loc="center", pad=2.5)
            truth_shown = [truths[name] for name in names if name in truths]
            caption(
                figure,
                f"{_pixel_words(truth_shown)} Ground that no training saw. Rows: signal of the median pixel. Beneath"
                " each picture:\nPSNR, and SSIM, in shadow. One grey scale for each scene; grey-blue is sunlit,"
                " overexposed or unknown ground. Scenes\nwere chosen by seed. Pictures and numbers from"
                " validate/enhance_samples.h5.",
            )
            header(figure, "Into shadow: rendered scenes with their truth", synthetic=self._synthetic)
            return figure

    def draw_frames(self) -> Figure:
        """Draw real frames: as taken, enhanced, standard error, support; for two columns."""
        names = self.names("frame")[:MOST_FRAMES]
        of = {(s.name, s.method == RAW, s.quantity): s for s in self.found if s.kind == "frame"}
        columns = ((True, "image"), (False, "image"), (False, "error"), (False, "support"))
        method = next((s.method for s in self.found if s.kind == "frame" and s.method != RAW), "")
        heads = ("as taken", f"enhanced ({look(method).words})", "standard error", "supported by signal")
        with styled():
            figure, panels = _sheet(len(names), len(columns), self._aspect(names), foot_in=0.72)
            for name, line in zip(names, panels, strict=True):
                for column, axes in zip(columns, line, strict=True):
                    sample = of.get((name, *column))
                    {"image": _image, "error": _error, "support": _support}[column[1]](axes, sample)
                _beside(line[0], name)
                _bars(figure, line, [of.get((name, *column)) for column in columns])
            for words, axes in zip(heads, panels[0] if len(panels) else (), strict=False):
                axes.set_title(words, fontsize=SMALL_PT + 0.5, fontweight="bold", loc="center", pad=3.0)
            handles = [
                Patch(fc=BLUE, label="supported"),
                Patch(fc=ORANGE, label="not supported"),
                Patch(fc=UNKNOWN, label="no data"),
            ]
            figure.legend(
                handles=handles, loc="lower right", bbox_to_anchor=(0.985, 0.36 / figure.get_figheight()), ncols=3
            )
            caption(
                figure,
                f"{_pixel_words([of.get((name, True, 'image')) for name in names])} Images and errors in the frames'"
                " own numbers. Frames were chosen by seed. ShadowCam: NASA,\nKARI, Arizona State University. Pictures"
                " from validate/enhance_samples.h5.",
            )
            header(figure, "Into shadow: ShadowCam frames", synthetic=self._synthetic)
            return figure

    @property
    def _synthetic(self) -> bool:
        return self.stamp.origin == "synthetic"

    def _aspect(self, names: Sequence[str]) -> float:
        """Return the greatest height over width of the pictures of these names."""
        return max((s.pixels.shape[0] / s.pixels.shape[1] for s in self.found if s.name in names), default=1.0)


_CATALOGUED: Final = frozenset(METHODS) - {DENOISER, CYCLE}
"""Methods of which SHOWN chooses."""


def _sheet(rows: int, columns: int, aspect: float, foot_in: float = 0.55) -> tuple[Figure, list[list[Axes]]]:
    """Lay out pictures of one size; return the figure and its panels by row."""
    side = (WIDE_IN - _SIDE_IN - 0.06 - _GAP_IN * (columns - 1)) / max(columns, 1)
    tall = side * aspect
    height = _HEAD_IN + rows * (tall + _WORDS_IN) + foot_in
    figure = new_figure(WIDE_IN, height)
    panels: list[list[Axes]] = []
    for row in range(rows):
        low = height - _HEAD_IN - (row + 1) * tall - row * _WORDS_IN
        boxes = [(_SIDE_IN + column * (side + _GAP_IN), low, side, tall) for column in range(columns)]
        panels.append([figure.add_axes((b[0] / WIDE_IN, b[1] / height, b[2] / WIDE_IN, b[3] / height)) for b in boxes])
    for axes in (axes for line in panels for axes in line):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_linewidth(0.4)
    return figure, panels


def _image(axes: Axes, sample: Sample | None) -> None:
    """Draw a picture in its scene's grey scale."""
    if sample is None:
        axes.set_axis_off()
        return
    low, high = sample.scale
    grey = np.clip((sample.pixels - low) / max(high - low, 1e-30), 0.0, 1.0)
    # Ground that is not compared must not look like dark ground.
    rgb = np.where(np.isfinite(grey)[..., None], np.nan_to_num(grey)[..., None], _NOT_COMPARED)
    axes.imshow(rgb, interpolation="nearest")


_NOT_COMPARED: Final = np.array([0.42, 0.49, 0.60])


def _error(axes: Axes, sample: Sample | None) -> None:
    if sample is None:
        axes.set_axis_off()
        return
    shown = colormaps["cividis"](Normalize(*sample.scale)(np.nan_to_num(sample.pixels)))[..., :3]
    shown[~np.isfinite(sample.pixels)] = _BAD
    axes.imshow(shown, interpolation="nearest")


def _support(axes: Axes, sample: Sample | None) -> None:
    if sample is None:
        axes.set_axis_off()
        return
    shown = np.empty((*sample.pixels.shape, 3))
    shown[:] = _BAD
    shown[sample.pixels == SUPPORTED] = to_rgb(BLUE)
    shown[sample.pixels == UNSUPPORTED] = to_rgb(ORANGE)
    axes.imshow(shown, interpolation="nearest")


def _bars(figure: Figure, line: Sequence[Axes], samples: Sequence[Sample | None]) -> None:
    """Draw the scales of images and errors beneath their pictures."""
    for axes, sample, colours in zip(line, samples, ("gray", "gray", "cividis", None), strict=True):
        if sample is None or colours is None:
            continue
        box = axes.get_position()
        height = float(figure.get_size_inches()[1])
        bar = figure.add_axes((box.x0, box.y0 - 0.07 / height, box.width, 0.045 / height))
        figure.colorbar(ScalarMappable(Normalize(*sample.scale), colormaps[colours]), cax=bar, orientation="horizontal")
        bar.set_xticks(list(sample.scale), [number_words(float(f"{end:.3g}")) for end in sample.scale])
        bar.tick_params(length=1.5, pad=1.0, labelsize=SMALL_PT, width=0.4)
        first, last = bar.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")


def _score_words(sample: Sample) -> str:
    if not np.isfinite(sample.psnr_db):
        return "not measured"
    return f"{sample.psnr_db:.1f} dB  {sample.ssim:.2f}" if np.isfinite(sample.ssim) else f"{sample.psnr_db:.1f} dB"


def _beneath(axes: Axes, words: str) -> None:
    axes.text(0.5, -0.035, words, transform=axes.transAxes, fontsize=SMALL_PT, color=INK, ha="center", va="top")


def _beside(axes: Axes, words: str) -> None:
    axes.text(
        -0.05, 0.5, words, transform=axes.transAxes, fontsize=SMALL_PT, color=INK, rotation=90.0, ha="right",
        va="center", parse_math=False,
    )  # fmt: skip


def _pixel_words(samples: Sequence[Sample | None]) -> str:
    sizes = sorted({sample.pixel_m for sample in samples if sample is not None})
    if not sizes:
        return ""
    words = " and ".join(f"{size:g}" for size in sizes)
    across = sorted({sample.pixels.shape[1] * sample.pixel_m / 1000.0 for sample in samples if sample is not None})
    wide = f"{across[0]:.0f}" if across[0] > 0.9 * across[-1] else f"{across[0]:.0f} to {across[-1]:.0f}"
    return f"Pixels of {words} m, pictures {wide} km wide."
