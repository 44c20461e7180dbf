"""DeepMoon's files: both layouts give the same tiles, splits share no ground, and hostile files are refused."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite import command
from lunarsite.artefact import contracts, tiles
from lunarsite.source import deepmoon, hdf5
from lunarsite.source.deepmoon import split_by_longitude
from lunarsite.source.kinds import LocalError

from .deepmoon_files import COLUMNS, content, write_pandas, write_published, write_single

FIELD = "crater.pretraining_tiles"


def read_all(images: Path, craters: Path | None, least_px: float = 2.0, least_km: float = 5.0) -> list[deepmoon.Block]:
    with deepmoon.opened(images, craters, FIELD) as source:
        split = split_by_longitude(source.bounds_deg())
        return [block for _, block in source.blocks(split, least_px, least_km)]


def joined(blocks: list[deepmoon.Block], name: str) -> np.ndarray:
    return np.concatenate([block.per_tile[name] for block in blocks])


@pytest.fixture(scope="module")
def values() -> dict:
    return content(9)


def test_both_layouts_give_the_same_tiles(tmp_path: Path, values: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepmoon, "_BLOCK", 4)
    published = read_all(*write_published(tmp_path, values))
    single = read_all(write_single(tmp_path, values), None)
    kept = np.flatnonzero(np.arange(9) % 3 != 2)
    for blocks in (published, single):
        assert np.array_equal(np.concatenate([block.images for block in blocks]), values["images"][kept])
        assert np.array_equal(np.concatenate([block.masks for block in blocks]), values["masks"][kept])
        assert np.array_equal(joined(blocks, "longlat_bounds"), values["bounds"][kept])
        assert np.array_equal(joined(blocks, "pix_distortion"), values["distortion"][kept])
        assert np.array_equal(joined(blocks, "split"), (kept % 3 == 0).astype(float))
        craters = [table for block in blocks for table in block.craters]
        for number, table in zip(kept, craters, strict=True):
            expected = dict(zip(COLUMNS, values["tables"][number].T, strict=True))
            assert np.allclose(table["x_px"], expected["x"] - 0.5, atol=1e-4)
            assert np.allclose(table["y_px"], expected["y"] - 0.5, atol=1e-4)
            assert np.allclose(table["diameter_km"], expected["Diameter (km)"], atol=1e-4)
            assert np.allclose(table["lon"], expected["Long"], atol=1e-4)
    assert np.isnan(joined(published, "elev_min_m")).all()
    assert (joined(single, "elev_max_m") == 2000.0).all()


def test_scale_of_published_tiles(tmp_path: Path, values: dict) -> None:
    blocks = read_all(*write_published(tmp_path, values))
    km_per_px = joined(blocks, "km_per_px")
    kept = np.flatnonzero(np.arange(9) % 3 != 2)
    has_craters = np.array([len(values["tables"][k]) > 0 for k in kept])
    assert has_craters.any()
    assert not has_craters.all()
    assert np.allclose(km_per_px[has_craters], 1.2)
    # DeepMoon's formula: 10 degrees of latitude over 256 px times the distortion.
    expected = 10.0 * np.pi / 180.0 * 1737.4 / (256.0 * values["distortion"][kept])
    assert np.allclose(km_per_px[~has_craters], expected[~has_craters])
    assert np.allclose(joined(blocks, "least_diameter_px"), np.maximum(2.0, 5.0 / km_per_px))


@given(st.lists(st.tuples(st.floats(-180.0, 179.0), st.floats(1.0, 60.0)), min_size=2, max_size=60))
def test_no_training_tile_shares_longitudes_with_a_validation_tile(tiles_deg: list) -> None:
    bounds = np.array([[west, west + width, -1.0, 1.0] for west, width in tiles_deg])
    split = split_by_longitude(bounds)
    for west, east in bounds[split == 0, :2]:
        for other_west, other_east in bounds[split == 1, :2]:
            assert (other_west - west) % 360.0 >= east - west - 1e-9
            assert (west - other_west) % 360.0 >= other_east - other_west - 1e-9


def test_the_split_is_the_stated_one() -> None:
    west_east = [(0, 20), (0, 21), (-120, -100), (20, 119), (20, 121), (-1, 5), (240, 250), (140, 150)]
    bounds = np.array([[west, east, 0, 1] for west, east in west_east], dtype=float)
    assert split_by_longitude(bounds).tolist() == [1, -1, 1, 0, -1, -1, 1, 0]


def drop(key: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(key)


def put(key: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if key in file:
            del file[key]
        file[key] = value

    return change


def claim(key: str, shape: tuple[int, ...], dtype: str = "u1", **how: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[key]
        file.create_dataset(key, shape, dtype, **how)

    return change


def pickled(file: h5py.File) -> None:
    """What pandas makes of a column of strings."""
    key = "img_00000/block0_values"
    del file[key]
    data = file.create_dataset(key, (1,), dtype=h5py.vlen_dtype(np.uint8))
    data[0] = np.frombuffer(pickle.dumps([["bowl"]]), np.uint8)


def without_column(file: h5py.File) -> None:
    del file["img_00000"]
    write_pandas(file, "img_00000", np.ones((2, 5)), COLUMNS[:5])


def nan_crater(file: h5py.File) -> None:
    values = file["img_00000/block0_values"][:]
    values[1, 4] = np.nan
    file["img_00000/block0_values"][:] = values


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop("input_images"), "'input_images' is missing"),
        (drop("target_masks"), "'target_masks' is missing"),
        (drop("longlat_bounds/img_00004"), "longlat_bounds/img_00004' is missing"),
        (drop("pix_distortion_coefficient"), "pix_distortion_coefficient' is missing"),
        (claim("input_images", (9, 128, 128)), r"has shape \(9, 128, 128\)"),
        (claim("input_images", (9, 256, 256), "f4"), "holds float32"),
        (claim("input_images", (9, 256, 256), "u2"), "is not uint8"),
        (claim("input_images", (0, 256, 256)), "needed is"),
        (claim("input_images", (2_000_000, 256, 256), chunks=(1, 256, 256)), "N up to 1000000"),
        (
            claim("input_images", (9, 256, 256), maxshape=(None, 256, 256), chunks=(9000, 256, 256)),
            "has chunks of 5.9e",
        ),
        (claim("target_masks", (8, 256, 256)), "has shape"),
        (claim("target_masks", (9, 256, 256), "c8"), "holds complex64"),
        (claim("longlat_bounds/img_00000", (10**12,), "f8", chunks=(1024,)), "needed are 4 numbers"),
        (put("longlat_bounds/img_00000", np.array([5.0, 4.0, 0.0, 1.0])), "longlat_bounds' of tile 0 is"),
        (put("longlat_bounds/img_00001", np.array([1.0, 4.0, 0.0, 91.0])), "longlat_bounds' of tile 1 is"),
        (put("longlat_bounds/img_00001", np.full(4, np.nan)), "longlat_bounds' of tile 1 is"),
        (put("pix_distortion_coefficient/img_00001", np.array([0.0])), "of tile 1 is 0"),
        (put("target_masks", h5py.SoftLink("/input_images")), "'target_masks' is a link"),
        (put("input_images", h5py.ExternalLink("other.hdf5", "/input_images")), "'input_images' is a link"),
        (claim("target_masks", (9, 256, 256), "u1", external=[("x", 0, h5py.h5f.UNLIMITED)]), "in other files"),
    ],
)
def test_hostile_image_files(tmp_path: Path, values: dict, damage: Callable, words: str) -> None:
    images, craters = write_published(tmp_path, values)
    with h5py.File(images, "r+") as file:
        damage(file)
    with pytest.raises(LocalError, match=words) as error:
        read_all(images, craters)
    assert f"{FIELD}.images: {images}" in str(error.value)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop("img_00003"), "has 8 crater tables, .* has 9 tiles"),
        (drop("img_00000/block0_values"), "img_00000/block0_values' is missing"),
        (drop("img_00000/block0_items"), "lacks the column 'x'"),
        (without_column, "lacks the column 'y'"),
        (nan_crater, "img_00000/x_px' of crater 1 is nan"),
        (pickled, "objects that only unpickling would open"),
        (put("img_00000/block0_values", np.ones((6, 3))), r"has shape \(6, 3\)"),
        (put("img_00000/block0_values", -np.ones((3, 6))), "diameter_px' of crater 0 is -1"),
        (claim("img_00000/block0_values", (10**9, 6), "f8", chunks=(1024, 6)), "up to 100000 rows"),
        (put("img_00000", h5py.SoftLink("/img_00001")), "img_00000' is a link"),
        (put("img_00000", np.ones(3)), "img_00000' is a dataset"),
    ],
)
def test_hostile_crater_files(tmp_path: Path, values: dict, damage: Callable, words: str) -> None:
    images, craters = write_published(tmp_path, values)
    with h5py.File(craters, "r+") as file:
        damage(file)
    with pytest.raises(LocalError, match=words) as error:
        read_all(images, craters)
    assert f"{FIELD}.craters: {craters}" in str(error.value)


def test_a_single_file_with_bad_craters_or_none(tmp_path: Path, values: dict) -> None:
    path = write_single(tmp_path, values)
    with h5py.File(path, "r+") as file:
        del file["craters/img_00000/lat"]
        file["craters/img_00000/lat"] = np.ones(7, "f4")
    with pytest.raises(LocalError, match="needed is one length"):
        read_all(path, None)
    images, _ = write_published(tmp_path, values)
    with pytest.raises(LocalError, match=r"name it in crater\.pretraining_tiles\.craters"):
        read_all(images, None)


def test_truncated_absent_and_other_files(tmp_path: Path, values: dict) -> None:
    images, craters = write_published(tmp_path, values)
    data = craters.read_bytes()
    craters.write_bytes(data[: len(data) // 2])
    with pytest.raises(LocalError, match="copy it again"):
        read_all(images, craters)
    craters.write_text("no HDF5")
    with pytest.raises(LocalError, match="no readable HDF5"):
        read_all(images, craters)
    with pytest.raises(LocalError, match="does not exist"):
        read_all(tmp_path / "absent.h5", None)


def test_blocks_are_bounded(tmp_path: Path, values: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_single(tmp_path, values)
    monkeypatch.setattr(hdf5, "_MOST_BYTES", 3 * 256 * 256)
    with pytest.raises(LocalError, match="are read at once"):
        read_all(path, None)
    monkeypatch.setattr(deepmoon, "_BLOCK", 3)
    assert sum(len(block.images) for block in read_all(path, None)) == 6


def run(tmp_path: Path, images: Path, craters: Path | None) -> int:
    inputs = [f"images_file={images}", *([f"craters_file={craters}"] if craters else [])]
    settings = {"pretraining_tiles": {"least_diameter_km": 5.0}}
    out = ["--out", f"tiles={tmp_path / 'out.h5'}"]
    return command.main(["source-deepmoon", "--in", *inputs, *out, "--settings", json.dumps(settings)])


def test_the_stage_leaves_tiles_that_keep_the_contract(tmp_path: Path, values: dict) -> None:
    assert run(tmp_path, *write_published(tmp_path, values)) == 0
    tiles.validate(tmp_path / "out.h5", contracts.CRATER_TILES)
    with tiles.opened(tmp_path / "out.h5", contracts.CRATER_TILES) as source:
        assert source.stamp.origin == "local"
        assert source.read("split", slice(None)).tolist() == [1, 0, 1, 0, 1, 0]
        assert len(source.craters(0)["x_px"]) == 3


@pytest.mark.parametrize("lat_deg", [(-80.0, -74.0), (70.0, 75.0)])
def test_the_stage_leaves_out_tiles_that_reach_a_cap(
    tmp_path: Path, values: dict, lat_deg: tuple[float, float], capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = values["bounds"].copy()
    bounds[3, 2:] = lat_deg
    assert run(tmp_path, *write_published(tmp_path, {**values, "bounds": bounds})) == 0
    assert "3 straddle a border and 1 reach 75 degrees of latitude" in capsys.readouterr().err
    with tiles.opened(tmp_path / "out.h5", contracts.CRATER_TILES) as source:
        assert source.read("split", slice(None)).tolist() == [1, 0, 0, 1, 0]
        assert np.abs(source.read("longlat_bounds", slice(None))[:, 2:]).max() < 75.0


def test_the_stage_refuses_tiles_of_one_split_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(tmp_path, *write_published(tmp_path, content(1))) == command.EXIT_ARTEFACT
    assert not (tmp_path / "out.h5").exists()
