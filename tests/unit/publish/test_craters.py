from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

from lunarsite.artefact import model, record, table
from lunarsite.artefact.contracts import CRATER_MATCHES, CRATER_PROBABILITY, CRATER_RECORD
from lunarsite.artefact.record import Record, Verdict
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid, lonlat_to_xy, map_circles, xy_to_lonlat
from lunarsite.publish import crater_story
from lunarsite.publish.crater_agreement import Agreement, rows
from lunarsite.publish.crater_matches import OUTCOMES, Matches, sector_line, sector_view, sector_words
from lunarsite.publish.crater_sheet import Ground, densest, reaching, square
from lunarsite.publish.craters import Detections, Responses
from lunarsite.publish.rasters import View, whole_view
from lunarsite.settings import CatalogueSettings, CraterReferenceSettings, SplitSettings
from tests.stage.fake_run import FakeRun, crater_record

WHOLE = View(-304e3, 304e3, -304e3, 304e3)
HALF = CatalogueSettings(lon_deg=(0.0, 180.0))
SPLIT = SplitSettings(validation_lon_deg=(135.0, 175.0), test_lon_deg=(15.0, 75.0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return FakeRun(tmp_path_factory.mktemp("craters"))


@pytest.fixture(scope="module")
def ground(run: FakeRun) -> Ground:
    return Ground.read(run.path("dem"), run.path("named_features"))


@pytest.fixture(scope="module")
def matches(run: FakeRun, ground: Ground) -> Matches:
    files = run.path("crater_matches"), run.path("detected_craters")
    return Matches.read(*files, ground, HALF, SPLIT, CraterReferenceSettings(), 87.0)


@pytest.fixture(scope="module")
def agreement(run: FakeRun) -> Agreement:
    return Agreement.read(run.path("crater_record"), run.path("crater_curve"))


def words(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def rims(axes: Any) -> list[EllipseCollection]:
    """The craters drawn, without the light lines beneath."""
    found = [part for part in axes.collections if isinstance(part, EllipseCollection)]
    return [part for part in found if part.get_zorder() > 2.05]


def test_a_square_stays_in_its_view_and_the_densest_holds_most() -> None:
    assert square(0.0, 0.0, WHOLE).extent == (-32e3, 32e3, -32e3, 32e3)
    assert square(300e3, -300e3, WHOLE).extent == (240e3, 304e3, -304e3, -240e3)
    assert square(0.0, 0.0, View(0.0, 40e3, 0.0, 20e3)).extent == (0.0, 20e3, 0.0, 20e3)
    crowd = pd.DataFrame({"x_m": [-2e5, 1e5, 1.01e5, 1.02e5], "y_m": [0.0, 5e4, 5e4, 5.1e4]})
    assert densest(crowd, WHOLE).holds(1.01e5, 5e4, 0.1)
    assert densest(crowd[:0], WHOLE).extent == (-32e3, 32e3, -32e3, 32e3)
    assert densest(crowd, View(-3e5, -1e5, -1e5, 1e5)).holds(-2e5, 0.0), "craters beside the view do not count"


def test_a_crater_whose_rim_alone_reaches_the_view_is_drawn() -> None:
    craters = pd.DataFrame({"x_m": [120e3, 140e3], "y_m": [0.0, 0.0], "diameter_m": [50e3, 50e3]})
    assert list(reaching(craters, View(-100e3, 100e3, -100e3, 100e3)).index) == [0]


@pytest.mark.parametrize(
    ("sector", "inside", "outside"),
    [((15.0, 75.0), 45.0, 100.0), ((170.0, -170.0), 180.0, 150.0), ((-75.0, -15.0), -45.0, 45.0)],
)
def test_a_sectors_outline_encloses_it(sector: tuple[float, float], inside: float, outside: float) -> None:
    from shapely import Point, Polygon

    outline = Polygon(sector_line(sector, 80.0, "south"))
    for lon, expected in ((inside, True), (outside, False)):
        assert outline.contains(Point(*lonlat_to_xy(lon, -85.0))) is expected
    view = sector_view(sector, 80.0, WHOLE)
    assert all(view.holds(*point, -1e-4) for point in outline.exterior.coords)
    assert 0.59 <= view.width_m / view.height_m <= 1.0 / 0.59


def test_a_sector_of_all_longitudes_is_a_circle() -> None:
    line = sector_line((-180.0, 180.0), 80.0, "north")
    _, lat = xy_to_lonlat(line[:, 0], line[:, 1], "north")
    np.testing.assert_allclose(lat, 80.0)
    np.testing.assert_allclose(line[0], line[-1], atol=1e-6)
    assert sector_words((0.0, 180.0)) == "longitudes 0° to 180°"
    assert sector_words((-75.0, 15.0)) == "longitudes 75° W to 15° E"


def test_only_accepted_craters_are_drawn_with_their_true_size(run: FakeRun, ground: Ground) -> None:
    found = Detections.read(run.path("detected_craters"), ground)
    assert found.craters["accepted"].all()
    assert len(found.craters) < found.total == 240
    figure = found.draw()
    (drawn,) = rims(figure.axes[0])
    shown = reaching(found.craters, whole_view(ground.grid))
    radius = map_circles(*(shown[name].to_numpy() for name in ("x_m", "y_m", "diameter_m")))[2]
    np.testing.assert_allclose(drawn.get_widths(), 2.0 * radius)
    assert f"{len(found.craters)} craters at or above the threshold" in words(figure)


def test_no_crater_at_all_can_be_drawn(run: FakeRun, ground: Ground, matches: Matches) -> None:
    found = Detections.read(run.path("detected_craters"), ground)
    replace(found, craters=found.craters[:0]).draw().draw_without_rendering()
    nothing = replace(matches, rows=matches.rows[:0]).draw()
    assert "No crater was compared." in words(nothing)
    nothing.draw_without_rendering()


def test_responses_on_another_grid_are_refused(run: FakeRun, ground: Ground) -> None:
    other = replace(ground, grid=Grid.centred(48e3, 960.0, 960.0))
    with pytest.raises(ArtefactError, match="another grid than"):
        Responses.read(run.path("crater_probability"), other)
    assert CRATER_PROBABILITY.bands[1].name == "rim", "the second band is drawn as rims"


def test_outcomes_differ_in_colour_and_in_line(matches: Matches) -> None:
    assert len({look.colour for look in OUTCOMES.values()}) == len({str(o.dashes) for o in OUTCOMES.values()}) == 3
    figure = matches.draw()
    drawn = {to_hex(part.get_edgecolor()[0]).upper(): part for part in rims(figure.axes[0])}
    test = matches.rows[matches.rows["split"] == "test"]
    for name, look in OUTCOMES.items():
        assert len(drawn[look.colour].get_offsets()) == (test["outcome"] == name).sum(), name
        assert f"({(test['outcome'] == name).sum()})" in words(figure)
    assert "longitudes 15° E to 75° E" in words(figure)
    assert "elsewhere nothing is known" in words(figure)
    assert (matches.rows["diameter_m"] >= 3_000.0).all()


def test_without_test_ground_the_rest_is_shown_and_said(matches: Matches) -> None:
    figure = replace(matches, rows=matches.rows[matches.rows["split"] != "test"]).draw()
    assert "No crater lies on test ground" in words(figure)


def test_matches_of_other_detections_or_outcomes_are_refused(run: FakeRun, ground: Ground, tmp_path: Path) -> None:
    found, stamp = table.read(run.path("crater_matches"), CRATER_MATCHES)
    changes = {"detected_id": (9_999, "does not hold"), "outcome": ("maybe", r"unknown outcomes \['maybe'\]")}
    for column, (value, message) in changes.items():
        path = tmp_path / f"{column}.parquet"
        table.write(path, CRATER_MATCHES, found.assign(**{column: value}), stamp)
        with pytest.raises(ArtefactError, match=message):
            Matches.read(path, run.path("detected_craters"), ground, HALF, SPLIT, CraterReferenceSettings(), 87.0)


def test_charts_show_the_records_numbers(agreement: Agreement) -> None:
    points = rows(agreement.record, "headline")
    left, right = agreement.curve().axes
    for axes, least in ((left, 3_000.0), (right, 5_000.0)):
        marks = {line.get_marker(): line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() in "os^D"}
        expected = {p["detector"]: [p["recall"], p["precision"]] for p in points if p["least_diameter_m"] == least}
        assert marks == {
            "o": expected["network"],
            "s": expected["base"],
            "^": expected["classical"],
            "D": expected["chance"],
        }
    chart, bars = agreement.reliability().axes
    assert len(chart.lines[-1].get_xydata()) == len(bars.collections[0].get_segments()) == 5
    sizes, depths = agreement.recall().axes
    assert [label.get_text() for label in depths.get_xticklabels()] == ["below\n0.04", "above\n0.15"]
    assert depths.lines[-1].get_ydata().tolist() == [0.17, 0.91]
    assert "90" in {text.get_text() for text in sizes.texts}


def test_what_could_not_be_measured_is_left_out_of_charts(agreement: Agreement) -> None:
    tables = {
        name: [
            {
                key: None if key.startswith(("precision", "recall", "f1", "gain", "share")) else value
                for key, value in row.items()
            }
            for row in part
        ]
        for name, part in agreement.record.tables.items()
    }
    unknown = replace(agreement, record=agreement.record.model_copy(update={"tables": tables}))
    for figure in (unknown.curve(), unknown.reliability(), unknown.recall()):
        figure.draw_without_rendering()
    told = list(crater_story.measured(unknown.record))
    assert told[0] == "For craters of at least 3 km nothing could be measured on the test ground."
    nothing = replace(agreement, curves=agreement.curves[:0], record=unknown.record.model_copy(update={
        "tables": {name: [] for name in tables}}))  # fmt: skip
    for figure in (nothing.curve(), nothing.reliability(), nothing.recall()):
        figure.draw_without_rendering()


@pytest.mark.parametrize("broken", ["table", "column", "inputs"])
def test_a_record_that_lacks_something_is_refused(run: FakeRun, tmp_path: Path, broken: str) -> None:
    found, stamp = record.read(run.path("crater_record"), CRATER_RECORD)
    tables = {name: [dict(row) for row in part] for name, part in found.tables.items()}
    if broken == "table":
        del tables["by_depth"]
    elif broken == "column":
        del tables["headline"][0]["f1_low"]
    else:
        stamp = stamp.model_copy(update={"inputs": {"dem": "e" * 64}})
    path = tmp_path / "crater.json"
    record.write(path, CRATER_RECORD, found.model_copy(update={"tables": tables}), stamp)
    message = {"table": "no table 'by_depth'", "column": r"lacks \['f1_low'\]", "inputs": "another comparison"}[broken]
    with pytest.raises(ArtefactError, match=message):
        Agreement.read(path, run.path("crater_curve"))


def test_falling_short_and_unknown_are_said_plainly() -> None:
    unknown = Verdict(name="Recall", value=None, unit="1", bound=">= 1", holds=None, why="no data")
    found = crater_record()
    told = list(crater_story.measured(found.model_copy(update={"verdicts": (*found.verdicts, unknown)})))
    assert "It falls short in: F1 from 5 km (0.7, asked: >= 0.74)." in told
    assert "Unknown remain: Recall." in told
    assert not [
        line for line in crater_story.measured(Record(**{**found.model_dump(), "verdicts": ()})) if "short" in line
    ]


def test_craters_are_counted_by_size() -> None:
    detected = pd.DataFrame({"diameter_m": [1e3, 4e3, 6e3, 9e3], "score": [0.9, 0.5, 0.7, 0.8], "accepted": True})
    assert crater_story.counted(detected) == (
        "4 craters reached the threshold of the score, 0.50: 3 of at least 3 km, 2 of at least 5 km."
    )
    assert crater_story.counted(detected.assign(accepted=False)) == "No crater reached the threshold of the score."


def test_the_best_candidates_come_first_and_unknown_depth_is_said() -> None:
    frame = pd.DataFrame(
        {"id": [4, 2, 9], "lon_deg": [10.0, -20.0, 30.0], "lat_deg": -85.0, "diameter_m": 2_000.0}
    ).assign(depth_m=[100.0, np.nan, 50.0], score=[0.8, 0.9, 0.8])
    found = crater_story.candidate_table(frame, 2)
    assert [row[0] for row in found.rows] == ["2", "4"]
    assert found.rows[0][2:] == ("20.000° W", "2.00", "unknown", "unknown", "0.90")
    assert found.rows[1][4:] == ("100", "0.050", "0.80")
    assert "the 2 best-scored of 3" in found.caption


def test_a_card_is_told_key_by_key() -> None:
    card = model.Card(
        spec={}, inputs=("x",), training={"b": {"c": True, "d": [1.0, "e"], "f": [{"g": 1.0}]}, "a": None}
    )
    assert crater_story.card_table(card).rows == (
        ("training: b: c", "yes"), ("training: b: d", "1, e"), ("training: b: f", "1 entries"),
    )  # fmt: skip
    bare = model.Card(spec={}, inputs=("x",))
    assert "Nor does the model say" in crater_story.unmeasured(bare)
    assert crater_story.card_table(bare).rows == (("training", "unknown"),)
