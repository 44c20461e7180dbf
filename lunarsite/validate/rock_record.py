"""The record of rocks: what is claimed, under which bounds, and what it means.

Bounds were written down before what they bound was measured; docs/validate.md, 'Changed after a result', tells what was
not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.rock import RockReferenceSettings
from lunarsite.validate import rock_tables as tables
from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.validate.rock_baselines import described
from lunarsite.validate.rock_disc_record import disc_metrics, disc_rows, disc_verdict, unmeasured
from lunarsite.validate.rock_discs import SafeDiscs
from lunarsite.validate.rock_doubts import Kinds, detection_rows, flagged, spread_rows
from lunarsite.validate.rock_groups import HELD_OUT, OWN, PHOTOGRAPHS
from lunarsite.validate.rock_hazards import DIAMETERS_M, Sizes
from lunarsite.validate.rock_predict import (
    DELIVERED,
    ENSEMBLE,
    GIVEN,
    SINGLE,
    SINGLE_SCALED,
    Predictor,
    delivered_words,
)
from lunarsite.validate.rock_results import CLASSICAL, MAJORITY, NO_ROCKS
from lunarsite.validate.rock_strangers import ORBITAL, RENDERED
from lunarsite.validate.rock_tables import Figures, Rows, told
from lunarsite.vision.rock.ablation_record import GAP, GAP_PLAIN, unknown_gap
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES
from lunarsite.vision.rock.hazard import DOUBTFUL, SURE
from lunarsite.vision.rock.network import Method
from lunarsite.vision.rock.scores import ABOVE_ZERO, FEW_SCENES, SignTest, sign_test
from lunarsite.vision.rock.sizes import LEAST_WIDTH_PX

MOST_ECE = 0.03
"""Of the best method on renders that no training saw."""
NO_ORBIT = "unknown: the run has no images from orbit"
NO_VARIANTS = "unknown: the run trains no variants (rock.ablate)"
LEAST_CAUGHT, MOST_ALARMS = 0.9, 0.15
"""Shares of images from orbit and of renders that are called out of distribution; the limit is meant for 0.05."""
TITLE = "Rocks in images from the ground: right, sure, and aware of the unknown"
NOTES = (
    "Everything is measured on scenes that the model's weights neither learned from nor were chosen by. Groups are"
    " never mixed: masks of renders leave out tiny rocks, those of photographs are drawn by hand and leave out others.",
    "Figures are those of pixels pooled over images, at the images' own size; unknown pixels do not count. Intervals"
    " are 2.5 and 97.5 % points over draws of scenes, images of one scene together; differences use the same draws."
    f" With {FEW_SCENES} scenes or fewer they are too narrow: a claim of a higher mIoU then needs every scene to be"
    " better as well, which happens by chance once in 2^n (sign test).",
    "'majority' says of each place of the picture what is most frequent there in other scenes; 'no rocks' says sky of"
    " what is black and reaches the top and ground of all else, as sure of it as it is right on validation images;"
    " 'classical' takes dark sky and bright spots, with parameters from validation images.",
    "'single' is the first member, 'ensemble' the members' mean probability, 'scaled' with the temperature of the"
    " model's card, 'dropout' the mean of Monte Carlo dropout's passes of the first member. The mean of the members'"
    " own figures is told beside the ensemble's: they are different things.",
    "ECE has bins of equal width and is of the class that is said; by class it is of each class's own probability. The"
    " best method is picked on what it is measured on, which flatters it a little. ECE alone says nothing of rocks:"
    " 'no rocks' has a small one too.",
    "Out of distribution: pictures alone are asked, never masks. 'brightness' and 'contrast' are rivals without a"
    " network: the distance of grey level and of its deviation from the renders' medians. Photographs of the training"
    " scenes may have taught the model, so that photographs need not be unfamiliar to it.",
    "An image that shows no ground is not judged: it is not called out of distribution, and where statistics tell kinds"
    " apart it counts as the least doubtful.",
    "Handing over: the most doubtful pixels, or whole images, go to a human, and the error is that of the rest."
    " 'oracle' hands over what is wrong, 'random' anything.",
)


@dataclass(frozen=True)
class Evidence:
    """All that is judged."""

    figures: Sequence[Figures]
    kinds: Kinds
    predictor: Predictor
    sizes: Sizes | None
    discs: SafeDiscs | None
    ablation: Record | None


def judge(evidence: Evidence, reference: RockReferenceSettings, *, synthetic: bool) -> Record:
    """Return the record."""
    figures = evidence.figures
    statistic = evidence.predictor.limit[0]
    detected = detection_rows(evidence.kinds, reference)
    own = {
        "segmentation": tables.joined([tables.segmentation_rows(one) for one in figures]),
        "calibration": tables.joined([tables.calibration_rows(one, evidence.predictor) for one in figures]),
        "reliability": tables.joined([tables.reliability_rows(one) for one in figures]),
        "reliability_by_class": tables.joined([tables.reliability_by_class_rows(one) for one in figures]),
        "differences": tables.joined([tables.difference_rows(one) for one in figures]),
        "members": tables.joined([tables.member_rows(one) for one in figures]),
        "out_of_distribution": detected,
        "unfamiliarity": spread_rows(evidence.kinds, statistic, reference),
        "risk_coverage": tables.joined([tables.risk_rows(one) for one in figures]),
        "risk_coverage_images": tables.joined([tables.image_risk_rows(one) for one in figures]),
        "aurc": tables.joined([tables.area_rows(one) for one in figures]),
        "sizes": _size_rows(evidence.sizes),
        "safe_discs": disc_rows(evidence.discs),
        "rock_area": tables.joined([_area_rows(one) for one in figures]),
        "parameters": [_parameter_row(one) for one in figures],
    }
    unknown = tuple(unknown_gap(NO_VARIANTS, name) for name in (GAP_PLAIN, GAP))
    taken_in = evidence.ablation or Record(title="", verdicts=unknown)
    made = Record(
        title=TITLE,
        metrics=tuple(_metrics(evidence)),
        verdicts=tuple(_verdicts(evidence, detected, reference)),
        tables=own,
        notes=tuple(_notes(evidence, synthetic=synthetic)),
    )
    # Sums of millions of numbers differ in their last digits with the memory's layout; the record must not.
    made = Record.model_validate(_rounded(made.model_dump()))
    return Record(
        title=TITLE,
        metrics=made.metrics,
        verdicts=(*made.verdicts, *taken_in.verdicts),
        tables={**taken_in.tables, **made.tables},
        notes=(*made.notes, *taken_in.notes),
    )


_LEAST = 1e-9


def _rounded(value: Any) -> Any:
    """Return a value with every number in it rounded to six digits that count."""
    if isinstance(value, float):
        # What is left of a difference of equal numbers is rounding.
        return float(f"{value:.6g}") if abs(value) >= _LEAST else 0.0
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _metrics(evidence: Evidence) -> list[Metric]:
    statistic, limit = evidence.predictor.limit
    metrics = [
        Metric(
            name="unfamiliarity_limit",
            value=limit,
            unit="1",
            why=f"{statistic} of an image, on the model's card; images above it are out of distribution",
        )
    ]
    for one in evidence.figures:
        key = one.measured.name.replace(" ", "_").replace("-", "_")
        found = (
            ("miou", one.mious[DELIVERED], "mean IoU of the calibrated ensemble"),
            ("ece", one.eces[DELIVERED], "expected calibration error of the calibrated ensemble"),
            ("error", one.error, "share of wrong pixels of the calibrated ensemble"),
        )
        metrics.append(Metric(name=f"scenes_{key}", value=float(one.draws.count), why="scenes measured"))
        metrics += [
            Metric(name=f"{name}_{key}", value=value.value, unit="1", low=value.low, high=value.high, why=why)
            for name, value, why in found
        ]
    if evidence.sizes is not None:
        for name, count in (("true", evidence.sizes.true_rocks), ("found", evidence.sizes.found_rocks)):
            why = f"rocks at least {LEAST_WIDTH_PX:g} px wide with a size in metres"
            metrics.append(Metric(name=f"rocks_{name}", value=float(count), why=why))
    return metrics + disc_metrics(evidence.discs)


def _verdicts(evidence: Evidence, detected: Rows, reference: RockReferenceSettings) -> list[Verdict]:
    verdicts: list[Verdict] = []
    method = evidence.predictor.method
    for one in evidence.figures:
        name = one.measured.name
        if name in (HELD_OUT, OWN):
            verdicts += [
                _no_worse("The ensemble", one.eces[ENSEMBLE] - one.eces[SINGLE], name),
                _no_worse("Temperature scaling", one.eces[SINGLE_SCALED] - one.eces[SINGLE], name),
                _best(one, method),
            ]
        for baseline, words in _RIVALS:
            ours, theirs = (one.measured.confusions(method)[None] for method in (DELIVERED, baseline))
            sign = sign_test(ours, theirs, one.measured.scenes)
            gain = one.mious[DELIVERED] - one.mious[baseline]
            verdicts.append(_above(f"mIoU above {words}, {name}", gain, one.mious[baseline], sign))
    statistic = evidence.predictor.limit[0]
    verdicts.append(disc_verdict(evidence.discs, method))
    return verdicts + _told_apart(evidence.kinds, detected, statistic) + _aware(evidence.kinds, reference)


_RIVALS = (
    (MAJORITY, "the majority map's"),
    (NO_ROCKS, "that of no rocks at all"),
    (CLASSICAL, "the classical baseline's"),
)


def _told_apart(kinds: Kinds, detected: Rows, statistic: str) -> list[Verdict]:
    """Return the verdicts on the card's statistic: whether images from orbit have more of it than the familiar."""
    bound = "> 0.5 at the lower end of the 95 % interval"
    told_kinds = [kind for kind in (RENDERED, ORBITAL) if kind in kinds.facts]
    if not told_kinds:
        name = f"Images from orbit are told from {kinds.against} by {statistic}"
        return [Verdict(name=name, value=None, bound=bound, holds=None, why=NO_ORBIT)]
    return [_auroc_verdict(kind, kinds.against, statistic, detected, bound) for kind in told_kinds]


