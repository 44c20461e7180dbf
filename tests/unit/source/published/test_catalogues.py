"""Published catalogues: the craters that the files were made from, whatever their columns, and nothing else."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid
from lunarsite.source.catalogue import read_craters
from lunarsite.source.kinds import LocalError
from lunarsite.source.published import catalogues, tables
from lunarsite.source.published.catalogues import read_published_craters
from tests.layouts import tables as made

HALF_M = 24_000.0
GRID = Grid.centred(HALF_M, 240.0, 960.0)
HEAD = "LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG\n"


@pytest.fixture
def robbins(tmp_path: Path) -> Callable[[str | bytes], pd.DataFrame]:
    """Read text as Robbins' catalogue."""

    def read(text: str | bytes) -> pd.DataFrame:
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / "lunar_crater_database_robbins_2018.csv").write_bytes(content)
        return read_published_craters(made.receipt_of("robbins_2018", tmp_path), GRID)

    return read


@pytest.mark.parametrize("product", ["robbins_2018", "lu1319373", "lu1319381"])
def test_the_craters_of_the_moon_come_back(product: str, tmp_path: Path) -> None:
    truth = made.craters(HALF_M)
    found = read_published_craters(made.unpacked(product, tmp_path, HALF_M), GRID)
    assert len(found) == len(truth) > 20
    assert found.attrs["read"] == 2 * len(truth), "the other pole's craters are read and left out"
    assert found["id"].is_monotonic_increasing
    assert np.abs(found[["x_m", "y_m"]].to_numpy() - truth[["x_m", "y_m"]].to_numpy()).max() < 0.05
    assert np.abs(found["diameter_m"] - truth["diameter_m"]).max() < 0.06
    assert found["lon_deg"].between(-180.0, 180.0).all()
    if product == "robbins_2018":
        assert found["depth_m"].isna().all(), "it has no depths"
        assert found["id"].iloc[0] == 0
    else:
        assert np.abs(found["depth_m"] - truth["depth_m"]).max() < 0.06
        assert found["id"].iloc[0] == 1, "its own numbers"


def test_pieces_of_a_file_are_one_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = made.unpacked("lu1319381", tmp_path, HALF_M)
    whole = read_published_craters(receipt, GRID)
    chunks = tables.Table.chunks
    monkeypatch.setattr(tables.Table, "chunks", lambda table: chunks(table, 7))
    pd.testing.assert_frame_equal(read_published_craters(receipt, GRID), whole)
    path = tmp_path / "LU1319381.csv"
    lines = path.read_text().splitlines()
    lines[20] = lines[20].replace(",-8", ",-98", 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LocalError, match=r"line 21: lat_deg is '-98"):
        read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("ID,Lon,Lat,Diameter_km,Depth_km", "5,-90,-89.5,2.5,0.2"),
        ("ID,Longitude,Latitude,Diam_m,Depth(m)", "5,270,-89.5,2500,200"),
        ("id,LON,LAT,D (km),DEPTH (KM)", "5,270.0,-89.5,2.5,.2"),
        ("ID\tLon\tLat\tDiameter (m)\tDepth (m)", "5\t-90\t-89.5\t2500\t200"),
        ('"ID";"Lon";"Lat";"Diameter (m)";"Depth (m)"', '5;"-90";-89.5;2500;200'),
        ("ID, Lon, Lat, Diameter (m), Depth (m)", "5, -90, -89.5, 2500, 200"),
        ('ID, "Lon" , "Lat", Diam_m ,Depth_m', '5, "-90" ,"-89.5" , 2500 , 200'),
        ("ID \t Lon \t Lat \tDiameter (m)\tDepth (m)", "5\t-90 \t -89.5\t2500\t200"),
        ("\tLat\tLon\tID\tDiam_m\tDepth_m", "7\t-89.5\t-90\t5\t2500\t200"),
        ("\ufeffID, Lon, Lat, Diam_m, Depth_m", "5, 270, -89.5, 2500, 200"),
        ("Depth_m,Other,Lat,Lon,Crater_ID,Diam_m", "200,x,-89.5,-90,5,2500"),
    ],
)
def test_names_and_units_are_told_by_the_header(header: str, row: str, tmp_path: Path) -> None:
    (tmp_path / "LU1319381.csv").write_text(f"{header}\r\n{row}\r\n", newline="")
    found = read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID).iloc[0]
    assert found["id"] == 5
    assert (found["lon_deg"], found["lat_deg"]) == (-90.0, -89.5)
    assert found["diameter_m"] == pytest.approx(2_500.0)
    assert found["depth_m"] == pytest.approx(200.0)


