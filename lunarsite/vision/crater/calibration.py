"""From a detector's response to a score that means something: the share of such detections that a catalogue confirms.

A logistic regression of the outcome on the response's logit (Platt 1999) and the diameter, fitted on the validation
ground. The depth that the elevation model shows was tried as a third input: it ranks no better. The threshold is chosen
there too. Both travel in the model's card. This module must not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_REFERENCE_M = 3_000.0
_FEWEST = 10
"""Confirmed and unconfirmed detections that a fit needs of each."""


class CalibrationError(ValueError):
    """Validation ground that holds too little to calibrate on."""


@dataclass(frozen=True)
class Calibration:
    """Score = logistic(intercept + by_response * logit(response) + by_octave * log2(D / 3 km))."""

    intercept: float
    by_response: float
    by_octave: float
    threshold: float
    """Score from which a detection is accepted."""

    def score(self, response: Floats, diameter_m: Floats) -> Floats:
        """Return scores, 0..1, (n,)."""
        features = _features(response, diameter_m)
        weights = np.array([self.by_response, self.by_octave])
        return np.asarray(1.0 / (1.0 + np.exp(-(self.intercept + features @ weights))))

    def to_json(self) -> dict[str, float]:
        """Return it as a card holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration of a card.

        Raises:
            CalibrationError: A number is missing or none.
        """
        try:
            found = cls(**{name: float(value) for name, value in values.items()})
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"the card holds no calibration ({error})") from error
        if not np.isfinite(list(asdict(found).values())).all():
            raise CalibrationError("the card's calibration is not finite")
        return found


def fit(response: Floats, diameter_m: Floats, confirmed: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return intercept, by_response and by_octave of detections that were confirmed or not.

    Raises:
        CalibrationError: There are fewer than 10 of either kind.
    """
    from sklearn.linear_model import LogisticRegression

    yes, no = int(confirmed.sum()), int((~confirmed).sum())
    if min(yes, no) < _FEWEST:
        raise CalibrationError(
            f"{yes} confirmed and {no} unconfirmed detections, {_FEWEST} of each are needed: widen"
            " crater.split.validation_lon_deg, or train longer"
        )
    # Hardly penalised: three numbers from hundreds of outcomes.
    model = LogisticRegression(C=100.0).fit(_features(response, diameter_m), confirmed)
    by_response, by_octave = (float(value) for value in model.coef_[0])
    return float(model.intercept_[0]), by_response, by_octave


def best_threshold(score: Floats, truths: int) -> float:
    """Return the threshold of the highest F1 that calibrated scores promise.

    Accepting all detections of at least t, a share of them as large as their mean score is expected to be hits, so F1
    is expected to be 2 sum(score) / (accepted + truths); at its maximum the threshold is half of it (Lipton et al.
    2014, ECML PKDD 8725). The curve of the outcomes themselves has the same maximum, but is ragged: with a hundred
    craters its highest tooth may stand anywhere.

    Args:
        score: Calibrated scores of the detections that count.
        truths: Number of truths.

    Raises:
        CalibrationError: There is no detection or no truth.
    """
    if score.size == 0 or truths == 0:
        raise CalibrationError(
            f"{score.size} detections and {truths} catalogue craters on the validation ground: widen"
            " crater.split.validation_lon_deg"
        )
    descending = np.sort(score)[::-1]
    expected = 2.0 * np.cumsum(descending) / (np.arange(1, score.size + 1) + truths)
    return float(descending[int(np.argmax(expected))])


def _features(response: Floats, diameter_m: Floats) -> Floats:
    clipped = np.clip(response, 1e-4, 1.0 - 1e-4)
    return np.stack([np.log(clipped / (1.0 - clipped)), np.log2(diameter_m / _REFERENCE_M)], axis=1)
