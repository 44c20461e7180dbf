"""Training of the CycleGAN through the command line: the model, its record, its pictures, a kill, and refusals."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from lunarsite import command
from lunarsite.artefact import model as models
from lunarsite.artefact import record
from lunarsite.artefact.contracts import CYCLE_MODEL, ENHANCE_TRAINING
from lunarsite.vision.enhance import cycle_loop, cycle_training
from lunarsite.vision.enhance.enhancer import load_cycle
from lunarsite.vision.enhance.ground import seen_by
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, write_scenes
from tests.unit.vision.enhance.test_cycle_data import write_real

CYCLE = {
    "steps": 4, "crop_px": 64, "keep_every": 2, "generator_channels": 4, "generator_blocks": 1,
    "discriminator_channels": 4, "buffer": 2, "perceptual_encoder": "mobilenetv2_035",
}  # fmt: skip


def call(folder: Path, name: str = "cycle", real: bool = False, pictures: bool = True, **change: Any) -> int:
    settings = {"sensor": {}, "cycle": {**CYCLE, **change}}
    files = ["--in", f"scenes={folder / 'scenes.h5'}", *([f"images={folder / 'real.h5'}"] if real else []), "--out"]
    files += [f"model={folder / name}.safetensors", f"record={folder / name}.json"]
    files += [f"pictures={folder / name}.png"] if pictures else []
    return command.main(["enhance-cycle", "--run", "default", "--settings", json.dumps(settings), *files])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4 + [VALIDATION, VALIDATION, TEST])
    return tmp_path


def test_from_scenes_to_a_cyclegan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(folder) == 0
    assert not (folder / "cycle.checkpoints").exists()
    tensors, card, stamp = models.read_tensors(folder / "cycle.safetensors", CYCLE_MODEL)
    assert stamp.seed == 1817
    # Both generators in 16 bits, and nothing of the judges.
    assert {name.split(".")[0] for name in tensors} == {"to_sunlit", "to_shadowed"}
    assert {values.dtype for name, values in tensors.items() if values.ndim == 4} == {np.dtype(np.float16)}
    assert card.training["perceptual"] == "mobilenetv2_035 with random weights"
    assert card.training["data"]["rendered_shadowed"] == 4  # type: ignore[index,call-overload]
    assert seen_by(card.training), "the card tells its ground"
    assert [source["licence"] for source in card.training["data"]["sources"]] == ["CC0"]  # type: ignore[index,call-overload,union-attr]
    enhancer = load_cycle(folder / "cycle.safetensors")
    with torch.inference_mode():
        found = enhancer.network(torch.randn(1, 1, 32, 64))
    assert found.shape == (1, 2, 32, 64)
    assert (found[:, 1] > 0.0).all()
    told, _ = record.read(folder / "cycle.json", ENHANCE_TRAINING)
    assert [row["step"] for row in told.tables["history"]] == [2.0, 4.0]
    assert told.metric("validation_within_one") == pytest.approx(0.6827, abs=0.002)
    assert "Perceptual term: mobilenetv2_035 with random weights." in told.notes
    with Image.open(folder / "cycle.png") as picture:
        assert picture.width > 7 * 64
        assert picture.height > 2 * 3 * 64

    # A kill in the middle, and one when all but the writing is done: the weights are what they would have been.
    steps, keep = list[int](), cycle_loop._keep

    def killed(*_: Any) -> None:
        raise MemoryError("killed")

    def killed_late(state: Any, *rest: Any) -> None:
        steps.append(state.step)
        if len(steps) == 2:
            raise MemoryError("killed")
        keep(state, *rest)

    for name, place, stand_in in (("_keep", cycle_loop, killed_late), ("save", cycle_training, killed)):
        with monkeypatch.context() as broken:
            broken.setattr(place, name, stand_in)
            assert call(folder, "again") == 1
        assert not (folder / "again.safetensors").exists()
        assert (folder / "again.checkpoints" / "last.ckpt").exists()
    assert steps == [2, 4]
    assert call(folder, "again") == 0
    again, _, _ = models.read_tensors(folder / "again.safetensors", CYCLE_MODEL)
    assert all(np.array_equal(values, again[name]) for name, values in tensors.items())
    assert (folder / "cycle.png").read_bytes() == (folder / "again.png").read_bytes()


def test_real_images_and_known_weights_are_named_in_the_card(folder: Path) -> None:
    from lunarsite.vision.enhance.cycle_encoder import load_encoder

    write_real(folder / "real.h5", [0, 1, 1, 0])
    encoder, _ = load_encoder("mobilenetv2_035", None, 7)
    save_file(encoder.body.state_dict(), folder / "weights.safetensors")
    weights = {"perceptual_weights": str(folder / "weights.safetensors")}
    assert call(folder, real=True, pictures=False, **weights) == 0
    assert not (folder / "cycle.png").exists()
    _, card, stamp = models.read_tensors(folder / "cycle.safetensors", CYCLE_MODEL)
    assert str(card.training["perceptual"]).startswith("mobilenetv2_035 with the weights of weights.safetensors (SHA")
    assert str(folder) not in json.dumps(card.training), "a card names no place of this machine"
    assert card.training["data"]["real_shadowed"] == 2  # type: ignore[index,call-overload]
    assert set(stamp.inputs) == {"scenes", "images"}


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ([TRAINING] * 4, "scenes.h5: holds no scenes for validation"),
        ([VALIDATION] * 4, "scenes.h5: holds scenes for training of 0 places"),
        ([TRAINING, TRAINING, VALIDATION], "of 1 places; two at least are needed"),
    ],
)
def test_scenes_that_do_not_do_are_refused(
    folder: Path, splits: list[int], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(folder / "scenes.h5", splits)
    assert call(folder) == 3
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert not (folder / "cycle.safetensors").exists()


def test_settings_that_do_not_do_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folder, crop_px=96) == 3
    assert "lower enhance.cycle.crop_px" in capsys.readouterr().err
    assert call(folder, perceptual_encoder="mobilenot") != 0
    assert "timm has no model 'mobilenot'" in capsys.readouterr().err
    assert call(folder, perceptual_weights=str(folder / "none.safetensors")) != 0
    assert "perceptual_weights does not exist" in capsys.readouterr().err
    # Without the term no encoder is asked for.
    assert call(folder, perceptual_encoder="mobilenot", perceptual_weight=0.0) == 0
