"""What every method makes of images that no training saw, as counts that add up, one image in memory at a time.

This module must not know bounds and verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.rock import RockHazardSettings, RockReferenceSettings
from lunarsite.validate.rock_baselines import (
    Classical,
    by_frequency,
    choose,
    class_places,
    classical,
    frequencies,
    majority,
    true_frequencies,
)
from lunarsite.validate.rock_discs import disc_counts
from lunarsite.validate.rock_groups import Group, Taken
from lunarsite.validate.rock_predict import DELIVERED, Doubt, Predicted, Predictor
from lunarsite.validate.rock_risk import risk_counts
from lunarsite.validate.rock_scores import boundary
from lunarsite.vision.rock.ablation_scores import no_rocks
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import COUNT, UNKNOWN
from lunarsite.vision.rock.hazard import area_shares
from lunarsite.vision.rock.reliability import Calibration, calibration
from lunarsite.vision.rock.scores import confusion, mean_iou
from lunarsite.vision.rock.sizes import SeenGround, seen_ground, seen_px
from lunarsite.vision.rock.uncertainty import classes_of, confidence_of, mean_below_sky

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
Progress = Callable[[float, float, str], None]

MAJORITY, NO_ROCKS, CLASSICAL = BASELINES = ("majority", "no rocks", "classical")
ENTROPY, INFORMATION, CONFIDENCE = STATISTICS = ("entropy", "mutual information", "confidence")
BRIGHTNESS, CONTRAST, BLACK = RIVALS = ("brightness", "contrast", "black share")
_BLACK_GREY = 16.0
"""Below, a pixel counts as black: sky, or deep shadow."""
DISTANCE = "feature distance"
"""What the model's card judges images by."""
PICTURED = 3
"""Images of a kind of which pictures are kept."""


@dataclass(frozen=True)
class Facts:
    """What tells an image from others: means over its pixels, and what the model's card makes of it."""

    scene: str
    values: dict[str, float]
    """By statistic and rival; of statistics the mean over all pixels, which the error that they order is as well."""
    below_sky: dict[str, float]
    """Distance of the features, and entropy and mutual information, the mean below the sky: what tells unfamiliar
    images. They are 0 where no ground is seen: a stranger of which nothing tells is one that is missed."""
    unfamiliarity: float
    """NaN where no ground is seen."""
    flagged: bool | None
    """None where nothing tells."""


@dataclass(frozen=True)
class Area:
    """Share of the ground under rocks: true, given, surely and perhaps; NaN where no ground is known."""

    truth: float
    given: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """Counts of one image."""

    name: str
    facts: Facts
    confusion: dict[str, Floats]
    """(4, 4) by method, baselines and 'member 1' and so on."""
    boundary: dict[str, Floats]
    """(4, 4) by method and baseline; see `rock_scores.boundary`."""
    calibration: dict[str, Calibration]
    """By method and member, and of the null without rocks if there were images to tell its probabilities by."""
    risk: dict[str, Floats]
    """(bins, 2) by statistic."""
    area: Area
    grounds: tuple[SeenGround, SeenGround] | None
    """Level ground that the picture shows by the truth and by what is said; None where the camera is not known."""
    discs: Floats | None
    """Of `rock_discs.disc_counts`; None where the camera is not known."""


@dataclass(frozen=True)
class Picture:
    """A picture that is kept: see the contract ROCK_SAMPLES."""

    kind: str
    name: str
    image: Image
    truth: Image | None
    doubt: Doubt
    miou: float


