"""Illumination stages: the result does not depend on the sharing; every output keeps its contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import raster, table
from lunarsite.artefact.contracts import (
    DEM,
    EARTH_ANY,
    EARTH_MEAN,
    FAR_DEM,
    NIGHT,
    PLACE_PROFILES,
    PLACE_SERIES,
    PSR,
    PSR_MARGIN,
    SITE_MONTHS,
    SITES,
    SKY_VIEW,
    SUN_ANY,
    SUN_MEAN,
    SUN_MONTHS,
)
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid
from lunarsite.illumination import stages
from lunarsite.settings import DarknessSettings, GridSettings, IlluminationSettings, PlacesSettings, SpanSettings
from lunarsite.stage import Job

from .fake_sites import bare_sites

SPECS = {
    "sun_mean": SUN_MEAN,
    "sun_any": SUN_ANY,
    "earth_mean": EARTH_MEAN,
    "earth_any": EARTH_ANY,
    "psr": PSR,
    "psr_margin": PSR_MARGIN,
    "sky_view": SKY_VIEW,
    "sun_months": SUN_MONTHS,
}
GRID = GridSettings(
    pixel_m=480.0, half_width_m=14_400.0, far_pixel_m=960.0, far_half_width_m=48_000.0, latitude_limit_deg=89.0
)


def settings(shards: int, **changes: object) -> IlluminationSettings:
    values: dict[str, object] = {
        "azimuths": 24,
        "near_samples": 6,
        "earth_step_deg": 2.0,
        "months": True,
        "observer_heights_m": (0.0, 10.0),
        "shards": shards,
        "span": SpanSettings(years=1.0, step_h=6.0),
    }
    return IlluminationSettings.model_validate(values | changes)


@pytest.fixture
def job() -> Job:
    job = Job("illumination-test", "default", "0" * 16, "0" * 64)
    job.origin = "synthetic"
    return job


@dataclass(frozen=True)
class Ground:
    dem: Path
    far_dem: Path


@pytest.fixture
def ground(tmp_path: Path, job: Job) -> Ground:
    def heights(grid: Grid) -> np.ndarray:
        x, y = np.meshgrid(grid.x_m() / 1e3, grid.y_m() / 1e3)
        return (900.0 * np.sin(x / 3.1) * np.cos(y / 2.3) + 400.0 * np.sin((x + 2 * y) / 1.7)).astype(np.float32)

    near = Grid.centred(GRID.half_width_m, GRID.pixel_m, GRID.cell_m)
    far = Grid.centred(GRID.far_half_width_m, GRID.far_pixel_m, GRID.far_pixel_m)
    found = Ground(tmp_path / "dem.tif", tmp_path / "far_dem.tif")
    z = heights(near)
    z[3, 4] = np.nan
    raster.write(found.dem, DEM, near, {"elevation_m": z}, job.stamp(DEM))
    raster.write(found.far_dem, FAR_DEM, far, {"elevation_m": heights(far)}, job.stamp(FAR_DEM))
    return found


def averages(job: Job, ground: Ground, folder: Path, shards: int, height: int = 0) -> dict[str, Path]:
    partials = []
    for index in range(shards):
        partials.append(folder / f"partial_{index}.h5")
        stages.sweep(job, settings(shards), ground.dem, ground.far_dem, partials[-1], index)
    outputs = {name: folder / f"{name}_{height}.tif" for name in SPECS}
    stages.gather(job, settings(shards), tuple(partials), **outputs, height=height)
    return outputs


def test_one_shard_and_eight_give_the_same_bits(tmp_path: Path, job: Job, ground: Ground) -> None:
    one = averages(job, ground, tmp_path / "one", 1)
    eight = averages(job, ground, tmp_path / "eight", 8)
    for name, spec in SPECS.items():
        for band, values in raster.read(one[name], spec).items():
            np.testing.assert_array_equal(values, raster.read(eight[name], spec)[band], err_msg=name)
    psr = raster.read(one["psr"], PSR)["psr"]
    assert psr[3, 4] == 255, "no height, no answer"
    assert {0, 1} <= set(np.unique(psr))
    lit = raster.read(one["sun_any"], SUN_ANY)["sun_any"]
    assert (lit[psr == 1] == 0).all()
    assert (raster.read(one["sun_mean"], SUN_MEAN)["sun_mean"][psr == 0] <= lit[psr == 0] + 1e-6).all()


def test_a_year_is_the_mean_of_its_months(tmp_path: Path, job: Job, ground: Ground) -> None:
    found = averages(job, ground, tmp_path, 2)
    months = np.stack(list(raster.read(found["sun_months"], SUN_MONTHS).values()))
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31.25])
    year = np.tensordot(days / days.sum(), months, 1)
    # Each month lights the directions unevenly, which the longitude tables smooth.
    np.testing.assert_allclose(year, raster.read(found["sun_mean"], SUN_MEAN)["sun_mean"], atol=0.02)


def test_higher_up_is_lighter(tmp_path: Path, job: Job, ground: Ground) -> None:
    low = raster.read(averages(job, ground, tmp_path, 2, 0)["sun_any"], SUN_ANY)["sun_any"]
    high = raster.read(averages(job, ground, tmp_path, 2, 1)["sun_any"], SUN_ANY)["sun_any"]
    assert np.nanmean(high - low) > 0
    assert np.nanmin(high - low) > -1e-6


def test_shards_of_other_settings_are_refused(tmp_path: Path, job: Job, ground: Ground) -> None:
    stages.sweep(job, settings(1), ground.dem, ground.far_dem, tmp_path / "a.h5", 0)
    outputs = {name: tmp_path / f"{name}.tif" for name in SPECS}
    with pytest.raises(ArtefactError, match="under other settings"):
        stages.gather(job, settings(1, azimuths=32), (tmp_path / "a.h5",), **outputs, height=0)
    with pytest.raises(ArtefactError, match="1 partials given, the settings have 2"):
        stages.gather(job, settings(2), (tmp_path / "a.h5",), **outputs, height=0)


def test_nights(tmp_path: Path, job: Job, ground: Ground) -> None:
    sun_any = averages(job, ground, tmp_path, 2)["sun_any"]
    partials = tuple(tmp_path / f"profiles_{index}.h5" for index in range(2))
    for index, path in enumerate(partials):
        stages.profiles(job, GRID, settings(2), ground.dem, ground.far_dem, sun_any, path, index)
    darkness = DarknessSettings(least_lit_fraction=0.05)
    stages.darkness(job, GRID, settings(2), darkness, partials, tmp_path / "night.parquet")
    night, _ = table.read(tmp_path / "night.parquet", NIGHT)
    lit = raster.read(sun_any, SUN_ANY)["sun_any"]
    best = np.nanmax(lit.reshape(30, 2, 30, 2).swapaxes(1, 2).reshape(900, 4), axis=1)
    centres = night.geometry
    row, col = ((14_400 - centres.y) // 960).astype(int), ((centres.x + 14_400) // 960).astype(int)
    # 24 directions are coarse: the series takes the horizon between them, the averages do not.
    np.testing.assert_allclose(night["lit_fraction"], best[row * 30 + col], atol=0.06)
    assert np.abs(night["lit_fraction"] - best[row * 30 + col]).mean() < 0.01
    known = night["longest_night_h"].notna()
    assert known.any()
    assert (night["lit_fraction"][~known] < 0.05).all()
    assert (night["longest_night_h"][known] + night["longest_light_h"][known] <= 8766 + 6).all()


def test_places(tmp_path: Path, job: Job, ground: Ground) -> None:
    (tmp_path / "places.csv").write_text("name,lon_deg,lat_deg\nRidge,40.0,-89.8\nFloor,-120.0,-89.7\n")
    profiles, series = tmp_path / "profiles.parquet", tmp_path / "series.parquet"
    places = PlacesSettings(days=30.0, step_h=2.0)
    stages.places(job, settings(1), places, ground.dem, ground.far_dem, tmp_path / "places.csv", profiles, series)
    horizon, _ = table.read(profiles, PLACE_PROFILES)
    sky, _ = table.read(series, PLACE_SERIES)
    assert horizon.groupby("place").size().to_dict().keys() == {"Floor", "Ridge"}
    assert sky.groupby("place").size().to_dict() == {"Floor": 360, "Ridge": 360}
    assert sky["sun_elevation_deg"].abs().max() < 2.3
    above = sky["sun_above_horizon_deg"]
    assert ((sky["sun_visible_fraction"] > 0) == (above > -0.28)).mean() > 0.98
    assert sky["time_utc"].iloc[0] == pd.Timestamp("2028-01-01")


def test_light_of_the_best_sites_is_that_of_places_there(tmp_path: Path, job: Job, ground: Ground) -> None:
    sites = bare_sites([(40.0, -89.8), (-120.0, -89.7), (10.0, -89.9)])
    table.write(tmp_path / "sites.parquet", SITES, sites, job.stamp(SITES))
    outputs = [tmp_path / f"{name}.parquet" for name in ("profiles", "series", "months")]
    places = PlacesSettings(days=30.0, step_h=6.0, best_sites=2)
    stages.sites(job, settings(1), places, ground.dem, ground.far_dem, tmp_path / "sites.parquet", *outputs)
    (tmp_path / "places.csv").write_text("name,lon_deg,lat_deg\nsite-001,40.0,-89.8\nsite-002,-120.0,-89.7\n")
    others = [tmp_path / "profiles_there.parquet", tmp_path / "series_there.parquet"]
    stages.places(job, settings(1), places, ground.dem, ground.far_dem, tmp_path / "places.csv", *others)
    for own, other, spec in zip(outputs[:2], others, (PLACE_PROFILES, PLACE_SERIES), strict=True):
        pd.testing.assert_frame_equal(table.read(own, spec)[0], table.read(other, spec)[0])
    months, _ = table.read(outputs[2], SITE_MONTHS)
    assert months["place"].tolist() == ["site-001"] * 12 + ["site-002"] * 12
    assert months["month"].tolist() == [*range(1, 13)] * 2
    # One year: the worst is the best.
    assert (months["sun_low"] == months["sun_high"]).all()
    assert 0.0 < months["sun_mean"].mean() < 1.0


def test_a_run_without_sites_has_no_light_of_sites(tmp_path: Path, job: Job, ground: Ground) -> None:
    table.write(tmp_path / "sites.parquet", SITES, bare_sites([]), job.stamp(SITES))
    outputs = [tmp_path / f"{name}.parquet" for name in ("profiles", "series", "months")]
    stages.sites(job, settings(1), PlacesSettings(), ground.dem, ground.far_dem, tmp_path / "sites.parquet", *outputs)
    for path, spec in zip(outputs, (PLACE_PROFILES, PLACE_SERIES, SITE_MONTHS), strict=True):
        assert table.read(path, spec)[0].empty


def test_months_that_the_span_does_not_hold_are_missing(tmp_path: Path, job: Job, ground: Ground) -> None:
    table.write(tmp_path / "sites.parquet", SITES, bare_sites([(40.0, -89.8)]), job.stamp(SITES))
    outputs = [tmp_path / f"{name}.parquet" for name in ("profiles", "series", "months")]
    short = settings(1, span=SpanSettings(years=0.1, step_h=6.0), months=False)
    places = PlacesSettings(days=10.0, step_h=6.0)
    stages.sites(job, short, places, ground.dem, ground.far_dem, tmp_path / "sites.parquet", *outputs)
    # 36.5 days from New Year hold January.
    assert table.read(outputs[2], SITE_MONTHS)[0]["month"].tolist() == [1]


def test_a_site_on_ground_without_data_is_refused(tmp_path: Path, job: Job, ground: Ground) -> None:
    table.write(tmp_path / "sites.parquet", SITES, bare_sites([(-43.8983, -89.41786)]), job.stamp(SITES))
    outputs = [tmp_path / f"{name}.parquet" for name in ("profiles", "series", "months")]
    with pytest.raises(ArtefactError, match=r"sites\.parquet.*\['site-001'\] lie on ground without data"):
        stages.sites(
            job, settings(1), PlacesSettings(), ground.dem, ground.far_dem, tmp_path / "sites.parquet", *outputs
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,lon,lat\nA,1,2\n", "needs the columns"),
        ("name,lon_deg,lat_deg\n", "holds 0 places"),
        ("name,lon_deg,lat_deg\nA,1,-89\nA,2,-89\n", "name of its own"),
        ("name,lon_deg,lat_deg\nA,1,-100\n", "lat_deg"),
        ("name,lon_deg,lat_deg\nA,east,-89\n", "lon_deg"),
        ("name,lon_deg,lat_deg\nA,0,-80\n", "outside the grid"),
        ("name,lon_deg,lat_deg\nHole,-43.8983,-89.41786\n", r"\['Hole'\] lie on ground without data"),
    ],
)
def test_bad_places(tmp_path: Path, job: Job, ground: Ground, text: str, message: str) -> None:
    (tmp_path / "places.csv").write_text(text)
    outputs = (tmp_path / "a.parquet", tmp_path / "b.parquet")
    with pytest.raises(ArtefactError, match=message):
        stages.places(job, settings(1), PlacesSettings(), ground.dem, ground.far_dem, tmp_path / "places.csv", *outputs)


def test_elevation_models_that_cannot_be_swept(tmp_path: Path, job: Job, ground: Ground) -> None:
    small = Grid(-2_400.0, 2_400.0, 480.0, 10, 10)
    z = np.zeros(small.shape, np.float32)
    raster.write(tmp_path / "small_far.tif", FAR_DEM, small, {"elevation_m": z}, job.stamp(FAR_DEM))
    with pytest.raises(ArtefactError, match=r"small_far\.tif.*far"):
        stages.sweep(job, settings(1), ground.dem, tmp_path / "small_far.tif", tmp_path / "p.h5", 0)
    raster.write(tmp_path / "small.tif", DEM, small, {"elevation_m": z}, job.stamp(DEM))
    with pytest.raises(ArtefactError, match=r"small\.tif.*near_samples"):
        stages.sweep(job, settings(1, near_samples=32), tmp_path / "small.tif", None, tmp_path / "p.h5", 0)
    assert not (tmp_path / "p.h5").exists()
