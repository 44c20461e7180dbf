"""The table of labels and its record: causes of the unknown, factors of the probability, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from lunarsite.artefact.record import Metric, Record
from lunarsite.settings import RuleSettings, RulesSettings, UncertaintySettings
from lunarsite.site.label.clones import CloneSums, SlopeLimits
from lunarsite.site.label.labels import Errors, LabelError, joined, label_table
from lunarsite.site.label.labels_record import errors_of, labels_record
from lunarsite.site.label.probability import ShareError
from lunarsite.site.rules import labels

NAN = float("nan")
OWN = RuleSettings(max_slope_deg=10.0, min_illumination_pct=0.0, min_earth_visibility_pct=0.0)
RULES = RulesSettings(own={"any_light": OWN})
SETTINGS = UncertaintySettings(draws=10)
LIMITS = SlopeLimits.of(RULES, 80.0)
ERRORS = Errors(ShareError(3.0, source="made up"), ShareError(0.0, source="made up"))


def cells(**changed: Any) -> pd.DataFrame:
    """Five cells: good, on the limit of light, steep, without light, without anything."""
    frame = pd.DataFrame(
        {
            "cell_id": np.arange(5),
            "slope_mean": [2.0, 4.0, 9.0, 2.0, NAN],
            "buffered_slope_deg": [3.0, 5.0, 12.0, 3.0, NAN],
            "avg_illumination_pct": [60.0, 33.0, 60.0, NAN, NAN],
            "earth_visibility_pct": [80.0, 50.0, 80.0, 49.0, NAN],
        }
    )
    for name in ("cassa", "hls"):
        columns = {column: frame[column].to_numpy() for column in frame}
        frame[f"label_{name}"] = labels(columns, RULES.named()[name], name)
    return frame.assign(**changed)


def clones() -> CloneSums:
    """What ten clones say: any_light, cassa and hls pass in so many of them."""
    frame = cells()
    slopes = np.stack([frame["slope_mean"], frame["buffered_slope_deg"]])
    known = ~np.isnan(slopes)
    return CloneSums(
        cell_id=np.arange(5),
        passing=np.array([[10, 10, 6, 10, 0], [10, 8, 0, 10, 0], [10, 9, 1, 10, 0]], dtype=np.int32),
        map_deg=slopes,
        shift_deg=np.where(known, 1.0, NAN),
        squares_deg2=np.where(known, 1.0, NAN),
    )


def table(frame: pd.DataFrame | None = None, errors: Errors = ERRORS) -> pd.DataFrame:
    return label_table(cells() if frame is None else frame, RULES, LIMITS, clones(), 10, errors)


def test_rules_stand_in_their_order_with_the_cells_own_labels() -> None:
    found = table()
    assert found["rule"].tolist() == ["any_light"] * 5 + ["cassa"] * 5 + ["hls"] * 5
    for rule in ("cassa", "hls"):
        assert found.loc[found["rule"] == rule, "label"].tolist() == cells()[f"label_{rule}"].tolist()


def test_a_probability_is_the_share_of_clones_times_light_and_earth_view() -> None:
    probability = table().set_index(["rule", "cell_id"])["probability"]
    assert probability["cassa"].tolist()[:3] == pytest.approx([1.0, 0.8 * 0.5, 0.0])
    assert probability["hls"].tolist()[:3] == pytest.approx([1.0, 0.9 * 0.5, 0.1])
    # This rule asks for no light: not even half of it is lost on ground without any known error.
    assert probability["any_light"].tolist()[:3] == pytest.approx([1.0, 1.0, 0.6])


def test_what_is_unknown_says_why_and_has_no_probability() -> None:
    found = table()
    for _, part in found.groupby("rule"):
        assert part["unknown_because"].tolist() == ["", "", "", "light", "slope,light,earth"]
        assert (part["label"] == "unknown").tolist() == [False, False, False, True, True]
        assert part["probability"].isna().tolist() == [False, False, False, True, True]
        assert part["slope_mean_deg"].isna().tolist() == [False] * 4 + [True], "its slope is known all the same"


def test_slopes_are_those_that_the_rule_reads() -> None:
    found = table().set_index(["rule", "cell_id"])
    assert found.loc[("cassa", 0), "slope_mean_deg"] == pytest.approx(2.1)
    assert found.loc[("hls", 0), "slope_mean_deg"] == pytest.approx(3.1)
    assert found.loc[("any_light", 0), "slope_mean_deg"] == pytest.approx(2.1)
    assert found.loc[("cassa", 0), "slope_sigma_deg"] == pytest.approx(np.sqrt((1.0 - 10 * 0.1**2) / 9))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"slope_mean": [2.0, 4.0, 9.1, 2.0, NAN]}, "'slope_mean' of 1 cells is not the slope"),
        ({"buffered_slope_deg": [3.0, 5.0, NAN, 3.0, NAN]}, "'buffered_slope_deg' of 1 cells is not the slope"),
        ({"label_cassa": "suitable"}, "'label_cassa' of 3 cells is not what the rule 'cassa' gives"),
    ],
)
def test_cells_of_another_map_or_rule_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        table(cells(**changed))


def test_shards_join_in_the_order_of_the_cells() -> None:
    whole = clones()

    def part(chosen: list[int]) -> CloneSums:
        return CloneSums(**{name: values[..., chosen] for name, values in whole.arrays().items()})

    found = joined([part([3, 4]), part([]), part([1, 0, 2])], 5)
    for name, values in whole.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], values)
    for parts in ([part([0, 1, 2])], [part([0, 1, 2, 3, 4]), part([4])]):
        with pytest.raises(LabelError, match="each of the 5 once"):
            joined(parts, 5)


def test_the_record_counts_what_the_table_says() -> None:
    found = labels_record(table(), cells(), RULES, LIMITS, clones(), SETTINGS, ERRORS)
    rows = {row["rule"]: row for row in found.tables["rules"]}
    cassa = rows["cassa"]
    assert (cassa["suitable"], cassa["unsuitable"], cassa["unknown"]) == (2, 1, 2)
    assert (cassa["unknown_slope"], cassa["unknown_light"], cassa["unknown_earth"]) == (1, 2, 1)
    assert cassa["expected_suitable"] == pytest.approx(1.4)
    assert cassa["expected_among_suitable"] == pytest.approx(1.4)
    assert cassa["unsure"] == 1
    assert rows["hls"]["unsure_by_slope_alone"] == 2
    assert found.metric("hls_expected_suitable") == pytest.approx(1.55)
    assert found.metric("monte_carlo_error") == pytest.approx(0.5 / np.sqrt(10))
    assert found.metric("slope_mean_shift_median") == pytest.approx(0.1)
    assert (found.metric("light_sigma"), found.metric("light_bias")) == (3.0, 0.0)
    assert cassa["expected_bias_removed"] == cassa["expected_bias_kept"] == cassa["expected_suitable"]
    assert cassa["likely_bias_removed"] == 1
    assert any("No bias of light and Earth view is known" in note for note in found.notes)
    assert not any("do not resolve" in note for note in found.notes)


def test_a_buffer_that_pixels_do_not_resolve_is_told() -> None:
    coarse, sums = SlopeLimits.of(RULES, 240.0), clones()
    sums = replace(sums, **{name: sums.arrays()[name][:1] for name in ("map_deg", "shift_deg", "squares_deg2")})
    frame = cells(buffered_slope_deg=cells()["slope_mean"])
    frame["label_hls"] = ["suitable", "suitable", "unsuitable", "unknown", "unknown"]
    found = label_table(frame, RULES, coarse, sums, 10, ERRORS)
    told = labels_record(found, frame, RULES, coarse, sums, SETTINGS, ERRORS)
    assert any("do not resolve the buffer of 100 m of hls" in note for note in told.notes)


BIASED = Errors(ShareError(4.0, 3.0, "made up"), ShareError(1.0, -2.0, "made up"))


@pytest.mark.parametrize("remove", [True, False])
def test_the_record_counts_with_biases_taken_off_and_left_in(remove: bool) -> None:
    settings = UncertaintySettings(draws=10, remove_bias=remove)
    errors = BIASED.used(remove)
    found = table(errors=errors)
    told = labels_record(found, cells(), RULES, LIMITS, clones(), settings, BIASED)
    row = {row["rule"]: row for row in told.tables["rules"]}["cassa"]
    at_limit = 0.8 * ndtr(-0.75) * ndtr(2.0), 0.8 * 0.5 * 0.5
    assert row["expected_bias_removed"] == pytest.approx(1.0 + at_limit[0], abs=1e-6)
    assert row["expected_bias_kept"] == pytest.approx(1.0 + at_limit[1], abs=1e-6)
    assert row["expected_suitable"] == row["expected_bias_removed" if remove else "expected_bias_kept"]
    assert row["suitable"] == 2, "hard labels are of the map"
    assert told.metric("light_bias") == (3.0 if remove else 0.0)
    assert told.metric("light_sigma") == pytest.approx(4.0 if remove else 5.0)
    assert told.metric("earth_sigma") == pytest.approx(1.0 if remove else np.sqrt(5.0))
    note = next(note for note in told.notes if "The map has on average" in note)
    assert "3.00 % of time too much light and 2.00 % of time too little Earth view" in note
    assert "so the hard rule errs by as much" in note
    assert ("remove_bias is off" in note) != remove


@pytest.mark.parametrize(("sign", "word"), [(1.0, "generous"), (-1.0, "strict")])
def test_the_record_tells_which_way_the_hard_rule_errs(sign: float, word: str) -> None:
    errors = Errors(ShareError(1.0, sign * 2.3), ShareError(1.0, sign * 2.2))
    told = labels_record(table(errors=errors), cells(), RULES, LIMITS, clones(), SETTINGS, errors)
    assert any(f"the hard rule is too {word} by as much" in note for note in told.notes)
    row = {row["rule"]: row for row in told.tables["rules"]}["hls"]
    removed, kept = row["expected_bias_removed"], row["expected_bias_kept"]
    assert isinstance(removed, float)
    assert isinstance(kept, float)
    assert (removed < kept) == (sign > 0.0)


@pytest.mark.parametrize(
    ("metrics", "light", "earth"),
    [
        (None, (2.9, 0.0, "no such reference"), (2.8, 0.0, "no such reference")),
        ((), (2.9, 0.0, "no such reference"), (2.8, 0.0, "no such reference")),
        (
            (("sun_any_rms", 5.0), ("sun_any_bias", 3.0), ("sun_any_cells", 12.0), ("earth_any_rms", None)),
            (4.0, 3.0, "measured: sun_any_bias +3 %, sun_any_rms 5 %, over 12 cells of 5 km"),
            (2.8, 0.0, "unknown in this run"),
        ),
        (
            (("sun_mean_rms", 1.5), ("earth_any_rms", 2.0), ("earth_any_bias", -2.0)),
            (2.9, 0.0, "sun_any_rms was not"),
            (0.0, -2.0, "measured: earth_any_bias -2 %"),
        ),
        ((("sun_any_rms", 1.5), ("sun_any_bias", None)), (1.5, 0.0, "no bias was"), (2.8, 0.0, "no such reference")),
    ],
)
def test_measured_errors_go_before_those_of_the_settings(
    metrics: tuple[tuple[str, float | None], ...] | None,
    light: tuple[float, float, str],
    earth: tuple[float, float, str],
) -> None:
    entries = () if metrics is None else tuple(Metric(name=name, value=value) for name, value in metrics)
    found = errors_of(None if metrics is None else Record(title="made up", metrics=entries), RULES, SETTINGS)
    for error, (sigma_pct, bias_pct, source) in ((found.light, light), (found.earth, earth)):
        assert (error.sigma_pct, error.bias_pct) == (sigma_pct, bias_pct)
        assert source in error.source


def test_like_is_compared_with_like_whichever_average_the_rules_read() -> None:
    # The published map counts any part of the disc: what the mean differs from it by is no error.
    metrics = {"sun_any_rms": 5.0, "sun_any_bias": 4.0, "sun_mean_rms": 1.0, "sun_mean_bias": 0.5}
    measured = Record(title="made up", metrics=tuple(Metric(name=key, value=value) for key, value in metrics.items()))
    mean, part = (errors_of(measured, RulesSettings(illumination=which), SETTINGS).light for which in ("mean", "any"))
    assert (mean.sigma_pct, mean.bias_pct) == (part.sigma_pct, part.bias_pct) == (3.0, 4.0)
    assert "the error of the mean is taken to be that of any part" in mean.source
    assert "of the mean" not in part.source
