"""The crater model that comes with lunarsite on real ground that it never saw, and the bars of a whole run."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lunarsite.artefact import record
from lunarsite.artefact.contracts import CRATER_RECORD
from lunarsite.grid import Grid, in_sector, xy_to_lonlat
from lunarsite.settings import DetectionSettings, InferenceSettings, SplitSettings
from lunarsite.source.catalogue import read_craters
from lunarsite.source.local import opened
from lunarsite.vision.crater.inference import Candidates, find_candidates, infer_shard, pyramid_of
from lunarsite.vision.crater.matching import NOTHING, Circles, match
from lunarsite.vision.crater.model import calibration_of, load_network

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / os.environ.get("LUNARSITE_REFERENCE", "../shared/moon")
RUN = ROOT / os.environ.get("LUNARSITE_REFERENCE_RUN", "results/reference")
MODEL = ROOT / "resources" / "models" / "crater" / "polar.safetensors"
RECORD = RUN / "validate" / "crater.json"

# 61 km square around 70 E, 86 S, on the pixels of the map, within the sector that tests.
PART = Grid(-304_000.0 + 240.0 * 1_613, 304_000.0 - 240.0 * 966, 240.0, 256, 256)
DETECTION = DetectionSettings(largest_diameter_m=20_000.0)
TILING = InferenceSettings(tile_px=256, halo_px=64)
LEAST_M = 3_000.0

pytestmark = pytest.mark.reference
needs_model = pytest.mark.skipif(not MODEL.is_file(), reason=f"NO MODEL: {MODEL} is not there yet")
needs_data = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason=f"REFERENCE DATA ABSENT: {REFERENCE} (set LUNARSITE_REFERENCE)"
)
needs_run = pytest.mark.skipif(not RECORD.is_file(), reason=f"REFERENCE RUN NOT MADE: no {RECORD}; make reference")


@lru_cache(maxsize=1)
def heights() -> NDArray[np.float32]:
    with opened(REFERENCE / "dem" / "polar80S_240m.tif", PART, "source.local.dem") as source:
        return np.asarray(source.read(), dtype=np.float32)


@lru_cache(maxsize=4)
def outputs(tile_px: int) -> list[NDArray[np.float32]]:
    network, _ = load_network(MODEL)
    tiling = TILING.model_copy(update={"tile_px": tile_px})
    return list(infer_shard(lambda window: heights()[window], PART, pyramid_of(PART, DETECTION), network, tiling, 0))


def found() -> Candidates:
    pyramid = pyramid_of(PART, DETECTION)
    return find_candidates(lambda window: heights()[window], PART, pyramid, outputs(256), DETECTION, 0.02)


def test_the_part_lies_on_ground_that_tests() -> None:
    left, bottom, right, top = PART.bounds_m
    lon_deg, lat_deg = xy_to_lonlat([left, left, right, right], [bottom, top, bottom, top])
    assert in_sector(lon_deg, SplitSettings().test_lon_deg).all()
    assert (lat_deg < -84.0).all()


@needs_model
@needs_data
def test_the_model_finds_the_craters_of_unseen_ground() -> None:
    calibration = calibration_of(MODEL)
    craters = read_craters(REFERENCE / "craters" / "lu1319381_polar.csv", PART, "source.local.craters")
    truth = Circles(*(craters[name].to_numpy(dtype=np.float64) for name in ("x_m", "y_m", "diameter_m")))
    every = found()
    accepted = calibration.score(every.response, every.diameter_m) >= calibration.threshold
    circles = Circles(every.x_m, every.y_m, every.diameter_m).take(accepted)
    partner = match(circles, truth)
    left, bottom, right, top = PART.bounds_m

    def inside(of: Circles) -> NDArray[np.bool_]:
        """Whole craters, of the wanted size."""
        edge = np.minimum(np.minimum(of.x_m - left, right - of.x_m), np.minimum(of.y_m - bottom, top - of.y_m))
        return np.asarray((edge > 0.6 * of.diameter_m) & (of.diameter_m >= LEAST_M) & (of.diameter_m < 15_000.0))

    counted, wanted = inside(circles), inside(truth)
    precision = float((partner[counted] != NOTHING).mean())
    recall = float(np.isin(np.flatnonzero(wanted), partner).mean())
    print(f"{wanted.sum()} craters, {counted.sum()} detections: precision {precision:.2f}, recall {recall:.2f}")
    assert wanted.sum() >= 20
    # So small a part has a standard error of some 0.07; the bars of the whole test ground are below.
    assert precision > 0.65
    assert recall > 0.45


@needs_model
@needs_data
def test_tilings_agree_on_real_ground() -> None:
    """The stated epsilon: responses of another tiling differ by less than 0.03, on average by far less."""
    apart = [np.abs(a - b) for a, b in zip(outputs(256), outputs(128), strict=True)]
    centre, rim = (max(float(level[part].max()) for level in apart) for part in (slice(0, 4), slice(8, 9)))
    typical = float(np.mean([level[:4].mean() for level in apart]))
    print(f"tiles of 256 and 128 px, halo 64: centres {centre:.1e}, rims {rim:.1e} at most; {typical:.1e} on average")
    assert centre < 0.03
    assert rim < 0.03
    assert typical < 1e-4


BARS = {
    "F1, D >= 3 km": 0.73,
    "F1, D >= 5 km": 0.74,
    "Precision of the better-scored half, D >= 3 km": 0.94,
    "Precision of the better-scored half, D >= 5 km": 0.96,
    "Recall of craters with depth/diameter >= 0.1, D >= 3 km": 0.87,
    "Recall of craters with depth/diameter >= 0.1, D >= 5 km": 0.87,
    "F1 against craters with depth/diameter >= 0.08, D >= 3 km": 0.82,
    "F1 against craters with depth/diameter >= 0.08, D >= 5 km": 0.84,
    # Lower ends of the intervals of the gains.
    "F1 above that of 'base', D >= 3 km": 0.0,
    "F1 above that of 'base', D >= 5 km": 0.0,
    "F1 above that of 'classical', D >= 3 km": 0.0,
    "F1 above that of 'classical', D >= 5 km": 0.0,
}


NOT_REACHED = pytest.mark.xfail(
    strict=True,
    reason="the second training's gain over the first is within chance: both learn one catalogue's habits",
)


@needs_run
@pytest.mark.parametrize("name", [pytest.param(name, marks=NOT_REACHED if "'base'" in name else ()) for name in BARS])
def test_the_whole_test_ground_reaches_the_bar(name: str) -> None:
    verdicts = {verdict.name: verdict for verdict in record.read(RECORD, CRATER_RECORD)[0].verdicts}
    assert name in verdicts, sorted(verdicts)
    value = verdicts[name].value
    print(f"{name}: {value} ({verdicts[name].why})")
    assert value is not None
    assert value >= BARS[name]
    assert verdicts[name].holds is True, "the record's own bound is tighter than this one"
