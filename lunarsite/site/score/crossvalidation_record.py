"""The record of the cross-validation: the score on held-out ground beside baselines, base rates and nulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import CrossValidationSettings, ScorerSettings
from lunarsite.site.score.measures import BINS, UNDECIDED

Row = Mapping[str, Any]

MOST_ECE = 0.03
"""The bound of the calibration, set before any figure was known."""
_WHAT = {
    "full": "the scorer",
    "context": "the same of mean height, roughness and craters of the cell alone",
    "logistic": "logistic regression on the rule's three inputs, their squares and products",
    "margin": "the rule's smallest margin, turned to a probability by isotonic regression",
}
_MEASURES = {
    "auc": "1",
    "average_precision": "1",
    "brier_probability": "1",
    "brier_label": "1",
    "ece_probability": "1",
    "ece_label": "1",
}


def crossvalidation_record(
    rows: Sequence[Row],
    why: str,
    spun: NDArray[np.floating] | None,
    scorer: ScorerSettings,
    settings: CrossValidationSettings,
) -> Record:
    """Return the record.

    Args:
        rows: Measures by model and size of blocks, see `model_rows`.
        why: Why the headline's blocks could not be used, or ''.
        spun: AUC of the context model's map spun about the pole.
        scorer: Settings of the scorer.
        settings: Of the blocks and folds.
    """
    at = f"held-out blocks of {settings.headline_block_km:g} km"
    by_model: dict[str, Row] = {row["model"]: row for row in rows if row["block_km"] == settings.headline_block_km}
    metrics = [Metric(name="headline_block_km", value=settings.headline_block_km, unit="km")]
    for model, what in _WHAT.items():
        row = by_model.get(model, {})
        for name, unit in _MEASURES.items():
            words = f"{what}; {at}" if row else f"{what}; unknown: {why}"
            ends = {"low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}
            if name.startswith("ece") and row:
                words += "; no interval: drawing blocks anew only adds to a sum of distances"
            metrics.append(Metric(name=f"{name}_{model}", value=row.get(name), unit=unit, why=words, **ends))
    full = by_model.get("full", {})
    for truth, words in (("probability", "the mean Monte Carlo probability"), ("label", "the share that passes")):
        metrics.append(
            Metric(name=f"brier_base_{truth}", value=full.get(f"brier_base_{truth}"), unit="1", why=f"of {words} alone")
        )
    metrics.append(Metric(name="base_rate", value=full.get("base_rate"), unit="1", why="precision of a random order"))
    if spun is not None:
        low, middle, high = np.quantile(spun, (0.025, 0.5, 0.975)).tolist()
        told = f"the context model's map spun about the pole {spun.size} times"
        metrics.append(Metric(name="auc_context_spun", value=middle, unit="1", low=low, high=high, why=told))
    verdicts = (
        _calibrated(by_model, "probability", "", f"the Monte Carlo probability on {at}", why),
        _calibrated(by_model, "label", "", f"the hard rule's label on {at}", why),
        _calibrated(by_model, "probability", "undecided_", f"the probability of undecided cells on {at}", why),
        _better(by_model, at, why),
        _context(by_model, spun, at, why),
    )
    table = [cast("dict[str, JsonValue]", dict(row)) for row in rows]
    return Record(
        title="The score on held-out ground",
        metrics=tuple(metrics),
        verdicts=verdicts,
        tables={"models": table},
        notes=_notes(by_model, why, scorer, settings),
    )


def _calibrated(by_model: Mapping[str, Row], truth: str, prefix: str, words: str, why: str) -> Verdict:
    name = f"{prefix}ece_{truth}"
    found = by_model.get("full", {}).get(name)
    others = ", ".join(
        f"{model} {row[name]:.2g}" for model, row in by_model.items() if model != "full" and row[name] is not None
    )
    brier, base = (by_model.get("full", {}).get(f"{prefix}{kind}_{truth}") for kind in ("brier", "brier_base"))
    beside = (
        f"expected calibration error over {BINS} bins of equal width; baselines: {others}; a constant forecast has 0"
        f" but a Brier score of {base:.2g}, the scorer {brier:.2g}"
        if found is not None and base is not None and brier is not None
        else why or "no such cell"
    )
    return Verdict(
        name=f"The scorer's probability is calibrated against {words}",
        value=found,
        unit="ECE",
        bound=f"<= {MOST_ECE:g}",
        holds=None if found is None else bool(found <= MOST_ECE),
        why=beside,
    )


def _better(by_model: Mapping[str, Row], at: str, why: str) -> Verdict:
    scores = {model: row["brier_probability"] for model, row in by_model.items()}
    rivals = {model: scores[model] for model in ("logistic", "margin") if model in scores}
    if "full" not in scores or not rivals:
        value, holds, bound = None, None, "< the better baseline's"
    else:
        best = min(rivals, key=lambda model: float(rivals[model]))
        value, holds = scores["full"], bool(scores["full"] < rivals[best])
        bound = f"< {rivals[best]:.5f}, {_WHAT[best]}"
        why = "mean square error of the probability; baselines: " + ", ".join(f"{m} {v:.5f}" for m, v in rivals.items())
    name = f"The scorer forecasts the Monte Carlo probability better than the baselines on {at}"
    return Verdict(name=name, value=value, unit="Brier score", bound=bound, holds=holds, why=why)


def _context(by_model: Mapping[str, Row], spun: NDArray[np.floating] | None, at: str, why: str) -> Verdict:
    auc = by_model.get("context", {}).get("auc")
    least, told = 0.5, why
    if auc is not None and spun is not None:
        least = max(0.5, float(np.quantile(spun, 0.975)))
        p_value = (1.0 + float((spun >= auc).sum())) / (1.0 + spun.size)
        told = (
            "slope, light, shadow and Earth view are left out of the features, and so are spread, least and largest of"
            " a cell's heights, which give its slope away; the bound is the 97.5 % quantile of its own map spun about"
            f" the pole, which keeps latitude (p = {p_value:.3f}), and at least 0.5"
        )
    return Verdict(
        name=f"Mean height, roughness and craters of a cell tell suitable cells from others on {at}",
        value=auc,
        unit="AUC",
        bound=f"> {least:.3f}",
        holds=None if auc is None else bool(auc > least),
        why=told,
    )


def _margin_words(by_model: Mapping[str, Row]) -> str:
    own, margin = (by_model.get(model, {}).get("ece_probability") for model in ("full", "margin"))
    if own is None or margin is None:
        return ""
    than = "lower still" if margin < own else "higher"
    return f" (ECE {own:.2g}; that of the margin, which is fitted to it, is {than}: {margin:.2g})"


def _notes(
    by_model: Mapping[str, Row], why: str, scorer: ScorerSettings, settings: CrossValidationSettings
) -> tuple[str, ...]:
    notes = [
        f"Rule '{scorer.target}'. Blocks are dealt to {settings.folds} folds; 0 km deals single cells at random, which"
        " flatters: neighbours are alike.",
        "The hard label is a function of three of the full model's features, and the margin is that function. Their AUC"
        " near 1 is expected and says nothing about how good the ground is to land on.",
        "The scorer learns the Monte Carlo probability. The hard label takes the map as true: among undecided cells it"
        " is a step where the probability is graded, so calibration against it is poor there by construction.",
        "Calibration against the Monte Carlo probability tells how well the trees copy it on ground they never saw, and"
        f" no more{_margin_words(by_model)}. What that probability is worth on real ground was measured on windows of"
        " finer LOLA heights (docs/labels.md): an ECE of 0.003 to 0.010 over all cells, and of 0.03 to 0.085 over those"
        " within 1 degree of the limit of slope.",
    ]
    if settings.dead_zone_km:
        share = by_model.get("full", {}).get("trained_share")
        left = "" if share is None else f"; on the headline's blocks {100.0 * share:.0f} % of the others remain"
        notes.append(
            f"Cells closer than {settings.dead_zone_km:g} km to a held-out block are not trained on{left}. Single cells"
            " at random (0 km) have no such zone."
        )
    if not settings.context_everywhere:
        notes.append(
            "The context model is measured on single cells and on the headline's blocks only, for the time it takes"
            " (site.crossvalidation.context_everywhere)."
        )
    full = by_model.get("full")
    if full is not None:
        share = full["undecided_cells"] / full["cells"]
        notes.append(
            f"{100.0 * share:.1f} % of the cells are undecided (Monte Carlo probability {UNDECIDED[0]:g} to"
            f" {UNDECIDED[1]:g}); any forecast is right on most others, so the columns 'undecided_' count more."
        )
    if why:
        notes.insert(0, f"The headline is unknown: {why}.")
    return tuple(notes)
