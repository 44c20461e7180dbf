"""A frame against its prediction: gaps, guesses, shifts and thresholds on scenes whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lunarsite.grid import Grid
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.validate.shadowcam_explain import reasons, reasons_without_gaps
from lunarsite.validate.shadowcam_frame import Frame, Masks, compare_frame
from lunarsite.validate.shadowcam_ranks import Estimate
from lunarsite.validate.shadowcam_shifts import area, moved_far, register

GRID = Grid(30_000.0, 60_000.0, 60.0, 260, 300)
REFERENCE = ShadowCamReferenceSettings(draws=200, frame_block_km=1.5, most_shift_px=6)


def scene(seed: int = 1, lit_share: float = 0.25, size: float = 6.0) -> NDArray[np.float32]:
    """Share of the Sun's disc on a strip: pieces of lit ground with soft edges; NaN beyond the strip."""
    relief = gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), size)
    edge = np.quantile(relief, 1.0 - lit_share)
    fraction = np.clip(0.5 + (relief - edge) / relief.std() / 0.6, 0.0, 1.0)
    row, col = np.indices(GRID.shape)
    beyond = np.abs(0.5 * (col - 150) - (row - 130)) > 60
    return np.where(beyond, np.nan, fraction).astype(np.float32)


def frame(fraction: NDArray[np.float32], *, saturating: float = 0.5, noise: float = 0.1, seed: int = 2) -> Frame:
    """A frame that sees light as predicted: ground with more of the Sun than `saturating` is left out."""
    generator = np.random.default_rng(seed)
    scattered = (0.01 + 0.02 * gaussian_filter(generator.random(GRID.shape), 8.0)).astype(np.float32)
    brightness = (scattered + 0.6 * fraction) * np.exp(noise * generator.normal(size=GRID.shape))
    brightness[fraction > saturating] = np.nan
    height = gaussian_filter(generator.normal(size=GRID.shape), 6.0).astype(np.float32)
    return Frame(
        name="M1S",
        grid=GRID,
        brightness=brightness.astype(np.float32),
        sun_fraction=fraction,
        sunlit=0.1 * fraction + scattered,
        scattered=scattered,
        unshadowed=np.maximum(height, 0.0),
        elevation=height,
        dem_pixel_m=60.0,
    )


def test_a_true_prediction_of_saturated_ground_is_found_in_the_gaps() -> None:
    found = compare_frame(frame(scene()), [], REFERENCE)
    assert found.why == ""
    assert found.auc.value > 0.99
    assert found.auc.low > 0.98
    assert found.gap_share == pytest.approx(found.lit_share, abs=0.02)
    assert found.measured.value is None, "all ground that is predicted to be lit lies in gaps"
    assert found.rim_ratio > 3.0
    assert 0.4 < found.height < 0.6
    assert 0.4 < found.facing < 0.6
    assert found.far
    assert 0.35 < np.median(found.far) < 0.65
    assert (found.registration.right_px, found.registration.up_px) == (0, 0)
    assert found.sweep[0].lit > 0.99, "gaps alone are the lit ground"
    assert found.otsu.lit > 3.0 * found.otsu.chance
    assert found.scattered.low > 0.05
    assert reasons(found, 0.9) == []


def test_a_camera_that_saturates_in_penumbra_fits_smaller_shares_of_the_disc() -> None:
    found = compare_frame(frame(scene(), saturating=0.05), [], REFERENCE)
    by_share = {label.fraction: label.auc for label in found.labels}
    assert by_share[0.05] > 0.999
    assert by_share[0.05] > by_share[0.2] > by_share[0.5]
    assert by_share[0.5] == pytest.approx(found.auc.value)
    best = found.labels[1].registration
    assert (best.right_px, best.up_px) == (0, 0)


def test_without_gaps_brightness_alone_is_ranked() -> None:
    found = compare_frame(frame(scene(), saturating=2.0), [], REFERENCE)
    assert found.gap_share == 0.0
    assert found.auc.value == found.measured.value > 0.99
    assert found.rim_ratio is None
    assert found.sunlit.value > 0.5


def test_the_prediction_of_nothing_is_chance_and_said_to_be_unexplained() -> None:
    seen = frame(scene(1))
    found = compare_frame(replace(seen, sun_fraction=scene(99)), [("M2S", seen.sun_fraction)], REFERENCE)
    assert 0.35 < found.auc.value < 0.65
    assert found.moment.other > 0.99
    assert found.moment.own == pytest.approx(found.auc.value)
    assert found.otsu.lit == pytest.approx(found.otsu.chance, abs=0.15)
    assert reasons(found, 0.9)
    assert reasons_without_gaps(found, 0.9)