def _auroc_verdict(kind: str, against: str, statistic: str, detected: Rows, bound: str) -> Verdict:
    row = next(one for one in detected if (one["images"], one["statistic"]) == (kind, statistic))
    low = row["auroc_low"]
    known = low if isinstance(low, float) else None
    return Verdict(
        name=f"{kind[0].upper()}{kind[1:]} are told from {against} by {statistic}",
        value=known,
        unit="1",
        bound=bound,
        holds=None if known is None else known > 0.5,
        why=_FEW
        if known is None
        else f"AUROC {row['auroc']:.3f}, up to {row['auroc_high']:.3f}; 0.5 is chance; pictures are asked, never masks",
    )


def _aware(kinds: Kinds, reference: RockReferenceSettings) -> list[Verdict]:
    """Return the verdicts on the card's limit: what it catches, and its false alarms."""
    verdicts = []
    for kind in (RENDERED, ORBITAL):
        if kind in kinds.facts:
            share = flagged(kinds, kind, reference).value
            verdicts.append(
                Verdict(
                    name=f"{kind[0].upper()}{kind[1:]} are called out of distribution",
                    value=share,
                    unit="1",
                    bound=f">= {LEAST_CAUGHT:g}",
                    holds=None if share is None else share >= LEAST_CAUGHT,
                    why=f"share of {len(kinds.facts[kind])} images beyond the card's limit; they are views from above",
                )
            )
    if not verdicts:
        name = "Images from orbit are called out of distribution"
        verdicts = [Verdict(name=name, value=None, bound=f">= {LEAST_CAUGHT:g}", holds=None, why=NO_ORBIT)]
    alarms = flagged(kinds, kinds.against, reference)
    verdicts.append(
        Verdict(
            name=f"{kinds.against.capitalize()} are not called out of distribution",
            value=alarms.value,
            unit="1",
            bound=f"<= {MOST_ALARMS:g}",
            holds=None if alarms.value is None else alarms.value <= MOST_ALARMS,
            why=f"false alarms, as a share of {len(kinds.facts[kinds.against])} images; the limit is meant for 0.05",
        )
    )
    return verdicts


