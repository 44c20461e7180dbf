"""The majority map and the segmentation without learning, on pictures whose classes are plain."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.validate.rock_baselines import (
    PLACES,
    Classical,
    by_frequency,
    choose,
    class_places,
    classical,
    described,
    frequencies,
    majority,
    sky_of,
    true_frequencies,
)
from lunarsite.vision.rock.ablation_scores import no_rocks
from lunarsite.vision.rock.classes import BACKGROUND, LARGE, SKY, SMALL
from lunarsite.vision.rock.reliability import calibration, ece
from lunarsite.vision.rock.scores import confusion, iou

PARAMETERS = Classical(20.0, 16.0, 0.3, False, 32.0)


def scene(sky_rows: int = 40, size: tuple[int, int] = (192, 384)) -> tuple[np.ndarray, np.ndarray]:
    """Grey ground below a black sky, with one small and one large bright rock."""
    truth = np.full(size, BACKGROUND, np.uint8)
    truth[:sky_rows] = SKY
    truth[80:92, 50:62] = SMALL
    truth[120:160, 200:250] = LARGE
    grey = np.array([100.0, 190.0, 200.0, 3.0])[truth]
    image = np.repeat((grey + np.random.default_rng(0).normal(0.0, 1.0, size))[..., None], 3, axis=-1)
    return image.clip(0, 255).astype(np.uint8), truth


def test_the_classical_one_finds_what_is_plain() -> None:
    image, truth = scene()
    overlap = iou(confusion(truth, classical(image, PARAMETERS)))
    assert overlap[SKY] > 0.95
    assert overlap[SMALL] > 0.6
    assert overlap[LARGE] > 0.5


def test_shadows_are_no_sky_and_stars_are() -> None:
    image, _ = scene()
    image[100:130, 300:340] = 0
    image[10:12, 30:32] = 255
    sky = sky_of(image.mean(axis=-1).astype(np.float32), 20.0)
    assert not sky[100:130, 300:340].any(), "dark ground that does not touch the top"
    assert sky[10:12, 30:32].all()
    bright = np.full((30, 40), 120.0, np.float32)
    assert not sky_of(bright, 20.0).any(), "a picture without sky"
    assert (classical(np.zeros((30, 40, 3), np.uint8), PARAMETERS) == SKY).all()


def test_width_tells_small_from_large_at_any_size_of_the_picture() -> None:
    image, _ = scene()
    doubled = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    for picture, factor in ((image, 1), (doubled, 2)):
        classes = classical(picture, PARAMETERS)
        assert classes[86 * factor, 56 * factor] == SMALL
        assert classes[140 * factor, 202 * factor] == LARGE


def test_parameters_are_those_of_the_best_overlap() -> None:
    image, truth = scene()
    best, score = choose([(image, truth)])
    assert score is not None
    assert score > 0.6
    assert not best.shadows, "there are none"
    dim = (image // 2).astype(np.uint8)
    dim[truth == SKY] = 30
    assert choose([(dim, truth)])[0].sky_grey == 40.0
    assert "40" in described(choose([(dim, truth)])[0])
    assert choose([])[1] is None


def test_the_majority_map_leaves_the_scene_itself_out() -> None:
    _, first = scene(sky_rows=72)
    _, second = scene(sky_rows=24)
    places = [class_places(first), class_places(second), class_places(second)]
    whole = majority(frequencies(places, []), first.shape)
    assert (whole[:20] == SKY).all()
    assert (whole[30:] != SKY).all(), "two of three have ground there"
    alone = majority(frequencies(places, [1, 2]), (99, 77))
    assert alone.shape == (99, 77)
    assert (alone[:36] == SKY).all()
    assert (majority(frequencies(places, [0, 1, 2]), (5, 5)) == BACKGROUND).all(), "nothing is known"


def test_places_count_known_pixels() -> None:
    truth = np.full((100, 130), BACKGROUND, np.uint8)
    truth[50:] = 255
    counts = class_places(truth)
    assert counts.shape == (*PLACES, 4)
    assert counts.sum() == 50 * 130
    assert counts[PLACES[0] // 2 + 1 :].sum() == 0
    assert counts[..., BACKGROUND].sum() == pytest.approx(50 * 130)


def striped(sky: int, small: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten rows of ten: black above, grey below, of which some rows are small rocks that look like ground."""
    truth = np.full((10, 10), BACKGROUND, np.uint8)
    truth[:sky] = SKY
    truth[10 - small :] = SMALL
    image = np.where(truth == SKY, np.uint8(0), np.uint8(120))
    return np.repeat(image[..., None], 3, axis=-1), truth


def test_without_rocks_one_is_as_sure_as_one_is_right() -> None:
    pairs = [striped(4, 1), striped(2, 2)]
    found = true_frequencies(pairs)
    assert found is not None
    # 140 pixels below the sky, of which 30 are rock, and one of each class more.
    assert found[BACKGROUND] == pytest.approx([111 / 144, 31 / 144, 1 / 144, 1 / 144])
    assert found[SKY] == pytest.approx([1 / 64, 1 / 64, 1 / 64, 61 / 64])
    image, truth = striped(3, 3)
    said = no_rocks(image)
    assert np.array_equal(said, np.where(truth == SMALL, np.uint8(BACKGROUND), truth)), "it finds no rock"
    probability = by_frequency(said, found)
    assert probability[SMALL, -1, 0] == pytest.approx(31 / 144)
    assert ece(calibration(probability, truth, 15, said).top) == pytest.approx(
        0.3 * (1.0 - 61 / 64) + 0.7 * (111 / 144 - 4 / 7)
    )
    assert true_frequencies([]) is None


def test_what_is_said_is_not_always_the_likeliest() -> None:
    image, truth = striped(4, 6)
    said = no_rocks(image)
    found = true_frequencies([(image, truth)])
    assert found is not None
    counts = calibration(by_frequency(said, found), truth, 15, said)
    assert counts.top[:, 2].sum() == 40.0, "ground is said, all of it is rock, and the sky is right"
    assert counts.top[:, 1].sum() == pytest.approx(40 * 41 / 44 + 60 * 1 / 64)
