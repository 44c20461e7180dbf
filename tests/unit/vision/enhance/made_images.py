"""Made-up networks and images of shadowed ground, for tests of enhancing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from lunarsite.artefact.contracts import DENOISER_MODEL
from lunarsite.artefact.model import Card
from lunarsite.settings import DenoiserSettings
from lunarsite.vision.enhance.denoiser import INPUTS, OUTPUTS, EnsembleSpec, build_ensemble, member_spec
from lunarsite.vision.enhance.enhancer import Enhancer
from lunarsite.vision.learn.saved import save
from tests.unit.artefact.conftest import make_stamp

SIDE = 5


class Mean(nn.Module):
    """Means of 5 x 5 pixels, and a 25th of the variance about them."""

    def forward(self, image: Tensor) -> Tensor:
        mean = functional.avg_pool2d(image, SIDE, 1, SIDE // 2, count_include_pad=False)
        square = functional.avg_pool2d((image - mean) ** 2, 15, 1, 7, count_include_pad=False)
        return torch.cat((mean, square / SIDE**2), 1)


class Same(nn.Module):
    """The image itself, and the same variance everywhere."""

    def __init__(self, variance: float = 0.04) -> None:
        super().__init__()
        self.variance = variance

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat((image, torch.full_like(image, self.variance)), 1)


def enhancer(network: nn.Module) -> Enhancer:
    """An enhancer without a file."""
    return Enhancer(network, "made up", cast(Card, None))


def shadowed(height: int, width: int, noise: float = 0.3, seed: int = 0) -> NDArray[np.float32]:
    """Ground in some units, median about 100, with noise."""
    rng = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(rng.standard_normal((height, width)), 6)
    ground = ground / ground.std() + noise * rng.standard_normal((height, width))
    return (100.0 + 3.0 * ground).astype(np.float32)


def write_model(path: Path) -> Path:
    """Write a small denoiser that was not trained: it smooths."""
    spec = EnsembleSpec(network=member_spec(DenoiserSettings(channels=4, depth=2)), contrast="square root", members=2)
    torch.manual_seed(0)
    card = Card(spec=spec.to_json(), inputs=INPUTS, classes=OUTPUTS)
    save(path, DENOISER_MODEL, build_ensemble(spec.to_json()), card, make_stamp(DENOISER_MODEL.name))
    return path


def write_tiff(path: Path, bands: NDArray[Any], *, scale: float | None = None, **profile: Any) -> Path:
    """Write a raster, (H, W) or (bands, H, W), in strips unless the profile says otherwise."""
    bands = bands if bands.ndim == 3 else bands[None]
    tags = profile.pop("tags", {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver=profile.pop("driver", "GTiff"),
            count=bands.shape[0],
            height=bands.shape[1],
            width=bands.shape[2],
            dtype=bands.dtype,
            **profile,
        ) as dataset:
            dataset.write(bands)
            dataset.update_tags(**tags)
            if scale is not None:
                dataset.scales = [scale] * bands.shape[0]
    return path
