"""Trained networks as model files: safetensors with the card that rebuilds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import nn

from lunarsite.artefact.model import Card, ModelSpec, read_tensors, write_tensors
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.vision.learn import LearningError

Build = Callable[[Mapping[str, JsonValue]], nn.Module]
"""Rebuilds a network from its card's spec."""


def save(path: Path, spec: ModelSpec, network: nn.Module, card: Card, stamp: Stamp, *, half: bool = True) -> None:
    """Write a network's weights, its card and its stamp.

    Args:
        path: The file.
        spec: The contract that it keeps.
        network: Parameters and persistent buffers are kept.
        card: Its `spec` must rebuild the network.
        stamp: Provenance.
        half: Keep the parameters in 16 bits. Buffers (statistics and counters of batch normalisation) stay as they are:
            they are few, and a variance may be far smaller than what 16 bits hold.

    Raises:
        ArtefactError: A weight is not finite, or too large for 16 bits.
    """
    tensors = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    for name in _floating_parameters(network) if half else ():
        with np.errstate(over="ignore"):  # what overflows becomes infinite, which the next line looks for
            narrow = tensors[name].astype(np.float16)
        if not np.isfinite(narrow[np.isfinite(tensors[name])]).all():
            largest = float(np.abs(tensors[name]).max())
            raise ArtefactError(f"{path}: weights '{name}' reach {largest:.3g}, beyond 16 bits; save with half=False")
        tensors[name] = narrow
    write_tensors(path, spec, tensors, card, stamp)


def rounded(network: nn.Module) -> nn.Module:
    """Round the parameters, in place, to what a model file in 16 bits holds, and return the network."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().to(parameter.dtype))
    return network


def load(path: Path, spec: ModelSpec, build: Build) -> tuple[nn.Module, Card, Stamp]:
    """Return the network, ready for inference on the CPU, its card and its stamp. Nothing is ever downloaded.

    Args:
        path: The file.
        spec: The contract that it must keep.
        build: Given the card's spec, in which every 'encoder_weights' is None.

    Raises:
        ArtefactError: The file breaks the contract, its spec builds no network, or its weights do not fit it.
    """
    tensors, card, stamp = read_tensors(path, spec)
    try:
        network = build(_without_downloads(card.spec))
    except (LearningError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path}: its card's spec builds no network ({error}); train the model again") from error
    expected = network.state_dict()
    for words, names in (
        ("lacks", expected.keys() - tensors.keys()),
        ("has unknown", tensors.keys() - expected.keys()),
    ):
        if names:
            raise ArtefactError(f"{path}: {words} weights: {_some(names)}; the spec is another network's")
    for name, value in expected.items():
        if tensors[name].shape != tuple(value.shape):
            raise ArtefactError(
                f"{path}: weights '{name}' have shape {tensors[name].shape}, the spec asks for {tuple(value.shape)}"
            )
        _check_kind(path, name, tensors[name], value.dtype)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return network.eval(), card, stamp


def _check_kind(path: Path, name: str, values: NDArray[Any], dtype: torch.dtype) -> None:
    if (values.dtype.kind == "f") != dtype.is_floating_point:
        raise ArtefactError(f"{path}: weights '{name}' are {values.dtype}, the network's are {dtype}")


def _floating_parameters(network: nn.Module) -> list[str]:
    return [name for name, value in network.named_parameters() if value.is_floating_point()]


def _without_downloads(spec: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        key: None if key == "encoder_weights" else _without_downloads(value) if isinstance(value, dict) else value
        for key, value in spec.items()
    }


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
