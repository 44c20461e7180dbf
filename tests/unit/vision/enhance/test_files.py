"""Image files enhanced: bands, map, tags, scale, and a result that appears whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.windows import Window
from rio_cogeo import cog_validate
from torch import Tensor, nn

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.stamp import digest
from lunarsite.settings import EnhancementSettings
from lunarsite.vision.enhance import files
from lunarsite.vision.enhance.files import Summary, enhance_file
from lunarsite.vision.enhance.image import enhance_array
from lunarsite.vision.enhance.normalise import fit
from tests.unit.vision.enhance.made_images import Mean, Same, enhancer, shadowed, write_tiff

SMALL = EnhancementSettings(tile_px=64, halo_px=32)
POLAR = "IAU_2015:30135"
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def run(path: Path, out: Path, network: nn.Module | None = None, **options: Any) -> Summary:
    model = path.parent / "model"
    model.write_bytes(b"weights")
    return enhance_file(path, out, enhancer(network or Mean()), SMALL, model=model, **options)


def bands(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as dataset:
        found: NDArray[np.float32] = dataset.read()
    return found


def test_a_geotiff_keeps_its_map_and_numbers(tmp_path: Path) -> None:
    image = shadowed(180, 230)
    image[:, 130:] = 100.0 + np.random.default_rng(5).standard_normal((180, 100))  # nothing but noise
    image[20:40, 50:70] = np.nan
    affine = Affine(20.0, 0.0, -1_000.0, 0.0, -20.0, 5_000.0)
    stored = np.where(np.isnan(image), -32_768, np.rint(image * 100)).astype(np.int16)
    tags = {"OBSERVATION": "M1", "LUNARSITE_STAMP": "another file's", "LONG": "x" * 20_000}
    path = write_tiff(tmp_path / "a.tif", stored, crs=POLAR, transform=affine, nodata=-32_768, scale=0.01, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.units = ("W/m2/sr/um",)
    summary = run(path, tmp_path / "out.tif")
    valid, errors, _ = cog_validate(tmp_path / "out.tif", strict=True)
    assert valid, errors
    numbers = np.where(np.isnan(image), np.nan, stored * 0.01).astype(np.float32)
    expected = enhance_array(numbers, enhancer(Mean()), SMALL)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        found = dataset.read()
        assert dataset.descriptions == ("enhanced", "error", "support")
        assert dataset.units == ("W/m2/sr/um", "W/m2/sr/um", "1")
        assert dataset.dtypes == ("float32",) * 3
        assert np.isnan(dataset.nodata)
        with rasterio.open(path) as given:
            assert dataset.crs == given.crs
        assert "Moon" in dataset.crs.to_wkt()
        assert dataset.transform == affine
        told = dataset.tags()
    assert np.array_equal(found[0], expected.enhanced, equal_nan=True)
    assert np.array_equal(found[1], expected.error, equal_nan=True)
    support = np.where(expected.support == 255, np.nan, expected.support)
    assert np.array_equal(found[2], support, equal_nan=True)
    assert told["OBSERVATION"] == "M1"
    assert "LUNARSITE_STAMP" not in told
    assert "LONG" not in told
    about, scale = json.loads(told[files.TAG]), fit(numbers)
    assert about["scale"] == {"median": scale.median, "spread": scale.spread, "overexposed_from": None}
    assert (about["method"], about["image_sha256"]) == ("made up", digest(path))
    assert summary.scale == scale
    assert summary.known_share == pytest.approx(1.0 - 400 / image.size)
    assert summary.supported_share == pytest.approx(float((support == 1).sum() / np.isfinite(support).sum()))
    assert 0.4 < summary.supported_share < 0.65


def test_a_picture_without_a_map(tmp_path: Path) -> None:
    grey = np.clip(np.rint(shadowed(100, 90) - 60.0), 0, 255).astype(np.uint8)
    for name in ("a.png", "a.jpg"):
        Image.fromarray(np.dstack([grey] * 3) if name == "a.png" else grey).save(tmp_path / name, quality=100)
        run(tmp_path / name, tmp_path / "out.tif", Same(), overwrite=True)
        with rasterio.open(tmp_path / "out.tif") as dataset:
            assert dataset.crs is None
            assert dataset.transform.is_identity
            np.testing.assert_allclose(dataset.read(1), grey, atol=1e-3 if name == "a.png" else 3)


def test_control_points_and_coefficients_are_kept(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", shadowed(90, 90))
    points = [GroundControlPoint(r, c, 10.0 * c, -10.0 * r) for r, c in ((0, 0), (0, 90), (90, 0), (90, 90))]
    with rasterio.open(path, "r+") as dataset:
        dataset.gcps = (points, rasterio.CRS.from_user_input(POLAR))
    run(path, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as dataset:
        found, crs = dataset.gcps
        assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]
        assert "Moon" in crs.to_wkt()


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", shadowed(90, 90))
    for name in ("one.tif", "two.tif"):
        run(path, tmp_path / name)
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()


def test_outputs_that_must_not_be_written(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", shadowed(70, 70))
    before = path.read_bytes()
    (tmp_path / "link.tif").symlink_to(path)
    (tmp_path / "folder.tif").mkdir()
    for name, words in (
        ("a.tif", "the image itself"),
        ("link.tif", "the image itself"),
        ("out.png", "call it .tif"),
        ("folder.tif", "is a folder"),
        ("absent/out.tif", "folder does not exist"),
    ):
        with pytest.raises(ArtefactError, match=words):
            run(path, tmp_path / name, overwrite=True)
    assert path.read_bytes() == before
    run(path, tmp_path / "out.tif")
    first = (tmp_path / "out.tif").read_bytes()
    with pytest.raises(ArtefactError, match=r"there already.*--overwrite"):
        run(path, tmp_path / "out.tif", Same())
    assert (tmp_path / "out.tif").read_bytes() == first
    run(path, tmp_path / "out.tif", Same(), overwrite=True)
    assert (tmp_path / "out.tif").read_bytes() != first


def test_a_failure_leaves_the_old_result_and_nothing_else(tmp_path: Path) -> None:
    class Failing(Same):
        def forward(self, image: Tensor) -> Tensor:
            raise RuntimeError("broken")

    path = write_tiff(tmp_path / "a.tif", shadowed(70, 70))
    (tmp_path / "out.tif").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="broken"):
        run(path, tmp_path / "out.tif", Failing(), overwrite=True)
    assert (tmp_path / "out.tif").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "model", "out.tif"]


@pytest.mark.parametrize(("value", "words"), [(0, "one value"), (np.nan, "no known pixel")])
def test_images_without_signal_are_told_by_name(tmp_path: Path, value: float, words: str) -> None:
    path = write_tiff(tmp_path / "a.tif", np.full((50, 60), value, np.float32))
    with pytest.raises(ArtefactError, match=rf"a\.tif.*{words}"):
        run(path, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


def test_a_full_disk_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tiff(tmp_path / "a.tif", shadowed(70, 70))
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(ArtefactError, match="GiB of disk"):
        run(path, tmp_path / "out.tif")


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    run(
        write_tiff(tmp_path / "a.tif", shadowed(130, 70)),
        tmp_path / "out.tif",
        report=lambda what, *_: told.append(what),
    )
    assert told == ["statistics"] + ["tiles"] * 6 + ["writing"]


def test_tall_images_are_read_from_the_top_once_for_each_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = shadowed(600, 64)
    path = write_tiff(tmp_path / "a.tif", image)
    asked: list[tuple[int, int]] = []
    read = files.ImageFile.read

    def noted(self: files.ImageFile, rows: slice) -> NDArray[np.float32]:
        asked.append((rows.start, rows.stop))
        return read(self, rows)

    monkeypatch.setattr(files.ImageFile, "read", noted)
    run(path, tmp_path / "out.tif")
    assert asked[0] == (0, 600)
    assert [stop for _, stop in asked[1:-1]] == [start for start, _ in asked[2:]]
    expected = enhance_array(image, enhancer(Mean()), SMALL)
    assert np.array_equal(bands(tmp_path / "out.tif")[0], expected.enhanced)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert np.array_equal(dataset.read(2, window=Window(0, 300, 64, 50)), expected.error[300:350])


def test_signal_beyond_32_bits_is_refused_in_words(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(8.0, (80, 80)).astype(np.int32)
    shifted = write_tiff(tmp_path / "shifted.tif", counts)
    with rasterio.open(shifted, "r+") as dataset:
        dataset.offsets = (1e8,)
    for path in (write_tiff(tmp_path / "a.tif", counts + 100_000_000), shifted):
        with pytest.raises(ArtefactError, match=rf"{path.name}: .*lost in 32 bits"):
            run(path, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
    run(write_tiff(tmp_path / "b.tif", counts + 10_000), tmp_path / "out.tif")


def test_a_result_that_cannot_be_used_is_the_models_fault(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", shadowed(70, 70))
    for network, words in ((Same(-1.0), "negative"), (Same(float("nan")), "not finite")):
        with pytest.raises(ArtefactError, match=rf"model: .*{words}.*use another model"):
            run(path, tmp_path / "out.tif", network)
    assert {one.name for one in tmp_path.iterdir()} == {"a.tif", "model"}
