"""The ephemeris against the sub-solar points that a camera team published with its frames."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from lunarsite.illumination.ephemeris import tracks_at

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))


@pytest.mark.reference
def test_sub_solar_points_of_shadowcam_frames():
    table = REFERENCE / "shadowcam" / "images.csv"
    if not table.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {table} (set LUNARSITE_REFERENCE)")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    utc = np.array([row["utc"][:23] for row in rows], dtype="datetime64[ms]")
    sun, _ = tracks_at(utc)
    lon = np.array([float(row["subsolar_lon_deg"]) for row in rows])
    lat = np.array([float(row["subsolar_lat_deg"]) for row in rows])
    apart = (sun.lon_deg - lon + 180.0) % 360.0 - 180.0
    # The table rounds to 0.001 deg. A systematic +0.0055 deg of longitude stays. It is not the frame: the IAU series of
    # the orientation leaves 0.0049, and 0.0031 of latitude. It reads as an epoch: points 8 to 53 s later than
    # the table's times (start of a strip against its middle: unconfirmed). Taking UTC for TDB would make it 0.015.
    assert np.abs(apart).max() < 0.009
    assert np.abs(sun.lat_deg - lat).max() < 0.001
