"""What makes members' probabilities and their doubt true: what is familiar, temperatures, and limits.

What images look like that a member knows is fitted to those that taught it, as they are without changes, and to others
that it will be used on. The rest comes from whole validation images, with the views that inference uses: the
temperature of each method is that of the least negative log-likelihood of its pooled probability, and an image is out
of distribution where its features are farther off than are those of 95 % of every kind of familiar image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import nn

from lunarsite.settings.rock import RockInferenceSettings, RockReferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import NetworkSpec
from lunarsite.vision.rock import scores
from lunarsite.vision.rock.classes import CLASSES, UNKNOWN
from lunarsite.vision.rock.data import Place, Whole
from lunarsite.vision.rock.familiarity import MOST_IMAGES, fit
from lunarsite.vision.rock.network import METHODS, Method, RockSpec, Unfamiliarity, head_of
from lunarsite.vision.rock.reliability import calibration, ece
from lunarsite.vision.rock.segmenter import Segmenter, features_of
from lunarsite.vision.rock.uncertainty import classes_of, pool_of, tempered, unfamiliarity_of

if TYPE_CHECKING:
    from lunarsite.stage import Job

Floats = NDArray[np.float32]

LEAST_ROCK_IOU = 0.1
"""Of rocks of either size on validation images: below, nothing but sky and ground was learned, and the log warns."""
FAMILIAR_SHARE = 0.95
"""Of the validation images that are within the limit of unfamiliarity."""
_PIXELS_PER_IMAGE = 4_000
"""Of each validation image that temperatures are fitted on: neighbours say nearly the same."""
_TEMPERATURES = (0.2, 5.0)
_BINS = RockReferenceSettings().bins
"""Of the expected calibration error: as many as validation has where its settings say nothing else."""


def calibrated(
    job: Job,
    networks: Sequence[nn.Module],
    spec: NetworkSpec,
    held: Whole,
    inference: RockInferenceSettings,
    familiar: Whole,
) -> tuple[RockSpec, dict[str, float]]:
    """Return members' spec with temperatures and limits, and what they were on validation images, with the IoU there.

    Renders and photographs are fitted together: one temperature, dominated by the renders, of which there are more.
    What it is worth is told of each kind by itself, and so is the limit that each would set alone.

    Args:
        job: Whose log tells of it.
        networks: The members, whose familiarity is fitted; see `fit_familiarity`.
        spec: What rebuilds one.
        held: Validation images.
        inference: Views and passes; every method is fitted, whichever is set.
        familiar: Validation images that set limits alone; there may be none.

    Raises:
        LearningError: No ground is seen on any validation image, so that no limit can be set.
    """
    start_with = RockSpec(
        network=spec, head=head_of(networks[0]), members=len(networks), temperature={}, unfamiliarity={}
    )
    segmenter = Segmenter([network.eval() for network in networks], start_with)
    methods = METHODS if spec.dropout > 0.0 else tuple(method for method in METHODS if method != "dropout")
    temperature: dict[Method, float] = {}
    limits: dict[Method, Unfamiliarity] = {}
    measured: dict[str, float] = {}
    for method in methods:
        pools = _pools(segmenter, held, inference.model_copy(update={"method": method}))
        probability = np.concatenate([pool.probability for pool in pools], axis=1)
        target = np.concatenate([pool.target for pool in pools])
        temperature[method] = fitted_temperature(probability, target)
        told = {
            kind: [pools[k].unfamiliarity for k in np.flatnonzero(which)] for kind, which in _kinds(held.places).items()
        }
        by_kind = familiar_limits(told)
        if not by_kind:
            raise LearningError(
                f"method '{method}': members call every pixel of all {len(pools)} validation images sky, so that"
                " nothing tells what is familiar; train longer (rock.learning.training.epochs) or with another seed"
                " (rock.learning.training.seed), and look whether the masks hold ground"
            )
        shown = _pools(segmenter, familiar, inference.model_copy(update={"method": method}))
        by_kind |= familiar_limits({"own_renders": [pool.unfamiliarity for pool in shown]})
        limits[method] = Unfamiliarity(statistic="feature_distance", limit=max(by_kind.values()))
        measured |= {
            f"temperature_{method}": temperature[method],
            f"nll_{method}": likelihood(probability, target, 1.0),
            f"nll_tempered_{method}": likelihood(probability, target, temperature[method]),
            f"limit_{method}": limits[method].limit,
            **{f"limit_{method}_{kind}": limit for kind, limit in by_kind.items()},
            **_worth(method, pools, held.places, temperature[method]),
            **_ious(method, np.sum([pool.confusion for pool in pools], axis=0)),
        }
        job.log.info(
            "%s: temperature %.3f, limit of unfamiliarity %.4f",
            method,
            temperature[method],
            measured[f"limit_{method}"],
        )
        job.log.info("%s: IoU of rocks on validation images %.3f", method, measured.get(f"iou_{method}_rocks", 1.0))
    if (found := measured.get(f"iou_{methods[0]}_rocks", 1.0)) < LEAST_ROCK_IOU:
        job.log.warning(
            "hardly a rock is found on validation images (IoU %.3f): train longer, or look at the masks", found
        )
    for method in METHODS:  # a network without dropout is never run by that method, and says so
        temperature.setdefault(method, 1.0)
        limits.setdefault(method, limits["single"])
    return start_with.model_copy(update={"temperature": temperature, "unfamiliarity": limits}), measured


def fit_familiarity(job: Job, networks: Sequence[nn.Module], taught: Sequence[Whole]) -> None:
    """Fit what is familiar to each member to images, of each set at most `familiarity.MOST_IMAGES`, drawn.

    Raises:
        LearningError: Fewer than two images.
    """
    features: list[list[NDArray[np.float64]]] = [[] for _ in networks]
    for pictures in taught:
        drawn = np.random.default_rng(job.seed).permutation(len(pictures))[:MOST_IMAGES]
        for done, number in enumerate(np.sort(drawn), start=1):
            image, _ = pictures.picture(int(number))
            for network, found in zip(networks, features, strict=True):
                found.append(features_of(network, image))
            job.progress(done, drawn.size, "images that are familiar")
    for network, found in zip(networks, features, strict=True):
        fit(network, np.stack(found) if found else np.empty((0, 0)))
    job.log.info("familiar are %d images", len(features[0]))


def familiar_limits(told: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the limit of unfamiliarity that each kind of image would set: what 95 % of it do not exceed.

    The greatest one is the model's. Photographs are few, and stranger to a model that has learned from renders: pooled,
    most of them could exceed it.

    Args:
        told: By kind, the unfamiliarity of each image; NaN where it shows no ground, of which nothing is told.

    Returns:
        By kind: those of which any image tells something.
    """
    values = {kind: np.asarray(of, dtype=np.float64) for kind, of in told.items()}
    known = {kind: of[np.isfinite(of)] for kind, of in values.items()}
    return {kind: float(np.quantile(of, FAMILIAR_SHARE)) for kind, of in known.items() if of.size}


