"""The ablation through the command line: every variant trained with a tiny network, a kill, and clear refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lunarsite import command
from lunarsite.artefact import record
from lunarsite.artefact.contracts import ROCK_ABLATION
from lunarsite.vision.rock import ablation, ablation_record, training
from lunarsite.vision.rock.data import Place
from tests.unit.vision.rock.made_rocks import PHOTOGRAPH, RENDER, write_scenes

LEARNING = {
    "network": {"encoder": "tu-mobilenetv2_035", "decoder_channels": [8, 8, 8, 8]},
    "training": {"batch": 2, "crop_px": 32, "workers": 0},
}
ABLATION = {"seeds": 2, "epochs": 1, "steps_per_epoch": 1, "draws": 100}


def call(folder: Path, name: str = "ablation", files: tuple[str, ...] = ("scenes", "own"), **change: Any) -> int:
    settings = {
        "rock": {
            "learning": LEARNING,
            "ablation": {**ABLATION, **change},
            "inference": {"flips": 1, "longest_side_px": 64},
        }
    }
    given = ["--in", *(f"scenes={folder / one}.h5" for one in files), "--out", f"record={folder / name}.json"]
    return command.main(["rock-ablate", "--run", "default", "--settings", json.dumps(settings["rock"]), *given])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_scenes(tmp_path / "scenes.h5", [RENDER] * 8 + [PHOTOGRAPH] * 8)
    write_scenes(tmp_path / "own.h5", [RENDER] * 4, seed=90, stage="rock-render")
    return tmp_path


def test_renders_of_the_dataset_choose_the_epoch_of_every_variant(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen_by: list[tuple[set[str], bool]] = []
    whole = training.Whole

    def watched(paths: Sequence[Path], held: Sequence[Place], side_px: int) -> Any:
        names = {paths[place.file].name for place in held}
        chosen_by.append((names, any(place.photograph for place in held)))
        return whole(paths, held, side_px)

    monkeypatch.setattr(training, "Whole", watched)
    assert call(folder, seeds=1) == 0
    # Six trainings; neither photographs nor lunarsite's own renders choose in any.
    assert chosen_by == [({"scenes.h5"}, False)] * 6


def test_from_scenes_to_a_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A kill before the record is written: the trainings are there, and are not done again.
    def killed(*_: Any) -> None:
        raise MemoryError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(ablation, "judged", killed)
        assert call(folder) == 1
    checkpoints = {path: path.stat().st_mtime_ns for path in folder.rglob("last.ckpt")}
    assert len(checkpoints) == 12
    with monkeypatch.context() as watched:
        seen: list[bool] = []
        whole = ablation_record.judged

        def judged(*arguments: Any) -> Any:
            seen.append({path: path.stat().st_mtime_ns for path in folder.rglob("last.ckpt")} == checkpoints)
            return whole(*arguments)

        watched.setattr(ablation, "judged", judged)
        assert call(folder) == 0
        assert seen == [True]
    assert not list(folder.glob("*.checkpoints"))

    told, stamp = record.read(folder / "ablation.json", ROCK_ABLATION)
    assert stamp.seed == 1609
    rows = told.tables["ablation"]
    names = ["no rocks", "geometry", "augmented", "style", "few labels", "own renders"]
    assert [row["variant"] for row in rows] == names
    assert sum(bool(row["chosen"]) for row in rows) == 1
    assert all(0.0 <= float(row[f"{kind}_miou"]) <= 1.0 for row in rows for kind in ("photograph", "render"))  # type: ignore[arg-type]
    # Networks of one step each: now and then two of them are equally bad.
    assert len({row["render_miou"] for row in rows}) >= len(rows) - 1, "variants differ"
    assert [(row["variant"], row["seed"]) for row in told.tables["seeds"]][:2] == [("geometry", 0), ("geometry", 1)]
    assert [row["variant"] for row in told.tables["seeds"]][-2:] == ["plain head"] * 2
    by_seed = [row["renders_miou"] for row in told.tables["seeds"]]
    assert len(set(by_seed)) >= len(by_seed) - 2, "seeds differ"


def test_without_own_renders_there_is_one_variant_less(folder: Path) -> None:
    assert call(folder, files=("scenes",), seeds=1) == 0
    told, _ = record.read(folder / "ablation.json", ROCK_ABLATION)
    assert [row["variant"] for row in told.tables["ablation"]][-2:] == ["style", "few labels"]
    assert {row["over"] for row in told.tables["heads"]} == {"plain head"}


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([RENDER] * 6, "no photographs and no validation photographs"),
        ([PHOTOGRAPH] * 8, "no held-out renders"),
        ([RENDER] * 8 + [PHOTOGRAPH], "no validation photographs"),
    ],
)
def test_nothing_to_measure_on_is_told(
    folder: Path, kinds: list[int], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(folder / "scenes.h5", kinds)
    assert call(folder, files=("scenes",)) == 3
    assert words in capsys.readouterr().err
    assert not (folder / "ablation.json").exists()
