"""The one way to run a model of rocks: from an image to its maps, and whether they mean anything.

An image is reduced to the length that the network knows, seen in several views (mirrored, scaled) whose probabilities
are averaged, by one member, by every member of the ensemble, or by passes of Monte Carlo dropout of the first member:
each pass drops channels of the decoder by a seed of its own, the same ones in every view, while batch normalisation
keeps its statistics. The pool of them is calibrated with the method's temperature of the model's card.

How unfamiliar an image is, the mean distance of its features tells (`familiarity`), seen as it is whatever the views;
beyond the card's limit its maps mean nothing. Limit and temperature belong to the method. An image in which no ground
is seen, a black one say, is neither familiar nor unfamiliar: nothing tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import SmpUnet
from lunarsite.vision.rock.classes import UNKNOWN
from lunarsite.vision.rock.familiarity import distance, mean_features
from lunarsite.vision.rock.folding import folded
from lunarsite.vision.rock.network import RockSpec, headed, load_model, spec_of
from lunarsite.vision.rock.uncertainty import (
    Floats,
    Pool,
    beyond,
    classes_of,
    entropy,
    logarithm,
    tempered,
    unfamiliarity_of,
)
from lunarsite.vision.rock.views import (
    AS_IT_IS,
    View,
    brought_back,
    enlarged,
    enlarged_strips,
    filled,
    looked_at,
    normalised,
    reduced,
    views_of,
)

MOST_PX = 1 << 24
"""Pixels of an image whose maps are returned whole; of larger ones they are read strip by strip."""
_MOST_PASSES = 1_000
_SPOILED = "the network's result is not finite; its weights are spoiled"


@dataclass(frozen=True)
class Segmented:
    """What an image shows, pixel by pixel; NaN and UNKNOWN where the image is not known."""

    probability: Floats
    """(H, W, 4), calibrated."""
    raw_probability: Floats
    """(H, W, 4), the mean as it is."""
    classes: NDArray[np.uint8]
    """(H, W); see `uncertainty.classes_of`."""
    entropy: Floats
    """(H, W), of the calibrated probability, nats."""
    mutual_information: Floats
    """(H, W), what members or passes disagree about, nats; 0 for a single member."""
    unfamiliarity: float
    """Mean distance of the image's features; NaN where no known pixel is ground or rock."""
    out_of_distribution: bool | None
    """Whether it exceeds the limit: then the maps mean nothing. None where nothing tells."""

    def strips(
        self, height: int, width: int, rows: int, known: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[slice, Segmented]]:
        """Yield the maps at another size from the top: (rows, theirs). `known` is (height, width).

        Probabilities and mutual information are interpolated; classes and entropy are those of the probabilities.
        """
        channels = (self.probability, self.raw_probability, self.mutual_information[:, :, None])
        stacked = np.concatenate(channels, axis=2).transpose(2, 0, 1)
        for part, strip in enlarged_strips(stacked, height, width, rows):
            yield part, _segmented(strip, self, None if known is None else known[part])


@dataclass(frozen=True)
class Said:
    """What members, or passes, say of an image."""

    logits: Floats
    """(M, 4, H, W), at the image's size: logarithms of the mean probability of each one's views."""
    distance: float
    """The mean distance of the image's features; see `unfamiliarity_of`."""


@dataclass(frozen=True)
class Segmenter:
    """A model, ready to run on the CPU."""

    members: Sequence[nn.Module]
    spec: RockSpec

    def said(self, image: NDArray[np.uint8], settings: RockInferenceSettings) -> Said:
        """Return what each member, or each pass, says of an image.

        Args:
            image: (H, W, 3).
            settings: Method, views, passes.

        Raises:
            LearningError: It is no image, or has more than MOST_PX pixels.
        """
        _check_size(image)
        logits, distances = [], []
        for answer in self._answers(reduced(image, settings.longest_side_px), settings):
            logits.append(logarithm(enlarged(answer.probability, *image.shape[:2])))
            distances.append(answer.distance)
        return Said(np.stack(logits), float(np.mean(distances)))

    def segment(
        self, image: NDArray[np.uint8], settings: RockInferenceSettings, known: NDArray[np.bool_] | None = None
    ) -> Segmented:
        """Return the maps of an image at its size.

        Args:
            image: (H, W, 3).
            settings: Method, views, passes.
            known: (H, W), where the image shows anything; None: everywhere.

        Raises:
            LearningError: It is no image, has more than MOST_PX pixels, or the weights are spoiled.
        """
        _check_size(image)
        height, width = image.shape[:2]
        found = self.segment_reduced(image, settings, known)
        if found.classes.shape == (height, width):
            return found if known is None else masked(found, known)
        return next(found.strips(height, width, height, known))[1]

    def segment_reduced(
        self, image: NDArray[np.uint8], settings: RockInferenceSettings, known: NDArray[np.bool_] | None = None
    ) -> Segmented:
        """Return the maps of an image, reduced to the longest side, as if all of it were known; see `segment`.

        `strips` brings them back, in the memory of one strip. The network sees unknown pixels as `filled` has them.
        """
        small = reduced(image if known is None else filled(image, known), settings.longest_side_px)
        known = None if known is None else thinned(known, small.shape[:2])
        pool, distances = Pool(), []
        for answer in self._answers(small, settings):
            pool.add(answer.probability)
            distances.append(answer.distance)
        raw, disagreement = pool.mean, pool.mutual_information
        calibrated = tempered(raw, self.spec.temperature[settings.method])
        unfamiliarity = unfamiliarity_of(float(np.mean(distances)), classes_of(calibrated), known)
        return Segmented(
            calibrated.transpose(1, 2, 0),
            raw.transpose(1, 2, 0),
            classes_of(calibrated),
            entropy(calibrated),
            disagreement,
            unfamiliarity,
            beyond(unfamiliarity, self.spec.unfamiliarity[settings.method].limit),
        )

    def _asked(self, settings: RockInferenceSettings) -> Sequence[nn.Module]:
        return self.members if settings.method == "ensemble" else self.members[:1]

    def _answers(self, image: NDArray[np.uint8], settings: RockInferenceSettings) -> Iterator[_Answer]:
        """Yield what each member or pass says of an image at the size that the network knows."""
        given, views = normalised(image), views_of(settings)
        dropping = settings.method == "dropout"
        for member in self._asked(settings):
            # The encoder drops nothing, and runs once for all passes; without passes a view is done with at once.
            seen = _seen_by(member, given, len(views) + 1 if dropping else 1)
            with torch.inference_mode():
                far = float(distance(member, seen(AS_IT_IS)))
                for view in views if dropping else ():
                    seen(view)
            for number in range(settings.passes if dropping else 1):
                found = torch.zeros((self.spec.network.outputs, *given.shape[2:]))
                with torch.inference_mode(), _dropping(member, settings):
                    for view in views:
                        levels = seen(view)
                        if dropping:
                            torch.manual_seed(settings.seed * _MOST_PASSES + number)
                        logits = headed(member, _body(member).decoder(levels), upside_down=view.upside_down)
                        found += brought_back(logits.softmax(dim=1), given, view)[0] / len(views)
                if not (bool(torch.isfinite(found).all()) and math.isfinite(far)):
                    raise LearningError(_SPOILED)
                yield _Answer(found.numpy(), far)


