"""What results are called by: whatever the pictures' names, no two files of an out folder have the same one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lunarsite.vision.rock import folder, results
from lunarsite.vision.rock.folder import names_of

from .made_folder import call, table
from .made_model import made_image

OWN = (folder.ABOUT, folder.SUMMARY, folder.ROCKS, folder.DISTRIBUTION)
PARTS = [
    *("a", "A", "b", "\u00e9", "e\u0301", "\u00df", "ss", "\ufb00", "-2", "-1", ".", "_", " ", "_classes", "_maps"),
    *("_hazard", ".json", ".csv", ".png", ".PNG", ".jpg", ".ti", ".ti\ufb00", "about", "About", "summary", "rocks"),
    "distribution",
]
ENDS = [".png", ".PNG", ".jpg", ".jpeg", ".tif", ".TIFF"]
NAMES = st.builds(
    lambda parts, end: "".join(parts) + end,
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    st.sampled_from(ENDS),
).filter(lambda name: not name.startswith("."))


def called(*names: str) -> list[str]:
    return names_of([Path("x") / name for name in names])


@given(st.sets(NAMES, max_size=12))
def test_no_two_files_have_the_same_name(pictures: set[str]) -> None:
    written = [f"{name}{suffix}" for name in called(*sorted(pictures)) for suffix in results.SUFFIXES]
    written += OWN
    assert len({name.casefold() for name in written}) == len(written)
    # Some file systems do not tell how accents are stored either.
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in written}) == len(written)
    assert not any(name.startswith(".") or "/" in name for name in written)


@given(NAMES, st.sets(NAMES, max_size=8))
def test_a_name_depends_on_pictures_that_share_it_alone(picture: str, others: set[str]) -> None:
    def stem(name: str) -> str:
        return unicodedata.normalize("NFKD", Path(name).stem.casefold())

    apart = [name for name in others if stem(name) != stem(picture)]
    assert called(picture, *apart)[0] == called(picture)[0]
    assert called(*apart, picture)[-1] == called(picture)[0]
    assert called(picture)[0] in (picture, Path(picture).stem)


@pytest.mark.parametrize(
    ("pictures", "names"),
    [
        (("a.png", "A.JPG", "b.tif", "b.c.png"), ["a.png", "A.JPG", "b", "b.c"]),
        (("a.jpg", "a.png", "a.png.png"), ["a.jpg", "a.png", "a.png.png"]),
        (("A.png", "a.PNG", "a.png", "a.png-2.png"), ["A.png", "a.PNG-2", "a.png-3", "a.png-2.png"]),
        (("About.png", "about_.png", "rocks.tif"), ["About.png", "about_", "rocks.tif"]),
        (("a.png", "a_classes.png", "a_classes_classes.png"), ["a", "a_classes", "a_classes_classes"]),
        (("caf\u00e9.png", "cafe\u0301.png"), ["caf\u00e9.png", "cafe\u0301.png-2"]),
    ],
)
def test_names_stay_readable(pictures: tuple[str, ...], names: list[str]) -> None:
    assert called(*pictures) == names


@pytest.mark.usefixtures("code")
def test_each_picture_has_results_of_its_own(pictures: Path, model: Path) -> None:
    # Twins in capitals need a file system that tells them; names_of is asked above.
    sizes = {"about.png": 40, "summary.jpg": 41, "b.jpg": 42, "b.png.png": 43, "b_classes.png": 44}
    for name, side in sizes.items():
        Image.fromarray(made_image(side, 50)).save(pictures / name)
    assert call(pictures, model) == 0
    out = pictures.parent / "out"
    heights = {row["image"]: int(row["height_px"]) for row in table(out / "summary.csv")}
    assert heights == {"a.tif": 150, "b.png": 60} | sizes
    for image, name in zip(sorted(heights), called(*sorted(heights)), strict=True):
        with Image.open(out / f"{name}_classes.png") as classes:
            assert classes.height == heights[image]
    assert "code" in (out / "about.json").read_text()
    assert len(list(out.iterdir())) == len(results.SUFFIXES) * len(heights) + len(OWN)


@pytest.mark.usefixtures("code")
def test_a_name_that_leaves_no_room_for_its_results_is_told(
    pictures: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(made_image(40, 50)).save(pictures / f"{'long' * 60}.png")
    assert call(pictures, model) != 0
    assert "shorten it to 200 bytes" in capsys.readouterr().err
    assert len(table(pictures.parent / "out" / "summary.csv")) == 3, "the others go on"
