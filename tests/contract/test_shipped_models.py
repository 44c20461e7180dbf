"""The models that come with lunarsite: small enough for git, whole, calibrated, and usable in any run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lunarsite.artefact.contracts import CRATER_MODEL
from lunarsite.artefact.model import read_tensors
from lunarsite.settings import SplitSettings
from lunarsite.vision.crater.model import calibration_of, load_network
from lunarsite.vision.crater.network import OUTPUTS

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "models" / "crater"
MODELS = [FOLDER / "polar.safetensors", FOLDER / "base.safetensors"]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_shipped_crater_model_is_small_whole_and_calibrated(path: Path) -> None:
    assert path.stat().st_size <= 30e6
    tensors, card, stamp = read_tensors(path, CRATER_MODEL)
    assert stamp.stage == "crater-calibrate"
    assert stamp.origin == "local"
    assert {values.dtype for name, values in tensors.items() if name.endswith(".weight") and values.ndim == 4} == {
        np.dtype(np.float16)
    }
    assert card.classes == OUTPUTS
    assert card.training["split"] == SplitSettings().model_dump(mode="json")
    calibration = calibration_of(path)
    assert calibration.by_response > 0.0
    assert 0.1 < calibration.threshold < 0.9


def test_the_shipped_network_finds_a_bowl_and_none_on_a_plain() -> None:
    network, _ = load_network(MODELS[0])
    rows, cols = np.indices((192, 192)) - 96.0
    distance = np.hypot(rows, cols) / (0.5 * 13.4)
    # Fassett & Thomson (2014): a fresh bowl, a fifth as deep as wide, with a raised rim.
    bowl = np.where(distance < 1.0, 0.24 * distance**2 - 0.2, 0.04 * np.maximum(distance, 1.0) ** -3) * 13.4
    with torch.inference_mode():
        found = network(torch.from_numpy(bowl.astype(np.float32))[None, None])[0, 1].sigmoid()
        plain = network(torch.zeros(1, 1, 192, 192))[0, :4].sigmoid()
    assert found[46:51, 46:51].max() > 0.5
    assert found[46:51, 46:51].max() == found[20:76, 20:76].max()
    assert plain[:, 16:80, 16:80].max() < 0.1