@dataclass(frozen=True)
class _Answer:
    """Of one member or pass."""

    probability: Floats
    """(4, h, w), the mean of its views."""
    distance: float
    """Of the image's features."""


def features_of(member: nn.Module, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean features (features,) that a member sees in an image (H, W, 3), already reduced."""
    member.eval()
    with torch.inference_mode():
        return mean_features(_body(member).encoder(looked_at(normalised(image), AS_IT_IS)))


def load_segmenter(path: Path) -> Segmenter:
    """Return the segmenter of a model file, its members folded for inference.

    Raises:
        ArtefactError: The file breaks its contract.
    """
    members, card = load_model(path)
    try:
        return Segmenter(tuple(map(folded, members)), spec_of(card))
    except LearningError as error:
        raise ArtefactError(f"{path}: {error}") from error


def _body(member: nn.Module) -> Any:
    """Return the parts of a member: encoder, decoder, segmentation_head."""
    return cast(SmpUnet, member).unet


def _seen_by(member: nn.Module, given: Tensor, keep: int) -> Callable[[View], list[Tensor]]:
    """Return what tells the encoder's levels of a view of an image (1, 3, h, w), and keeps those of the last `keep`."""

    @lru_cache(maxsize=keep)
    def levels(view: View) -> list[Tensor]:
        found: list[Tensor] = _body(member).encoder(looked_at(given, view))
        return found

    return levels


@contextmanager
def _dropping(network: nn.Module, settings: RockInferenceSettings) -> Iterator[None]:
    """Let dropout drop, if the method is that, and nothing else change; the caller's random numbers stay their own."""
    if settings.method != "dropout":
        yield
        return
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Dropout | nn.Dropout2d)]
    if not any(layer.p > 0.0 for layer in layers):
        raise LearningError("the network has no dropout; choose the method 'ensemble' or 'single'")
    with torch.random.fork_rng(devices=[]):
        for layer in layers:
            layer.train()
        try:
            yield
        finally:
            for layer in layers:
                layer.eval()


def _segmented(strip: Floats, told: Segmented, known: NDArray[np.bool_] | None) -> Segmented:
    """Return the maps of stacked channels (9, rows, W): 4 calibrated, 4 raw, mutual information."""
    calibrated, raw, disagreement = strip[:4], strip[4:8], strip[8]
    found = replace(
        told,
        probability=calibrated.transpose(1, 2, 0),
        raw_probability=raw.transpose(1, 2, 0),
        classes=classes_of(calibrated),
        entropy=entropy(calibrated),
        mutual_information=disagreement,
    )
    return found if known is None else masked(found, known)


def thinned(known: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask at the size (h, w) of an image that was reduced: each pixel is the middle one it stands for."""
    at = [(2 * np.arange(few) + 1) * many // (2 * few) for few, many in zip(shape, known.shape, strict=True)]
    return known[np.ix_(*at)]


def masked(told: Segmented, known: NDArray[np.bool_]) -> Segmented:
    """Return the maps with nothing said of unknown pixels."""
    nothing = np.float32(np.nan)
    return replace(
        told,
        probability=np.where(known[:, :, None], told.probability, nothing),
        raw_probability=np.where(known[:, :, None], told.raw_probability, nothing),
        classes=np.where(known, told.classes, np.uint8(UNKNOWN)),
        entropy=np.where(known, told.entropy, nothing),
        mutual_information=np.where(known, told.mutual_information, nothing),
    )


def _check_size(image: NDArray[np.uint8]) -> None:
    if image.ndim == 3 and image.shape[0] * image.shape[1] > MOST_PX:
        raise LearningError(
            f"an image of {image.shape[0]} x {image.shape[1]} pixels, whose maps are too large to be returned whole;"
            " use segment_reduced and its strips"
        )
