"""Made-up scenes of rocks, and a predictor whose mistakes are known, for tests of the validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.validate.rock_predict import DELIVERED, METHODS, Doubt, Predicted
from lunarsite.vision.rock.network import Method
from lunarsite.vision.rock.uncertainty import entropy
from tests.unit.artefact.conftest import make_stamp

HEIGHT, WIDTH = 48, 64
GREYS = (100.0, 170.0, 220.0, 2.0)
"""Grey level of each class, so that an image tells its truth."""
CAMERA = (1.6, 12.0, 60.0)


def truth_of(number: int) -> NDArray[np.uint8]:
    """Sky above, ground below, rocks at places that depend on the scene."""
    rng = np.random.default_rng(number)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[: 12 + number % 5] = 3
    for kind, side in ((1, 5), (1, 5), (2, 12)):
        row, col = rng.integers(24, HEIGHT - side), rng.integers(1, WIDTH - side)
        truth[row : row + side, col : col + side] = kind
    return truth


def image_of(truth: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """An image whose grey levels are those of the classes, with a little noise."""
    grey = np.array(GREYS)[truth] + np.random.default_rng(seed).normal(0.0, 2.0, truth.shape)
    return np.repeat(grey.round().clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def write_rocks(
    path: Path,
    renders: int,
    photographs: int = 0,
    *,
    stage: str = "images-rocks",
    prefix: str = "render",
    grounds: int = 0,
) -> None:
    """Write renders, renders whose masks hold every rock, and photographs of one scene each; the last is smaller."""
    stamp = make_stamp(ROCK_SCENES.name).model_copy(update={"stage": stage})
    credit = Credit(title=f"Scenes of {prefix}", licence="none stated", citation=f"of {prefix}")
    with images.creating(path, ROCK_SCENES, stamp, credit, {"height": HEIGHT, "width": WIDTH}) as writer:
        kinds = ["clean"] * renders + ["ground"] * grounds + ["drawn"] * photographs
        for number, mask_kind in enumerate(kinds):
            truth = truth_of(number)
            image = image_of(truth, number)
            height, width = (HEIGHT, WIDTH) if number else (HEIGHT - 6, WIDTH - 8)
            image[height:], image[:, width:], truth[height:], truth[:, width:] = 0, 0, 255, 255
            name = f"{'PCAM' if mask_kind == 'drawn' else prefix}{number}"
            writer.append(
                {
                    "images": image[None],
                    "masks": truth[None],
                    "name": np.array([name], dtype=object),
                    "scene": np.array([name], dtype=object),
                    "kind": np.array([int(mask_kind == "drawn")], np.uint8),
                    "mask_kind": np.array([ROCK_SCENES.class_number("mask_kind", mask_kind)], np.uint8),
                    "valid_height": np.array([height], np.int64),
                    "valid_width": np.array([width], np.int64),
                    "unknown_share": np.zeros(1),
                    **{
                        f"camera_{fact}": np.array([value if stage == "rock-render" else np.nan])
                        for fact, value in zip(("height_m", "pitch_deg", "field_of_view_deg"), CAMERA, strict=True)
                    },
                }
            )


def reads_greys(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the class of the nearest grey level, (H, W)."""
    nearest = np.abs(image[..., :1].astype(float) - np.array(GREYS)).argmin(axis=-1)
    return np.asarray(nearest, dtype=np.uint8)


@dataclass(frozen=True)
class KnowsGreys:
    """Says what the grey levels say, with a confidence by method; what is not one of the greys makes it doubtful."""

    confidence: tuple[float, ...] = (0.8, 0.95, 0.9, 0.98, 0.85)
    limit: tuple[str, float] = ("feature distance", 0.1)
    method: Method = "ensemble"

    @property
    def temperatures(self) -> dict[str, float]:
        """Made up."""
        return dict.fromkeys(METHODS, 1.5)

    def predict(self, image: NDArray[np.uint8]) -> Predicted:
        """Return the classes of the greys by every method; the second member sees no small rocks."""
        classes = reads_greys(image)
        blind = np.where(classes == 1, np.uint8(0), classes)
        probability = {name: sure(classes, one) for name, one in zip(METHODS, self.confidence, strict=True)}
        return Predicted(probability, (sure(classes, 0.8), sure(blind, 0.8)), self.doubt(image))

    def doubt(self, image: NDArray[np.uint8]) -> Doubt:
        """Return the distance from the nearest grey as mutual information, and as that of features."""
        classes = reads_greys(image)
        far = np.abs(image[..., 0].astype(float) - np.array(GREYS)[classes]) / 128.0
        unfamiliarity = float(far.mean())
        told = sure(classes, self.confidence[METHODS.index(DELIVERED)])
        return Doubt(entropy(told), far.astype(np.float32), classes, unfamiliarity, unfamiliarity > self.limit[1])


@dataclass(frozen=True)
class Overlooks(KnowsGreys):
    """Calls every rock ground; of small ones it is doubtful, by every measure of doubt."""

    def predict(self, image: NDArray[np.uint8]) -> Predicted:
        """Return sky and ground."""
        doubt, small = self.doubt(image), reads_greys(image) == 1
        found = {name: sure(doubt.classes, one) for name, one in zip(METHODS, self.confidence, strict=True)}
        for probability in found.values():
            probability[:, small] = np.array([0.6, 0.2, 0.1, 0.1], np.float32)[:, None]
        return Predicted(found, (found[METHODS[0]], found[METHODS[0]]), doubt)

    def doubt(self, image: NDArray[np.uint8]) -> Doubt:
        """Return much of it on small rocks, little elsewhere."""
        read = reads_greys(image)
        doubt = np.where(read == 1, np.float32(0.9), np.float32(0.1))
        return replace(
            super().doubt(image),
            entropy=doubt,
            mutual_information=doubt,
            classes=np.where(read == 3, read, np.uint8(0)),
        )


def sure(classes: NDArray[np.uint8], confidence: float) -> NDArray[np.float32]:
    """Return probabilities (4, H, W) of classes with one confidence."""
    found = np.full((4, *classes.shape), (1.0 - confidence) / 3.0, np.float32)
    np.put_along_axis(found, classes[None].astype(np.int64), np.float32(confidence), axis=0)
    return found
