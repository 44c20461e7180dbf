"""Crater models as files: the network, its card with the calibration, and the outputs of its shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact import ArtefactError
from lunarsite.artefact import partial as partials
from lunarsite.artefact.contracts import CRATER_LEVELS, CRATER_MODEL
from lunarsite.artefact.model import Card, read_tensors
from lunarsite.settings import SplitSettings
from lunarsite.vision.crater.calibration import Calibration, CalibrationError
from lunarsite.vision.crater.network import CraterNetwork, from_spec
from lunarsite.vision.learn.saved import load

_CALIBRATION = "calibration"
SPLIT = "split"
"""Part of a card's training record: the sectors that the model was trained, tuned and tested with."""


def load_network(path: Path) -> tuple[CraterNetwork, Card]:
    """Return the network of a crater model, ready for inference, and its card."""
    network, card, _ = load(path, CRATER_MODEL, from_spec)
    return cast(CraterNetwork, network), card


def with_calibration(card: Card, calibration: Calibration, metrics: Mapping[str, float], split: SplitSettings) -> Card:
    """Return a card with a calibration, what was measured on the validation ground, and which ground that was."""
    training: dict[str, JsonValue] = {
        **card.training,
        "validation": cast(dict[str, JsonValue], dict(metrics)),
        SPLIT: split.model_dump(mode="json"),
    }
    numbers = cast(dict[str, JsonValue], calibration.to_json())
    return card.model_copy(update={"spec": {**card.spec, _CALIBRATION: numbers}, "training": training})


def calibration_of(path: Path) -> Calibration:
    """Return the calibration of a crater model.

    Raises:
        ArtefactError: It has none.
    """
    _, card, _ = read_tensors(path, CRATER_MODEL)
    values = card.spec.get(_CALIBRATION)
    try:
        return Calibration.from_json(values if isinstance(values, dict) else {})
    except CalibrationError as error:
        raise ArtefactError(f"{path}: {error}; run crater-calibrate on it") from error


def joined_levels(paths: Sequence[Path], wanted: Mapping[str, Any]) -> list[NDArray[np.float32]]:
    """Return the outputs of every level, the shards joined in their order, float32.

    Args:
        paths: The shards, in order.
        wanted: Parts of the plan that every shard must have: the model's and the elevation model's checksums, the
            pyramid, the settings of the inference.

    Raises:
        ArtefactError: A shard was made with another model, elevation model, pyramid or tiling, or one is missing or out
            of order.
    """
    levels: list[list[NDArray[np.float32]]] = []
    for index, path in enumerate(paths):
        with partials.opened(path, CRATER_LEVELS) as shard:
            plan = json.loads(shard.plan or "{}")
            differs = [key for key, value in wanted.items() if plan.get(key) != value]
            if differs:
                raise ArtefactError(
                    f"{path}: was made with another {' and '.join(differs)} than asked for; run crater-infer again"
                )
            if (plan.get("shard"), plan.get("shards")) != (index, len(paths)):
                raise ArtefactError(
                    f"{path}: is shard {plan.get('shard')} of {plan.get('shards')}, given as {index} of {len(paths)};"
                    " give all shards of crater.inference.shards in their order"
                )
            arrays = [shard.read(name).astype(np.float32) for name in shard.names()]
        levels = levels or [[] for _ in arrays]
        for parts, array in zip(levels, arrays, strict=True):
            parts.append(array)
    return [np.concatenate(parts, axis=1) for parts in levels]
