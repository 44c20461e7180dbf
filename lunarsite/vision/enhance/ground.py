"""Which ground scenes lie on, as directions from the pole: a model's card tells it, so that others can keep off it.

Directions are those of the map, clockwise from its +y, in whole degrees: at the south pole they are longitudes. An arc
runs from its first to its second number, which may be 360. What overlaps is told too often rather than too seldom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES, SPLITS

Arcs = list[tuple[int, int]]
KEY = "ground_deg"
"""Where a card's `training` tells the arcs by split."""
_PROBES = 17
_Degree = Annotated[int, Field(ge=0, le=360)]
_ARCS = TypeAdapter(list[tuple[_Degree, _Degree]])


def ground_of(scenes: Path) -> dict[str, Arcs]:
    """Return the arcs that the scenes of each split lie on; a split without scenes has none."""
    with images.opened(scenes, LIT_SCENES) as reader:
        split, x_m, y_m, pixel_m = (reader.read(name) for name in ("split", "x_min_m", "y_max_m", "pixel_m"))
        side_px = reader.sides("scattered")[0]
    found = {}
    for number, name in SPLITS:
        seen = np.zeros(360, dtype=np.bool_)
        tiles = {(x, y, pixel) for x, y, pixel, own in zip(x_m, y_m, pixel_m, split, strict=True) if own == number}
        for left, top, pixel in tiles:
            # Middles of pixels: a tile's rim may be a sector's border.
            steps = pixel * np.linspace(0.5, side_px - 0.5, _PROBES)
            x, y = np.meshgrid(left + steps, top - steps)
            seen |= _marked(direction_deg(x, y))
        found[name] = _arcs(seen)
    return found


def json_of(scenes: Path) -> dict[str, JsonValue]:
    """Return `ground_of` as a card holds it."""
    return {name: [list(arc) for arc in arcs] for name, arcs in ground_of(scenes).items()}


def direction_deg(x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the direction of map points from the pole, clockwise from +y, 0 to 360."""
    return np.asarray(np.degrees(np.arctan2(x_m, y_m)) % 360.0)


def seen_by(training: Mapping[str, JsonValue]) -> Arcs | None:
    """Return the arcs that a model was trained and chosen on, from its card's `training`; None if it tells none."""
    told = training.get(KEY)
    if not isinstance(told, dict):
        return None
    try:
        return [arc for name in ("training", "validation") for arc in _ARCS.validate_python(told.get(name, []))]
    except ValidationError:
        return None


def within(arcs: Iterable[tuple[int, int]], directions_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which directions lie on arcs."""
    return np.asarray(_table(arcs)[np.floor(directions_deg).astype(np.int64) % 360])


def shared(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> bool:
    """Whether two lists of arcs have a degree in common."""
    return bool((_table(one) & _table(other)).any())


def _table(arcs: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    found = np.zeros(360, dtype=np.bool_)
    for low, high in arcs:
        found[low:high] = True
    return found


def _marked(directions_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the degrees that directions fall into."""
    found = np.zeros(360, dtype=np.bool_)
    found[np.floor(directions_deg).astype(np.int64) % 360] = True
    return found


def _arcs(seen: NDArray[np.bool_]) -> Arcs:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8)))
    return [(int(low), int(high)) for low, high in edges.reshape(-1, 2)]
