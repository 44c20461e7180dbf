"""Rocks measured through the command line: a network, a dataset, own renders with their truth, and clear refusals."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lunarsite import command
from lunarsite.artefact import images, record, table
from lunarsite.artefact.contracts import ROCK_RECORD, ROCK_SAMPLES, ROCK_SIZES, ROCK_TRUTH
from lunarsite.artefact.record import Record
from lunarsite.publish.rock.tables import Measured
from lunarsite.settings.rock import RockInferenceSettings, RockSplitSettings
from lunarsite.validate.rock_predict import DELIVERED, METHODS, SINGLE, SegmenterPredictor
from lunarsite.vision.rock.network import save_model
from lunarsite.vision.rock.segmenter import Segmenter
from tests.unit.artefact.conftest import make_stamp
from tests.unit.validate.made_rocks import write_rocks
from tests.unit.vision.enhance.made_scenes import TEST, write_scenes
from tests.unit.vision.rock.made_model import STAMP, made_image, made_members, made_spec

SPLIT = RockSplitSettings(test_share=0.4)
SETTINGS: dict[str, Any] = {
    "split": SPLIT.model_dump(mode="json"),
    "inference": {"flips": 1, "passes": 2},
    "reference": {"draws": 100},
    "hazard": {"disc_radius_m": 0.5},
}
OTHERS = {"truth": "truth.parquet", "sizes": "sizes.parquet", "lit_scenes": "lit.h5"}


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 14 renders and 6 photographs, 7 own renders with rocks, orbital images and a model."""
    folder = tmp_path_factory.mktemp("made")
    write_rocks(folder / "dataset.h5", 14, 6)
    write_rocks(folder / "own.h5", 7, stage="rock-render", prefix="lunarsite_1_")
    write_scenes(folder / "lit.h5", [TEST] * 3)
    spec = made_spec(2, limit=2.0)
    training = {"split": SPLIT.model_dump(mode="json"), "seen": ["render99"]}
    save_model(folder / "model.safetensors", made_members(spec), spec, STAMP, training)  # type: ignore[arg-type]
    names = [f"lunarsite_1_{number}" for number in range(7)]
    truth = pd.DataFrame({"scene": names, "diameter_m": 0.5, "range_m": 3.0, "visible_px": 50})
    truth.insert(0, "id", np.arange(7))
    table.write(folder / "truth.parquet", ROCK_TRUTH, truth, make_stamp(ROCK_TRUTH.name))
    sizes = pd.DataFrame(
        {
            "id": np.arange(7), "image": names, "kind": "small_rocks", "row": 30.0, "col": 20.0, "area_px": 40,
            "diameter_px": 9.0, "range_m": 3.0, "diameter_m": 0.5, "probability": 0.9,
        }
    )  # fmt: skip
    table.write(folder / "sizes.parquet", ROCK_SIZES, sizes, make_stamp(ROCK_SIZES.name))
    return folder


