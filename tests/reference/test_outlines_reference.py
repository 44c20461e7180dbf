"""Readers of published outlines and catalogues on real files, and what limits on slope hide on real ground."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.grid import Grid
from lunarsite.site.place.regions import read_regions
from lunarsite.source.published.catalogues import read_published_craters
from lunarsite.source.published.psr_polygons import read_psr_polygons
from lunarsite.source.published.regions import read_published_regions, write_regions
from tests.layouts import tables as made

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / os.environ.get("LUNARSITE_REFERENCE", "../shared/moon")
GRID = Grid.centred(304_000.0, 240.0, 960.0)

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"REFERENCE DATA ABSENT: {REFERENCE} (set LUNARSITE_REFERENCE)"),
]


def fetched(product: str, source: Path, folder: Path) -> Path:
    """Return the receipt of one file, as if it had been fetched; the copy goes with the test's folder."""
    shutil.copyfile(source, folder / source.name)
    return made.receipt_of(product, folder)


def test_our_regions_are_those_of_the_release(tmp_path: Path) -> None:
    receipt = fetched("artemis_regions_2024", REFERENCE / "artemis" / "usgs_regions_2024.geojson", tmp_path)
    write_regions(tmp_path / "regions.csv", read_published_regions(receipt, GRID))
    theirs = pd.read_csv(tmp_path / "regions.csv").drop(columns="source")
    ours = pd.read_csv(made.RESOURCES / "artemis_regions.csv").drop(columns="source")
    assert np.allclose(theirs.pop("area_km2"), ours.pop("area_km2"), rtol=0.0, atol=0.05)
    pd.testing.assert_frame_equal(theirs, ours, rtol=0.0, atol=1e-8)
    for one, other in zip(
        read_regions(tmp_path / "regions.csv"), read_regions(made.RESOURCES / "artemis_regions.csv"), strict=True
    ):
        assert one.outline.symmetric_difference(other.outline).area < 1.0


def test_areas_of_real_shadow_are_those_that_the_file_lists(tmp_path: Path) -> None:
    receipt = fetched("psr_polygons_south", REFERENCE / "psr" / "psr_ge5km2.gpkg", tmp_path)
    found = read_psr_polygons(receipt, GRID)
    assert len(found.frame) == found.read.read == 171
    assert found.read.coordinates == "the polar map"
    assert found.listed_ratio == pytest.approx(1.0, abs=1e-3)
    assert found.frame["area_km2"].between(5.0, 1_076.0).all()
    assert (found.frame["true_area_km2"] / found.frame["area_km2"]).between(0.984, 1.0).all()


def test_a_real_catalogue_is_read_row_by_row(tmp_path: Path) -> None:
    receipt = fetched("lu1319381", REFERENCE / "craters" / "lu1319381_polar.csv", tmp_path)
    truth = pd.read_csv(REFERENCE / "craters" / "lu1319381_polar.csv")
    found = read_published_craters(receipt, GRID)
    assert found.attrs["read"] == len(truth) == 12_345
    polar = truth[truth["lat_deg"] <= -80.0].sort_values("id")
    kept = found[found["lat_deg"] <= -80.0]
    assert list(kept["id"]) == list(polar["id"])
    assert np.allclose(kept["diameter_m"], polar["diameter_m"])
    assert int(kept["depth_m"].isna().sum()) == int((polar["depth_m"] == 0).sum())
