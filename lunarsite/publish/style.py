"""How figures look and how they are saved: sizes for print, fonts, colours that the colour-blind can tell apart.

Colours of categories are Okabe and Ito's (2008), colour scales are matplotlib's cividis and viridis. Files hold no
time and no version, so the same figure gives the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError

WIDE_IN: Final = 7.1
"""Width of a figure over two columns of a journal (180 mm)."""
COLUMN_IN: Final = 3.5
"""Width of a figure in one column (89 mm)."""
PRINT_DPI: Final = 300
"""Resolution of the raster parts of a PDF, dots per inch."""
SMALL_PT: Final = 7.0
"""Smallest type in any figure at its printed size."""
BODY_PT: Final = 8.0

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
UNKNOWN = "#9A9A9A"
INK, FAINT = "#1A1A1A", "#5A5A5A"

SYNTHETIC_MARK: Final = "SYNTHETIC — not the real Moon"
PARTLY_MARK: Final = "PARTLY SYNTHETIC — renders and photographs"

_RC: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": BODY_PT,
    "axes.titlesize": BODY_PT + 1.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": BODY_PT,
    "axes.linewidth": 0.6,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
    "svg.hashsalt": "lunarsite",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def styled() -> Any:
    """Return a context in which figures are made in the house's style, whatever the user's matplotlibrc says."""
    context: Any = mpl.rc_context
    defaults: dict[Any, Any] = dict(mpl.rcParamsDefault.items())
    return context({**defaults, **_RC, "backend": "agg"})


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of a printed size, free of any global state."""
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def halo(width: float = 1.6, colour: str = "white") -> list[Any]:
    """Return the path effects that keep type legible over a map."""
    return [withStroke(linewidth=width, foreground=colour)]


def header(figure: Figure, title: str, *, synthetic: bool, real_among: bool = False) -> None:
    """Write a figure's title, and beside it that the figure shows the synthetic Moon where it does.

    Args:
        figure: The figure.
        title: Its title.
        synthetic: Whether anything in it goes back to the synthetic Moon or to renders.
        real_among: Whether photographs are among what is synthetic.
    """
    width, height = figure.get_size_inches()
    top = 1.0 - 0.14 / height
    style: dict[str, Any] = {"fontsize": BODY_PT + 1.5, "fontweight": "bold", "color": INK}
    figure.text(0.05 / width, top, title, ha="left", va="center", parse_math=False, **style)
    if synthetic:
        figure.text(
            1.0 - 0.07 / width,
            top,
            PARTLY_MARK if real_among else SYNTHETIC_MARK,
            ha="right",
            va="center",
            fontsize=SMALL_PT,
            fontweight="bold",
            color="white",
            bbox={"facecolor": VERMILION, "edgecolor": "none", "boxstyle": "square,pad=0.35"},
        )


def caption(figure: Figure, text: str) -> None:
    """Write the line of sources at the foot of a figure."""
    width, height = figure.get_size_inches()
    place = 0.05 / width, 0.05 / height
    style: dict[str, Any] = {"fontsize": SMALL_PT, "color": FAINT, "linespacing": 1.25}
    # Names of files and places may hold a '$', which would begin a formula.
    figure.text(*place, text, ha="left", va="bottom", parse_math=False, **style)


_METADATA: Final[dict[str, dict[str, Any]]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Save a figure as PNG or PDF in one step, without times or versions.

    Raises:
        ArtefactError: The suffix is neither .png nor .pdf.
    """
    if path.suffix not in _METADATA:
        raise ArtefactError(f"{path}: figures are saved as .png or .pdf")
    _quiet()
    with styled(), replacing(path) as partial:
        figure.savefig(partial, dpi=dpi, metadata=_METADATA[path.suffix])


def save_drawn(
    drawn: Sequence[tuple[Path, Path, Callable[[], Figure]]], dpi: int, progress: Callable[[float, float, str], None]
) -> None:
    """Draw figures one after the other and save each as PNG for the screen and as PDF for print.

    Args:
        drawn: The PNG, the PDF and what draws them, by figure; each is drawn as its turn comes.
        dpi: Resolution of the PNGs, dots per inch.
        progress: Told how many of all figures are done.
    """
    for done, (png, pdf, draw) in enumerate(drawn, start=1):
        figure = draw()
        save(figure, png, dpi)
        save(figure, pdf, PRINT_DPI)
        progress(done, len(drawn), "figures")


def save_pages(figures: Iterable[Figure], path: Path, dpi: int) -> None:
    """Save figures as the pages of one PDF in one step, without times or versions; each is drawn as its turn comes."""
    _quiet()
    with styled(), replacing(path) as partial, PdfPages(partial, metadata=_METADATA[".pdf"]) as pages:
        for figure in figures:
            pages.savefig(figure, dpi=dpi)


def _quiet() -> None:
    # fontTools reports every glyph that a PDF embeds, hundreds of lines, to whoever listens at level INFO.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
