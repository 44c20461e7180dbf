"""Real tiles: the reference file in DeepMoon's layout, and tiles cut from the reference elevation model."""

import os
from pathlib import Path

import numpy as np
import pytest

from lunarsite.grid import Grid, in_sector
from lunarsite.settings import CatalogueSettings, SplitSettings, TileSettings
from lunarsite.source.catalogue import read_craters
from lunarsite.source.deepmoon import opened, split_by_longitude
from lunarsite.source.local import opened as opened_raster
from lunarsite.vision.crater.tiles import cut_tiles, ring_mask

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
NEAR = Grid.centred(304_000.0, 240.0, 960.0)

pytestmark = pytest.mark.reference


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"REFERENCE DATA ABSENT: {path} (set LUNARSITE_REFERENCE)")
    return path


def test_the_reference_tiles_are_read_and_split() -> None:
    with opened(reference("deepmoon/tiles.h5"), None, "crater.pretraining_tiles") as source:
        bounds = source.bounds_deg()
        split = split_by_longitude(bounds)
        counts = [int((split == number).sum()) for number in (0, 1, -1)]
        _, block = next(source.blocks(split, 2.0, 2.0))
    print(f"train, validate, left out: {counts}")
    assert counts == [754, 74, 172]
    for train in bounds[split == 0]:
        apart = (bounds[split == 1, 0] - train[0]) % 360.0 >= train[1] - train[0]
        assert apart.all()
    # The scale by DeepMoon's formula, which published files need, is that of the file.
    values = block.per_tile
    extent_km = np.radians(values["longlat_bounds"][:, 3] - values["longlat_bounds"][:, 2]) * 1737.4
    ratio = extent_km / (256.0 * values["pix_distortion"]) / values["km_per_px"]
    assert np.abs(ratio - 1.0).max() < 0.01
    # The file's rings are ours: same convention of pixels, same thickness.
    for mask, craters in zip(block.masks, block.craters, strict=True):
        ours = ring_mask(craters["x_px"], craters["y_px"], craters["diameter_px"], mask.shape)
        assert ((ours > 0) & (mask > 0)).sum() > 0.98 * mask.sum()
        by_crater = craters["diameter_km"] / craters["diameter_px"]
        assert np.ptp(by_crater) < 1e-3 * by_crater.max()


def test_tiles_of_the_reference_model_show_its_craters() -> None:
    with opened_raster(reference("dem/polar80S_240m.tif"), NEAR, "source.local.dem") as raster:
        heights = raster.read()
    craters = read_craters(reference("craters/lu1319381_polar.csv"), NEAR, "source.local.craters")
    found = list(
        cut_tiles(
            lambda window: heights[window],
            NEAR,
            craters,
            TileSettings(pixel_m=(480.0,)),
            SplitSettings(),
            CatalogueSettings(lon_deg=(0.0, 180.0)),
        )
    )
    assert {float(tile.per_tile["split"]) for tile in found} == {0.0, 1.0}
    depths = []
    for tile in found:
        low, high = float(tile.per_tile["elev_min_m"]), float(tile.per_tile["elev_max_m"])
        assert -7000.0 < low < high < 7100.0
        listed = tile.craters
        assert not in_sector(listed["lon"], SplitSettings().test_lon_deg).any()
        height_m = np.where(tile.image > 0, low + (tile.image - 1.0) * (high - low) / 254.0, np.nan)
        down, across = np.mgrid[0:256, 0:256]
        sized = (listed["diameter_px"] > 10) & (listed["diameter_px"] < 60)
        for x, y, diameter in zip(*(listed[name][sized] for name in ("x_px", "y_px", "diameter_px")), strict=True):
            radii = np.hypot(across - x, down - y) / (0.5 * diameter)
            floor, rim = height_m[radii < 0.4], height_m[(radii > 0.9) & (radii < 1.1)]
            if np.isfinite(floor).all() and np.isfinite(rim).all() and floor.size and rim.size > 20:
                depths.append(float(rim.mean() - floor.mean()))
    deep = float((np.array(depths) > 0.0).mean())
    print(f"{len(found)} tiles, {len(depths)} craters looked at, {deep:.3f} of them are depressions")
    assert len(depths) > 100
    assert deep > 0.95
