"""The image buffer of a judge: earlier results of a generator (Shrivastava et al. 2017; Zhu et al. 2017)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class ImageBuffer:
    """Keeps up to `size` earlier results; a judge is shown one of them in the place of half of the new ones.

    A judge that only ever saw the latest results would forget what earlier ones gave away.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, fresh: Tensor, rng: np.random.Generator) -> Tensor:
        """Return (N, C, H, W) for a judge: new results, or earlier ones whose places the new ones take.

        Until the buffer is full every new result is kept, and shown. From then on each of them is shown itself, or,
        with probability 1/2, swapped for one of those that were kept before this call.

        Args:
            fresh: (N, C, H, W), no gradient flows through the result.
            rng: Draws; part of what makes a training repeatable.
        """
        shown, kept = [], len(self.images)
        for image in fresh.detach():
            if len(self.images) < self.size:
                self.images.append(image.clone())
                shown.append(image)
            elif kept and rng.random() < 0.5:
                at = int(rng.integers(kept))
                shown.append(self.images[at])
                self.images[at] = image.clone()
            else:
                shown.append(image)
        return torch.stack(shown)

    def state(self) -> list[Tensor]:
        """Return what a checkpoint holds."""
        return list(self.images)

    def restore(self, state: list[Tensor], device: torch.device) -> None:
        """Go on from a checkpoint."""
        self.images = [image.to(device) for image in state]
