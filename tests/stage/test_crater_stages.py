"""Crater stages from a map to a catalogue, through the command line: contracts, checkpoints, and clear refusals."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lunarsite import command
from lunarsite.artefact import model as models
from lunarsite.artefact import raster, record, table, tiles
from lunarsite.artefact.contracts import (
    CRATER_MODEL,
    CRATER_PROBABILITY,
    CRATER_TILES,
    CRATER_TRAINING,
    CRATERS,
    DETECTED,
)
from lunarsite.artefact.model import Card
from lunarsite.grid import Grid, in_sector
from lunarsite.vision.crater import training
from lunarsite.vision.crater.network import CHANNELS, OUTPUTS, to_spec
from lunarsite.vision.learn.saved import save
from tests.unit.vision.crater.ground import catalogue, job, trained, write_catalogue, write_moonlet

SPLIT = {"validation_lon_deg": [-90.0, 60.0], "test_lon_deg": [60.0, 120.0]}
CATALOGUE = {"lon_deg": [-180.0, 180.0], "least_diameter_m": 1_000.0}
DETECTION = {"least_diameter_m": 2_000.0, "largest_diameter_m": 9_000.0}
INFERENCE = {"tile_px": 128, "halo_px": 64, "shards": 2}
NETWORK = {"kind": "plain-unet", "channels": 4, "depth": 2}
TRAINING = {"epochs": 2, "steps_per_epoch": 2, "batch": 2, "crop_px": 64, "workers": 0}


class Run:
    """A folder with a small map and its catalogue, in which stages are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_moonlet(folder, Grid(-26_880.0, 26_880.0, 240.0, 224, 224), seed=3, count=90)

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def call(
        self,
        stage: str,
        inputs: dict[str, str | list[str]],
        outputs: dict[str, str],
        settings: dict[str, Any],
        shard: int | None = None,
    ) -> int:
        arguments = [stage, "--run", "default", "--settings", json.dumps(settings), "--in"]
        for name, files in inputs.items():
            arguments += [f"{name}={self[file]}" for file in ([files] if isinstance(files, str) else files)]
        arguments += ["--out", *(f"{name}={self[file]}" for name, file in outputs.items())]
        return command.main(arguments + ([] if shard is None else ["--shard", str(shard)]))

    def tiles(self, craters: str = "catalogue.parquet", **change: Any) -> int:
        settings = {"tiling": {"pixel_m": [240.0], "halo_px": 0}, "split": SPLIT, "catalogue": CATALOGUE, **change}
        return self.call("crater-tiles", {"dem": "dem.tif", "craters": craters}, {"tiles": "tiles.h5"}, settings)

    def pretrain(self, **change: Any) -> int:
        settings = {"network": NETWORK, "training": {**TRAINING, **change}}
        outputs = {"weights": "base.safetensors", "record": "base.json"}
        return self.call("crater-pretrain", {"tiles": "tiles.h5"}, outputs, settings)

    def finetune(self, name: str, initial: bool = True, **change: Any) -> int:
        settings = {"network": NETWORK, "training": {**TRAINING, "pretraining_share": 0.3, **change}}
        inputs: dict[str, str | list[str]] = {"tiles": "tiles.h5"}
        inputs |= {"pretraining_tiles": "tiles.h5", "initial": "base.safetensors"} if initial else {}
        outputs = {"weights": f"{name}.safetensors", "record": f"{name}.json"}
        return self.call("crater-finetune", inputs, outputs, settings)

    def ready_weights(self) -> None:
        """Weights of a network that answers to bowls, in place of a long training."""
        network = trained()
        card = Card(spec=to_spec(network.body.spec), inputs=("height over pixel size, 1", *CHANNELS), classes=OUTPUTS)
        save(self["weights.safetensors"], CRATER_MODEL, network, card, job("crater-finetune").stamp(CRATER_MODEL))

    def calibrate(self, craters: str = "catalogue.parquet", **change: Any) -> int:
        settings = {
            "split": SPLIT, "catalogue": CATALOGUE, "detection": DETECTION, "inference": INFERENCE, **change
        }  # fmt: skip
        inputs: dict[str, str | list[str]] = {"weights": "weights.safetensors", "dem": "dem.tif", "craters": craters}
        return self.call("crater-calibrate", inputs, {"model": "model.safetensors"}, settings)

    def infer(self, shard: int, model: str = "model.safetensors", **change: Any) -> int:
        settings = {"detection": DETECTION, "inference": {**INFERENCE, **change}}
        inputs: dict[str, str | list[str]] = {"dem": "dem.tif", "model": model}
        return self.call("crater-infer", inputs, {"partial": f"levels_{shard}.h5"}, settings, shard)

    def extract(self, partials: list[str], name: str = "craters", model: str = "model.safetensors") -> int:
        inputs: dict[str, str | list[str]] = {"dem": "dem.tif", "model": model, "partials": partials}
        outputs = {"craters": f"{name}.parquet", "probability": f"{name}.tif"}
        return self.call("crater-extract", inputs, outputs, {"detection": DETECTION, "inference": INFERENCE})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    return Run(tmp_path)