def test_pixels_with_data_alone_have_reasons_of_their_own() -> None:
    seen = compare_frame(frame(scene(1), saturating=2.0), [], REFERENCE)
    assert seen.ground
    poor = replace(seen, measured=Estimate(0.8), lit_share=0.4, gap_share=0.35, measured_lit_share=0.1)
    told = reasons_without_gaps(replace(poor, measured_edge_share=0.7), 0.9)
    # A tenth of the 65 % with data is lit: 6.5 of 40 %.
    assert "16.2 % has data" in told[0]
    assert "70 % of the lit ground with data lies within" in told[1]
    assert reasons_without_gaps(replace(poor, measured=Estimate(0.95)), 0.9) == []
    nothing = replace(poor, measured_lit_share=None, measured_edge_share=None)
    assert reasons_without_gaps(nothing, 0.9) == ["none of the facts that are measured explains it"]


def test_of_other_moments_the_first_with_enough_ground_is_taken() -> None:
    own = scene(1)
    part = np.where(np.indices(GRID.shape)[1] < 12, own, np.nan).astype(np.float32)
    nothing = np.full(GRID.shape, np.nan, np.float32)
    others = [("none", nothing), ("little", part), ("other", scene(7)), ("later", own)]
    found = compare_frame(frame(own), others, REFERENCE)
    assert found.moment.name == "other"
    assert found.moment.own > 0.99
    assert found.moment.other < 0.7


@pytest.mark.parametrize(("right", "up"), [(0, 0), (3, -2), (-1, 3), (6, 0)])
def test_a_shift_is_found(right: int, up: int) -> None:
    fraction = scene(3)
    moved = np.roll(fraction, (up, -right), axis=(0, 1))
    seen = frame(fraction)
    found = compare_frame(replace(seen, sun_fraction=moved), [], REFERENCE)
    assert (found.registration.right_px, found.registration.up_px) == (right, up)
    assert found.registration.best >= found.registration.still
    assert found.registration.at_limit == (right == 6)


@pytest.mark.parametrize(("share", "why"), [(0.001, "all dark"), (0.9995, "all lit")])
def test_frames_of_one_kind_have_no_area_and_say_why(share: float, why: str) -> None:
    fraction = scene()
    fraction[np.isfinite(fraction)] = 0.0 if share < 0.5 else 1.0
    found = compare_frame(frame(fraction, saturating=2.0), [], REFERENCE)
    assert found.why.startswith(why)
    assert found.auc.value is None
    assert found.otsu is None
    assert reasons(found, 0.9) == []


def test_unknown_predictions_leave_a_frame_unknown() -> None:
    seen = frame(scene())
    blank = np.full(GRID.shape, np.nan, np.float32)
    found = compare_frame(replace(seen, sun_fraction=blank, scattered=blank, sunlit=blank), [], REFERENCE)
    assert (found.pixels, found.why) == (0, "none of its pixels has a prediction")
    few = blank.copy()
    few[100:108, 100:110] = 0.0
    found = compare_frame(replace(seen, sun_fraction=few, scattered=blank), [], REFERENCE)
    assert "needed" in found.why


def test_saturated_gaps_beyond_the_prediction_do_not_count() -> None:
    fraction = scene()
    seen = frame(fraction)
    half = np.where(np.indices(GRID.shape)[1] < 150, fraction, np.nan).astype(np.float32)
    masks = Masks.of(replace(seen, sun_fraction=half))
    assert not masks.known[:, 150:].any()
    assert masks.known[:, :150].any()
    assert (masks.measured <= masks.known).all()


def test_errors_near_predicted_edges_are_named() -> None:
    fraction = scene(5, lit_share=0.4, size=3.0)
    seen = frame(fraction, noise=0.05)
    flips = np.roll(fraction, (4, 4), axis=(0, 1))
    found = compare_frame(replace(seen, sun_fraction=flips, dem_pixel_m=150.0), [], REFERENCE)
    assert found.auc.value < 0.99
    told = reasons(replace(found, clear=replace(found.auc, value=0.999)), found.auc.value + 0.001)
    assert any("near predicted edges" in reason for reason in told)
    assert any("pixels of 150 m" in reason for reason in told)


def test_small_cores_have_no_registration_and_short_strips_no_far_shift() -> None:
    score = np.random.default_rng(1).random((40, 6))
    known = np.ones((40, 6), np.bool_)
    assert register(score, score > 0.5, known, 4) is None
    assert register(score, score > 0.5, known, 0) is None
    assert moved_far(score, score > 0.5, known, 60.0).size == 0
    assert area(np.arange(150.0), np.arange(150) < 99) is None
