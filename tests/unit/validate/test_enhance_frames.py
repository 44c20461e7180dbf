"""Real frames, asked: agreement with the light and with each other, and craters that stand out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, stats

from lunarsite.artefact.record import Record
from lunarsite.settings.enhance import EnhanceReferenceSettings
from lunarsite.validate import enhance_frame_craters as efc
from lunarsite.validate import enhance_frames as ef
from lunarsite.validate.enhance_frame_record import with_frames
from lunarsite.validate.enhance_frames import Frame, Squares
from lunarsite.validate.enhance_intervals import estimate
from lunarsite.vision.crater.classical import bowl

RNG = np.random.default_rng(4)
SIDE = 256
MAP = ndimage.gaussian_filter(RNG.normal(size=(2 * SIDE, 2 * SIDE)), 2.0)
MAP /= MAP.std()


def frame(row: int, col: int, noise: float, name: str = "M", ground: np.ndarray = MAP) -> Frame:
    """A window of the ground as a noisy frame, whose enhanced image is the ground."""
    clean = ground[row : row + SIDE, col : col + SIDE].astype(np.float32)
    dark = np.ones((SIDE, SIDE), dtype=np.bool_)
    dark[:, :16] = False
    images = {
        "raw": clean + noise * RNG.normal(size=clean.shape).astype(np.float32),
        "smoothed": ndimage.gaussian_filter(clean, 2.0),
        "enhanced": clean.copy(),
    }
    kept = {kind: np.where(dark, image, 0.0).astype(np.float32) for kind, image in images.items()}
    return Frame(name, kept, np.where(dark, clean, 0.0).astype(np.float32), dark, (row, col), 60.0)


def test_agreement_with_the_light() -> None:
    frames = [frame(0, 0, 1.0), frame(100, 30, 1.0)]
    for fine in (False, True):
        found = ef.with_light(frames, 200, 1, fine=fine)
        assert found.by_kind["enhanced"].value == pytest.approx(1.0)
        raw = found.by_kind["raw"]
        assert raw.value == pytest.approx(1.0 / np.sqrt(2.0), abs=0.1 if fine else 0.03)
        assert raw.low is not None
        assert raw.high is not None
        assert raw.low < raw.value < raw.high < raw.low + 0.1
        assert found.gains["raw"].low is not None
        assert found.gains["raw"].low > 0.2
        assert found.null is not None
        assert abs(found.null[0]) < 0.1
        assert found.null[2] < 0.2
        assert found.counted == 2


def test_of_means_of_several_widths_the_best_is_the_rival() -> None:
    told = {kind: estimate(0.1 * k, np.zeros(3)) for k, kind in enumerate(("raw", *ef.MEANS, "enhanced"))}
    told["smoothed 1.4"] = estimate(0.99, np.zeros(3))
    by_kind, width_px = ef.with_best_mean(told)
    assert tuple(by_kind) == ef.KINDS
    assert (by_kind["smoothed"].value, width_px) == (0.99, 1.4)
    # The ground's detail is 2 px wide: noise wants it smoothed, but not away.
    found = ef.with_light([frame(0, 0, 2.0)], 100, 1, fine=False)
    assert found.smoothed_px in (1.0, 1.4, 2.0)
    assert (found.by_kind["smoothed"].value or 0.0) > (found.by_kind["raw"].value or 0.0) + 0.2


def test_squares_are_5_km_wide() -> None:
    one = frame(0, 0, 0.0)
    everywhere = np.ones((SIDE, SIDE), dtype=np.bool_)
    # 256 pixels of 60 m are 15.4 km.
    assert np.unique(one.block(one.whole, everywhere)).size == 16
    moved = Frame(one.name, one.images, one.predicted, one.dark, (-1, 0), 60.0)
    assert np.unique(moved.block(moved.whole, everywhere)).size == 20, "squares are the map's"


@pytest.mark.parametrize(("seen", "count"), [([(100, 160)], 2.0), ([(200, 300)], 0.0), (None, None)])
def test_frames_on_training_ground_are_told(seen: list[tuple[int, int]] | None, count: float | None) -> None:
    frames = [frame(0, 0, 1.0), frame(100, 30, 1.0)]
    assert frames[0].direction_deg == pytest.approx(np.degrees(np.arctan2(136.0, -128.0)))
    told = with_frames(Record(title="x"), frames, None, EnhanceReferenceSettings(draws=100), seen)
    assert told.metric("frames_on_training_ground") == count
    assert ("frames_agreement_outside" in told.tables) == (count == 0.0)
    words = "is not known" if count is None else f"{count:g} of 2 frames"
    assert any(words in note for note in told.notes)


def test_pooled_ranks_of_one_frame_are_spearmans() -> None:
    one = frame(0, 0, 1.0)
    known = stats.spearmanr(one.images["raw"][one.dark], one.predicted[one.dark]).statistic
    assert ef.with_light([one], 100, 1, fine=False).by_kind["raw"].value == pytest.approx(known)


def test_frames_meet_on_the_map() -> None:
    """Frames of the same ground agree wherever they start; another ground's do not."""
    frames = [frame(0, 0, 1.0), frame(100, 30, 1.0), frame(37, 80, 1.0)]
    assert len(ef.overlaps(frames)) == 3
    found = ef.between_frames(frames, 200, 1, fine=False)
    assert found.by_kind["enhanced"].value == pytest.approx(1.0, abs=1e-3)
    assert found.by_kind["raw"].value == pytest.approx(0.5, abs=0.05)
    other = [frame(0, 0, 0.0), frame(0, 0, 0.0, ground=np.flipud(MAP).copy())]
    assert abs(ef.between_frames(other, 100, 1, fine=False).by_kind["enhanced"].value or 0.0) < 0.2


