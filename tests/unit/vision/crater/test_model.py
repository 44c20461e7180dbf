"""Crater models and shards as files: what was saved is what predicts; what does not belong together is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lunarsite.artefact import ArtefactError, partial
from lunarsite.artefact import model as models
from lunarsite.artefact.contracts import CRATER_LEVELS, CRATER_MODEL
from lunarsite.artefact.model import Card
from lunarsite.settings import SplitSettings
from lunarsite.vision.crater.calibration import Calibration
from lunarsite.vision.crater.model import SPLIT, calibration_of, joined_levels, load_network, with_calibration
from lunarsite.vision.crater.network import CHANNELS, OUTPUTS, CraterNetwork, body_spec, to_spec
from lunarsite.vision.learn.saved import rounded, save

from .ground import TINY, job

GROUND = SplitSettings(test_lon_deg=(-100.0, -60.0))
CALIBRATION = Calibration(-0.1, 1.2, 0.3, 0.45)


def network() -> CraterNetwork:
    """Random weights, and statistics of normalisation that are none."""
    torch.manual_seed(0)
    made = CraterNetwork(body_spec(TINY)).train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(2, 1, 64, 64).cumsum(3) * 0.1)
    return made.eval()


def written(path: Path, made: CraterNetwork, calibration: Calibration | None = None) -> Path:
    spec = to_spec(made.body.spec)
    card = Card(spec=spec, inputs=("height over pixel size, 1", *CHANNELS), classes=OUTPUTS, training={"best_epoch": 3})
    if calibration is not None:
        card = with_calibration(card, calibration, {"f1": 0.7}, GROUND)
    save(path, CRATER_MODEL, made, card, job().stamp(CRATER_MODEL))
    return path


def test_a_saved_network_predicts_what_it_did_in_memory(tmp_path: Path) -> None:
    made = network()
    loaded, card = load_network(written(tmp_path / "m.safetensors", made))
    ground = torch.randn(2, 1, 96, 64).cumsum(2) * 0.1
    ground[0, :, 20:40, 10:30] = torch.nan
    with torch.inference_mode():
        kept = made(ground)
        there = loaded(ground)
        here = rounded(copy.deepcopy(made))(ground)
    assert torch.equal(there, here)
    assert not torch.equal(there, kept), "16 bits are not 32"
    assert torch.allclose(there, kept, atol=0.03, rtol=0.02)
    assert card.classes == OUTPUTS


def test_a_card_keeps_the_calibration_and_what_it_said_before(tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", network(), CALIBRATION)
    assert calibration_of(path) == CALIBRATION
    _, card = load_network(path)
    assert card.training == {"best_epoch": 3, "validation": {"f1": 0.7}, SPLIT: GROUND.model_dump(mode="json")}
    # Calibrating once more replaces it and leaves the weights alone.
    tensors, card, _ = models.read_tensors(path, CRATER_MODEL)
    other = Calibration(0.0, 1.0, 0.0, 0.6)
    models.write_tensors(
        tmp_path / "n.safetensors",
        CRATER_MODEL,
        tensors,
        with_calibration(card, other, {"f1": 0.8}, GROUND),
        job().stamp(CRATER_MODEL),
    )
    assert calibration_of(tmp_path / "n.safetensors") == other
    again, card = load_network(tmp_path / "n.safetensors")
    assert card.training["validation"] == {"f1": 0.8}
    first = load_network(path)[0].state_dict()
    assert all(torch.equal(value, first[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize(
    "values", [None, {}, {"threshold": 0.5}, {**CALIBRATION.to_json(), "threshold": "high"}, [1.0]]
)
def test_a_model_without_a_calibration_says_what_to_run(tmp_path: Path, values: Any) -> None:
    path, made = tmp_path / "m.safetensors", network()
    spec = to_spec(made.body.spec) | ({} if values is None else {"calibration": values})
    save(path, CRATER_MODEL, made, Card(spec=spec, inputs=CHANNELS), job().stamp(CRATER_MODEL))
    with pytest.raises(ArtefactError, match=r"m\.safetensors: .*run crater-calibrate on it"):
        calibration_of(path)


def test_another_network_is_refused(tmp_path: Path) -> None:
    path, made = tmp_path / "m.safetensors", network()
    spec = {**to_spec(made.body.spec), "diameters_px": [1.0, 2.0, 3.0, 4.0]}
    save(path, CRATER_MODEL, made, Card(spec=spec, inputs=CHANNELS), job().stamp(CRATER_MODEL))
    with pytest.raises(ArtefactError, match="this version"):
        load_network(path)


PLAN = {"model": "m" * 64, "dem": "d" * 64, "pixel_m": [200.0, 200.0 * 2.0**0.5], "tiling": {"tile_px": 96}}


def shards(folder: Path, count: int = 3, **change: dict[str, Any]) -> list[Path]:
    """Shards of two levels; the coarser one has rows in the first alone. `change` is of a shard by its letter."""
    paths = []
    for index in range(count):
        rows = (4, 2 if index == 0 else 0)
        arrays = {
            f"level_{level:02d}": np.full((9, n, 8), index + 10 * level, np.float16) for level, n in enumerate(rows)
        }
        plan = {**PLAN, "shard": index, "shards": count, **change.get("abc"[index], {})}
        paths.append(folder / f"levels_{index}.h5")
        partial.write(paths[-1], CRATER_LEVELS, arrays, plan, job().stamp(CRATER_LEVELS))
    return paths


def test_shards_are_joined_in_order(tmp_path: Path) -> None:
    fine, coarse = joined_levels(shards(tmp_path), PLAN)
    assert fine.dtype == np.float32
    assert fine.shape == (9, 12, 8)
    assert fine[0, :, 0].tolist() == [0.0] * 4 + [1.0] * 4 + [2.0] * 4
    assert coarse.shape == (9, 2, 8)
    assert (coarse == 10.0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "x"}, "another model"),
        ({"dem": "x"}, "another dem"),
        ({"pixel_m": [200.0]}, "another pixel_m"),
        ({"tiling": {"tile_px": 128}}, "another tiling"),
        ({"shards": 4}, "shard 1 of 4"),
    ],
)
def test_shards_of_other_inputs_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ArtefactError, match=rf"levels_1\.h5: .*{words}"):
        joined_levels(shards(tmp_path, b=change), PLAN)


def test_missing_and_swapped_shards_are_refused(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    with pytest.raises(ArtefactError, match=r"is shard 0 of 3, given as 0 of 2; give all shards"):
        joined_levels(paths[:2], PLAN)
    with pytest.raises(ArtefactError, match=r"levels_1\.h5: is shard 1 of 3, given as 0 of 3"):
        joined_levels([paths[1], paths[0], paths[2]], PLAN)
