"""How the ways to see into shadow are called and drawn: the image as taken, filters, networks, the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lunarsite.artefact.contracts.enhance import NETWORK_NAMES, RAW_METHOD, TRUTH_METHOD
from lunarsite.publish.style import BLACK, BLUE, FAINT, GREEN, INK, ORANGE, PURPLE, SKY, VERMILION

RAW, TRUTH = RAW_METHOD, TRUTH_METHOD
DENOISER, CYCLE = NETWORK_NAMES["denoiser"], NETWORK_NAMES["cycle"]
NETWORKS: Final = (DENOISER, CYCLE)


@dataclass(frozen=True)
class Look:
    """How a method is called and drawn."""

    words: str
    short: str
    """For the head of a narrow column."""
    colour: str
    dashes: Any
    marker: str
    width: float = 1.0


_LONG, _DOTS, _MIXED = (0.0, (5.0, 1.6)), (0.0, (1.2, 1.2)), (0.0, (4.0, 1.2, 1.2, 1.2))
METHODS: Final[dict[str, Look]] = {
    RAW: Look("image as taken", "as taken", INK, _DOTS, "x"),
    "median": Look("median", "median", FAINT, "solid", "^"),
    "gaussian": Look("Gaussian mean", "Gaussian", SKY, _MIXED, "s"),
    "non-local means": Look("non-local means", "non-local", PURPLE, "solid", "D"),
    "total variation": Look("total variation", "total var.", PURPLE, _LONG, "P"),
    "bm3d": Look("BM3D", "BM3D", GREEN, "solid", "s"),
    "clahe": Look("CLAHE", "CLAHE", SKY, _LONG, "p"),
    DENOISER: Look("denoiser", "denoiser", BLUE, "solid", "o", 1.9),
    CYCLE: Look("CycleGAN", "CycleGAN", VERMILION, "solid", "X", 1.9),
    TRUTH: Look("truth", "truth", BLACK, "solid", ""),
}
"""By the names that records and samples have, in the order in which they are listed."""
SHOWN: Final = (RAW, "median", "non-local means", "bm3d", "clahe", DENOISER, CYCLE, TRUTH)
"""Those that stand side by side in pictures, as far as there are such; the others are in tables and charts."""
MARKED: Final = ORANGE
"""Colour of what is marked on a picture."""


def look(method: str) -> Look:
    """Return how a method is drawn; one that is not known here keeps its name, in black."""
    return METHODS.get(method, Look(method.replace("_", " "), method.replace("_", " ")[:10], BLACK, _MIXED, "*"))


def in_order(methods: Iterable[str]) -> list[str]:
    """Return methods in the order of their list, unknown ones before the truth."""
    found, known = set(methods), list(METHODS)
    last = [method for method in (TRUTH,) if method in found]
    return [m for m in known if m in found and m != TRUTH] + sorted(found - set(known)) + last
