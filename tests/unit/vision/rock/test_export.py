"""The model as ONNX: the same classes in ONNX Runtime at any size and batch, told with all that a user needs."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lunarsite import command
from lunarsite.artefact import ArtefactError
from lunarsite.settings import RockInferenceSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock import onnx_export
from lunarsite.vision.rock.familiarity import fit
from lunarsite.vision.rock.onnx_export import Pooled, export, made_up_images, run, session_of
from lunarsite.vision.rock.segmenter import features_of
from lunarsite.vision.rock.uncertainty import softmax, tempered

from .made_model import made_image, made_segmenter, write_model

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")

SETTINGS = RockInferenceSettings(longest_side_px=160)
TEMPERATURE = 1.7


@pytest.fixture(scope="module")
def segmenter() -> Any:
    made = made_segmenter(2, temperature=TEMPERATURE)
    for member in made.members:
        fit(member, np.stack([features_of(member, made_image(64, 96, seed)) for seed in range(12)]))
    return made


@pytest.fixture(scope="module")
def exported(segmenter: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    agreement = export(segmenter, SETTINGS, path, {"licence": "CC BY-NC-SA 4.0"}, made_up_images())
    assert agreement is not None
    assert agreement.images == 3
    assert agreement.share >= 0.999
    assert agreement.most_difference < 1e-3
    assert agreement.most_unfamiliarity_difference < 1e-3
    return path


def test_the_file_gives_the_same_at_any_size(segmenter: Any, exported: Path) -> None:
    session = session_of(exported)
    for shape in ((64, 64), (50, 200), (300, 131)):
        image = made_image(*shape, seed=3)
        truth = segmenter.segment_reduced(image, SETTINGS)
        assert len(np.unique(truth.classes)) > 1
        found, _ = run(session, image, SETTINGS.longest_side_px)
        np.testing.assert_allclose(found.transpose(1, 2, 0), truth.probability, atol=1e-3)


def test_a_batch_is_its_images_one_by_one(segmenter: Any, exported: Path) -> None:
    session = session_of(exported)
    images = np.stack([made_image(64, 96, seed) for seed in range(3)]).transpose(0, 3, 1, 2).astype(np.float32)
    probability, disagreement, unfamiliarity = session.run(None, {"image": images})  # type: ignore[union-attr]
    assert probability.shape == (3, 4, 64, 96)
    assert disagreement.shape == (3, 64, 96)
    for index in range(3):
        truth = segmenter.segment(made_image(64, 96, index), SETTINGS)
        np.testing.assert_allclose(probability[index].transpose(1, 2, 0), truth.probability, atol=1e-3)
        np.testing.assert_allclose(disagreement[index], truth.mutual_information, atol=1e-3)
        assert unfamiliarity[index] == pytest.approx(truth.unfamiliarity, abs=1e-4)


def test_the_metadata_tells_what_the_graph_cannot(exported: Path) -> None:
    model = onnx.load(exported)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(told["classes"]) == ["background", "small_rocks", "large_rocks", "sky"]
    assert json.loads(told["temperature"]) == TEMPERATURE
    assert json.loads(told["unfamiliarity_limit"]) == 2.0
    assert "'unfamiliarity_limit'" in told["unfamiliarity"]
    assert told["licence"] == "CC BY-NC-SA 4.0"
    assert model.opset_import[0].version == onnx_export.OPSET >= 17


def test_a_single_member_can_be_exported(segmenter: Any, tmp_path: Path) -> None:
    single = RockInferenceSettings(method="single", flips=1, longest_side_px=96)
    agreement = export(segmenter, single, tmp_path / "one.onnx", {}, [made_image(64, 96)])
    assert agreement is not None
    assert agreement.share >= 0.999
    with torch.inference_mode():
        given = torch.from_numpy(made_image(64, 96).transpose(2, 0, 1).astype(np.float32))[None]
        logits = segmenter.members[0]((given - 127.5) / 127.5)[0].numpy()
    found, _ = run(session_of(tmp_path / "one.onnx"), made_image(64, 96), 96)
    np.testing.assert_allclose(found, tempered(softmax(logits), TEMPERATURE), atol=1e-3)


@pytest.mark.parametrize("changes", [{"method": "dropout"}, {"scales": (1.0, 0.5)}])
def test_what_onnx_cannot_hold_is_refused(segmenter: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(LearningError, match="method 'ensemble' or 'single'"):
        export(segmenter, RockInferenceSettings(**changes), tmp_path / "x.onnx", {}, [made_image(32, 32)])
    assert not list(tmp_path.iterdir())


def test_a_file_with_other_classes_is_not_left(segmenter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Pooled.forward

    def other(self: Pooled, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = forward(self, image)
        return forward(self, image * 0.9)[0], *found[1:]

    monkeypatch.setattr(Pooled, "forward", other)
    with pytest.raises(ArtefactError, match="gives the same class on"):
        export(segmenter, SETTINGS, tmp_path / "x.onnx", {}, [made_image(64, 96)])
    assert not list(tmp_path.iterdir())


def test_a_file_that_judges_otherwise_is_not_left(
    segmenter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Pooled.forward

    def other(self: Pooled, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        *found, unfamiliarity = forward(self, image)
        return *found, unfamiliarity + 0.05

    monkeypatch.setattr(Pooled, "forward", other)
    with pytest.raises(ArtefactError, match=r"unfamiliarity wrongly, by 2\.5"):
        export(segmenter, SETTINGS, tmp_path / "x.onnx", {}, [made_image(64, 96)])
    assert not list(tmp_path.iterdir())


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = builtins.__import__

    def importing(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] in names:
            raise ImportError(f"no {name}")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", importing)


def test_without_onnx_it_says_what_to_install(segmenter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnx")
    with pytest.raises(LearningError, match=r"lunarsite\[onnx\]"):
        export(segmenter, SETTINGS, tmp_path / "x.onnx", {}, [made_image(32, 32)])


def test_the_word_exports_and_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "model.safetensors", 1)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(made_image(90, 120)).save(tmp_path / "pictures" / "a.png")
    call = ["rocks-export", "--out", str(tmp_path / "m.onnx"), "--model", str(model), "--flips", "1"]
    assert command.main([*call, "--images", str(tmp_path / "pictures"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["checked"] is True
    assert told["images"] == 1
    assert told["same_classes_share"] >= 0.999
    training = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}["training"]
    assert json.loads(training)["data"]["licence"] == "CC BY-NC-SA 4.0"
    assert command.main(call) == 3
    assert "is there already" in capsys.readouterr().err
    without(monkeypatch, "onnxruntime")
    assert command.main([*call, "--overwrite"]) == 0
    assert "not checked" in capsys.readouterr().out
    monkeypatch.undo()
    for out, words in (("m.bin", "call it .onnx"), ("none/m.onnx", "folder does not exist")):
        assert command.main(["rocks-export", "--out", str(tmp_path / out), "--model", str(model)]) == 3
        assert words in capsys.readouterr().err
    assert command.main(["rocks-export", "--out", str(tmp_path / "n.onnx"), "--model", str(tmp_path / "none")]) == 3
    assert "does not exist" in capsys.readouterr().err
