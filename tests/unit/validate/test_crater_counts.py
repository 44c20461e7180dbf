"""The rule of counting, its intervals and curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunarsite.settings import CatalogueSettings, SplitSettings
from lunarsite.validate.crater_counts import (
    BEYOND,
    SPLITS,
    Blocks,
    Catalogue,
    Detections,
    Ground,
    average_precision,
    curve,
    from_border_m,
    interval,
    prepared,
    rates,
    split_of,
    squares,
    strict_tally,
    tally,
)
from lunarsite.vision.crater.matching import Circles

TEST = SPLITS.index("test")
GROUND = Ground(TEST, 3_000.0, 100_000.0)


def catalogue(*rows: tuple[float, float, float, int]) -> Catalogue:
    x, y, diameter, split = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Catalogue(Circles(x, y, diameter), np.full(x.size, 0.1), split.astype(np.int64))


def detections(truth: Catalogue, *rows: tuple[float, float, float, float, int], threshold: float = 0.5) -> Detections:
    x, y, diameter, score, split = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return prepared(
        "network", Circles(x, y, diameter), score, score >= threshold, split.astype(np.int64), truth, (0.5, 0.35)
    )


def counts(found: Detections, truth: Catalogue, ground: Ground = GROUND) -> list[float]:
    return tally(found, truth, ground, found.accepted, found.partner).counts.tolist()


def test_hits_misses_and_false_alarms() -> None:
    truth = catalogue((0, 0, 4000, TEST), (20e3, 0, 4000, TEST))
    found = detections(truth, (100, 0, 4100, 0.9, TEST), (50e3, 0, 4000, 0.8, TEST), (20e3, 0, 4000, 0.1, TEST))
    assert counts(found, truth) == [1.0, 1.0, 1.0], "the last one is not accepted: it neither hits nor alarms"


@pytest.mark.parametrize(
    ("truth_row", "found_row", "expected", "strict"),
    [
        # The catalogue's crater is smaller than the least diameter, the detection larger: neutral, but not strictly.
        ((0, 0, 2900, TEST), (0, 0, 3100, 0.9, TEST), [0, 0, 0], [0, 1, 0]),
        # The other way round it is found.
        ((0, 0, 3100, TEST), (0, 0, 2900, 0.9, TEST), [1, 0, 0], [0, 0, 1]),
        # Partners on both sides of the ground's edge.
        ((0, 0, 4000, 0), (0, 0, 4000, 0.9, TEST), [0, 0, 0], [0, 1, 0]),
        ((0, 0, 4000, TEST), (0, 0, 4000, 0.9, 0), [1, 0, 0], [0, 0, 1]),
        # What the catalogue does not cover is neither true nor false.
        ((0, 0, 4000, BEYOND), (90e3, 0, 4000, 0.9, BEYOND), [0, 0, 0], [0, 0, 0]),
        # Larger than what is looked for.
        ((0, 0, 200_000, TEST), (90e3, 0, 4000, 0.9, TEST), [0, 1, 0], [0, 1, 0]),
    ],
)
def test_edges_of_size_and_place(
    truth_row: tuple[float, float, float, int],
    found_row: tuple[float, float, float, float, int],
    expected: list[int],
    strict: list[int],
) -> None:
    truth = catalogue(truth_row)
    found = detections(truth, found_row)
    assert counts(found, truth) == expected
    assert strict_tally(found, truth, GROUND).counts.tolist() == strict


def test_a_second_detection_of_one_crater_is_a_false_alarm() -> None:
    truth = catalogue((0, 0, 4000, TEST))
    found = detections(truth, (0, 0, 4000, 0.9, TEST), (300, 0, 4000, 0.8, TEST))
    assert counts(found, truth) == [1.0, 1.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-6, 6), st.floats(2000, 9000), st.integers(-1, 2)), max_size=12),
    st.lists(st.tuples(st.integers(-6, 6), st.floats(2000, 9000), st.floats(0, 1), st.integers(-1, 2)), max_size=12),
)
def test_everything_that_counts_is_counted_once(
    truths: list[tuple[int, float, int]], founds: list[tuple[int, float, float, int]]
) -> None:
    truth = catalogue(*((2e3 * x, 0.0, d, s) for x, d, s in truths))
    found = detections(truth, *((2e3 * x, 0.0, d, score, s) for x, d, score, s in founds))
    one = tally(found, truth, GROUND, found.accepted, found.partner)
    hits, alarms, misses = one.counts
    assert hits + misses == sum(d >= 3000 and s == TEST for _, d, s in truths)
    assert one.hit.sum() == hits, "one detection for each crater that is found"
    assert not (one.hit & one.false_alarm).any()
    assert hits + alarms <= found.accepted.sum()


def test_rates_are_unknown_where_nothing_is_to_be_found() -> None:
    precision, recall, f1 = rates(np.array([6.0, 2.0, 4.0]))
    assert (precision, recall, f1) == (0.75, 0.6, pytest.approx(2 * 0.75 * 0.6 / 1.35))
    assert np.isnan(rates(np.array([0.0, 5.0, 0.0]))).all()
    nothing = rates(np.array([0.0, 0.0, 5.0]))
    assert np.isnan(nothing[0])
    assert nothing[1:].tolist() == [0.0, 0.0]


def test_splits_and_ground_that_is_not_covered() -> None:
    lon = np.array([20.0, 120.0, 60.0, -20.0, 60.0, 60.0])
    lat = np.array([-85.0, -85.0, -85.0, -85.0, -79.0, -85.0])
    known = np.array([True, True, True, True, True, False])
    coverage = CatalogueSettings(lon_deg=(0.0, 180.0))
    split = SplitSettings(validation_lon_deg=(115.0, 155.0), test_lon_deg=(40.0, 100.0))
    found = split_of(lon, lat, known, 80.0, coverage, split)
    assert found.tolist() == [0, 1, 2, BEYOND, BEYOND, BEYOND]
    everywhere = split_of(lon, -lat, known, 75.0, CatalogueSettings(), split)
    assert everywhere.tolist() == [0, 1, 2, 0, 2, BEYOND]


def test_distance_from_the_border_of_the_coverage() -> None:
    half = CatalogueSettings(lon_deg=(0.0, 180.0))
    # One degree of latitude is 30.3 km; the border runs through the pole.
    lon, lat = np.array([0.0, 90.0, 179.0, 30.0]), np.array([-85.0, -89.0, -85.0, -89.0])
    step = np.pi / 180.0 * 1_737_400.0
    found = from_border_m(lon, lat, half)
    assert found == pytest.approx([0.0, step, 5.0 * step * np.sin(np.radians(1.0)), 0.5 * step], rel=2e-3)
    # Behind the pole of a narrow sector the pole is its nearest point.
    narrow = from_border_m(np.array([190.0]), np.array([-89.0]), CatalogueSettings(lon_deg=(0.0, 20.0)))
    assert narrow == pytest.approx([step])
    assert np.isinf(from_border_m(lon, lat, CatalogueSettings())).all()


def test_the_bootstrap_draws_blocks_and_pairs_detectors() -> None:
    blocks = Blocks(50e3, 2_000, 3)
    places = np.array([0, 1, 2, 3], dtype=np.int64)
    certain = blocks.drawn([(places, places[:0], places[:0])])
    assert (rates(certain)[0, :, 2] == 1.0).all(), "without an error no draw has one"
    drawn = blocks.drawn([(places[:2], places[:0], places[2:]), (places[:2], places[:0], places[2:])])
    assert np.array_equal(drawn[0], drawn[1]), "all detectors are drawn with the same blocks"
    # Two of four blocks are found: the share of four draws with replacement that falls on them.
    recall = drawn[0, :, 0] / drawn[0].sum(axis=1)
    assert recall.mean() == pytest.approx(0.5, abs=0.02)
    assert recall.std() == pytest.approx(np.sqrt(0.25 / 4), abs=0.02)
    assert interval(recall) == (0.0, 1.0)
    assert interval(np.full(100, np.nan)) is None
    assert blocks.drawn([(places[:0],) * 3]).shape == (1, 2_000, 3)


def test_a_hit_lies_in_the_block_of_the_catalogue() -> None:
    truth = catalogue((-100, 10, 4000, TEST), (60e3, 10, 4000, TEST))
    found = detections(truth, (100, 10, 4000, 0.9, TEST), (-60e3, 10, 4000, 0.9, TEST))
    blocks = Blocks(50e3, 100, 0)
    one = tally(found, truth, GROUND, found.accepted, found.partner)
    hits, alarms, misses = squares(one, found, truth, blocks)
    assert [part.tolist() for part in (hits, alarms, misses)] == [[-1], [-2], [1]]


def test_the_curve_matches_anew_at_each_score() -> None:
    # At the high score the first crater goes to the only detection; with the second one both are found.
    truth = catalogue((0, 0, 4000, TEST), (900, 0, 4000, TEST))
    found = detections(truth, (400, 0, 4000, 0.9, TEST), (0, 0, 4000, 0.6, TEST), (30e3, 0, 4000, 0.3, TEST))
    ((scores, points),) = curve(found, truth, [GROUND])
    assert scores.tolist() == [0.9, 0.6, 0.3]
    assert points.tolist() == [[1, 0, 1], [2, 0, 0], [2, 1, 0]]
    assert average_precision(points) == pytest.approx(1.0)
    late = np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [2.0, 2.0, 0.0]])
    assert average_precision(late) == pytest.approx(0.5 * 0.5 + 0.5 * 0.5)
    assert np.isnan(average_precision(np.zeros((0, 3))))
    assert np.isnan(average_precision(np.array([[0.0, 1.0, 0.0]])))
