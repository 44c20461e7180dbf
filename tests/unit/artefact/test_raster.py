"""Rasters: what is written is read back; what breaks the contract is refused with the file's name."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rio_cogeo import cog_validate

from lunarsite.artefact import raster
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid

from .conftest import CLASSES, SLOPE, make_stamp


def slopes(grid: Grid, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(0, 40, grid.shape).astype(np.float32)
    values[3:5, 2:9] = np.nan
    return values


def written(path: Path, grid: Grid) -> np.ndarray:
    values = slopes(grid)
    raster.write(path, SLOPE, grid, {"slope_deg": values}, make_stamp("slope"))
    return values


def test_round_trip(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    values = written(path, grid)
    np.testing.assert_array_equal(raster.read(path, SLOPE, grid)["slope_deg"], values)
    with raster.opened(path, SLOPE) as source:
        assert source.grid == grid
        assert source.stamp == make_stamp("slope")
        np.testing.assert_array_equal(source.read(window=(slice(2, 9), slice(5, 6))), values[2:9, 5:6])
    assert [p.name for p in tmp_path.iterdir()] == ["slope.tif"]


def test_facts_are_those_of_the_contract(tmp_path: Path, grid: Grid) -> None:
    path, spec, values = tmp_path / "slope.tif", replace(SLOPE, facts=("fine_m",)), {"slope_deg": slopes(grid)}
    raster.write(path, spec, grid, values, make_stamp("slope"), {"fine_m": 20.1})
    with raster.opened(path, spec) as source:
        assert source.facts == {"fine_m": 20.1}
    for wrong in (None, {"other": 1.0}, {"fine_m": float("nan")}, {"fine_m": 1.0, "other": 1.0}):
        with pytest.raises(ArtefactError, match="needs finite ones"):
            raster.write(tmp_path / "no.tif", spec, grid, values, make_stamp("slope"), wrong)
    with pytest.raises(ArtefactError, match=r"slope.tif: carries the facts .*fine_m"), raster.opened(path, SLOPE):
        pass
    for text in ("", "[]", "[1]", "{", '{"fine_m": "x"}', '{"fine_m": NaN}', '{"fine_m": 1' + "0" * 400 + "}", "7"):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.update_tags(LUNARSITE_FACTS=text)
        with pytest.raises(ArtefactError, match=r"slope.tif: carries the facts"), raster.opened(path, spec):
            pass


def test_is_a_cog_with_overviews(tmp_path: Path) -> None:
    grid = Grid(-300_000, 300_000, 240, 1100, 1300)
    written(tmp_path / "slope.tif", grid)
    valid, errors, _ = cog_validate(tmp_path / "slope.tif", quiet=True)
    assert valid, errors
    with rasterio.open(tmp_path / "slope.tif") as dataset:
        assert dataset.overviews(1)


def test_windowed_writing_gives_the_same_bytes(tmp_path: Path) -> None:
    grid = Grid(-300_000, 300_000, 240, 1100, 700)
    values = written(tmp_path / "whole.tif", grid)
    with raster.creating(tmp_path / "tiled.tif", SLOPE, grid, make_stamp("slope")) as out:
        for tile in grid.tiles(512):
            out.write(values[tile.core], window=tile.core)
    assert (tmp_path / "whole.tif").read_bytes() == (tmp_path / "tiled.tif").read_bytes()


def test_classes_keep_255_for_unknown(tmp_path: Path, grid: Grid) -> None:
    values = np.zeros(grid.shape, np.uint8)
    values[0], values[1] = 255, 1
    raster.write(tmp_path / "psr.tif", CLASSES, grid, {"psr": values}, make_stamp("psr"))
    np.testing.assert_array_equal(raster.read(tmp_path / "psr.tif", CLASSES)["psr"], values)


def test_north(tmp_path: Path) -> None:
    grid = Grid(-9600, 9600, 240, 10, 10, "north")
    written(tmp_path / "slope.tif", grid)
    with raster.opened(tmp_path / "slope.tif", SLOPE) as source:
        assert source.grid.pole == "north"


def refused(path: Path, message: str, spec: RasterSpec = SLOPE, grid: Grid | None = None) -> None:
    with pytest.raises(ArtefactError, match=message) as caught:
        raster.read(path, spec, grid)
    assert str(path) in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "slope.tif", "does not exist")


def test_truncated(tmp_path: Path) -> None:
    grid = Grid(-300_000, 300_000, 240, 1100, 700)
    path = tmp_path / "slope.tif"
    written(path, grid)
    whole = path.read_bytes()
    for share in (0.001, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path, "truncated|no readable GeoTIFF")


def test_no_raster_at_all(tmp_path: Path) -> None:
    (tmp_path / "slope.tif").write_text("<html>not found</html>")
    refused(tmp_path / "slope.tif", "no readable GeoTIFF")


def test_wrong_crs(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    written(path, grid)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.crs = "EPSG:3031"
    refused(path, "CRS")


def test_no_crs(tmp_path: Path, grid: Grid) -> None:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan, "height": 4, "width": 4}
    path = tmp_path / "slope.tif"
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as dataset:
        dataset.update_tags(LUNARSITE_STAMP=make_stamp("slope").to_json(), LUNARSITE_POLE="south")
        dataset.set_band_description(1, "slope_deg")
        dataset.set_band_unit(1, "deg")
    with pytest.warns(NotGeoreferencedWarning):
        refused(path, "CRS")


def test_wrong_grid(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    written(path, grid)
    refused(path, "one run has one grid", grid=Grid(-9600, 9600, 240, 80, 61))


def test_wrong_units_and_bands(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    written(path, grid)
    refused(path, "bands are in", RasterSpec("slope", (Band("slope_deg", "rad", 0, 90),)))
    refused(
        path, "has bands", RasterSpec("slope", (Band("slope_deg", "deg", 0, 90), Band("aspect_deg", "deg", 0, 360)))
    )
    refused(path, "needs uint8", RasterSpec("slope", SLOPE.bands, "uint8"))


def test_foreign_stamp(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    written(path, grid)
    refused(path, "is a 'slope'", RasterSpec("roughness", SLOPE.bands))
    for stamp, message in ((None, "no lunarsite stamp"), ("{}", "schema version None"), ("{", "not one of ours")):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.update_tags(LUNARSITE_STAMP=stamp or "")
        refused(path, message)


def test_stamp_of_another_schema(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    raster.write(path, SLOPE, grid, {"slope_deg": slopes(grid)}, make_stamp("slope", schema_version=99))
    refused(path, "schema version 99")


def test_nan_everywhere(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    empty = np.full(grid.shape, np.nan, np.float32)
    raster.write(path, SLOPE, grid, {"slope_deg": empty}, make_stamp("slope"))
    with pytest.raises(ArtefactError, match="no data at all"):
        raster.validate(path, SLOPE)
    raster.validate(path, replace(SLOPE, allow_empty=True))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda v: v * 100, "another unit"),
        (lambda v: v - 1, "another unit"),
        (lambda v: v.astype(np.float64), "must be float32"),
        (lambda v: v[:-1], "window is"),
    ],
)
def test_writer_refuses(tmp_path: Path, grid: Grid, values: object, message: str) -> None:
    path = tmp_path / "slope.tif"
    with pytest.raises(ArtefactError, match=message):
        raster.write(path, SLOPE, grid, {"slope_deg": values(slopes(grid))}, make_stamp("slope"))  # type: ignore[operator]
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "slope.tif"
    values = written(path, grid)
    with pytest.raises(RuntimeError), raster.creating(path, SLOPE, grid, make_stamp("slope")) as out:
        out.write(values[:5], window=(slice(0, 5), slice(0, grid.cols)))
        raise RuntimeError
    np.testing.assert_array_equal(raster.read(path, SLOPE)["slope_deg"], values)
    assert [p.name for p in tmp_path.iterdir()] == ["slope.tif"]


def _keep_writing(path: str, ready: str) -> None:
    grid = Grid(-300_000, 300_000, 240, 1024, 1024)
    for seed in range(1, 10_000):
        values = np.full(grid.shape, seed % 80, np.float32)
        values[::7] = np.random.default_rng(seed).uniform(0, 80, values[::7].shape)
        raster.write(Path(path), SLOPE, grid, {"slope_deg": values}, make_stamp("slope", seed=seed))
        Path(ready).touch()


@pytest.mark.parametrize("delay_s", [0.01, 0.05, 0.11, 0.17, 0.23])
def test_killed_writer_leaves_the_old_file_or_the_new(tmp_path: Path, delay_s: float) -> None:
    path, ready = tmp_path / "slope.tif", tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(target=_keep_writing, args=(str(path), str(ready)))
    process.start()
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(delay_s)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    values = raster.read(path, SLOPE)["slope_deg"]
    seed = raster.read_stamp(path).seed
    assert seed is not None
    np.testing.assert_array_equal(values[1], np.full(1024, seed % 80, np.float32))
    # The next writer of the same file clears what the killed one left.
    raster.write(path, SLOPE, Grid(-300_000, 300_000, 240, 1024, 1024), {"slope_deg": values}, make_stamp("slope"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ready", "slope.tif"]


def test_same_inputs_same_bytes(tmp_path: Path, grid: Grid) -> None:
    written(tmp_path / "a.tif", grid)
    written(tmp_path / "b.tif", grid)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as dataset:
        stamp = json.loads(dataset.tags()["LUNARSITE_STAMP"])
    assert not re.search(r"\d{2}:\d{2}", json.dumps(stamp)), "a stamp holds no time"
