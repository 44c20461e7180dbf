"""Tile files with craters: streamed, the same bytes whatever the blocks, and closed to what breaks the contract."""

import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import contracts, tiles
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.artefact.tiles import CRATER_FIELDS, TilesSpec

from .conftest import make_stamp

SPEC = TilesSpec("crater_tiles", 8, (("km_per_px", ()), ("longlat_bounds", (4,))), craters=True)
STAMP = make_stamp("crater_tiles")


def content(count: int, seed: int = 0) -> tuple:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 8, 8), dtype=np.uint8)
    per_tile = {"km_per_px": generator.random(count), "longlat_bounds": generator.random((count, 4))}
    craters = [
        {name: (1.0 + generator.random(k)).astype(np.float32) for name in CRATER_FIELDS}
        for k in generator.integers(0, 4, count)
    ]
    return images, (images > 128).astype(np.uint8), per_tile, craters


def write(path: Path, blocks: list[int], seed: int = 0) -> tuple:
    images, masks, per_tile, craters = content(sum(blocks), seed)
    with tiles.creating(path, SPEC, STAMP) as writer:
        start = 0
        for count in blocks:
            part = slice(start, start + count)
            writer.append(images[part], masks[part], {k: v[part] for k, v in per_tile.items()}, craters[part])
            start += count
    return images, masks, per_tile, craters


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(lambda blocks: sum(blocks) > 0), st.integers(0, 99))
def test_round_trip_in_any_blocks(tmp_path_factory, blocks: list[int], seed: int) -> None:
    path = tmp_path_factory.mktemp("tiles") / "t.h5"
    images, masks, per_tile, craters = write(path, blocks, seed)
    with tiles.opened(path, SPEC) as source:
        whole = slice(None)
        assert len(source) == sum(blocks)
        assert np.array_equal(source.read("input_images", whole), images)
        assert np.array_equal(source.read("target_masks", whole), masks)
        for name, values in per_tile.items():
            assert np.array_equal(source.read(name, whole), values)
        for index, table in enumerate(craters):
            found = source.craters(index)
            assert tuple(found) == CRATER_FIELDS
            assert all(np.array_equal(found[name], table[name]) for name in CRATER_FIELDS)
    tiles.validate(path, SPEC)


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", [7])
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    write(tmp_path / "b.h5", [7])
    write(tmp_path / "c.h5", [7], seed=1)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "c.h5").read_bytes()


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    write(path, [2])
    before = path.read_bytes()
    with pytest.raises(RuntimeError), tiles.creating(path, SPEC, STAMP) as writer:
        writer.append(*content(3))
        raise RuntimeError("stop")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def changed(**changes: object) -> tuple:
    images, masks, per_tile, craters = content(2)
    values = {"images": images, "masks": masks, "per_tile": per_tile, "craters": craters} | changes
    return values["images"], values["masks"], values["per_tile"], values["craters"]


GOOD = {name: np.ones(2, dtype=np.float32) for name in CRATER_FIELDS}


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (changed(images=np.zeros((2, 8, 9), np.uint8)), "'input_images' has shape"),
        (changed(images=np.zeros((2, 8, 8), np.int16)), "needs uint8|before it was"),
        (changed(masks=np.zeros((1, 8, 8), np.uint8)), "'target_masks' has shape"),
        (changed(per_tile={"km_per_px": np.ones(2)}), "arrays .* given"),
        (changed(craters=[]), "craters of 0 tiles given for 2"),
        (changed(craters=[GOOD, {"x_px": np.ones(1)}]), "needed are"),
        (changed(craters=[GOOD, GOOD | {"lat": np.ones(3)}]), "no common length"),
        (changed(craters=[GOOD, GOOD | {"lat": np.array([1.0, np.nan])}]), "img_00001/lat' holds nan"),
        (changed(craters=[GOOD, GOOD | {"diameter_px": np.array([1.0, 0.0])}]), "img_00001/diameter_px' holds 0"),
    ],
)
@pytest.mark.parametrize("earlier", [True, False])
def test_blocks_that_break_the_contract(tmp_path: Path, block: tuple, words: str, earlier: bool) -> None:
    words = words.replace("img_00001", "img_0000[13]")
    with pytest.raises(ArtefactError, match=words), tiles.creating(tmp_path / "t.h5", SPEC, STAMP) as writer:
        if earlier:
            writer.append(*content(2))
        writer.append(*block)
    assert not list(tmp_path.iterdir())


