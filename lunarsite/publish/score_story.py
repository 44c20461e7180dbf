"""What the report says of the score's worth: skill on held-out ground beside its baselines, and calibration.

Sentences are made of the record's numbers; none of them is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lunarsite.artefact.record import Record
from lunarsite.publish.score_charts import MODELS, model_look
from lunarsite.publish.score_checks import headline_km, measures
from lunarsite.publish.words import number_words

_FULL, _CONTEXT = "full", "context"
PICTURES: Final[dict[str, tuple[str, str]]] = {
    "calibration": (
        "Charts of predicted probability against the Monte Carlo probability and against the share of cells that pass"
        " the rule, for each model, with the counts of cells and the calibration errors.",
        "Whether the probability means what it says, on blocks of ground that the models had not seen. On the dashed"
        " line prediction and truth are equal.",
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
        f" {model_look(name).words}"
        for name in rivals
        if at_headline[name]["auc"] is not None
    ]
    if parts:
        yield (
            f"For comparison: {'; '.join(parts)}. The label is a function of the rule's inputs, so whatever holds them"
            " can tell it; what the model without them reaches is what the terrain around tells."
        )
    yield from _calibrated(own, {name: at_headline[name] for name in rivals})
    yield from _by_size(found)


def _calibrated(own: Mapping[str, Any], rivals: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if own["ece_probability"] is None or own["ece_label"] is None:
        yield "How well its probability is calibrated is unknown."
        return
    words = (
        f"Its probability is off by {number_words(own['ece_probability'])} on average (ECE) against the Monte Carlo"
        f" probability, and by {number_words(own['ece_label'])} against the hard rule"
    )
    parts = [
        f"{number_words(row['ece_probability'])} and {number_words(row['ece_label'])} for {model_look(name).words}"
        for name, row in rivals.items()
        if row["ece_probability"] is not None and row["ece_label"] is not None
    ]
    yield f"{words}; {'; '.join(parts)}." if parts else f"{words}."


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
                f" {model_look(name).words}"
            )
            ends = _size(first), _size(last)
    if parts:
        yield f"From {ends[0]} to {ends[1]} held out, average precision goes {' and '.join(parts)}."


def _size(row: Mapping[str, Any]) -> str:
    block = float(row["block_km"])
    return "single cells" if block == 0.0 else f"blocks of {block:g} km"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None:
        return number_words(row[name])
    return f"{number_words(row[name])} (95 %: {number_words(low)} to {number_words(high)})"
