"""The record of the scorer: what it learned from, what drives it, how it differs from the plain rule, and its softness.

What it reaches on ground that it never saw stands in the record of the cross-validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import ScorerSettings
from lunarsite.site.score.families import family_of
from lunarsite.site.score.limits import STEPS
from lunarsite.site.score.sweeps import Sweep

MOST_STEP_BACK = 1e-6
"""Largest change in the wrong direction that is rounding."""
MOST_CHANGE = 0.15
"""Largest change of the median between neighbouring values of a sweep that is still gradual."""
_SHARE_OF_CELLS = 0.9
"""Of the single cells' own largest changes, the quantile that is printed beside the median's."""
_SHAP_TOLERANCE = 1e-3
"""Single precision leaves gaps of about 1e-5; more than this is a fault."""
_INPUTS = {"slope": "slope", "light": "sunlight", "earth": "Earth view"}


@dataclass(frozen=True)
class Findings:
    """What the record tells of.

    Attributes:
        counts: Cells by name: 'suitable' and 'unsuitable' (both with all inputs known) and 'unranked'.
        mean_probability: Mean of the Monte Carlo probability over the known cells.
        in_sample: Measures on the cells that the trees were trained on.
        importance: Mean absolute SHAP value by feature, log-odds.
        shared: By number of best cells, the share of them that the plain rule puts among its best as well.
        shap_gap: Largest difference of a score and the sum of its SHAP values and bias.
        sweeps: The scorer, swept across the rule's limits.
        stepped: The same of trees that learned the hard label without constraints, as the reference system does.
    """

    counts: Mapping[str, int]
    mean_probability: float
    in_sample: Mapping[str, float | None]
    importance: Mapping[str, float]
    shared: Mapping[int, float]
    shap_gap: float
    sweeps: Sequence[Sweep]
    stepped: Sequence[Sweep]


def scorer_record(found: Findings, notes: Sequence[str], settings: ScorerSettings) -> Record:
    """Return the record; `notes` are what else a reader must know."""
    known = found.counts["suitable"] + found.counts["unsuitable"]
    metrics = [Metric(name=f"cells_{name}", value=float(count), unit="1") for name, count in found.counts.items()]
    base_rate = found.counts["suitable"] / known
    trained_on = "on the cells that the scorer was trained on"
    metrics += [
        Metric(name="base_rate", value=base_rate, unit="1", why="share of known cells that pass the hard rule"),
        Metric(name="mean_probability", value=found.mean_probability, unit="1", why="of the Monte Carlo probability"),
        Metric(name="auc_in_sample", value=found.in_sample["auc"], unit="1", why=trained_on),
        Metric(
            name="brier_probability_in_sample", value=found.in_sample["brier_probability"], unit="1", why=trained_on
        ),
    ]
    metrics += [
        Metric(name=f"best_{most}_shared_with_plain_rule", value=share, unit="1")
        for most, share in found.shared.items()
    ]
    metrics += [
        Metric(
            name="shap_gap",
            value=found.shap_gap,
            unit="log-odds",
            why=f"self-check, no claim: largest |score - bias - sum of SHAP values|; right up to {_SHAP_TOLERANCE:g}",
        ),
        *(metric for sweep in found.sweeps for metric in _sweep_metrics(sweep)),
    ]
    verdicts = []
    for sweep, stepped in zip(found.sweeps, found.stepped, strict=True):
        verdicts += [_monotone(sweep, stepped), _gradual(sweep, stepped)]
    always = (
        f"The trees learn the Monte Carlo probability of the hard rule '{settings.target}', which rests on columns that"
        " are features too: what they know of it beyond those columns is told by the cross-validation alone.",
        "The probability is that of keeping the rule, as uncertain as its inputs are. It is no chance of safe landing.",
        "Cells that lack an input of the rule are neither learned from nor ranked.",
    )
    faults: tuple[str, ...] = ()
    if not found.shap_gap <= _SHAP_TOLERANCE:
        faults = (f"SHAP values and bias miss the score by up to {found.shap_gap:.2g} log-odds: do not rely on them.",)
    return Record(
        title="Scorer",
        metrics=tuple(metrics),
        verdicts=tuple(verdicts),
        tables={"importance": _importance(found.importance)},
        notes=(*faults, *always, *notes),
    )


def _importance(importance: Mapping[str, float]) -> list[dict[str, JsonValue]]:
    ordered = sorted(importance.items(), key=lambda item: -item[1])
    return [{"feature": name, "family": family_of(name).name, "mean_abs_shap": value} for name, value in ordered]


def _cells_words(sweep: Sweep) -> str:
    where = f"within {sweep.value[-1] - sweep.limit:g} {sweep.unit} of the limit of {sweep.limit:g} {sweep.unit}"
    if not sweep.probability.shape[1]:
        return f"unknown: no cell lies {where} and keeps the other two limits"
    return f"{sweep.probability.shape[1]} cells {where} that keep the other two limits"


def _sweep_metrics(sweep: Sweep) -> tuple[Metric, Metric, Metric]:
    """Return the largest change in a step of the cells' median, of single cells, and of what is learned."""
    step = f"in a step of {sweep.step:.3g} {sweep.unit}"
    name = f"sweep_{sweep.name}_largest_change"
    learned = "of the Monte Carlo probability of cells that clear the other two limits"
    return (
        Metric(name=name, value=sweep.largest_change(), unit="1", why=f"of the median, {step}; {_cells_words(sweep)}"),
        Metric(
            name=f"{name}_of_cells",
            value=sweep.largest_change_of_cells(_SHARE_OF_CELLS),
            unit="1",
            why=f"of a cell's own probability {step}: {100 * _SHARE_OF_CELLS:g} % of the cells have no larger one",
        ),
        Metric(
            name=f"{name}_of_learned",
            value=sweep.learned_change,
            unit="1",
            why=f"{learned}, {step}: what a perfect score would have"
            if sweep.learned_change is not None
            else f"{learned}; unknown: too few of them are near the limit",
        ),
    )


