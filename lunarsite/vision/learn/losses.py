"""Losses of maps: weighted pixel by pixel, computed from logits, in float32 whatever the network's precision.

Every function takes logits (N, C, H, W), targets of that shape and weights that broadcast to it, at least 0; 0 means
that nothing is known there: neither the target there (NaN and any class number are fine) nor the logit counts. Where no
pixel has a weight, the loss is 0 and so is its gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Per = Literal["weight", "target"]
"""A sum over pixels is divided by the sum of their weights, or of their weighted targets: the positives, 1 at least."""


def binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, per: Per = "weight") -> Tensor:
    """Return the mean of -t log p - (1 - t) log(1 - p), p = sigmoid(logits); targets 0..1."""
    logits, target, weight = _prepared(logits, target, weight)
    return _reduced(functional.binary_cross_entropy_with_logits(logits, target, reduction="none"), target, weight, per)


def focal(
    logits: Tensor,
    target: Tensor,
    weight: Tensor,
    gamma: float = 2.0,
    alpha: float = 0.25,
    per: Per = "target",
) -> Tensor:
    """Return the focal loss -a_t (1 - p_t)^gamma log p_t of targets 0 or 1 (Lin et al. 2017, equation 5).

    p_t is the probability given to the right class; a_t is alpha for positives and 1 - alpha for negatives.
    """
    logits, target, weight = _prepared(logits, target, weight)
    sign = 2.0 * target - 1.0
    # (1 - p_t)^gamma by way of its logarithm: its gradient is finite where p_t reaches 1.
    modulation = torch.exp(gamma * functional.logsigmoid(-sign * logits))
    balance = 0.5 + sign * (alpha - 0.5)
    return _reduced(-balance * modulation * functional.logsigmoid(sign * logits), target, weight, per)


def quality_focal(logits: Tensor, target: Tensor, weight: Tensor, beta: float = 2.0, per: Per = "target") -> Tensor:
    """Return |t - p|^beta times the binary cross-entropy, for soft targets 0..1 (Li et al. 2020, equation 2)."""
    logits, target, weight = _prepared(logits, target, weight)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _reduced((target - torch.sigmoid(logits)).abs().pow(beta) * entropy, target, weight, per)


def soft_dice(logits: Tensor, target: Tensor, weight: Tensor, smooth: float = 1.0) -> Tensor:
    """Return 1 - (2 sum(p t) + s) / (sum(p^2) + sum(t^2) + s), over the batch, averaged over channels.

    The squares (Milletari et al. 2016) let soft targets reach 0 at p = t. `smooth` gives an empty map its 0.
    """
    logits, target, weight = _prepared(logits, target, weight)
    p = torch.sigmoid(logits)
    overlap, size = ((weight * x).sum(dim=(0, 2, 3)) for x in (2.0 * p * target, p * p + target * target))
    return (1.0 - (overlap + smooth) / (size + smooth)).mean()


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of -log softmax(logits) at the target's class.

    Args:
        logits: (N, classes, H, W).
        target: (N, H, W), class numbers, int64.
        weight: Broadcasts to (N, H, W).
    """
    weight = weight.float().expand_as(target)
    known = weight > 0
    # Not torch's own: on CUDA it has no deterministic kernel for maps, and trainings demand one.
    likelihood = functional.log_softmax(logits.float(), dim=1)
    values = -likelihood.gather(1, torch.where(known, target, 0)[:, None])[:, 0]
    return _mean(values, weight, weight.sum())


def _prepared(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if logits.shape != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(target.shape)} differ in shape")
    weight = weight.float().expand_as(logits)
    # NaN times 0 is NaN, in the gradient too: targets without a weight must go before anything is computed of them.
    return logits.float(), torch.where(weight > 0, target.float(), 0.0), weight


def _reduced(values: Tensor, target: Tensor, weight: Tensor, per: Per) -> Tensor:
    return _mean(values, weight, weight.sum() if per == "weight" else (weight * target).sum().clamp(min=1.0))


def _mean(values: Tensor, weight: Tensor, total: Tensor) -> Tensor:
    return (weight * values).sum() / torch.where(total > 0, total, 1.0)
