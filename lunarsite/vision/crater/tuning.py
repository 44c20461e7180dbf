"""The one use of the validation ground after training: what a response is worth, and from where on it is accepted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import Pole, in_sector, xy_to_lonlat
from lunarsite.settings import CatalogueSettings, DetectionSettings, SplitSettings
from lunarsite.vision.crater.calibration import Calibration, CalibrationError, best_threshold, fit
from lunarsite.vision.crater.inference import Candidates
from lunarsite.vision.crater.matching import NOTHING, Circles, match

_MARGIN = 1.35
"""Only diameters this factor above what the catalogue is complete from can be called unconfirmed."""
_HEADLINE_M = 3_000.0
"""Diameter from which on the threshold gives the best F1: what the elevation models of the whole cap resolve."""


def calibrate_on(
    found: Candidates,
    catalogue: pd.DataFrame,
    split: SplitSettings,
    covered: CatalogueSettings,
    detection: DetectionSettings,
    pole: Pole,
) -> tuple[Calibration, dict[str, float]]:
    """Return the calibration that the validation sector gives, and what was measured there.

    What was found in the test sector plays no part, not even as a partner of craters beside their common border.

    Args:
        found: All candidates of the map.
        catalogue: The given craters: x_m, y_m, diameter_m.
        split: Where the validation ground lies.
        covered: What the catalogue covers, and from which diameter on.
        detection: The wanted diameters.
        pole: The map's pole, which tells longitudes.

    Raises:
        CalibrationError: The validation ground holds too few craters or detections.
    """
    truth = Circles(*(catalogue[name].to_numpy(dtype=np.float64) for name in ("x_m", "y_m", "diameter_m")))
    everywhere = Circles(found.x_m, found.y_m, found.diameter_m)
    seen = ~_inside(everywhere, (split.test_lon_deg,), pole)
    circles, response = everywhere.take(seen), found.response[seen]
    partner = match(circles, truth)
    sectors = split.validation_lon_deg, covered.lon_deg
    here, theirs = _inside(circles, sectors, pole), _inside(truth, sectors, pole)
    if not theirs.any():
        raise CalibrationError(
            "no catalogue crater on the validation ground: widen crater.split.validation_lon_deg within"
            " crater.catalogue.lon_deg"
        )
    least_m = max(_MARGIN * covered.least_diameter_m, detection.least_diameter_m)
    counted = here & (circles.diameter_m >= least_m)
    fitted = fit(response[counted], circles.diameter_m[counted], partner[counted] != NOTHING)
    draft = Calibration(*fitted, threshold=0.5)
    score = draft.score(response, circles.diameter_m)
    # From here on craters of the headline's size alone; a match across the border is neither hit nor false alarm.
    headline_m = max(_HEADLINE_M, least_m)
    headline_m = headline_m if (theirs & (truth.diameter_m >= headline_m)).any() else least_m
    wanted = theirs & (truth.diameter_m >= headline_m) & (truth.diameter_m <= detection.largest_diameter_m)
    hit = (partner != NOTHING) & wanted[np.maximum(partner, 0)]
    counts = hit | (here & (partner == NOTHING) & (circles.diameter_m >= headline_m))
    threshold = best_threshold(score[counts], int(wanted.sum()))
    accepted = counts & (score >= threshold)
    precision = float(hit[accepted].mean())
    recall = float((hit & accepted).sum() / wanted.sum())
    return Calibration(*fitted, threshold=threshold), {
        "least_diameter_m": headline_m,
        "catalogue_craters": float(wanted.sum()),
        "precision": precision,
        "recall": recall,
        "f1": 2.0 * precision * recall / max(precision + recall, 1e-12),
        "threshold": threshold,
    }


def _inside(circles: Circles, sectors: tuple[tuple[float, float], ...], pole: Pole) -> NDArray[np.bool_]:
    lon_deg, _ = xy_to_lonlat(circles.x_m, circles.y_m, pole)
    return np.asarray(np.logical_and.reduce([in_sector(lon_deg, sector) for sector in sectors]))
