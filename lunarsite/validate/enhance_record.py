"""The record of enhancement: what is compared, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record
from lunarsite.settings.enhance import EnhanceReferenceSettings
from lunarsite.validate import enhance_tables as tables
from lunarsite.validate.enhance_classical import Classical
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Estimate, Grounds
from lunarsite.validate.enhance_measures import FALSE_ALARMS
from lunarsite.validate.enhance_results import Measured
from lunarsite.validate.enhance_scenes import Chosen
from lunarsite.validate.enhance_tables import Results
from lunarsite.validate.enhance_verdicts import FEW, Rivals, scene_verdicts
from lunarsite.validate.image_craters import LEAST_PX, MOST_PX, SLACK

Rows = list[dict[str, JsonValue]]

TITLE = "Seeing into shadow: enhanced images against the truth, and real frames without one"
NOTES = (
    "Scenes are elevation models rendered in the light that sunlit slopes scatter; the truth is the image without"
    " noise. A model of the light, the albedo and the camera stands between these scenes and real images: nothing here"
    " says how much of a real image is invented.",
    "Only pixels that see no part of the Sun's disc count. Differences are shares of the truth's range, from its 1st to"
    " its 99th percentile in shadow. The fitted columns compare after the gain and offset that bring a result nearest"
    " to the truth.",
    "Intervals are 2.5 and 97.5 % points over draws of ground; scenes of one ground are drawn together, and differences"
    " between methods use the same draws and the same noise.",
    "Each classical filter works on the image with even noise, knows the camera's calibration, and has the strength"
    " that was best on validation scenes at the same signal: one for PSNR (which also shows its craters, edges and"
    " spectrum) and one for SSIM.",
    f"Edges: the strongest tenth of the truth's gradient maxima. A result's threshold is set so that"
    f" {100 * FALSE_ALARMS:g} % of the pixels away from them are called edges.",
    f"Craters of {LEAST_PX:g} to {MOST_PX:g} pixels are found by one detector without learning in truth and results"
    f" alike. Invented ones are found in the result at the high threshold and not in the truth at one {SLACK:g} lower,"
    " lost ones the other way round; chance is the truth of another scene. Revealed are, of the craters that a result"
    " shows at the high threshold, those of the truth, less the same of the raw image.",
    "A crater is told in pixels: rates for 100 km2 over scenes of all pixel sizes together are diluted by those with"
    " large pixels. The table by pixel size has the rates of each.",
    "History: a first denoiser failed these bounds on test ground and was redesigned; a second, at new places, was not"
    " shown better than BM3D in PSNR, and was redesigned too. Each time places were drawn anew with another seed of"
    " enhance.scenes, in the same sector: the sector is not untouched, the places are.",
)


@dataclass(frozen=True)
class Evidence:
    """All that is judged."""

    measured: Measured
    chosen: Mapping[float, Sequence[Chosen]]
    absent: tuple[Classical, ...]
    """Baselines that could not run."""
    networks: tuple[str, ...]
    threshold: tuple[float, float, float]
    """Of craters in images: correlation, and bowls and bumps for each validation scene there."""
    validation_scenes: int
    """Scenes that chose strengths and thresholds."""
    chosen_on: str = "validation"
    """The split that they are of: 'training' where there is no validation scene."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """Why a network may have seen the test ground, by network; nothing of those that have not."""


def judge_scenes(evidence: Evidence, reference: EnhanceReferenceSettings, *, synthetic: bool) -> Record:
    """Return the record of rendered scenes; real frames are added to it elsewhere."""
    measured = evidence.measured
    grounds = Grounds([one.ground for one in measured.scenes], reference.draws, reference.seed)
    results = Results(measured, grounds, evidence.networks)
    return Record(
        title=TITLE,
        metrics=tuple(_metrics(results, evidence)),
        verdicts=tuple(scene_verdicts(results, _rivals(evidence), evidence.doubts)),
        tables={
            "by_level": tables.level_rows(results),
            "craters": tables.crater_rows(results),
            "craters_by_pixel": tables.pixel_rows(results),
            "gains": tables.gain_rows(results),
            "spectrum": tables.spectrum_rows(results),
            "errors": tables.error_rows(results),
            "strengths": tables.strength_rows(evidence.chosen),
        },
        notes=tuple(_notes(results, evidence, synthetic=synthetic)),
    )


def _rivals(evidence: Evidence) -> Rivals:
    """Return what the networks are set against, chosen before anything was measured."""
    first = next(iter(evidence.chosen.values()))
    best = max(first, key=lambda one: one.psnr_db).method.name if first else ""
    return Rivals(best, evidence.chosen_on, tuple(one.name for one in evidence.absent))


def _metrics(results: Results, evidence: Evidence) -> list[Metric]:
    measured = results.measured
    threshold, bowls, bumps = evidence.threshold
    metrics = [
        Metric(name="scenes", value=float(len(measured.scenes)), why="test scenes"),
        Metric(name="grounds", value=float(results.grounds.count), why="places that they show"),
        Metric(
            name="validation_scenes",
            value=float(evidence.validation_scenes),
            why=f"{evidence.chosen_on} scenes, which chose strengths and thresholds",
        ),
        Metric(name="shadow_km2", value=float(measured.area_km2.sum()), unit="km2", why="ground in shadow, all scenes"),
        Metric(
            name="crater_threshold",
            value=threshold,
            unit="1",
            why=f"correlation at which {evidence.chosen_on} scenes show {bowls:.1f} bowls and {bumps:.1f} bumps each on"
            " average",
        ),
    ]
    for level, electrons in enumerate(measured.electrons):
        for method in measured.methods:
            key = f"{method.replace(' ', '_')}_{electrons:g}e"
            found = (
                ("psnr", results.of("psnr_db", method, level), "dB"),
                ("ssim", results.of("ssim", method, level), "1"),
                ("craters_found", results.recall(method, level), "1"),
                ("craters_invented", results.rate("invented", method, level), "1/(100 000 px)"),
            )
            metrics += [
                Metric(name=f"{name}_{key}", value=one.value, unit=unit, low=one.low, high=one.high, why=_why(one))
                for name, one, unit in found
            ]
    return metrics


def _notes(results: Results, evidence: Evidence, *, synthetic: bool) -> list[str]:
    notes = list(NOTES)
    if evidence.absent:
        names = " and ".join(f"{one.name} (package '{one.package}')" for one in evidence.absent)
        notes.append(
            f"Not measured, because it is not installed: {names}. Claims against every classical baseline leave it out,"
            " and say so."
        )
    notes += [f"The {name}: {doubt}; its claims are unknown." for name, doubt in evidence.doubts.items()]
    if evidence.chosen_on != "validation":
        notes.append(
            f"There is no validation scene: {evidence.chosen_on} scenes chose the filters' strengths and the crater"
            " threshold. The networks learned on such ground, the filters are at no disadvantage by it."
        )
    edges = [
        f"{one.method.name} at {electrons:g} electrons"
        for electrons, filters in evidence.chosen.items()
        for one in filters
        if one.at_edge
    ]
    if edges:
        notes.append(
            f"The end of a grid of strengths was chosen for {', '.join(edges)}: beyond it the filter may be better than"
            " told here."
        )
    if results.grounds.count < FEWEST_GROUNDS:
        notes.append(f"The scenes show {results.grounds.count} grounds, too few for intervals: no claim can hold.")
    if synthetic:
        notes.append("The ground is a synthetic Moon's; the networks that come with lunarsite learned on the real one.")
    return notes


def _why(estimate: Estimate) -> str:
    if estimate.value is None:
        return "nothing of the kind in any scene"
    return "" if estimate.within is not None else FEW.removeprefix("unknown: ")
