"""What enhances an image: any network of this room behind one interface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from lunarsite.artefact.contracts.enhance import DENOISER_MODEL
from lunarsite.vision.learn.saved import load

if TYPE_CHECKING:
    from lunarsite.artefact.model import Card


@dataclass(frozen=True)
class Enhancer:
    """A network that tells the ground from the noise, ready for inference on the CPU."""

    network: nn.Module
    """Maps (N, 1, H, W), an image in its standard scale without NaN, H and W multiples of 32, to (N, 2, H, W): mean and
    variance of the ground in the same scale. Deterministic."""
    name: str
    card: Card
    outputs: int = 2


def load_denoiser(path: Path) -> Enhancer:
    """Return the denoiser of a model file.

    Raises:
        ArtefactError: The file breaks its contract.
    """
    from lunarsite.vision.enhance.denoiser import build_ensemble

    network, card, _ = load(path, DENOISER_MODEL, build_ensemble)
    return Enhancer(network, "denoiser", card)


def load_cycle(path: Path) -> Enhancer:
    """Return the CycleGAN of a model file; its network also tells the cycle's `residual`.

    Raises:
        ArtefactError: The file breaks its contract.
    """
    from lunarsite.vision.enhance.cycle_model import load_enhancer

    network, card = load_enhancer(path)
    return Enhancer(network, "cycle", card)
