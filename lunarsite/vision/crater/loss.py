"""The loss of the crater network: centres, sizes where there are centres, rims."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from lunarsite.vision.crater.network import DIAMETERS_PX

_SIZE_WEIGHT, _RIM_WEIGHT = 0.5, 0.5
_SIZE_BETA_OCTAVES = 0.1


def crater_loss(raw: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and its parts.

    Centres: quality focal loss (Li et al. 2020, NeurIPS 33) per unit of target; sizes: smooth L1 in octaves, weighted
    by the centres; rims: binary cross-entropy. What lies outside `weight` does not count.

    Args:
        raw: (N, 9, h, w), the network's raw outputs.
        batch: What `CraterCrops` gives, stacked.
    """
    maps = len(DIAMETERS_PX)
    weight = batch["weight"][:, None]
    target = batch["centre"]
    entropy = functional.binary_cross_entropy_with_logits(raw[:, :maps], target, reduction="none")
    focus = (target - raw[:, :maps].sigmoid()).square()
    centre = (weight * focus * entropy).sum() / (weight * target).sum().clamp(min=1.0)
    counts = weight * batch["size_weight"]
    off = functional.smooth_l1_loss(raw[:, maps : 2 * maps], batch["size"], reduction="none", beta=_SIZE_BETA_OCTAVES)
    size = (counts * off).sum() / counts.sum().clamp(min=1.0)
    rims = functional.binary_cross_entropy_with_logits(raw[:, 2 * maps], batch["rim"], reduction="none")
    rim = (batch["weight"] * rims).sum() / batch["weight"].sum().clamp(min=1.0)
    return centre + _SIZE_WEIGHT * size + _RIM_WEIGHT * rim, {"centre": centre, "size": size, "rim": rim}
