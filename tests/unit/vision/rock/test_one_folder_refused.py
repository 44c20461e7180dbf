"""What the word `rocks` cannot use, pictures, options, folders or disks, and what it tells of that."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lunarsite import command
from lunarsite.vision.rock import results

from .made_folder import CAMERA, call, table
from .made_model import made_image

pytestmark = pytest.mark.usefixtures("code")


def test_what_cannot_be_used_is_named_and_the_others_go_on(
    pictures: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (pictures / "b.png").read_bytes()
    (pictures / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(made_image(30, 40)).convert("CMYK").save(pictures / "print.jpg")
    assert call(pictures, model) == 3
    shown = capsys.readouterr()
    assert "2 of 4 pictures" in shown.out
    assert "Traceback" not in shown.err
    for name, words in (("cut.png", "truncated"), ("print.jpg", "CMYK")):
        assert any(name in line and words in line for line in shown.err.splitlines())
    rows = {row["image"]: row for row in table(pictures.parent / "out" / "summary.csv")}
    assert list(rows) == ["a.tif", "b.png", "cut.png", "print.jpg"]
    assert rows["a.tif"]["error"] == ""
    assert "truncated" in rows["cut.png"]["error"]
    assert rows["cut.png"]["height_px"] == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--camera-height-m", "1.6"), "together"),
        (("--disc-radius-m", "2"), "needs the camera"),
        (("--longest-side-px", "5"), "longest_side_px"),
        (("--scales", "0.1,1"), "scales.0"),
        (("--scales", "1,nan"), "scales.1"),
        (("--scales", ",".join(["1"] * 9)), "scales"),
        (("--method", "dropout", "--passes", "1"), "passes"),
        (("--passes", "20"), "--method dropout"),
        ((*CAMERA[:1], "-1", *CAMERA[2:]), "height_m"),
        ((*CAMERA[:1], "nan", *CAMERA[2:]), "height_m"),
    ],
)
def test_options_that_do_not_hold(
    pictures: Path, model: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert call(pictures, model, *options) == 2
    assert words in capsys.readouterr().err
    assert not (pictures.parent / "out").exists()


@pytest.mark.parametrize("scales", ["", "1,", "1;2", "one"])
def test_scales_are_numbers_with_commas(
    pictures: Path, model: Path, capsys: pytest.CaptureFixture[str], scales: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(pictures, model, "--scales", scales)
    assert "is no list of numbers such as 0.75,1,1.5" in capsys.readouterr().err


def test_folders_that_cannot_be_used(pictures: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: str, words: str) -> None:
        assert command.main(["rocks", *arguments]) == 3
        assert words in capsys.readouterr().err

    own, out, by = str(pictures), str(pictures.parent / "out"), ("--model", str(model))
    refused(str(pictures / "none"), "--out", out, *by, words="does not exist as a folder")
    refused(str(pictures / "b.png"), "--out", out, *by, words="does not exist as a folder")
    refused(own, "--out", out, "--model", out, words="the model does not exist")
    (pictures / "inside" / "c.png").unlink()
    refused(str(pictures / "inside"), "--out", out, *by, words="holds no pictures")
    refused(own, "--out", own, *by, words="own folder")
    refused(own, "--out", str(pictures / "b.png"), *by, words="is a file")
    refused(str(pictures), "--out", str(model.parent), *by, words="no results of this command")
    assert not (pictures.parent / "out").exists()


def test_a_disk_that_is_too_full_is_told_before(
    pictures: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full:
        free = 1_000

    monkeypatch.setattr(results.shutil, "disk_usage", lambda _: Full)
    assert call(pictures, model) == 3
    assert "GiB of disk" in capsys.readouterr().err
