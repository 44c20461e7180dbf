"""A stamp, a grid and contracts to write artefacts with."""

from __future__ import annotations

import pytest

from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import Grid

SLOPE = RasterSpec("slope", (Band("slope_deg", "deg", 0.0, 90.0),))
CLASSES = RasterSpec("psr", (Band("psr", "class", 0.0, 1.0),), "uint8")


def make_stamp(artefact: str, **changes: object) -> Stamp:
    values: dict[str, object] = {
        "artefact": artefact,
        "stage": "test-stage",
        "run": "default",
        "settings_hash": "0" * 64,
        "code": "0" * 16,
        "inputs": {"dem": "1" * 64},
        "git_commit": None,
        "git_dirty": None,
        "seed": 1,
        "origin": "synthetic",
    }
    return Stamp.model_validate(values | changes)


@pytest.fixture
def grid() -> Grid:
    return Grid(-9600, 9600, 240, 80, 60)
