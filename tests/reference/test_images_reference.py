"""Real images: the rock set, HiRISE landmarks, ShadowCam frames and images of shadowed ground of the reference data."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact.contracts import LANDFORM_IMAGES
from lunarsite.artefact.images import Credit
from lunarsite.grid import Grid
from lunarsite.illumination.ephemeris import tracks_at
from lunarsite.source.images import landforms, rocks, shadowcam, shadowed
from lunarsite.source.images.decode import read_picture
from lunarsite.source.images.members import ImageSet, below
from lunarsite.source.kinds import LocalError

ROOT = Path(__file__).resolve().parents[2]
MOON = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
CREDIT = Credit(title="Reference", licence="see its README", citation="see its README")

UNKNOWN_SHARES = {"TCAM21": 0.511, "PCAM13": 0.2}
"""Of masks of rocks: a sky that nobody drew, and what may be seen in another scene."""

pytestmark = pytest.mark.reference


def reference(folder: Path) -> ImageSet:
    if not folder.is_dir():
        pytest.skip(f"REFERENCE DATA ABSENT: {folder} (set LUNARSITE_REFERENCE)")
    return below(folder, CREDIT, "reference")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rocks_are_read_whole_and_their_shares_are_known() -> None:
    images = reference(MOON.parent / "images" / "rocks")
    listed = {row["file"]: row for row in table(MOON.parent / "images" / "rocks" / "index.csv")}
    pairs, left_out = rocks.pairs_of(images, "either")
    rocks.sizes_of(pairs, 720, "reference")
    reader = rocks.RockReader("reference", 4_096, 0.0)
    scenes = list(reader.scenes(pairs))
    print(f"{len(scenes)} scenes, sky above in {reader.skies_above} of {reader.skies}, foreign {reader.foreign}")
    assert (len(scenes), left_out, reader.foreign) == (176, (), [])
    assert (reader.masks, reader.skies, reader.skies_above, reader.doubt) == (176, 163, 163, "")
    for scene in scenes:
        row = listed[scene.pair.image.relative_to(MOON.parent / "images" / "rocks").as_posix()]
        assert scene.mask.shape == (int(row["height"]), int(row["width"]))
        assert (scene.mask == rocks.UNKNOWN).mean() == pytest.approx(
            UNKNOWN_SHARES.get(scene.pair.name, 0.0), abs=0.001
        )
        for name, number in (("frac_small", 1), ("frac_large", 2), ("frac_sky", 3)):
            if scene.pair.name == "PCAM13":
                # A fifth of its mask is not believed; below it is what was drawn.
                below_px = round(0.2 * scene.mask.shape[0])
                drawn = read_picture(scene.pair.mask, "mask")[below_px:].astype(int)
                colour = rocks.PALETTE[number]
                near = (np.abs(drawn - colour).sum(axis=2) < 120).mean()
                assert (scene.mask[below_px:] == number).mean() == pytest.approx(near, abs=2e-3)
                continue
            assert (scene.mask == number).mean() == pytest.approx(float(row[name]), abs=6e-5)
        if scene.pair.kind == 0:
            assert (row["mask_kind"] == "ground") == (scene.pair.mask_kind == 1)
    assert len({scene.pair.scene for scene in scenes if scene.pair.kind == 1}) == 18 - 5 - 5


@pytest.mark.parametrize(("order", "above", "skies"), [((2, 1, 0), 71, 119), ((1, 0, 2), 13, 152)])
def test_masks_with_swapped_channels_are_refused(
    monkeypatch: pytest.MonkeyPatch, order: tuple[int, int, int], above: int, skies: int
) -> None:
    pairs, _ = rocks.pairs_of(reference(MOON.parent / "images" / "rocks"), "either")
    read = rocks.read_picture
    monkeypatch.setattr(rocks, "read_picture", lambda path, field: read(path, field)[:, :, order])
    # The pictures are black, so that it is not their brightness that tells.
    monkeypatch.setattr(rocks, "read_rgb", lambda path, field: np.zeros_like(read(path, field)))
    reader = rocks.RockReader("reference", 720, 0.02)
    with pytest.raises(LocalError, match=f"upper half of {above} of {skies} masks only: the classes are rotated"):
        list(reader.scenes(pairs))


def test_foreign_masks_that_show_sky_over_ground_are_seen() -> None:
    folder = MOON.parent / "images" / "rocks" / "extra" / "mismatched"
    reference(folder)
    found = {}
    for number, kind in ((4317, "clean"), (5206, "clean"), (5221, "ground"), (9189, "clean")):
        name = f"render{number}"
        pair = rocks.Pair(name, name, 0, 0, folder / f"{name}.png", folder / f"{kind}{number}.png")
        reader = rocks.RockReader("reference", 720, 0.02)
        found[number] = not list(reader.scenes([pair]))
    # The others show no sky, or black there by chance: they are known by their numbers.
    assert found == {4317: True, 5206: False, 5221: True, 9189: False}
    assert set(found) == set(rocks.FOREIGN_MASKS)


def test_an_original_mask_holds_the_palette() -> None:
    path = MOON.parent / "images" / "rocks" / "extra" / "clean0015.png"
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path}")
    classes = rocks.nearest_classes(read_picture(path, "reference"))
    shares = {number: float((classes == number).mean()) for number in np.unique(classes)}
    print(f"original mask: {shares}")
    assert 255 not in shares
    assert classes.shape == (480, 720)
    assert 3 in shares


def test_landmarks_are_those_of_the_index() -> None:
    folder = MOON.parent / "images" / "hirise"
    images = reference(folder)
    found = {landform.path.name: landform for landform in landforms.landforms_of(images)}
    rows = table(folder / "index.csv")
    assert len(found) == len(rows) == 1_818
    variants = dict(LANDFORM_IMAGES.array("variant").classes)
    for row in rows:
        landform = found[row["file"]]
        assert (landform.label, landform.scene, landform.landmark) == (
            int(row["class_id"]),
            row["scene"],
            row["landmark"],
        )
        assert variants[landform.variant] == (row["variant"] or "original")
    assert len({landform.scene for landform in found.values()}) == 115
    few = sorted(found.values(), key=lambda landform: landform.name)[:64]
    (block,) = landforms.blocks(few, "reference")
    assert block["images"].std() > 10


def test_frames_of_shadowcam_have_their_times_places_and_sun() -> None:
    folder = MOON / "shadowcam"
    whole = reference(folder)
    files = {name: path for name, path in whole.files.items() if not name.startswith("cabeus")}
    images = ImageSet(files, whole.credit, whole.field)
    frames = shadowcam.frames_of(images)
    rows = {row["file"]: row for row in table(folder / "images.csv")}
    assert len(frames) == 26
    # What the table says of the Sun is what the ephemeris says of its times.
    utc = np.array([frame.utc.replace(tzinfo=None) for frame in frames], dtype="datetime64[ms]")
    sun, _ = tracks_at(utc)
    apart = np.abs((sun.lon_deg - np.array([frame.subsolar_lon_deg for frame in frames]) + 180.0) % 360.0 - 180.0)
    print(f"subsolar longitude: {apart.max():.4f} deg apart at most")
    assert apart.max() < 0.009
    run = Grid(-304_000.0, 304_000.0, 960.0, 634, 634)
    some = frames[:3]
    grids = shadowcam.frame_grids(some, run, 60.0, "reference")
    for frame, arrays in zip(some, shadowcam.frame_arrays(some, grids, "reference"), strict=True):
        values = arrays["brightness"]
        row = rows[frame.path.name]
        assert np.isfinite(values).sum() == int(row["valid_px"])
        assert np.nanmedian(values) == pytest.approx(float(row["median"]), abs=1e-4)
        assert np.nanmax(values) == pytest.approx(float(row["max"]), abs=1e-3)


def test_digitised_composites_have_three_bands_and_are_refused() -> None:
    path = MOON / "shadowcam" / "cabeus_topillum-avg_60m_digitised.tif"
    reference(path.parent)
    run = Grid(-304_000.0, 304_000.0, 960.0, 634, 634)
    with pytest.raises(LocalError, match="has 3 bands, needs one"):
        shadowcam.snapped_grid(path, run, 20.0, "reference")


def test_low_light_images_are_cut_without_a_change() -> None:
    folder = MOON.parent / "images" / "psr"
    images = reference(folder)
    rows = {row["file"]: row for row in table(folder / "index.csv")}
    found = shadowed.images_in(images)
    assert set(found) == set(rows)
    scenes = Counter(shadowed.scene_of(name) for name in found)
    print(dict(scenes))
    assert (scenes["M115143943"], scenes["M1229577647"], scenes["M161142858"], scenes["ohrc"]) == (2, 2, 2, 7)
    for name, path in found.items():
        cuts = list(shadowed.tiles_of(name, path, 0, 200, "reference"))
        tiles = np.concatenate([cut.arrays["images"] for cut in cuts])
        # 200 px divide every image, so that the tiles are the image.
        assert tiles.size == int(rows[name]["width"]) * int(rows[name]["height"])
        assert tiles.mean() == pytest.approx(float(rows[name]["mean"]), abs=0.01)
