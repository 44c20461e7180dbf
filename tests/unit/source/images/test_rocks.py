"""The rock dataset: classes by colour, pairs by name, and sets that do not hold together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lunarsite.source.images import rocks
from lunarsite.source.images.members import ImageSet, below
from lunarsite.source.kinds import LocalError
from tests.layouts.images import BLUE, GREEN, RED, landscape, save

H, W = 60, 90


def small_set(folder: Path, count: int = 6) -> Path:
    """Write the layout with small pictures: sky above, a large and a small rock."""
    for number in range(1, count + 1):
        clean = np.zeros((H, W, 3), np.uint8)
        clean[:20], clean[30:40, 10:20], clean[50:53, 40:43] = RED, BLUE, GREEN
        image = np.full((H, W, 3), 120, np.uint8)
        image[:20] = 0
        save(folder / f"images/render/render{number:04d}.png", image)
        for kind in ("clean", "ground"):
            save(folder / f"images/{kind}/{kind}{number:04d}.png", clean)
    for name in ("PCAM1", "PCAM12", "TCAM21"):
        save(folder / f"real_moon_images/{name}.png", image)
        save(folder / f"real_moon_images/g_{name}.png", clean)
    return folder


def image_set(folder: Path) -> ImageSet:
    return below(folder, rocks.CREDIT, "source.rock_images.folder")


def read(folder: Path, longest_side_px: int = 720, most_unknown_share: float = 0.02) -> list[rocks.Scene]:
    pairs, _ = rocks.pairs_of(image_set(folder), "clean")
    rocks.sizes_of(pairs, longest_side_px, "set")
    return list(rocks.RockReader("set", longest_side_px, most_unknown_share).scenes(pairs))


def photograph(folder: Path, name: str) -> NDArray[np.uint8]:
    """Write a photograph with a black sky that its mask leaves out, a rock that was drawn in it, and one on the ground.

    Returns the mask that is read.
    """
    image = np.full((H, W, 3), 120, np.uint8)
    image[:20] = 0
    image[40:44] = 0
    drawn = np.zeros((H, W, 3), np.uint8)
    drawn[18:22, 30:40], drawn[50:53, 40:43] = BLUE, GREEN
    save(folder / f"real_moon_images/{name}.png", image)
    save(folder / f"real_moon_images/g_{name}.png", drawn)
    (scene,) = read(folder)
    return scene.mask


def test_a_sky_that_nobody_drew_is_unknown(tmp_path: Path) -> None:
    found = photograph(tmp_path, "TCAM21")
    assert (found[:18] == 255).all()
    assert (found[18:22, 30:40] == 2).all(), "a rock before it was drawn, and stays"
    assert (found[18:20, :30] == 255).all()
    assert (found[40:44] == 0).all(), "a shadow is ground"
    assert (found[22:] != 255).all()
    assert (photograph(tmp_path / "other", "TCAM22") != 255).all(), "of others the mask is believed"


def test_what_may_be_seen_in_another_scene_is_unknown(tmp_path: Path) -> None:
    found = photograph(tmp_path, "PCAM13")
    rows = round(0.2 * H)
    assert (found[:rows] == 255).all()
    assert (found[rows:] != 255).all()
    assert (photograph(tmp_path / "other", "PCAM14") != 255).all()


def test_classes_of_the_published_colours() -> None:
    colours = np.array([(0, 0, 0), GREEN, BLUE, RED, (225, 3, 0), (8, 4, 9), (4, 3, 251)], np.uint8)
    assert rocks.nearest_classes(colours).tolist() == [0, 1, 2, 3, 3, 0, 2]
    far = np.array([(128, 0, 0), (255, 255, 255), (128, 128, 128), (200, 200, 0)], np.uint8)
    assert rocks.nearest_classes(far).tolist() == [255] * 4


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_classes_are_the_nearest_colours(colour: tuple[int, int, int]) -> None:
    distance = {number: np.linalg.norm(np.subtract(colour, known)) for number, known in rocks.PALETTE.items()}
    nearest = min(distance, key=lambda number: distance[number])
    wanted = nearest if distance[nearest] <= 100.0 else 255
    assert rocks.nearest_classes(np.array([[colour]], np.uint8)).tolist() == [[wanted]]


def test_noisy_masks_have_the_classes_of_clean_ones() -> None:
    _, clean, ground = landscape(3, 480, 720)
    differ = rocks.nearest_classes(clean) != rocks.nearest_classes(ground)
    assert differ.sum() == 9  # the tiny rock that 'clean' leaves out
    assert not (rocks.nearest_classes(ground) == 255).any()


def test_a_set_is_read_in_order(tmp_path) -> None:
    scenes = read(small_set(tmp_path))
    names = [scene.pair.name for scene in scenes]
    assert names == [*(f"render{n:04d}" for n in range(1, 7)), "PCAM1", "PCAM12", "TCAM21"]
    # Photographs that overlap have one scene.
    assert [scene.pair.scene for scene in scenes][-3:] == ["PCAM1", "PCAM1", "TCAM1"]
    assert [scene.pair.kind for scene in scenes] == [0] * 6 + [1] * 3
    assert [scene.pair.mask_kind for scene in scenes] == [0] * 6 + [2] * 3
    mask = scenes[0].mask
    assert (mask[:20] == 3).all()
    assert {number: int((mask == number).sum()) for number in (1, 2)} == {1: 9, 2: 100}
    assert (scenes[0].image[20:] == 120).all()


def test_reduction_averages_pictures_and_takes_masks_as_they_are(tmp_path) -> None:
    folder = small_set(tmp_path)
    stripes = np.zeros((H, W, 3), np.uint8)
    stripes[20:, ::2] = 200
    save(folder / "images/render/render0001.png", stripes)
    scene = read(folder, 45)[0]
    assert scene.mask.shape == (30, 45)
    assert (scene.image[10:] == 100).all()
    assert (scene.image[:10] == 0).all()
    assert (scene.mask[:10] == 3).all()
    with Image.open(folder / "images/clean/clean0001.png") as picture:
        whole = rocks.nearest_classes(np.asarray(picture))
    assert np.array_equal(scene.mask, whole[1::2, 1::2])
    assert rocks.reduced_size((571, 777), 720) == (529, 720)
    assert rocks.reduced_size((480, 720), 720) == (480, 720)
    assert rocks.reduced_size((10, 5_000), 64) == (1, 64)


def test_padding_is_told(tmp_path) -> None:
    folder = small_set(tmp_path)
    save(folder / "real_moon_images/PCAM1.png", np.full((30, 40, 3), 90, np.uint8))
    save(folder / "real_moon_images/g_PCAM1.png", np.zeros((30, 40, 3), np.uint8))
    arrays = rocks.padded(read(folder), H, W)
    k = list(arrays["name"]).index("PCAM1")
    assert (arrays["valid_height"][k], arrays["valid_width"][k]) == (30, 40)
    assert (arrays["masks"][k, :30, :40] == 0).all()
    assert (arrays["masks"][k, 30:] == 255).all()
    assert (arrays["masks"][k, :, 40:] == 255).all()
    assert not arrays["images"][k, 30:].any()


def test_either_takes_the_other_mask(tmp_path) -> None:
    folder = small_set(tmp_path)
    (folder / "images/clean/clean0002.png").unlink()
    with pytest.raises(LocalError, match=r"1 pictures have no mask \(render0002\.png\) and 0 masks no picture"):
        rocks.pairs_of(image_set(folder), "clean")
    pairs, _ = rocks.pairs_of(image_set(folder), "either")
    assert [pair.mask_kind for pair in pairs][:3] == [0, 1, 0]
    assert {pair.mask_kind for pair in rocks.pairs_of(image_set(folder), "ground")[0]} == {1, 2}


@pytest.mark.parametrize("gone", ["images/render/render0003.png", "real_moon_images/PCAM1.png"])
def test_masks_without_pictures_are_counted(tmp_path, gone: str) -> None:
    folder = small_set(tmp_path)
    (folder / gone).unlink()
    with pytest.raises(LocalError, match=r"0 pictures have no mask .* and 1 masks no picture"):
        rocks.pairs_of(image_set(folder), "clean")


def test_known_foreign_masks_are_left_out_and_told(tmp_path) -> None:
    folder = small_set(tmp_path)
    for part in ("render", "clean"):
        (folder / f"images/{part}/{part}0006.png").rename(folder / f"images/{part}/{part}5206.png")
    pairs, left_out = rocks.pairs_of(image_set(folder), "clean")
    assert left_out == ("render5206",)
    assert len(pairs) == 8


def test_another_folder_is_no_dataset(tmp_path) -> None:
    save(tmp_path / "holiday.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(LocalError, match="none of 1 files is images/render/"):
        rocks.pairs_of(image_set(tmp_path), "clean")
    with pytest.raises(LocalError, match="does not exist as a folder"):
        image_set(tmp_path / "absent")
    small_set(tmp_path / "a")
    small_set(tmp_path / "b")
    with pytest.raises(LocalError, match="is there twice"):
        rocks.pairs_of(image_set(tmp_path), "clean")


def test_a_mask_of_another_size_is_named(tmp_path) -> None:
    folder = small_set(tmp_path)
    save(folder / "images/clean/clean0004.png", np.zeros((H, W - 1, 3), np.uint8))
    with pytest.raises(
        LocalError, match=r"clean0004\.png: has 60 x 89 pixels, its picture .*render0004\.png has 60 x 90"
    ):
        read(folder)


def test_unknown_colours_are_refused_beyond_a_share(tmp_path) -> None:
    folder = small_set(tmp_path)
    mask = np.zeros((H, W, 3), np.uint8)
    mask[40:] = 255
    save(folder / "images/clean/clean0004.png", mask)
    with pytest.raises(LocalError, match=r"clean0004\.png: 33\.3% of it is far from every colour"):
        read(folder)
    scene = read(folder, most_unknown_share=0.5)[3]
    assert scene.unknown_share == pytest.approx(1 / 3)
    assert (scene.mask[40:] == 255).all()


def test_grey_masks_are_refused_and_palette_masks_read(tmp_path) -> None:
    folder = small_set(tmp_path)
    place = folder / "images/clean/clean0004.png"
    with Image.open(place) as picture:
        picture.quantize(8).save(place)
    assert len(read(folder)) == 9
    save(place, np.zeros((H, W), np.uint8))
    with pytest.raises(LocalError, match=r"clean0004\.png: is grey, and which level means which class is not told"):
        read(folder)


def test_damaged_files_are_refused_not_skipped(tmp_path) -> None:
    folder = small_set(tmp_path)
    place = folder / "images/render/render0002.png"
    place.write_bytes(place.read_bytes()[:-30])
    with pytest.raises(LocalError, match=r"render0002\.png: is no readable PNG"):
        read(folder)


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1), (2, 1, 0), (1, 0, 2)])
def test_rotated_classes_are_refused(tmp_path, order: tuple[int, int, int]) -> None:
    """The rocks are those of the set: what is then taken for sky is less than two hundredths of a mask."""
    folder = small_set(tmp_path)
    for place in (*(folder / "images/clean").iterdir(), *(folder / "real_moon_images").glob("g_*")):
        with Image.open(place) as picture:
            changed = np.asarray(picture)[:, :, list(order)]
        assert 0.001 < (changed == RED).all(axis=2).mean() < 0.02
        save(place, changed)
    for place in (folder / "images/render").iterdir():  # so that it is not the brightness that tells
        save(place, np.zeros((H, W, 3), np.uint8))
    with pytest.raises(LocalError, match=r"upper half of 0 of 9 masks only: the classes are rotated, or channels"):
        read(folder)


def doubt(folder: Path) -> str:
    reader = rocks.RockReader("set", 720, 0.02)
    list(reader.scenes(rocks.pairs_of(image_set(folder), "clean")[0]))
    return reader.doubt


@pytest.mark.parametrize(("masks", "sky_rows", "above"), [(4, 20, 4), (4, -20, 0), (0, 0, 0)])
def test_where_hardly_a_mask_shows_sky_doubt_is_told(tmp_path, masks: int, sky_rows: int, above: int) -> None:
    folder = small_set(tmp_path)
    assert doubt(folder) == ""
    places = [*sorted((folder / "images/clean").iterdir()), *sorted((folder / "real_moon_images").glob("g_*"))]
    for number, place in enumerate(places):
        mask = np.zeros((H, W, 3), np.uint8)
        mask[40, 30:35] = RED  # specks, below a thousandth of the mask
        if number < masks:
            mask[slice(0, sky_rows) if sky_rows > 0 else slice(sky_rows, None)] = RED
        save(place, mask)
    for place in (folder / "images/render").iterdir():
        save(place, np.zeros((H, W, 3), np.uint8))
    assert doubt(folder) == (
        f"set: {masks} of 9 masks show sky (red), {above} of them above: 5 are needed to tell whether classes are"
        " rotated or channels swapped; look at the masks"
    )


def test_a_fifth_mask_with_a_little_sky_settles_it(tmp_path) -> None:
    folder = small_set(tmp_path)
    for number in range(1, 7):
        mask = np.zeros((H, W, 3), np.uint8)
        if number <= 2:  # and three photographs
            mask[0, :6] = RED  # 0.11 % of the mask
        save(folder / f"images/clean/clean{number:04d}.png", mask)
    assert doubt(folder) == ""


def test_a_foreign_mask_shows_by_its_sky(tmp_path) -> None:
    folder = small_set(tmp_path)
    save(folder / "images/render/render0003.png", np.full((H, W, 3), 120, np.uint8))
    pairs, _ = rocks.pairs_of(image_set(folder), "clean")
    reader = rocks.RockReader("set", 720, 0.02)
    assert "render0003" not in [scene.pair.name for scene in reader.scenes(pairs)]
    assert reader.foreign == ["render0003"]
    save(folder / "images/render/render0005.png", np.full((H, W, 3), 120, np.uint8))
    with pytest.raises(LocalError, match=r"masks of 2 of 6 renders mark sky .* \(render0003, render0005\)"):
        read(folder)
