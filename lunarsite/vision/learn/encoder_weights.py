"""Weights that an encoder starts from: a safetensors file, never a download.

The file has the encoder's own names, or holds a chain of convolutions in the order in which they are applied
(`000_conv.weight`, ...), with the batch normalisation folded into them, which is how TensorFlow's models are passed on;
those pad ('same') and scale (-1..1) their input as TensorFlow does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lunarsite.vision.learn import LearningError

HALF = (0.5, 0.5, 0.5)
"""Mean and deviation of the input of folded weights: 0..1 becomes -1..1."""
_MOST_BYTES = 2**30
_FOLDED = re.compile(r"^\d{3}_(conv|dw)\.(weight|bias)$")


@dataclass(frozen=True)
class Source:
    """Where an encoder's weights come from, as a model card says it."""

    encoder: str
    weights: str
    """'random', 'imagenet', or the file's name."""
    sha256: str | None

    @property
    def words(self) -> str:
        """What a reader of the card is told."""
        if self.sha256 is None:
            return f"{self.encoder} with {self.weights} weights"
        return f"{self.encoder} with the weights of {self.weights} (SHA-256 {self.sha256})"


def read(path: Path, field: str) -> dict[str, Tensor]:
    """Return the tensors of a file of weights, floating ones in 32 bits.

    Args:
        path: The file.
        field: The setting that names it, for the message.

    Raises:
        LearningError: It is missing, too large, no safetensors file, or a weight is not finite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    words = f"{path}: {field}"
    if not path.is_file():
        raise LearningError(f"{words} does not exist; name a safetensors file, or null for random weights")
    if path.stat().st_size > _MOST_BYTES:
        raise LearningError(f"{words} has {path.stat().st_size} bytes, too large for an encoder")
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise LearningError(f"{words} is no readable safetensors file ({error})") from error
    for key, value in found.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise LearningError(f"{words}: weights '{key}' are not finite")
    return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file of weights, which is small enough to be held."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_folded(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether tensors are a chain of convolutions with the batch normalisation folded into them."""
    return bool(tensors) and all(_FOLDED.match(key) for key in tensors)


def unfolded(tensors: Mapping[str, Tensor], body: nn.Module, path: Path) -> dict[str, Tensor]:
    """Return the state of a network from a chain of folded convolutions.

    The file's convolutions and the network's are the same ones in the same order; what follows each in the network, a
    batch normalisation, becomes the addition of its bias. A file may hold more than the network has.

    Raises:
        LearningError: The file ends before the network does, or shapes differ.
    """
    chain = sorted(key.removesuffix(".weight") for key in tensors if key.endswith(".weight"))
    layers = [(name, layer) for name, layer in body.named_modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    pairs = list(zip(layers[::2], layers[1::2], strict=False))
    if len(pairs) > len(chain):
        raise LearningError(f"{path}: holds {len(chain)} convolutions, the encoder has {len(pairs)}")
    state: dict[str, Tensor] = {}
    for key, ((convolution, _), (norm, layer)) in zip(chain, pairs, strict=False):
        if not isinstance(layer, nn.BatchNorm2d):
            raise LearningError(
                f"{path}: folded convolutions fit an encoder in which a batch normalisation follows each of them;"
                f" '{norm}' is none"
            )
        bias = tensors.get(f"{key}.bias")
        if bias is None:
            raise LearningError(f"{path}: '{key}' has no bias")
        state[f"{convolution}.weight"] = tensors[f"{key}.weight"]
        state |= {f"{norm}.weight": torch.ones_like(bias), f"{norm}.bias": bias}
        state |= {f"{norm}.running_mean": torch.zeros_like(bias)}
        state |= {f"{norm}.running_var": torch.full_like(bias, 1.0 - layer.eps)}
    return state


def fill(body: nn.Module, tensors: Mapping[str, Tensor], name: str, path: Path, fields: tuple[str, str]) -> None:
    """Put weights into an encoder.

    Args:
        body: The encoder.
        tensors: Its state; more than it has is allowed.
        name: Its name.
        path: Where the tensors come from.
        fields: The settings that name the file and the encoder, for the message.

    Raises:
        LearningError: A weight is missing or has another shape.
    """
    # How many batches the statistics were taken from matters to training alone, and not every file tells it.
    expected = {key: value for key, value in body.state_dict().items() if not key.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - tensors.keys())
    wrong = [key for key in expected.keys() & tensors.keys() if expected[key].shape != tensors[key].shape]
    if missing or wrong:
        what = f"lacks '{missing[0]}'" if missing else f"has '{wrong[0]}' in another shape"
        raise LearningError(f"{path}: {what}; {fields[0]} must be those of {fields[1]} '{name}'")
    body.load_state_dict({key: tensors[key] for key in expected}, strict=False)


@torch.no_grad()
def renormalise(body: nn.Module, images: Tensor) -> None:
    """Give the batch normalisations of unfolded weights back the statistics that the folding took from them.

    What a normalisation says of `images` (N, C, H, W) stays as it is; but it now comes from the images' own mean and
    variance, so that it may go on learning from batches. Without this the first batch would undo the folded biases.
    The body is left in evaluation mode.
    """
    seen: list[tuple[nn.BatchNorm2d, Tensor, Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        seen.append((layer, mean, variance))

    hooks = [layer.register_forward_hook(note) for layer in body.modules() if isinstance(layer, nn.BatchNorm2d)]
    try:
        body.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, mean, variance in seen:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        # y = x * slope + offset before and after.
        slope = layer.weight * torch.rsqrt(layer.running_var + layer.eps)
        offset = layer.bias - layer.running_mean * slope
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
        layer.weight.copy_(slope * torch.sqrt(variance + layer.eps))
        layer.bias.copy_(offset + mean * slope)
