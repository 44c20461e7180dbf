"""The CycleGAN as what enhances an image: the way to sunlight, how far it may be off, and the way back.

The result is the translation without dropout. How far it may be off is told by three numbers of every pixel: how much
a few passes with dropout differ from it (Gal and Ghahramani 2016), how much the image was changed around, and a
constant. The weights of the three are fitted on validation scenes, whose truth is known: passes with dropout know
little of what noise hides, and nothing of what the training never saw. The passes leave out whole channels, the same
ones everywhere and every time, so the result is a function of the image, and tiles fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.artefact.contracts.enhance import CYCLE_MODEL
from lunarsite.artefact.model import Card
from lunarsite.vision.enhance.cycle_data import MOST_STANDARD
from lunarsite.vision.enhance.cycle_networks import Generator, GeneratorSpec, keeps
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.saved import load

INPUTS = ("radiance in the standard scale, 1",)
OUTPUTS = ("mean", "variance")
PASSES = 4
"""Passes with dropout: each costs about three quarters of a translation."""
AROUND_PX = 15
"""Side of the square over which the change is averaged."""
_DROPOUT_SEED = 1816
_LEAST_VARIANCE = 1e-6
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class CycleSpec(BaseModel):
    """What an enhancing CycleGAN is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: GeneratorSpec
    passes: Annotated[int, Field(ge=1, le=64)] = PASSES
    dropout_seed: Annotated[int, Field(ge=0, lt=2**32)] = _DROPOUT_SEED
    variance: tuple[Weight, Weight, Weight] = (1.0, 0.0, 0.0)
    """Weights of the mean square of the passes' differences, of the mean square change around a pixel, and of 1."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the spec as a model card holds it."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json"))


class CycleEnhancer(nn.Module):
    """Maps (N, 1, H, W) to (N, 2, H, W): mean and variance, in the standard scale."""

    keep: Tensor

    def __init__(
        self, spec: CycleSpec, to_sunlit: Generator | None = None, to_shadowed: Generator | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.to_sunlit = to_sunlit or Generator(spec.generator)
        self.to_shadowed = to_shadowed or Generator(spec.generator)
        self.register_buffer("keep", keeps(spec.generator, spec.passes, spec.dropout_seed), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return mean and variance."""
        mean, differing, changed = self.parts(image)
        a, b, c = self.spec.variance
        return torch.cat((mean, (a * differing + b * changed + c).clamp(min=_LEAST_VARIANCE)), dim=1)

    def parts(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, mean square difference of the passes, and mean square change around, (N, 1, H, W) each."""
        within = image.clamp(-MOST_STANDARD, MOST_STANDARD)
        features = self.to_sunlit.features(within)
        mean = self.to_sunlit.finished(within, features)
        differing = torch.zeros_like(mean)
        for keep in self.keep:
            differing += (self.to_sunlit.finished(within, features, keep) - mean).square() / len(self.keep)
        changed = functional.avg_pool2d((mean - within).square(), AROUND_PX, 1, AROUND_PX // 2, count_include_pad=False)
        # What was cut off is overexposed ground or a glint: it stays as bright as it was.
        return mean + (image - within), differing, changed

    def residual(self, image: Tensor) -> Tensor:
        """Return |there and back - image|, (N, 1, H, W): what of the image the translation does not account for."""
        within = image.clamp(-MOST_STANDARD, MOST_STANDARD)
        return cast(Tensor, (self.to_shadowed(self.to_sunlit(within)) - within).abs())


def build_cycle(spec: Mapping[str, JsonValue]) -> CycleEnhancer:
    """Return the CycleGAN of a card's spec, with weights drawn from torch's global generator.

    Raises:
        LearningError: The spec is not one of a CycleGAN.
    """
    try:
        return CycleEnhancer(CycleSpec.model_validate(spec))
    except ValidationError as error:
        raise LearningError(f"the spec is not one of a CycleGAN: {error}") from error


def load_enhancer(path: Path) -> tuple[CycleEnhancer, Card]:
    """Return the CycleGAN of a model file, ready for inference on the CPU, and its card.

    Raises:
        ArtefactError: The file breaks its contract.
    """
    network, card, _ = load(path, CYCLE_MODEL, build_cycle)
    return cast(CycleEnhancer, network), card
