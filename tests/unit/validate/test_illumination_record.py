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
from lunarsite.validate.illumination_record import (
    Averages,
    Published,
    judge_illumination,
    read_polygons,
    read_table,
)

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
    return judge_illumination(averages, Published(table, polygons), reference, 80.0, synthetic=False)[0]


def holds(record: Record) -> dict[str, bool | None]:
    return {verdict.name: verdict.holds for verdict in record.verdicts}


def test_agreement_is_judged(averages: Averages) -> None:
    found = holds(judged(averages, published(averages)))
    assert found["sun_mean correlation"]
    assert found["sun_mean |bias|"]
    worse = published(averages).assign(avg_illumination_pct=lambda frame: frame["avg_illumination_pct"] + 1.5)
    assert holds(judged(averages, worse))["sun_mean |bias|"] is False


AVERAGES = {"sun_mean correlation", "sun_mean |bias|", "sun_mean RMS", "earth_mean correlation"}


@pytest.mark.parametrize(("case", "cells"), [("elsewhere", 0), ("empty", 0), ("two cells", 2)])
def test_a_table_that_does_not_overlap_leaves_it_unknown(averages: Averages, case: str, cells: int) -> None:
    tables = {
        "elsewhere": published(averages, 500_000.0),
        "empty": published(averages).iloc[:0],
        "two cells": published(averages).iloc[:2],
    }
    record = judged(averages, tables[case])
    found = {verdict.name: verdict for verdict in record.verdicts if verdict.name in AVERAGES}
    assert found.keys() == AVERAGES
    for verdict in found.values():
        assert verdict.holds is None
        assert f"{cells} cells have both a value and a reference, 3 are needed" in verdict.why
    assert record.metric("sun_any_rms") is None
    assert record.metric("sun_any_cells") == cells
    assert holds(record)["PSR area south of 80 S against Mazarico et al. 2011"] is None, "the map does not cover it"


def test_without_a_table_nothing_is_claimed_of_averages(averages: Averages) -> None:
    assert not AVERAGES & holds(judged(averages, None)).keys()


def test_an_empty_file_with_its_header_is_a_table_without_overlap(averages: Averages, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    published(averages).iloc[:0].to_csv(path, index=False)
    assert holds(judged(averages, read_table(path)))["sun_mean correlation"] is None
    path.write_text("")
    with pytest.raises(ArtefactError, match="needs the numeric columns"):
        read_table(path)


def test_constant_light_has_a_bias_and_no_correlation(averages: Averages) -> None:
    table = published(averages).assign(avg_illumination_pct=100.0 / 3.0)
    found = {verdict.name: verdict for verdict in judged(averages, table).verdicts}
    assert found["sun_mean correlation"].holds is None
    assert "a constant has no correlation" in found["sun_mean correlation"].why
    assert found["sun_mean RMS"].holds is False
    night = Averages(GRID, {name: np.zeros_like(v) for name, v in averages.fractions.items()}, averages.psr)
    assert holds(judged(night, published(averages)))["earth_mean correlation"] is None


def test_polygons_elsewhere_leave_the_overlap_unknown(averages: Averages) -> None:
    record = judged(averages, None, gpd.GeoSeries([Point(500_000, 0).buffer(9_000)]))
    verdict = next(v for v in record.verdicts if v.name == "PSR overlap with published polygons")
    assert (verdict.value, verdict.holds) == (None, None)
    assert "no published polygon" in verdict.why
    assert record.metric("psr_overlap") is None


CAP = Grid.centred(304_000.0, 1_900.0, 1_900.0)


def shadow_of(area_km2: float) -> Averages:
    """The whole cap in light but for a disc of that true area at the pole."""
    radius_m = 2.0 * 1_737_400.0 * np.sqrt(area_km2 * 1e6 / (4.0 * np.pi * 1_737_400.0**2 - area_km2 * 1e6))
    distance_m = np.hypot(CAP.x_m()[None, :], CAP.y_m()[:, None])
    light = dict.fromkeys(("sun_mean", "sun_any", "earth_mean", "earth_any"), np.ones(CAP.shape, dtype=np.float32))
    return Averages(CAP, light, (distance_m <= radius_m).astype(np.uint8))


@pytest.mark.parametrize(
    ("area_km2", "hold", "words"),
    [(16_055, True, "inside"), (16_700, True, "inside"), (16_990, False, "outside"), (15_100, False, "outside")],
)
def test_the_shadowed_area_says_how_close_it_is(area_km2: float, hold: bool, words: str) -> None:
    record = judged(shadow_of(area_km2), None)
    verdict = next(v for v in record.verdicts if v.name.startswith("PSR area"))
    assert verdict.value == pytest.approx(area_km2 / 16_055 - 1.0, abs=0.01)
    assert verdict.holds is hold
    assert verdict.value is not None
    room_km2 = abs(0.05 - abs(verdict.value)) * 16_055
    assert verdict.why.startswith(f"{room_km2:.0f} km2 {words} the bound;")


def test_the_change_after_the_first_comparison_is_told(averages: Averages) -> None:
    (note,) = [note for note in judged(averages, None).notes if "directions" in note]
    for fact in ("180", "+5.5 %", "360", "+4.7 %", "16 940, 16 811 and 16 756", "first comparison", "convergence"):
        assert fact in note
    # The note's percentages and distance to the bound are those of its areas.
    assert [f"{100 * (area / 16_055 - 1):+.1f} %" for area in (16_940, 16_811)] == ["+5.5 %", "+4.7 %"]
    assert f"{1.05 * 16_055 - 16_811:.0f} km2 inside" in note


def test_shadow_against_polygons(averages: Averages) -> None:
    right = gpd.GeoSeries([Point(20_000, 0).buffer(9_000)])
    record = judged(averages, None, right)
    assert holds(record)["PSR overlap with published polygons"] is True
    assert record.metric("psr_overlap_displaced") < record.metric("psr_overlap")
    wrong = gpd.GeoSeries([Point(-20_000, 0).buffer(9_000)])
    assert holds(judged(averages, None, wrong))["PSR overlap with published polygons"] is False


def test_a_fault_of_ours_is_not_told_as_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(path: Path) -> None:
        raise TypeError("a fault in the code")

    monkeypatch.setattr(gpd, "read_file", faulty)
    with pytest.raises(TypeError, match="a fault in the code"):
        read_polygons(Path("psr.gpkg"), GRID)


def test_bad_references(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text, message in (
        ("x_m,y_m\n1,2\n", "needs the numeric columns"),
        ("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n1,2,a,3\n", "needs the numeric columns"),
        ("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n1,2,4000,3\n", "percent within"),
        ("x_m,y_m,avg_illumination_pct,earth_visibility_pct\n,2,40,3\n", "must be finite"),
    ):
        path.write_text(text)
        with pytest.raises(ArtefactError, match=message):
            read_table(path)
    (tmp_path / "psr.gpkg").write_text("no")
    with pytest.raises(ArtefactError, match="no readable vector file"):
        read_polygons(tmp_path / "psr.gpkg", GRID)
    with pytest.raises(ArtefactError, match="no readable vector file"):
        read_polygons(tmp_path / "absent.gpkg", GRID)
    with pytest.raises(ArtefactError, match="holds no polygons"):
        read_polygons(path, GRID)
    gpd.GeoSeries([box(0, 0, 1, 1)], crs="EPSG:3031").to_file(tmp_path / "earth.gpkg")
    with pytest.raises(ArtefactError, match="not the Moon's"):
        read_polygons(tmp_path / "earth.gpkg", GRID)
