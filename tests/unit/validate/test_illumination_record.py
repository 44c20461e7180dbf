"""The record of light and shadow: what is known is judged, what is not stays unknown."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point, box

from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid
from lunarsite.settings import IlluminationReferenceSettings
from lunarsite.validate.illumination_record import Averages, judge_illumination, read_polygons, read_table

GRID = Grid(-48_000, 48_000, 960, 100, 100)
CELL_M = 4_800.0


@pytest.fixture
def averages() -> Averages:
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    light = (0.3 + 0.2 * np.sin(x / 9_000) * np.cos(y / 7_000)).astype(np.float32)
    fractions = dict.fromkeys(("sun_mean", "sun_any", "earth_mean", "earth_any"), light)
    return Averages(GRID, fractions, (np.hypot(x - 20_000, y) < 9_000).astype(np.uint8))


def published(averages: Averages, shift_m: float = 0.0) -> pd.DataFrame:
    centres = np.arange(-40_000, 41_000, CELL_M)
    x, y = (part.ravel() for part in np.meshgrid(centres, centres))
    row, col = GRID.index(x, y)
    light = 100.0 * averages.fractions["sun_mean"][row, col]
    return pd.DataFrame({"x_m": x + shift_m, "y_m": y, "avg_illumination_pct": light, "earth_visibility_pct": light})


def judged(averages: Averages, table: pd.DataFrame | None, polygons: gpd.GeoSeries | None = None) -> Record:
    reference = IlluminationReferenceSettings(table_cell_m=CELL_M)
    return judge_illumination(averages, table, polygons, reference, 80.0, synthetic=False)[0]


def holds(record: Record) -> dict[str, bool | None]:
    return {verdict.name: verdict.holds for verdict in record.verdicts}


def test_agreement_is_judged(averages: Averages) -> None:
    found = holds(judged(averages, published(averages)))
    assert found["sun_mean correlation"]
    assert found["sun_mean |bias|"]
    worse = published(averages).assign(avg_illumination_pct=lambda frame: frame["avg_illumination_pct"] + 1.5)
    assert holds(judged(averages, worse))["sun_mean |bias|"] is False


@pytest.mark.parametrize("case", ["elsewhere", "empty"])
def test_a_table_that_does_not_overlap_leaves_it_unknown(averages: Averages, case: str) -> None:
    table = published(averages, 500_000.0) if case == "elsewhere" else published(averages).iloc[:0]
    found = holds(judged(averages, table))
    assert not any(value for name, value in found.items() if "mean" in name)
    if case == "elsewhere":
        assert found["sun_mean correlation"] is None
    assert found["PSR area south of 80 S against Mazarico et al. 2011"] is None, "the map does not cover it"


def test_shadow_against_polygons(averages: Averages) -> None:
    right = gpd.GeoSeries([Point(20_000, 0).buffer(9_000)])
    record = judged(averages, None, right)
    assert holds(record)["PSR overlap with published polygons"] is True
    assert record.metric("psr_overlap_displaced") < record.metric("psr_overlap")
    wrong = gpd.GeoSeries([Point(-20_000, 0).buffer(9_000)])
    assert holds(judged(averages, None, wrong))["PSR overlap with published polygons"] is False


def test_bad_references(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text, message in (
        ("x_m,y_m\n1,2\n", "needs the numeric columns"),
        ("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n1,2,a,3\n", "needs the numeric columns"),
        ("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n1,2,4000,3\n", "percent within"),
    ):
        path.write_text(text)
        with pytest.raises(ArtefactError, match=message):
            read_table(path)
    (tmp_path / "psr.gpkg").write_text("no")
    with pytest.raises(ArtefactError, match="no readable vector file"):
        read_polygons(tmp_path / "psr.gpkg", GRID)
    gpd.GeoSeries([box(0, 0, 1, 1)], crs="EPSG:3031").to_file(tmp_path / "earth.gpkg")
    with pytest.raises(ArtefactError, match="not the Moon's"):
        read_polygons(tmp_path / "earth.gpkg", GRID)
