"""How far an image's features lie from those of the images that taught: what tells images of another kind.

The features are a member's own, of the encoder's level at a sixteenth of the image's rows and columns: what parts the
image has, before the network says what they are. Their mean over the image has a normal distribution over the images
that taught, and others that are to be familiar; its covariance is shrunk (Ledoit & Wolf 2004, J. Multivariate Anal. 88,
365), for there are few. The distance from its centre is Mahalanobis's (Lee et al. 2018, NeurIPS 31), over the root of
the number of features: with many images 1 on average, with few somewhat less. It means something beside the limit that
validation images set, and nothing by itself.

The members' disagreement does not tell as much: on strange images they may well agree, for they were taught alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.networks import SmpUnet

Doubles = NDArray[np.float64]

FEWEST_IMAGES = 2
"""That a distribution can be fitted to."""
MOST_IMAGES = 1_000
"""That it is fitted to: more tell hardly more of a few hundred features."""
_LEVEL = 4
"""Of the encoder's levels, the image itself being the first: each has half the rows and columns of the one before."""
_LEAST_DEVIATION = 0.3
"""Of a feature, in mean deviations of all: one that hardly varied must not decide alone."""
_LEAST_VARIANCE = 1e-2
"""Along an axis of features that are brought to a variance of 1, for the same reason."""


class Familiarity(nn.Module):
    """The distance of an image's mean features; before it is fitted, their root mean square."""

    mean: Tensor
    """(features,)."""
    whitening: Tensor
    """(features, features): makes the deviations from the mean independent, with variance 1."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("whitening", torch.eye(features))

    def forward(self, features: Tensor) -> Tensor:
        """Return the distance (N,) of features (N, features, h, w)."""
        off = features.float().mean(dim=(2, 3)) - self.mean
        return (off @ self.whitening.T).square().mean(dim=1).sqrt()


def familiarity_of(network: nn.Module) -> Familiarity:
    """Return a member's."""
    return cast(Familiarity, network.familiarity)


def with_familiarity(network: SmpUnet) -> SmpUnet:
    """Return a member with a distance of its own, which is not fitted yet.

    Raises:
        LearningError: Its encoder has no level at a sixteenth of the image.
    """
    encoder: Any = network.unet.encoder
    if len(encoder.out_channels) <= _LEVEL:
        raise LearningError(
            f"a decoder of {len(encoder.out_channels) - 1} levels sees nothing at a sixteenth of an image, by which it"
            " is told from images of other kinds; give it 4 or 5 (rock.learning.network.decoder_channels)"
        )
    network.familiarity = Familiarity(encoder.out_channels[_LEVEL])
    return network


def distance(network: nn.Module, levels: Sequence[Tensor]) -> Tensor:
    """Return the distance (N,) of images, of whose encoder's levels a member has these, fine to coarse."""
    found: Tensor = familiarity_of(network)(levels[_LEVEL])
    return found


def mean_features(levels: Sequence[Tensor]) -> Doubles:
    """Return the mean features (features,) of one image, of whose encoder's levels a member has these."""
    return levels[_LEVEL][0].double().mean(dim=(1, 2)).cpu().numpy()


def fit(network: nn.Module, features: Doubles) -> None:
    """Fit a member's distance to mean features (images, features).

    Raises:
        LearningError: They are of fewer than two images.
    """
    from sklearn.covariance import LedoitWolf

    if len(features) < FEWEST_IMAGES:
        raise LearningError(f"{len(features)} image(s) taught: too few to tell what is familiar; give more scenes")
    deviation = features.std(axis=0)
    # All alike, as of one picture given twice: nothing varies, and any difference is one.
    unit = max(float(deviation.mean()), 1e-6)
    deviation = np.maximum(deviation, _LEAST_DEVIATION * unit)
    mean = features.mean(axis=0)
    covariance = LedoitWolf(assume_centered=True).fit((features - mean) / deviation).covariance_
    variance, axes = np.linalg.eigh(covariance)
    # Of two or three images the shrinkage may be none, and the covariance singular.
    whitening = (axes / np.sqrt(np.maximum(variance, _LEAST_VARIANCE))).T / deviation
    own = familiarity_of(network)
    own.mean.copy_(torch.from_numpy(mean))
    own.whitening.copy_(torch.from_numpy(whitening))
