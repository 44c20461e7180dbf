"""What a pixel can be, in numbers: the one place of this room that spells out the classes of ROCK_SCENES.

Probabilities and confusions have the first COUNT of them as their axes, in this order.
"""

from __future__ import annotations

from typing import Final

from lunarsite.artefact.contracts import ROCK_CLASSES, ROCK_SCENES

BACKGROUND, SMALL, LARGE, SKY, UNKNOWN = (
    ROCK_SCENES.class_number("masks", name) for name in ("background", "small_rocks", "large_rocks", "sky", "unknown")
)
"""BACKGROUND is ground; UNKNOWN is beyond the image, transparent, or of no class in a mask."""
ROCKS: Final = (SMALL, LARGE)
CLASSES: Final = tuple(name for _, name in ROCK_CLASSES)
"""Names of what a pixel can be, by number: all but UNKNOWN."""
COUNT: Final = len(CLASSES)
if tuple(range(COUNT)) != (BACKGROUND, SMALL, LARGE, SKY):
    raise AssertionError("networks, probabilities and confusions have ground, small rocks, large rocks and sky as axes")
