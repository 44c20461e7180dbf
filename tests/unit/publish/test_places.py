from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from lunarsite.artefact import table
from lunarsite.artefact.contracts import PLACE_SERIES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.places import MOST_ON_SHEET, NamedPlaces
from lunarsite.publish.style import save_pages
from lunarsite.settings import PlacesSettings
from tests.stage.fake_run import FakeRun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return FakeRun(tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="module")
def named(run: FakeRun) -> NamedPlaces:
    settings = PlacesSettings()
    return NamedPlaces.read(run.path("place_profiles"), run.path("place_series"), run.path("dem"), settings)


def words(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_places_keep_their_order_and_position(named: NamedPlaces) -> None:
    assert [place.name for place in named.places] == ["Costs $5 & <more>", "Floor"]
    assert named.places[1].position == "88.000° S, 11.000° E"


def test_the_horizon_runs_round_the_whole_compass(named: NamedPlaces) -> None:
    figure = next(named.pages())
    horizon = next(line for line in figure.axes[0].lines if line.get_color() == "#1A1A1A")
    compass, elevation = (np.asarray(values) for values in horizon.get_data())
    assert compass[0] <= 0.0
    assert compass[-1] >= 360.0
    np.testing.assert_allclose(elevation, 3.0 * np.sin(np.radians(compass)), atol=1e-5)


def test_tracks_break_at_north(named: NamedPlaces) -> None:
    track = figure_line(next(named.pages()), "#E69F00")
    compass, elevation = track
    assert np.isnan(compass).sum() == np.isnan(elevation).sum() == 1
    assert np.nanmax(np.abs(np.diff(compass))) < 180.0
    assert np.nanmax(elevation) == pytest.approx(1.5, abs=1e-3)


def figure_line(figure: Any, colour: str) -> tuple[Any, Any]:
    line = next(line for line in figure.axes[0].lines if line.get_color() == colour)
    return tuple(np.asarray(values, dtype=np.float64) for values in line.get_data())  # type: ignore[return-value]


def test_the_strip_tells_unknown_from_dark(named: NamedPlaces) -> None:
    strips = next(named.pages()).axes[1]
    assert [label.get_text() for label in strips.get_yticklabels()] == ["Earth", "Sun"]
    assert len([found for found in strips.collections if isinstance(found, PolyCollection)]) == 4
    assert "unknown" in words(next(named.pages()))
    seen = [
        replace(place, sky=place.sky.fillna({"sun_visible_fraction": 0.0, "earth_visible_fraction": 0.0}))
        for place in named.places
    ]
    assert "unknown" not in words(next(replace(named, places=tuple(seen)).pages()))


def test_a_name_is_text_and_never_a_formula(named: NamedPlaces) -> None:
    figure = next(replace(named, places=(replace(named.places[0], name="$broken_{$"),)).pages())
    figure.draw_without_rendering()
    assert "Sky over $broken_{$" in words(figure)
    long = replace(named.places[0], name="x" * 200)
    assert len(long.title) == 56
    replace(named, places=(long,)).sheet().draw_without_rendering()


def test_the_pdf_has_a_page_for_each_place_and_the_same_bytes_again(named: NamedPlaces, tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        save_pages(named.pages(), tmp_path / name, 60)
    data = (tmp_path / "a.pdf").read_bytes()
    assert data == (tmp_path / "b.pdf").read_bytes()
    assert re.search(rb"/Type /Pages /Kids \[[^\]]*\] /Count 2", data)
    assert b"CreationDate" not in data


def test_the_sheet_says_what_it_leaves_out(named: NamedPlaces) -> None:
    many = replace(named, places=named.places[:1] * (MOST_ON_SHEET + 3))
    figure = many.sheet()
    assert len(figure.axes) == 2 * MOST_ON_SHEET
    assert "24 of 27 places; the PDF has all." in words(figure)
    assert "27" not in words(named.sheet())


def test_tables_of_different_places_are_refused(run: FakeRun, tmp_path: Path) -> None:
    skies, stamp = table.read(run.path("place_series"), PLACE_SERIES)
    other = tmp_path / "series.parquet"
    table.write(other, PLACE_SERIES, skies[skies["place"] == "Floor"].reset_index(drop=True), stamp)
    with pytest.raises(ArtefactError, match="names other places than"):
        NamedPlaces.read(run.path("place_profiles"), other, run.path("dem"), PlacesSettings())
