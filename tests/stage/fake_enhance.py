"""What a made-up run has of seeing into shadow: scenes, frames, networks, sample pictures and records."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy import ndimage

from lunarsite.artefact import contracts, images, model, record
from lunarsite.artefact.images import Credit, ImagesSpec, ImagesWriter, PerImage
from lunarsite.artefact.record import Metric, Record, Verdict

if TYPE_CHECKING:
    from .fake_run import FakeRun

IMAGES = (
    *("lit_scenes", "shadowcam_frames", "frame_light", "enhanced_frames", "enhance_samples"),
    "shadowcam_samples",
)
MODELS = ("denoiser", "cycle")
RECORDS = ("denoiser_training", "cycle_training", "enhance_record", "shadowcam_record")
INTO_SHADOW = ("enhance_samples", "enhance_levels", "enhance_spectrum", "enhance_frames")
"""Figures."""
COMPARED = ("shadowcam_pictures", "shadowcam_aucs")
"""Figures of the comparison with ShadowCam."""
METHODS = ("raw", "median", "non-local means", "bm3d", "clahe", *contracts.enhance.NETWORK_NAMES.values())
"""As validate-enhance names them."""
LEVELS = (4.0, 20.0, 100.0)
CREDIT = Credit(title="Made-up images", licence="none", citation="nobody")
_DTYPES: dict[str, Any] = {"string": object, "uint8": np.uint8, "int64": np.int64, "float64": np.float64}

Pixels = NDArray[np.float32]


def write_enhance(run: FakeRun) -> None:
    """Write everything into a run's folder."""
    _stacks(run)
    _samples(run)
    for name, spec in (("denoiser", contracts.DENOISER_MODEL), ("cycle", contracts.CYCLE_MODEL)):
        card = model.Card(
            spec={"kind": name}, inputs=("image",), training={"scenes": f"{name} <made up>", "hours": 2.0}
        )
        weights = {"weight": np.zeros(3, dtype=np.float16)}
        model.write_tensors(run.path(name), spec, weights, card, run.stamp(spec.name, f"enhance-{name}"))
        training = Record(title="Training", metrics=(Metric(name="best_loss", value=0.5),))
        stamp = run.stamp("enhance_training", f"enhance-{name}")
        record.write(run.path(f"{name}_training"), contracts.ENHANCE_TRAINING, training, stamp)
    stamp = run.stamp("enhance", "validate-enhance")
    record.write(run.path("enhance_record"), contracts.ENHANCE_RECORD, enhance_record(), stamp)
    _compared(run)
    stamp = run.stamp("shadowcam_check", "validate-shadowcam")
    record.write(run.path("shadowcam_record"), contracts.SHADOWCAM_RECORD, shadowcam_record(), stamp)


def texture(rows: int, cols: int, seed: int) -> Pixels:
    """Smooth ground between 0 and 1."""
    ground = ndimage.gaussian_filter(np.random.default_rng(seed).random((rows, cols)), 2.0)
    return np.asarray((ground - ground.min()) / np.ptp(ground), dtype=np.float32)


def _append(writer: ImagesWriter, stacks: dict[str, NDArray[Any]], **values: object) -> None:
    """Add one image to a file; smaller images stand at the upper left, values that are not given are 0 or ''."""
    arrays: dict[str, NDArray[Any]] = {name: pixels[None] for name, pixels in stacks.items()}
    for array in writer.spec.per_image:
        value = values.get(array.name, "" if array.dtype == "string" else 0)
        arrays[array.name] = np.array([value], dtype=_DTYPES[array.dtype])
    writer.append(arrays)


def _stacks(run: FakeRun) -> None:
    ground = texture(64, 64, 1)
    support = (ground > 0.5).astype(np.uint8)
    for name, spec in (
        ("lit_scenes", contracts.LIT_SCENES),
        ("shadowcam_frames", contracts.SHADOWCAM_FRAMES),
        ("frame_light", contracts.FRAME_LIGHT),
        ("enhanced_frames", contracts.ENHANCED_FRAMES),
    ):
        sides = {str(side): 64 for stack in spec.stacks for side in stack.shape}
        with images.creating(run.path(name), spec, run.stamp(spec.name, f"test-{name}"), CREDIT, sides) as writer:
            stacks: dict[str, NDArray[Any]] = {
                stack.name: support if stack.dtype == "uint8" else ground for stack in spec.stacks
            }
            _append(writer, stacks, name="scene 1", frame="M1", rows=64, cols=64, pixel_m=60.0)


