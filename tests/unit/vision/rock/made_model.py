"""Small models of rocks with random weights, whose temperatures and limits a test names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lunarsite.artefact.stamp import Stamp
from lunarsite.vision.learn.networks import NetworkSpec
from lunarsite.vision.rock.familiarity import familiarity_of
from lunarsite.vision.rock.network import METHODS, RockSpec, Unfamiliarity, build, save_model
from lunarsite.vision.rock.segmenter import Segmenter

STAMP = Stamp.model_validate(
    {
        "artefact": "rock_model",
        "stage": "rock-train",
        "run": "made up",
        "settings_hash": "5" * 64,
        "code": "c" * 16,
        "inputs": {},
        "git_commit": None,
        "git_dirty": None,
        "seed": 1,
        "origin": "synthetic",
    }
)


def made_spec(
    members: int = 2,
    *,
    temperature: float | Mapping[str, float] = 1.0,
    limit: float = 2.0,
    dropout: float = 0.1,
) -> RockSpec:
    """No image exceeds a limit of 2, every one a limit of 0."""
    network = NetworkSpec(
        kind="smp-unet",
        inputs=3,
        outputs=4,
        encoder="tu-mobilenetv2_035",
        decoder_channels=(8, 8, 8, 8, 8),
        dropout=dropout,
        padding="same",
    )
    of = temperature if isinstance(temperature, Mapping) else dict.fromkeys(METHODS, temperature)
    return RockSpec(
        network=network,
        head="horizon",
        members=members,
        temperature={method: of[method] for method in METHODS},
        unfamiliarity=dict.fromkeys(METHODS, Unfamiliarity(statistic="feature_distance", limit=limit)),
    )


def made_members(spec: RockSpec, seed: int = 0, *, all_sky: bool = False) -> list[nn.Module]:
    """Members with random weights whose classes depend on the image: all four occur in a picture of noise.

    With `all_sky` they call every pixel of any image sky.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        members = [build(spec.network, spec.head).eval() for _ in range(spec.members)]
        for member in members:
            with torch.no_grad():
                # Random features are large.
                familiarity_of(member).whitening.mul_(0.02)
                head = member.unet.segmentation_head  # type: ignore[union-attr]
                head.kind.weight.mul_(5.0)  # type: ignore[union-attr, operator]
                head.size[-1].weight.mul_(20.0)  # type: ignore[operator,union-attr,index]
                if all_sky:
                    head.kind.bias.copy_(torch.tensor([0.0, 0.0, 5e3]))  # type: ignore[operator,union-attr]
    return members


def made_segmenter(members: int = 2, **changes: float) -> Segmenter:
    spec = made_spec(members, **changes)  # type: ignore[arg-type]
    return Segmenter(made_members(spec), spec)


def write_model(path: Path, members: int = 2, *, all_sky: bool = False, **changes: float) -> Path:
    spec = made_spec(members, **changes)  # type: ignore[arg-type]
    training = {"data": {"licence": "CC BY-NC-SA 4.0", "citation": "made up"}}
    save_model(path, made_members(spec, all_sky=all_sky), spec, STAMP, training)  # type: ignore[arg-type]
    return path


def made_image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A black sky over ground of smooth noise."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    relief = ndimage.gaussian_filter(rng.standard_normal((height, width)), 3.0)
    grey = 110.0 + 60.0 * relief / max(float(relief.std()), 1e-9)
    grey[: height // 3] = 0.0
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
