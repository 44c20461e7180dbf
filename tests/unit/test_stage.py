"""Stages: the signature is the command line; exit codes; what a run reports and refuses."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lunarsite import command, stage
from lunarsite.artefact import raster
from lunarsite.artefact.contracts import DEM, SLOPE
from lunarsite.command import build_parser, main, parse_call
from lunarsite.grid import Grid
from lunarsite.settings import Settings, SettingsError, TerrainSettings
from lunarsite.stage import Job, StageError, StageRef, discover

from .artefact.conftest import make_stamp

ROOM = '''
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lunarsite.artefact.contracts import DEM, SLOPE
from lunarsite.settings import TerrainSettings
from lunarsite.stage import Input, Job, Output, stage


@stage
def copy_twice(
    job: Job,
    terrain: TerrainSettings,
    dem: Annotated[Path, Input(DEM)],
    more: Annotated[tuple[Path, ...], Input()],
    extra: Annotated[Path | None, Input()],
    several: Annotated[tuple[Path, ...] | None, Input()],
    slope: Annotated[Path, Output(SLOPE)],
    shard: int,
) -> None:
    """Copy a DEM into a slope.

    More text.
    """
    import numpy as np

    from lunarsite.artefact import raster

    if shard == 13:
        raise KeyError("bug")
    if shard == 14:
        raise KeyboardInterrupt
    if shard == 15:
        return
    with raster.opened(dem, DEM) as source:
        values, grid = source.read(), source.grid
    if shard == 16:
        values = np.full_like(values, np.nan)
    job.progress(1, 1)
    raster.write(slope, SLOPE, grid, {"slope_deg": np.abs(values)}, job.stamp(SLOPE))


def not_a_stage() -> None:
    pass
'''


@pytest.fixture
def ref(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StageRef]:
    """One stage in a package of its own, found as the real ones are."""
    package = tmp_path / "lunarsite_probe"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "room" / "__init__.py").touch()
    (package / "room" / "stages.py").write_text(ROOM)
    monkeypatch.syspath_prepend(tmp_path)
    found = discover(package)
    assert list(found) == ["room-copy-twice"]
    monkeypatch.setattr(command, "discover", lambda: found)
    yield found["room-copy-twice"]
    for name in [name for name in sys.modules if name.startswith("lunarsite_probe")]:
        del sys.modules[name]
    for handler in logging.getLogger().handlers[:]:
        handler.close()
        logging.getLogger().removeHandler(handler)
    logging.captureWarnings(capture=False)


@pytest.fixture
def call(tmp_path: Path) -> list[str]:
    grid = Grid(-2400, 2400, 240, 20, 20)
    heights = np.linspace(0, 80, 400, dtype=np.float32).reshape(20, 20)
    raster.write(tmp_path / "dem.tif", DEM, grid, {"elevation_m": heights}, make_stamp("dem"))
    (tmp_path / "a.csv").write_text("a")
    return [
        "room-copy-twice",
        *("--in", f"dem={tmp_path}/dem.tif", f"more={tmp_path}/a.csv", f"more={tmp_path}/a.csv"),
        *("--out", f"slope={tmp_path}/slope.tif"),
        *("--settings", '{"terrain": {"roughness_baseline_m": 240.0}}', "--shard", "3"),
    ]


def with_shard(call: list[str], shard: int) -> list[str]:
    return [*call[:-1], str(shard)]


def test_signature_is_the_command_line(ref: StageRef, call: list[str], tmp_path: Path) -> None:
    values, options = parse_call(ref, call[1:])
    assert values["terrain"] == TerrainSettings(roughness_baseline_m=240.0)
    assert values["more"] == (tmp_path / "a.csv",) * 2
    assert (values["extra"], values["several"], values["shard"], options.run) == (None, (), 3, "default")
    several = [f"several={tmp_path}/{name}" for name in "ab"]
    assert parse_call(ref, [*call[1:], "--in", *several])[0]["several"] == (tmp_path / "a", tmp_path / "b")
    assert ref.summary == "Copy a DEM into a slope."
    assert "--shard" in build_parser(ref).format_help()
    settings = json.loads(ref.settings_json(Settings()))
    assert settings == {"terrain": Settings().terrain.model_dump(mode="json")}


def test_runs_and_stamps(ref: StageRef, call: list[str], tmp_path: Path) -> None:
    assert main([*call, "--log", str(tmp_path / "log" / "a.log")]) == command.EXIT_OK
    stamp = raster.read_stamp(tmp_path / "slope.tif")
    assert (stamp.stage, stamp.artefact, stamp.origin, stamp.code) == (
        "room-copy-twice",
        "slope",
        "synthetic",
        ref.code(),
    )
    assert sorted(stamp.inputs) == ["dem", "more[0]", "more[1]"]
    log = (tmp_path / "log" / "a.log").read_text()
    assert "done in" in log
    assert "progress 1 of 1 (100 %)" in log


@pytest.mark.parametrize(
    ("shard", "code", "message"),
    [
        (13, command.EXIT_BUG, "KeyError: 'bug'"),
        (14, command.EXIT_INTERRUPT, "interrupted"),
        (15, command.EXIT_USAGE, "did not write its output 'slope'"),
        (16, command.EXIT_ARTEFACT, "no data at all"),
    ],
)
def test_exit_codes(
    ref: StageRef, call: list[str], shard: int, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(with_shard(call, shard)) == code
    assert message in capsys.readouterr().err


def test_input_of_another_run(ref: StageRef, call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*call, "--run", "other"]) == command.EXIT_ARTEFACT
    assert "belongs to run 'default'" in capsys.readouterr().err


def test_missing_input(ref: StageRef, call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dem.tif").unlink()
    assert main(call) == command.EXIT_ARTEFACT
    assert "dem.tif: input 'dem' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--in", "dme=x"], "unknown \\['dme'\\]"),
        (["--in", "dem=x"], "takes one path, got 2"),
        (["--in", "dem"], "not NAME=PATH"),
        (["--settings", '{"terrain": {"rough": 1}}'], r"rough: no such key; allowed are: roughness_baseline_m"),
        (["--settings", '{"grid": {}}'], r"takes the sections \['terrain'\]"),
        (["--settings", "{"], "not JSON"),
    ],
)
def test_bad_calls(ref: StageRef, call: list[str], change: list[str], message: str) -> None:
    with pytest.raises((StageError, SettingsError), match=message):
        parse_call(ref, [*call[1:], *change])
    assert main([*call, *change]) == command.EXIT_USAGE


def test_unknown_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-stage"]) == command.EXIT_USAGE
    assert "no stage 'no-such-stage'" in capsys.readouterr().err
    with pytest.raises(StageError, match="there is no stage"):
        stage.get("no-such-stage")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == command.EXIT_OK
    listed = capsys.readouterr().out
    for name in discover():
        assert name in listed
    assert main([]) == command.EXIT_USAGE


def test_every_stage_is_declared_well() -> None:
    for ref in discover().values():
        assert ref.summary, ref.name
        kinds = {parameter.kind for parameter in ref.parameters()}
        assert "out" in kinds, ref.name
        importlib.import_module(ref.module)


def test_origin_must_come_from_somewhere() -> None:
    with pytest.raises(StageError, match="origin"):
        Job("s", "default", "c", "h").stamp(SLOPE)