def _samples(run: FakeRun) -> None:
    spec: ImagesSpec = contracts.ENHANCE_SAMPLES
    assert all(isinstance(array, PerImage) for array in spec.per_image)
    noise = np.random.default_rng(2)
    stamp = run.stamp(spec.name, "validate-enhance")
    with images.creating(run.path("enhance_samples"), spec, stamp, CREDIT, {"height": 64, "width": 64}) as writer:

        def put(pixels: NDArray[Any], **values: object) -> None:
            whole = np.full((64, 64), np.nan, dtype=np.float32)
            whole[: pixels.shape[0], : pixels.shape[1]] = pixels
            given = {"electrons": np.nan, "psnr_db": np.nan, "ssim": np.nan, "pixel_m": 40.0, "display_high": 1.0}
            sides = {"rows": pixels.shape[0], "cols": pixels.shape[1]}
            _append(writer, {"picture": whole}, **{**given, **sides, **values})

        for scene in range(2):
            truth = texture(64, 64, 10 + scene)
            truth[:9, :12] = np.nan
            for level in LEVELS:
                for place, method in enumerate(METHODS):
                    rough = noise.normal(0.0, 1.0 / np.sqrt(level) / (1 + place), truth.shape)
                    values = {"psnr_db": 10.0 + place, "ssim": 0.1 * place}
                    put(truth + rough, name=f"ground ${scene}", method=method, electrons=level, **values)
            put(truth, name=f"ground ${scene}", method="truth")
        for frame in ("M1", "M2"):
            ground = 0.01 * texture(50, 64, 20)
            scale = {"kind": 1, "name": frame, "pixel_m": 60.0, "display_high": 0.01}
            put(ground + noise.normal(0.0, 1e-3, ground.shape), method="raw", **scale)
            put(ground, method="denoiser", **scale)
            put(0.1 * ground, method="denoiser", quantity=1, **{**scale, "display_high": 0.001})
            put((ground > 0.005).astype(np.float32), method="denoiser", quantity=2, **scale)


PSNR_DB = dict(zip(METHODS, (12.0, 13.0, 14.0, 15.0, 16.0, 18.0, 14.5), strict=True))
SSIM = dict(zip(METHODS, (0.05, 0.15, 0.25, 0.35, 0.45, 0.65, 0.30), strict=True))
FOUND = dict(zip(METHODS, (2, 3, 4, 5, 6, 9, 8), strict=True))
INVENTED = dict(zip(METHODS, (0, 1, 1, 2, 3, 1, 9), strict=True))
"""Of 20 craters of a scene, at the lowest signal."""


def enhance_record() -> Record:
    """The record that the validator's own judge makes of made-up measurements."""
    return _judged().model_copy(deep=True)


@cache
def _judged() -> Record:
    """What the validator says of made-up measurements on 10 grounds, in which the CycleGAN invents most.

    The denoiser is above every filter at the lowest signal; at 20 electrons below CLAHE in SSIM, and as good as BM3D in
    PSNR at 100.
    """
    from lunarsite.settings.enhance import EnhanceReferenceSettings
    from lunarsite.validate.enhance_classical import CLASSICAL
    from lunarsite.validate.enhance_measures import Truth
    from lunarsite.validate.enhance_record import Evidence, judge_scenes
    from lunarsite.validate.enhance_results import Measured
    from lunarsite.validate.enhance_scenes import Chosen, LitScene

    shadow = Truth(np.ones((100, 100)), np.ones((100, 100), dtype=np.bool_))
    blank = np.zeros((100, 100), np.float32)
    scenes = tuple(
        LitScene(k, f"s{k}", f"g{k % 10}", shadow, blank, 240.0 if k % 10 < 2 else 40.0, 0.0) for k in range(20)
    )
    reference = EnhanceReferenceSettings(electrons=LEVELS, draws=200)
    found, rng = Measured(METHODS, LEVELS, scenes), np.random.default_rng(5)
    own = rng.normal(size=(len(METHODS), len(LEVELS), len(scenes)))
    ground = np.array([(k % 10 - 4.5) / 4.5 for k in range(len(scenes))])
    for place, method in enumerate(METHODS):
        for level, electrons in enumerate(LEVELS):
            at = place, level
            psnr_db, ssim = PSNR_DB[method], SSIM[method]
            if method == "denoiser" and electrons == 20.0:
                ssim = SSIM["clahe"] - 0.02
            if method == "denoiser" and electrons == 100.0:
                psnr_db = PSNR_DB["clahe"]
            found.metrics["psnr_db"][at] = psnr_db + 2.0 * np.log(electrons) + ground + 0.2 * own[at]
            found.metrics["ssim"][at] = ssim + 0.05 * ground + 0.002 * own[at]
            # Nothing is invented with large pixels.
            large = np.array([one.pixel_m > 40.0 for one in scenes])
            invented = np.where(large, 0, INVENTED[method] + (own[at] > 1.0))
            counts = {"truth": 20, "found": FOUND[method], "chance_found": 1, "chance_invented": 3}
            found.counts["invented"][at], found.counts["result"][at] = invented, FOUND[method] + invented
            for name, value in counts.items():
                found.counts[name][at] = value
    for name in ("psnr_fitted_db", "ssim_fitted", "bias", "edge_recall"):
        found.metrics[name][:] = 0.5
    found.metrics["within_one"][:], found.metrics["within_two"][:] = 0.68, 0.95
    found.metrics["supported_px"][:], found.metrics["unsupported_px"][:] = 6_000.0, 4_000.0
    found.metrics["supported_squared"][:], found.metrics["unsupported_squared"][:] = 6.0, 40.0
    found.spectra[:] = np.array([4.0, 1.0, 2.0])[:, None]
    filters = {one.name: one for one in CLASSICAL}
    chosen = {
        electrons: [Chosen(filters[name], False, 2.0, 1.4, 20.0, 0.5) for name in METHODS if name in filters]
        for electrons in LEVELS
    }
    networks = tuple(contracts.enhance.NETWORK_NAMES.values())
    evidence = Evidence(found, chosen, (), networks, (0.7, 5.0, 0.5), 4)
    record = judge_scenes(evidence, reference, synthetic=False)
    return record.model_copy(update={"notes": (*record.notes, "Scenes are rendered <by us>.")})


