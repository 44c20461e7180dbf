"""Enhancement measured through the command line: scenes, networks, real frames, and clear refusals."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from geopandas import GeoDataFrame, points_from_xy

from lunarsite import command
from lunarsite.artefact import images, record, table
from lunarsite.artefact.contracts import (
    CRATERS,
    CYCLE_MODEL,
    ENHANCE_RECORD,
    ENHANCE_SAMPLES,
    ENHANCED_FRAMES,
    FRAME_LIGHT,
    SHADOWCAM_FRAMES,
)
from lunarsite.artefact.images import Credit
from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import xy_to_lonlat
from lunarsite.validate import enhance_classical
from lunarsite.vision.enhance.cycle_model import INPUTS, OUTPUTS, CycleSpec, build_cycle
from lunarsite.vision.enhance.cycle_networks import GeneratorSpec
from lunarsite.vision.learn.saved import save
from tests.unit.artefact.conftest import make_stamp
from tests.unit.vision.enhance.made_images import write_model
from tests.unit.vision.enhance.made_scenes import TEST, TRAINING, VALIDATION, radiance, write_scenes

SETTINGS = {
    "enhancement": {"tile_px": 64, "halo_px": 32},
    "reference": {"electrons": [4.0, 50.0], "draws": 100, "most_scenes": 5},
}
SIDE = 160


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


@pytest.fixture(scope="module", autouse=True)
def _filters() -> Iterator[None]:
    """Few filters; whether a package is installed here must not matter."""
    few = [one for one in enhance_classical.CLASSICAL if one.name in ("median", "gaussian")]
    bm3d = next(one for one in enhance_classical.CLASSICAL if one.name == "bm3d")
    absent = dataclasses.replace(bm3d, package="no_such_package")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(enhance_classical, "CLASSICAL", (*few, absent))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of two validation and five test grounds, both networks, three frames with their light, and craters."""
    folder = tmp_path_factory.mktemp("made")
    write_scenes(folder / "scenes.h5", [TRAINING] * 2 + [VALIDATION] * 4 + [TEST] * 10)
    write_model(folder / "denoiser.safetensors")
    torch.manual_seed(0)
    spec = CycleSpec(generator=GeneratorSpec(channels=4, blocks=1)).to_json()
    save(
        folder / "cycle.safetensors", CYCLE_MODEL, build_cycle(spec), Card(spec=spec, inputs=INPUTS, classes=OUTPUTS),
        make_stamp(CYCLE_MODEL.name),
    )  # fmt: skip
    write_frames(folder)
    return folder


def write_frames(folder: Path) -> None:
    """Three frames of one ground, each moved by 10 px, whose noise the enhanced ones lack."""
    ground = radiance(2 * SIDE, 5) / 3e-4
    rng = np.random.default_rng(6)
    clean = np.stack([ground[10 * k : 10 * k + SIDE, 20 * k : 20 * k + SIDE] for k in range(3)]).astype(np.float32)
    noisy = (clean + rng.normal(0.0, 0.8, clean.shape)).astype(np.float32)
    sun = np.zeros_like(clean)
    sun[:, :, :20] = 1.0
    noisy[:, :, :20] = 9.0
    noisy[:, 150:] = np.nan
    facts: dict[str, Any] = {
        "frame": np.array(["M1", "M2", "M3"], dtype=object),
        "rows": np.full(3, SIDE, np.int64),
        "cols": np.full(3, SIDE, np.int64),
    }
    places = {
        "pixel_m": np.full(3, 60.0),
        "x_min_m": 60.0 * 20.0 * np.arange(3.0),
        "y_max_m": -60.0 * 10.0 * np.arange(3.0),
    }
    whole = {
        "utc": np.array(["2023-01-01T00:00:00.000000Z"] * 3, dtype=object),
        "subsolar_lon_deg": np.zeros(3),
        "subsolar_lat_deg": np.zeros(3),
    }
    # What this stage does not read may be anything.
    light: dict[str, Any] = {stack.name: clean for stack in FRAME_LIGHT.stacks}
    light |= {"sun_fraction": sun, "dem_pixel_m": np.full(3, 40.0)}
    support = np.where(np.isnan(noisy), 255, 1).astype(np.uint8)
    enhanced = np.where(np.isnan(noisy), np.nan, clean).astype(np.float32)
    for name, spec, arrays in (
        ("frames", SHADOWCAM_FRAMES, {"brightness": noisy, **facts, **places, **whole}),
        ("enhanced", ENHANCED_FRAMES, {"enhanced": enhanced, "error": 0.1 * enhanced, "support": support, **facts}),
        ("light", FRAME_LIGHT, {**light, **facts, **places}),
    ):
        credit = Credit(title=name, licence="none stated", citation=f"of {name}")
        sides = {"height": SIDE, "width": SIDE}
        with images.creating(folder / f"{name}.h5", spec, make_stamp(spec.name), credit, sides) as writer:
            writer.append(arrays)
    x_m, y_m = 60.0 * (40.0 + 10.0 * np.arange(9.0)), np.full(9, -60.0 * 70.0)
    lon, lat = xy_to_lonlat(x_m, y_m, "south")
    frame = pd.DataFrame(
        {
            "id": np.arange(9), "name": pd.Series([None] * 9, dtype="string"), "lon_deg": lon, "lat_deg": lat,
            "x_m": x_m, "y_m": y_m, "diameter_m": np.full(9, 600.0), "depth_m": np.nan, "score": np.nan,
        }
    )  # fmt: skip
    table.write(
        folder / "craters.parquet", CRATERS, GeoDataFrame(frame, geometry=points_from_xy(x_m, y_m)),
        make_stamp(CRATERS.name), "south",
    )  # fmt: skip


