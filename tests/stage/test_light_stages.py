"""Stages of the light of a moment: scenes keep their splits and their contract; frames are lit on their own grids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lunarsite import command
from lunarsite.artefact import images, raster
from lunarsite.artefact.contracts import DEM, FAR_DEM, FINE_DEM, FRAME_LIGHT, LIT_SCENES, SHADOWCAM_FRAMES
from lunarsite.artefact.images import Credit
from lunarsite.grid import Grid, in_sector, xy_to_lonlat
from lunarsite.stage import Job

LIT = {
    "tile_px": 64,
    "tiles_per_model": 9,
    "suns_per_tile": 1,
    "directions": 8,
    "reach_m": 8_000.0,
    "least_shadow_share": 0.2,
    "validation_lon_deg": [0.0, 60.0],
    "test_lon_deg": [-180.0, 0.0],
}
NEAR, FAR = Grid.centred(96_000.0, 500.0, 500.0), Grid.centred(160_000.0, 2_000.0, 2_000.0)
FINE = Grid(40_000.0, -40_000.0, 100.0, 180, 180)


@dataclass(frozen=True)
class Ground:
    dem: Path
    far_dem: Path
    fine_dem: Path
    frames: Path

    def inputs(self, *names: str) -> list[str]:
        stage_names = {"fine_dem": "fine_dems"}
        return [f"{stage_names.get(name, name)}={getattr(self, name)}" for name in names]


def heights(grid: Grid) -> np.ndarray:
    x, y = np.meshgrid(grid.x_m() / 1e3, grid.y_m() / 1e3)
    waves = 700.0 * np.sin(x / 3.1) * np.cos(y / 2.3) + 300.0 * np.sin((x + 2 * y) / 1.7)
    return waves.astype(np.float32)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    job = Job("source-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    found = Ground(*(tmp_path / name for name in ("dem.tif", "far.tif", "fine.tif", "frames.h5")))
    for path, spec, grid in ((found.dem, DEM, NEAR), (found.far_dem, FAR_DEM, FAR), (found.fine_dem, FINE_DEM, FINE)):
        raster.write(path, spec, grid, {"elevation_m": heights(grid)}, job.stamp(spec))
    brightness = np.full((2, 40, 50), np.nan, np.float32)
    brightness[0, 5:30, 10:40] = 0.1
    brightness[1, :30, :20] = 0.2
    credit = Credit(title="Made up", licence="None", citation="None")
    spec = SHADOWCAM_FRAMES
    with images.creating(found.frames, spec, job.stamp(spec), credit, {"height": 40, "width": 50}) as writer:
        writer.append(
            {
                "brightness": brightness,
                "frame": np.array(["M1S", "M2S"], dtype=object),
                "utc": np.array(["2023-01-01T00:00:00", "2023-01-02T00:00:00"], dtype=object),
                "subsolar_lon_deg": np.array([40.0, 200.0]),
                "subsolar_lat_deg": np.array([-1.4, -1.0]),
                "pixel_m": np.array([60.0, 60.0]),
                "x_min_m": np.array([42_000.0, -5_000.0]),
                "y_max_m": np.array([-45_000.0, 7_000.0]),
                "rows": np.array([40, 30]),
                "cols": np.array([50, 20]),
            }
        )
    return found


def run(stage: str, inputs: list[str], output: str, path: Path, **changes: object) -> int:
    settings = json.dumps({"lit": LIT | changes})
    return command.main([stage, "--in", *inputs, "--out", f"{output}={path}", "--settings", settings])


def read(path: Path) -> dict[str, np.ndarray]:
    with images.opened(path, LIT_SCENES) as source:
        return {array.name: source.read(array.name) for array in LIT_SCENES.arrays}


def test_scenes_keep_their_contract_and_their_splits(tmp_path: Path, ground: Ground) -> None:
    scenes = tmp_path / "scenes.h5"
    assert run("light-scenes", ground.inputs("dem", "far_dem", "fine_dem"), "scenes", scenes) == 0
    images.validate(scenes, LIT_SCENES)
    found = read(scenes)
    assert {0, 1, 2} == set(found["split"])
    assert {100.0, 500.0} == set(found["pixel_m"])
    for name in ("scattered", "sunlit", "sun_fraction", "height"):
        assert np.isfinite(found[name]).all()
    dark = found["sun_fraction"] == 0.0
    assert (dark.mean((1, 2)) >= 0.2).all()
    assert all(np.median(image[shadow]) >= 1e-6 for image, shadow in zip(found["scattered"], dark, strict=True))
    # No shadow is brighter than its walls.
    assert found["scattered"].max() < found["sunlit"].max()
    assert len(set(found["name"])) == len(found["name"])
    assert np.abs(found["shadow_lat_deg"]).max() <= 1.55
    assert ((found["light_azimuth_deg"] >= 0.0) & (found["light_azimuth_deg"] < 360.0)).all()
    centre_m = 32.0 * found["pixel_m"]
    lon_deg, _ = xy_to_lonlat(found["x_min_m"] + centre_m, found["y_max_m"] - centre_m)
    np.testing.assert_array_equal(found["split"] == 2, in_sector(lon_deg, (-180.0, 0.0)))
    np.testing.assert_array_equal(found["split"] == 1, in_sector(lon_deg, (0.0, 60.0)))


def test_scenes_are_the_seeds_and_hold_the_models_own_heights(tmp_path: Path, ground: Ground) -> None:
    paths = [tmp_path / f"{name}.h5" for name in ("one", "two", "other")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        inputs = ground.inputs("dem", "fine_dem")
        assert run("light-scenes", inputs, "scenes", path, seed=seed, tiles_per_model=2) == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found, other = read(paths[0]), read(paths[2])
    assert set(found["name"]) != set(other["name"])
    for height, x_m, y_m, pixel_m in zip(
        found["height"], found["x_min_m"], found["y_max_m"], found["pixel_m"], strict=True
    ):
        expected = heights(Grid(x_m, y_m, pixel_m, 64, 64))
        np.testing.assert_allclose(height, expected, atol=0.1)


def test_more_places_for_training_change_nothing_of_the_others(tmp_path: Path, ground: Ground) -> None:
    few, more = tmp_path / "few.h5", tmp_path / "more.h5"
    inputs = ground.inputs("dem", "fine_dem")
    assert run("light-scenes", inputs, "scenes", few, seed=1, tiles_per_model=2) == 0
    assert run("light-scenes", inputs, "scenes", more, seed=1, tiles_per_model=2, training_tiles=2) == 0
    one, two = read(few), read(more)
    count = len(one["name"])
    assert count < len(two["name"])
    for name, values in one.items():
        np.testing.assert_array_equal(two[name][:count], values)
    assert set(two["split"][count:]) == {0}
    assert set(two["pixel_m"][count:]) == {500.0}
    assert not set(two["ground"][count:]) & set(one["ground"])


def test_the_credit_names_whose_elevation_it_is(tmp_path: Path, ground: Ground) -> None:
    named, plain, light = (tmp_path / f"{name}.h5" for name in ("named", "plain", "light"))
    made_by = "LOLA (Smith et al. 2010), NASA; free to use with credit"
    dem, small = ground.inputs("dem"), {"tiles_per_model": 2}
    assert run("light-scenes", dem, "scenes", named, elevation_credit=made_by, **small) == 0
    assert run("light-scenes", dem, "scenes", plain, **small) == 0
    assert run("light-frames", ground.inputs("frames", "dem"), "light", light, elevation_credit=made_by) == 0
    for path, spec, words in (
        (named, LIT_SCENES, made_by),
        (plain, LIT_SCENES, "synthetic"),
        (light, FRAME_LIGHT, made_by),
    ):
        with images.opened(path, spec) as source:
            assert words in source.credit.citation
            assert words in source.credit.licence
            assert "McEwen (1991)" in source.credit.citation


def test_ground_without_places_is_refused(
    tmp_path: Path, ground: Ground, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scenes.h5"
    assert run("light-scenes", ground.inputs("dem"), "scenes", path, tile_px=512) != 0
    assert not path.exists()
    told = caplog.text + capsys.readouterr().err
    assert "tile_px" in told
    assert "far field" in told


def test_frames_are_lit_on_their_own_grids(tmp_path: Path, ground: Ground) -> None:
    path = tmp_path / "light.h5"
    assert run("light-frames", ground.inputs("frames", "dem", "far_dem", "fine_dem"), "light", path) == 0
    images.validate(path, FRAME_LIGHT)
    with images.opened(path, FRAME_LIGHT) as source:
        light = {array.name: source.read(array.name) for array in FRAME_LIGHT.arrays}
    assert list(light["frame"]) == ["M1S", "M2S"]
    np.testing.assert_array_equal(light["dem_pixel_m"], [100.0, 500.0])
    known = np.isfinite(light["sun_fraction"])
    assert known[0].sum() == 25 * 30
    assert known[0, 5:30, 10:40].all()
    assert known[1].sum() == 30 * 20
    x, y = np.meshgrid(42_000.0 + 60.0 * (np.arange(50) + 0.5), -45_000.0 - 60.0 * (np.arange(40) + 0.5))
    frame = Grid(42_000.0, -45_000.0, 60.0, 40, 50)
    assert (x[0, 0], y[0, 0]) == (frame.x_m()[0], frame.y_m()[0])
    np.testing.assert_allclose(light["elevation"][0][known[0]], heights(frame)[known[0]], atol=3.0)
    for name in ("sunlit", "scattered", "unshadowed"):
        np.testing.assert_array_equal(np.isfinite(light[name]), known)
    assert (light["sunlit"][known] >= light["scattered"][known]).all()