def measure(made: Path, out: Path, *scenes: str, settings: dict[str, Any] = SETTINGS, **others: str) -> int:
    given = [f"scenes={made / name}" for name in scenes] + [f"{key}={made / name}" for key, name in others.items()]
    return command.main(
        [
            "validate-rock",
            "--in", f"model={made / 'model.safetensors'}", *given,
            "--out", f"record={out / 'rock.json'}", f"samples={out / 'samples.h5'}",
            "--settings", json.dumps(settings),
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def measured(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logging.getLogger(), "handlers", [])
        assert measure(made, out, "dataset.h5", "own.h5", **OTHERS) == 0
    return out


def told(out: Path) -> Record:
    return record.read(out / "rock.json", ROCK_RECORD)[0]


def test_the_record_has_what_the_report_draws(measured: Path) -> None:
    found = told(measured)
    Measured.checked(found, make_stamp(ROCK_RECORD.name))
    assert {row["group"] for row in found.tables["calibration"]} == {"held-out renders", "own renders", "photographs"}
    assert {row["method"] for row in found.tables["calibration"]} == {*METHODS, "no rocks"}
    assert {row["method"] for row in found.tables["reliability_by_class"]} == {SINGLE, DELIVERED}
    assert [row["method"] for row in found.tables["members"]][:4] == [
        *("member 1", "member 2", "mean of members", "ensemble")
    ]
    assert found.metric("unfamiliarity_limit") == 2.0
    names = [verdict.name for verdict in found.verdicts]
    assert len(names) == len(set(names)), "no two claims share a name"
    assert "Rendered orbital images are called out of distribution" in names


def test_sizes_are_compared(measured: Path) -> None:
    found = told(measured)
    assert found.metric("rocks_found") == 6.0, "all but the one in the scene that chooses"
    assert found.metric("rocks_true") == 5.0, "in the narrower picture it looks too narrow"
    at = {row["diameter_m"]: row for row in found.tables["sizes"]}
    assert isinstance(at[0.4]["truth_per_m2"], float)
    assert at[0.4]["truth_per_m2"] > 0.0
    assert at[0.4]["truth_per_m2_low"] is not None


def test_safe_ground_is_measured_by_the_runs_radius(measured: Path) -> None:
    (row,) = told(measured).tables["safe_discs"]
    assert (row["group"], row["radius_m"], row["scenes"]) == ("own renders", 0.5, 6)
    assert float(str(row["judged_m2"])) > 0.0


def test_sizes_of_another_method_are_not_held_against_the_ensembles_ground(made: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "inference": {**SETTINGS["inference"], "method": "single"}}
    given = {"truth": "truth.parquet", "sizes": "sizes.parquet"}
    assert measure(made, tmp_path, "own.h5", settings=settings, **given) == 0
    found = told(tmp_path)
    assert found.tables["sizes"] == found.tables["safe_discs"] == []
    assert "rocks_found" not in {metric.name for metric in found.metrics}
    assert any("rock.inference.method: single" in note and "not measured" in note for note in found.notes)


def test_samples_keep_their_contract(measured: Path) -> None:
    images.validate(measured / "samples.h5", ROCK_SAMPLES)
    with images.opened(measured / "samples.h5", ROCK_SAMPLES) as reader:
        assert set(reader.read("kind").tolist()) == {0, 1, 2, 3}


def test_the_same_bytes_and_truth_and_sizes_together(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert measure(made, tmp_path / name, "own.h5") == 0
    assert (tmp_path / "one" / "rock.json").read_bytes() == (tmp_path / "two" / "rock.json").read_bytes()
    assert measure(made, tmp_path, "own.h5", truth="truth.parquet") == 3
    assert "truth and sizes together" in capsys.readouterr().err
    assert not (tmp_path / "rock.json").exists()


def test_methods_are_the_segmenters_own() -> None:
    """What is measured as delivered is what `segment` gives, also of an image that is reduced first."""
    spec = made_spec(2, temperature={"single": 1.5, "ensemble": 0.7, "dropout": 1.0}, limit=0.01)
    segmenter = Segmenter(made_members(spec), spec)
    for side in (96, 64):
        settings = RockInferenceSettings(flips=2, passes=2, longest_side_px=side)
        image = made_image(64, 96)
        found = SegmenterPredictor(segmenter, settings).predict(image)
        by = {name: segmenter.segment(image, settings.model_copy(update={"method": name})) for name in spec.temperature}
        delivered = by["ensemble"]
        probability = found.probability[DELIVERED].transpose(1, 2, 0)
        assert np.allclose(probability, delivered.probability, atol=1e-4)
        assert (found.doubt.classes == delivered.classes).mean() > 0.999
        assert np.allclose(found.doubt.entropy, delivered.entropy, atol=1e-3)
        assert np.allclose(found.doubt.mutual_information, delivered.mutual_information, atol=1e-4)
        assert found.doubt.unfamiliarity == pytest.approx(delivered.unfamiliarity, abs=1e-5)
        assert found.doubt.flagged == delivered.out_of_distribution
        assert np.allclose(found.probability["ensemble"].transpose(1, 2, 0), delivered.raw_probability, atol=1e-4)
        assert np.allclose(found.probability[SINGLE].transpose(1, 2, 0), by["single"].raw_probability, atol=1e-4)
        assert np.allclose(found.probability["single scaled"].transpose(1, 2, 0), by["single"].probability, atol=1e-4)
        assert np.allclose(found.probability["dropout"].transpose(1, 2, 0), by["dropout"].raw_probability, atol=1e-4)
        again = SegmenterPredictor(segmenter, settings).doubt(image)
        assert again.unfamiliarity == found.doubt.unfamiliarity


def test_without_dropout_there_is_no_such_method() -> None:
    spec = made_spec(2, dropout=0.0)
    predictor = SegmenterPredictor(Segmenter(made_members(spec), spec), RockInferenceSettings(flips=1))
    assert set(predictor.predict(made_image(64, 64)).probability) == set(METHODS) - {"dropout"}


def test_another_split_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dataset.h5").symlink_to(made / "dataset.h5")
    spec = made_spec(2)
    save_model(tmp_path / "model.safetensors", made_members(spec), spec, STAMP, {"split": {"seed": 1}})
    assert measure(tmp_path, tmp_path, "dataset.h5") == 3
    assert "take the model's split" in capsys.readouterr().err