def test_frames_apart_are_no_pair() -> None:
    apart = Frame(
        *(getattr(frame(0, 0, 1.0), key) for key in ("name", "images", "predicted", "dark")), (0, 5_000), 60.0
    )
    assert ef.overlaps([frame(0, 0, 1.0), apart]) == []
    found = ef.between_frames([frame(0, 0, 1.0), apart], 100, 1, fine=False)
    assert found.counted == 0
    assert found.by_kind["raw"].value is None
    assert found.null is None


def test_no_frames_are_no_error() -> None:
    found = ef.with_light([], 100, 1, fine=True)
    assert found.by_kind["enhanced"].value is None
    assert found.gains["raw"].value is None


def test_few_squares_have_no_interval() -> None:
    values = RNG.normal(size=600)
    pair = ef.Paired(ef.ranked(values), ef.ranked(values), np.zeros(600, np.int64))
    found = Squares([pair.block], 100, 1).correlation([pair])
    assert found.value == pytest.approx(1.0)
    assert found.within is None


def test_equal_ranks_correlate_with_nothing() -> None:
    assert ef.ranked(np.ones(5)) == pytest.approx(np.zeros(5))


def test_shading_is_blind_to_what_is_lit() -> None:
    one = frame(0, 0, 0.0)
    bright = np.where(one.dark, one.images["raw"], 1e6).astype(np.float32)
    assert one.shading(bright, fine=True) == pytest.approx(one.shading(one.images["raw"], fine=True), abs=1e-4)


def crater_frame(noise: float) -> tuple[Frame, pd.DataFrame]:
    """Twelve craters of 14 px on a lattice, lit from the right; the enhanced image shows them, the raw one hardly."""
    rows, cols = np.indices((SIDE, SIDE))
    places = [(row, col) for row in (50, 130, 210) for col in (50, 110, 170, 230)][:12]
    height = sum(14.0 * bowl(np.hypot(rows - row, cols - col) / 7.0) for row, col in places)
    clean = -np.gradient(np.asarray(height), axis=1)
    rough = 0.05 * ndimage.gaussian_filter(RNG.normal(size=clean.shape), 1.0)
    images = {
        "raw": clean + noise * RNG.normal(size=clean.shape),
        "smoothed": clean + rough,
        "enhanced": clean + rough,
    }
    dark = np.ones((SIDE, SIDE), dtype=np.bool_)
    origin = (-40, 70)
    kept = {kind: image.astype(np.float32) for kind, image in images.items()}
    one = Frame("M", kept, clean.astype(np.float32), dark, origin, 60.0)
    row, col = (np.array(axis, dtype=np.float64) for axis in zip(*places, strict=True))
    catalogue = pd.DataFrame(
        {
            "id": np.arange(row.size),
            "x_m": 60.0 * (col + origin[1] + 0.5),
            "y_m": -60.0 * (row + origin[0] + 0.5),
            "diameter_m": np.full(row.size, 14.0 * 60.0),
        }
    )
    return one, catalogue


def test_craters_stand_out() -> None:
    one, catalogue = crater_frame(4.0)
    scores = efc.score_frames([one], catalogue, 1)
    assert scores.crater_id.size >= 8
    assert scores.craters["enhanced"].min() > 0.85
    found = efc.standing(scores, 0.8, 200, 1)
    assert found.auc["enhanced"].value == pytest.approx(1.0, abs=0.02)
    assert found.recall["enhanced"].value == 1.0
    assert (found.chance["enhanced"].value or 0.0) < 0.2
    assert (found.auc["raw"].value or 0.0) < 0.9
    assert found.craters == found.sightings == scores.crater_id.size


def test_one_crater_in_two_frames_is_one_crater() -> None:
    one, catalogue = crater_frame(4.0)
    found = efc.standing(efc.score_frames([one, one], catalogue, 1), 0.8, 200, 1)
    assert found.sightings == 2 * found.craters


def test_craters_at_the_border_are_left_out() -> None:
    one, catalogue = crater_frame(0.0)
    one.dark[:, :] = False
    scores = efc.score_frames([one], catalogue, 1)
    assert scores.crater_id.size == 0
    empty = efc.standing(scores, 0.8, 100, 1)
    assert empty.auc["raw"].value is None
    assert (empty.auc["enhanced"] - empty.auc["raw"]).low is None
