from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import ILLUMINATION_CELLS, ILLUMINATION_RECORD
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.light import Comparison, Nights, draw_differences, draw_scatter
from lunarsite.settings import DarknessSettings, GridSettings, IlluminationReferenceSettings, SpanSettings
from tests.stage.fake_run import GRID, FakeRun

REFERENCE = IlluminationReferenceSettings.model_validate({"table": "far/away/made_up.csv", "table_cell_m": 4_000.0})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return FakeRun(tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="module")
def comparison(run: FakeRun) -> Comparison:
    return Comparison.read(run.path("illumination_cells"), run.path("illumination"), run.path("dem"), REFERENCE)


@pytest.fixture(scope="module")
def nights(run: FakeRun) -> Nights:
    places = run.path("night"), run.path("dem"), run.path("named_features")
    return Nights.read(GridSettings.model_validate(GRID), SpanSettings(), DarknessSettings(), *places)


def words(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def squares(axes: Any) -> list[Any]:
    return [found for found in axes.collections if isinstance(found, PolyCollection)]


def test_numbers_are_the_records_and_not_computed(comparison: Comparison) -> None:
    # The made-up record says what the made-up cells do not give.
    assert (
        comparison.numbers("earth_mean")
        == "bias \N{MINUS SIGN}1.50 %\nRMS 1.75 %\ncorrelation 0.9876\n1\u202f681 cells"
    )
    shown = words(draw_scatter(comparison))
    assert "bias +2.25 %" in shown
    assert "made_up.csv, cells of 4000 m" in shown
    assert "far/away" not in shown


def test_unknown_numbers_are_called_unknown(comparison: Comparison) -> None:
    metrics = tuple(metric.model_copy(update={"value": None}) for metric in comparison.record.metrics)
    blank = replace(comparison, record=comparison.record.model_copy(update={"metrics": metrics}))
    assert blank.numbers("sun_any") == "bias unknown\nRMS unknown\ncorrelation unknown\nunknown cells"


def test_a_record_without_the_numbers_is_refused(comparison: Comparison) -> None:
    with pytest.raises(ArtefactError, match="no metric 'sun_mean_bias'"):
        replace(comparison, record=Record(title="Empty")).numbers("sun_mean")


def test_differences_are_ours_minus_published_about_zero(comparison: Comparison) -> None:
    expected = 0.5 + 2.0 * np.sin(comparison.cells["y_m"] / 9_000.0)
    found = comparison.differences("sun_mean")
    np.testing.assert_allclose(found[4:], expected[4:])
    assert np.isnan(found[:4]).all()
    figure = draw_differences(comparison, "south")
    first, second = (squares(axes) for axes in figure.axes[:2])
    known, unknown = first
    assert len(known.get_paths()) == len(found) - 4
    assert len(unknown.get_paths()) == 4
    assert len(second) == 1
    assert known.norm.vmin == -known.norm.vmax == second[0].norm.vmin
    assert known.norm.vmax == 5.0, "the round number above 2.25 + 2 %"


@pytest.mark.parametrize(("width_m", "columns"), [(160e3, 2), (80e3, 4)])
def test_panels_stand_as_the_reference_is_shaped(comparison: Comparison, width_m: float, columns: int) -> None:
    cells = comparison.cells[comparison.cells["x_m"] >= 80e3 - width_m]
    figure = draw_differences(replace(comparison, cells=cells), "south")
    assert len({round(axes.get_position().x0, 6) for axes in figure.axes[:4]}) == columns
    assert figure.axes[0].get_xlim() == (80e3 - width_m - 2e3, 82e3)


def test_a_single_cell_can_be_drawn(comparison: Comparison) -> None:
    one = replace(comparison, cells=comparison.cells[7:8])
    assert draw_differences(one, "north").axes[0].get_xlim()[0] == float(one.cells["x_m"].iloc[0]) - 2e3
    assert draw_scatter(one)


def test_cells_and_record_of_two_comparisons_are_refused(run: FakeRun, tmp_path: Path) -> None:
    found, _ = record.read(run.path("illumination"), ILLUMINATION_RECORD)
    other = run.stamp("illumination", "validate-illumination").model_copy(update={"inputs": {"sun_mean": "e" * 64}})
    record.write(tmp_path / "other.json", ILLUMINATION_RECORD, found, other)
    with pytest.raises(ArtefactError, match=r"another comparison than .*other\.json"):
        Comparison.read(run.path("illumination_cells"), tmp_path / "other.json", run.path("dem"), REFERENCE)


def test_nothing_compared_names_the_mend(run: FakeRun, comparison: Comparison, tmp_path: Path) -> None:
    path, stamp = tmp_path / "cells.parquet", run.stamp("illumination_cells", "validate-illumination")
    table.write(path, ILLUMINATION_CELLS, comparison.cells[:0], stamp)
    with pytest.raises(ArtefactError, match=r"validation\.illumination\.table"):
        Comparison.read(path, run.path("illumination"), run.path("dem"), REFERENCE)


def colours_of(figure: Any, cells: Any) -> Any:
    return figure.axes[0].get_images()[0].get_array()[cells.kept]


def test_nights_are_coloured_left_out_or_unknown(nights: Nights) -> None:
    figure = nights.draw_longest()
    values, colours = nights.rows, colours_of(figure, nights.cells)
    unknown = values["lit_fraction"].isna().to_numpy()
    left_out = values["longest_night_h"].isna().to_numpy() & ~unknown
    assert unknown.any()
    assert left_out.any()
    grey = np.ptp(colours, axis=1) < 1e-9
    assert grey[unknown | left_out].all()
    assert not grey[~(unknown | left_out)].any()
    assert len(np.unique(colours[left_out], axis=0)) == 1
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["lit < 5 % of the time", "unknown"]
    assert "SYNTHETIC" in words(figure)


def test_ground_outside_the_cells_stays_blank(nights: Nights) -> None:
    image = nights.draw_together().axes[0].get_images()[0].get_array()
    assert image is not None
    assert (np.asarray(image)[~nights.cells.kept] == 1.0).all()


def test_short_nights_are_bright_and_many_hours_too(nights: Nights) -> None:
    known = nights.rows["longest_night_h"].notna().to_numpy()
    for figure, column, sign in (
        (nights.draw_longest(), "longest_night_h", -1),
        (nights.draw_together(), "sun_and_earth_h_per_year", 1),
    ):
        brightness = colours_of(figure, nights.cells)[known] @ np.array([0.3, 0.6, 0.1])
        order = np.argsort(nights.rows[column].to_numpy()[known])
        few = max(order.size // 20, 1)
        assert sign * (brightness[order[-few:]].mean() - brightness[order[:few]].mean()) > 0.3


def test_a_run_in_which_all_is_left_out_can_be_drawn(nights: Nights) -> None:
    nothing = {"longest_night_h": np.nan, "sun_and_earth_h_per_year": np.nan}
    dark = replace(nights, rows=nights.rows.assign(**nothing))
    for figure in (dark.draw_longest(), dark.draw_together()):
        figure.draw_without_rendering()


def test_nights_of_other_cells_are_refused(run: FakeRun) -> None:
    wider = GridSettings.model_validate({**GRID, "latitude_limit_deg": 86.9})
    places = run.path("night"), run.path("dem"), run.path("named_features")
    with pytest.raises(ArtefactError, match="other cells than the run's grid"):
        Nights.read(wider, SpanSettings(), DarknessSettings(), *places)
