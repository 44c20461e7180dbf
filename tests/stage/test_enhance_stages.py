"""Training of the denoiser through the command line: the model, its record, a kill, and clear refusals."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lunarsite import command
from lunarsite.artefact import model as models
from lunarsite.artefact import record
from lunarsite.artefact.contracts import DENOISER_MODEL, ENHANCE_TRAINING
from lunarsite.vision.enhance import training
from lunarsite.vision.enhance.enhancer import load_denoiser
from lunarsite.vision.enhance.ground import seen_by
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, write_scenes

SENSOR = {"least_electrons": 4.0, "most_electrons": 100.0}
TRAINING_SETTINGS = {"epochs": 2, "steps_per_epoch": 3, "batch": 2, "crop_px": 32, "workers": 0}
DENOISER = {"members": 2, "channels": 4, "depth": 2}


def call(folder: Path, name: str = "denoiser", **change: Any) -> int:
    settings = {"sensor": SENSOR, "denoiser": {**DENOISER, "training": {**TRAINING_SETTINGS, **change}}}
    files = ["--in", f"scenes={folder / 'scenes.h5'}", "--out"]
    files += [f"model={folder / name}.safetensors", f"record={folder / name}.json"]
    return command.main(["enhance-train", "--run", "default", "--settings", json.dumps(settings), *files])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_scenes(tmp_path / "scenes.h5", [TRAINING, TRAINING, VALIDATION, TEST, VALIDATION])
    return tmp_path


def test_from_scenes_to_a_denoiser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(folder) == 0
    assert not (folder / "denoiser.checkpoints").exists()
    tensors, card, stamp = models.read_tensors(folder / "denoiser.safetensors", DENOISER_MODEL)
    assert stamp.seed == 1609
    assert card.spec["members"] == 2
    assert card.spec["variance_factor"] == pytest.approx(card.training["validation"]["factor"] ** 2)  # type: ignore[index,call-overload]
    assert card.training["data"]["licence"] == "CC0"  # type: ignore[index,call-overload]
    assert card.training["data"]["training_scenes"] == 2  # type: ignore[index,call-overload]
    assert seen_by(card.training), "the card tells its ground"
    last = [tensors[f"members.{number}.body.head.3.weight"] for number in (0, 1)]
    assert last[0].any()
    assert not np.array_equal(*last), "members have seeds of their own"
    enhancer = load_denoiser(folder / "denoiser.safetensors")
    found = enhancer.network(torch.randn(2, 1, 32, 64))
    assert found.shape == (2, 2, 32, 64)
    assert (found[:, 1] > 0.0).all()
    assert (enhancer.name, enhancer.outputs) == ("denoiser", 2)

    told, _ = record.read(folder / "denoiser.json", ENHANCE_TRAINING)
    assert [(row["member"], row["epoch"]) for row in told.tables["history"]] == [(0, 1.0), (0, 2.0), (1, 1.0), (1, 2.0)]
    assert told.metric("validation_within_one") == pytest.approx(0.6827, abs=0.002)

    # A kill after the trainings: what is written by the next call is what would have been.
    def killed(*_: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(training, "save", killed)
        assert call(folder, "again") == 1
    assert not (folder / "again.safetensors").exists()
    assert len(list((folder / "again.checkpoints").rglob("last.ckpt"))) == 2
    assert call(folder, "again") == 0
    again, again_card, _ = models.read_tensors(folder / "again.safetensors", DENOISER_MODEL)
    assert all(np.array_equal(values, again[name]) for name, values in tensors.items())
    assert again_card.spec["variance_factor"] == pytest.approx(card.spec["variance_factor"])


@pytest.mark.parametrize(
    ("splits", "words"),
    [([TRAINING, TEST], "no scenes for validation"), ([VALIDATION, TEST], "no scenes for training")],
)
def test_scenes_of_both_splits_are_needed(
    folder: Path, capsys: pytest.CaptureFixture[str], splits: list[int], words: str
) -> None:
    write_scenes(folder / "scenes.h5", splits)
    assert call(folder) == 3
    shown = capsys.readouterr().err
    assert words in shown
    assert "enhance.scenes" in shown
    assert "Traceback" not in shown


def test_scenes_smaller_than_a_crop_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folder, crop_px=96) == 2
    assert "lower enhance.denoiser.training.crop_px" in capsys.readouterr().err