_FEW = f"unknown: fewer than {FEWEST_SCENES} scenes"


def _no_worse(words: str, difference: Estimate, group: str) -> Verdict:
    known = difference.value if difference.within is not None else None
    told_words = _FEW if known is None else f"interval {difference.low:+.4f} to {difference.high:+.4f}, paired"
    return Verdict(
        name=f"{words} is no worse in ECE than the single network, {group}",
        value=known,
        unit="1",
        bound="<= 0 (the value, not its interval)",
        holds=None if known is None else known <= 0.0,
        why=f"{told_words}; difference of the calibration errors",
    )


def _best(figures: Figures, method: Method) -> Verdict:
    values = {name: figures.eces[name] for name in figures.measured.methods}
    known = {name: one for name, one in values.items() if one.value is not None and one.within is not None}
    name = f"ECE of the best method, {figures.measured.name}"
    bound = f"<= {MOST_ECE:g}"
    if not known:
        return Verdict(name=name, value=None, unit="1", bound=bound, holds=None, why=_FEW)
    best = min(known, key=lambda one: known[one].value or 0.0)
    value = known[best].value
    why = (
        f"'{best}', {known[best].low:.4f} to {known[best].high:.4f}; '{GIVEN[method]}', which users get"
        f"{' with a temperature of its own' if method == 'dropout' else ''}, has {_ece_words(figures, GIVEN[method])};"
        f" '{NO_ROCKS}', which finds none, has {_ece_words(figures, NO_ROCKS)}"
    )
    return Verdict(name=name, value=value, unit="1", bound=bound, holds=(value or 0.0) <= MOST_ECE, why=why)