def _compared(run: FakeRun) -> None:
    """Frames that are a strip, composites that are square; a shadow's edge runs through the middle."""
    spec = contracts.SHADOWCAM_SAMPLES
    stamp = run.stamp(spec.name, "validate-shadowcam")
    with images.creating(run.path("shadowcam_samples"), spec, stamp, CREDIT, {"height": 64, "width": 64}) as writer:
        for name, kind, cols in (("M1", 1, 24), ("M2", 1, 24), ("topillum $avg", 0, 64)):
            ground = texture(64, cols, 30)
            lit = np.indices((64, cols))[0] > 30
            seen = ground + lit > 0.8
            stacks: dict[str, NDArray[Any]] = {
                "brightness": np.full((64, 64), np.nan, np.float32),
                "predicted": np.full((64, 64), np.nan, np.float32),
                "classes": np.full((64, 64), 255, np.uint8),
            }
            stacks["brightness"][:, :cols] = ground + lit
            stacks["predicted"][:, :cols] = lit
            stacks["classes"][:, :cols] = np.select([~seen & ~lit, seen & lit, seen & ~lit], [0, 1, 2], 3)
            auc = 0.93 if kind else np.nan
            _append(writer, stacks, name=name, kind=kind, rows=64, cols=cols, pixel_m=60.0, auc=auc, limit=0.8)


def shadowcam_record() -> Record:
    """A record of three frames, one of them all dark, and a composite in which agreement is the base rate."""
    frames: list[dict[str, JsonValue]] = []
    for name, auc in (("M1", 0.93), ("M2", 0.81), ("M3", None)):
        row: dict[str, JsonValue] = {"frame": name, "lit_share": 0.3, "auc": auc}
        row |= {"auc_low": None if auc is None else auc - 0.05, "auc_high": None if auc is None else auc + 0.04}
        guesses = {"auc_height": 0.61, "auc_facing": 0.74, "auc_other_moment": 0.55, "auc_moved": 0.52}
        row |= {guess: None if auc is None else value for guess, value in guesses.items()}
        frames.append(row | {"why_no_auc": "all dark <no lit ground>" if auc is None else "", "why_below_bound": ""})
    composite: dict[str, JsonValue] = {
        "composite": "topillum",
        "map": "computed",
        "pixels": 7448,
        "psr_base_share": 0.81,
        "auc": 0.66,
        "auc_low": 0.6,
        "auc_high": 0.7,
        "why_unknown": "",
    }
    verdict = Verdict(name="median AUC of frames", value=0.87, bound=">= 0.9", holds=False, why="made up")
    return Record(
        title="Light and shadow against ShadowCam's images",
        metrics=(Metric(name="frame_auc", value=0.87, low=0.81, high=0.93, unit="1"),),
        verdicts=(verdict,),
        tables={"frames": frames, "composites": [composite]},
        notes=("Gaps count as lit <here>.",),
    )
