"""The perceptual term's encoder with real weights: MobileNetV2 as its publisher runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from lunarsite.vision.enhance.cycle_encoder import load_encoder
from lunarsite.vision.learn.encoder_weights import unfolded
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision

ROOT = Path(__file__).resolve().parents[2]
MOON = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
WEIGHTS = MOON.parent / "images" / "weights"
FILE = WEIGHTS / "mobilenet_v2_1.0_224.safetensors"

pytestmark = pytest.mark.reference


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    if not FILE.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {FILE} (set LUNARSITE_REFERENCE)")
    from safetensors.torch import load_file

    return load_file(FILE)


def test_the_whole_network_answers_as_its_publisher_says(tensors: dict[str, torch.Tensor]) -> None:
    ensure_torchvision()
    import timm

    network = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=1001, pad_type="same").eval()
    state = unfolded(tensors, network, FILE)
    state["classifier.weight"] = tensors["052_conv.weight"][:, :, 0, 0]
    state["classifier.bias"] = tensors["052_conv.bias"]
    missing, unknown = network.load_state_dict(state, strict=False)
    assert not unknown
    assert all(name.endswith("num_batches_tracked") for name in missing)
    c, i, j = (torch.arange(float(size)) for size in (3, 224, 224))
    image = torch.sin(0.05 * (i[:, None] + 1.0) * (c[:, None, None] + 1.0)) * torch.cos(0.03 * (j + 1.0))
    with torch.inference_mode():
        logits = network(image[None])[0]
    expected = json.loads((WEIGHTS / "mobilenet_v2_1.0_224_check.json").read_text(encoding="utf-8"))["top5"]
    values, classes = logits.topk(5)
    print([(int(k), round(float(v), 4)) for k, v in zip(classes, values, strict=True)])
    assert classes.tolist() == [entry["index"] for entry in expected]
    assert values.tolist() == pytest.approx([entry["logit"] for entry in expected], abs=2e-3)


def test_the_encoder_is_the_beginning_of_that_network(tensors: dict[str, torch.Tensor]) -> None:
    encoder, source = load_encoder("mobilenetv2_100", FILE, 1)
    assert source.weights == FILE.name
    torch.manual_seed(1)
    image = torch.randn(1, 1, 64, 64)
    grey = (image / 3.0).expand(1, 3, 64, 64)  # -1..1 over three spreads on either side of the median

    def layer(values: torch.Tensor, key: str, stride: int = 1, groups: int = 1, relu: bool = True) -> torch.Tensor:
        weight = tensors[f"{key}.weight"]
        if stride == 2:
            values = torch.nn.functional.pad(values, (0, 1, 0, 1))
        padding = weight.shape[2] // 2 if stride == 1 else 0
        found = torch.nn.functional.conv2d(values, weight, tensors[f"{key}.bias"], stride, padding, groups=groups)
        return found.clamp(0.0, 6.0) if relu else found

    first = layer(layer(layer(grey, "000_conv", 2), "001_dw", groups=32), "002_conv", relu=False)
    second = layer(layer(layer(first, "003_conv"), "004_dw", 2, 96), "005_conv", relu=False)
    second = second + layer(layer(layer(second, "006_conv"), "007_dw", groups=144), "008_conv", relu=False)
    found = encoder(image)
    assert torch.allclose(found[0], first, atol=1e-4)
    assert torch.allclose(found[1], second, atol=1e-4)
