"""Models: one file with weights and everything that is needed to use them.

Networks are safetensors, trees are XGBoost's UBJSON. Neither can run code when it is read. Beside the weights lies a
card: how to rebuild the model, how its inputs are normalised, its classes and its training record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Stamp, canonical_json, parse_stamp

if TYPE_CHECKING:
    from xgboost import Booster

_STAMP = "lunarsite_stamp"
_CARD = "lunarsite_card"
_MAX_BYTES = 2 * 2**30


class Card(BaseModel):
    """What is needed to use a model without the code that trained it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    spec: dict[str, JsonValue]
    """How to rebuild the model: architecture and its arguments."""
    inputs: tuple[str, ...]
    """Names of the input channels or features, in order, with units."""
    normalisation: dict[str, JsonValue] = {}
    """How raw inputs become the model's inputs."""
    classes: tuple[str, ...] = ()
    """Names of the outputs, in order."""
    training: dict[str, JsonValue] = {}
    """Data, split, seed, epochs, metrics: what a model card needs."""


@dataclass(frozen=True)
class ModelSpec:
    """Contract of a model file: its name and format ('safetensors' or 'ubj')."""

    name: str
    suffix: str
    portable: bool = False
    """Whether a run may use a model that another run trained."""


def write_tensors(path: Path, spec: ModelSpec, tensors: Mapping[str, NDArray[Any]], card: Card, stamp: Stamp) -> None:
    """Write named arrays as safetensors.

    Raises:
        ArtefactError: There are none, or one holds NaN or infinities.
    """
    from safetensors.numpy import save

    _check_suffix(path, spec)
    if not tensors:
        raise ArtefactError(f"{path}: a model without weights")
    for name, values in tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ArtefactError(f"{path}: weights '{name}' are not finite; the training diverged")
    metadata = {_STAMP: stamp.to_json(), _CARD: canonical_json(card.model_dump(mode="json"))}
    with replacing(path) as partial:
        arrays = {name: np.asarray(values, order="C") for name, values in tensors.items()}
        partial.write_bytes(_same_bytes(save(arrays, metadata)))


def _same_bytes(data: bytes) -> bytes:
    """Return a safetensors file with a sorted header: the library writes metadata in an order that changes by chance.

    The format is eight bytes of the header's length, the header as JSON, and the arrays, to which it points by offsets
    from its own end.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = canonical_json(json.loads(data[8:end])).encode()
    header += b" " * (-len(header) % 8)  # arrays stay aligned
    return len(header).to_bytes(8, "little") + header + data[end:]


def read_tensors(path: Path, spec: ModelSpec) -> tuple[dict[str, NDArray[Any]], Card, Stamp]:
    """Return the arrays, card and stamp of a safetensors model.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    from safetensors import SafetensorError, safe_open

    _check_file(path, spec)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stamp = parse_stamp(metadata.get(_STAMP), path, spec.name)
            return {name: file.get_tensor(name) for name in file.keys()}, _card(path, metadata.get(_CARD)), stamp  # noqa: SIM118
    except SafetensorError as error:
        raise ArtefactError(f"{path}: is no readable safetensors file ({error}); train the model again") from error


def write_trees(path: Path, spec: ModelSpec, booster: Booster, card: Card, stamp: Stamp) -> None:
    """Write an XGBoost booster as UBJSON with card and stamp as its attributes."""
    _check_suffix(path, spec)
    booster = booster.copy()
    booster.set_attr(**{_STAMP: stamp.to_json(), _CARD: canonical_json(card.model_dump(mode="json"))})
    with replacing(path) as partial:
        partial.write_bytes(booster.save_raw("ubj"))


def read_trees(path: Path, spec: ModelSpec) -> tuple[Booster, Card, Stamp]:
    """Return the booster, card and stamp of an XGBoost model.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    _check_file(path, spec)
    booster = _booster(path)
    stamp = parse_stamp(booster.attr(_STAMP), path, spec.name)
    return booster, _card(path, booster.attr(_CARD)), stamp


def validate(path: Path, spec: ModelSpec) -> None:
    """Read the model once and refuse what breaks the contract."""
    if spec.suffix == "ubj":
        read_trees(path, spec)
    else:
        read_tensors(path, spec)


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any model artefact."""
    from safetensors import SafetensorError, safe_open

    if path.suffix == ".ubj":
        return parse_stamp(_booster(path).attr(_STAMP), path)
    try:
        with safe_open(path, framework="numpy") as file:
            return parse_stamp((file.metadata() or {}).get(_STAMP), path)
    except SafetensorError as error:
        raise ArtefactError(f"{path}: is no readable safetensors file ({error})") from error


def _booster(path: Path) -> Booster:
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except xgboost.core.XGBoostError as error:
        raise ArtefactError(f"{path}: is no readable XGBoost model ({error}); train the scorer again") from error
    return booster


def _card(path: Path, text: str | None) -> Card:
    try:
        return Card.model_validate(json.loads(text or "null"))
    except (ValueError, ValidationError) as error:
        raise ArtefactError(f"{path}: has no usable model card ({error}); train the model again") from error


def _check_suffix(path: Path, spec: ModelSpec) -> None:
    if path.suffix != f".{spec.suffix}":
        raise ArtefactError(f"{path}: model '{spec.name}' is a .{spec.suffix} file")


def _check_file(path: Path, spec: ModelSpec) -> None:
    _check_suffix(path, spec)
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes '{spec.name}' first")
    if path.stat().st_size > _MAX_BYTES:
        raise ArtefactError(f"{path}: {path.stat().st_size} bytes is too large for a model")
