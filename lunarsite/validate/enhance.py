"""Enhancement, measured: the whole validation, from files to the record and the pictures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact import table as tables
from lunarsite.artefact.contracts import CRATERS, LIT_SCENES, SHADOWCAM_FRAMES
from lunarsite.artefact.contracts.enhance import NETWORK_NAMES
from lunarsite.artefact.images import Credit
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.enhance import EnhancementSettings, EnhanceReferenceSettings, SensorSettings
from lunarsite.stage import Job
from lunarsite.validate import enhance_frames as real
from lunarsite.validate.enhance_classical import present
from lunarsite.validate.enhance_frame_craters import score_frames, standing
from lunarsite.validate.enhance_frame_record import with_frames
from lunarsite.validate.enhance_record import Evidence, judge_scenes
from lunarsite.validate.enhance_results import Network, Picture, measure
from lunarsite.validate.enhance_samples import frame_pictures
from lunarsite.validate.enhance_scenes import LEAST_VALIDATION, VALIDATION_SHARE, choose, read_scenes
from lunarsite.validate.image_craters import reliable_threshold
from lunarsite.vision.enhance.cycle_model import CycleEnhancer
from lunarsite.vision.enhance.image import enhance_array, fit_scale_of, load_enhancer


@dataclass(frozen=True)
class Files:
    """What is measured on: scenes and networks, and real frames if all that belongs to them is there."""

    scenes: Path
    denoiser: Path
    cycle: Path | None
    frames: Path | None
    enhanced: Path | None
    light: Path | None
    craters: Path | None


def validate(
    job: Job,
    enhancement: EnhancementSettings,
    sensor: SensorSettings,
    reference: EnhanceReferenceSettings,
    files: Files,
) -> tuple[Record, list[Picture], Credit]:
    """Return the record, the pictures, and whose images these are.

    Raises:
        ArtefactError: A file breaks its contract; no scene to choose strengths on, or no test scene, has shadow enough;
            or of the real frames some files are given and others are not.
    """
    given = {"frames": files.frames, "enhanced": files.enhanced, "light": files.light}
    if any(given.values()) and not all(given.values()):
        absent = ", ".join(name for name, path in given.items() if path is None)
        raise ArtefactError(f"real frames are measured with {', '.join(given)} together; {absent} is not given")
    wanted = max(LEAST_VALIDATION, round(VALIDATION_SHARE * reference.most_scenes))
    validation = read_scenes(files.scenes, "validation", wanted, reference.seed)
    if not validation:
        job.log.warning("there is no validation scene: the filters' strengths are chosen on training scenes")
        validation = read_scenes(files.scenes, "training", wanted, reference.seed)
    test = read_scenes(files.scenes, "test", reference.most_scenes, reference.seed)
    for splits, found in (("validation or training", validation), ("test", test)):
        if not found:
            raise ArtefactError(
                f"{files.scenes}: no {splits} scene has shadow enough to be measured; raise"
                " enhance.scenes.tiles_per_model, or move the sectors of enhance.scenes"
            )
    methods, absent_methods = present()
    for one in absent_methods:
        job.log.warning("%s is not measured: the package '%s' is not installed", one.name, one.package)
    threshold = reliable_threshold([one.truth for one in validation], [one.light_azimuth_deg for one in validation])
    chosen = choose(validation, methods, reference, sensor, job.progress)
    paths = {"denoiser": files.denoiser, "cycle": files.cycle}
    networks = {
        NETWORK_NAMES[name]: network(name, path, enhancement) for name, path in paths.items() if path is not None
    }
    measured = measure(test, chosen, networks, threshold[0], reference, sensor, job.progress)
    evidence = Evidence(measured, chosen, absent_methods, tuple(networks), threshold, len(validation))
    record = judge_scenes(evidence, reference, synthetic=job.synthetic)
    pictures = measured.pictures
    with images.opened(files.scenes, LIT_SCENES) as source:
        credit = source.credit
    if files.frames is not None and files.enhanced is not None and files.light is not None:
        known = real.read_frames(files.frames, files.enhanced, files.light)
        job.log.info("%d frames have shadow enough to be asked", len(known))
        stood = None
        if files.craters is not None:
            catalogue = tables.read(files.craters, CRATERS, ["id", "x_m", "y_m", "diameter_m"])[0]
            stood = standing(
                score_frames(known, catalogue, reference.seed), threshold[0], reference.draws, reference.seed
            )
        record = with_frames(record, known, stood, reference)
        name = NETWORK_NAMES[enhancement.method]
        pictures = [*pictures, *frame_pictures(files.frames, files.enhanced, known, name, reference.seed)]
        credit = _both(credit, files.frames)
    return record, pictures, credit


def network(method: str, path: Path, settings: EnhancementSettings) -> Network:
    """Return a network from its file, as it enhances images."""
    enhancer = load_enhancer("denoiser" if method == "denoiser" else "cycle", path)
    way_back = enhancer.network if isinstance(enhancer.network, CycleEnhancer) else None
    return Network(
        lambda image: enhance_array(image, enhancer, settings),
        None if way_back is None else lambda image: _residual(way_back, image),
    )


def _residual(way_back: CycleEnhancer, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the way there and back misses the image, (H, W) in its standard scale."""
    given = torch.from_numpy(np.nan_to_num(fit_scale_of(image).forward(image)))[None, None]
    with torch.inference_mode():
        return np.asarray(way_back.residual(given)[0, 0].numpy())


def _both(credit: Credit, frames: Path) -> Credit:
    """Return the credit of pictures of rendered scenes and of real frames: both must be named."""
    with images.opened(frames, SHADOWCAM_FRAMES) as source:
        other = source.credit
    return Credit(
        title=f"{credit.title}; {other.title}",
        licence=f"{credit.licence}; {other.licence}",
        citation=f"{credit.citation}; {other.citation}",
        notes="; ".join(one.notes for one in (credit, other) if one.notes)[:10_000],
    )
