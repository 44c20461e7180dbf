"""Stages of image sets on small generated files of the published layouts: from receipts and folders to artefacts."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from lunarsite.artefact import contracts, download, images, raster
from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.artefact.stamp import digest
from lunarsite.command import main
from lunarsite.grid import lunar_crs
from tests.layouts.images import FRAMES, PHOTOGRAPHS, save, write_frames, write_landforms, write_rocks, write_shadowcam
from tests.unit.artefact.conftest import make_stamp

GRID = {"half_width_m": 4_800.0, "far_half_width_m": 9_600.0, "latitude_limit_deg": 89.0}


def fetched(folder: Path, product: str) -> Path:
    """Write the receipt of files that are there, as if they had been fetched."""
    found = tuple(
        Downloaded(
            name=path.relative_to(folder).as_posix(),
            bytes=path.stat().st_size,
            sha256=digest(path),
            url="https://example.org/set.zip",
            checked="first download",
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "receipt.json"
    )
    receipt = Receipt(
        product=product,
        version="1",
        title=f"The {product}",
        licence="CC BY 4.0",
        citation="Someone (2024)",
        files=found,
    )
    spec = contracts.DOWNLOAD
    # Downloads belong to no run.
    download.write(folder / "receipt.json", spec, receipt, make_stamp(spec.name, run="other", origin="published"))
    return folder / "receipt.json"


def call(stage: str, inputs: dict[str, Path], outputs: dict[str, Path], settings: dict[str, object], *more: str) -> int:
    given = ["--in", *(f"{name}={path}" for name, path in inputs.items())] if inputs else []
    made = ["--out", *(f"{name}={path}" for name, path in outputs.items())]
    return main([f"images-{stage}", *given, *made, "--settings", json.dumps(settings), *more])


@pytest.fixture(scope="module")
def rock_folder(tmp_path_factory) -> Path:
    return write_rocks(tmp_path_factory.mktemp("rocks"), 2)


def test_rocks_from_a_folder(rock_folder, tmp_path) -> None:
    out = tmp_path / "rocks.h5"
    settings = {"rock_images": {"folder": str(rock_folder), "longest_side_px": 180}}
    assert call("rocks", {}, {"scenes": out}, settings) == 0
    with images.opened(out, contracts.ROCK_SCENES) as source:
        assert len(source) == 2 + len(PHOTOGRAPHS)
        assert source.sides("images") == (132, 180, 3)
        assert source.stamp.origin == "local"
        assert set(source.stamp.inputs) == {"folder"}
        assert source.credit.licence == "CC BY-NC-SA 4.0"
        assert list(source.read("name")) == ["render0001", "render0002", *PHOTOGRAPHS]
        assert list(source.read("valid_height")) == [120, 120, 132, 132, 132]
        masks = source.read("masks")
        assert (masks[:2, 120:] == 255).all()
        assert set(np.unique(masks[0, :120])) == {0, 1, 2, 3}
        first = source.stamp.inputs["folder"]
    # Another picture is another input: a folder is no file that the command line could hash.
    changed = tmp_path / "changed"
    shutil.copytree(rock_folder, changed)
    save(changed / "images/ground/ground0001.png", np.zeros((480, 720, 3), np.uint8))
    settings["rock_images"]["folder"] = str(changed)
    assert call("rocks", {}, {"scenes": out}, settings) == 0
    assert images.read_stamp(out).inputs["folder"] == first  # not one that was read
    save(changed / "images/render/render0001.png", np.zeros((480, 720, 3), np.uint8))
    assert call("rocks", {}, {"scenes": out}, settings) == 0
    assert images.read_stamp(out).inputs["folder"] != first


def test_rocks_from_a_download(rock_folder, tmp_path) -> None:
    shutil.copytree(rock_folder, tmp_path / "rocks/1")
    receipt, out = fetched(tmp_path / "rocks/1", "rocks"), tmp_path / "rocks.h5"
    settings: dict[str, object] = {"rock_images": {"longest_side_px": 90, "masks": "ground"}}
    assert call("rocks", {"rock_files": receipt}, {"scenes": out}, settings) == 0
    with images.opened(out, contracts.ROCK_SCENES) as source:
        assert source.stamp.origin == "published"
        assert source.stamp.inputs == {"rock_files": hashlib.sha256(receipt.read_bytes()).hexdigest()}
        assert source.credit.title == "The rocks"
        assert list(source.read("mask_kind")) == [1, 1, 2, 2, 2]
    (tmp_path / "rocks/1/images/render/render0001.png").unlink()
    assert call("rocks", {"rock_files": receipt}, {"scenes": out}, settings) == 3


def test_rocks_need_one_source(rock_folder, tmp_path, capsys) -> None:
    assert call("rocks", {}, {"scenes": tmp_path / "rocks.h5"}, {}) == 2
    assert "source.rock_images.folder" in capsys.readouterr().err
    settings = {"rock_images": {"folder": str(tmp_path / "absent")}}
    assert call("rocks", {}, {"scenes": tmp_path / "rocks.h5"}, settings) == 3
    assert "absent: does not exist as a folder" in capsys.readouterr().err
    assert not (tmp_path / "rocks.h5").exists()


def test_a_foreign_mask_is_told(rock_folder, tmp_path, capsys) -> None:
    folder = tmp_path / "rocks"
    shutil.copytree(rock_folder, folder)
    save(folder / "images/render/render0002.png", np.full((480, 720, 3), 120, np.uint8))
    settings = {"rock_images": {"folder": str(folder), "longest_side_px": 90}}
    assert call("rocks", {}, {"scenes": tmp_path / "rocks.h5"}, settings) == 0
    assert "Left out: render0002" in capsys.readouterr().err
    with images.opened(tmp_path / "rocks.h5", contracts.ROCK_SCENES) as source:
        assert "render0002" not in source.read("name")
        assert source.credit.notes == "Left out: render0002"


def test_masks_that_do_not_tell_whether_classes_are_rotated_are_told(rock_folder, tmp_path, capsys) -> None:
    settings = {"rock_images": {"folder": str(rock_folder), "longest_side_px": 90}}
    assert call("rocks", {}, {"scenes": tmp_path / "rocks.h5"}, settings) == 0
    assert "look at the masks" not in capsys.readouterr().err
    folder = tmp_path / "rocks"
    shutil.copytree(rock_folder, folder)
    save(folder / "real_moon_images/g_PCAM1.png", np.zeros((571, 777, 3), np.uint8))
    settings = {"rock_images": {"folder": str(folder), "longest_side_px": 90}}
    assert call("rocks", {}, {"scenes": tmp_path / "rocks.h5"}, settings) == 0
    told = capsys.readouterr().err
    assert "source.rock_images.folder: 4 of 5 masks show sky (red), 4 of them above: 5 are needed to tell" in told
    assert "WARNING" in told


def test_landforms(tmp_path, capsys) -> None:
    folder = write_landforms(tmp_path / "hirise/3")
    receipt, out = fetched(folder, "hirise_landmarks_v3"), tmp_path / "landforms.h5"
    assert call("landforms", {"landform_files": receipt}, {"landforms": out}, {}) == 0
    with images.opened(out, contracts.LANDFORM_IMAGES) as source:
        assert len(source) == 35
        assert sorted(set(source.read("label"))) == [0, 1, 2, 7]
        assert len(set(source.read("landmark"))) == 5
        assert source.stamp.origin == "published"
    before = out.read_bytes()
    (folder / "labels-map-proj-v3.txt").write_text("x\n")
    fetched(folder, "hirise_landmarks_v3")
    assert call("landforms", {"landform_files": receipt}, {"landforms": out}, {}) == 3
    assert "line 1 ('x') is not 'name class'" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_shadowcam(tmp_path, capsys) -> None:
    folder = write_shadowcam(tmp_path / "shadowcam/1")
    receipt, out = fetched(folder, "shadowcam_cabeus"), tmp_path / "top.tif"
    settings = {"grid": GRID, "composite": {"pixel_m": 40.0}}
    given, part = {"shadowcam_files": receipt}, ("--part", "topillum-avg")
    assert call("shadowcam", given, {"shadowcam": out}, settings, *part) == 0
    with raster.opened(out, contracts.SHADOWCAM) as source:
        values = source.read()
        assert (source.grid.pixel_m, source.grid.x_min_m) == (40.0, -320.0)
        assert source.stamp.origin == "published"
    assert 0.03 < np.nanmean(values) < 0.06
    assert np.isnan(values[:, 0]).all()
    assert call("shadowcam", given, {"shadowcam": out}, settings, "--part", "left") == 3
    assert "bottomillum-avg, topillum-avg" in capsys.readouterr().err


def test_a_users_composite_tells_of_saturation_and_sunlight(tmp_path, capsys) -> None:
    path = tmp_path / "own.tif"
    brightness = np.linspace(0.0, 1.5, 30 * 20, dtype=np.float32).reshape(20, 30)
    brightness[0] = np.nan
    visibility = np.linspace(0.0, 2.0, 30 * 20, dtype=np.float32).reshape(20, 30)
    profile = {"driver": "GTiff", "width": 30, "height": 20, "count": 3, "dtype": "float32", "nodata": np.nan}
    where = {"crs": lunar_crs(), "transform": Affine(60.0, 0.0, -3_000.0, 0.0, -60.0, 2_400.0)}
    with rasterio.open(path, "w", **profile, **where) as dataset:
        dataset.write(np.stack([visibility, brightness, (brightness >= 1.2).astype(np.float32)]))
    out, given = tmp_path / "composite.tif", {"composite_file": path}
    bands = {"brightness": 2, "saturated": 3, "visibility_pct": 1}
    assert call("composite", given, {"shadowcam": out}, {"grid": GRID, "bands": bands}) == 0
    with raster.opened(out, contracts.SHADOWCAM) as source:
        assert (source.grid.pixel_m, source.grid.shape) == (60.0, (20, 30))
        assert np.array_equal(source.read("brightness"), brightness, equal_nan=True)
        assert np.array_equal(source.read("saturated_share"), brightness >= 1.2)
        assert np.allclose(source.read("published_sun_any"), visibility / 100.0)
        assert source.stamp.origin == "local"
    assert call("composite", given, {"shadowcam": out}, {"grid": GRID, "bands": {"brightness": 2}}) == 0
    with raster.opened(out, contracts.SHADOWCAM) as source:
        assert np.isnan(source.read("saturated_share")).all()
    assert call("composite", given, {"shadowcam": out}, {"grid": GRID}) == 3
    assert "has 3 bands, needs one" in capsys.readouterr().err
    assert call("composite", given, {"shadowcam": out}, {"grid": GRID, "bands": {"brightness": 4}}) == 3
    assert "has 3 bands, and band 4 is asked for" in capsys.readouterr().err
    swapped = {"brightness": 2, "saturated": 1}
    assert call("composite", given, {"shadowcam": out}, {"grid": GRID, "bands": swapped}) == 3
    assert "1 means saturated" in capsys.readouterr().err


def test_images_that_the_table_of_frames_does_not_tell_of_are_left_out_and_told(tmp_path, capsys) -> None:
    folder = write_frames(tmp_path / "frames")
    out, settings = tmp_path / "frames.h5", {"grid": GRID, "shadowcam_frames": {"folder": str(folder)}}
    assert call("shadowcam-frames", {}, {"frames": out}, settings) == 0
    before = out.read_bytes()
    capsys.readouterr()
    shutil.copy(next(folder.glob("*.tif")), folder / "composite.tif")
    assert call("shadowcam-frames", {}, {"frames": out}, settings) == 0
    assert (
        "1 images are left out, the table does not tell when they were taken: composite.tif" in capsys.readouterr().err
    )
    assert out.read_bytes() == before


def test_shadowcam_frames(tmp_path) -> None:
    folder = write_frames(tmp_path / "frames")
    out = tmp_path / "frames.h5"
    settings = {"grid": GRID, "shadowcam_frames": {"folder": str(folder)}}
    assert call("shadowcam-frames", {}, {"frames": out}, settings) == 0
    with images.opened(out, contracts.SHADOWCAM_FRAMES) as source:
        assert list(source.read("frame")) == [name for name, *_ in FRAMES]
        assert list(source.read("utc")) == [utc for _, utc, *_ in FRAMES]
        assert source.stamp.origin == "local"
        with rasterio.open(folder / f"{FRAMES[1][0]}.60m.tif") as dataset:
            rows, cols = dataset.shape
            stored = dataset.read(1)
        brightness = source.read("brightness", slice(1, 2))[0]
        assert np.array_equal(brightness[:rows, :cols], stored, equal_nan=True)


def test_psr(tmp_path, capsys) -> None:
    generator = np.random.default_rng(0)
    for name, domain, most in (("M1155395732", "sunlit", 250), ("M12345678", "shadowed", 12)):
        save(tmp_path / f"{domain}/{name}LE_cut.png", generator.integers(0, most, (80, 100), dtype=np.uint8))
    settings = {"tile_px": 64, **{domain: str(tmp_path / domain) for domain in ("sunlit", "shadowed")}}
    out = tmp_path / "psr.h5"
    assert call("psr", {}, {"images": out}, {"psr_images": settings}) == 0
    with images.opened(out, contracts.PSR_IMAGES) as source:
        assert list(source.read("domain")) == [0] * 4 + [1] * 4
        assert set(source.read("scene")) == {"M1155395732", "M12345678"}
        assert list(zip(source.read("row"), source.read("col"), strict=True))[:4] == [
            (0, 0),
            (0, 36),
            (16, 0),
            (16, 36),
        ]
        assert set(source.stamp.inputs) == {"sunlit", "shadowed"}
        with Image.open(tmp_path / "shadowed/M12345678LE_cut.png") as picture:
            stored = np.asarray(picture)
        assert np.array_equal(source.read("images", slice(7, 8))[0], stored[16:, 36:])
    assert call("psr", {}, {"images": out}, {"psr_images": {**settings, "tile_px": 96}}) == 3
    assert "has 80 x 100 pixels, a tile 96 x 96" in capsys.readouterr().err
    assert call("psr", {}, {"images": out}, {"psr_images": {"shadowed": str(tmp_path / "shadowed")}}) == 3
    assert "source.psr_images.sunlit: names no folder" in capsys.readouterr().err
    assert call("psr", {}, {"images": out}, {"psr_images": {**settings, "shadowed": None}}) == 0
    with images.opened(out, contracts.PSR_IMAGES) as source:
        assert set(source.read("domain")) == {contracts.PSR_IMAGES.class_number("domain", "sunlit")}
        assert set(source.stamp.inputs) == {"sunlit"}
