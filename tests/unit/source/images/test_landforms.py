"""HiRISE landmarks: list and folder agree to the last name, or the error counts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.artefact.contracts import LANDFORM_CLASSES, LANDFORM_IMAGES
from lunarsite.artefact.images import Credit
from lunarsite.source.images import landforms
from lunarsite.source.images.members import ImageSet, below
from lunarsite.source.kinds import LocalError
from tests.layouts.images import CLASSES, LANDMARKS, save, write_landforms

CREDIT = Credit(title="HiRISE", licence="CC BY 4.0", citation="Wagstaff et al.")


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_landforms(tmp_path / "hirise-map-proj-v3")


def image_set(folder: Path) -> ImageSet:
    return below(folder, CREDIT, "hirise_landmarks_v3")


def relabel(folder: Path, change) -> None:
    path = folder / landforms.LABELS
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


def test_classes_are_the_published_ones() -> None:
    assert tuple(name for _, name in LANDFORM_CLASSES) == CLASSES


def test_names_tell_landmark_scene_and_variant(folder) -> None:
    found = {landform.name: landform for landform in landforms.landforms_of(image_set(folder))}
    assert len(found) == 7 * len(LANDMARKS)
    assert list(found) == sorted(found)
    turned = found["PSP_005714_1875_RED-0090-r180"]
    assert (turned.landmark, turned.scene) == ("PSP_005714_1875_RED-0090", "PSP_005714_1875")
    assert (turned.label, turned.variant) == (2, LANDFORM_IMAGES.class_number("variant", "r180"))
    original = found["PSP_005714_1875_RED-0090"]
    assert original.variant == LANDFORM_IMAGES.class_number("variant", "original")
    assert len({landform.scene for landform in found.values()}) == 4


def test_pictures_belong_to_their_names(folder) -> None:
    found = landforms.landforms_of(image_set(folder))
    blocks = list(landforms.blocks(found, "set"))
    arrays = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    assert set(arrays) == {array.name for array in LANDFORM_IMAGES.arrays}
    assert arrays["images"].shape == (35, 227, 227)
    at = {name: k for k, name in enumerate(arrays["name"])}
    name = "ESP_014156_1865_RED-0062"
    original, turned = arrays["images"][at[name]].astype(int), arrays["images"][at[f"{name}-r180"]].astype(int)
    assert np.abs(np.rot90(original, 2) - turned).mean() < 1.0  # JPEG
    bright = arrays["images"][at[f"{name}-brt"]].astype(int)
    assert (bright - original).mean() == pytest.approx(40.0, abs=1.0)


def test_list_and_folder_must_agree(folder) -> None:
    (folder / "map-proj-v3/ESP_014156_1865_RED-0062-fh.jpg").unlink()
    (folder / "map-proj-v3/ESP_014156_1865_RED-0063.jpg").unlink()
    save(folder / "map-proj-v3/ESP_000000_0000_RED-0001.jpg", np.zeros((227, 227), np.uint8))
    message = (
        r"of 35 listed pictures 2 are not in map-proj-v3 \(ESP_014156_1865_RED-0062-fh\.jpg, ESP_014156_1865_RED-0063"
        r"\.jpg\), and 1 there are not listed \(ESP_000000_0000_RED-0001\.jpg\)"
    )
    with pytest.raises(LocalError, match=message):
        landforms.landforms_of(image_set(folder))


def test_a_picture_that_is_not_listed_is_refused(folder) -> None:
    save(folder / "map-proj-v3/ESP_000000_0000_RED-0001.jpg", np.zeros((227, 227), np.uint8))
    with pytest.raises(LocalError, match=r"0 are not in map-proj-v3 \(none\), and 1 there are not listed"):
        landforms.landforms_of(image_set(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines, lines[0]], "line 36: .* stands there twice"),
        (lambda lines: [*lines[:-1], lines[-1][:-1] + "8"], "line 35: class 8 of .* is unknown"),
        (lambda lines: [*lines[:-1], lines[-1][:-1] + "6"], "is of class 6, other copies of .* are of class 7"),
        (lambda lines: [lines[0].replace(" ", ","), *lines[1:]], "line 1 .* is not 'name class'"),
        (lambda lines: ["../../etc/passwd 1", *lines], "line 1: '../../etc/passwd' is no name of a landmark"),
        (lambda lines: [line.replace("-r90", "-r45") for line in lines], "is no name of a landmark"),
        (lambda lines: [], "holds no labels"),
    ],
)
def test_broken_lists_are_refused(folder, change, message: str) -> None:
    relabel(folder, change)
    with pytest.raises(LocalError, match=message):
        landforms.landforms_of(image_set(folder))


@pytest.mark.parametrize(
    "text", ["0,other\n1,crater\n", "\n".join(f"{k},{n}" for k, n in enumerate(CLASSES[::-1])), "<html>", ""]
)
def test_another_class_map_is_refused(folder, text: str) -> None:
    (folder / landforms.CLASS_MAP).write_text(text)
    with pytest.raises(LocalError, match="names the classes"):
        landforms.landforms_of(image_set(folder))


def test_missing_lists_and_foreign_pictures_are_refused(folder) -> None:
    found = landforms.landforms_of(image_set(folder))
    save(found[3].path, np.zeros((227, 226), np.uint8))
    with pytest.raises(LocalError, match=rf"{found[3].name}\.jpg: has 227 x 226 pixels of 8 bits"):
        list(landforms.blocks(found, "set"))
    found[3].path.write_bytes(found[4].path.read_bytes()[:500])
    with pytest.raises(LocalError, match="no readable PNG or JPEG"):
        list(landforms.blocks(found, "set"))
    (folder / landforms.CLASS_MAP).unlink()
    with pytest.raises(LocalError, match="holds 0 files"):
        landforms.landforms_of(image_set(folder))


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_labels_or_the_declared_error(data: bytes) -> None:
    with suppress(LocalError):
        labels = landforms.parse_labels(data, "list")
        assert all(0 <= label <= 7 for label in labels.values())
    with suppress(LocalError):
        landforms.check_class_map(data, "map")
