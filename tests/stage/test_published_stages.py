"""Stages of published rasters through the command line, on small files of the published layout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from lunarsite import command
from lunarsite.artefact import contracts, raster, record, table
from lunarsite.grid import Grid, lunar_crs
from tests.layouts import rasters, tables

HALF_M = 9_600.0
GRID = {"pixel_m": 80.0, "half_width_m": 4_800.0, "far_pixel_m": 240.0, "far_half_width_m": HALF_M}
NEAR = Grid(-4_800.0, 4_800.0, 80.0, 120, 120)
FAR = Grid(-HALF_M, HALF_M, 240.0, 80, 80)


def run(stage: str, inputs: dict[str, Path | list[Path]], outputs: dict[str, Path], grid: dict | None = None) -> int:
    given = [
        f"{name}={path}" for name, paths in inputs.items() for path in (paths if isinstance(paths, list) else [paths])
    ]
    wanted = [f"{name}={path}" for name, path in outputs.items()]
    return command.main([stage, "--in", *given, "--out", *wanted, "--settings", json.dumps({"grid": grid or GRID})])


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Receipts of small files of every product that the stages read."""
    folder = tmp_path_factory.mktemp("resources")
    receipts = {}
    for product in (
        *("lola_dem_80s_80m", "lola_dem_80s_40m", "lola_dem_60s_240m", "lola_dem_80s_80m_error", "lola_slope_80s_20m"),
        *("sun_85s_60m", "sun_75s_120m", "earth_85s_60m", "earth_75s_120m", "psr_85s_60m", "psr_75s_120m"),
    ):
        # The finer maps of light end within the run's, as 85 S does within 80 S.
        half_m = 3_000.0 if "85s" in product else HALF_M if product == "lola_dem_60s_240m" else 4_800.0
        rasters.write(product, folder / product, half_m)
        receipts[product] = tables.receipt_of(product, folder / product)
    receipts["robbins_2018"] = tables.unpacked("robbins_2018", folder / "robbins_2018", HALF_M)
    return receipts