def _ece_words(figures: Figures, method: str) -> str:
    value = figures.eces[method].value if method in figures.eces else None
    return "an unknown one" if value is None else f"{value:.4f}"


def _above(name: str, gain: Estimate, over: Estimate, sign: SignTest) -> Verdict:
    low = gain.low
    why = _FEW if low is None or over.value is None else f"gain {gain.value:+.3f}, up to {gain.high:+.3f}; {sign.words}"
    if low is not None and over.value is not None:
        why += f"; that one's mIoU is {over.value:.3f}"
    bound = ABOVE_ZERO if low is None else sign.bound
    holds = None if low is None else low > 0.0 and sign.suffices
    return Verdict(name=name, value=low, unit="1", bound=bound, holds=holds, why=why)


def _size_rows(sizes: Sizes | None) -> Rows:
    if sizes is None:
        return []
    return [
        {"diameter_m": diameter, **told("truth_per_m2", true), **told("found_per_m2", found)}
        for diameter, true, found in zip(DIAMETERS_M, sizes.true, sizes.found, strict=True)
    ]


def _area_rows(figures: Figures) -> Rows:
    return [
        {
            "group": figures.measured.name,
            "scene": one.name,
            "truth_share": tables.known(one.area.truth),
            "share": tables.known(one.area.given),
            "share_low": tables.known(one.area.low),
            "share_high": tables.known(one.area.high),
        }
        for one in figures.measured.results
    ]


def _parameter_row(figures: Figures) -> dict[str, JsonValue]:
    measured = figures.measured
    return {
        "group": measured.name,
        "baseline": CLASSICAL,
        "parameters": described(measured.parameters),
        "validation_images": len(measured.group.choosing),
        "validation_miou": measured.chosen_score,
    }


def _notes(evidence: Evidence, *, synthetic: bool) -> list[str]:
    notes = [*NOTES, _delivery(evidence.predictor.method)]
    for one in evidence.figures:
        name = one.measured.name
        if one.draws.count < FEWEST_SCENES:
            notes.append(
                f"{name.capitalize()} show {one.draws.count} scenes, too few for intervals: no claim can hold."
            )
        if one.measured.chosen_score is None:
            notes.append(
                f"No image of the {name} was left to choose the classical baseline's parameters on, nor to tell how"
                " sure 'no rocks' may be: it has no calibration."
            )
    if not any(one.measured.name == HELD_OUT for one in evidence.figures):
        notes.append(
            "The run has no dataset: familiar images are lunarsite's own renders, which a model that learned from the"
            " dataset need not know."
        )
    if not any(one.measured.name == PHOTOGRAPHS for one in evidence.figures):
        notes.append("The run has no photographs: nothing here says how well real ones are segmented.")
    if evidence.sizes is not None:
        notes.append(
            f"Sizes: rocks at least {LEAST_WIDTH_PX:g} px wide, over level ground, each standing for the ground on"
            " which it would look so wide; scenes that are not known to be familiar are left out. True rocks count"
            " if a part of them shows."
        )
    if evidence.discs is not None:
        notes.append(
            f"Safe discs: ground of own renders, in square metres if it is level, whose disc of"
            f" {evidence.discs.radius_m:g} m lies whole in the picture; rocks are those of the masks, and scenes that"
            " are not known to be familiar, which have no safe ground, are left out."
        )
    notes.append(
        f"Rock area is a share of the picture's ground. Its ends: only pixels that are rock with a probability of"
        f" {SURE:g} and more, and all with {DOUBTFUL:g} and more."
    )
    if synthetic:
        notes.append("Renders made by lunarsite stand for the ground of a synthetic Moon.")
    return notes


def _delivery(method: Method) -> str:
    """Return what users of the run get, and what is not measured of it."""
    given = delivered_words(method)
    if method == "ensemble":
        return f"The run delivers by {given}: that is what users get."
    return (
        f"The run delivers by {given} (rock.inference.method: {method}): that is what users get. What is told of the"
        " calibrated ensemble, of doubt, of unfamiliar images with their limit and of rock area is the ensemble's all"
        f" the same. Sizes and safe discs are not measured: {unmeasured(method)}."
    )
