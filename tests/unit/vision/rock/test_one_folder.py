"""A folder of pictures through the command line: files, tables, what is kept, what means nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lunarsite.settings import RockInferenceSettings
from lunarsite.vision.rock import folder as folders
from lunarsite.vision.rock import one_folder, results
from lunarsite.vision.rock.segmenter import load_segmenter

from .made_folder import CAMERA, LONGEST_PX, call, maps_of, table
from .made_model import made_image, write_model

pytestmark = pytest.mark.usefixtures("code")

COLOURS = [(0, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 0)]


def test_a_folder_is_segmented(pictures: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(pictures, model, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["kept"], told["failed"], told["out_of_distribution"]) == (2, 0, {}, [])
    assert told["not_judged"] == []
    out = pictures.parent / "out"
    expected = {f"{name}{suffix}" for name in "ab" for suffix in results.SUFFIXES}
    assert {path.name for path in out.iterdir()} == expected | {
        "about.json",
        "summary.csv",
        "rocks.csv",
        "distribution.csv",
    }
    rows = table(out / "summary.csv")
    assert [row["image"] for row in rows] == ["a.tif", "b.png"]
    segmenter = load_segmenter(model)
    settings = RockInferenceSettings(flips=1, longest_side_px=LONGEST_PX)
    for row, (name, size, seed) in zip(rows, (("a", (150, 200), 2), ("b", (60, 90), 1)), strict=True):
        truth = segmenter.segment(made_image(*size, seed), settings)
        classes = Image.open(out / f"{name}_classes.png")
        np.testing.assert_array_equal(np.asarray(classes), truth.classes)
        np.testing.assert_array_equal(np.asarray(classes.convert("RGB")), np.array(COLOURS)[truth.classes])
        maps, bands, tags = maps_of(out / f"{name}_maps.tif")
        assert bands == results.BANDS
        np.testing.assert_array_equal(maps[:4], truth.probability.transpose(2, 0, 1))
        np.testing.assert_array_equal(maps[4], truth.entropy)
        np.testing.assert_array_equal(maps[5], truth.mutual_information)
        assert tags["OUT_OF_DISTRIBUTION"] == "no"
        assert json.loads(tags["LUNARSITE_ROCKS"])["inference"]["flips"] == 1
        assert (int(row["height_px"]), int(row["width_px"])) == size
        assert row["familiar"] == "yes"
        assert float(row["unfamiliarity"]) == pytest.approx(truth.unfamiliarity, abs=1e-6)
        assert float(row["unfamiliarity_limit"]) == 2.0
        shares = [float(row[f"{kind}_share"]) for kind in ("background", "small_rocks", "large_rocks", "sky")]
        assert shares == pytest.approx([(truth.classes == number).mean() for number in range(4)], abs=1e-6)
        assert float(row["mean_entropy_nat"]) == pytest.approx(truth.entropy.mean(dtype=float), abs=1e-5)
        assert float(row["rock_area_share_low"]) <= float(row["rock_area_share"]) <= float(row["rock_area_share_high"])
        assert row["safe_share"] == "", "no camera, no safe ground"
    rocks = table(out / "rocks.csv")
    assert sum(int(row["rocks"]) for row in rows) == len(rocks) > 0
    assert all(rock["diameter_m"] == "" for rock in rocks)
    counts = table(out / "distribution.csv")
    assert list(dict.fromkeys(row["image"] for row in counts)) == ["", "a.tif", "b.png"]
    assert all(row["diameter_m"] == row["per_m2"] == "" for row in counts), "no camera, no metres"
    for row in counts:
        wide = [rock for rock in rocks if row["image"] in ("", rock["image"])]
        assert int(row["rocks"]) == sum(float(rock["diameter_px"]) >= float(row["diameter_px"]) for rock in wide)
        assert float(row["per_mpx"]) == pytest.approx(1e6 * int(row["rocks"]) / float(row["ground_px"]), rel=1e-5)
    ground = {row["image"]: float(row["ground_px"]) for row in counts}
    assert ground[""] == ground["a.tif"] + ground["b.png"]
    assert ground["b.png"] == round(60 * 90 * (1.0 - float(rows[1]["sky_share"])))


def test_rocks_are_told_in_the_pictures_own_pixels(pictures: Path, model: Path) -> None:
    (pictures / "a.tif").unlink()
    small = made_image(60, 90, 1)
    Image.fromarray(small.repeat(3, axis=0).repeat(3, axis=1)).save(pictures / "b.png")
    Image.fromarray(small).save(pictures / "c.png")
    assert call(pictures, model, "--longest-side-px", "90") == 0
    rocks = table(pictures.parent / "out" / "rocks.csv")
    large, own = ([rock for rock in rocks if rock["image"] == name] for name in ("b.png", "c.png"))
    assert len(large) == len(own) > 0
    for many, few in zip(large, own, strict=True):
        assert float(many["row"]) == pytest.approx(3 * float(few["row"]) + 1, abs=1e-3)
        assert float(many["diameter_px"]) == pytest.approx(3 * float(few["diameter_px"]), abs=1e-3)
        assert int(many["area_px"]) == 9 * int(few["area_px"])


def test_with_a_camera_there_are_metres(pictures: Path, model: Path) -> None:
    assert call(pictures, model, *CAMERA, "--disc-radius-m", "0.3") == 0
    about = json.loads((pictures.parent / "out" / "about.json").read_text())
    assert about["camera"] == {"height_m": 1.6, "pitch_deg": 12.0, "field_of_view_deg": 60.0}
    assert about["hazard"]["disc_radius_m"] == 0.3
    assert about["model_data"]["licence"] == "CC BY-NC-SA 4.0"
    assert all(row["safe_share"] for row in table(pictures.parent / "out" / "summary.csv"))
    counts = [row for row in table(pictures.parent / "out" / "distribution.csv") if row["diameter_m"]]
    assert {row["image"]: row["images"] for row in counts} == {"": "2", "a.tif": "1", "b.png": "1"}
    ground = {(row["image"], row["diameter_m"]): float(row["ground_m2"]) for row in counts}
    assert ground["", "0.8"] == pytest.approx(ground["a.tif", "0.8"] + ground["b.png", "0.8"], rel=1e-5)
    assert ground["", "0.8"] > 0.0


def test_strange_pictures_are_told_and_nothing_is_derived(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.safetensors", limit=0.0)
    assert call(pictures, model, *CAMERA) == 0
    shown = capsys.readouterr().out
    assert "out of distribution" in shown
    assert "mean nothing" in shown
    out = pictures.parent / "out"
    for row in table(out / "summary.csv"):
        assert row["familiar"] == "no"
        derived = [name for name in row if "share" in name and name != "unknown_share"]
        assert all(row[name] == "" for name in (*derived, "rocks"))
    assert table(out / "rocks.csv") == table(out / "distribution.csv") == []
    assert maps_of(out / "a_maps.tif")[2]["OUT_OF_DISTRIBUTION"] == "yes"
    hazard, bands, tags = maps_of(out / "a_hazard.tif")
    assert (hazard.shape, bands, tags["OUT_OF_DISTRIBUTION"]) == ((2, 150, 200), ("clearance_m", "safe"), "yes")
    assert np.isnan(hazard).all()
    # The banner stands below the picture.
    assert np.asarray(Image.open(out / "b_overlay.png")).reshape(-1, 3).tolist().count([213, 94, 0]) > 1_000


def test_of_pictures_without_ground_it_is_unknown_whether_they_are_familiar(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model.safetensors", 1, all_sky=True)
    assert call(pictures, model, *CAMERA, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["out_of_distribution"], told["not_judged"]) == ([], ["a.tif", "b.png"])
    out = pictures.parent / "out"
    for row in table(out / "summary.csv"):
        assert (row["familiar"], row["unfamiliarity"], row["sky_share"]) == ("unknown", "", "1.0")
        assert all(row[name] == "" for name in ("rock_area_share", "rock_area_share_high", "rocks", "safe_share"))
    assert table(out / "rocks.csv") == table(out / "distribution.csv") == []
    assert maps_of(out / "a_maps.tif")[2]["OUT_OF_DISTRIBUTION"] == "unknown"
    assert np.isnan(maps_of(out / "a_hazard.tif")[0]).all()
    assert np.asarray(Image.open(out / "b_overlay.png")).reshape(-1, 3).tolist().count([213, 94, 0]) > 1_000
    assert call(pictures, model, *CAMERA) == 0
    shown = capsys.readouterr().out
    assert "2 show no ground" in shown
    assert "out of distribution" not in shown


def test_results_of_the_same_are_kept_and_others_made_again(
    pictures: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kept(*options: str, by: Path = model) -> int:
        assert call(pictures, by, "--json", "--quiet", *options) == 0
        return int(json.loads(capsys.readouterr().out)["kept"])

    out = pictures.parent / "out"
    assert kept() == 0
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("a_*")}
    assert kept() == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("a_*")} == times
    for suffix in results.SUFFIXES:
        (out / f"a{suffix}").unlink()
        assert kept() == 1
    (out / "b.json").write_text('{"about": ')
    assert kept() == 1
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    Image.fromarray(made_image(60, 90, 5)).save(pictures / "b.png")
    assert kept() == 1
    assert kept("--method", "single") == 0
    assert kept("--scales", "0.5,1") == 0
    assert kept("--method", "dropout", "--passes", "2") == 0
    assert kept(*CAMERA) == 0
    assert kept(by=write_model(tmp_path / "other.safetensors", 1)) == 0
    monkeypatch.setattr(one_folder, "_code", lambda: "f" * 16)
    assert kept(by=tmp_path / "other.safetensors") == 0


def test_a_run_that_was_cut_off_goes_on(
    pictures: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = folders.write_results

    def cut(picture: Any, place: Path, name: str, *rest: Any) -> Any:
        if name == "b":
            raise KeyboardInterrupt
        return real(picture, place, name, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(folders, "write_results", cut)
        assert call(pictures, model) == 130
    out = pictures.parent / "out"
    assert not (out / "summary.csv").exists()
    assert not list(out.glob(".*")), "no partial files"
    capsys.readouterr()
    assert call(pictures, model, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 1


def test_transparent_pixels_are_grey_and_unknown(pictures: Path, model: Path) -> None:
    rgba = np.dstack([made_image(60, 90, 1), np.full((60, 90), 255, np.uint8)])
    rgba[:, 60:, 3] = 0
    Image.fromarray(rgba).save(pictures / "b.png")
    assert call(pictures, model) == 0
    out = pictures.parent / "out"
    classes = Image.open(out / "b_classes.png")
    assert (np.asarray(classes)[:, 60:] == 255).all()
    assert (np.asarray(classes.convert("RGB"))[:, 60:] == 128).all()
    assert np.isnan(maps_of(out / "b_maps.tif")[0][:, :, 60:]).all()
    clearance = maps_of(out / "b_hazard.tif")[0][0]
    assert np.isnan(clearance[:, 60:]).all()
    assert not np.isnan(clearance[:, :60]).all()
    row = table(out / "summary.csv")[1]
    assert float(row["unknown_share"]) == pytest.approx(1 / 3, abs=1e-6)
    assert sum(float(row[f"{name}_share"]) for name in ("background", "small_rocks", "large_rocks", "sky")) == (
        pytest.approx(1.0, abs=1e-5)
    )


def test_scales_and_passes_reach_the_segmenter(pictures: Path, model: Path) -> None:
    assert call(pictures, model, "--method", "dropout", "--passes", "3", "--scales", "0.5,1") == 0
    about = json.loads((pictures.parent / "out" / "about.json").read_text())["inference"]
    assert (about["method"], about["passes"], about["scales"]) == ("dropout", 3, [0.5, 1.0])
    settings = RockInferenceSettings(method="dropout", passes=3, scales=(0.5, 1.0), flips=1, longest_side_px=LONGEST_PX)
    truth = load_segmenter(model).segment(made_image(60, 90, 1), settings)
    maps, *_ = maps_of(pictures.parent / "out" / "b_maps.tif")
    np.testing.assert_array_equal(maps[:4], truth.probability.transpose(2, 0, 1))
