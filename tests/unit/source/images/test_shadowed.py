"""Images of sunlit and shadowed ground: tiles that cover them, in the numbers of the files."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lunarsite.artefact.images import Credit
from lunarsite.grid import lunar_crs
from lunarsite.source import local
from lunarsite.source.images import shadowed
from lunarsite.source.images.members import below
from lunarsite.source.kinds import LocalError
from tests.layouts.images import write_nac, write_ohrc

CREDIT = Credit(title="Images", licence="x", citation="y")


def write_tiff(path: Path, values: np.ndarray, scale: float | None = None, **profile: object) -> Path:
    bands = values[None] if values.ndim == 2 else values
    options = {"driver": "GTiff", "width": bands.shape[2], "height": bands.shape[1], "count": bands.shape[0]}
    # A map, so that rasterio does not warn that there is none.
    options |= {"dtype": bands.dtype.name, "crs": lunar_crs(), "transform": Affine(1.0, 0.0, 5.0, 0.0, -1.0, 5.0)}
    with rasterio.open(path, "w", **(options | profile)) as dataset:
        dataset.write(bands)
        if scale is not None:
            dataset.scales = (scale,)
    return path


def cut(path: Path, size: int = 32) -> tuple[dict[str, np.ndarray], int]:
    cuts = list(shadowed.tiles_of(path.name, path, 1, size, "source.psr_images.shadowed"))
    arrays = {name: np.concatenate([one.arrays[name] for one in cuts]) for name in cuts[0].arrays}
    return arrays, sum(one.left_out for one in cuts)


@given(st.integers(32, 3_000), st.integers(32, 600))
def test_tiles_cover_a_side(length: int, size: int) -> None:
    if length < size:
        return
    found = shadowed.starts(length, size)
    assert (found[0], found[-1]) == (0, length - size)
    assert all(0 < after - before <= size for before, after in pairwise(found))
    assert len(found) == -(-length // size)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numbers_are_those_of_the_file(tmp_path, suffix: str, dtype: type) -> None:
    values = np.random.default_rng(0).integers(1, np.iinfo(dtype).max, (70, 90), dtype=dtype)
    path = tmp_path / f"p.{suffix}"
    if suffix == "png":
        Image.fromarray(values).save(path)
    else:
        write_tiff(path, values)
    arrays, left_out = cut(path)
    assert left_out == 0
    assert arrays["images"].dtype == np.float32
    for tile, row, col in zip(arrays["images"], arrays["row"], arrays["col"], strict=True):
        assert np.array_equal(tile, values[row : row + 32, col : col + 32])
    assert set(arrays["full_scale"]) == {float(np.iinfo(dtype).max)}
    assert len(arrays["row"]) == 3 * 3


def test_floats_keep_their_scale_and_no_data(tmp_path) -> None:
    values = np.random.default_rng(0).uniform(0.0, 1.0, (64, 96)).astype(np.float32)
    values[:32, :32] = -9999.0
    values[:10, 32:64] = -9999.0
    arrays, left_out = cut(write_tiff(tmp_path / "p.tif", values, nodata=-9999.0, scale=0.5))
    assert left_out == 1  # no data at all
    assert np.isnan(arrays["full_scale"]).all()
    assert arrays["valid_share"][0] == pytest.approx(22 / 32)
    assert np.isnan(arrays["images"][0, :10]).all()
    assert np.allclose(arrays["images"][0, 10:], 0.5 * values[10:32, 32:64])


def test_the_lowest_number_is_no_data_however_it_is_declared(tmp_path) -> None:
    lowest = float(np.finfo(np.float64).min)
    values = np.full((64, 64), 0.25)
    values[:, :10] = lowest
    path = write_tiff(tmp_path / "p.tif", values, nodata=lowest)
    data, old = path.read_bytes(), repr(lowest).encode()
    path.write_bytes(data.replace(old, b"-1.79769313486232e+308".ljust(len(old), b"\0")))
    arrays, _ = cut(path, 64)
    assert np.isnan(arrays["images"][0, :, :10]).all()
    assert (arrays["images"][0, :, 10:] == 0.25).all()


def test_undeclared_no_data_and_truncation_are_refused(tmp_path) -> None:
    values = np.full((40, 40), -np.finfo(np.float32).max, np.float32)
    with pytest.raises(LocalError, match=r"p\.tif: holds numbers beyond 1e\+30"):
        cut(write_tiff(tmp_path / "p.tif", values))
    path = write_tiff(tmp_path / "q.tif", np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(LocalError, match=r"q\.tif: "):
        cut(path)


def test_rows_of_tiles_come_in_bounded_parts(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(1, 255, (40, 32 * 50), dtype=np.uint8)
    path = write_tiff(tmp_path / "wide.tif", values)
    whole, left_out = cut(path)
    monkeypatch.setattr(shadowed, "_MOST_GROUP_BYTES", 7 * 32 * 32 * 4 + 5)
    cuts = list(shadowed.tiles_of("wide.tif", path, 1, 32, "field"))
    assert max(len(one.arrays["images"]) for one in cuts) == 7
    assert sum(one.left_out for one in cuts) == left_out == 0
    for name, expected in whole.items():
        assert np.array_equal(
            np.concatenate([one.arrays[name] for one in cuts]), expected, equal_nan=name == "full_scale"
        )


def test_a_wide_packed_image_takes_little_memory(tmp_path) -> None:
    path = write_tiff(tmp_path / "wide.tif", np.full((256, 60_000), 7, np.uint8), compress="deflate")
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        count = sum(len(one.arrays["images"]) for one in shadowed.tiles_of("wide.tif", path, 1, 256, "field"))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 235
    assert most < 100 * 2**20, "a row of tiles is 61 MB, and was held three times"


def test_blocks_too_large_and_overviews_are_kept_out(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tiff(tmp_path / "p.tif", np.full((64, 64), 7, np.uint8), blockysize=64)
    monkeypatch.setattr(local, "_MOST_BLOCK_BYTES", 64 * 64 - 1)
    with pytest.raises(LocalError, match=r"^field: .*p\.tif: has blocks of 4096 bytes"):
        list(shadowed.tiles_of("p.tif", path, 1, 32, "field"))


def test_what_is_no_grey_image_is_refused(tmp_path) -> None:
    three = np.random.default_rng(0).integers(0, 255, (3, 40, 40), dtype=np.uint8)
    with pytest.raises(LocalError, match=r"a\.tif: has 3 bands of uint8"):
        cut(write_tiff(tmp_path / "a.tif", three))
    Image.fromarray(np.moveaxis(three, 0, 2)).save(tmp_path / "b.png")
    with pytest.raises(LocalError, match=r"b\.png: shows colours"):
        cut(tmp_path / "b.png")
    with pytest.raises(LocalError, match=r"a\.tif: has 3 bands|tile"):
        cut(tmp_path / "a.tif", 64)
    write_tiff(tmp_path / "c.tif", three[0])
    with pytest.raises(LocalError, match=r"c\.tif: has 40 x 40 pixels, a tile 64 x 64"):
        cut(tmp_path / "c.tif", 64)
    (tmp_path / "d.tif").write_text('<VRTDataset rasterXSize="40" rasterYSize="40"></VRTDataset>')
    with pytest.raises(LocalError, match=r"d\.tif: is no TIFF"):
        cut(tmp_path / "d.tif")


def test_folders_hold_images_alone_and_apart(tmp_path) -> None:
    for name in ("sunlit", "shadowed"):
        (tmp_path / name).mkdir()
    values = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    for name in ("sunlit/a.png", "shadowed/b.png"):
        Image.fromarray(values).save(tmp_path / name)
    sets = [
        shadowed.images_in(below(tmp_path / name, CREDIT, f"source.psr_images.{name}"))
        for name in ("sunlit", "shadowed")
    ]
    with pytest.raises(LocalError, match=r"b\.png and .*a\.png are the same image"):
        shadowed.check_apart(*sets, "source.psr_images")
    Image.fromarray(values[::-1]).save(tmp_path / "sunlit/a.png")
    shadowed.check_apart(*sets, "source.psr_images")
    (tmp_path / "sunlit/notes.csv").write_text("file\n")
    (tmp_path / "sunlit/a.cub").write_bytes(b"x")
    with pytest.raises(LocalError, match=r"1 images .* and 1 other files \(a\.cub\)"):
        shadowed.images_in(below(tmp_path / "sunlit", CREDIT, "source.psr_images.sunlit"))


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("nac/M115143943RE_cal_echo_2_2.png", "M115143943"),
        ("M115143943_mosaic_train_small.png", "M115143943"),
        ("ch2_ohr_nrp_20210401T2358361939_d_img_d18_cut.tif", "ch2_ohr_nrp_20210401T2358361939"),
        ("ohrc_x1000_y94000_1.png", "ohrc"),
        ("ohrc_x0_y0_1_rotated_90.png", "ohrc"),
        ("my crater.png", "my crater"),
    ],
)
def test_scenes_by_name(name: str, scene: str) -> None:
    assert shadowed.scene_of(name) == scene


def images_of(folder: Path) -> dict[str, Path]:
    return shadowed.images_in(below(folder, CREDIT, "source.psr_images.shadowed"))


@pytest.mark.parametrize("beside", [False, True])
def test_calibrated_nac_images_are_read_as_they_are_archived(tmp_path: Path, beside: bool) -> None:
    numbers = np.random.default_rng(1).integers(-50, 4_000, (70, 96)).astype(np.int16)
    numbers[3, 4:9] = [-32_768, -32_767, -32_766, -32_765, -32_764]
    numbers[5, 5] = -32_752
    write_nac(tmp_path / "M115143943LC.IMG", numbers, beside=beside)
    ((name, path),) = images_of(tmp_path).items()
    assert name == "M115143943LC.IMG"
    (found,) = [each.arrays for each in shadowed.tiles_of(name, path, 1, 64, "f")][:1]
    expected = numbers[:64, :64].astype(np.float32)
    expected[3, 4:9] = np.nan
    np.testing.assert_array_equal(found["images"][0], expected)
    assert found["scene"][0] == "M115143943"
    assert found["full_scale"][0] == 32_767.0


def test_ohrc_images_are_read_as_they_are_archived(tmp_path: Path) -> None:
    numbers = np.random.default_rng(2).integers(0, 256, (40, 64)).astype(np.uint8)
    name = "ch2_ohr_ncp_20210401T2353_d_img_d18.img"
    write_ohrc(tmp_path / name, numbers)
    files = below(tmp_path, CREDIT, "f")
    found = shadowed.images_in(files)
    assert found == {name: tmp_path / f"{name[:-4]}.xml"}
    cuts = [each.arrays for each in shadowed.tiles_of(name, found[name], 1, 32, "f")]
    np.testing.assert_array_equal(cuts[0]["images"][1], numbers[:32, 32:])
    assert cuts[0]["scene"][0] == "ch2_ohr_ncp_20210401T2353"
    read = shadowed.files_read(files, found)
    assert set(read.values()) == {tmp_path / name, found[name]}, "a changed pixel and a changed label both count"


def test_raw_images_need_their_label_in_the_same_folder(tmp_path: Path) -> None:
    numbers = np.zeros((40, 40), np.uint8)
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "a.img").write_bytes(numbers.tobytes())
    with pytest.raises(
        LocalError, match=r"a.img: has no label, neither in it \(PDS3\) nor beside it \(a.xml or a.lbl\)"
    ):
        images_of(tmp_path / "lost")
    (tmp_path / "away").mkdir()
    write_ohrc(tmp_path / "away" / "a.img", numbers, "../lost/a.img")
    (path,) = images_of(tmp_path / "away").values()
    with pytest.raises(LocalError, match=r"a.xml: points to .*lost/a.img"):
        list(shadowed.tiles_of("a.img", path, 1, 32, "f"))
    (tmp_path / "other").mkdir()
    write_ohrc(tmp_path / "other" / "a.img", numbers)
    (tmp_path / "other" / "a.xml").write_text("<html/>")
    (path,) = images_of(tmp_path / "other").values()
    with pytest.raises(LocalError, match=r"a.xml: is no (readable raster|label of PDS3 or PDS4)"):
        list(shadowed.tiles_of("a.img", path, 1, 32, "f"))


def test_labels_and_notes_beside_pictures_are_no_images(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", np.zeros((40, 40), np.uint8))
    for name in ("a.lbl", "a.xml", "a.tif.aux.xml"):
        (tmp_path / name).write_text("PDS_VERSION_ID = PDS3")
    assert images_of(tmp_path) == {"a.tif": tmp_path / "a.tif"}
