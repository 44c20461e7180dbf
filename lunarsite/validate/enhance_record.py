"""The record of enhancement: what is compared, under which bounds, and what it means.

The bounds were written down before any network was measured on test ground. They are put to the lowest signal level,
where the task is hardest; the tables tell all levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.enhance import EnhanceReferenceSettings
from lunarsite.validate import enhance_tables as tables
from lunarsite.validate.enhance_classical import Classical
from lunarsite.validate.enhance_intervals import FEWEST_GROUNDS, Estimate, Grounds, lowest
from lunarsite.validate.enhance_measures import FALSE_ALARMS
from lunarsite.validate.enhance_results import Measured
from lunarsite.validate.enhance_scenes import Chosen
from lunarsite.validate.enhance_tables import Results
from lunarsite.validate.image_craters import LEAST_PX, MOST_PX, SLACK

Rows = list[dict[str, JsonValue]]

WITHIN_ONE, WITHIN_TWO = (0.63, 0.73), (0.92, 0.98)
"""Shares of the truth within one and two standard errors: 0.683 and 0.954 for normal errors, give or take."""
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
    " lost ones the other way round; chance is the truth of another scene.",
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


def judge_scenes(evidence: Evidence, reference: EnhanceReferenceSettings, *, synthetic: bool) -> Record:
    """Return the record of rendered scenes; real frames are added to it elsewhere."""
    measured = evidence.measured
    grounds = Grounds([one.ground for one in measured.scenes], reference.draws, reference.seed)
    results = Results(measured, grounds, evidence.networks)
    return Record(
        title=TITLE,
        metrics=tuple(_metrics(results, evidence)),
        verdicts=tuple(_verdicts(results)),
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


def _metrics(results: Results, evidence: Evidence) -> list[Metric]:
    measured = results.measured
    threshold, bowls, bumps = evidence.threshold
    metrics = [
        Metric(name="scenes", value=float(len(measured.scenes)), why="test scenes"),
        Metric(name="grounds", value=float(results.grounds.count), why="places that they show"),
        Metric(name="validation_scenes", value=float(evidence.validation_scenes), why="chose strengths and thresholds"),
        Metric(name="shadow_km2", value=float(measured.area_km2.sum()), unit="km2", why="ground in shadow, all scenes"),
        Metric(
            name="crater_threshold",
            value=threshold,
            unit="1",
            why=f"correlation at which validation scenes show {bowls:.1f} bowls and {bumps:.1f} bumps each, on average",
        ),
    ]
    for level, electrons in enumerate(measured.electrons):
        for method in measured.methods:
            key = f"{method.replace(' ', '_')}_{electrons:g}e"
            found = (
                ("psnr", results.of("psnr_db", method, level), "dB"),
                ("ssim", results.of("ssim", method, level), "1"),
                ("craters_found", results.recall(method, level), "1"),
                ("craters_invented", _per_km2(results, method, level), "1/(100 km2)"),
            )
            metrics += [
                Metric(name=f"{name}_{key}", value=one.value, unit=unit, low=one.low, high=one.high, why=_why(one))
                for name, one, unit in found
            ]
    return metrics


def _verdicts(results: Results) -> list[Verdict]:
    level = 0
    electrons = results.measured.electrons[level]
    at = f"{electrons:g} electrons"
    verdicts, both = [], []
    for network in results.networks:
        better = {
            metric: lowest(
                [results.of(metric, network, level) - results.of(metric, one, level) for one in results.baselines]
            )
            for metric in ("psnr_db", "ssim")
        }
        both.append([one.low for one in better.values()])
        for metric, words, unit in (("psnr_db", "PSNR", "dB"), ("ssim", "SSIM", "1")):
            verdicts.append(
                _bounded(
                    f"{words} of the {network} above that of every classical baseline, {at}",
                    better[metric],
                    unit,
                    f"least gain over {', '.join(results.baselines)}",
                )
            )
        verdicts += _crater_verdicts(results, network, level, at)
        verdicts += _error_verdicts(results, network, level, at)
    verdicts.insert(0, _one_is_better(both, at))
    return verdicts


def _one_is_better(both: Sequence[Sequence[float | None]], at: str) -> Verdict:
    """Return the verdict that at least one network is better than every baseline in both measures."""
    known = [all(low is not None for low in lows) for lows in both]
    count = sum(all(low is not None and low > 0.0 for low in lows) for lows in both)
    value = float(count) if known and (all(known) or count > 0) else None
    return Verdict(
        name=f"A network better than every classical baseline in PSNR and in SSIM, {at}",
        value=value,
        unit="networks",
        bound=">= 1",
        holds=None if value is None else value >= 1.0,
        why="both gains above 0 at the lower end of their paired 95 % intervals" if value is not None else _FEW,
    )


def _crater_verdicts(results: Results, network: str, level: int, at: str) -> list[Verdict]:
    shown = {one: results.recall(one, level).value or 0.0 for one in results.baselines}
    best = max(shown, key=lambda one: shown[one])
    more = results.rate("invented", network, level) - results.rate("invented", best, level)
    net = results.rate("revealed", network, level) - results.rate("invented", network, level)
    low = more.low
    return [
        Verdict(
            name=f"The {network} is not shown to invent more craters than {best}, {at}",
            value=low,
            unit="1/(100 000 px)",
            bound="<= 0 at the lower end of the difference's 95 % interval",
            holds=None if low is None else low <= 0.0,
            why=_FEW
            if low is None
            else f"difference {more.value:+.2f}, up to {more.high:+.2f}; {best} shows the most of the truth's craters"
            " among the classical baselines",
        ),
        _bounded(
            f"The {network} reveals more craters than it invents, {at}",
            net,
            "1/(100 000 px)",
            "revealed: shown of the truth, less what the raw image shows of it",
        ),
    ]


def _error_verdicts(results: Results, network: str, level: int, at: str) -> list[Verdict]:
    verdicts = []
    for metric, count, (low, high) in (("within_one", "one", WITHIN_ONE), ("within_two", "two", WITHIN_TWO)):
        # Over all levels: an error that is right at one signal alone is of no use.
        levels = range(len(results.measured.electrons))
        values = [results.of(metric, network, one).value for one in levels]
        known = [value for value in values if value is not None]
        mean = float(np.mean(known)) if len(known) == len(values) else None
        verdicts.append(
            Verdict(
                name=f"Truth within {count} of the {network}'s standard errors, all levels",
                value=mean,
                unit="1",
                bound=f"{low:g} to {high:g}",
                holds=None if mean is None else low <= mean <= high,
                why="unknown: no pixel has an error" if mean is None else "share of pixels, mean of the signal levels",
            )
        )
    supported, unsupported = (results.squared(kind, network, level) for kind in ("supported", "unsupported"))
    verdicts.append(
        _bounded(
            f"What the {network} calls supported is nearer to the truth than what it does not, {at}",
            unsupported - supported,
            "1",
            "mean square difference of unsupported less that of supported pixels, range squared",
        )
    )
    return verdicts


_FEW = f"unknown: fewer than {FEWEST_GROUNDS} grounds, or too few pixels or craters of a kind"


def _bounded(name: str, estimate: Estimate, unit: str, why: str) -> Verdict:
    """Return the verdict that the lower end of an interval is above 0."""
    low = estimate.low
    words = _FEW if low is None else f"{why}; {estimate.value:+.3g}, up to {estimate.high:+.3g}"
    return Verdict(
        name=name,
        value=low,
        unit=unit,
        bound="> 0 at the lower end of the 95 % interval",
        holds=None if low is None else low > 0.0,
        why=words,
    )


def _notes(results: Results, evidence: Evidence, *, synthetic: bool) -> list[str]:
    notes = list(NOTES)
    if evidence.absent:
        names = " and ".join(f"{one.name} (package '{one.package}')" for one in evidence.absent)
        notes.append(
            f"Not measured, because it is not installed: {names}. 'Every classical baseline' is every one told here."
        )
    if results.grounds.count < FEWEST_GROUNDS:
        notes.append(f"The scenes show {results.grounds.count} grounds, too few for intervals: no claim can hold.")
    if synthetic:
        notes.append("The ground is a synthetic Moon's; the networks that come with lunarsite learned on the real one.")
    return notes


def _per_km2(results: Results, method: str, level: int) -> Estimate:
    km2 = results.measured.area_km2 / tables.KM2_OF_RATE
    return results.grounds.ratio(results.count("invented", method, level), km2)


def _why(estimate: Estimate) -> str:
    if estimate.value is None:
        return "nothing of the kind in any scene"
    return "" if estimate.within is not None else _FEW.removeprefix("unknown: ")
