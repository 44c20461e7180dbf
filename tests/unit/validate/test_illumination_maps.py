"""Published maps as references: cell means as a table has them, and permanent shadow pixel by pixel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lunarsite.artefact.record import Metric, Verdict
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid
from lunarsite.settings import IlluminationReferenceSettings
from lunarsite.validate.illumination import cell_means, displaced, phi, true_area_km2, windowed_means
from lunarsite.validate.illumination_maps import check_one_reference, judge_shadow, reference_table
from lunarsite.validate.illumination_record import Averages, Published, judge_illumination

GRID = Grid(-48_000, 48_000, 960, 100, 100)
REFERENCE = IlluminationReferenceSettings(table_cell_m=4_960.0, table_factor=0.5, table_rim_m=9e4)
NAMES = ("sun_mean", "sun_any", "earth_mean", "earth_any")


class Map:
    """A raster in memory that counts the rows that were read at once."""

    def __init__(self, values: NDArray[np.floating]) -> None:
        self.values, self.most = values, 0

    def read(self, band: str | None = None, window: tuple[slice, slice] | None = None) -> NDArray[np.float32]:
        assert window is not None, "never the whole map"
        found = self.values[window].astype(np.float32)
        self.most = max(self.most, found.shape[0])
        return found


@pytest.fixture
def light() -> NDArray[np.float32]:
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    return (0.4 + 0.3 * np.sin(x / 9_000) * np.cos(y / 7_000)).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(20, 90),
    st.floats(300.0, 20_000.0),
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(-6e4, 6e4), st.floats(-6e4, 6e4)), min_size=1, max_size=30),
)
def test_bands_give_what_the_whole_gives(
    rows: int, cell_m: float, band_px: int, places: list[tuple[float, float]]
) -> None:
    grid = Grid(-48_000, 31_000.0, 960, rows, 100)
    values = np.random.default_rng(rows).normal(size=grid.shape).astype(np.float32)
    values[3, 5] = np.nan
    x, y = np.array(places).T
    raster = Map(values)
    found = windowed_means(raster, grid, x, y, cell_m, band_px)
    np.testing.assert_allclose(found, cell_means(values, grid, x, y, cell_m), rtol=1e-6, atol=1e-9)
    assert raster.most <= max(band_px, cell_m / grid.pixel_m + 4)


def test_the_table_holds_cells_that_the_maps_cover_whole(light: NDArray[np.float32]) -> None:
    sun, earth = light.copy(), np.clip(1.2 * light, 0.0, 1.0)
    sun[:30] = np.nan
    earth[:, 60:] = np.nan
    table = reference_table(Map(sun), Map(earth), GRID, 4_960.0)
    assert table["x_m"].min() == -48_000 + 2_480
    assert table["y_m"].max() == 48_000 - 2_480
    row = table.iloc[len(table) // 2]
    expected = cell_means(sun, GRID, row[["x_m"]].to_numpy(float), row[["y_m"]].to_numpy(float), 4_960.0)[0]
    assert row["avg_illumination_pct"] == pytest.approx(100.0 * expected, abs=1e-4)
    covered = table["y_m"] + 2_480.0 <= 48_000.0 - 30 * 960.0
    assert (table["avg_illumination_pct"].notna() == covered).all()
    assert (table["earth_visibility_pct"].notna() == (table["x_m"] + 2_480.0 <= -48_000.0 + 60 * 960.0)).all()
    assert not table[["avg_illumination_pct", "earth_visibility_pct"]].isna().all(axis=1).any()
    assert len(table) < 19 * 19, "cells that neither map covers are left out"
    assert reference_table(Map(np.full(GRID.shape, np.nan)), Map(np.full(GRID.shape, np.nan)), GRID, 4_960.0).empty


def test_maps_are_judged_as_a_table_is_and_under_the_same_names(light: NDArray[np.float32]) -> None:
    published = np.clip(light + 0.02, 0.0, 1.0)
    averages = Averages(GRID, {name: Map(light) for name in NAMES}, np.zeros(GRID.shape, np.uint8))
    table = reference_table(Map(published), Map(published), GRID, 4_960.0)
    record, frame = judge_illumination(averages, Published(table, from_maps=True), REFERENCE, 80.0, synthetic=False)
    assert record.metric("sun_any_cells") == len(frame) == 19 * 19, "no rim, for every cell is whole"
    assert record.metric("sun_any_bias") == pytest.approx(-2.0, abs=1e-3), "no factor"
    assert record.metric("earth_any_rms") == pytest.approx(2.0, abs=1e-3)
    assert any("published maps on the run's grid" in note for note in record.notes)
    plain = IlluminationReferenceSettings(table_cell_m=4_960.0)
    other, _ = judge_illumination(averages, Published(table), plain, 80.0, synthetic=False)
    assert [metric.name for metric in record.metrics] == [metric.name for metric in other.metrics]
    assert [metric.value for metric in record.metrics] == [metric.value for metric in other.metrics]


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ((True, True, True), "give one of them"),
        ((True, False, True), "give one of them"),
        ((False, True, False), "sun_reference is given without earth_reference"),
        ((False, False, True), "earth_reference is given without sun_reference"),
    ],
)
def test_two_references_or_half_of_one_are_refused(given_: tuple[bool, bool, bool], words: str) -> None:
    with pytest.raises(ArtefactError, match=words):
        check_one_reference(table=given_[0], sun=given_[1], earth=given_[2])
    check_one_reference(table=True, sun=False, earth=False)
    check_one_reference(table=False, sun=True, earth=True)


def discs(*places: tuple[float, float, float]) -> NDArray[np.uint8]:
    x, y = np.meshgrid(GRID.x_m(), GRID.y_m())
    return np.any([np.hypot(x - a, y - b) <= radius for a, b, radius in places], axis=0).astype(np.uint8)


def judged(ours: NDArray[np.uint8], published: NDArray[np.uint8]) -> tuple[dict[str, Metric], list[Verdict]]:
    metrics, verdicts = judge_shadow(ours, published, GRID, IlluminationReferenceSettings(), 80.0, 0.87)
    return {metric.name: metric for metric in metrics}, verdicts


SHADOW = discs((-20_000, 10_000, 6_000), (15_000, -25_000, 9_000), (30_000, 30_000, 700))


def test_the_same_shadow_agrees_wholly_and_displaced_copies_do_not() -> None:
    metrics, verdicts = judged(SHADOW, SHADOW)
    assert metrics["psr_map_overlap"].value == 1.0
    assert metrics["psr_map_phi"].value == pytest.approx(1.0)
    assert metrics["psr_map_area"].value == metrics["psr_map_area_published"].value
    expected = true_area_km2(SHADOW == 1, GRID)
    assert metrics["psr_map_area"].value == pytest.approx(expected)
    assert metrics["psr_map_phi_displaced"].value < 0.3
    assert metrics["psr_map_overlap_displaced"].value < 0.3
    assert [verdict.holds for verdict in verdicts] == [True, True]


def test_shadow_elsewhere_does_not_hold() -> None:
    # Between ours and theirs lies just the distance of displaced copies, so one of them fits.
    ours = np.roll(SHADOW, 10, axis=1)
    metrics, verdicts = judged(ours, SHADOW)
    assert metrics["psr_map_overlap"].value < 0.2
    assert verdicts[1].holds is False
    scattered = (np.random.default_rng(1).random(GRID.shape) < SHADOW.mean()).astype(np.uint8)
    assert abs(judged(scattered, SHADOW)[1][0].value) < 0.05


def test_ground_that_either_map_does_not_know_does_not_count() -> None:
    ours, published = SHADOW.copy(), SHADOW.copy()
    published[:, :40] = 255
    ours[:, :45] = 1
    ours[:, 40:45] = 255
    metrics, _ = judged(ours, published)
    assert metrics["psr_map_overlap"].value == 1.0
    known = np.zeros(GRID.shape, bool)
    known[:, 45:] = True
    assert metrics["psr_map_ground"].value == pytest.approx(true_area_km2(known, GRID))


@pytest.mark.parametrize(
    ("published", "words"),
    [(np.full(GRID.shape, 255, np.uint8), "has no data"), (np.zeros(GRID.shape, np.uint8), "has no shadow")],
)
def test_maps_without_shadow_leave_it_unknown(published: NDArray[np.uint8], words: str) -> None:
    metrics, verdicts = judged(SHADOW, published)
    assert metrics["psr_map_overlap"].value is None
    assert all(verdict.holds is None and words in verdict.why for verdict in verdicts)


def test_a_map_all_in_shadow_has_no_correlation() -> None:
    metrics, verdicts = judged(np.ones_like(SHADOW), np.ones_like(SHADOW))
    assert metrics["psr_map_overlap"].value == 1.0
    assert metrics["psr_map_phi"].value is None
    assert verdicts[0].holds is None
    assert "the same everywhere" in verdicts[0].why


def test_small_shadow_alone_is_no_large_region() -> None:
    small = discs((0.0, 0.0, 700.0))
    verdict = judged(small, small)[1][1]
    assert verdict.holds is None
    assert "no region of 5 km2" in verdict.why


def test_phi_is_the_correlation_of_pixels() -> None:
    rng = np.random.default_rng(2)
    one, other, known = rng.random((30, 40)) < 0.3, rng.random((30, 40)) < 0.5, rng.random((30, 40)) < 0.8
    expected = np.corrcoef(one[known], other[known])[0, 1]
    assert phi(one, other, known) == pytest.approx(expected)
    assert np.isnan(phi(one, np.ones_like(one), known))


@pytest.mark.parametrize("shift", [0, 3, 19, 60])
def test_copies_are_moved_as_an_image_is(shift: int) -> None:
    mask = np.random.default_rng(4).random((20, 33)) < 0.4
    copies = list(displaced(mask, shift))
    assert len(copies) == 8
    for number, copy in enumerate(copies):
        angle = 2.0 * np.pi * number / 8
        move = round(shift * np.sin(angle)), round(shift * np.cos(angle))
        assert (copy == ndimage.shift(mask, move, order=0, cval=0)).all()


def test_the_record_tells_of_maps_and_outlines_side_by_side(light: NDArray[np.float32]) -> None:
    averages = Averages(GRID, dict.fromkeys(NAMES, light), SHADOW)
    record, frame = judge_illumination(
        averages, Published(psr=SHADOW), IlluminationReferenceSettings(), 80.0, synthetic=False
    )
    assert frame.empty
    names = {verdict.name for verdict in record.verdicts}
    assert "PSR overlap with the published map, large regions" in names
    assert "sun_any RMS" not in names
    assert isinstance(frame, pd.DataFrame)
