"""Stages that render rocks and derive hazards, by their command line on tiny files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lunarsite.artefact import images, table
from lunarsite.artefact.contracts import ROCK_DISTRIBUTION, ROCK_HAZARD, ROCK_MAPS, ROCK_SCENES, ROCK_SIZES, ROCK_TRUTH
from lunarsite.artefact.stamp import Stamp
from lunarsite.command import main

RENDER = {"scenes": 3, "height_px": 96, "width_px": 128, "seed": 5}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    assert _render(folder, RENDER) == 0
    return folder


def _render(folder: Path, settings: dict[str, object]) -> int:
    given = ["--out", f"scenes={folder / 'scenes.h5'}", f"truth={folder / 'truth.parquet'}"]
    return main(["rock-render", *given, "--settings", json.dumps({"render": settings})])


def _maps(
    folder: Path, unfamiliar: tuple[int, ...] = (), blind: tuple[int, ...] = (), known_camera: bool = True
) -> Path:
    """Segment the scenes perfectly; the maps are two rows and three columns larger than the pictures."""
    path = folder / "maps.h5"
    with images.opened(folder / "scenes.h5", ROCK_SCENES) as source:
        masks = source.read("masks")
        count, rows, cols = masks.shape
        stamp = Stamp(**{**source.stamp.model_dump(), "artefact": "rock_maps"})
        classes = np.full((count, rows + 2, cols + 3), 255, dtype=np.uint8)
        probability = np.full((*classes.shape, 4), np.nan, dtype=np.float32)
        doubt = np.full(classes.shape, np.nan, dtype=np.float32)
        classes[:, :rows, :cols], doubt[:, :rows, :cols] = masks, 0.0
        probability[:, :rows, :cols] = np.eye(4, dtype=np.float32)[masks]
        camera = {
            name: source.read(name) if known_camera else np.full(count, np.nan)
            for name in ("camera_height_m", "camera_pitch_deg", "camera_field_of_view_deg")
        }
        with images.creating(path, ROCK_MAPS, stamp, source.credit, {"height": rows + 2, "width": cols + 3}) as writer:
            writer.append(
                {
                    "classes": classes,
                    "probability": probability,
                    "entropy": doubt,
                    "mutual_information": doubt,
                    "unfamiliarity": np.zeros(count),
                    "out_of_distribution": np.array(
                        [255 if k in blind else k in unfamiliar for k in range(count)], dtype=np.uint8
                    ),
                    **{name: source.read(name) for name in ("name", "valid_height", "valid_width")},
                    **camera,
                }
            )
    return path


def _hazard(maps: Path) -> int:
    names = {"hazard_maps": "hazard.h5", "sizes": "sizes.parquet", "distribution": "distribution.parquet"}
    given = ["--out", *(f"{output}={maps.parent / name}" for output, name in names.items())]
    settings = json.dumps({"hazard": {"least_px": 4, "disc_radius_m": 0.5}})
    return main(["rock-hazard", "--in", f"maps={maps}", *given, "--settings", settings])


def _copied(rendered: Path, folder: Path) -> Path:
    shutil.copy(rendered / "scenes.h5", folder / "scenes.h5")
    return folder


def test_scenes_carry_their_truth_camera_and_seed(rendered: Path) -> None:
    with images.opened(rendered / "scenes.h5", ROCK_SCENES) as source:
        assert len(source) == 3
        assert source.read("name").tolist() == [f"lunarsite_5_{number:05d}" for number in range(3)]
        assert source.read("scene").tolist() == source.read("name").tolist()
        assert source.read("kind").tolist() == [0, 0, 0]
        assert source.read("mask_kind").tolist() == [0, 0, 0]
        assert not np.isnan(source.read("camera_height_m")).any()
        assert (source.stamp.seed, source.stamp.origin) == (5, "synthetic")
        assert source.credit.licence == "CC0 1.0"
        masks = source.read("masks")
        assert {0, 1, 3} <= set(np.unique(masks)) <= {0, 1, 2, 3}
    truth, stamp = table.read(rendered / "truth.parquet", ROCK_TRUTH)
    assert stamp.seed == 5
    assert set(truth["scene"]) <= {f"lunarsite_5_{number:05d}" for number in range(3)}
    assert truth["diameter_m"].between(0.05, 3.0).all()
    # Every pixel of rock in a mask belongs to a rock of the table; narrow rocks have pixels and are in no mask.
    assert truth["visible_px"].sum() >= np.isin(masks, (1, 2)).sum()
    assert (truth["visible_px"] == 0).any()


def test_scenes_do_not_depend_on_how_many_there_are(rendered: Path, tmp_path: Path) -> None:
    assert _render(tmp_path, {**RENDER, "scenes": 1}) == 0
    with (
        images.opened(tmp_path / "scenes.h5", ROCK_SCENES) as one,
        images.opened(rendered / "scenes.h5", ROCK_SCENES) as three,
    ):
        for array in ROCK_SCENES.arrays:
            assert (one.read(array.name) == three.read(array.name, slice(0, 1))).all()
    alone, _ = table.read(tmp_path / "truth.parquet", ROCK_TRUTH)
    truth, _ = table.read(rendered / "truth.parquet", ROCK_TRUTH)
    assert alone.equals(truth[truth["scene"] == "lunarsite_5_00000"])


def test_scenes_without_rocks_have_an_empty_table(tmp_path: Path) -> None:
    assert _render(tmp_path, {**RENDER, "scenes": 1, "rock_share": [0.0, 0.0]}) == 0
    assert table.read(tmp_path / "truth.parquet", ROCK_TRUTH)[0].empty


def test_too_many_rocks_are_refused_with_the_settings_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = {"height_m": 100.0, "pitch_deg": 10.0, "field_of_view_deg": 5.0}
    assert _render(tmp_path, {**RENDER, "width_px": 2_048, "rock_share": [0.3, 0.3], "camera": camera}) != 0
    assert "rock_share smaller" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.h5"))


def test_hazards_of_familiar_images(rendered: Path, tmp_path: Path) -> None:
    maps = _maps(_copied(rendered, tmp_path))
    assert _hazard(maps) == 0
    sizes, _ = table.read(tmp_path / "sizes.parquet", ROCK_SIZES)
    with images.opened(tmp_path / "hazard.h5", ROCK_HAZARD) as found, images.opened(maps, ROCK_MAPS) as source:
        classes = source.read("classes")
        clearance, safe = found.read("clearance"), found.read("safe")
        counts = sizes.groupby("image").size()
        assert [int(counts.get(name, 0)) for name in found.read("name")] == found.read("rocks").tolist()
        rock = np.isin(classes, (1, 2))
        shares = rock.sum(axis=(1, 2)) / (rock | (classes == 0)).sum(axis=(1, 2))
        assert np.allclose(found.read("rock_area_share"), shares)
        assert np.allclose(found.read("rock_area_share_low"), shares)
        assert (clearance[rock] == 0.0).all()
        assert (safe[:, 96:] == 255).all()
        assert np.isnan(clearance[:, :, 128:]).all()
        assert (safe == 1).any()
        assert found.stamp.origin == "synthetic"
    assert sizes["diameter_m"].notna().any()
    assert set(sizes["kind"]) <= {"small_rocks", "large_rocks"}


def test_sizes_are_told_as_distributions_of_all_images_and_of_each(rendered: Path, tmp_path: Path) -> None:
    maps = _maps(_copied(rendered, tmp_path), unfamiliar=(1,))
    assert _hazard(maps) == 0
    sizes, _ = table.read(tmp_path / "sizes.parquet", ROCK_SIZES)
    found, stamp = table.read(tmp_path / "distribution.parquet", ROCK_DISTRIBUTION)
    assert stamp.origin == "synthetic"
    names = ["lunarsite_5_00000", "lunarsite_5_00002"]
    assert found["image"].unique().tolist() == ["", *names], "nothing is told of unfamiliar images"
    with images.opened(maps, ROCK_MAPS) as source:
        ground = np.isin(source.read("classes")[[0, 2]], (0, 1, 2)).sum()
    pixels, metres = found[found["diameter_px"].notna()], found[found["diameter_m"].notna()]
    assert len(pixels) + len(metres) == len(found)
    for name, own in pixels.groupby("image"):
        widths = sizes["diameter_px"][(sizes["image"] == name) | (name == "")].to_numpy()
        assert own["rocks"].tolist() == [(widths >= width).sum() for width in own["diameter_px"]]
    together = pixels[pixels["image"] == ""]
    assert (together["ground_px"] == ground).all()
    assert np.allclose(together["per_mpx"], 1e6 * together["rocks"] / ground)
    assert set(found.groupby("image")["images"].first()) == {1, 2}
    counted = sizes[(sizes["diameter_px"] >= 8.0) & sizes["diameter_m"].notna()]
    assert len(counted)
    all_m = metres[metres["image"] == ""]
    assert all_m["rocks"].tolist() == [(counted["diameter_m"] >= size).sum() for size in all_m["diameter_m"]]
    seen = all_m["per_m2"].dropna()
    assert (seen.diff().dropna() <= 0.0).all()
    assert seen.max() > 0.0
    assert all_m["per_m2"].isna().tolist() == (all_m["ground_m2"] == 0.0).tolist()


def test_unfamiliar_images_have_no_hazards(rendered: Path, tmp_path: Path) -> None:
    assert _hazard(_maps(_copied(rendered, tmp_path), unfamiliar=(0, 1), blind=(2,))) == 0
    assert table.read(tmp_path / "sizes.parquet", ROCK_SIZES)[0].empty
    assert table.read(tmp_path / "distribution.parquet", ROCK_DISTRIBUTION)[0].empty
    with images.opened(tmp_path / "hazard.h5", ROCK_HAZARD) as found:
        assert np.isnan(found.read("rock_area_share")).all()
        assert (found.read("safe") == 255).all()


def test_without_a_camera_clearance_is_in_pixels_and_nothing_is_safe(rendered: Path, tmp_path: Path) -> None:
    assert _hazard(_maps(_copied(rendered, tmp_path), known_camera=False)) == 0
    sizes, _ = table.read(tmp_path / "sizes.parquet", ROCK_SIZES)
    assert len(sizes)
    assert sizes[["range_m", "diameter_m"]].isna().all(axis=None)
    found, _ = table.read(tmp_path / "distribution.parquet", ROCK_DISTRIBUTION)
    assert found[["diameter_m", "ground_m2", "per_m2"]].isna().all(axis=None)
    assert found["rocks"].max() == len(sizes[sizes["diameter_px"] >= 3.0])
    with images.opened(tmp_path / "hazard.h5", ROCK_HAZARD) as found:
        assert (found.read("safe") == 255).all()
        assert np.nanmax(np.where(np.isinf(clearance := found.read("clearance")), np.nan, clearance)) > 3.0
