"""The record of the scorer: what it reaches beside the plain rule and chance, and what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import ScorerSettings
from lunarsite.site.agreement import Agreement

_WHAT = {
    "in_sample": "on the cells that the scorer was trained on",
    "blocked": "pooled over folds of blocks of the map that were held out",
    "context_blocked": "held out as well, without the families of the rule's inputs (slope, light, shadow, Earth view)",
    "plain_rule": "the rule's smallest margin as a score: perfect by construction",
}
_RANDOM_AUC = 0.5
_SHAP_TOLERANCE = 1e-3
"""Single precision leaves gaps of about 1e-5; more than this is a fault."""


def scorer_record(
    counts: Mapping[str, int],
    agreements: Mapping[str, Agreement],
    importance: Mapping[str, float],
    shared: Mapping[int, float],
    shap_gap: float,
    notes: Sequence[str],
    settings: ScorerSettings,
) -> Record:
    """Return the record.

    Args:
        counts: Cells by name: 'suitable' and 'unsuitable' (both with all inputs known) and 'unranked'.
        agreements: By name, see `_WHAT`.
        importance: Mean absolute SHAP value by feature, log-odds.
        shared: By number of best cells, the share of them that the plain rule puts among its best as well.
        shap_gap: Largest difference of a score and the sum of its SHAP values and bias.
        notes: What else a reader must know.
        settings: The scorer's settings.
    """
    known = counts["suitable"] + counts["unsuitable"]
    metrics = [Metric(name=f"cells_{name}", value=float(count), unit="1") for name, count in counts.items()]
    base_rate = counts["suitable"] / known
    metrics.append(Metric(name="base_rate", value=base_rate, unit="1", why="average precision of a random order"))
    for name, found in agreements.items():
        why = _WHAT[name] + (f"; unknown: {found.why}" if found.why else f"; {found.cells} cells")
        metrics.append(Metric(name=f"auc_{name}", value=found.auc, unit="1", why=why))
        metrics.append(Metric(name=f"average_precision_{name}", value=found.average_precision, unit="1", why=why))
    metrics += [
        Metric(name=f"best_{most}_shared_with_plain_rule", value=share, unit="1") for most, share in shared.items()
    ]
    metrics.append(
        Metric(
            name="shap_gap",
            value=shap_gap,
            unit="log-odds",
            why=f"self-check, no claim: largest |score - bias - sum of SHAP values|; right up to {_SHAP_TOLERANCE:g}",
        )
    )
    context = agreements["context_blocked"].auc
    verdict = Verdict(
        name="Terrain around the rule's inputs tells suitable cells from others on unseen blocks",
        value=context,
        unit="AUC",
        bound=f"> {_RANDOM_AUC:g}, what a random order reaches",
        holds=None if context is None else context > _RANDOM_AUC,
        why=f"blocks of {settings.block_km:g} km; slope, light, Earth view and shadow are left out of the features;"
        " stated after this AUC had been seen as a number",
    )
    rows: list[dict[str, JsonValue]] = [
        {"feature": name, "mean_abs_shap": value} for name, value in sorted(importance.items(), key=lambda kv: -kv[1])
    ]
    always = (
        f"The label is the hard rule '{settings.target}', a function of columns that are features too. An AUC near 1 is"
        " therefore expected and says nothing about how good the ground is to land on.",
        "The score is the model's log-odds. Neither it nor the probability is a calibrated chance of a safe landing.",
        f"Held-out blocks are {settings.block_km:g} km wide, dealt to {settings.folds} folds.",
        "Cells that lack an input of the rule are neither learned from nor ranked.",
    )
    faults: tuple[str, ...] = ()
    if not shap_gap <= _SHAP_TOLERANCE:
        faults = (f"SHAP values and bias miss the score by up to {shap_gap:.2g} log-odds: do not rely on them.",)
    return Record(
        title="Scorer",
        metrics=tuple(metrics),
        verdicts=(verdict,),
        tables={"importance": rows},
        notes=(*faults, *always, *notes),
    )
