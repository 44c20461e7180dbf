"""The shipped segmenter as ONNX gives the classes of the network itself on real photographs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lunarsite.settings.rock import RockInferenceSettings
from lunarsite.vision.rock import onnx_export
from lunarsite.vision.rock.segmenter import load_segmenter

ROOT = Path(__file__).resolve().parents[2]
MOON = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
FOLDER = MOON.parent / "images" / "rocks" / "real_moon_images"
NAMES = ("PCAM13", "TCAM1", "TCAM4", "TCAM8", "TCAM9", "TCAM13")

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"REFERENCE DATA ABSENT: {FOLDER} (set LUNARSITE_REFERENCE)"),
]


def test_photographs_have_the_same_classes(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")
    pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    images = [np.asarray(Image.open(FOLDER / f"{name}.png").convert("RGB")) for name in NAMES]
    segmenter = load_segmenter(ROOT / "resources" / "models" / "rock" / "rock.safetensors")
    agreement = onnx_export.export(segmenter, RockInferenceSettings(), tmp_path / "rock.onnx", {}, images)
    print(f"same class on {agreement} of the pixels of {len(images)} photographs")
    assert agreement is not None
    assert agreement.images == len(NAMES)
    assert agreement.share >= 0.999
