"""Files of images: streamed, the same bytes whatever the blocks, and closed to what breaks the contract."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact import images
from lunarsite.artefact.images import Credit, ImagesSpec, PerImage, Stack
from lunarsite.artefact.stamp import ArtefactError

from .conftest import make_stamp

SPEC = ImagesSpec(
    "scenes",
    (
        Stack("images", "uint8", ("height", "width", 3)),
        Stack("masks", "uint8", ("height", "width"), ((0, "ground"), (1, "rock"), (255, "unknown"))),
    ),
    (
        PerImage("name", "string"),
        PerImage("label", "uint8", classes=((0, "a"), (1, "b"))),
        PerImage("share", "float64"),
    ),
)
STAMP = make_stamp("scenes")
CREDIT = Credit(title="Scenes", licence="CC BY 4.0", citation="Nobody (2000)")
SIDES = {"height": 4, "width": 6}


def content(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "images": generator.integers(0, 256, (count, 4, 6, 3), dtype=np.uint8),
        "masks": generator.choice(np.array([0, 1, 255], dtype=np.uint8), (count, 4, 6)),
        "name": np.array([f"ö{'x' * k}" for k in range(count)], dtype=object),
        "label": generator.integers(0, 2, count, dtype=np.uint8),
        "share": generator.random(count),
    }


def write(path: Path, blocks: list[int], seed: int = 0, **changes: np.ndarray) -> dict[str, np.ndarray]:
    arrays = content(sum(blocks), seed) | changes
    with images.creating(path, SPEC, STAMP, CREDIT, SIDES) as writer:
        start = 0
        for count in blocks:
            writer.append({name: values[start : start + count] for name, values in arrays.items()})
            start += count
    return arrays


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(lambda blocks: sum(blocks) > 0), st.integers(0, 99))
def test_round_trip_in_any_blocks(tmp_path_factory, blocks: list[int], seed: int) -> None:
    path = tmp_path_factory.mktemp("images") / "i.h5"
    arrays = write(path, blocks, seed)
    with images.opened(path, SPEC) as source:
        assert (len(source), source.stamp, source.credit) == (sum(blocks), STAMP, CREDIT)
        assert source.sides("images") == (4, 6, 3)
        for name, values in arrays.items():
            assert np.array_equal(source.read(name), values)
            assert np.array_equal(source.read(name, slice(1, 3)), values[1:3])
    images.validate(path, SPEC)
    assert images.read_stamp(path) == STAMP


def test_bytes_are_a_function_of_the_content(tmp_path) -> None:
    write(tmp_path / "a.h5", [5])
    write(tmp_path / "b.h5", [2, 3])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_file_tells_its_classes_and_what_was_left_out(tmp_path) -> None:
    with images.creating(tmp_path / "i.h5", SPEC, STAMP, CREDIT, SIDES) as writer:
        writer.append(content(1))
        writer.notes = "Left out: two."
    with h5py.File(tmp_path / "i.h5") as file:
        assert json.loads(file.attrs["lunarsite_classes"])["masks"] == {"0": "ground", "1": "rock", "255": "unknown"}
    with images.opened(tmp_path / "i.h5", SPEC) as source:
        assert source.credit == CREDIT.model_copy(update={"notes": "Left out: two."})
    assert SPEC.class_number("masks", "rock") == 1
    with pytest.raises(ArtefactError, match="no class 'sky'"):
        SPEC.class_number("masks", "sky")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masks": np.full((1, 4, 6), 2, dtype=np.uint8)}, "'masks' holds 2, classes are 0 ground"),
        ({"label": np.array([7], dtype=np.uint8)}, "'label' holds 7"),
        ({"images": np.zeros((1, 4, 5, 3), dtype=np.uint8)}, "'images' is uint8"),
        ({"images": np.zeros((1, 4, 6, 3), dtype=np.float32)}, "'images' is float32"),
        ({"share": np.zeros(2)}, "'share' is float64"),
        ({"name": np.array(["a", "b"], dtype=object)}, "2 values of 'name' for 1"),
        ({"name": np.array(["a\0"], dtype=object)}, "ends with a zero"),
        ({"more": np.zeros(1)}, "has"),
    ],
)
def test_what_breaks_the_contract_is_not_written(tmp_path, changes: dict[str, np.ndarray], message: str) -> None:
    with (
        pytest.raises(ArtefactError, match=message),
        images.creating(tmp_path / "i.h5", SPEC, STAMP, CREDIT, SIDES) as writer,
    ):
        writer.append(content(1) | changes)
    assert not list(tmp_path.iterdir())


def test_empty_and_blank_files_are_refused(tmp_path) -> None:
    with pytest.raises(ArtefactError, match="holds no images"):
        write(tmp_path / "i.h5", [0])
    write(tmp_path / "i.h5", [1], images=np.zeros((1, 4, 6, 3), dtype=np.uint8))
    with pytest.raises(ArtefactError, match="blank"):
        images.validate(tmp_path / "i.h5", SPEC)
    with (
        pytest.raises(ArtefactError, match="sides of 1 to"),
        images.creating(tmp_path / "i.h5", SPEC, STAMP, CREDIT, {"height": 1 << 20, "width": 1}),
    ):
        pass


def replace(file: h5py.File, name: str, **dataset: object) -> None:
    del file[name]
    file.create_dataset(name, **dataset)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: replace(f, "masks", data=np.zeros((3, 4, 7), np.uint8)), "'masks' is uint8"),
        (lambda f: replace(f, "images", shape=(1 << 40, 4, 6, 3), dtype="u1", chunks=(1, 4, 6, 3)), "claims"),
        (
            lambda f: replace(f, "images", shape=(3, 1 << 15, 6, 3), dtype="u1", chunks=(1, 4, 6, 3)),
            "'images' is uint8",
        ),
        (lambda f: replace(f, "images", shape=(3, 4, 6, 3), dtype="u1", chunks=(1, 4, 6, 3)), "blank"),
        (lambda f: replace(f, "label", data=np.zeros(3)), "'label' is float64"),
        (lambda f: replace(f, "label", data=np.full(3, 9, np.uint8)), "'label' holds 9"),
        (lambda f: replace(f, "name", data=["a", "b", "c"]), "'name' holds object"),
        (lambda f: replace(f, "name", data=np.array([b"\xff"] * 3)), "no UTF-8"),
        (lambda f: replace(f, "name", data=np.array([b"x" * 20_000] * 3)), "text of 20000 bytes"),
        (lambda f: replace(f, "share", data=np.zeros(2)), "'share' is float64"),
        (lambda f: f.__delitem__("masks"), "absent"),
        (lambda f: (f.__delitem__("masks"), f.__setitem__("masks", h5py.ExternalLink("o.h5", "m"))), "a link"),
        (lambda f: f.attrs.__delitem__("lunarsite_credit"), "whose images"),
        (lambda f: f.attrs.__setitem__("lunarsite_credit", '{"title": 1}'), "whose images"),
        (lambda f: f.attrs.__delitem__("lunarsite_stamp"), "no lunarsite stamp"),
    ],
)
def test_broken_files_are_refused(tmp_path, damage, message: str) -> None:
    write(tmp_path / "i.h5", [3])
    with h5py.File(tmp_path / "i.h5", "r+") as file:
        damage(file)
    with pytest.raises(ArtefactError, match=message):
        images.validate(tmp_path / "i.h5", SPEC)


def test_missing_truncated_and_foreign_files_are_refused(tmp_path) -> None:
    with pytest.raises(ArtefactError, match="does not exist"):
        images.validate(tmp_path / "i.h5", SPEC)
    write(tmp_path / "i.h5", [3])
    whole = (tmp_path / "i.h5").read_bytes()
    (tmp_path / "i.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtefactError, match="no readable HDF5"):
        images.validate(tmp_path / "i.h5", SPEC)
    (tmp_path / "i.h5").write_bytes(b"text")
    with pytest.raises(ArtefactError, match="no readable HDF5"):
        images.read_stamp(tmp_path / "i.h5")
