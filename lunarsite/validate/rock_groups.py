"""Which images are measured: those that no training saw, in groups that are never mixed.

- **held-out renders**: test scenes of the dataset with masks that leave out tiny rocks;
- **own renders**: lunarsite's scenes: all but those that chose parameters; the test scenes alone if the model learned
  from some of them, or, where its card lists no scenes, from any data of that title;
- **photographs**: test scenes with masks drawn by hand.

What chooses the parameters of the classical baseline (validation scenes) is never measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import ImagesReader
from lunarsite.artefact.model import Card
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockSplitSettings
from lunarsite.vision.rock.split import OWN_STAGE, TEST, VALIDATION, splits

HELD_OUT, OWN, PHOTOGRAPHS = GROUPS = ("held-out renders", "own renders", "photographs")
MOST_PLACED = 200
"""Images whose masks make the majority map, at most."""


@dataclass(frozen=True)
class Taken:
    """One image of a file."""

    reader: ImagesReader
    index: int
    name: str
    scene: str
    height: int
    width: int
    camera: tuple[float, float, float]
    """Height, pitch and field of view, NaN if unknown: metres, degrees, degrees."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3)."""
        return self._read("images")

    @property
    def truth(self) -> NDArray[np.uint8]:
        """The mask, (H, W)."""
        return self._read("masks")

    def _read(self, stack: str) -> NDArray[np.uint8]:
        block = self.reader.read(stack, slice(self.index, self.index + 1))
        return np.ascontiguousarray(block[0, : self.height, : self.width])


@dataclass(frozen=True)
class Group:
    """Images of one kind: what is measured, what chooses, and what tells where classes are frequent."""

    name: str
    measured: tuple[Taken, ...]
    choosing: tuple[Taken, ...]
    others: tuple[Taken, ...]


def gather(
    stack: ExitStack,
    paths: Sequence[Path],
    card: Card,
    model: Path,
    split: RockSplitSettings,
    most: int,
    seed: int,
) -> list[Group]:
    """Return the groups that have something to measure, in their order.

    Args:
        stack: Keeps the files open.
        paths: ROCK_SCENES.
        card: The model's, which says what it has seen.
        model: Its file, for messages.
        split: The run's split.
        most: Images of a group that are measured, at most; drawn by the seed.
        seed: Of that.

    Raises:
        ArtefactError: A file breaks its contract, the model was trained with another split, or nothing is left.
    """
    seen = seen_scenes(card, model, split)
    parts: dict[str, dict[str, list[Taken]]] = {name: {"measured": [], "choosing": [], "others": []} for name in GROUPS}
    for path in paths:
        reader = stack.enter_context(images.opened(path, ROCK_SCENES))
        own = reader.stamp.stage == OWN_STAGE
        known = list(_images(reader))
        part_of = splits(reader, split)
        kinds, mask_kinds = reader.read("kind"), reader.read("mask_kind")
        # Whoever learned from some of lunarsite's renders knows their look: then only test scenes count.
        learned = _taught_by(card, reader) if seen is None else bool(seen & {one.scene for one in known})
        for one in known:
            kind = _class(kinds[one.index], "kind")
            if kind == "render" and _class(mask_kinds[one.index], "mask_kind") != "clean":
                continue
            name = PHOTOGRAPHS if kind == "photograph" else OWN if own else HELD_OUT
            place = part_of[one.index]
            fresh = place != VALIDATION if own and kind == "render" and not learned else place == TEST
            if place == VALIDATION:
                parts[name]["choosing"].append(one)
            elif fresh and one.scene not in (seen or ()):
                parts[name]["measured"].append(one)
            parts[name]["others"].append(one)
    groups = [
        Group(
            name,
            _drawn(part["measured"], most, seed),
            _drawn(part["choosing"], most, seed),
            _drawn(part["others"], MOST_PLACED, seed),
        )
        for name, part in parts.items()
        if part["measured"]
    ]
    if not any(group.name != PHOTOGRAPHS for group in groups):
        raise ArtefactError(
            f"{', '.join(map(str, paths))}: no render is left that the model has not seen; give more scenes, or raise"
            " rock.split.test_share"
        )
    return groups


def seen_scenes(card: Card, model: Path, split: RockSplitSettings) -> set[str] | None:
    """Return the names of scenes that a model learned from or was tuned on; None if its card lists none.

    Raises:
        ArtefactError: It lists none, and was trained with another split than the run's: then nobody knows.
    """
    listed: JsonValue = card.training.get("seen")
    if isinstance(listed, list):
        return {str(name) for name in listed}
    theirs, ours = card.training.get("split"), split.model_dump(mode="json")
    if theirs != ours:
        raise ArtefactError(
            f"{model}: was trained with rock.split {theirs}, this run has {ours}, so what the run calls unseen the"
            " model may have seen; take the model's split, or train one with this run's (rock.model: train)"
        )
    return None


def _taught_by(card: Card, reader: ImagesReader) -> bool:
    """Return whether images of a file's kind taught a model whose card lists no scenes; so if it says nothing."""
    data = card.training.get("data")
    if not isinstance(data, list):
        return True
    return any(isinstance(one, dict) and one.get("title") == reader.credit.title for one in data)


def _images(reader: ImagesReader) -> Iterator[Taken]:
    names, scenes = reader.read("name"), reader.read("scene")
    heights, widths = reader.read("valid_height"), reader.read("valid_width")
    cameras = [reader.read(f"camera_{fact}") for fact in ("height_m", "pitch_deg", "field_of_view_deg")]
    for k in range(len(reader)):
        height_m, pitch_deg, field_deg = (float(values[k]) for values in cameras)
        camera = (height_m, pitch_deg, field_deg)
        yield Taken(reader, k, str(names[k]), str(scenes[k]), int(heights[k]), int(widths[k]), camera)


def _class(number: int, array: str) -> str:
    return dict(ROCK_SCENES.array(array).classes)[int(number)]


def _drawn(found: Sequence[Taken], most: int, seed: int) -> tuple[Taken, ...]:
    if len(found) <= most:
        return tuple(found)
    chosen = np.random.default_rng(seed).permutation(len(found))[:most]
    return tuple(found[k] for k in sorted(chosen))
