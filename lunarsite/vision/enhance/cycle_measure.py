"""The CycleGAN on validation scenes: how far it is off, and errors that say so.

Training knows no pairs. The truth of rendered scenes is used here alone: to fit the error's three weights, and to tell
how the training goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.cycle_model import CycleEnhancer
from lunarsite.vision.enhance.normalise import fit
from lunarsite.vision.enhance.pairs import scene, standard_pair
from lunarsite.vision.enhance.sensor import draw_conditions, expose

Doubles = NDArray[np.float64]

_SEED = 3
_MOST_PIXELS = 2_000
"""Pixels of a scene from which errors are calibrated, at most: neighbours say the same."""
_LEAST = 1e-6
_ONE_ERROR = 0.6827


@dataclass(frozen=True)
class Sample:
    """A validation scene, exposed once; (H, W) each, in the standard scale of the image."""

    image: NDArray[np.float32]
    truth: NDArray[np.float32]
    weight: NDArray[np.float32]
    """0 where the truth is unknown or the image overexposed."""
    electrons: float


def sample(scenes: Path, number: int, sensor: SensorSettings, electrons: float | None = None) -> Sample:
    """Return a scene's exposure at a signal of so many electrons; None: drawn evenly in its logarithm."""
    rng = np.random.default_rng([_SEED, number])
    with images.opened(scenes, LIT_SCENES) as reader:
        radiance, sun = scene(reader, number)
    exposure = expose(radiance, sun, draw_conditions(sensor, rng, electrons), sensor, rng)
    arrays = standard_pair(exposure, radiance, fit(exposure.image))
    return Sample(*arrays, exposure.conditions.electrons)


def calibrate(
    enhancer: CycleEnhancer, scenes: Path, numbers: NDArray[np.int64], sensor: SensorSettings
) -> tuple[tuple[float, float, float], dict[str, float]]:
    """Return the weights of the error's parts, and how far the enhancer is off on validation scenes.

    The weights are those of the largest Gaussian likelihood, all multiplied by one factor so that 68.27 % of the truth
    lies within one error.

    Returns:
        The weights, and `within_one`, `within_two`: shares of pixels within one and two errors; `square_raw`, `square`:
        mean square difference from the truth of image and result, in the standard scale, of all signals and of their
        darker and brighter half (`_low`, `_high`); `residual`: mean cycle residual.
    """
    off, parts, rows = [], [], []
    for number in numbers:
        drawn = sample(scenes, int(number), sensor)
        given = torch.from_numpy(drawn.image)[None, None]
        with torch.inference_mode():
            mean, differing, changed = (part[0, 0].numpy().astype(np.float64) for part in enhancer.parts(given))
            residual = enhancer.residual(given)[0, 0].numpy()
        counted = drawn.weight > 0.0
        error = (mean - drawn.truth)[counted]
        raw = float(np.mean((drawn.image - drawn.truth)[counted].astype(np.float64) ** 2))
        rows.append((drawn.electrons, raw, float(np.mean(error**2)), float(residual[counted].mean())))
        some = slice(None, None, -(-error.size // _MOST_PIXELS))
        off.append(error[some])
        parts.append(np.stack((differing[counted][some], changed[counted][some], np.ones(error[some].size))))
    weights, ratios = _fitted(np.concatenate(off), np.concatenate(parts, axis=1))
    return weights, _figures(np.array(rows), ratios, sensor)


def _fitted(off: Doubles, parts: Doubles) -> tuple[tuple[float, float, float], Doubles]:
    """Return the weights of `parts` (3, n) as variances of `off` (n,), and |off| over the errors they give."""
    square = off**2
    scales = square.mean() / np.maximum(parts.mean(axis=1), _LEAST)

    def unlikelihood(logarithms: Doubles) -> tuple[float, Doubles]:
        weights = np.exp(logarithms) * scales
        variance = np.maximum(weights @ parts, _LEAST)
        slope = 0.5 * (1.0 / variance - square / variance**2)
        gradient = weights * (parts * slope).mean(axis=1)
        return float(0.5 * np.mean(np.log(variance) + square / variance)), gradient

    # A weight at e^-12 of its scale counts as none.
    best = optimize.minimize(unlikelihood, np.full(3, -1.1), jac=True, method="L-BFGS-B", bounds=[(-12.0, 3.0)] * 3)
    weights = np.exp(best.x) * scales
    ratios = np.abs(off) / np.sqrt(np.maximum(weights @ parts, _LEAST))
    factor = float(np.quantile(ratios, _ONE_ERROR))
    a, b, c = (float(weight) for weight in weights * factor**2)
    return (a, b, c), ratios / factor


def _figures(rows: Doubles, ratios: Doubles, sensor: SensorSettings) -> dict[str, float]:
    low = rows[:, 0] <= np.sqrt(sensor.least_electrons * sensor.most_electrons)
    found = {"within_one": float(np.mean(ratios <= 1.0)), "within_two": float(np.mean(ratios <= 2.0))}
    for name, chosen in (("", rows), ("_low", rows[low]), ("_high", rows[~low])):
        if len(chosen):
            found[f"square_raw{name}"], found[f"square{name}"] = (float(chosen[:, k].mean()) for k in (1, 2))
    return found | {"residual": float(rows[:, 3].mean())}
