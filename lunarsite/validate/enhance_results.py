"""What every method makes of rendered scenes whose truth is known, as numbers; of a few scenes as pictures too.

This module must not know bounds and verdicts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.contracts.enhance import RAW_METHOD, TRUTH_METHOD
from lunarsite.settings.enhance import EnhanceReferenceSettings, SensorSettings
from lunarsite.validate import enhance_measures as measures
from lunarsite.validate.enhance_classical import filtered
from lunarsite.validate.enhance_scenes import Chosen, LitScene, Progress
from lunarsite.validate.image_craters import NONE, Compared, Seen, compared, seen
from lunarsite.vision.enhance.sensor import Exposure

Floats = NDArray[np.float64]

PICTURED = 6
"""Scenes of which pictures are kept."""
RAW = RAW_METHOD
SCENE_METRICS = ("psnr_db", "ssim", "psnr_fitted_db", "ssim_fitted", "bias", "edge_recall")
COUNTS = ("truth", "result", "found", "invented", "chance_found", "chance_invented")
ERROR_METRICS = (
    *("within_one", "within_two", "supported_squared", "unsupported_squared", "supported_px", "unsupported_px"),
    "residual",
)


class Enhanced(Protocol):
    """What a network makes of an image, each (H, W)."""

    @property
    def enhanced(self) -> NDArray[np.float32]: ...  # noqa: D102

    @property
    def error(self) -> NDArray[np.float32]: ...  # noqa: D102

    @property
    def support(self) -> NDArray[np.uint8]: ...  # noqa: D102


@dataclass(frozen=True)
class Network:
    """A network: what it makes of an image (H, W), and, of a CycleGAN, how far the way back misses the image."""

    enhance: Callable[[NDArray[np.float32]], Enhanced]
    residual: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture that is kept: see the contract ENHANCE_SAMPLES."""

    kind: str
    name: str
    method: str
    quantity: str
    electrons: float
    image: NDArray[np.float32]
    pixel_m: float
    display: tuple[float, float]
    psnr_db: float = float("nan")
    ssim: float = float("nan")


@dataclass
class Measured:
    """What was measured on test scenes. Arrays run over methods, levels and scenes, then whatever is named."""

    methods: tuple[str, ...]
    electrons: tuple[float, ...]
    scenes: tuple[LitScene, ...]
    metrics: dict[str, Floats] = field(default_factory=dict)
    counts: dict[str, Floats] = field(default_factory=dict)
    spectra: Floats = field(default_factory=lambda: np.zeros(0))
    """Then (3, bins): power of truth, of the result, and their cross power."""
    pictures: list[Picture] = field(default_factory=list)

    def __post_init__(self) -> None:
        shape = len(self.methods), len(self.electrons), len(self.scenes)
        self.metrics = {name: np.full(shape, np.nan) for name in (*SCENE_METRICS, *ERROR_METRICS)}
        self.counts = {name: np.full(shape, np.nan) for name in COUNTS}
        self.spectra = np.full((*shape, 3, len(measures.SPECTRUM_EDGES) - 1), np.nan)

    @property
    def area_km2(self) -> Floats:
        """Ground in shadow of each scene."""
        return np.array([one.truth.shadow.sum() * (one.pixel_m / 1000.0) ** 2 for one in self.scenes])

    @property
    def shadow_px(self) -> Floats:
        """Pixels in shadow of each scene."""
        return np.array([float(one.truth.shadow.sum()) for one in self.scenes])


def measure(
    scenes: Sequence[LitScene],
    chosen: Mapping[float, Sequence[Chosen]],
    networks: Mapping[str, Network],
    threshold: float,
    reference: EnhanceReferenceSettings,
    sensor: SensorSettings,
    progress: Progress,
) -> Measured:
    """Return what every method makes of the test scenes at every level.

    Args:
        scenes: Test scenes, at least one.
        chosen: Filters with their strengths, by level.
        networks: The networks by name.
        threshold: Correlation from which on craters in images count.
        reference: Levels and seed.
        sensor: The camera.
        progress: Told how far it is.
    """
    classical = [one.method.name for one in next(iter(chosen.values()))]
    found = Measured((RAW, *classical, *networks), reference.electrons, tuple(scenes))
    truths = [seen(one.truth.radiance, one.truth.shadow, one.truth.range, one.light_azimuth_deg) for one in scenes]
    others = _others(scenes, truths)
    for k, scene in enumerate(scenes):
        if k < PICTURED:
            found.pictures.append(_picture(scene, TRUTH_METHOD, scene.truth.radiance, float("nan")))
        for j, electrons in enumerate(reference.electrons):
            exposure = scene.exposed(electrons, sensor, reference.seed)
            for i, (result, for_ssim, network) in enumerate(_results(exposure, chosen[electrons], networks)):
                _score(found, (i, j, k), result, for_ssim)
                craters = seen(result, scene.truth.shadow, scene.truth.range, scene.light_azimuth_deg)
                _count(found, (i, j, k), *(compared(craters, one, threshold) for one in (truths[k], others[k])))
                if network is not None:
                    _judge_errors(found, (i, j, k), network)
                    way_back = networks[found.methods[i]].residual
                    if way_back is not None:
                        off = way_back(exposure.image)[scene.truth.shadow]
                        found.metrics["residual"][i, j, k] = float(off.mean())
                if k < PICTURED:
                    found.pictures += _pictures(found, (i, j, k), result, network)
        progress(k + 1, len(scenes), "scenes measured")
    return found


