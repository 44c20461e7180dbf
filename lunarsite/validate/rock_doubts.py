"""Whether the model knows what it does not know: tables of unfamiliar images against familiar ones.

Familiar are renders that no training saw. Rivals need no network: how far an image's mean grey level, the deviation of
its grey levels, and its share of black, lie from the medians of the renders that choose parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.rock import RockReferenceSettings
from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.validate.rock_intervals import Draws
from lunarsite.validate.rock_results import DISTANCE, ENTROPY, INFORMATION, RIVALS, Facts, Measured
from lunarsite.validate.rock_tables import Rows, told
from lunarsite.validate.rock_unfamiliar import detection

Floats = NDArray[np.float64]

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Kinds:
    """Images by kind, and which kind is the familiar one."""

    facts: Mapping[str, Sequence[Facts]]
    against: str
    familiar_grey: Sequence[Mapping[str, float]]
    """Brightness, contrast and share of black of renders that choose."""

    def values(self, kind: str, statistic: str) -> Floats:
        """Return a statistic of each image of a kind, (n,); a rival is a distance, NaN if nothing says from what."""
        found = [{**one.values, **one.below_sky}[statistic] for one in self.facts[kind]]
        values = np.array(found, dtype=np.float64)
        if statistic not in RIVALS:
            return values
        if not self.familiar_grey:
            return np.full(values.shape, np.nan)
        return np.abs(values - float(np.median([one[statistic] for one in self.familiar_grey])))

    def scenes(self, kind: str) -> list[str]:
        """Return the scene of each image of a kind."""
        return [one.scene for one in self.facts[kind]]


def gathered(groups: Sequence[Measured], strangers: Mapping[str, Sequence[Facts]]) -> Kinds:
    """Return all kinds of images; the first group of renders is the familiar one."""
    familiar = groups[0]
    facts = {one.name: [result.facts for result in one.results] for one in groups}
    return Kinds({**facts, **strangers}, familiar.name, familiar.familiar)


def detection_rows(kinds: Kinds, reference: RockReferenceSettings) -> Rows:
    """AUROC and false alarms of each statistic for each kind of unfamiliar images, and how many the limit catches."""
    rows: Rows = []
    for kind in kinds.facts:
        if kind == kinds.against:
            continue
        for statistic in (DISTANCE, INFORMATION, ENTROPY, *RIVALS):
            own, theirs = (kinds.values(name, statistic) for name in (kinds.against, kind))
            known = bool(np.isfinite(own).all() and np.isfinite(theirs).all())
            none = np.zeros(0)
            found = detection(
                (own if known else none, kinds.scenes(kinds.against) if known else []),
                (theirs if known else none, kinds.scenes(kind) if known else []),
                reference.draws,
                reference.seed,
            )
            rows.append(
                {
                    "images": kind,
                    "against": kinds.against,
                    "statistic": statistic,
                    "count": len(theirs),
                    **told("auroc", found.auroc),
                    **told("fpr_at_95", found.false_alarms),
                    "flagged_share": flagged(kinds, kind, reference).value,
                }
            )
    return rows


def spread_rows(kinds: Kinds, statistic: str, reference: RockReferenceSettings) -> Rows:
    """Quantiles of the unfamiliarity of each kind of images that are judged, and the share of all beyond the limit."""
    rows: Rows = []
    for kind, facts in kinds.facts.items():
        values = np.array([one.unfamiliarity for one in facts])
        judged = values[np.isfinite(values)]
        rows.append(
            {
                "images": kind,
                "statistic": statistic,
                "count": len(facts),
                "not_judged": len(values) - len(judged),
                **{name: float(np.quantile(judged, at)) if judged.size else None for name, at in QUANTILES.items()},
                **told("flagged_share", flagged(kinds, kind, reference)),
            }
        )
    return rows


def flagged(kinds: Kinds, kind: str, reference: RockReferenceSettings) -> Estimate:
    """Return the share of a kind's images that the card's limit calls out of distribution, judged or not."""
    beyond = np.array([[float(one.flagged is True), 1.0] for one in kinds.facts[kind]])
    draws = Draws(kinds.scenes(kind), reference.draws, reference.seed)
    return draws.of(beyond, lambda sums: np.asarray(sums[:, 0] / sums[:, 1]))
