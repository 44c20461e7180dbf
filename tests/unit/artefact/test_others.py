"""Tiles, models and records; atomic replacement."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import xgboost

from lunarsite.artefact import model, record, tiles
from lunarsite.artefact.atomic import replacing, replacing_folder
from lunarsite.artefact.model import Card, ModelSpec
from lunarsite.artefact.record import Metric, Record, RecordSpec, Verdict
from lunarsite.artefact.stamp import ArtefactError, merged_origin
from lunarsite.artefact.tiles import TilesSpec

from .conftest import make_stamp

TILES = TilesSpec("crater_tiles", 16, (("km_per_px", ()),))
NET = ModelSpec("crater_model", "safetensors")
TREES = ModelSpec("scorer", "ubj")
CARD = Card(spec={"arch": "unet"}, inputs=("height",), classes=("rim",), training={"epochs": 3})
RECORD = RecordSpec(name="artemis", metrics=("share",))


def write_tiles(path: Path) -> np.ndarray:
    images = np.random.default_rng(0).integers(1, 255, (5, 16, 16), dtype=np.uint8)
    tiles.write(path, TILES, images, images > 100, {"km_per_px": np.ones(5)}, make_stamp("crater_tiles"))
    return images


def test_tiles_round_trip(tmp_path: Path) -> None:
    images = write_tiles(tmp_path / "tiles.h5")
    with tiles.opened(tmp_path / "tiles.h5", TILES) as source:
        assert len(source) == 5
        np.testing.assert_array_equal(source.read("input_images", slice(1, 3)), images[1:3])
    write_tiles(tmp_path / "again.h5")
    assert (tmp_path / "tiles.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_tiles_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiles.h5"
    write_tiles(path)
    for spec, message in (
        (TilesSpec("crater_tiles", 32), "has shape"),
        (TilesSpec("crater_tiles", 16, (("bounds", (4,)),)), "lacks"),
        (TilesSpec("rock_tiles", 16), "is a 'crater_tiles'"),
    ):
        with pytest.raises(ArtefactError, match=message), tiles.opened(path, spec):
            pass
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ArtefactError, match="no readable HDF5"), tiles.opened(path, TILES):
        pass
    with h5py.File(path, "w") as file:
        file["input_images"] = np.zeros((1, 16, 16), np.uint8)
    with pytest.raises(ArtefactError, match="no lunarsite stamp"), tiles.opened(path, TILES):
        pass


def test_blank_tiles_refused(tmp_path: Path) -> None:
    blank = np.zeros((2, 16, 16), np.uint8)
    tiles.write(tmp_path / "t.h5", TILES, blank, blank, {"km_per_px": np.ones(2)}, make_stamp("crater_tiles"))
    with pytest.raises(ArtefactError, match="blank"):
        tiles.validate(tmp_path / "t.h5", TILES)


def test_tensors_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights = {"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    model.write_tensors(path, NET, weights, CARD, make_stamp("crater_model"))
    back, card, stamp = model.read_tensors(path, NET)
    np.testing.assert_array_equal(back["conv.weight"], weights["conv.weight"])
    assert (card, stamp) == (CARD, make_stamp("crater_model"))
    assert model.read_stamp(path) == stamp
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtefactError, match="no readable safetensors"):
        model.read_tensors(path, NET)


def test_a_model_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    weights = {"b": np.ones((3, 2), dtype=np.float16), "a": np.arange(5, dtype=np.int64)}
    written = set()
    for index in range(12):
        path = tmp_path / f"{index}.safetensors"
        model.write_tensors(path, NET, weights, CARD, make_stamp("crater_model"))
        written.add(path.read_bytes())
    assert len(written) == 1
    found, card, _ = model.read_tensors(path, NET)
    assert card == CARD
    assert {name: values.tolist() for name, values in found.items()} == {n: v.tolist() for n, v in weights.items()}


def test_tensors_refused(tmp_path: Path) -> None:
    stamp = make_stamp("crater_model")
    with pytest.raises(ArtefactError, match="diverged"):
        model.write_tensors(tmp_path / "m.safetensors", NET, {"w": np.array([np.nan])}, CARD, stamp)
    with pytest.raises(ArtefactError, match="without weights"):
        model.write_tensors(tmp_path / "m.safetensors", NET, {}, CARD, stamp)
    with pytest.raises(ArtefactError, match=r"\.safetensors file"):
        model.write_tensors(tmp_path / "m.pt", NET, {"w": np.ones(1)}, CARD, stamp)
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ArtefactError, match="no readable safetensors"):
        model.read_tensors(tmp_path / "m.safetensors", NET)


def test_trees_round_trip(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(200, 3))
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x, (x[:, 0] > 0).astype(int)), 5)
    path = tmp_path / "scorer.ubj"
    model.write_trees(path, TREES, booster, CARD, make_stamp("scorer"))
    back, card, stamp = model.read_trees(path, TREES)
    np.testing.assert_array_equal(back.predict(xgboost.DMatrix(x)), booster.predict(xgboost.DMatrix(x)))
    assert (card, stamp) == (CARD, make_stamp("scorer"))
    path.write_bytes(b"{}")
    with pytest.raises(ArtefactError, match="no readable XGBoost"):
        model.read_trees(path, TREES)
    path.write_bytes(booster.save_raw("ubj"))
    with pytest.raises(ArtefactError, match="no lunarsite stamp"):
        model.read_trees(path, TREES)


def a_record() -> Record:
    return Record(
        title="Agreement with the regions",
        metrics=(Metric(name="share", value=0.25, unit="1", low=0.2, high=0.3),),
        verdicts=(Verdict(name="beats the null", value=0.01, bound="p <= 0.05", holds=True, why="2000 rotations"),),
        tables={"by_region": [{"region": "Nobile Rim 2", "cells": 12}]},
        notes=("synthetic",),
    )


def test_record_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "artemis.json"
    record.write(path, RECORD, a_record(), make_stamp("artemis"))
    assert record.read(path, RECORD) == (a_record(), make_stamp("artemis"))
    assert a_record().metric("share") == 0.25


def test_record_refused(tmp_path: Path) -> None:
    path = tmp_path / "artemis.json"
    with pytest.raises(ArtefactError, match="lacks the metrics"):
        record.write(path, RECORD, Record(title="empty"), make_stamp("artemis"))
    with pytest.raises(ValueError, match="finite"):
        Metric(name="share", value=float("nan"))
    with pytest.raises(ValueError, match="both given or both unknown"):
        Verdict(name="v", value=None, bound="> 0", holds=True, why="")
    record.write(path, RECORD, a_record(), make_stamp("artemis"))
    whole = path.read_text()
    path.write_text(whole[:-30])
    with pytest.raises(ArtefactError, match="no readable JSON"):
        record.read(path, RECORD)
    path.write_text(json.dumps({k: v for k, v in json.loads(whole).items() if k != "stamp"}))
    with pytest.raises(ArtefactError, match="no lunarsite stamp"):
        record.read(path, RECORD)


def test_replacing_clears_what_a_killed_writer_left(tmp_path: Path) -> None:
    stale = tmp_path / ".a.json.partial-99999.json"
    stale.write_text("half")
    with replacing(tmp_path / "a.json") as partial:
        partial.write_text("whole")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.json": "whole"}


def test_replacing_keeps_the_old_file_on_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a.json") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.json": "old"}


def test_any_synthetic_input_makes_the_output_synthetic() -> None:
    local, synthetic = make_stamp("dem", origin="local"), make_stamp("dem")
    assert merged_origin([local, synthetic, local]) == "synthetic"
    assert merged_origin([local]) == "local"
    assert merged_origin([]) is None


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "pages"
    for content in ("old", "new"):
        with replacing_folder(target) as fresh:
            (fresh / f"{content}.html").write_text(content, encoding="utf-8")
    assert [path.name for path in target.iterdir()] == ["new.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_a_folder_stays_if_its_successor_fails_and_comes_back_after_a_kill(tmp_path: Path) -> None:
    target = tmp_path / "pages"
    (tmp_path / ".pages.old-1").mkdir()
    (tmp_path / ".pages.old-1" / "kept.html").write_text("kept", encoding="utf-8")
    (tmp_path / ".pages.partial-1").mkdir()
    with pytest.raises(RuntimeError), replacing_folder(target) as fresh:
        (fresh / "half.html").write_text("half", encoding="utf-8")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["kept.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]
