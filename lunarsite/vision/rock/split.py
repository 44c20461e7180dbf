"""Which scenes teach, which choose, which test.

Images of one scene show the same ground, so whole scenes are dealt out. Their order is that of a digest of seed and
name: it does not depend on the order of the file, and a scene more or less moves few others. Renders whose masks hold
every rock ('ground') only ever teach: in a score they would count tiny rocks that other masks leave out.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import ImagesReader
from lunarsite.settings.rock import RockSplitSettings

TRAINING, VALIDATION, TEST, UNUSED = 0, 1, 2, 255
OWN_STAGE = "rock-render"
"""The stage whose renders are lunarsite's own: files of it are told from the dataset's by their stamp."""
_PHOTOGRAPH = ROCK_SCENES.class_number("kind", "photograph")
_CLEAN = ROCK_SCENES.class_number("mask_kind", "clean")
_MANY_VIEWS = 0.25
"""A scene with a larger share of the photographs teaches before others do."""


def splits(reader: ImagesReader, settings: RockSplitSettings) -> NDArray[np.uint8]:
    """Return (n,): TRAINING, VALIDATION or TEST for each image of a file.

    Shares are of scenes, rounded, one at least where a share is asked for and scenes suffice. Renders lack test scenes
    first, then validation; photographs lack validation first, then training. UNUSED is for whoever leaves images out.
    """
    return dealt(reader.read("scene"), reader.read("kind"), reader.read("mask_kind"), settings)


def dealt(
    scenes: NDArray[np.object_], kinds: NDArray[np.uint8], mask_kinds: NDArray[np.uint8], settings: RockSplitSettings
) -> NDArray[np.uint8]:
    """Return the split of images by their scenes (n,), kinds (n,) and kinds of mask (n,); see `splits`."""
    photographs = kinds == _PHOTOGRAPH
    found = np.full(len(scenes), TRAINING, dtype=np.uint8)
    # A scene one of whose masks holds every rock teaches whole: its ground must not be on two sides.
    teaching = set(scenes[~photographs & (mask_kinds != _CLEAN)])
    renders = _ordered(set(scenes[~photographs]) - teaching, settings.seed)
    test, validation = _counts(len(renders), settings.test_share, settings.validation_share, teaching=bool(teaching))
    _mark(found, scenes, ~photographs, renders[:test], TEST)
    _mark(found, scenes, ~photographs, renders[test : test + validation], VALIDATION)

    real = _ordered(set(scenes[photographs]), settings.seed)
    # In a score by scenes many views of one place count little more than one of them, but they teach as many.
    real.sort(key=lambda scene: bool(np.sum(photographs & (scenes == scene)) <= _MANY_VIEWS * photographs.sum()))
    found[photographs] = TEST
    shares = settings.photograph_training_share, settings.photograph_validation_share
    taught = min(_rounded(shares[0], len(real)), max(len(real) - 1, 0))
    chosen = min(_rounded(shares[1], len(real)), max(len(real) - 1 - taught, 0))
    _mark(found, scenes, photographs, real[:taught], TRAINING)
    _mark(found, scenes, photographs, real[taught : taught + chosen], VALIDATION)
    return found


def _counts(scenes: int, test_share: float, validation_share: float, teaching: bool) -> tuple[int, int]:
    """Return the numbers of test and of validation scenes; one scene at least is left to teach."""
    free = scenes if teaching else max(scenes - 1, 0)
    validation = min(_rounded(validation_share, scenes), free)
    return min(_rounded(test_share, scenes), free - validation), validation


def _rounded(share: float, scenes: int) -> int:
    return max(1, round(share * scenes)) if share > 0.0 and scenes else 0


def _ordered(scenes: set[str], seed: int) -> list[str]:
    return sorted(scenes, key=lambda scene: hashlib.sha256(f"{seed} {scene}".encode()).digest())


def _mark(
    found: NDArray[np.uint8], scenes: NDArray[np.object_], among: NDArray[np.bool_], chosen: list[str], split: int
) -> None:
    found[among & np.isin(scenes.astype(str), chosen)] = split
