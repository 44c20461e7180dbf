"""Frames and single images enhanced through the command line."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from lunarsite import command
from lunarsite.artefact import images
from lunarsite.artefact.contracts import ENHANCED_FRAMES, SHADOWCAM_FRAMES
from lunarsite.artefact.images import Credit
from lunarsite.vision.enhance import one_image
from tests.unit.artefact.conftest import make_stamp
from tests.unit.vision.enhance.made_images import Same, enhancer, shadowed, write_model, write_tiff

SIZES = ((90, 70), (60, 100), (40, 40))
SMALL = {"enhancement": {"tile_px": 64, "halo_px": 32}}
CREDIT = Credit(title="Frames", licence="none stated", citation="Robinson et al. 2023", notes="Cut.")


@pytest.fixture(autouse=True)
def _log(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line adds handlers to the root log and expects the process to end with the call.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "denoiser.safetensors")


def write_frames(path: Path, blank: bool = False) -> Path:
    brightness = np.full((3, 90, 100), np.nan, np.float32)
    for index, (rows, cols) in enumerate(SIZES):
        brightness[index, :rows, :cols] = 1e-3 * shadowed(rows, cols, seed=index)
    brightness[0, 20:30] = np.nan
    brightness[2, :40, :40] = 0.02 if blank else brightness[2, :40, :40]
    numbers = {name: np.zeros(3) for name in ("subsolar_lon_deg", "subsolar_lat_deg", "x_min_m", "y_max_m")}
    spec = SHADOWCAM_FRAMES
    with images.creating(path, spec, make_stamp(spec.name), CREDIT, {"height": 90, "width": 100}) as writer:
        writer.append(
            {
                "brightness": brightness,
                "frame": np.array(["M1", "M2", "M3"], dtype=object),
                "utc": np.array(["2023-01-01T00:00:00.000000Z"] * 3, dtype=object),
                "pixel_m": np.full(3, 60.0),
                "rows": np.array([rows for rows, _ in SIZES], np.int64),
                "cols": np.array([cols for _, cols in SIZES], np.int64),
                **numbers,
            }
        )
    return path


def frames(inputs: dict[str, Path], out: Path, settings: dict[str, Any] = SMALL) -> int:
    given = [f"{name}={path}" for name, path in inputs.items()]
    return command.main(
        ["enhance-frames", "--in", *given, "--out", f"enhanced={out}", "--settings", json.dumps(settings)]
    )


def test_frames_are_enhanced_on_their_grids(tmp_path: Path, model: Path) -> None:
    source, out = write_frames(tmp_path / "frames.h5"), tmp_path / "enhanced.h5"
    assert frames({"frames": source, "denoiser": model}, out) == 0
    with images.opened(source, SHADOWCAM_FRAMES) as given, images.opened(out, ENHANCED_FRAMES) as found:
        for name in ("frame", "rows", "cols"):
            assert np.array_equal(found.read(name), given.read(name))
        raw, enhanced, error, support = (
            given.read("brightness"),
            *(found.read(name) for name in ("enhanced", "error", "support")),
        )
        assert found.stamp.inputs.keys() == {"frames", "denoiser"}
        assert found.credit.citation == CREDIT.citation
        assert "enhanced" in found.credit.title
        assert found.credit.notes == "Cut."
    known = np.isfinite(raw)
    # The model smooths: the frames' own numbers, a tenth with a few per cent of noise.
    np.testing.assert_allclose(enhanced, raw, rtol=0.15)
    assert np.array_equal(np.isfinite(error), known)
    assert (error[known] > 0.0).all()
    assert np.array_equal(support != 255, known)


def test_frames_without_signal_are_unknown_and_told(tmp_path: Path, model: Path) -> None:
    source, out = write_frames(tmp_path / "frames.h5", blank=True), tmp_path / "enhanced.h5"
    assert frames({"frames": source, "denoiser": model}, out) == 0
    with images.opened(out, ENHANCED_FRAMES) as found:
        assert np.isnan(found.read("enhanced")[2]).all()
        assert (found.read("support")[2] == 255).all()
        assert found.credit.notes == "Cut. Frames without signal, unknown as a whole: M3."
        assert np.isfinite(found.read("enhanced")[1]).any()


def test_the_method_needs_its_model(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_frames(tmp_path / "frames.h5"), tmp_path / "enhanced.h5"
    assert frames({"frames": source}, out) == 2
    assert "give --in denoiser=PATH" in capsys.readouterr().err
    cycle = {"enhancement": {**SMALL["enhancement"], "method": "cycle"}}
    assert frames({"frames": source, "denoiser": model}, out, cycle) == 2
    assert "give --in cycle=PATH" in capsys.readouterr().err
    assert frames({"frames": source, "cycle": model}, out, cycle) == 3
    assert not out.exists()


def enhance(*arguments: object) -> int:
    return command.main(["enhance", *map(str, arguments)])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    # A map, so that nothing has to be said about its absence.
    affine = rasterio.Affine(20.0, 0.0, -1_000.0, 0.0, -20.0, 5_000.0)
    return write_tiff(tmp_path / "image.tif", shadowed(150, 130), crs="IAU_2015:30135", transform=affine)


def test_one_image(tmp_path: Path, image: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.tif"
    assert enhance(image, "--out", out, "--model", model, "--json", "--tile-px", 64, "--halo-px", 32) == 0
    told = json.loads(capsys.readouterr().out)
    with rasterio.open(out) as dataset, rasterio.open(image) as raw:
        np.testing.assert_allclose(dataset.read(1), raw.read(1), rtol=0.15)
        supported = float(np.nanmean(dataset.read(3)))
        about = json.loads(dataset.tags()["LUNARSITE_ENHANCEMENT"])
    assert (told["height_px"], told["width_px"], told["known_share"]) == (150, 130, 1.0)
    assert told["supported_share"] == pytest.approx(supported, abs=1e-5)
    assert told["scale"] == about["scale"]
    assert (told["method"], told["model"], about["tile_px"]) == ("denoiser", str(model), 64)
    assert 0.0 < told["seconds"] < 120.0
    assert enhance(image, "--out", tmp_path / "more.tif", "--model", model) == 0
    assert "more.tif: 150 x 130 px by denoiser" in capsys.readouterr().out


def test_the_model_that_comes_along_is_the_default(
    tmp_path: Path, image: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(one_image, "MODELS", model.parent)
    assert enhance(image, "--out", tmp_path / "out.tif") == 0
    assert enhance(image, "--out", tmp_path / "cycle.tif", "--method", "cycle") == 3
    assert "cycle.safetensors: the model does not exist" in capsys.readouterr().err


def test_what_is_refused(tmp_path: Path, image: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.tif"
    text, black = tmp_path / "text.tif", write_tiff(tmp_path / "black.tif", np.zeros((80, 80), np.uint8))
    text.write_text("no image")
    spoiled = tmp_path / "spoiled.safetensors"
    spoiled.write_bytes(model.read_bytes()[:-100])
    for arguments, code, words in (
        ((tmp_path / "absent.tif", "--out", out), 3, "absent.tif: does not exist"),
        ((text, "--out", out), 3, "neither TIFF"),
        ((black, "--out", out), 3, "no signal"),
        ((image, "--out", image, "--overwrite"), 3, "the image itself"),
        ((image, "--out", tmp_path / "out.jpg"), 3, "GeoTIFF"),
        ((image, "--out", out, "--model", tmp_path / "absent"), 3, "the model does not exist"),
        ((image, "--out", out, "--model", spoiled), 3, "no readable safetensors"),
        ((image, "--out", out, "--band", 2), 3, "no band 2"),
        ((image, "--out", out, "--tile-px", 7), 2, "tile_px"),
        ((image, "--out", out, "--tile-px", 64, "--halo-px", 96), 2, "the halo no wider than the tile"),
    ):
        given = () if "--model" in arguments else ("--model", model)
        assert enhance(*arguments, *given) == code, words
        assert words in capsys.readouterr().err
        assert not out.exists()
    for wrong in ((image,), (image, "--out", out, "--method", "bm3d"), (image, "--out", out, "--mod", model)):
        with pytest.raises(SystemExit) as ended:
            enhance(*wrong)
        assert ended.value.code == 2
    assert enhance(image, "--out", out, "--model", model) == 0
    assert enhance(image, "--out", out, "--model", model) == 3
    assert "--overwrite" in capsys.readouterr().err
    assert enhance(image, "--out", out, "--model", model, "--overwrite") == 0
    assert {path.name for path in tmp_path.iterdir() if "out" in path.name} == {"out.tif"}


def test_what_can_be_refused_at_once_is_refused_before_torch_is_loaded(
    tmp_path: Path, image: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("files", "image", "enhancer"):
        monkeypatch.setitem(sys.modules, f"lunarsite.vision.enhance.{name}", None)
    out = tmp_path / "out.tif"
    for arguments, words in (
        ((image, "--out", image, "--overwrite"), "the image itself"),
        ((image, "--out", tmp_path / "out.jpg"), "GeoTIFF"),
        ((image, "--out", out, "--band", 2), "no band 2"),
    ):
        assert enhance(*arguments, "--model", model) == 3
        assert words in capsys.readouterr().err
    with pytest.raises(ImportError):
        enhance(image, "--out", out, "--model", model)


def test_weights_that_are_spoiled_are_an_artefact_that_cannot_be_used(
    tmp_path: Path, image: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lunarsite.vision.enhance.image.load_enhancer", lambda *_: enhancer(Same(-1.0)))
    assert enhance(image, "--out", tmp_path / "out.tif", "--model", model) == 3
    assert f"{model}: the variance" in capsys.readouterr().err
    source = write_frames(tmp_path / "frames.h5")
    monkeypatch.setattr("lunarsite.vision.enhance.frames.load_enhancer", lambda *_: enhancer(Same(-1.0)))
    assert frames({"frames": source, "denoiser": model}, tmp_path / "enhanced.h5") == 3
    assert "use another model" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ended_halfway_it_leaves_nothing(tmp_path: Path, model: Path, number: int, code: int) -> None:
    path, out = write_tiff(tmp_path / "image.tif", shadowed(1_500, 1_500)), tmp_path / "out" / "out.tif"
    out.parent.mkdir()
    shutil.copy(model, tmp_path / "model.safetensors")
    arguments = ["enhance", str(path), "--out", str(out), "--model", str(tmp_path / "model.safetensors")]
    with subprocess.Popen([sys.executable, "-m", "lunarsite", *arguments], stderr=subprocess.PIPE, text=True) as run:
        until = time.monotonic() + 120.0
        while not list(out.parent.iterdir()) and run.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(number)
        _, told = run.communicate(timeout=120)
    assert run.returncode == code, told
    assert list(out.parent.iterdir()) == []
    assert "Traceback" not in told
