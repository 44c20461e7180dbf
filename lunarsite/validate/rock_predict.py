"""What a model says of an image, by every method side by side, as its users get it.

The image is reduced as in every use; the members run once, and serve as single network, ensemble and both calibrated.
Probabilities are brought back to the image's size, where the truth is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.rock.network import Method
from lunarsite.vision.rock.segmenter import Said, Segmenter
from lunarsite.vision.rock.uncertainty import (
    beyond,
    classes_of,
    entropy,
    mutual_information,
    pooled,
    softmax,
    tempered,
    unfamiliarity_of,
)
from lunarsite.vision.rock.views import enlarged, reduced

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

SINGLE, SINGLE_SCALED, ENSEMBLE, DELIVERED, DROPOUT = METHODS = (
    *("single", "single scaled", "ensemble", "ensemble scaled"),
    "dropout",
)
"""The first member; it with its temperature; the members' mean probability; that with its temperature, which is what
users get unless a run is set otherwise; the mean of Monte Carlo dropout's passes of the first member."""
GIVEN: Final[dict[Method, str]] = {"ensemble": DELIVERED, "single": SINGLE_SCALED, "dropout": DROPOUT}
"""What is measured here of what users get, by the method that a run delivers by."""


def delivered_words(method: Method) -> str:
    """Return what users of a run get that delivers by a method."""
    return f"'{GIVEN[method]}'" + (" with a temperature of its own" if method == "dropout" else "")


@dataclass(frozen=True)
class Doubt:
    """How doubtful an image is."""

    entropy: Floats
    """(H, W), of the calibrated mean probability, nats."""
    mutual_information: Floats
    """(H, W), nats."""
    classes: NDArray[np.uint8]
    """(H, W)."""
    unfamiliarity: float
    """NaN where no ground is seen."""
    flagged: bool | None
    """Whether the image is out of distribution by the card's limit; None where nothing tells."""


@dataclass(frozen=True)
class Predicted:
    """What is said of an image, each probability (4, H, W)."""

    probability: dict[str, Floats]
    """By method."""
    members: tuple[Floats, ...]
    doubt: Doubt


class Predictor(Protocol):
    """A model, as this room asks it."""

    @property
    def method(self) -> Method:
        """By which method the run delivers; all are measured."""

    @property
    def temperatures(self) -> dict[str, float]:
        """The temperature of each method; 1 of those that are not calibrated."""

    @property
    def limit(self) -> tuple[str, float]:
        """The ensemble's statistic of unfamiliarity, in words, and its limit."""

    def predict(self, image: Image) -> Predicted:
        """Return all that is said of an image (H, W, 3)."""

    def doubt(self, image: Image) -> Doubt:
        """Return how doubtful an image (H, W, 3) is."""


@dataclass(frozen=True)
class SegmenterPredictor:
    """A segmenter with the run's views."""

    segmenter: Segmenter
    settings: RockInferenceSettings

    @property
    def method(self) -> Method:
        """By which method the run delivers; all are measured."""
        return self.settings.method

    @property
    def temperatures(self) -> dict[str, float]:
        """The temperature of each method."""
        known = self.segmenter.spec.temperature
        return {
            **dict.fromkeys((SINGLE, ENSEMBLE, DROPOUT), 1.0),
            SINGLE_SCALED: known["single"],
            DELIVERED: known["ensemble"],
        }

    @property
    def limit(self) -> tuple[str, float]:
        """The ensemble's statistic and limit."""
        told = self.segmenter.spec.unfamiliarity["ensemble"]
        return told.statistic.replace("_", " "), told.limit

    def predict(self, image: Image) -> Predicted:
        """Return all that is said of an image (H, W, 3)."""
        small = reduced(image, self.settings.longest_side_px)
        said = self.segmenter.said(small, self._by("ensemble"))
        logits = said.logits
        temperature = self.temperatures
        members = [softmax(one) for one in logits]
        mean = pooled(logits)
        found = {
            SINGLE: members[0],
            SINGLE_SCALED: tempered(members[0], temperature[SINGLE_SCALED]),
            ENSEMBLE: mean,
            DELIVERED: tempered(mean, temperature[DELIVERED]),
        }
        if self.segmenter.spec.network.dropout > 0.0:
            found[DROPOUT] = pooled(self.segmenter.said(small, self._by("dropout")).logits)
        size = image.shape[:2]
        doubt = self._doubt(said, found[DELIVERED], size)
        return Predicted(
            {name: enlarged(one, *size) for name, one in found.items()},
            tuple(enlarged(one, *size) for one in members),
            doubt,
        )

    def doubt(self, image: Image) -> Doubt:
        """Return how doubtful an image (H, W, 3) is."""
        small = reduced(image, self.settings.longest_side_px)
        said = self.segmenter.said(small, self._by("ensemble"))
        return self._doubt(said, tempered(pooled(said.logits), self.temperatures[DELIVERED]), image.shape[:2])

    def _doubt(self, said: Said, calibrated: Floats, size: tuple[int, ...]) -> Doubt:
        unfamiliarity = unfamiliarity_of(said.distance, classes_of(calibrated))
        large = enlarged(np.concatenate([calibrated, mutual_information(said.logits)[None]]), size[0], size[1])
        classes = classes_of(large[:4])
        flagged = beyond(unfamiliarity, self.limit[1])
        return Doubt(entropy(large[:4]), large[4], classes, unfamiliarity, flagged)

    def _by(self, method: Method) -> RockInferenceSettings:
        return self.settings.model_copy(update={"method": method})