@dataclass
class Measured:
    """What was measured of one group."""

    group: Group
    parameters: Classical
    chosen_score: float | None
    """Mean IoU of the classical baseline on what chose its parameters; None where nothing could."""
    frequency: Floats | None = None
    """How sure the null without rocks is, by `rock_baselines.true_frequencies` of the same images."""
    results: list[Result] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    familiar: list[dict[str, float]] = field(default_factory=list)
    """Rivals' values of the images that choose: what they call familiar."""

    @property
    def name(self) -> str:
        """The group's name."""
        return self.group.name

    @property
    def scenes(self) -> list[str]:
        """The scene of each image."""
        return [one.facts.scene for one in self.results]

    def confusions(self, method: str) -> Floats:
        """Return (images, 4, 4)."""
        return np.stack([one.confusion[method] for one in self.results])

    def boundaries(self, method: str) -> Floats:
        """Return (images, 4, 4)."""
        return np.stack([one.boundary[method] for one in self.results])

    def tops(self, method: str) -> Floats:
        """Return (images, bins, 3)."""
        return np.stack([one.calibration[method].top for one in self.results])

    def by_class(self, method: str) -> Floats:
        """Return (images, 4, bins, 3)."""
        return np.stack([one.calibration[method].by_class for one in self.results])

    def sums(self, method: str) -> Floats:
        """Return (images, 3)."""
        return np.stack([one.calibration[method].scores for one in self.results])

    def risks(self, statistic: str) -> Floats:
        """Return (images, bins, 2)."""
        return np.stack([one.risk[statistic] for one in self.results])

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of the network."""
        return tuple(name for name in self.results[0].calibration if name not in (*self.members, NO_ROCKS))

    @property
    def sure_nulls(self) -> tuple[str, ...]:
        """Nulls that have probabilities."""
        return tuple(name for name in self.results[0].calibration if name == NO_ROCKS)

    @property
    def members(self) -> tuple[str, ...]:
        """Members of the ensemble."""
        return tuple(name for name in self.results[0].calibration if name.startswith("member "))


def measure_group(
    group: Group,
    predictor: Predictor,
    settings: tuple[RockReferenceSettings, RockHazardSettings],
    progress: Progress,
) -> Measured:
    """Return what every method makes of a group's images.

    Args:
        group: The images.
        predictor: The model.
        settings: Tolerance, bins, and the seed that draws which pictures are kept; the room that a lander wants.
        progress: Told how far it is.
    """
    reference = settings[0]
    parameters, score = choose((one.image, one.truth) for one in group.choosing)
    frequency = true_frequencies((one.image, one.truth) for one in group.choosing)
    found = Measured(group, parameters, score, frequency)
    found.familiar = [grey_facts(one.image) for one in group.choosing]
    places = [class_places(one.truth) for one in group.others]
    kept = set(np.random.default_rng(reference.seed).permutation(len(group.measured))[:PICTURED].tolist())
    for k, one in enumerate(group.measured):
        image, truth = one.image, one.truth
        predicted = predictor.predict(image)
        own = [index for index, other in enumerate(group.others) if other.scene == one.scene]
        baselines = {
            MAJORITY: majority(frequencies(places, own), (one.height, one.width)),
            NO_ROCKS: no_rocks(image),
            CLASSICAL: classical(image, parameters),
        }
        result = _result(one, (image, truth), predicted, baselines, frequency, settings)
        found.results.append(result)
        if k in kept:
            miou = float(mean_iou(result.confusion[DELIVERED]))
            found.pictures.append(Picture(_kind(one), one.name, image, truth, predicted.doubt, miou))
        progress(k + 1, len(group.measured), group.name)
    return found


def image_facts(scene: str, image: Image, doubt: Doubt, confidence: float = float("nan")) -> Facts:
    """Return what tells an image from others."""
    values = {
        ENTROPY: float(doubt.entropy.mean(dtype=np.float64)),
        INFORMATION: float(doubt.mutual_information.mean(dtype=np.float64)),
        CONFIDENCE: confidence,
        **grey_facts(image),
    }
    below_sky = {
        DISTANCE: doubt.unfamiliarity,
        ENTROPY: mean_below_sky(doubt.entropy, doubt.classes),
        INFORMATION: mean_below_sky(doubt.mutual_information, doubt.classes),
    }
    below_sky = {name: float(np.nan_to_num(value)) for name, value in below_sky.items()}
    return Facts(scene, values, below_sky, doubt.unfamiliarity, doubt.flagged)


def grey_facts(image: Image) -> dict[str, float]:
    """Return mean and deviation of an image's grey levels, and its share of black: rivals without a network."""
    grey = image.mean(axis=-1)
    return {BRIGHTNESS: float(grey.mean()), CONTRAST: float(grey.std()), BLACK: float((grey < _BLACK_GREY).mean())}


def rock_area(truth: Image, predicted: Predicted) -> Area:
    """Return the share of the ground under rocks, in pixels, where the truth is known; true and given alike."""
    known = truth != UNKNOWN
    sure = np.eye(COUNT, dtype=np.float32)[np.where(known, truth, 0)]
    said = np.where(known, predicted.doubt.classes, np.uint8(UNKNOWN))
    probability = predicted.probability[DELIVERED].transpose(1, 2, 0)
    return Area(area_shares(truth, sure)[0], *area_shares(said, probability))


def camera_of(taken: Taken) -> Camera | None:
    """Return the camera of an image; None where it is not known."""
    return Camera.known(*taken.camera, taken.height, taken.width)


def _grounds(camera: Camera, truth: Image, said: Image) -> tuple[SeenGround, SeenGround]:
    true, told = (seen_ground(seen_px(one, camera), camera) for one in (truth, said))
    return true, told


def _result(
    taken: Taken,
    pair: tuple[Image, Image],
    predicted: Predicted,
    baselines: dict[str, Image],
    frequency: Floats | None,
    settings: tuple[RockReferenceSettings, RockHazardSettings],
) -> Result:
    (image, truth), (reference, hazard) = pair, settings
    camera = camera_of(taken)
    members = {f"member {k + 1}": one for k, one in enumerate(predicted.members)}
    named = {**predicted.probability, **members}
    classes = {name: classes_of(one) for name, one in named.items()}
    # What users get is decided once, in the segmenter's own way.
    classes[DELIVERED] = predicted.doubt.classes
    confidence = confidence_of(predicted.probability[DELIVERED], classes[DELIVERED])
    wrong = classes[DELIVERED] != truth
    doubts = {
        ENTROPY: predicted.doubt.entropy,
        INFORMATION: predicted.doubt.mutual_information,
        CONFIDENCE: np.asarray(1.0 - confidence, dtype=np.float32),
    }
    bounded = {**baselines, **{name: classes[name] for name in predicted.probability}}
    calibrations = {name: calibration(one, truth, reference.bins) for name, one in named.items()}
    if frequency is not None:
        said = baselines[NO_ROCKS]
        calibrations[NO_ROCKS] = calibration(by_frequency(said, frequency), truth, reference.bins, said)
    delivered = classes[DELIVERED], predicted.probability[DELIVERED]
    return Result(
        taken.name,
        image_facts(taken.scene, image, predicted.doubt, 1.0 - float(confidence.mean(dtype=np.float64))),
        {name: confusion(truth, one) for name, one in {**baselines, **classes}.items()},
        {name: boundary(truth, one, reference.boundary_px) for name, one in bounded.items()},
        calibrations,
        {name: risk_counts(one, wrong, truth) for name, one in doubts.items()},
        rock_area(truth, predicted),
        None if camera is None else _grounds(camera, truth, delivered[0]),
        None if camera is None else disc_counts(truth, *delivered, camera, hazard),
    )


def _kind(taken: Taken) -> str:
    return "photograph" if taken.reader.read("kind")[taken.index] == 1 else "render"


def rows_of(results: Sequence[Result], statistic: str) -> Floats:
    """Return a statistic of whole images, (images,)."""
    return np.array([one.facts.values[statistic] for one in results])