def test_from_tiles_to_weights(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.tiles() == 0
    with tiles.opened(run["tiles.h5"], CRATER_TILES) as found:
        assert set(found.read("split", slice(None))) == {0.0, 1.0}
    assert run.pretrain() == 0
    assert run.finetune("weights") == 0
    assert not run["weights.checkpoints"].exists()
    base, _, _ = models.read_tensors(run["base.safetensors"], CRATER_MODEL)
    tuned, card, stamp = models.read_tensors(run["weights.safetensors"], CRATER_MODEL)
    assert stamp.seed == 1609
    assert any(not np.array_equal(base[name], tuned[name]) for name in base), "it was trained on"
    assert card.training["shares"] == [0.7, 0.3]
    assert card.training["first_training"]["epochs"] == 2  # type: ignore[index,call-overload]
    history = record.read(run["weights.json"], CRATER_TRAINING)[0]
    assert len(history.tables["history"]) == 2
    assert history.metric("best_epoch") == card.training["best_epoch"]

    # A kill when all but the writing is done: the checkpoint stays, and the next call need not train again.
    def killed(*_: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(training, "save", killed)
        assert run.finetune("again") == 1
    assert [path.name for path in run["again.checkpoints"].iterdir()] == ["last.ckpt"]
    assert not run["again.safetensors"].exists()
    assert run.finetune("again") == 0
    assert not run["again.checkpoints"].exists()
    again, _, _ = models.read_tensors(run["again.safetensors"], CRATER_MODEL)
    assert all(np.array_equal(values, again[name]) for name, values in tuned.items())


def test_from_weights_to_a_catalogue(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.ready_weights()
    assert run.calibrate() == 0
    _, card, _ = models.read_tensors(run["model.safetensors"], CRATER_MODEL)
    assert card.training["validation"]["f1"] > 0.3  # type: ignore[index,call-overload]
    assert [run.infer(shard) for shard in (0, 1)] == [0, 0]
    assert run.extract(["levels_0.h5", "levels_1.h5"]) == 0
    craters, stamp = table.read(run["craters.parquet"], DETECTED)
    assert stamp.origin == "synthetic"
    assert craters["accepted"].any()
    assert (craters["score"][craters["accepted"]] >= card.spec["calibration"]["threshold"]).all()  # type: ignore[index,call-overload]
    given, _ = table.read(run["catalogue.parquet"], CRATERS)
    offsets = np.hypot(
        craters["x_m"].to_numpy()[:, None] - given["x_m"].to_numpy(),
        craters["y_m"].to_numpy()[:, None] - given["y_m"].to_numpy(),
    )
    close = offsets.min(axis=1)[craters["accepted"]] < 1_000.0
    assert close.mean() > 0.6
    with raster.opened(run["craters.tif"], CRATER_PROBABILITY) as found:
        assert found.read("centre").max() == pytest.approx(craters["response"].max(), abs=0.25)
        assert np.isfinite(found.read("rim")).all()
    # Shards out of order, too few, of another tiling or another model: refused.
    capsys.readouterr()
    assert run.extract(["levels_1.h5", "levels_0.h5"], "wrong") == 3
    assert "give all shards" in capsys.readouterr().err
    assert run.extract(["levels_0.h5"], "wrong") == 3
    assert run.infer(1, halo_px=32) == 0
    assert run.extract(["levels_0.h5", "levels_1.h5"], "wrong") == 3
    assert "another tiling" in capsys.readouterr().err
    assert run.infer(1, "weights.safetensors") == 0
    assert run.extract(["levels_0.h5", "levels_1.h5"], "wrong") == 3
    assert "another model" in capsys.readouterr().err
    assert run.extract(["levels_0.h5", "levels_1.h5"], "wrong", "weights.safetensors") == 3
    assert "run crater-calibrate" in capsys.readouterr().err
    assert not run["wrong.parquet"].exists()


def test_the_classical_detector(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"split": SPLIT, "catalogue": CATALOGUE, "detection": DETECTION}
    inputs: dict[str, str | list[str]] = {"dem": "dem.tif", "craters": "catalogue.parquet"}
    outputs = {"classical": "classical.parquet"}
    code = run.call("crater-classical", inputs, outputs, settings)
    if code == 3:
        pytest.fail(capsys.readouterr().err)
    assert code == 0
    found, _ = table.read(run["classical.parquet"], DETECTED)
    assert found["accepted"].sum() >= 20
    # Detections of the whole map, whatever the sectors.
    assert in_sector(found["lon_deg"], (60.0, 120.0)).any()


def test_an_empty_catalogue_is_refused_where_it_is_needed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = np.zeros(0)
    write_catalogue(run["empty.parquet"], catalogue(nothing, nothing, nothing))
    run.ready_weights()
    assert run.calibrate("empty.parquet") == 3
    shown = capsys.readouterr().err
    assert "empty.parquet: no catalogue crater on the validation ground" in shown
    assert "crater.split.validation_lon_deg" in shown
    assert "Traceback" not in shown
    assert not run["model.safetensors"].exists()
    # Ground without craters is ground all the same: its tiles are legal.
    assert run.tiles("empty.parquet") == 0


def test_a_catalogue_that_does_not_cover_the_validation_ground_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = {**CATALOGUE, "lon_deg": [130.0, 250.0 - 360.0]}
    assert run.tiles(catalogue=elsewhere) == 3
    assert "holds no ground for validation; change crater.catalogue.lon_deg" in capsys.readouterr().err
    run.ready_weights()
    assert run.calibrate(catalogue=elsewhere) == 3
    assert "no catalogue crater on the validation ground" in capsys.readouterr().err


def test_training_without_tiles_for_validation_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.tiles() == 0
    with tiles.opened(run["tiles.h5"], CRATER_TILES) as found:
        chosen = np.flatnonzero(found.read("split", slice(None)) == 0)
        arrays = {name: found.read(name, slice(None))[chosen] for name, _ in CRATER_TILES.per_tile}
        images, masks = (found.read(name, slice(None))[chosen] for name in (tiles.IMAGES, tiles.MASKS))
        craters = [found.craters(int(index)) for index in chosen]
    stamp = job("crater-tiles").stamp(CRATER_TILES)
    tiles.write(run["tiles.h5"], CRATER_TILES, images, masks, arrays, stamp, craters)
    assert run.finetune("weights", initial=False) == 3
    shown = capsys.readouterr().err
    assert "tiles.h5: holds no tiles for validation; widen its sectors (crater.split)" in shown
    assert not run["weights.safetensors"].exists()