def test_a_user_s_reader_agrees(tmp_path: Path) -> None:
    receipt = made.unpacked("lu1319381", tmp_path, HALF_M)
    mine = pd.read_csv(tmp_path / "LU1319381.csv")
    names = {"ID": "id", "Lon": "lon_deg", "Lat": "lat_deg", "Diameter (m)": "diameter_m", "Depth (m)": "depth_m"}
    mine.rename(columns=names).to_csv(tmp_path / "mine.csv", index=False)
    expected = read_craters(tmp_path / "mine.csv", GRID, "source.local.craters")
    pd.testing.assert_frame_equal(read_published_craters(receipt, GRID), expected)


LONG = "x" * 70_000
REFUSED = {
    "columns": (
        "LAT,LON_CIRC_IMG,DIAM_CIRC_IMG\n-89.5,1,2\n",
        r"no column is known as lat deg: it has \[LAT, LON.*LAT_C",
    ),
    "longitude": (HEAD + "-89.5,-5,2\n", r"line 2: lon_deg is '-5', allowed are 0\.\.360"),
    "latitude": (HEAD + "-89.5,5,2\n-91,5,2\n", r"line 3: lat_deg is '-91'"),
    "metres": (HEAD + "-89.5,5,4000\n", r"diameter_m is '4000', allowed are 0\.001\.\.3000"),
    "no number": (HEAD + "-89.5,5,wide\n", "diameter_m is 'wide'"),
    "empty": (HEAD, "holds no craters"),
    "nothing": ("", "has no line of column names"),
    "elsewhere": (HEAD + "89.5,5,2\n", r"none of its 1 craters lies on the run's map"),
    "cut": (HEAD + "-89.5,5,2\n-89.5,5\n", "line 3: has 2 values, the first line names 3"),
    "too many": (HEAD + "-89.5,5,2,7\n", "line 2: has 4 values, the first line names 3"),
    "twice": (
        "LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG,LAT_CIRC_IMG\n1,2,3,4\n",
        "two columns are named 'LAT_CIRC_IMG'",
    ),
    "alike": (
        "LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG,lat circ img\n-89.5,5,2,-10\n",
        "columns 'LAT_CIRC_IMG' and 'lat circ img' are one name but for case, .* which of them is lat deg is not",
    ),
    "quote within": (HEAD + '-89.5,5"1,2",7\n', "line 2: a quote stands within a value"),
    "quote before": (HEAD + '-89.5,5,2\n-89.5,"1,2"5,7\n', "line 3: a quote stands within a value"),
    "quotes apart": (HEAD + '-89.5,"1,2" "3,4",7\n', "line 2: a quote stands within a value"),
    "page": ("<!DOCTYPE html>\n<html><body>moved</body></html>\n", "no column is known as"),
    "zeros": (HEAD + "-89.5,5,2\n\x00\n", "line 3: holds bytes that are no text"),
    "long line": (HEAD + f"-89.5,5,2\n{LONG},1,2\n", "line 3: is longer than 65536 bytes"),
    "long header": (LONG, "line 1: is longer than"),
    "old line ends": (HEAD + "-89.5,5,2\r-89.5,6,2\n", "line 2: holds bytes that are no text"),
    "open quote": (HEAD + '-89.5,"5,2\n' + "-89.5,5,2\n" * 9, "line 2: a quote is not closed"),
    "latin": (b"LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG,\xc5\n-89.5,5,2,\n", "no text in UTF-8"),
    "wide": ("a," * 500 + "b\n", "has 501 columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_catalogue_is_refused(case: str, robbins: Callable[[str | bytes], pd.DataFrame]) -> None:
    text, words = REFUSED[case]
    with pytest.raises(LocalError, match=words) as error:
        robbins(text)
    assert str(error.value).startswith("source.published.craters: ")
    assert "lunar_crater_database_robbins_2018.csv" in str(error.value)


def test_quoted_values_may_hold_separators_but_no_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "LU1319381.csv"
    path.write_text('ID,Note,Lon,Lat,Diam_m\n1,"a, ""b""",5,-89.5,2000\n\n2,c,6,-89.5,3000\n\n')
    assert len(read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID)) == 2
    path.write_text('ID,Note,Lon,Lat,Diam_m\n1,"a\nb",5,-89.5,2000\n')
    with pytest.raises(LocalError, match="line 2: a quote is not closed"):
        read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID)


