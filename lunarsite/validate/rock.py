"""Rocks, measured: the whole validation, from files to the record and the pictures beside it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lunarsite.artefact import images
from lunarsite.artefact import record as records
from lunarsite.artefact import table as tables
from lunarsite.artefact.contracts import LIT_SCENES, PSR_IMAGES, ROCK_ABLATION, ROCK_MODEL, ROCK_SIZES, ROCK_TRUTH
from lunarsite.artefact.images import Credit, ImagesSpec
from lunarsite.artefact.model import Card, read_tensors
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.rock import (
    RockHazardSettings,
    RockInferenceSettings,
    RockReferenceSettings,
    RockSplitSettings,
)
from lunarsite.stage import Job
from lunarsite.validate.rock_disc_record import unmeasured
from lunarsite.validate.rock_discs import SafeDiscs, safe_discs
from lunarsite.validate.rock_doubts import gathered
from lunarsite.validate.rock_groups import OWN, Group, Taken, gather
from lunarsite.validate.rock_hazards import Sizes, View, compare_sizes
from lunarsite.validate.rock_intervals import Draws
from lunarsite.validate.rock_predict import Predictor, SegmenterPredictor
from lunarsite.validate.rock_record import Evidence, judge
from lunarsite.validate.rock_results import Measured, Picture, Result, camera_of, measure_group
from lunarsite.validate.rock_strangers import measure_strangers
from lunarsite.validate.rock_tables import Figures
from lunarsite.vision.rock.segmenter import load_segmenter


@dataclass(frozen=True)
class Files:
    """What is measured, on what."""

    scenes: tuple[Path, ...]
    model: Path
    truth: Path | None
    """Of lunarsite's own renders."""
    sizes: Path | None
    lit_scenes: Path | None
    orbital: Path | None
    ablation: Path | None


def validate(
    job: Job,
    split: RockSplitSettings,
    inference: RockInferenceSettings,
    reference: RockReferenceSettings,
    hazard: RockHazardSettings,
    files: Files,
) -> tuple[Record, list[Picture], Credit]:
    """Return the record, the pictures, and whose images these are.

    Raises:
        ArtefactError: A file breaks its contract, only one of truth and sizes is given, the model was trained with
            another split, or no render is left that it has not seen.
    """
    if (files.truth is None) != (files.sizes is None):
        raise ArtefactError("rocks' sizes are measured with truth and sizes together; one of them is not given")
    card = read_tensors(files.model, ROCK_MODEL)[1]
    predictor = SegmenterPredictor(load_segmenter(files.model), inference)
    return measure(job, predictor, card, (split, reference, hazard), files)


def measure(
    job: Job,
    predictor: Predictor,
    card: Card,
    settings: tuple[RockSplitSettings, RockReferenceSettings, RockHazardSettings],
    files: Files,
) -> tuple[Record, list[Picture], Credit]:
    """Return the same of any predictor, whose card says what it has seen."""
    split, reference, hazard = settings
    with ExitStack() as stack:
        groups = gather(stack, files.scenes, card, files.model, split, reference.most_scenes, reference.seed)
        for group in groups:
            job.log.info("%s: %d images are measured, %d choose", group.name, len(group.measured), len(group.choosing))
        measured = [measure_group(group, predictor, (reference, hazard), job.progress) for group in groups]
        orbits = files.lit_scenes, files.orbital
        strangers = measure_strangers(measured[0], predictor, orbits, reference.seed, job.progress)
        credit = _credit(groups, files)
    own: list[tuple[Taken, Result]] = []
    if predictor.method == "ensemble":
        own = _familiar(job, measured)
    else:
        job.log.warning("sizes and safe discs are not measured: %s", unmeasured(predictor.method))
    evidence = Evidence(
        [Figures(one, reference) for one in measured],
        gathered(measured, strangers.facts),
        predictor,
        _sizes(own, reference, files),
        _discs(own, reference, hazard),
        None if files.ablation is None else records.read(files.ablation, ROCK_ABLATION)[0],
    )
    pictures = [picture for one in measured for picture in one.pictures] + strangers.pictures
    return judge(evidence, reference, synthetic=job.synthetic), pictures, credit


def _familiar(job: Job, measured: list[Measured]) -> list[tuple[Taken, Result]]:
    """Return lunarsite's own renders of a known camera that are known to be familiar: the others have no hazards."""
    own = [one for one in measured if one.name == OWN]
    found = []
    for taken, result in [pair for one in own for pair in zip(one.group.measured, one.results, strict=True)]:
        if camera_of(taken) is None:
            continue
        if result.facts.flagged is not False:
            job.log.info("%s is not known to be familiar: it has no rocks to be counted, no safe ground", taken.name)
            continue
        found.append((taken, result))
    return found


def _sizes(own: list[tuple[Taken, Result]], reference: RockReferenceSettings, files: Files) -> Sizes | None:
    """Return the size distributions of own renders, or None without them."""
    if not own or files.truth is None or files.sizes is None:
        return None
    views = []
    for taken, result in own:
        camera = camera_of(taken)
        if camera is not None and result.grounds is not None:
            views.append(View(taken.name, camera, *result.grounds))
    truth, sizes = tables.read(files.truth, ROCK_TRUTH)[0], tables.read(files.sizes, ROCK_SIZES)[0]
    draws = Draws([view.scene for view in views], reference.draws, reference.seed)
    return compare_sizes(views, truth, sizes, draws)


def _discs(
    own: list[tuple[Taken, Result]], reference: RockReferenceSettings, hazard: RockHazardSettings
) -> SafeDiscs | None:
    """Return how safe the ground of own renders is that is called so, or None without them."""
    if not own:
        return None
    counted = [(taken.scene, result.discs) for taken, result in own if result.discs is not None]
    draws = Draws([scene for scene, _ in counted], reference.draws, reference.seed)
    return safe_discs([discs for _, discs in counted], draws, hazard.disc_radius_m)


def _credit(groups: list[Group], files: Files) -> Credit:
    """Return the credit of pictures from several files: all must be named, once each."""
    found = {one.reader.path: one.reader.credit for group in groups for one in group.measured}
    others: list[tuple[Path | None, ImagesSpec]] = [(files.lit_scenes, LIT_SCENES), (files.orbital, PSR_IMAGES)]
    for path, spec in others:
        if path is not None:
            with images.opened(path, spec) as reader:
                found[path] = reader.credit
    parts = list(dict.fromkeys(found.values()))
    return Credit(
        title="; ".join(dict.fromkeys(one.title for one in parts)),
        licence="; ".join(dict.fromkeys(one.licence for one in parts)),
        citation="; ".join(dict.fromkeys(one.citation for one in parts)),
        notes="; ".join(dict.fromkeys(one.notes for one in parts if one.notes))[:10_000],
    )