def _results(
    exposure: Exposure, chosen: Sequence[Chosen], networks: Mapping[str, Network]
) -> Iterator[tuple[Floats, Floats, Enhanced | None]]:
    """Yield each method's result for the error and for the structure, and what a network says of its own."""
    raw = exposure.image.astype(np.float64)
    yield raw, raw, None
    for one in chosen:
        result = filtered(exposure, one.method, one.for_psnr, destriped=one.destriped)
        same = one.for_ssim == one.for_psnr
        other = result if same else filtered(exposure, one.method, one.for_ssim, destriped=one.destriped)
        yield result, other, None
    for network in networks.values():
        made = network.enhance(exposure.image)
        result = made.enhanced.astype(np.float64)
        yield result, result, made


def _score(found: Measured, at: tuple[int, int, int], result: Floats, for_ssim: Floats) -> None:
    truth = found.scenes[at[2]].truth
    fitted = measures.fitted(result, truth)
    fitted_ssim = fitted if for_ssim is result else measures.fitted(for_ssim, truth)
    values = {
        "psnr_db": measures.psnr_db(result, truth),
        "ssim": measures.ssim(for_ssim, truth),
        "psnr_fitted_db": measures.psnr_db(fitted, truth),
        "ssim_fitted": measures.ssim(fitted_ssim, truth),
        "bias": float((result - truth.radiance)[truth.shadow].mean()) / truth.range,
        "edge_recall": measures.edge_recall(result, truth),
    }
    for name, value in values.items():
        found.metrics[name][at] = value
    found.spectra[at] = measures.spectrum(result, truth)


def _count(found: Measured, at: tuple[int, int, int], own: Compared, chance: Compared) -> None:
    values = {
        "truth": own.truth,
        "result": own.result,
        "found": own.found,
        "invented": own.invented,
        # Another scene's craters by number: scaled to this one's, so that the two can be compared.
        "chance_found": chance.found / chance.truth * own.truth if chance.truth else np.nan,
        "chance_invented": chance.invented if chance.truth else np.nan,
    }
    for name, value in values.items():
        found.counts[name][at] = value


def _judge_errors(found: Measured, at: tuple[int, int, int], made: Enhanced) -> None:
    truth = found.scenes[at[2]].truth
    own = measures.errors(made.enhanced.astype(np.float64), made.error.astype(np.float64), made.support, truth)
    values = (own.within_one, own.within_two, *own.squared, *own.pixels)
    for name, value in zip(ERROR_METRICS[:-1], values, strict=True):
        found.metrics[name][at] = value


def _others(scenes: Sequence[LitScene], truths: Sequence[Seen]) -> list[Seen]:
    """Return for each scene the craters of the next one of other ground and equal size: they can match by chance."""
    found = []
    for k, scene in enumerate(scenes):
        behind = [(k + step) % len(scenes) for step in range(1, len(scenes))]
        shape = scene.truth.radiance.shape
        other = [i for i in behind if scenes[i].ground != scene.ground and scenes[i].truth.radiance.shape == shape]
        found.append(truths[other[0]] if other else NONE)
    return found


def _pictures(found: Measured, at: tuple[int, int, int], result: Floats, network: Enhanced | None) -> list[Picture]:
    scene, name, electrons = found.scenes[at[2]], found.methods[at[0]], found.electrons[at[1]]
    psnr_db, ssim = (float(found.metrics[key][at]) for key in ("psnr_db", "ssim"))
    pictures = [dataclasses.replace(_picture(scene, name, result, electrons), psnr_db=psnr_db, ssim=ssim)]
    if network is not None:
        pictures.append(_picture(scene, name, network.error, electrons, "error"))
        pictures.append(_picture(scene, name, network.support, electrons, "support"))
    return pictures


def _picture(scene: LitScene, method: str, image: NDArray[Any], electrons: float, quantity: str = "image") -> Picture:
    truth = scene.truth
    low, high = (float(value) for value in np.percentile(truth.radiance[truth.shadow], (1.0, 99.0)))
    display = {"image": (low, high), "error": (0.0, 0.5 * truth.range), "support": (0.0, 1.0)}[quantity]
    kept = truth.shadow & (np.asarray(image) != 255) if quantity == "support" else truth.shadow
    shown = np.where(kept, image, np.nan).astype(np.float32)
    return Picture("scene", scene.name, method, quantity, electrons, shown, scene.pixel_m, display)
