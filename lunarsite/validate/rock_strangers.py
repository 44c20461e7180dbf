"""Images of kinds that the model should not know: altered renders and images from orbit, asked how doubtful they are.

Pictures alone are read, never masks or labels: a system that tells masks from photographs has shown nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import LIT_SCENES, PSR_IMAGES
from lunarsite.artefact.images import ImagesReader
from lunarsite.validate.rock_corruptions import CORRUPTIONS, Image, stretched
from lunarsite.validate.rock_predict import Predictor
from lunarsite.validate.rock_results import Facts, Measured, Picture, Progress, image_facts

ORBITAL, SHADOWED, RENDERED = "orbital images", "shadowed orbital images", "rendered orbital images"
MOST_ALTERED = 10
"""Renders that are altered, each in every way."""
MOST_ORBITAL = 16
"""Images of each kind from orbit."""
LEAST_VALID = 0.9
"""Share of a tile that must have data."""


@dataclass
class Strangers:
    """What was measured of images that should be unfamiliar, by kind, and a few pictures."""

    facts: dict[str, list[Facts]] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)

    def ask(self, kind: str, sort: str, name: str, scene: str, image: Image, predictor: Predictor) -> None:
        """Ask the model about an image; the first of each kind is kept as a picture of its sort."""
        doubt = predictor.doubt(image)
        known = self.facts.setdefault(kind, [])
        if not known:
            self.pictures.append(Picture(sort, f"{kind}: {name}", image, None, doubt, float("nan")))
        known.append(image_facts(scene, image, doubt))


def measure_strangers(
    familiar: Measured, predictor: Predictor, files: tuple[Path | None, Path | None], seed: int, progress: Progress
) -> Strangers:
    """Return how doubtful altered and orbital images are.

    Args:
        familiar: The renders that are altered.
        predictor: The model.
        files: LIT_SCENES and PSR_IMAGES, if given.
        seed: Of the choice and of the alterations.
        progress: Told how far it is.
    """
    found = Strangers()
    rng = np.random.default_rng([seed, 5])
    group = familiar.group.measured
    for done, k in enumerate(sorted(rng.permutation(len(group))[:MOST_ALTERED])):
        one = group[k]
        image = one.image
        for number, (kind, alter) in enumerate(CORRUPTIONS.items()):
            altered = alter(image, np.random.default_rng([seed, 6, int(k), number]))
            found.ask(kind, "corrupted", one.name, one.scene, altered, predictor)
        progress(done + 1, min(len(group), MOST_ALTERED), "altered renders")
    lit, orbital = files
    if lit is not None:
        with images.opened(lit, LIT_SCENES) as reader:
            grounds = [str(name) for name in reader.read("ground")]
            # On scenes for training it was chosen what tells images apart.
            fresh = reader.read("split") != LIT_SCENES.class_number("split", "training")
            _ask_all(found, RENDERED, reader, "sunlit", (np.flatnonzero(fresh), grounds), predictor, seed)
    if orbital is not None:
        with images.opened(orbital, PSR_IMAGES) as reader:
            scenes = [str(name) for name in reader.read("scene")]
            whole = reader.read("valid_share") >= LEAST_VALID
            for kind, domain in ((ORBITAL, "sunlit"), (SHADOWED, "shadowed")):
                at = np.flatnonzero(whole & (reader.read("domain") == PSR_IMAGES.class_number("domain", domain)))
                _ask_all(found, kind, reader, "images", (at, scenes), predictor, seed)
    return found


def _ask_all(
    found: Strangers,
    kind: str,
    reader: ImagesReader,
    stack: str,
    which: tuple[NDArray[Any], list[str]],
    predictor: Predictor,
    seed: int,
) -> None:
    """Ask about some images of a stack, drawn by the seed; those without any range of brightness are passed over."""
    at, scenes = which
    names = reader.read("name")
    for k in np.random.default_rng([seed, 7]).permutation(at)[:MOST_ORBITAL]:
        image = stretched(reader.read(stack, slice(int(k), int(k) + 1))[0])
        if image is not None:
            found.ask(kind, "orbital", str(names[k]), scenes[k], image, predictor)
