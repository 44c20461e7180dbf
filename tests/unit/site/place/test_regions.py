from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import lonlat_to_xy
from lunarsite.site.place.regions import inside, read_regions, union

TABLE = Path(__file__).parents[4] / "resources" / "artemis_regions.csv"
HEAD = "region,code,corner_index,lon_deg,lat_deg,area_km2,source\n"


def write(path: Path, rows: str) -> Path:
    path.write_text(HEAD + rows, encoding="utf-8")
    return path


def test_areas_in_the_map_plane_are_those_the_source_lists() -> None:
    regions = read_regions(TABLE)
    assert len(regions) == 9
    for region in regions:
        assert region.outline.area / 1e6 == pytest.approx(region.area_km2, abs=0.2)


def test_two_of_nine_are_mouton() -> None:
    assert sorted(r.name for r in read_regions(TABLE) if r.is_mouton) == ["Mons Mouton", "Mons Mouton Plateau"]


def test_union_counts_overlaps_once() -> None:
    regions = read_regions(TABLE)
    joined = union(regions)
    single = sum(region.outline.area for region in regions)
    assert joined.area < single
    assert joined.area > max(region.outline.area for region in regions)
    assert union([]).is_empty


def test_sides_are_straight_on_the_map_not_in_longitude_and_latitude(tmp_path: Path) -> None:
    # Corners on one parallel: the middle of the side lies nearer to the pole than the parallel does.
    rows = "".join(f"A,A,{i},{lon},{lat},1,x\n" for i, (lon, lat) in enumerate([(-30, -88), (30, -88), (0, -86)]))
    (region,) = read_regions(write(tmp_path / "r.csv", rows))
    x, y = lonlat_to_xy([0.0, 0.0], [-88.2, -88.3])
    assert inside(region.outline, x, y).tolist() == [True, False]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("A,A,0,0,-88,1,x\nA,A,1,10,-88,1,x\n", "no simple polygon"),
        ("A,A,0,0,-88,1,x\nA,A,2,10,-88,1,x\nA,A,3,5,-86,1,x\n", "numbered from 0"),
        ("A,A,0,0,-88,1,x\nA,A,1,400,-88,1,x\nA,A,2,5,-86,1,x\n", "line 3: lon_deg"),
        ("A,A,0,0,-88,1,x\nA,A,1,east,-88,1,x\nA,A,2,5,-86,1,x\n", "line 3: lon_deg"),
        ("", "missing: rows"),
    ],
)
def test_bad_tables_are_refused_with_the_place(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        read_regions(write(tmp_path / "r.csv", rows))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("region,code\nA,A\n", encoding="utf-8")
    with pytest.raises(ArtefactError, match="corner_index"):
        read_regions(path)


def test_a_crossing_outline_is_refused(tmp_path: Path) -> None:
    corners = [(0, -88), (90, -88), (0, -87), (90, -87)]
    rows = "".join(f"A,A,{i},{lon},{lat},1,x\n" for i, (lon, lat) in enumerate(corners))
    with pytest.raises(ArtefactError, match="simple polygon"):
        read_regions(write(tmp_path / "r.csv", rows))


def test_inside_is_vectorised() -> None:
    region = read_regions(TABLE)[0]
    centre = region.outline.centroid
    assert inside(region.outline, np.array([centre.x, 0.0]), np.array([centre.y, 0.0])).tolist() == [True, False]
