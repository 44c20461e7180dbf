"""A saved model is the model in memory; files that do not fit are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.model import Card, ModelSpec, read_tensors, write_tensors
from lunarsite.artefact.stamp import Stamp
from lunarsite.vision.learn.networks import NetworkSpec, build
from lunarsite.vision.learn.saved import load, rounded, save

MODEL = ModelSpec("test_model", "safetensors")
SPEC = NetworkSpec(kind="plain-unet", inputs=1, outputs=2, channels=4, depth=2)
CARD = Card(spec={"body": SPEC.to_json()}, inputs=("height, m",))
STAMP = Stamp(
    artefact=MODEL.name,
    stage="test",
    run="test",
    settings_hash="0",
    code="0",
    inputs={},
    git_commit=None,
    git_dirty=None,
    seed=1,
    origin="synthetic",
)


def rebuild(spec: Mapping[str, Any]) -> nn.Module:
    return build(NetworkSpec.model_validate(spec["body"]))


@pytest.fixture
def trained() -> nn.Module:
    torch.manual_seed(2)
    network = build(SPEC)
    for _ in range(3):  # statistics of batch normalisation other than the initial ones
        network(1e-4 * torch.randn(2, 1, 32, 32))
    return network.eval()


def predictions(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(1e-4 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(9)))
    return found


@pytest.mark.parametrize("half", [False, True])
def test_saved_predicts_what_the_one_in_memory_predicts(tmp_path: Path, trained: nn.Module, half: bool) -> None:
    path = tmp_path / "model.safetensors"
    before = predictions(trained)
    save(path, MODEL, trained, CARD, STAMP, half=half)
    assert torch.equal(predictions(trained), before)
    network, card, stamp = load(path, MODEL, rebuild)
    assert (card, stamp) == (CARD, STAMP)
    assert not network.training
    assert torch.equal(predictions(network), predictions(rounded(trained) if half else trained))


def test_half_keeps_buffers_and_halves_the_rest(tmp_path: Path, trained: nn.Module) -> None:
    path = tmp_path / "model.safetensors"
    save(path, MODEL, trained, CARD, STAMP)
    kinds = {name.rsplit(".", 1)[1]: values.dtype for name, values in read_tensors(path, MODEL)[0].items()}
    assert kinds["weight"] == np.float16
    assert kinds["running_var"] == np.float32
    assert kinds["num_batches_tracked"] == np.int64


def test_weights_beyond_half_precision_and_not_finite_ones_are_refused(tmp_path: Path, trained: nn.Module) -> None:
    path = tmp_path / "model.safetensors"
    with torch.no_grad():
        next(trained.parameters())[0] = 1e5
    with pytest.raises(ArtefactError, match=r"down\.0\.0\.weight.*beyond 16 bits"):
        save(path, MODEL, trained, CARD, STAMP)
    save(path, MODEL, trained, CARD, STAMP, half=False)
    with torch.no_grad():
        next(trained.parameters())[0] = torch.nan
    with pytest.raises(ArtefactError, match="not finite"):
        save(path, MODEL, trained, CARD, STAMP)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("head.3.bias"), r"lacks weights: head\.3\.bias"),
        (lambda t: t.update(extra=np.zeros(1)), "has unknown weights: extra"),
        (lambda t: t.update({"head.3.bias": np.zeros(5, np.float32)}), r"'head\.3\.bias' have shape \(5,\)"),
        (lambda t: t.update({"head.3.bias": np.zeros(2, np.int64)}), r"'head\.3\.bias' are int64"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, trained: nn.Module, change: Any, message: str) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {name: value.numpy() for name, value in trained.state_dict().items()}
    change(tensors)
    write_tensors(path, MODEL, tensors, CARD, STAMP)
    with pytest.raises(ArtefactError, match=message):
        load(path, MODEL, rebuild)


def test_spec_that_builds_nothing_is_refused(tmp_path: Path, trained: nn.Module) -> None:
    path = tmp_path / "model.safetensors"
    for spec in ({}, {"body": {**SPEC.to_json(), "depth": 99}}):
        save(path, MODEL, trained, CARD.model_copy(update={"spec": spec}), STAMP)
        with pytest.raises(ArtefactError, match="spec builds no network"):
            load(path, MODEL, rebuild)


def test_loading_never_asks_for_encoder_weights(tmp_path: Path, trained: nn.Module) -> None:
    path = tmp_path / "model.safetensors"
    spec = {"encoder_weights": "imagenet", "body": {**SPEC.to_json(), "encoder_weights": "imagenet"}}
    save(path, MODEL, trained, CARD.model_copy(update={"spec": spec}), STAMP)
    seen: list[Mapping[str, Any]] = []

    def noting(given: Mapping[str, Any]) -> nn.Module:
        seen.append(given)
        return rebuild(given)

    load(path, MODEL, noting)
    assert seen[0]["encoder_weights"] is None
    assert seen[0]["body"]["encoder_weights"] is None
