from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lunarsite.artefact.record import Metric, Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish import charts, score_charts, score_story
from lunarsite.publish.score_checks import headline_km, measures
from lunarsite.settings import CrossValidationSettings, ScorerSettings
from lunarsite.site.score.crossvalidation_record import crossvalidation_record
from lunarsite.site.score.measures import measures as measured

STAMP = Stamp(
    artefact="scores", stage="score-train", run="a", settings_hash="5" * 64, code="c" * 16, inputs={}, git_commit=None,
    git_dirty=None, seed=1, origin="synthetic",
)  # fmt: skip


def row(model: str, block_km: float, auc: float | None, precision: float | None, **more: float) -> dict[str, Any]:
    return {
        "model": model,
        "block_km": block_km,
        "auc": auc,
        "average_precision": precision,
        "base_rate": 0.02,
        "ece_probability": 0.004,
        "ece_label": 0.02,
        **more,
    }


ROWS = [
    row("full", 0.0, 0.99, 0.9),
    row("full", 50.0, 0.98, 0.8, auc_low=0.97, auc_high=0.99),
    row("context", 50.0, 0.7, 0.1),
    row("margin", 50.0, 0.999, 0.95),
]


def found(rows: list[dict[str, Any]], *metrics: Metric) -> Record:
    return Record(title="x", metrics=(Metric(name="headline_block_km", value=50.0), *metrics), tables={"models": rows})


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def lines(figure: Figure, colour: str) -> list[tuple[list[float], list[float]]]:
    """Lines of a colour in the first panel, by x and y."""
    drawn = [line for line in figure.axes[0].lines if line.get_color() == colour]
    return [(list(np.asarray(line.get_xdata())), list(np.asarray(line.get_ydata()))) for line in drawn]


def test_the_score_is_never_told_without_its_baselines() -> None:
    spun = Metric(name="auc_context_spun", value=0.55, low=0.5, high=0.62)
    told = score_story.worth(found(ROWS, spun))
    assert "0.98 (95 %: 0.97 to 0.99)" in told[0]
    assert "Without skill they are 0.5 and 0.02" in told[0]
    assert "0.7 and 0.1 for the model of context only" in told[1]
    assert "0.999 and 0.95 for the rule's margin" in told[1]
    assert "AUC of 0.55 (95 %: 0.5 to 0.62)" in told[2]
    assert "off by 0.004 on average (ECE)" in told[3]
    # Calibration against the Monte Carlo is no calibration against the ground.
    assert "how well the trees copy the Monte Carlo" in told[4]
    assert "docs/labels.md" in told[4]
    assert "A constant forecast" in told[5]
    assert "From single cells to blocks of 50 km held out, average precision goes from 0.9 to 0.8 for the" in told[6]


def test_a_score_that_was_not_measured_is_unknown_and_not_bad() -> None:
    for rows in ([], [row("full", 50.0, None, None)], [row("context", 50.0, 0.7, 0.1)]):
        (told,) = score_story.worth(found(rows))
        assert "on held-out blocks of 50 km is unknown" in told


def test_a_record_without_its_table_or_headline_is_refused() -> None:
    with pytest.raises(ArtefactError, match="no table 'models'"):
        measures(Record(title="x"))
    with pytest.raises(ArtefactError, match="lacks \\['base_rate'\\]"):
        measures(found([{key: value for key, value in ROWS[0].items() if key != "base_rate"}]))
    with pytest.raises(ArtefactError, match="headline_block_km"):
        headline_km(Record(title="x", tables={"models": []}))


def test_tables_of_the_models_set_the_base_rates_brier_score_beside() -> None:
    rows = [row("full", 50.0, 0.98, 0.8, brier_probability=0.01, brier_base_probability=0.05, undecided_auc=0.8)]
    main, undecided = score_story.tables(found(rows))
    assert main.columns[:2] == ("Model", "Held out")
    assert main.rows[0][:5] == ("full model", "blocks of 50 km", "0.98", "0.8", "0.02")
    assert "0.01; base 0.05" in main.rows[0]
    assert undecided.rows[0][3] == "0.8"
    assert score_story.tables(found([])) == ()


def test_blocks_are_drawn_where_they_were_measured() -> None:
    figure = score_charts.draw_blocks(ROWS, 50.0, STAMP)
    margin = [y for x, y in lines(figure, score_charts.MODELS["margin"].colour)]
    assert margin == [[0.999]]
    (interval, whole) = lines(figure, score_charts.MODELS["full"].colour)
    assert interval[1] == [0.97, 0.99]
    assert whole[1] == [0.99, 0.98]
    assert "single\ncells" in words(figure)
    assert words(score_charts.draw_blocks([], None, STAMP))


