"""The last layer of a segmenter that tells small rocks from large ones as a person does: by how far away they look.

The renders' large rocks are large on the ground, not in the picture: a rock that looks wider than 0.4 of the rows that
it stands below the horizon is wider than 0.4 heights of the camera, and nearly always a large one (docs/rocks.md). A
convolution sees no horizon from afar, so this layer hands it down: what the network calls sky is summed along each
column.

Probabilities are products: P(large) = P(rock) P(large | rock).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.vision.rock.classes import ROCKS

_GROUND, _ROCK, _SKY = range(3)
"""Kinds, of which rock is then divided by size."""
_HIDDEN = 32
_MIDDLE = 4.0
"""Logarithm of rows below the horizon about which the input is centred: 55 rows."""
_HORIZON_INPUTS = 3
_STEPS = 4096
"""Of a pixel's share of ground: whole numbers are summed alike in any order, so a GPU's sums are those of any run."""
if ROCKS != (1, 2):
    raise AssertionError("the head gives small rocks before large ones, between ground and sky")


class HorizonHead(nn.Module):
    """Maps a decoder's features (N, C, H, W) to logits (N, 4, H, W) of ground, small rocks, large rocks and sky.

    The first row is the picture's upper edge: a crop must not begin lower.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kind = nn.Conv2d(channels, 3, 3, padding=1)
        self.size = nn.Sequential(
            nn.Conv2d(channels + _HORIZON_INPUTS, _HIDDEN, 1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(_HIDDEN, 1, 1),
        )

    def forward(self, features: Tensor, upside_down: bool = False) -> Tensor:
        """Return the logits. `upside_down`: the last row is the picture's upper edge."""
        kind = self.kind(features)
        # Sizes must not teach what is sky.
        sky = kind.detach().float().softmax(dim=1)[:, _SKY : _SKY + 1]
        told = horizon(sky.flip(2)) if upside_down else horizon(sky)
        told = tuple(one.flip(2) for one in told) if upside_down else told
        size = self.size(torch.cat((features, *(one.to(features.dtype) for one in told)), dim=1))
        small, large = (kind[:, _ROCK : _ROCK + 1] + functional.logsigmoid(sign * size) for sign in (-1.0, 1.0))
        return torch.cat((kind[:, _GROUND : _GROUND + 1], small, large, kind[:, _SKY : _SKY + 1]), dim=1)


def horizon(sky: Tensor) -> tuple[Tensor, ...]:
    """Return what tells how far below the horizon a pixel is, from the probability of sky (N, 1, H, W).

    Returns:
        The centred logarithm of the rows of ground above each pixel, itself included; the sky at the top of its column,
        and anywhere at the picture's top, which tell whether the horizon is in the picture: (N, 1, H, W) each.
    """
    below = rows_of_ground(sky).add(1.0).log() - _MIDDLE
    top = sky[:, :, :1]
    return below, top.expand_as(sky), top.amax(dim=3, keepdim=True).expand_as(sky)


def rows_of_ground(sky: Tensor) -> Tensor:
    """Return the rows of ground above each pixel, itself included, from the probability of sky: (N, 1, H, W) both."""
    return (_STEPS * (1.0 - sky)).round().to(torch.int32).cumsum(dim=2).to(sky.dtype) / _STEPS
