"""ShadowCam's real composites and frames: what they tell, and the bars of a whole run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from lunarsite.artefact import record
from lunarsite.artefact.contracts import SHADOWCAM_RECORD
from lunarsite.grid import Grid
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.swath import covered
from lunarsite.validate.shadowcam_composite import Comparison, Composite, Map, compare_composite
from lunarsite.validate.shadowcam_record import AUC_BOUND

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("LUNARSITE_REFERENCE", "../shared/moon") / "shadowcam"
RECORD = ROOT / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference") / "validate" / "shadowcam.json"

pytestmark = pytest.mark.reference
needs_data = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"REFERENCE DATA ABSENT: {FOLDER} (set LUNARSITE_REFERENCE)"
)
needs_run = pytest.mark.skipif(not RECORD.is_file(), reason=f"REFERENCE RUN NOT MADE: no {RECORD}; make reference")


def compared(part: str) -> Comparison:
    with rasterio.open(FOLDER / f"cabeus_{part}illum-avg_60m_digitised.tif") as dataset:
        visible, brightness, saturated = dataset.read()
        place = dataset.transform
        grid = Grid(place.c, place.f, place.a, dataset.height, dataset.width)
    shadow = (visible == 0.0).astype(np.uint8)
    given = Map("published", shadow, (visible / 100.0).astype(np.float32), grid.pixel_m)
    return compare_composite(Composite(part, grid, brightness, saturated), given, ShadowCamReferenceSettings())


@needs_data
@pytest.mark.parametrize(("part", "pixels", "saturated"), [("top", 7_448, 527), ("bottom", 9_204, 4_228)])
def test_brightness_of_the_cabeus_composites_does_not_tell_permanent_shadow(
    part: str, pixels: int, saturated: int
) -> None:
    found = compared(part)
    half = found.sweep[4].crossed
    print(f"{part}: area {found.auc}, base {found.base:.3f}, half {half}, null {found.null}")
    assert (found.pixels, found.saturated) == (pixels, saturated)
    assert found.base == pytest.approx(0.70, abs=0.02)
    assert found.auc.low < 0.5 < found.auc.high
    assert found.null.p > 0.05
    assert half.lift.low < 1.0
    assert half.agreement < half.majority
    # Limits among saturated pixels are unknown: nearly half of the lower composite is saturated.
    assert [step.crossed is None for step in found.sweep[5:]] == [part == "bottom"] * 4


@needs_data
def test_frames_are_straight_strips_with_bright_rims_about_their_gaps() -> None:
    names = sorted(FOLDER.glob("M*.tif"))[::5]
    assert len(names) == 6
    ratios = []
    for path in names:
        with rasterio.open(path) as dataset:
            brightness = dataset.read(1)
        valid = np.isfinite(brightness)
        row, col = np.nonzero(valid)
        corners = np.array(shapely.MultiPoint(np.stack([col, row], axis=1)).minimum_rotated_rectangle.exterior.coords)
        sides_km = 0.06 * np.hypot(*np.diff(corners, axis=0).T)
        gaps = covered(valid) & ~valid
        beside = np.zeros_like(gaps)
        beside[1:] |= gaps[:-1]
        beside[:-1] |= gaps[1:]
        rim, rest = brightness[beside & valid], brightness[~beside & valid]
        ratio = float(np.median(rim) / np.median(rest))
        print(
            f"{path.name}: {sides_km.min():.2f} km wide, {gaps.sum()} pixels in gaps, rim {ratio:.1f} times as bright"
        )
        assert 5.2 < sides_km.min() < 5.9, "every frame is as wide as the camera sees, whatever fills it"
        ratios.append(ratio)
    assert np.median(ratios) > 2.0


@needs_run
def test_predicted_light_holds_its_bars_on_the_frames() -> None:
    found, _ = record.read(RECORD, SHADOWCAM_RECORD)
    for metric in found.metrics:
        print(f"{metric.name}: {metric.value} ({metric.low} to {metric.high}) {metric.unit}")
    assert found.metric("frames") == 26
    assert found.metric("frames_with_auc") >= 20
    assert found.metric("frame_auc") >= AUC_BOUND
    assert found.metric("frame_auc_measured") >= AUC_BOUND
    for row in found.tables["frames"]:
        assert row["why_no_auc"] or row["auc"] is not None
        if row["auc"] is not None and row["auc"] < AUC_BOUND:
            assert row["why_below_bound"]
