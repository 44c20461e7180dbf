"""Lists of places: what is read, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import ArtefactError
from lunarsite.validate import site_tables
from lunarsite.validate.site_tables import read_places

FIELD = "validation.site.experts"


def listed(folder: Path, text: str) -> Path:
    path = folder / "experts.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_ways_to_count_longitude_are_the_same_places(tmp_path: Path) -> None:
    first = read_places(listed(tmp_path, "lon,lat\n-30,-85\n180,-86\n0,-89\n"), FIELD)
    second = read_places(listed(tmp_path, "lon,lat\n330,-85\n180,-86\n360,-89\n"), FIELD)
    np.testing.assert_allclose(first.lon_deg, [-30.0, -180.0, 0.0])
    np.testing.assert_allclose(second.lon_deg, first.lon_deg)
    assert first.score is None


@given(st.lists(st.tuples(st.floats(-180.0, 360.0), st.floats(-90.0, -1e-6)), min_size=1, max_size=20, unique=True))
def test_places_come_back_in_their_order(places: list[tuple[float, float]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{lon!r},x,{lat!r}\n" for lon, lat in places)
        found = read_places(listed(Path(folder), "lon,name,lat\n" + text), FIELD)
    assert len(found) + found.repeated == len(places)
    if not found.repeated:
        turns = (found.lon_deg - [lon for lon, _ in places]) / 360.0
        np.testing.assert_allclose(turns, np.round(turns), atol=1e-12)
        np.testing.assert_array_equal(found.lat_deg, [lat for _, lat in places])
    assert (np.abs(found.lon_deg) <= 180.0).all()


def test_further_columns_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = listed(tmp_path, '\ufeffname,lon,lat,score\n"a, b",10,-88,word\n\n,20,-87,\n')
    found = read_places(path, FIELD)
    np.testing.assert_array_equal(found.lon_deg, [10.0, 20.0])
    assert found.score is None


def test_a_place_listed_again_stands_once_with_its_best_score(tmp_path: Path) -> None:
    path = listed(tmp_path, "lon,lat,score\n10,-88,1\n20,-87,5\n370,-88,9\n".replace("370", "10.0"))
    found = read_places(path, FIELD, scored=True)
    assert (len(found), found.repeated) == (2, 1)
    assert found.score is not None
    np.testing.assert_array_equal(found.score, [9.0, 5.0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "lon,lat\n10,-88\n10,88\n",
            "line 3: lat 88 is not at the south pole of this run, where latitudes are negative",
        ),
        ("lon,lat\n10,-88\n\n-85,200\n", r"line 4: lat is 200, .* exchanged"),
        ("lon,lat\n-181,-88\n", "line 2: lon is -181"),
        ("lon,lat\n361,-88\n", "line 2: lon is 361"),
        ("lon,lat\n10,nan\n", "line 2: lat is 'nan', must be a finite number"),
        ("lon,lat\n10,\n", "line 2: lat is ''"),
        ("lon,lat\n10\n", "line 2: lat is None"),
        ("lon,lat\n10,-88,7\n", "line 2: has more values"),
        ("lon,lat,score\n10,-88,best\n", "line 2: score is 'best'"),
        ("lon;lat\n10;-88\n", "must name the columns lon and lat once each, separated by commas"),
        ("lon, lat\n10,-88\n", "without blanks"),
        ("lon,lat,lon\n10,-88,3\n", "once each"),
        ("lon,lat\n", "lists no place"),
        ("", "names nothing"),
        ('lon,lat\n10,"-88\n', "no readable CSV"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ArtefactError, match=said) as error:
        read_places(listed(tmp_path, text), FIELD, scored=True)
    assert str(error.value).startswith(f"{FIELD}: {tmp_path / 'experts.csv'}")


def test_missing_binary_and_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "experts.csv"
    with pytest.raises(ArtefactError, match="no readable CSV"):
        read_places(path, FIELD)
    path.write_bytes(b"lon,lat\n\xff\xfe,1\n")
    with pytest.raises(ArtefactError, match="UTF-8"):
        read_places(path, FIELD)
    monkeypatch.setattr(site_tables, "MOST_PLACES", 2)
    assert len(read_places(listed(tmp_path, "lon,lat\n1,-88\n2,-88\n"), FIELD)) == 2
    with pytest.raises(ArtefactError, match="line 4: more than 2 places"):
        read_places(listed(tmp_path, "lon,lat\n1,-88\n2,-88\n3,-88\n"), FIELD)
    monkeypatch.setattr(site_tables, "MOST_BYTES", 20)
    with pytest.raises(ArtefactError, match="at most 20 are read"):
        read_places(path, FIELD)


def test_the_north_pole_has_its_own_sign(tmp_path: Path) -> None:
    assert len(read_places(listed(tmp_path, "lon,lat\n10,88\n"), FIELD, "north")) == 1
    with pytest.raises(ArtefactError, match="where latitudes are positive"):
        read_places(listed(tmp_path, "lon,lat\n10,-88\n"), FIELD, "north")