def _kinds(found: Sequence[Place]) -> dict[str, NDArray[np.bool_]]:
    """Return which images are renders and which photographs, (n,) each."""
    photographs = np.array([place.photograph for place in found], dtype=bool)
    return {"renders": ~photographs, "photographs": photographs}


def fitted_temperature(probability: Floats, target: NDArray[np.uint8]) -> float:
    """Return the temperature of the least negative log-likelihood of (4, n) probabilities at classes (n,)."""
    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(
        lambda value: likelihood(probability, target, float(np.exp(value))), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))


def likelihood(probability: Floats, target: NDArray[np.uint8], temperature: float) -> float:
    """Return the mean negative log-likelihood, nats, of tempered probabilities (4, n) at classes (n,)."""
    at = tempered(probability[:, None, :], temperature)[target, 0, np.arange(target.size)]
    return float(-np.log(np.maximum(at, 1e-12), dtype=np.float64).mean())


@dataclass(frozen=True)
class _Pooled:
    """What a method says of one image."""

    probability: Floats
    """(4, n), the pooled probability of some pixels."""
    target: NDArray[np.uint8]
    """(n,), their classes."""
    unfamiliarity: float
    """NaN where no ground is seen."""
    confusion: scores.Floats
    """(4, 4), pixels by true and by found class."""


def _pools(segmenter: Segmenter, held: Whole, inference: RockInferenceSettings) -> list[_Pooled]:
    """Return what a method says of each image. Pixels are drawn, lest a picture's columns alias with a stride."""
    found = []
    for number in range(len(held)):
        image, mask = held.picture(number)
        said = segmenter.said(image, inference)
        pool = pool_of(said.logits)
        mean, truth = pool.mean, mask.ravel()
        known = np.flatnonzero(truth != UNKNOWN)
        some = np.random.default_rng([inference.seed, number]).permutation(known)[:_PIXELS_PER_IMAGE]
        flat = mean.reshape(mean.shape[0], -1)
        matrix = scores.confusion(mask, classes_of(mean))
        far = unfamiliarity_of(said.distance, classes_of(mean))
        found.append(_Pooled(flat[:, some], truth[some], far, matrix))
    return found


def _worth(method: Method, pools: Sequence[_Pooled], found: Sequence[Place], temperature: float) -> dict[str, float]:
    """Return what the tempered probabilities are worth on each kind of image that is there, over its drawn pixels."""
    worth = {}
    for kind, which in _kinds(found).items():
        own = [pool for pool, one in zip(pools, which, strict=True) if one and pool.target.size]
        if not own:
            continue
        probability = np.concatenate([pool.probability for pool in own], axis=1)
        target = np.concatenate([pool.target for pool in own])
        tops = calibration(tempered(probability[:, None, :], temperature), target[None], _BINS).top
        worth[f"ece_tempered_{method}_{kind}"] = float(ece(tops))
        worth[f"nll_tempered_{method}_{kind}"] = likelihood(probability, target, temperature)
    return worth


def _ious(method: Method, matrix: scores.Floats) -> dict[str, float]:
    """Return the IoU of each class, and of rock of either size; what neither truth nor answer has is left out."""
    values = zip((*CLASSES, "rocks"), (*scores.iou(matrix), scores.rock_iou(matrix)), strict=True)
    return {f"iou_{method}_{name}": float(value) for name, value in values if np.isfinite(value)}
