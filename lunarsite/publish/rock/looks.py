"""How classes, methods and kinds of images are called and drawn, for eyes of every kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lunarsite.publish.style import BLACK, BLUE, FAINT, GREEN, INK, ORANGE, PURPLE, SKY, UNKNOWN, VERMILION

SAND: Final = "#DDCC77"
"""From Paul Tol's muted colours, for the colour-blind too; no other method has it."""
_LONG, _DOTS, _MIXED = (0.0, (5.0, 1.6)), (0.0, (1.2, 1.2)), (0.0, (4.0, 1.2, 1.2, 1.2))


@dataclass(frozen=True)
class Look:
    """How a method or a way to tell trouble is called and drawn."""

    words: str
    colour: str
    dashes: Any = "solid"
    marker: str = "o"
    width: float = 1.2


METHODS: Final[dict[str, Look]] = {
    "majority": Look("commonest class at each place", UNKNOWN, _DOTS, "x"),
    "no rocks": Look("no rocks at all", SAND, _DOTS, "X"),
    "classical": Look("without learning", FAINT, _LONG, "v"),
    "single": Look("single network", ORANGE, _LONG, "^"),
    "single scaled": Look("single, temperature-scaled", VERMILION, "solid", "s"),
    "dropout": Look("Monte Carlo dropout", PURPLE, _MIXED, "D"),
    "ensemble": Look("ensemble", SKY, _LONG, "P"),
    "ensemble scaled": Look("ensemble, temperature-scaled", BLUE, "solid", "o", 1.9),
}
"""By the names that the record has, in the order in which they are listed."""
STATISTICS: Final[dict[str, Look]] = {
    "feature distance": Look("distance of features", VERMILION, "solid", "*"),
    "oracle": Look("oracle: knows every error", BLACK, _DOTS, ""),
    "entropy": Look("entropy", BLUE, "solid", "o", 1.9),
    "mutual information": Look("mutual information", GREEN, _LONG, "s"),
    "confidence": Look("confidence", ORANGE, _MIXED, "^"),
    "random": Look("random order", UNKNOWN, _DOTS, ""),
    "brightness": Look("mean brightness", FAINT, _DOTS, "x"),
    "contrast": Look("contrast", UNKNOWN, _LONG, "v"),
    "black share": Look("share of black", BLACK, _LONG, "d"),
}
"""What orders pixels or images by how doubtful they are."""
CLASSES: Final[dict[str, tuple[str, str]]] = {
    "background": ("ground", UNKNOWN),
    "small rocks": ("small rocks", ORANGE),
    "large rocks": ("large rocks", PURPLE),
    "sky": ("sky", SKY),
}
"""Words and colour of each class, by its name in the record; the colours hold in pictures too."""
_CLASS_MARKERS: Final = dict(zip(CLASSES, "Dosv", strict=True))
MEAN: Final = "mean"
"""The name of all classes' mean in the record."""
PHOTOGRAPHS: Final = "photographs"
GROUPS: Final = ("held-out renders", "own renders", PHOTOGRAPHS)
"""Images that are measured apart, in their order."""
STRANGERS: Final = ("rendered orbital images", "orbital images", "shadowed orbital images")
"""Images of another kind; corrupted renders come after them."""


def look(name: str) -> Look:
    """Return how a method or statistic is drawn; one that is not known here keeps its name, in dark grey."""
    return METHODS.get(name) or STATISTICS.get(name) or Look(name.replace("_", " "), INK, _MIXED, "*")


def class_words(name: str) -> str:
    """Return a class in words."""
    return "mean of classes" if name == MEAN else CLASSES.get(name, (name.replace("_", " "), ""))[0]


def class_look(name: str) -> Look:
    """Return how a class is drawn where curves are of classes; one that is not known here is in dark grey."""
    colour = CLASSES.get(name, ("", INK))[1]
    return Look(class_words(name), colour, marker=_CLASS_MARKERS.get(name, "*"))


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return names in the order of those that are known, others after them by the alphabet."""
    found, order = set(names), list(known)
    return [name for name in order if name in found] + sorted(found - set(order))
