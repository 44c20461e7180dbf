"""The training of the segmenter through the command line: from scenes to a model that segments, and after a kill."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lunarsite import command
from lunarsite.artefact import record
from lunarsite.artefact.contracts import ROCK_MODEL, ROCK_TRAINING
from lunarsite.artefact.model import read_tensors
from lunarsite.settings import RockInferenceSettings
from lunarsite.settings.rock import RockAugmentationSettings
from lunarsite.vision.rock import training
from lunarsite.vision.rock.familiarity import familiarity_of
from lunarsite.vision.rock.segmenter import load_segmenter
from tests.unit.publish.rock_names import without_words
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

SETTINGS: dict[str, Any] = {
    "split": {},
    "learning": {
        "members": 2,
        "network": {"encoder": "tu-mobilenetv2_035", "decoder_channels": [8, 8, 8, 8, 8]},
        "training": {"epochs": 2, "steps_per_epoch": 2, "batch": 2, "crop_px": 32, "workers": 0},
    },
    "inference": {"flips": 1, "passes": 2, "longest_side_px": 64},
}


def call(folder: Path, name: str = "rock", **change: Any) -> int:
    settings = json.dumps({**SETTINGS, **change})
    given = ["--in", f"scenes={folder / 'scenes.h5'}"]
    given += [
        "--out",
        f"model={folder / name}.safetensors",
        f"record={folder / name}.json",
        f"pictures={folder / name}.png",
    ]
    return command.main(["rock-train", "--run", "default", "--settings", settings, *given])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_scenes(tmp_path / "scenes.h5", [RENDER] * 8 + [PHOTOGRAPH] * 8)
    return tmp_path


def test_from_scenes_to_a_model_that_segments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A kill after the members are trained: they are there, and are not trained again.
    def killed(*_: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(training, "calibrated", killed)
        assert call(folder) == 1
    assert not (folder / "rock.safetensors").exists()
    checkpoints = {path: path.stat().st_mtime_ns for path in folder.rglob("last.ckpt")}
    assert len(checkpoints) == 2
    seen: list[bool] = []
    whole = training.calibrated

    def watched(*arguments: Any) -> Any:
        seen.append({path: path.stat().st_mtime_ns for path in folder.rglob("last.ckpt")} == checkpoints)
        return whole(*arguments)

    monkeypatch.setattr(training, "calibrated", watched)
    assert call(folder) == 0
    assert seen == [True]
    assert not list(folder.glob("*.checkpoints"))

    with Image.open(folder / "rock.png") as figure:
        # A row for each change: label, crop, three changes, mask.
        assert figure.size == (130 + 5 * (32 + 4), 18 + 7 * (32 + 4))

    tensors, card, _ = read_tensors(folder / "rock.safetensors", ROCK_MODEL)
    assert {name.split(".")[0] for name in tensors} == {"0", "1"}
    assert any((tensors[name] != tensors["1" + name[1:]]).any() for name in tensors if name.startswith("0."))
    assert card.training["validation"]["photographs"] >= 1  # type: ignore[index, call-overload, operator]
    assert 0 < len(card.training["seen"]) < 16  # type: ignore[arg-type]
    assert card.training["data"][0]["licence"] == "CC0"  # type: ignore[index, call-overload]
    segmenter = load_segmenter(folder / "rock.safetensors")
    assert all(0.2 <= value <= 5.0 for value in segmenter.spec.temperature.values())
    assert not any((familiarity_of(member).mean == 0.0).all() for member in segmenter.members)
    image = np.full((48, 80, 3), 90, np.uint8)
    found = segmenter.segment(image, RockInferenceSettings(flips=1, passes=2))
    assert found.classes.shape == (48, 80)
    np.testing.assert_allclose(found.probability.sum(axis=2), 1.0, atol=1e-5)

    told, stamp = record.read(folder / "rock.json", ROCK_TRAINING)
    assert stamp.seed == 1609
    assert len(told.tables["history"]) == 4
    metrics = {metric.name: metric.value for metric in told.metrics}
    for method in ("single", "ensemble", "dropout"):
        assert metrics[f"nll_tempered_{method}"] <= metrics[f"nll_{method}"] + 1e-6  # type: ignore[operator]
        assert 0.0 <= metrics[f"iou_{method}_rocks"] <= 1.0  # type: ignore[operator]
        by_kind = [metrics.get(f"limit_{method}_{kind}", 0.0) for kind in ("renders", "photographs")]
        assert metrics[f"limit_{method}"] == max(by_kind)  # type: ignore[type-var]
        assert all(f"{name}_tempered_{method}_renders" in metrics for name in ("ece", "nll"))
    units = {metric.name: metric.unit for metric in told.metrics}
    assert (units["ece_tempered_single_renders"], units["nll_tempered_single_renders"]) == ("1", "nat")
    assert units["limit_single"] == "1"
    assert without_words(told) == []
    assert all(0.0 <= row["validation_rock_iou"] <= 1.0 for row in told.tables["history"])  # type: ignore[operator]


def test_rocks_are_learned_and_an_untrained_model_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(folder, "poor") == 0
    assert "hardly a rock is found" in capsys.readouterr().err
    nothing = dict.fromkeys(RockAugmentationSettings.model_fields, 0.0)
    longer = {"epochs": 3, "steps_per_epoch": 30, "batch": 4, "crop_px": 64, "learning_rate": 5e-3, "averaging": 0.9}
    learning = {
        **SETTINGS["learning"],
        "members": 1,
        "augmentation": nothing,
        "training": {**SETTINGS["learning"]["training"], **longer},
    }
    assert call(folder, "good", learning=learning) == 0
    assert "hardly a rock is found" not in capsys.readouterr().err
    told, _ = record.read(folder / "good.json", ROCK_TRAINING)
    metrics = {metric.name: metric.value for metric in told.metrics}
    assert metrics["iou_single_rocks"] > 0.5  # type: ignore[operator]
    assert metrics["iou_single_sky"] > 0.8  # type: ignore[operator]


def test_photographs_that_lend_their_look_are_no_strangers(folder: Path) -> None:
    seen = []
    for style in (0.0, 0.5):
        learning = {
            **SETTINGS["learning"],
            "photograph_labels": False,
            "members": 1,
            "augmentation": {"style": style},
        }
        assert call(folder, learning=learning) == 0
        _, card, _ = read_tensors(folder / "rock.safetensors", ROCK_MODEL)
        seen.append(set(card.training["seen"]))  # type: ignore[arg-type]
    assert seen[0] < seen[1]


def test_photographs_without_labels_teach_nothing(folder: Path) -> None:
    learning = {**SETTINGS["learning"], "photograph_labels": False, "members": 1}
    assert call(folder, learning=learning) == 0
    _, card, _ = read_tensors(folder / "rock.safetensors", ROCK_MODEL)
    assert card.training["training"]["photographs"] == 0  # type: ignore[index, call-overload]


def test_a_file_of_weights_that_does_not_exist_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = {**SETTINGS["learning"]["network"], "encoder_weights": str(folder / "none.safetensors")}
    assert call(folder, learning={**SETTINGS["learning"], "network": network}) != 0
    assert "rock.learning.network.encoder_weights" in capsys.readouterr().err
    assert not (folder / "rock.safetensors").exists()


def test_without_scenes_to_choose_by_nothing_is_trained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = {"validation_share": 0.0, "photograph_validation_share": 0.0}
    assert call(folder, split=split) == 3
    assert "raise rock.split.validation_share" in capsys.readouterr().err