def _monotone(sweep: Sweep, stepped: Sweep) -> Verdict:
    value, other = sweep.largest_step_back(), stepped.largest_step_back()
    never = "rises" if sweep.direction < 0 else "falls"
    beside = "" if other is None else f"; {other:.3g} for trees of the hard label without constraints"
    return Verdict(
        name=f"The score never {never} as {_INPUTS[sweep.name]} alone grows",
        value=value,
        unit="1",
        bound=f"<= {MOST_STEP_BACK:g}",
        holds=None if value is None else value <= MOST_STEP_BACK,
        why=f"largest change of any cell's probability against the direction; {_cells_words(sweep)}, each given {STEPS}"
        f" values{beside}",
    )


def _gradual(sweep: Sweep, stepped: Sweep) -> Verdict:
    value, other = sweep.largest_change(), stepped.largest_change()
    beside = "" if other is None else f"; {other:.2f} for trees of the hard label without constraints"
    learned = "" if sweep.learned_change is None else f"; {sweep.learned_change:.2f} for the probability it learns"
    single = sweep.largest_change_of_cells(_SHARE_OF_CELLS)
    cells = "" if single is None else f"; single cells: {single:.2f} at most for {100 * _SHARE_OF_CELLS:g} % of them"
    return Verdict(
        name=f"The score changes gradually across the limit of {_INPUTS[sweep.name]}",
        value=value,
        unit="1",
        bound=f"<= {MOST_CHANGE:g} in a step of {sweep.step:.3g} {sweep.unit}",
        holds=None if value is None else value <= MOST_CHANGE,
        why=f"largest change of the median probability between neighbouring values; {_cells_words(sweep)}{learned}"
        f"{cells}{beside}",
    )
