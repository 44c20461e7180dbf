"""What the report says of the score's worth: skill on held-out ground beside its baselines, and calibration.

Sentences are made of the record's numbers; none of them is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lunarsite.artefact.record import Record
from lunarsite.publish.report import Table
from lunarsite.publish.score_charts import MODELS, in_order, model_look
from lunarsite.publish.score_checks import headline_km, measures
from lunarsite.publish.words import number_words

_FULL, _CONTEXT = "full", "context"
SPUN: Final = "auc_context_spun"
"""The metric with the null of the context model."""
PICTURES: Final[dict[str, tuple[str, str]]] = {
    "calibration": (
        "Charts of predicted probability against the Monte Carlo probability and against the share of cells that pass"
        " the rule, for each model, with the counts of cells and the calibration errors.",
        "Whether the probability means what it says, on blocks of ground that the models had not seen. On the dashed"
        " line prediction and truth are equal. The score learns the Monte Carlo probability; the hard rule takes the"
        " map as true, so a graded probability must bend about the line on the right.",
    ),
    "blocks": (
        "Charts of the area under the ROC curve and of average precision by the side of the held-out blocks, for each"
        " model beside chance.",
        "Skill on held-out ground by the size of the blocks. Single cells have neighbours among the training cells, so"
        " the first column flatters.",
    ),
    "sweeps": (
        "Charts of the scorer's probability as slope, sunlight or Earth view alone is moved across its limit, with the"
        " band of 10 to 90 % of the cells and the step of the hard rule.",
        "Whether the score is soft: what the scorer makes of cells near the limits as one input alone is moved.",
    ),
    "dependence": (
        "Six charts of the SHAP values of the strongest features against the features' values, as density of cells.",
        "How the score depends on its strongest features: above zero a value speaks for the cell.",
    ),
}
"""Alternative texts and captions, in the order of the report."""


def worth(found: Record) -> tuple[str, ...]:
    """Return what the cross-validation found, in sentences, each with its baselines beside it.

    Raises:
        ArtefactError: The record lacks its table of models or the headline.
    """
    return tuple(_sentences(found))


def _sentences(found: Record) -> Iterator[str]:
    block_km = headline_km(found)
    at_headline = {str(row["model"]): row for row in measures(found) if float(row["block_km"]) == block_km}
    own = at_headline.get(_FULL)
    where = f"on held-out blocks of {block_km:g} km"
    if own is None or own["auc"] is None:
        yield f"What the score is worth {where} is unknown: there was nothing to measure it on."
        return
    yield (
        f"The full model tells cells that pass the rule from cells that fail with an area under the ROC curve of"
        f" {_interval(own, 'auc')} and an average precision of {_interval(own, 'average_precision')} {where}."
        f" Without skill they are 0.5 and {number_words(own['base_rate'])}, the share of cells that pass."
    )
    rivals = [name for name in MODELS if name in at_headline and name != _FULL]
    parts = [
        f"{_interval(at_headline[name], 'auc')} and {_interval(at_headline[name], 'average_precision')} for"
        f" {_spoken(name)}"
        for name in rivals
        if at_headline[name]["auc"] is not None
    ]
    if parts:
        yield (
            f"For comparison: {'; '.join(parts)}. The label is a function of the rule's inputs, so whatever holds them"
            " can tell it; what the model without them reaches is what height, roughness and craters of the cell tell."
        )
    spun = next((metric for metric in found.metrics if metric.name == SPUN), None)
    if spun is not None and spun.value is not None and _CONTEXT in at_headline:
        yield (
            f"The context model's own map, turned about the pole, reaches an AUC of {number_words(spun.value)}"
            f" (95 %: {number_words(spun.low)} to {number_words(spun.high)}): that much comes of latitude alone."
        )
    yield from _calibrated(own, {name: at_headline[name] for name in rivals})
    yield from _by_size(found)


def tables(found: Record) -> tuple[Table, ...]:
    """Return the table of skill and calibration by model and size of blocks, and that of the undecided cells."""
    rows = measures(found)
    main = ("auc", "average_precision", "base_rate", "brier_probability", "brier_label", "ece_probability", "ece_label")
    undecided = tuple(f"undecided_{name}" for name in ("cells", *main[:3], "brier_probability", "ece_probability"))
    captions = (
        "Models on held-out ground. Baselines of average precision: the base rate; of the Brier score: that of the base"
        " rate alone. Against: the Monte Carlo probability (MC), or the hard rule.",
        "The same on the undecided cells alone, on which the forecasts differ.",
    )
    return tuple(
        _measure_table(rows, columns, caption)
        for columns, caption in zip((main, undecided), captions, strict=True)
        if any(row.get(name) is not None for row in rows for name in columns)
    )


_COLUMNS: Final = {
    "cells": "Cells",
    "auc": "AUC",
    "average_precision": "Average precision",
    "base_rate": "Base rate",
    "brier_probability": "Brier score, MC",
    "brier_label": "Brier score, rule",
    "ece_probability": "ECE, MC",
    "ece_label": "ECE, rule",
}


def _measure_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], caption: str) -> Table:
    """Return measures by model and size of blocks; a Brier score comes with that of the base rate beside it."""
    body = []
    names = in_order({str(row["model"]) for row in rows})
    for row in sorted(rows, key=lambda row: (float(row["block_km"]), names.index(str(row["model"])))):
        cells = [model_look(str(row["model"])).words, _size(row)]
        for name in columns:
            base = row.get(name.replace("brier_", "brier_base_")) if "brier_" in name else None
            value = _interval(row, name) if row.get(name) is not None else "unknown"
            cells.append(value if base is None else f"{value}; base {number_words(base)}")
        body.append(tuple(cells))
    heads = tuple(_COLUMNS[name.removeprefix("undecided_")] for name in columns)
    return Table(caption, ("Model", "Held out", *heads), tuple(body), (False, False, *(True for _ in columns)))


def _calibrated(own: Mapping[str, Any], rivals: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if own["ece_probability"] is None or own["ece_label"] is None:
        yield "How well its probability is calibrated is unknown."
        return
    words = (
        f"Its probability is off by {number_words(own['ece_probability'])} on average (ECE) against the Monte Carlo"
        f" probability, and by {number_words(own['ece_label'])} against the hard rule"
    )
    parts = [
        f"{number_words(row['ece_probability'])} and {number_words(row['ece_label'])} for {_spoken(name)}"
        for name, row in rivals.items()
        if row["ece_probability"] is not None and row["ece_label"] is not None
    ]
    yield f"{words}; {'; '.join(parts)}." if parts else f"{words}."
    yield (
        "That is how well the trees copy the Monte Carlo. What its probability is worth on the real Moon was measured"
        " apart, on finer LOLA models for the slope alone (docs/labels.md): ECE 0.003 to 0.010 over all cells, 0.034 to"
        " 0.085 within 1° of the limit, where it promises too much."
    )
    yield (
        "A constant forecast at the base rate would be off by nothing and know nothing: Brier scores beside that of the"
        " base rate, in the table below, tell the two apart."
    )


def _by_size(found: Record) -> Iterator[str]:
    """Return how the skill falls from the smallest to the largest blocks, with and without the rule's inputs."""
    parts = []
    for name in (_FULL, _CONTEXT):
        rows = sorted(
            (row for row in measures(found) if row["model"] == name and row["average_precision"] is not None),
            key=lambda row: float(row["block_km"]),
        )
        if len(rows) > 1:
            first, last = rows[0], rows[-1]
            parts.append(
                f"from {number_words(first['average_precision'])} to {number_words(last['average_precision'])} for"
                f" {_spoken(name)}"
            )
            ends = _size(first), _size(last)
    if parts:
        yield f"From {ends[0]} to {ends[1]} held out, average precision goes {' and '.join(parts)}."


def _spoken(name: str) -> str:
    """Return a model's name within a sentence."""
    words = {"full": "the full model", "context": "the model of context only (height, roughness and craters)"}
    return words.get(name, model_look(name).words)


def _size(row: Mapping[str, Any]) -> str:
    block = float(row["block_km"])
    return "single cells" if block == 0.0 else f"blocks of {block:g} km"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None:
        return number_words(row[name])
    return f"{number_words(row[name])} (95 %: {number_words(low)} to {number_words(high)})"
