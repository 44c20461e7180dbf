"""Rendered scenes whose truth is known, their exposures, and the classical filters' strengths.

Scenes and their noise follow from the seed, never from looks. Strengths of the classical filters are chosen on
validation scenes, at each signal level, once for the error and once for the structure, so that each baseline is told at
its best in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import LIT_SCENES
from lunarsite.settings.enhance import EnhanceReferenceSettings, SensorSettings
from lunarsite.validate import enhance_measures as measures
from lunarsite.validate.enhance_classical import Classical, filtered
from lunarsite.validate.enhance_measures import Truth
from lunarsite.vision.enhance.sensor import Exposure, draw_conditions, expose

Floats = NDArray[np.float64]
Progress = Callable[[float, float, str], None]

VALIDATION_SHARE = 0.25
"""For each test scene so many validation scenes choose strengths and thresholds."""
LEAST_VALIDATION = 4


@dataclass(frozen=True)
class LitScene:
    """A rendered scene. `index` is its place in the file, which its noise follows from."""

    index: int
    name: str
    ground: str
    truth: Truth
    sun_fraction: NDArray[np.float32]
    pixel_m: float
    light_azimuth_deg: float

    def exposed(self, electrons: float, sensor: SensorSettings, seed: int) -> Exposure:
        """Return the sensor's image of the scattered light; at every level by the same draws."""
        rng = np.random.default_rng([seed, self.index])
        return expose(self.truth.radiance, self.sun_fraction, draw_conditions(sensor, rng, electrons), sensor, rng)


@dataclass(frozen=True)
class Chosen:
    """A filter as chosen on validation scenes at one level: strengths that gave the best error and structure."""

    method: Classical
    destriped: bool
    for_psnr: float
    for_ssim: float
    psnr_db: float
    ssim: float

    @property
    def at_edge(self) -> bool:
        """Whether a strength is an end of its grid, so that one beyond it might have done better."""
        known = [(self.for_psnr, self.psnr_db), (self.for_ssim, self.ssim)]
        return any(strength in self.method.ends and np.isfinite(score) for strength, score in known)


def read_scenes(path: Path, split: str, most: int, seed: int) -> list[LitScene]:
    """Return scenes of a split whose shadow can be measured, as many grounds as there are first, in the seed's order.

    Args:
        path: LIT_SCENES.
        split: 'training', 'validation' or 'test'.
        most: Scenes, at most.
        seed: Order of grounds, and of scenes within a ground.
    """
    with images.opened(path, LIT_SCENES) as source:
        number = LIT_SCENES.class_number("split", split)
        facts = {name: source.read(name) for name in ("name", "ground", "split", "pixel_m", "light_azimuth_deg")}
        order = _rounds(np.flatnonzero(facts["split"] == number), facts["ground"], seed)
        scenes: list[LitScene] = []
        for index in order:
            if len(scenes) == most:
                break
            at = slice(index, index + 1)
            radiance, sun = (source.read(name, at)[0] for name in ("scattered", "sun_fraction"))
            radiance = np.where(np.isfinite(sun), radiance, np.nan).astype(np.float64)
            truth = Truth(radiance, np.isfinite(radiance) & (sun == 0.0))
            # Where hardly anything scatters light there is no image to speak of.
            if truth.measurable and float(np.median(truth.radiance[truth.shadow])) > 0.0:
                name, ground = (str(facts[key][index]) for key in ("name", "ground"))
                pixel_m, azimuth_deg = (float(facts[key][index]) for key in ("pixel_m", "light_azimuth_deg"))
                scenes.append(LitScene(int(index), name, ground, truth, sun, pixel_m, azimuth_deg))
    return scenes


def _rounds(indices: NDArray[np.int64], grounds: NDArray[Any], seed: int) -> list[int]:
    """Return indices so that the first of every ground come first, then the second ones, and so on."""
    shuffled = np.random.default_rng(seed).permutation(indices)
    turn: dict[str, int] = {}
    rounds = []
    for index in shuffled:
        ground = str(grounds[index])
        rounds.append(turn.get(ground, 0))
        turn[ground] = rounds[-1] + 1
    return [int(shuffled[k]) for k in np.argsort(rounds, kind="stable")]


def choose(
    scenes: Sequence[LitScene],
    methods: Sequence[Classical],
    reference: EnhanceReferenceSettings,
    sensor: SensorSettings,
    progress: Progress,
) -> dict[float, list[Chosen]]:
    """Return, by signal level, the strengths that do best on validation scenes, in the methods' order.

    Whether stripes are taken off first is chosen with them, by the better error.

    Args:
        scenes: Validation scenes, at least one.
        methods: Filters; one that is not slow stands among them if one that is does.
        reference: Levels and seed.
        sensor: The camera.
        progress: Told how far it is.
    """
    found: dict[float, list[Chosen]] = {}
    total, done = len(reference.electrons) * len(methods), 0
    for electrons in reference.electrons:
        exposures = [scene.exposed(electrons, sensor, reference.seed) for scene in scenes]
        at: dict[str, Chosen] = {}
        for method in sorted(methods, key=lambda one: one.slow):
            best = max(at.values(), key=lambda one: one.psnr_db, default=None) if method.slow else None
            at[method.name] = _choose(scenes, exposures, method, (False, True) if best is None else (best.destriped,))
            done += 1
            progress(done, total, "filters chosen")
        found[electrons] = [at[method.name] for method in methods]
    return found


def _choose(
    scenes: Sequence[LitScene], exposures: Sequence[Exposure], method: Classical, treatments: tuple[bool, ...]
) -> Chosen:
    scores: dict[tuple[bool, float], tuple[float, float]] = {}
    for destriped in treatments:
        for strength in method.strengths:
            both = []
            for scene, exposure in zip(scenes, exposures, strict=True):
                result = filtered(exposure, method, strength, destriped=destriped)
                both.append((measures.psnr_db(result, scene.truth), measures.ssim(result, scene.truth)))
            scores[destriped, strength] = _mean([one[0] for one in both]), _mean([one[1] for one in both])
    destriped = max(scores, key=lambda key: scores[key][0])[0]
    tried = {strength: score for (kind, strength), score in scores.items() if kind == destriped}
    by_error = max(tried, key=lambda strength: tried[strength][0])
    by_structure = max(tried, key=lambda strength: tried[strength][1])
    return Chosen(method, destriped, by_error, by_structure, tried[by_error][0], tried[by_structure][1])


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the known values; without any, less than any score."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else -np.inf
