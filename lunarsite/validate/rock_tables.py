"""The tables of the record of rocks: overlap, calibration, doubt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from lunarsite.settings.rock import RockReferenceSettings
from lunarsite.validate import rock_risk as risk
from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.validate.rock_intervals import Draws, mean_of
from lunarsite.validate.rock_predict import DELIVERED, ENSEMBLE, SINGLE, SINGLE_SCALED, Predictor
from lunarsite.validate.rock_results import BASELINES, CLASSICAL, MAJORITY, NO_ROCKS, STATISTICS, Measured, rows_of
from lunarsite.validate.rock_scores import boundary_f1, mean_boundary_f1
from lunarsite.vision.rock import classes
from lunarsite.vision.rock import reliability as calibrated
from lunarsite.vision.rock.classes import LARGE, SMALL
from lunarsite.vision.rock.scores import error_rate, iou, mean_iou

Rows = list[dict[str, JsonValue]]
Floats = NDArray[np.float64]

CLASSES = tuple(name.replace("_", " ") for name in classes.CLASSES)
MEAN = "mean"
MEMBERS_MEAN = "mean of members"
KINDS = {MAJORITY: "null", NO_ROCKS: "null", CLASSICAL: "baseline"}
DIFFERENCES = (
    (ENSEMBLE, SINGLE),
    (SINGLE_SCALED, SINGLE),
    (DELIVERED, SINGLE),
    (DELIVERED, ENSEMBLE),
    ("dropout", SINGLE),
)
"""Methods whose difference is told."""
TOLD_BY_CLASS = (SINGLE, DELIVERED), (SMALL, LARGE)
"""Methods and classes whose reliability is told class by class: of rocks there are few, and pixels of all classes
together say little of them."""


class Figures:
    """Figures of merit of one group with their intervals; all of them drawn with the same scenes."""

    def __init__(self, measured: Measured, reference: RockReferenceSettings) -> None:
        self.measured = measured
        self.draws = Draws(measured.scenes, reference.draws, reference.seed)

    @property
    def methods(self) -> tuple[str, ...]:
        """Baselines and methods of the network."""
        return (*BASELINES, *self.measured.methods)

    @cached_property
    def mious(self) -> dict[str, Estimate]:
        """Mean IoU by method and member."""
        names = (*self.methods, *self.measured.members)
        found = {name: self.draws.of(self.measured.confusions(name), mean_iou) for name in names}
        # The mean of the members' own figures is no figure of the ensemble.
        return {**found, MEMBERS_MEAN: mean_of([found[name] for name in self.measured.members])}

    @cached_property
    def eces(self) -> dict[str, Estimate]:
        """Expected calibration error of the class that is said by method, member, and null that has probabilities."""
        names = (*self.measured.methods, *self.measured.members, *self.measured.sure_nulls)
        found = {name: self.draws.of(self.measured.tops(name), calibrated.ece) for name in names}
        return {**found, MEMBERS_MEAN: mean_of([found[name] for name in self.measured.members])}

    @cached_property
    def error(self) -> Estimate:
        """Share of wrong pixels, as delivered."""
        return self.draws.of(self.measured.confusions(DELIVERED), error_rate)


def segmentation_rows(figures: Figures) -> Rows:
    """IoU and boundary F1 by method and class."""
    rows: Rows = []
    for method in figures.methods:
        confusions, edges = figures.measured.confusions(method), figures.measured.boundaries(method)
        for k, name in enumerate((*CLASSES, MEAN)):
            if name == MEAN:
                overlap, edge = figures.mious[method], figures.draws.of(edges, mean_boundary_f1)
            else:
                overlap = figures.draws.of(confusions, lambda sums, k=k: iou(sums)[..., k])  # type: ignore[misc]
                edge = figures.draws.of(edges, lambda sums, k=k: boundary_f1(sums)[..., k])  # type: ignore[misc]
            rows.append(
                {
                    "group": figures.measured.name,
                    "method": method,
                    "kind": KINDS.get(method, "network"),
                    "class": name,
                    "scenes": figures.draws.count,
                    "images": len(confusions),
                    **told("iou", overlap),
                    **told("boundary_f1", edge),
                }
            )
    return rows


def calibration_rows(figures: Figures, predictor: Predictor) -> Rows:
    """Calibration errors and proper scores by method."""
    rows: Rows = []
    for method in (*figures.measured.sure_nulls, *figures.measured.methods):
        counts, sums = figures.measured.by_class(method), figures.measured.sums(method)
        errors = [figures.draws.of(counts[:, k], calibrated.ece) for k in range(len(CLASSES))]
        by_class = [told(f"ece_{name.replace(' ', '_')}", one) for name, one in zip(CLASSES, errors, strict=True)]
        rows.append(
            {
                "group": figures.measured.name,
                "method": method,
                "kind": KINDS.get(method, "network"),
                **told("ece", figures.eces[method]),
                **told("ece_class_mean", figures.draws.of(counts, calibrated.class_ece)),
                **{column: value for columns in by_class for column, value in columns.items()},
                **told("brier", figures.draws.of(sums, calibrated.brier)),
                **told("nll", figures.draws.of(sums, calibrated.log_score)),
                "temperature": predictor.temperatures.get(method, 1.0),
            }
        )
    return rows


def reliability_rows(figures: Figures) -> Rows:
    """Confidence and share that is right by bin of the confidence; bins without pixels are left out."""
    group, rows = figures.measured.name, Rows()
    for method in figures.measured.methods:
        bins = _bins(figures.measured.tops(method).sum(axis=0))
        rows += [{"group": group, "method": method, **one} for one in bins]
    return rows


def reliability_by_class_rows(figures: Figures) -> Rows:
    """A class's own probability, and the share of the pixels that are of it, by bin of that probability."""
    group, rows = figures.measured.name, Rows()
    methods, numbers = TOLD_BY_CLASS
    for method in methods:
        counts = figures.measured.by_class(method).sum(axis=0)
        for k in numbers:
            rows += [{"group": group, "method": method, "class": CLASSES[k], **one} for one in _bins(counts[k])]
    return rows


