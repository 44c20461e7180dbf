"""Image files from outside: every kind of number, what is unknown, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from lunarsite.artefact import ArtefactError
from lunarsite.vision.enhance.reading import opened
from tests.unit.vision.enhance.made_images import write_tiff

GREY = np.random.default_rng(0).integers(1, 254, (70, 90), dtype=np.uint8)
LOWEST = -np.finfo(np.float64).max


def read(path: Path, band: int | None = None) -> NDArray[np.float32]:
    with opened(path, band) as image:
        height, _ = image.shape
        strips = [image.read(slice(top, min(top + 16, height))) for top in range(0, height, 16)]
    found = np.concatenate(strips)
    assert found.dtype == np.float32
    return found


def picture(path: Path, values: NDArray[Any], mode: str | None = None, **options: Any) -> Path:
    made = Image.fromarray(values)
    (made.convert(mode) if mode else made).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jp2"])
def test_numbers_are_those_of_the_file(tmp_path: Path, name: str) -> None:
    if name == "a.png":
        picture(tmp_path / name, GREY)
    else:
        driver: dict[str, Any] = {"driver": "JP2OpenJPEG", "REVERSIBLE": "YES", "QUALITY": "100"}
        write_tiff(tmp_path / name, GREY, **(driver if name == "a.jp2" else {}))
    assert np.array_equal(read(tmp_path / name), GREY)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
def test_every_kind_of_number(tmp_path: Path, dtype: str) -> None:
    values = (GREY // 3).astype(dtype)
    assert np.array_equal(read(write_tiff(tmp_path / "a.tif", values)), values)


def test_16_bit_pictures_and_scaled_bands(tmp_path: Path) -> None:
    wide = GREY.astype(np.uint16) * 250
    assert np.array_equal(read(picture(tmp_path / "a.png", wide)), wide)
    path = write_tiff(tmp_path / "a.tif", wide, scale=0.00004)
    np.testing.assert_allclose(read(path), wide * 0.00004, rtol=1e-6)


def test_a_jpeg_is_read(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    assert np.abs(read(picture(tmp_path / "a.jpeg", smooth, quality=95)) - smooth).max() <= 4


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", 7), ("int16", -999), ("float32", -3.4e38), ("float64", LOWEST)]
)
def test_declared_missing_numbers_are_unknown(tmp_path: Path, dtype: str, nodata: float) -> None:
    values = np.where(GREY == 7, 8, GREY).astype(dtype)
    values[3:9, 5:7] = nodata
    found = read(write_tiff(tmp_path / "a.tif", values, nodata=nodata))
    assert np.array_equal(np.argwhere(np.isnan(found)), np.argwhere(values == np.array(nodata, dtype)))
    assert np.array_equal(found[20:], values[20:])


def test_missing_floats_and_transparent_pixels_are_unknown(tmp_path: Path) -> None:
    values = GREY.astype(np.float32)
    values[:2], values[5, 5], values[6, 6] = np.nan, np.inf, -np.inf
    found = read(write_tiff(tmp_path / "a.tif", values))
    assert np.array_equal(np.isnan(found), ~np.isfinite(values))
    alpha = np.dstack([GREY, np.full_like(GREY, 255)])
    alpha[4:6, :, 1], alpha[6:8, :, 1] = 0, 100
    picture_alpha(tmp_path / "a.png", alpha)
    found = read(tmp_path / "a.png")
    assert np.array_equal(np.flatnonzero(np.isnan(found).all(axis=1)), [4, 5, 6, 7])
    assert np.isnan(found).sum() == 4 * 90


def picture_alpha(path: Path, values: NDArray[np.uint8]) -> None:
    grey, alpha = (Image.fromarray(np.ascontiguousarray(values[:, :, k])) for k in range(2))
    Image.merge("LA", (grey, alpha)).save(path)


def test_three_equal_channels_are_grey(tmp_path: Path) -> None:
    assert np.array_equal(read(picture(tmp_path / "a.png", np.dstack([GREY] * 3))), GREY)
    assert np.array_equal(read(write_tiff(tmp_path / "a.tif", np.stack([GREY.astype(np.float32)] * 3))), GREY)
    near = np.dstack([GREY, GREY, GREY + 1])
    np.testing.assert_allclose(read(picture(tmp_path / "b.png", near)), GREY + 1.0 / 3.0, rtol=1e-6)


def test_colours_are_refused_and_their_bands_can_be_named(tmp_path: Path) -> None:
    colours = np.dstack([GREY, GREY, GREY])
    colours[60, 60, 2] = (int(colours[60, 60, 2]) + 100) % 255
    path = picture(tmp_path / "a.png", colours)
    with pytest.raises(ArtefactError, match=r"shows colours .* \(--band 1\)"):
        read(path)
    assert np.array_equal(read(path, band=2), GREY)
    wide = write_tiff(tmp_path / "a.tif", np.stack([GREY.astype(np.uint16)] * 2 + [GREY.astype(np.uint16) + 1]))
    with pytest.raises(ArtefactError, match="shows colours"):
        read(wide)
    holed = np.stack([GREY.astype(np.float32)] * 3)
    holed[:, 5] = np.nan
    assert np.isnan(read(write_tiff(tmp_path / "b.tif", holed))[5]).all()


@pytest.mark.parametrize(
    ("count", "band", "words"), [(2, None, "has 2 bands"), (5, None, "5 bands"), (2, 3, "no band 3")]
)
def test_bands_that_are_not_told_are_refused(tmp_path: Path, count: int, band: int | None, words: str) -> None:
    path = write_tiff(tmp_path / "a.tif", np.stack([GREY] * count))
    with pytest.raises(ArtefactError, match=words):
        read(path, band)
    with pytest.raises(ArtefactError, match="no band 0"):
        read(path, 0)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "strips.tif", "a.jp2"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    # Large enough to be no whole of one block of anything.
    grey = np.random.default_rng(1).integers(0, 255, (300, 400), dtype=np.uint8)
    if name in ("a.png", "a.jpg"):
        picture(path, grey)
    else:
        write_tiff(
            path,
            grey,
            driver="JP2OpenJPEG" if name == "a.jp2" else "GTiff",
            **({"compress": "deflate"} if name == "a.tif" else {}),
        )
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArtefactError, match=r"no readable|cannot be read to its end"):
        read(path)
    if name == "a.png":
        with opened(path) as image, pytest.raises(ArtefactError, match="truncated"):
            image.read(slice(0, 300))


def test_other_files_are_refused(tmp_path: Path) -> None:
    mosaic = "<VRTDataset rasterXSize='1' rasterYSize='1'/>"
    for name, data in (
        ("a.tif", mosaic.encode()),
        ("b.tif", b""),
        ("c.png", b"GIF89a....."),
        ("d.tif", b"PK\x03\x04...."),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ArtefactError, match="neither TIFF, PNG, JPEG nor JPEG 2000"):
            read(tmp_path / name)
    with pytest.raises(ArtefactError, match="does not exist"):
        read(tmp_path / "absent.tif")
    with pytest.raises(ArtefactError, match="does not exist"):
        read(Path("/vsicurl/http://localhost/a.tif"))
    (tmp_path / "e.tif").write_bytes(b"II*\x00" + b"\xff" * 100)
    with pytest.raises(ArtefactError, match="no readable GTiff"):
        read(tmp_path / "e.tif")


def test_what_has_no_brightness_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="palette"):
        read(picture(tmp_path / "a.png", GREY, "P"))
    with pytest.raises(ArtefactError, match="complex64"):
        read(write_tiff(tmp_path / "a.tif", GREY.astype(np.complex64)))
    values = GREY.astype(np.float32)
    values[4, 4] = -3.4e38
    with pytest.raises(ArtefactError, match=r"gdal_edit.py -a_nodata -3.4e\+38"):
        read(write_tiff(tmp_path / "b.tif", values))


def test_sizes_are_bounded_before_pixels_are_read(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="1 x 100001 pixels"):
        read(write_tiff(tmp_path / "a.tif", np.zeros((1, 100_001), np.uint8)))
    block = write_tiff(tmp_path / "b.tif", np.zeros((9_000, 9_000), np.float32), blockysize=9_000, compress="deflate")
    with pytest.raises(ArtefactError, match="TILED=YES"):
        read(block)


def test_nothing_beside_the_file_is_read(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", GREY)
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><SRS>EPSG:4326</SRS><PAMRasterBand band='1'><NoDataValue>7</NoDataValue></PAMRasterBand>"
        "</PAMDataset>"
    )
    (tmp_path / "a.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    write_tiff(tmp_path / "a.tif.msk", np.zeros_like(GREY))
    assert np.array_equal(read(path), GREY)
    with opened(path) as image:
        assert image.dataset.crs is None
        assert image.affine is None


def test_impossible_scales_are_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", GREY, scale=0.0)
    with pytest.raises(ArtefactError, match="the scale of its bands"):
        read(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_text_in_another_encoding_is_refused_in_words(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", GREY)
    with rasterio.open(path, "r+") as dataset:
        dataset.units = ("cafZZ",)
    assert read(path).shape == GREY.shape
    path.write_bytes(path.read_bytes().replace(b"cafZZ", b"caf\xe9Z"))
    with pytest.raises(ArtefactError, match=r"a\.tif: its units or tags are no UTF-8 text"):
        read(path)