def bins() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["full", "full", "full"],
            "block_km": [50.0, 50.0, 0.0],
            "bin": [1, 0, 0],
            "predicted": [0.9, 0.1, 0.5],
            "expected": [0.8, 0.2, 0.5],
            "passing": [1.0, 0.0, 0.5],
            "cells": [9, 5_000, 70],
        }
    )


def test_calibration_is_that_of_the_headline_and_few_cells_are_hollow() -> None:
    figure = score_charts.draw_calibration(bins(), ROWS, 50.0, STAMP)
    curve, many, few = lines(figure, score_charts.MODELS["full"].colour)
    assert curve == ([0.1, 0.9], [0.2, 0.8])
    assert many == ([0.1], [0.2])
    assert few == ([0.9], [0.8])
    hollow = [line.get_markerfacecolor() for line in figure.axes[0].lines if list(line.get_xdata()) == [0.9]]
    assert hollow == ["white"]
    assert "0.004" in words(figure)
    assert "0.02" in words(figure)


def test_an_empty_calibration_is_drawn_without_complaint() -> None:
    assert "SYNTHETIC" in words(score_charts.draw_calibration(bins()[:0], [], 50.0, STAMP))


def sweeps() -> pd.DataFrame:
    value = np.linspace(3.0, 7.0, 5)
    return pd.DataFrame(
        {
            "input": "slope",
            "limit": 5.0,
            "value": value,
            "probability_low": 0.2,
            "probability_median": np.linspace(0.9, 0.1, 5),
            "probability_high": 0.95,
            "cells": 12,
        }
    )


def test_sweeps_show_the_hard_step_on_the_right_side_of_the_limit() -> None:
    figure = score_charts.draw_sweeps(sweeps(), STAMP)
    assert "Slope: limit 5°" in words(figure)
    (step,) = [line for line in figure.axes[0].lines if list(line.get_ydata()) == [1.0, 1.0, 0.0, 0.0]]
    assert list(step.get_xdata()) == [3.0, 5.0, 5.0, 7.0]
    lit = score_charts.draw_sweeps(sweeps().assign(input="light"), STAMP)
    assert [line for line in lit.axes[0].lines if list(line.get_ydata()) == [0.0, 0.0, 1.0, 1.0]]


def test_sweeps_without_cells_say_so() -> None:
    assert "no cell lies near the limits" in words(score_charts.draw_sweeps(sweeps()[:0], STAMP))


def test_dependence_shows_the_strongest_features_and_marks_the_limits() -> None:
    generator = np.random.default_rng(1)
    names = ["slope_mean", "avg_illumination_pct", *(f"crater_count_{i}" for i in range(6)), "elevation_mean"]
    scores = pd.DataFrame({"rank": np.arange(1, 401)})
    for weight, name in enumerate(names, start=1):
        scores[f"shap_{name}"] = weight * generator.normal(size=400)
    cells = pd.DataFrame({name: generator.normal(size=400) for name in names if not name.startswith("crater")})
    cells.loc[:, "avg_illumination_pct"] = np.nan
    figure = charts.draw_dependence(scores, cells, {"slope": 5.0}, STAMP)
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert labels == ["Elevation, mean (m)", "Sunlight, mean (% of time)", "Slope, mean (°)"]
    assert "unknown" in words(figure)
    slope = figure.axes[2]
    assert [list(line.get_xdata()) for line in slope.lines if line.get_linestyle() == "--"] == [[5.0, 5.0]]


def test_the_record_that_the_score_room_writes_is_the_one_that_is_read() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(size=300)
    rows = []
    for model in score_charts.MODELS:
        noisy = np.clip(truth + 0.1 * generator.normal(size=300), 0.0, 1.0)
        rows.append({"model": model, "block_km": 50.0, **measured(noisy, noisy, truth, truth > 0.5)})
    written = crossvalidation_record(
        rows, "", generator.uniform(0.4, 0.6, 99), ScorerSettings(), CrossValidationSettings()
    )
    told = " ".join(score_story.worth(written))
    assert "For comparison:" in told
    assert "that much comes of latitude alone" in told
    assert "unknown" not in told
    assert len(score_story.tables(written)) == 2
    assert headline_km(written) == 50.0
