"""Ground of scenes as directions from the pole, and what a card tells of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.vision.enhance.ground import KEY, direction_deg, ground_of, json_of, seen_by, shared, within

from .made_scenes import CREDIT, TEST, TRAINING, VALIDATION, write_scenes


def test_directions_are_longitudes_at_the_south_pole() -> None:
    x, y = np.array([0.0, 1.0, 0.0, -1.0]), np.array([1.0, 0.0, -1.0, 0.0])
    assert direction_deg(x, y) == pytest.approx([0.0, 90.0, 180.0, 270.0])


def test_scenes_tell_their_ground_by_split(tmp_path: Path) -> None:
    path = tmp_path / "scenes.h5"
    write_scenes(path, [TRAINING] * 2 + [VALIDATION] * 2 + [TEST] * 2)
    found = ground_of(path)
    # Training tiles start at (40 000, 40 000) and (43 000, 40 000) and are 2 560 m wide.
    assert found["training"] == [(45, 51)]
    assert all(115 <= low < high <= 155 for low, high in found["validation"])
    assert all(180 <= low < high <= 360 for low, high in found["test"])
    assert not shared(found["training"], found["test"])
    assert shared(found["test"], found["test"])


def test_a_tile_beside_a_border_is_not_beyond_it(tmp_path: Path) -> None:
    write_scenes(tmp_path / "some.h5", [TEST])
    with images.opened(tmp_path / "some.h5", LIT_SCENES) as reader:
        arrays = {array.name: reader.read(array.name) for array in LIT_SCENES.arrays}
        stamp = reader.stamp
    arrays["x_min_m"], arrays["y_max_m"] = np.array([-64 * 40.0]), np.array([90_000.0])
    with images.creating(tmp_path / "rim.h5", LIT_SCENES, stamp, CREDIT, {"tile": 64}) as writer:
        writer.append(arrays)
    assert ground_of(tmp_path / "rim.h5")["test"] == [(358, 360)], "its right rim lies at direction 0"


def test_cards_tell_what_was_seen(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING, VALIDATION, TEST])
    told = json_of(tmp_path / "scenes.h5")
    seen = seen_by({KEY: told})
    assert seen is not None
    assert seen == [tuple(arc) for name in ("training", "validation") for arc in told[name]]  # type: ignore[arg-type, union-attr]
    assert within(seen, np.array([45.5, 200.0])).tolist() == [True, False]
    assert seen_by({}) is None
    assert seen_by({KEY: {"training": [[1, 2, 3]]}}) is None, "no card of ours: it tells nothing"
    assert seen_by({KEY: {"training": [[-5, 400]]}}) is None