def test_types_stay_the_same_and_a_file_without_tiles_is_none(tmp_path: Path) -> None:
    images, masks, per_tile, craters = content(2)
    words = "'km_per_px' is float32, before it was float64"
    with pytest.raises(ArtefactError, match=words), tiles.creating(tmp_path / "t.h5", SPEC, STAMP) as writer:
        writer.append(images, masks, per_tile, craters)
        writer.append(images, masks, per_tile | {"km_per_px": np.ones(2, np.float32)}, craters)
    with pytest.raises(ArtefactError, match="no tiles"), tiles.creating(tmp_path / "t.h5", SPEC, STAMP):
        pass


def replace(file: h5py.File, name: str, values: object, **how: object) -> None:
    del file[name]
    file.create_dataset(name, data=values, **how)


def external(file: h5py.File) -> None:
    del file["km_per_px"]
    file.create_dataset("km_per_px", (3,), "f8", external=[("other.bin", 0, h5py.h5f.UNLIMITED)])


def soft(file: h5py.File) -> None:
    del file["craters/img_00001"]
    file["craters/img_00001"] = h5py.SoftLink("/craters/img_00000")


def elsewhere(file: h5py.File) -> None:
    del file["km_per_px"]
    file["km_per_px"] = h5py.ExternalLink("other.h5", "/km_per_px")


def huge(file: h5py.File) -> None:
    for name in ("input_images", "target_masks"):
        del file[name]
        file.create_dataset(name, (2_000_000, 8, 8), "u1", chunks=(1, 8, 8))


def huge_chunks(file: h5py.File) -> None:
    del file["input_images"]
    file.create_dataset("input_images", (3, 8, 8), "u1", maxshape=(None, 8, 8), chunks=(2_000_000, 8, 8))


def many_craters(file: h5py.File) -> None:
    for name in CRATER_FIELDS:
        del file[f"craters/img_00001/{name}"]
        file.create_dataset(f"craters/img_00001/{name}", (10**12,), "f4", chunks=(1024,))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.__delitem__("craters"), "lacks"),
        (lambda file: file.__delitem__("craters/img_00001"), "2 crater groups for 3"),
        (lambda file: file["craters"].move("img_00001", "image"), "craters/img_00001' is absent"),
        (lambda file: file.__delitem__("craters/img_00001/lat"), "img_00001/lat' is absent"),
        (lambda file: replace(file, "craters/img_00001/lat", np.ones((2, 2), "f4")), "of one length"),
        (lambda file: replace(file, "craters/img_00001/lat", np.full(3, np.nan, "f4")), "of one length|holds nan"),
        (lambda file: replace(file, "km_per_px", np.array([b"a", b"b", b"c"])), "needed are numbers"),
        (soft, "a link"),
        (elsewhere, "lacks|a link"),
        (external, "in other files"),
        (huge, "claims 2000000 tiles"),
        (huge_chunks, "chunks of 128000000 bytes"),
        (many_craters, "claims 1000000000000 craters"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Callable[[h5py.File], None], words: str) -> None:
    path = tmp_path / "t.h5"
    write(path, [3])
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(ArtefactError, match=words) as error:
        tiles.validate(path, SPEC)
    assert str(path) in str(error.value)


def test_questions_that_have_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.h5"
    write(path, [3])
    with tiles.opened(path, SPEC) as source:
        for index in (-1, 3):
            with pytest.raises(ArtefactError, match="no craters of tile"):
                source.craters(index)
        with pytest.raises(ArtefactError, match="no array 'craters'"):
            source.read("craters", slice(None))
        monkeypatch.setattr(tiles, "_MOST_BLOCK_BYTES", 2 * 64)
        assert source.read("input_images", slice(1, 3)).shape == (2, 8, 8)
        with pytest.raises(ArtefactError, match="192 bytes of 'input_images' at once"):
            source.read("input_images", slice(None))


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    write(path, [40])
    data = path.read_bytes()
    for share in (0.0, 0.3, 0.9):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ArtefactError, match="make the tiles again"):
            tiles.validate(path, SPEC)


def test_the_crater_contract_has_craters() -> None:
    assert contracts.CRATER_TILES.craters
    assert "split" in dict(contracts.CRATER_TILES.per_tile)