@pytest.fixture(scope="module")
def elevation(fetched: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elevation")
    inputs: dict[str, Path | list[Path]] = {
        "dem_files": fetched["lola_dem_80s_80m"],
        "far_dem_files": fetched["lola_dem_60s_240m"],
        "elevation_error_files": fetched["lola_dem_80s_80m_error"],
        "crater_files": fetched["robbins_2018"],
    }
    outputs = {
        "dem": folder / "dem.tif",
        "far_dem": folder / "far.tif",
        "elevation_error": folder / "error.tif",
        "craters": folder / "craters.parquet",
        "record": folder / "record.json",
    }
    assert run("published-elevation", inputs, outputs) == 0
    return folder


def test_elevation_is_that_of_the_moon_on_both_grids(elevation: Path) -> None:
    near = raster.read(elevation / "dem.tif", contracts.DEM, NEAR)["elevation_m"]
    assert np.array_equal(near, rasters.heights(NEAR))
    far = raster.read(elevation / "far.tif", contracts.FAR_DEM, FAR)["elevation_m"]
    assert np.abs(far - rasters.heights(FAR)).max() <= 0.25 + 1e-3  # stored in half metres
    error = raster.read(elevation / "error.tif", contracts.ELEVATION_ERROR, NEAR)["elevation_error_m"]
    assert np.array_equal(error, rasters.height_error(NEAR))


def test_everything_says_where_it_is_from(elevation: Path) -> None:
    for name in ("dem.tif", "far.tif", "error.tif"):
        stamp = raster.read_stamp(elevation / name)
        assert (stamp.origin, stamp.stage) == ("published", "published-elevation")
    written, stamp = record.read(elevation / "record.json", contracts.SOURCE_RECORD)
    assert stamp.origin == "published"
    assert written.metric("dem_file_pixels") == 1.0
    notes = "\n".join(written.notes)
    assert "source.published.dem (lola_dem_80s_80m): LDEM_80S_80MPP_ADJ.TIF: copied" in notes
    assert "source.published.far_dem (lola_dem_60s_240m): LDEM_60S_240M.LBL: copied" in notes
    assert "height = number x 0.5 + 0 m" in notes
    assert "Barker et al. (2023)" in notes
    assert "robbins_2018, version" in notes
    craters, _ = table.read(elevation / "craters.parquet", contracts.CRATERS)
    assert written.metric("craters") == len(craters) > 0
    assert NEAR.contains(craters["x_m"], craters["y_m"]).all()


def test_the_model_alone_will_do_and_says_what_it_lacks(fetched: dict[str, Path], tmp_path: Path) -> None:
    outputs = {"dem": tmp_path / "dem.tif", "record": tmp_path / "record.json"}
    grid = GRID | {"pixel_m": 240.0}
    assert run("published-elevation", {"dem_files": fetched["lola_dem_80s_40m"]}, outputs, grid) == 0
    written, _ = record.read(tmp_path / "record.json", contracts.SOURCE_RECORD)
    assert any("averaged from 6.00 file pixels" in note for note in written.notes)
    assert any("No far field" in note for note in written.notes)
    assert written.metric("craters") == 0


def test_optional_inputs_come_with_their_outputs(fetched: dict[str, Path], tmp_path: Path) -> None:
    inputs: dict[str, Path | list[Path]] = {"dem_files": fetched["lola_dem_80s_80m"]}
    outputs = {"dem": tmp_path / "dem.tif", "far_dem": tmp_path / "far.tif"}
    assert run("published-elevation", inputs, outputs) == command.EXIT_USAGE


def test_a_finer_model_keeps_its_own_pixels(fetched: dict[str, Path], tmp_path: Path) -> None:
    outputs = {"fine_dem": tmp_path / "fine.tif"}
    assert run("published-fine-dem", {"fine_dem_files": fetched["lola_dem_80s_40m"]}, outputs) == 0
    own = Grid(-4_800.0, 4_800.0, 40.0, 240, 240)
    found = raster.read(tmp_path / "fine.tif", contracts.FINE_DEM, own)
    assert np.array_equal(next(iter(found.values())), rasters.heights(own))


def test_a_model_that_is_no_finer_is_refused_by_its_name(
    fetched: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"fine_dem": tmp_path / "fine.tif"}
    code = run("published-fine-dem", {"fine_dem_files": fetched["lola_dem_60s_240m"]}, outputs)
    assert code == command.EXIT_ARTEFACT
    assert "source.published.fine_dems (lola_dem_60s_240m)" in capsys.readouterr().err
    assert not (tmp_path / "fine.tif").exists()


def test_light_comes_from_the_finest_map_that_has_it(
    fetched: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs: dict[str, Path | list[Path]] = {
        f"{name}_files": [fetched[f"{name}_85s_60m"], fetched[f"{name}_75s_120m"]] for name in ("sun", "earth", "psr")
    }
    names = {"sun_any": "sun.tif", "earth_any": "earth.tif", "psr": "psr.tif"}
    outputs = {name: tmp_path / file for name, file in names.items()}
    assert run("published-illumination", inputs, outputs) == 0
    log = capsys.readouterr().err
    sun = raster.read(outputs["sun_any"], contracts.SUN_ANY, NEAR)["sun_any"]
    earth = raster.read(outputs["earth_any"], contracts.EARTH_ANY, NEAR)["earth_any"]
    psr = raster.read(outputs["psr"], contracts.PSR, NEAR)["psr"]
    assert np.isfinite(sun).all()
    assert np.isfinite(earth).all()
    assert set(np.unique(psr)) == {0, 1}
    # Within the finer map its blocks of 20 m decide; outside it the coarser map's interpolation.
    fine = rasters.sun(rasters.grid_of("sun_85s_60m", 3_000.0))
    small = np.repeat(np.repeat(np.round(fine / 4e-5) * 4e-5, 3, axis=0), 3, axis=1)[6:-6, 6:-6]
    expected = small.reshape(72, 4, 72, 4).mean(axis=(1, 3))
    assert np.abs(sun[24:96, 24:96] - expected).max() < 1e-6
    assert np.abs(sun - rasters.sun(NEAR)).mean() < 0.02
    assert np.abs(earth - rasters.earth(NEAR)).mean() < 0.02
    assert (psr == rasters.psr(NEAR)).mean() > 0.97
    # The finer map of +-3000 m has all of the pixels within +-2960 m.
    share = (74 / 120) ** 2
    assert f"source.published.sun (sun_85s_60m), version 201608: {100 * share:.2f} % of the map" in log
    assert f"source.published.sun (sun_75s_120m), version 201608: {100 * (1 - share):.2f} % of the map" in log
    assert "unknown: 0.00 % of the map" in log
    assert raster.read_stamp(outputs["psr"]).origin == "published"


def test_slopes_are_averaged_and_their_largest_kept(fetched: dict[str, Path], tmp_path: Path) -> None:
    outputs = {"slope": tmp_path / "slope.tif"}
    assert run("published-slope", {"slope_files": fetched["lola_slope_80s_20m"]}, outputs) == 0
    found = raster.read(outputs["slope"], contracts.PUBLISHED_SLOPE, NEAR)
    fine = rasters.slope_deg(rasters.grid_of("lola_slope_80s_20m", 4_800.0)).reshape(120, 4, 120, 4)
    assert np.allclose(found["slope_mean_deg"], fine.mean(axis=(1, 3)), atol=1e-4)
    assert np.array_equal(found["slope_max_deg"], fine.max(axis=(1, 3)))
    with raster.opened(outputs["slope"], contracts.PUBLISHED_SLOPE) as opened:
        assert opened.facts == {"published_pixel_m": 20.0, "published_is_finer": 1.0}


def test_slopes_that_are_no_finer_say_so(
    fetched: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = {"slope": tmp_path / "slope.tif"}
    grid = GRID | {"pixel_m": 20.0}
    assert run("published-slope", {"slope_files": fetched["lola_slope_80s_20m"]}, outputs, grid) == 0
    with raster.opened(outputs["slope"], contracts.PUBLISHED_SLOPE) as opened:
        assert opened.facts == {"published_pixel_m": 20.0, "published_is_finer": 0.0}
    assert "no finer than the map" in capsys.readouterr().err


def test_a_product_of_another_kind_is_refused(
    fetched: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run("published-slope", {"slope_files": fetched["lola_dem_80s_80m"]}, {"slope": tmp_path / "slope.tif"})
    assert code == command.EXIT_ARTEFACT
    log = capsys.readouterr().err
    assert "source.published.slope (lola_dem_80s_80m)" in log
    assert "allowed are 0..90 deg" in log


SPARSE = """
import json, sys
from lunarsite import command
code = command.main(json.loads(sys.argv[1]))
# Not getrusage, whose peak includes that of the process that started this one.
with open("/proc/self/status", encoding="ascii") as status:
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print("RESULT", code, peak_kib // 1024)
"""


@pytest.mark.parametrize("kind", ["slope", "dem"])
def test_a_raster_of_30400_pixels_a_side_never_enters_memory(tmp_path: Path, kind: str) -> None:
    """The published size at 20 m, 3.7 GB of numbers in a sparse file of a few megabytes, onto 960 m pixels."""
    path = tmp_path / "LDSM_80S_20MPP_ADJ.TIF"
    profile = {"driver": "GTiff", "width": 30_400, "height": 30_400, "count": 1, "dtype": "float32", "nodata": np.nan}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "sparse_ok": True}
    affine = Affine(20.0, 0.0, -304_000.0, 0.0, -20.0, 304_000.0)
    with rasterio.open(path, "w", crs=lunar_crs(), transform=affine, **profile) as dataset:
        # A block of numbers about the pole; blocks that were never written hold none.
        block = np.full((1, 1_024, 1_024), 12.0, np.float32)
        dataset.write(block, window=((14_848, 15_872), (14_848, 15_872)))
    assert path.stat().st_size < 8 * 2**20
    receipt = tables.receipt_of("lola_slope_80s_20m", tmp_path)
    settings = {"grid": {"pixel_m": 960.0, "half_width_m": 304_000.0, "far_pixel_m": 960.0}}
    names = ("slope_files", "slope") if kind == "slope" else ("dem_files", "dem")
    call = ["published-slope" if kind == "slope" else "published-elevation", "--in", f"{names[0]}={receipt}"]
    call += ["--out", f"{names[1]}={tmp_path / 'out.tif'}", "--settings", json.dumps(settings)]
    done = subprocess.run(
        [sys.executable, "-c", SPARSE, json.dumps(call)], capture_output=True, text=True, check=False, timeout=300
    )
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    code, used_mib = (int(word) for word in result.split()[1:])
    assert code == 0, done.stderr
    assert used_mib < 600
    with rasterio.open(tmp_path / "out.tif") as dataset:
        values = dataset.read(1)
    assert np.nanmin(values) == np.nanmax(values) == 12.0