def test_columns_that_nobody_wants_may_be_alike(robbins: Callable[[str | bytes], pd.DataFrame]) -> None:
    found = robbins("err+,LAT_CIRC_IMG,LON_CIRC_IMG,DIAM_CIRC_IMG,err-\n1,-89.5,5,2,3\n")
    assert found[["lat_deg", "lon_deg", "diameter_m"]].to_numpy().tolist() == [[-89.5, 5.0, 2_000.0]]


WHOLE = st.text(st.sampled_from('a",; \t'), max_size=6)


@settings(deadline=None, max_examples=200)
@given(rows=st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=4), sign=st.sampled_from(",;\t"))
def test_any_table_that_python_writes_comes_back(
    rows: list[tuple[str, str]], sign: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=sign, quoting=csv.QUOTE_ALL)
        writer.writerow(("One", " Other", "Last"))
        writer.writerows((*row, "x") for row in rows)
    table = tables.look(path, {"other": ("other",), "one": ("ONE",)}, (), "here")
    (chunk,) = table.chunks()
    assert list(chunk.columns) == ["other", "one"]
    assert list(zip(chunk["one"], chunk["other"], strict=True)) == rows


def test_longitudes_of_two_kinds_in_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "LU1319381.csv").write_text("ID,Lon,Lat,Diam_m\n1,-90,-89.5,2000\n2,270,-89.5,2000\n")
    with pytest.raises(LocalError, match=r"from -90 to 270, so they count neither"):
        read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID)


def test_ids_that_repeat_are_refused(tmp_path: Path) -> None:
    (tmp_path / "LU1319381.csv").write_text("ID,Lon,Lat,Diam_m\n4,1,-89.5,2000\n1,3,-89.5,2000\n4,2,-89.5,2000\n")
    with pytest.raises(LocalError, match=r"line 4: id 4 stands twice"):
        read_published_craters(made.receipt_of("lu1319381", tmp_path), GRID)


def test_a_product_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    receipt = made.unpacked("wueller_2026", tmp_path)
    with pytest.raises(LocalError, match=r"'wueller_2026' is no crater catalogue .*robbins_2018, lu1319373"):
        read_published_craters(receipt, GRID)


def test_files_must_be_there_and_one(tmp_path: Path) -> None:
    receipt = made.unpacked("robbins_2018", tmp_path, HALF_M)
    (tmp_path / "other.csv").write_text(HEAD)
    both = made.receipt_of("robbins_2018", tmp_path)
    with pytest.raises(LocalError, match="needs one table of text"):
        read_published_craters(both, GRID)
    (tmp_path / "other.csv").unlink()
    with pytest.raises(ArtefactError, match="does not exist"):
        read_published_craters(receipt, GRID)


def test_sizes_are_bounded(robbins: Callable[[str | bytes], pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogues, "_MOST_ROWS", 1)
    with pytest.raises(LocalError, match="more than 1 rows"):
        robbins(HEAD + "-89.5,5,2\n" * 2)
    monkeypatch.setattr(tables, "_MOST_BYTES", 10)
    with pytest.raises(LocalError, match="no published table is"):
        robbins(HEAD + "-89.5,5,2\n")


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=400), st.text(alphabet='LATONDIM_CRG,;"\n\r\t-0189.e', max_size=300)))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes | str) -> None:
    folder = tmp_path_factory.mktemp("any")
    tail = content.encode() if isinstance(content, str) else content
    (folder / "LU1319381.csv").write_bytes(b"ID,Lon,Lat,Diam_m\n1,2,-89.5,2000\n" + tail)
    try:
        found = read_published_craters(made.receipt_of("lu1319381", folder), GRID)
    except LocalError:
        return
    assert np.isfinite(found[["x_m", "y_m", "diameter_m"]]).all(axis=None)
