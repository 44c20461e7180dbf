"""Enhancement, measured: the whole validation, from files to the record and the pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
from lunarsite.validate.enhance_frame_craters import Standing, score_frames, standing
from lunarsite.validate.enhance_frame_record import with_frames
from lunarsite.validate.enhance_record import Evidence, judge_scenes
from lunarsite.validate.enhance_results import Network, Picture, measure
from lunarsite.validate.enhance_samples import frame_pictures
from lunarsite.validate.enhance_scenes import LEAST_VALIDATION, VALIDATION_SHARE, choose, read_scenes
from lunarsite.validate.enhance_unseen import doubt
from lunarsite.validate.image_craters import reliable_threshold
from lunarsite.vision.enhance.cycle_model import CycleEnhancer
from lunarsite.vision.enhance.enhancer import Enhancer
from lunarsite.vision.enhance.ground import ground_of, seen_by
from lunarsite.vision.enhance.holes import filled
from lunarsite.vision.enhance.image import enhance_array, fit_scale_of, load_enhancer

Method = Literal["denoiser", "cycle"]


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
    chosen_on = "validation"
    validation = read_scenes(files.scenes, chosen_on, wanted, reference.seed)
    if not validation:
        chosen_on = "training"
        job.log.warning("there is no validation scene: the filters' strengths are chosen on training scenes")
        validation = read_scenes(files.scenes, chosen_on, wanted, reference.seed)
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
    edges = [f"{one.method.name} at {level:g}" for level, found in chosen.items() for one in found if one.at_edge]
    if edges:
        job.log.warning("the end of a grid of strengths was chosen for %s electrons", ", ".join(edges))
    enhancers = _enhancers(files)
    doubts = _doubts(job, files, enhancers)
    networks = {NETWORK_NAMES[name]: network(enhancer, enhancement) for name, enhancer in enhancers.items()}
    measured = measure(test, chosen, networks, threshold[0], reference, sensor, job.progress)
    evidence = Evidence(
        measured, chosen, absent_methods, tuple(networks), threshold, len(validation), chosen_on, doubts
    )
    record = judge_scenes(evidence, reference, synthetic=job.synthetic)
    pictures = measured.pictures
    with images.opened(files.scenes, LIT_SCENES) as source:
        credit = source.credit
    if files.frames is not None and files.enhanced is not None and files.light is not None:
        known = real.read_frames(files.frames, files.enhanced, files.light)
        job.log.info("%d frames have shadow enough to be asked", len(known))
        stood = None if files.craters is None else _standing(known, files.craters, threshold[0], reference)
        trained = enhancers.get(enhancement.method)
        seen = None if trained is None else seen_by(trained.card.training)
        record = with_frames(record, known, stood, reference, seen)
        name = NETWORK_NAMES[enhancement.method]
        pictures = [*pictures, *frame_pictures(files.frames, files.enhanced, known, name, reference.seed)]
        credit = _both(credit, files.frames)
    return record, pictures, credit


def _enhancers(files: Files) -> dict[Method, Enhancer]:
    paths: dict[Method, Path | None] = {"denoiser": files.denoiser, "cycle": files.cycle}
    return {name: load_enhancer(name, path) for name, path in paths.items() if path is not None}


def _doubts(job: Job, files: Files, enhancers: Mapping[Method, Enhancer]) -> dict[str, str]:
    """Return why networks may have seen the test ground, by their names in the record; only of those that may."""
    test = ground_of(files.scenes)["test"]
    paths = {"denoiser": files.denoiser, "cycle": files.cycle}
    found = {}
    for name, enhancer in enhancers.items():
        path = paths[name]
        why = "" if path is None else doubt(path, enhancer.card, test, synthetic=job.synthetic)
        if why:
            found[NETWORK_NAMES[name]] = why
            job.log.warning("%s: nothing can be claimed of it: %s", path, why)
    return found


def _standing(
    known: Sequence[real.Frame], craters: Path, threshold: float, reference: EnhanceReferenceSettings
) -> Standing:
    """Return how a catalogue's craters stand out in frames."""
    catalogue = tables.read(craters, CRATERS, ["id", "x_m", "y_m", "diameter_m"])[0]
    return standing(score_frames(known, catalogue, reference.seed), threshold, reference.draws, reference.seed)


def network(enhancer: Enhancer, settings: EnhancementSettings) -> Network:
    """Return a network as it enhances images."""
    way_back = enhancer.network if isinstance(enhancer.network, CycleEnhancer) else None
    return Network(
        lambda image: enhance_array(image, enhancer, settings),
        None if way_back is None else lambda image: residual(way_back, image),
    )


def residual(way_back: CycleEnhancer, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the way there and back misses the image, (H, W) in its standard scale.

    The network is given what it is given when it enhances: unknown and overexposed ground is filled, because glare
    would spill into the shadow beside it.
    """
    scale = fit_scale_of(image)
    known = np.isfinite(image) & ~scale.overexposed(image)
    given = torch.from_numpy(filled(scale.forward(image), known))[None, None]
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
