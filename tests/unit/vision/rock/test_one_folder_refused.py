"""What the word `rocks` cannot use, pictures, options, folders or disks, and what it tells of that."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from lunarsite import command
from lunarsite.settings import RockInferenceSettings
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
        (("--longest-side-px", "4096", "--scales", "4"), "lower longest_side_px or that scale"),
        (("--longest-side-px", "2732", "--scales", "0.5,1.5"), "the largest of scales (1.5) is 4098 px"),
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
        # The smaller picture's six maps and two of hazards, 32 bits each.
        free = 8 * 4 * 60 * 90

    monkeypatch.setattr(results.shutil, "disk_usage", lambda _: Full)
    assert call(pictures, model) == 3
    assert "GiB of disk" in capsys.readouterr().err
    errors = {row["image"]: row["error"] for row in table(pictures.parent / "out" / "summary.csv")}
    assert errors["a.tif"]
    assert not errors["b.png"]
    Full.free -= 1
    assert call(pictures, model, out="fuller") == 3
    assert not list((pictures.parent / "fuller").glob("*.tif"))


@pytest.mark.parametrize(
    ("longest_side_px", "scales"), [(4_096, (1.0,)), (4_096, (0.25, 1.0)), (2_048, (0.5, 2.0)), (1_280, (3.2,))]
)
def test_the_largest_views_that_fit(longest_side_px: int, scales: tuple[float, ...]) -> None:
    settings = RockInferenceSettings(longest_side_px=longest_side_px, scales=scales)
    assert settings.longest_side_px == longest_side_px
    with pytest.raises(ValidationError, match=r"longest_side_px .* scales .* lower"):
        RockInferenceSettings(longest_side_px=longest_side_px, scales=(*scales, 1.001 * max(scales), 0.5))
