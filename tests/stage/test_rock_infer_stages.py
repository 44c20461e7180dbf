"""Scenes segmented through the command line: maps under their contract, padding, and what is out of distribution."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from lunarsite import command
from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_MAPS, ROCK_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.settings import RockInferenceSettings
from lunarsite.vision.rock.segmenter import load_segmenter
from tests.unit.vision.rock.made_model import STAMP, made_image, write_model

CREDIT = Credit(title="Made up", licence="CC0", citation="nobody")
SIZES = ((64, 96), (40, 70), (64, 33))
INFERENCE = {"flips": 1, "longest_side_px": 96}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_scenes(tmp_path / "scenes.h5")
    return tmp_path


def write_scenes(path: Path) -> None:
    pictures = np.zeros((3, 64, 96, 3), dtype=np.uint8)
    for index, (rows, cols) in enumerate(SIZES):
        pictures[index, :rows, :cols] = made_image(rows, cols, index)
    names = np.array(["a", "b", "c"], dtype=object)
    stamp = STAMP.model_copy(update={"artefact": "rock_scenes", "stage": "rock-render"})
    with images.creating(path, ROCK_SCENES, stamp, CREDIT, {"height": 64, "width": 96}) as target:
        target.append(
            {
                "images": pictures,
                "masks": np.zeros((3, 64, 96), dtype=np.uint8),
                "name": names,
                "scene": names,
                **dict.fromkeys(("kind", "mask_kind"), np.zeros(3, dtype=np.uint8)),
                "valid_height": np.array([rows for rows, _ in SIZES]),
                "valid_width": np.array([cols for _, cols in SIZES]),
                "unknown_share": np.zeros(3),
                "camera_height_m": np.array([1.6, np.nan, 2.0]),
                "camera_pitch_deg": np.array([12.0, np.nan, 3.0]),
                "camera_field_of_view_deg": np.array([60.0, np.nan, 45.0]),
            }
        )


def call(folder: Path, **changes: object) -> int:
    settings = json.dumps({"inference": INFERENCE | changes})
    files = [f"scenes={folder / 'scenes.h5'}", f"model={folder / 'model.safetensors'}"]
    out = f"maps={folder / 'maps.h5'}"
    return command.main(["rock-infer", "--run", "default", "--settings", settings, "--in", *files, "--out", out])


def test_scenes_become_maps(folder: Path) -> None:
    write_model(folder / "model.safetensors")
    assert call(folder) == 0
    segmenter = load_segmenter(folder / "model.safetensors")
    settings = RockInferenceSettings.model_validate(INFERENCE)
    with images.opened(folder / "maps.h5", ROCK_MAPS) as maps:
        assert len(maps) == 3
        assert maps.credit.licence == "CC0"
        assert "segmented (ensemble)" in maps.credit.title
        assert list(maps.read("name")) == ["a", "b", "c"]
        np.testing.assert_array_equal(maps.read("camera_height_m"), [1.6, np.nan, 2.0])
        assert not maps.read("out_of_distribution").any()
        for index, (rows, cols) in enumerate(SIZES):
            one = slice(index, index + 1)
            truth = segmenter.segment(made_image(rows, cols, index), settings)
            assert maps.read("unfamiliarity", one)[0] == pytest.approx(truth.unfamiliarity)
            for name in ("classes", "probability", "entropy", "mutual_information"):
                found = maps.read(name, one)[0]
                np.testing.assert_array_equal(found[:rows, :cols], getattr(truth, name))
                beyond = np.concatenate([found[rows:].ravel(), found[:, cols:].ravel()])
                assert (beyond == 255).all() if name == "classes" else np.isnan(beyond).all()


def test_strange_scenes_are_marked(folder: Path) -> None:
    write_model(folder / "model.safetensors", limit=0.0)
    assert call(folder) == 0
    with images.opened(folder / "maps.h5", ROCK_MAPS) as maps:
        assert maps.read("out_of_distribution").all()
        assert maps.read("probability").shape == (3, 64, 96, 4), "they are told all the same"


def test_of_scenes_without_ground_nothing_is_known(folder: Path) -> None:
    write_model(folder / "model.safetensors", 1, all_sky=True)
    assert call(folder) == 0
    with images.opened(folder / "maps.h5", ROCK_MAPS) as maps:
        unknown = ROCK_MAPS.class_number("out_of_distribution", "unknown")
        assert maps.read("out_of_distribution").tolist() == [unknown] * 3
        assert np.isnan(maps.read("unfamiliarity")).all()


def test_dropout_is_the_same_twice(folder: Path) -> None:
    write_model(folder / "model.safetensors")
    found = []
    for _ in range(2):
        assert call(folder, method="dropout", passes=2) == 0
        found.append((folder / "maps.h5").read_bytes())
    assert found[0] == found[1]


def test_a_model_of_another_kind_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.safetensors").write_bytes(b"no model")
    assert call(folder) == 3
    assert "model.safetensors" in capsys.readouterr().err
    assert not (folder / "maps.h5").exists()