FILES = {
    "scenes": "scenes.h5", "denoiser": "denoiser.safetensors", "cycle": "cycle.safetensors", "frames": "frames.h5",
    "enhanced": "enhanced.h5", "light": "light.h5", "craters": "craters.parquet",
}  # fmt: skip


def measure(made: Path, out: Path, *names: str, settings: dict[str, Any] = SETTINGS) -> int:
    given = [f"{name}={made / FILES[name]}" for name in names]
    outputs = [f"record={out / 'enhance.json'}", f"samples={out / 'samples.h5'}"]
    return command.main(["validate-enhance", "--settings", json.dumps(settings), "--in", *given, "--out", *outputs])


@pytest.fixture(scope="module")
def measured(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the record and pictures of everything."""
    out = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logging.getLogger(), "handlers", [])
        assert measure(made, out, *FILES) == 0
    return out


def told(out: Path) -> Record:
    return record.read(out / "enhance.json", ENHANCE_RECORD)[0]


def test_scenes_and_frames(measured: Path) -> None:
    found = told(measured)
    methods = ["raw", "median", "gaussian", "denoiser", "CycleGAN"]
    assert [row["method"] for row in found.tables["by_level"]] == 2 * methods
    assert found.metric("scenes") == 5.0
    assert found.metric("grounds") == 5.0
    raw, better = (row["psnr_db"] for row in found.tables["by_level"] if row["method"] == "raw")
    assert isinstance(raw, float)
    assert isinstance(better, float)
    assert better > raw + 5.0, "more light, less noise"
    cycle = [row for row in found.tables["errors"] if row["method"] == "CycleGAN"]
    assert all(isinstance(row["cycle_residual"], float) and row["cycle_residual"] > 0.0 for row in cycle)
    assert any("no_such_package" in note for note in found.notes), "a missing baseline is told"
    # The enhanced frames are the ground itself.
    rows = {(row["with"], row["shading"]): row for row in found.tables["frames_agreement"]}
    for row in rows.values():
        assert row["correlation_enhanced"] == pytest.approx(1.0, abs=5e-3)
        assert isinstance(row["moved_high"], float)
        assert row["moved_high"] < 0.6
    assert rows["other frames", "as it is"]["frames_or_pairs"] == 3
    claims = {verdict.name: verdict for verdict in found.verdicts}
    assert claims["Enhanced frames follow the fine shading predicted in shadow more than raw ones do"].holds
    assert len(claims) == len(found.verdicts), "no two claims share a name"


def test_the_record_says_which_scenes_chose(tmp_path: Path, made: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [TRAINING] * 4 + [TEST] * 4)
    (tmp_path / "denoiser.safetensors").symlink_to(made / "denoiser.safetensors")
    few = {**SETTINGS, "reference": {"electrons": [50.0], "most_scenes": 2, "draws": 100}}
    assert measure(tmp_path, tmp_path, "scenes", "denoiser", settings=few) == 0
    assert any("There is no validation scene: training scenes chose" in note for note in told(tmp_path).notes)


def test_a_network_that_was_trained_on_the_test_ground_claims_nothing(tmp_path: Path, made: Path) -> None:
    from lunarsite.vision.enhance.ground import ground_of

    ground = ground_of(made / "scenes.h5")
    few = {**SETTINGS, "reference": {"electrons": [50.0], "most_scenes": 2, "draws": 100}}
    (tmp_path / "scenes.h5").symlink_to(made / "scenes.h5")
    why: dict[str, str] = {}
    for name, taught in (("elsewhere", ground["training"]), ("here", ground["test"]), ("unknown", None)):
        out = tmp_path / name
        out.mkdir()
        training = {} if taught is None else {"ground_deg": {"training": [list(arc) for arc in taught]}}
        write_synthetic(tmp_path / "denoiser.safetensors", made / "denoiser.safetensors", training)
        assert measure(tmp_path, out, "scenes", "denoiser", settings=few) == 0
        why[name] = next(one.why for one in told(out).verdicts if one.name.startswith("PSNR of the denoiser"))
    assert "fewer than" in why["elsewhere"], "unknown for want of ground alone"
    assert "on ground in the directions of the test ground" in why["here"]
    assert "does not tell" in why["unknown"]


def write_synthetic(path: Path, model: Path, training: dict[str, Any]) -> None:
    """A model with a card that tells its training, of the same synthetic Moon as the scenes."""
    from lunarsite.artefact.contracts import DENOISER_MODEL
    from lunarsite.artefact.model import read_tensors, write_tensors

    tensors, card, stamp = read_tensors(model, DENOISER_MODEL)
    card = card.model_copy(update={"training": training})
    write_tensors(path, DENOISER_MODEL, tensors, card, stamp.model_copy(update={"origin": "synthetic"}))


def test_the_way_back_sees_filled_ground(monkeypatch: pytest.MonkeyPatch) -> None:
    from lunarsite.validate.enhance import residual

    image = radiance(64, 3) / 3e-4
    image[:8] = 1e4  # overexposed
    image[20:24, 20:24] = np.nan
    given: list[torch.Tensor] = []

    class Way:
        def residual(self, image: torch.Tensor) -> torch.Tensor:
            given.append(image)
            return torch.zeros_like(image)

    residual(Way(), image)  # type: ignore[arg-type]
    assert torch.isfinite(given[0]).all()
    assert float(given[0].max()) < 4.0, "glare would spill into the shadow beside it"


def test_pictures_stand_side_by_side(measured: Path) -> None:
    with images.opened(measured / "samples.h5", ENHANCE_SAMPLES) as samples:
        kind, name, method, quantity = (samples.read(key) for key in ("kind", "name", "method", "quantity"))
        electrons, low, high = (samples.read(key) for key in ("electrons", "display_low", "display_high"))
        scenes = set(name[kind == 0])
        assert len(scenes) == 5
        assert {"of frames", "tests"} <= set(samples.credit.citation.split("; "))
        for scene in scenes:
            own = (kind == 0) & (name == scene) & (quantity == 0)
            assert sorted(set(electrons[own][np.isfinite(electrons[own])])) == [4.0, 50.0]
            assert list(method[own & ~np.isfinite(electrons)]) == ["truth"]
            assert len(set(low[own])) == len(set(high[own])) == 1
            assert set(method[own]) == {"truth", "raw", "median", "gaussian", "denoiser", "CycleGAN"}
        frames = kind == 1
        assert frames.sum() == 3 * 4
        assert set(method[frames]) == {"raw", "denoiser"}
        picture = samples.read("picture")
    assert np.isnan(picture[kind == 0][0, :8]).all(), "what is lit is left out"


def test_few_grounds_make_no_claims_and_the_same_bytes(tmp_path: Path, made: Path) -> None:
    few = {**SETTINGS, "reference": {"electrons": [4.0], "most_scenes": 4, "draws": 100}}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert measure(made, tmp_path / name, "scenes", "denoiser", settings=few) == 0
    for name in ("enhance.json", "samples.h5"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    found = told(tmp_path / "one")
    assert "frames_agreement" not in found.tables
    assert {row["method"] for row in found.tables["errors"]} == {"denoiser"}
    assert any("too few for intervals" in note for note in found.notes)
    assert all(verdict.holds is None for verdict in found.verdicts if "electrons" in verdict.name)


def test_frames_come_with_what_belongs_to_them(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(made, tmp_path, "scenes", "denoiser", "frames") == 3
    assert "enhanced, light is not given" in capsys.readouterr().err
    assert not (tmp_path / "enhance.json").exists()


def test_scenes_without_a_split_are_refused(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(tmp_path / "scenes.h5", [TEST] * 4)
    (tmp_path / "denoiser.safetensors").symlink_to(made / "denoiser.safetensors")
    assert measure(tmp_path, tmp_path, "scenes", "denoiser") == 3
    assert "no validation or training scene has shadow enough" in capsys.readouterr().err


def test_other_frames_are_refused(tmp_path: Path, made: Path) -> None:
    from lunarsite.validate.enhance_frames import read_frames

    with images.opened(made / "light.h5", FRAME_LIGHT) as light:
        arrays = {array.name: light.read(array.name) for array in FRAME_LIGHT.arrays}
    arrays["frame"] = np.array(["M1", "M3", "M2"], dtype=object)
    sides, credit = {"height": SIDE, "width": SIDE}, Credit(title="x", licence="x", citation="x")
    with images.creating(tmp_path / "other.h5", FRAME_LIGHT, make_stamp(FRAME_LIGHT.name), credit, sides) as writer:
        writer.append(arrays)
    with pytest.raises(ArtefactError, match="holds other frames"):
        read_frames(made / "frames.h5", made / "enhanced.h5", tmp_path / "other.h5")
