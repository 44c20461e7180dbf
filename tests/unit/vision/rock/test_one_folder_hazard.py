"""Hazards of pictures of a folder: rocks and clearance in metres or the picture's own pixels, and where it is safe."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lunarsite.settings import RockCameraSettings, RockHazardSettings, RockInferenceSettings
from lunarsite.vision.rock import results
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.distribution import size_distribution
from lunarsite.vision.rock.hazard import hazards
from lunarsite.vision.rock.pictures import Picture
from lunarsite.vision.rock.results import Task, write_results
from lunarsite.vision.rock.segmenter import Segmented, load_segmenter

from .made_folder import CAMERA, LONGEST_PX, call, maps_of, table
from .made_model import made_image, made_spec

pytestmark = pytest.mark.usefixtures("code")

LANDER = RockCameraSettings(height_m=1.6, pitch_deg=12.0, field_of_view_deg=60.0)


class OneRock:
    """A segmenter that sees ground below the horizon, and on it one large rock, 10 px wide."""

    spec = made_spec(1)

    def segment_reduced(self, image: np.ndarray, *_: object) -> Segmented:
        classes = np.zeros((64, 96), dtype=np.uint8)
        classes[:10], classes[40:50, 43:53] = 3, 2
        probability = np.eye(4, dtype=np.float32)[classes]
        none = np.zeros((64, 96), dtype=np.float32)
        return Segmented(probability, probability, classes, none, none, 0.1, False)


def written(
    place: Path, size: tuple[int, int], camera: RockCameraSettings | None, known: np.ndarray | None = None
) -> np.ndarray:
    """The hazards that are written of a picture of a size in which OneRock is seen."""
    task = Task(OneRock(), RockInferenceSettings(), RockHazardSettings(disc_radius_m=0.5), camera, {})  # type: ignore[arg-type]
    picture = Picture(np.zeros((*size, 3), np.uint8), known, 255)
    write_results(picture, place, "x", task, {})
    maps, bands, _ = maps_of(place / "x_hazard.tif")
    assert bands == ("clearance_px" if camera is None else "clearance_m", "safe")
    assert (maps.dtype, maps.shape) == (np.float32, (2, *size))
    return maps


def test_metres_do_not_depend_on_how_far_a_picture_was_reduced(tmp_path: Path) -> None:
    told = {}
    for factor in (1, 4):
        task = Task(OneRock(), RockInferenceSettings(), RockHazardSettings(), LANDER, {})  # type: ignore[arg-type]
        picture = Picture(np.zeros((64 * factor, 96 * factor, 3), np.uint8), None, 255)
        told[factor] = write_results(picture, tmp_path, f"x{factor}", task, {})
    (small,), (large,) = told[1].rocks, told[4].rocks
    # Level ground: the foot of the rock is seen so far below the horizon.
    focal_px = 48.0 / math.tan(math.radians(30.0))
    depression = math.radians(12.0) + math.atan((49.0 - 31.5) / focal_px)
    assert 1.6 / math.tan(depression) < small["range_m"] < 1.6 / math.tan(depression) + small["diameter_m"] + 0.1
    assert small["diameter_m"] == pytest.approx(10.0 * math.hypot(small["range_m"], 1.6) / focal_px, rel=0.15)
    assert (large["range_m"], large["diameter_m"]) == (small["range_m"], small["diameter_m"])
    assert (small["row"], large["row"]) == (49.0, 197.5)
    assert (small["diameter_px"], large["diameter_px"]) == (10.0, 40.0)
    assert told[1].summary["rock_area_share"] == pytest.approx(100 / (54 * 96), abs=1e-6)
    assert 0.0 <= told[1].summary["safe_share"] < 1.0
    one, four = (results.census_of(told[factor], LANDER) for factor in (1, 4))
    assert one is not None
    assert four is not None
    assert (four.ground_px, list(four.widths_px)) == (16 * one.ground_px, [40.0])
    assert one.diameters_m == four.diameters_m == pytest.approx([small["diameter_m"]], abs=1e-6)
    wanted = (0.2, 1.0)
    own, same = (size_distribution(found.diameters_m, found.ground, wanted)[0] for found in (one, four))
    np.testing.assert_array_equal(own, same)


@pytest.mark.parametrize("camera", [None, LANDER])
def test_hazards_are_written_as_they_are_derived(
    pictures: Path, model: Path, camera: RockCameraSettings | None
) -> None:
    assert call(pictures, model, *(() if camera is None else (*CAMERA, "--disc-radius-m", "0.3"))) == 0
    out = pictures.parent / "out"
    maps, bands, tags = maps_of(out / "b_hazard.tif")
    assert bands == ("clearance_px" if camera is None else "clearance_m", "safe")
    assert json.loads(tags["LUNARSITE_ROCKS"])["hazard"]["disc_radius_m"] == (2.5 if camera is None else 0.3)
    assert tags["OUT_OF_DISTRIBUTION"] == "no"
    settings = RockInferenceSettings(flips=1, longest_side_px=LONGEST_PX)
    found = load_segmenter(model).segment(made_image(60, 90, 1), settings)
    of = None if camera is None else Camera(camera.height_m, camera.pitch_deg, camera.field_of_view_deg, 60, 90)
    told = hazards(found.classes, found.probability, of, RockHazardSettings(disc_radius_m=0.3))
    np.testing.assert_array_equal(maps[0], told.clearance)
    np.testing.assert_array_equal(np.where(np.isnan(maps[1]), 255, maps[1]), told.safe)
    assert maps_of(out / "a_hazard.tif")[0].shape == (2, 150, 200)
    for row in table(out / "summary.csv"):
        safe = maps_of(out / f"{row['image'][0]}_hazard.tif")[0][1]
        assert np.isnan(safe).all() == (row["safe_share"] == "") == (camera is None)


def test_hazards_have_the_pictures_size_and_its_pixels(tmp_path: Path) -> None:
    small, large = (written(tmp_path, (64 * factor, 96 * factor), None) for factor in (1, 5))
    assert small[0, 45, 60] == 8.0
    np.testing.assert_array_equal(large[0], 5 * small[0].repeat(5, axis=0).repeat(5, axis=1))
    small, large = (written(tmp_path, (64 * factor, 96 * factor), LANDER) for factor in (1, 5))
    np.testing.assert_array_equal(large, small.repeat(5, axis=1).repeat(5, axis=2))
    assert set(np.unique(small[1][~np.isnan(small[1])])) == {0.0, 1.0}
    assert np.isnan(small[1]).any()
    assert (small[:, 40:50, 43:53] == 0.0).all(), "the rock"
    assert np.isnan(small[:, :10]).all(), "the sky"


def test_each_pixel_has_the_hazards_about_its_middle(tmp_path: Path) -> None:
    small, large = (written(tmp_path, size, None)[0] for size in ((64, 96), (150, 230)))
    row, col = (np.floor((np.arange(many) + 0.5) * few / many).astype(int) for many, few in ((150, 64), (230, 96)))
    np.testing.assert_array_equal(large, np.float32(150 / 64) * small[row][:, col])
    # Of a picture that is narrower than reduced pixels are high no distance is told too large.
    np.testing.assert_array_equal(written(tmp_path, (640, 96), None)[0], small.repeat(10, axis=0))


def test_no_hazards_are_told_of_what_is_not_known(tmp_path: Path) -> None:
    known = np.ones((300, 450), np.bool_)
    known[200:211, 7:], known[290:, :] = False, False
    maps = written(tmp_path, (300, 450), LANDER, known)
    assert np.isnan(maps[:, ~known]).all()
    assert not np.isnan(maps[0, 215]).all()
