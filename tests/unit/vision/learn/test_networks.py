"""Shapes, specs and what is refused; torchvision beside a CPU build of torch."""

from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

from lunarsite.vision.learn import LearningError, networks
from lunarsite.vision.learn.networks import NetworkSpec, build
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision


def plain(**changes: object) -> NetworkSpec:
    return NetworkSpec.model_validate(
        {"kind": "plain-unet", "inputs": 2, "outputs": 3, "channels": 4, "depth": 3} | changes
    )


def test_torchvision_imports_and_is_mended_once() -> None:
    first = ensure_torchvision()
    import torchvision

    assert torchvision.__version__
    assert ensure_torchvision() is first


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("depth", [2, 5])
def test_plain_unet_keeps_the_ground(stride: int, depth: int) -> None:
    network = build(plain(stride=stride, depth=depth)).eval()
    with torch.no_grad():
        found = network(torch.zeros(2, 2, 32, 96))
    assert found.shape == (2, 3, 32 // stride, 96 // stride)
    assert network.last.out_channels == 3


@pytest.mark.parametrize("stride", [1, 2])
def test_smp_unet_keeps_the_ground(stride: int) -> None:
    spec = NetworkSpec.model_validate(
        {"kind": "smp-unet", "encoder": "resnet18", "inputs": 2, "outputs": 3, "stride": stride}
    )
    network = build(spec).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 2, 32, 64)).shape == (1, 3, 32 // stride, 64 // stride)
        assert network.last.out_channels == 3


def test_no_level_is_wider_than_160() -> None:
    network = build(plain(channels=64, depth=5))
    assert max(p.shape[0] for p in network.parameters() if p.ndim == 4) == 160


def test_spec_survives_json_and_the_seed_gives_the_weights() -> None:
    spec = plain(stride=2)
    again = NetworkSpec.model_validate(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    states = []
    for given in (spec, again):
        torch.manual_seed(5)
        states.append(build(given).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("shape", [(1, 2, 32, 48), (1, 3, 32, 32), (2, 32, 32)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(LearningError, match="multiples of 32"):
        build(plain())(torch.zeros(shape))


def test_unknown_specs_are_refused() -> None:
    with pytest.raises(ValidationError):
        plain(stride=4)
    with pytest.raises(ValidationError):
        plain(width=3)
    for encoder, message in (("resnet35", "no encoder 'resnet35'"), ("tu-resnet35", "no model 'resnet35'")):
        with pytest.raises(LearningError, match=message):
            build(plain(kind="smp-unet", encoder=encoder))


def test_weights_out_of_reach_are_an_error_and_never_random(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_torchvision()
    import segmentation_models_pytorch as smp

    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(smp.encoders, "hf_hub_download", unreachable)
    wanted = plain(kind="smp-unet", encoder="resnet18", encoder_weights="imagenet")
    with pytest.raises(LearningError, match=r"imagenet weights of 'resnet18' cannot be had.*encoder_weights: null"):
        build(wanted)
    with pytest.raises(LearningError, match="cannot be had"):
        build(wanted.model_copy(update={"encoder": "dpn107"}))  # has no ImageNet weights of that name


def test_other_failures_are_not_taken_for_the_network() -> None:
    assert not networks._out_of_reach(RuntimeError("shapes differ"))