def _bins(counts: Floats) -> Rows:
    """Return the bins (bins, 3) that have pixels: their mean confidence, accuracy, and share of all pixels."""
    return [
        {
            "bin": number + 1,
            "confidence": float(confidence / pixels),
            "accuracy": float(right / pixels),
            "share": float(pixels / counts[:, 0].sum()),
        }
        for number, (pixels, confidence, right) in enumerate(counts)
        if pixels > 0.0
    ]


def difference_rows(figures: Figures) -> Rows:
    """Paired differences: of calibration errors and mean IoUs between methods, and of IoU over baselines."""
    pairs = [(one, other) for one, other in DIFFERENCES if one in figures.measured.methods]
    rows = [
        _difference(figures, measure, values[one] - values[other], one, other)
        for measure, values in (("ece", figures.eces), ("miou", figures.mious))
        for one, other in pairs
    ]
    overs = (*BASELINES, MEMBERS_MEAN)
    mious = figures.mious
    return rows + [_difference(figures, "miou", mious[DELIVERED] - mious[over], DELIVERED, over) for over in overs]


def _difference(figures: Figures, measure: str, value: Estimate, one: str, other: str) -> dict[str, JsonValue]:
    names = {"group": figures.measured.name, "measure": measure, "method": one, "over": other}
    return {**names, **told("difference", value)}


def member_rows(figures: Figures) -> Rows:
    """Each member by itself, the mean of their figures, and the ensemble, which is none of these."""
    names = (*figures.measured.members, MEMBERS_MEAN, ENSEMBLE)
    return [
        {
            "group": figures.measured.name,
            "method": name,
            **told("miou", figures.mious[name]),
            **told("ece", figures.eces[name]),
        }
        for name in names
    ]


def risk_rows(figures: Figures) -> Rows:
    """Error of the pixels that remain by share handed over and order of doubt."""
    rows: Rows = []
    for statistic in (*STATISTICS, "oracle", "random"):
        counts = figures.measured.risks(statistic if statistic in STATISTICS else STATISTICS[0])
        for share in risk.HANDED_OVER:
            measure = {"oracle": risk.oracle_error(share), "random": risk.total_error}.get(
                statistic, risk.at_share(share)
            )
            rows.append(
                {
                    "group": figures.measured.name,
                    "statistic": statistic,
                    "handed_over": share,
                    **told("error", figures.draws.of(counts, measure)),
                }
            )
    return rows


def area_rows(figures: Figures) -> Rows:
    """Area under the risk-coverage curve by order of doubt."""
    measures = {**dict.fromkeys(STATISTICS, risk.area), "oracle": risk.oracle_area, "random": risk.total_error}
    return [
        {
            "group": figures.measured.name,
            "statistic": name,
            **told(
                "aurc",
                figures.draws.of(figures.measured.risks(name if name in STATISTICS else STATISTICS[0]), measure),
            ),
        }
        for name, measure in measures.items()
    ]


def image_risk_rows(figures: Figures) -> Rows:
    """Error of the images that remain when whole images are handed over, the most doubtful on average first."""
    results = figures.measured.results
    counts = figures.measured.confusions(DELIVERED)
    pixels = counts.sum(axis=(1, 2))
    wrong = pixels - np.trace(counts, axis1=1, axis2=2)
    both = np.stack([pixels, wrong], axis=1)
    orders = {name: rows_of(results, name) for name in STATISTICS}
    orders["oracle"] = wrong / np.maximum(pixels, 1.0)
    ones = np.ones((1, len(results)))
    rows: Rows = []
    for name, order in orders.items():
        for share in (0.0, 0.1, 0.2, 0.3, 0.5):
            value = risk.image_error(order, both, ones, share)[0]
            drawn = risk.image_error(order, both, figures.draws.weights, share)
            error = figures.draws.given(value, drawn)
            rows.append(
                {
                    "group": figures.measured.name,
                    "statistic": name,
                    "handed_over": share,
                    "images": len(results),
                    **told("error", error),
                }
            )
    return rows


def told(name: str, estimate: Estimate) -> dict[str, JsonValue]:
    """Return a number and its interval as columns."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def known(value: float) -> float | None:
    """Return a number, None if it is NaN."""
    return float(value) if np.isfinite(value) else None


def joined(tables: Sequence[Rows]) -> Rows:
    """Return the rows of several tables, one after the other."""
    return [row for rows in tables for row in rows]
