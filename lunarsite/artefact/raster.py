"""Rasters: cloud-optimised GeoTIFFs on the run's polar map, with named bands, units and valid ranges.

Floats mark missing data by NaN, classes (uint8) by 255. Writing goes through a tiled scratch file so that memory
stays bounded whatever the raster's size; the result is a COG with overviews whose bytes depend on its content only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from lunarsite.artefact.atomic import replacing, scratch
from lunarsite.artefact.stamp import ArtefactError, Stamp, canonical_json, parse_stamp
from lunarsite.grid import Grid, is_polar_map

_STAMP_TAG = "LUNARSITE_STAMP"
_POLE_TAG = "LUNARSITE_POLE"
_FACTS_TAG = "LUNARSITE_FACTS"
_BLOCK_PX = 512
_CLASS_NODATA = 255

Slices = tuple[slice, slice]
Array = NDArray[Any]


@dataclass(frozen=True)
class Band:
    """One band: its name (with unit), unit and the range in which its values make sense; whether it may be blank."""

    name: str
    unit: str
    valid_min: float
    valid_max: float
    optional: bool = False


@dataclass(frozen=True)
class RasterSpec:
    """Contract of a raster: name, bands in order, and whether it holds floats (NaN) or classes (255).

    A band without any data is refused unless it is optional or `allow_empty` says that it makes sense. `facts` names
    numbers that the file carries besides its pixels, such as the resolution of what it was made from; all must
    be given and finite.
    """

    name: str
    bands: tuple[Band, ...]
    dtype: Literal["float32", "uint8"] = "float32"
    description: str = ""
    allow_empty: bool = False
    facts: tuple[str, ...] = ()

    @property
    def nodata(self) -> float:
        """NaN for floats, 255 for classes."""
        return float("nan") if self.dtype == "float32" else _CLASS_NODATA

    def band_index(self, name: str) -> int:
        """Return the 1-based index of a band."""
        names = [band.name for band in self.bands]
        if name not in names:
            raise ArtefactError(f"raster '{self.name}' has no band '{name}'; it has {', '.join(names)}")
        return names.index(name) + 1

    def missing(self, values: Array) -> NDArray[np.bool_]:
        """Where values are no-data."""
        return np.isnan(values) if self.dtype == "float32" else np.asarray(values == _CLASS_NODATA)

    def check(self, path: Path, band: Band, values: Array) -> None:
        """Refuse values outside the band's valid range (no-data is legal)."""
        present = values[~self.missing(values)]
        if present.size == 0:
            return
        low, high = float(present.min()), float(present.max())
        slack = 1e-5 * max(abs(band.valid_min), abs(band.valid_max), 1.0)
        if low < band.valid_min - slack or high > band.valid_max + slack:
            raise ArtefactError(
                f"{path}: band '{band.name}' holds {low:g}..{high:g} {band.unit},"
                f" allowed are {band.valid_min:g}..{band.valid_max:g} {band.unit}; is it in another unit?"
            )


class RasterReader:
    """An open raster that keeps its contract. Reads are windowed and checked against the valid range."""

    def __init__(
        self, path: Path, spec: RasterSpec, dataset: Any, grid: Grid, stamp: Stamp, facts: Mapping[str, float]
    ) -> None:
        self.path, self.spec, self.grid, self.stamp, self.facts = path, spec, grid, stamp, facts
        self._dataset = dataset

    def read(self, band: str | None = None, window: Slices | None = None) -> Array:
        """Return one band (the first if none is named) of the whole grid or of a window of (rows, cols) slices."""
        index = 1 if band is None else self.spec.band_index(band)
        return self._read(index, window)

    def _read(self, index: int, window: Slices | None) -> Array:
        try:
            values = self._dataset.read(index, window=None if window is None else Window.from_slices(*window))
        except RasterioIOError as error:
            raise ArtefactError(
                f"{self.path}: cannot be read ({error}); it may be truncated: rerun its stage"
            ) from error
        self.spec.check(self.path, self.spec.bands[index - 1], values)
        return np.asarray(values)


@contextmanager
def opened(path: Path, spec: RasterSpec, grid: Grid | None = None) -> Iterator[RasterReader]:
    """Open a raster for windowed reading after checking everything that its header tells.

    Args:
        path: The file.
        spec: The contract it must keep.
        grid: The grid it must lie on; None accepts any grid of the polar map.

    Raises:
        ArtefactError: It is missing, truncated, or breaks the contract.
    """
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes '{spec.name}' first")
    try:
        dataset = rasterio.open(path, num_threads="all_cpus")
    except RasterioError as error:
        raise ArtefactError(f"{path}: is no readable GeoTIFF ({error}); rerun the stage that writes it") from error
    with dataset:
        stamp = parse_stamp(dataset.tags().get(_STAMP_TAG), path, spec.name)
        _check_bands(path, spec, dataset)
        found = _grid_of(path, dataset)
        if grid is not None and found != grid:
            raise ArtefactError(f"{path}: lies on {found}, wanted is {grid}; one run has one grid")
        yield RasterReader(path, spec, dataset, found, stamp, _facts_of(path, spec, dataset))


def read(path: Path, spec: RasterSpec, grid: Grid | None = None) -> dict[str, Array]:
    """Return all bands of a raster as {name: (rows, cols)}. See `opened` for the errors raised."""
    with opened(path, spec, grid) as source:
        return {band.name: source.read(band.name) for band in spec.bands}


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any raster artefact."""
    try:
        with rasterio.open(path) as dataset:
            return parse_stamp(dataset.tags().get(_STAMP_TAG), path)
    except RasterioError as error:
        raise ArtefactError(f"{path}: is no readable GeoTIFF ({error}); rerun the stage that writes it") from error


def validate(path: Path, spec: RasterSpec) -> None:
    """Read every block once and refuse what breaks the contract, an empty band included unless it may be."""
    with opened(path, spec) as source:
        for band in spec.bands:
            present = False
            for tile in source.grid.tiles(4 * _BLOCK_PX):
                present |= bool((~spec.missing(source.read(band.name, tile.core))).any())
            if not present and not spec.allow_empty and not band.optional:
                raise ArtefactError(
                    f"{path}: band '{band.name}' holds no data at all; look at its stage's log and inputs"
                )


class RasterWriter:
    """Collects windows of a raster; the file appears when the context ends without an error."""

    def __init__(self, path: Path, spec: RasterSpec, grid: Grid, dataset: Any) -> None:
        self.path, self.spec, self.grid = path, spec, grid
        self._dataset = dataset

    def write(self, values: Array, band: str | None = None, window: Slices | None = None) -> None:
        """Write one band (the first if none is named), whole or a window of (rows, cols) slices.

        Raises:
            ArtefactError: Type, shape or range break the contract.
        """
        index = 1 if band is None else self.spec.band_index(band)
        if values.dtype != self.spec.dtype:
            raise ArtefactError(f"{self.path}: band {index} must be {self.spec.dtype}, got {values.dtype}")
        place = Window.from_slices(*(window or (slice(0, self.grid.rows), slice(0, self.grid.cols))))
        if values.shape != (place.height, place.width):
            raise ArtefactError(f"{self.path}: window is {place.height} x {place.width}, values are {values.shape}")
        self.spec.check(self.path, self.spec.bands[index - 1], values)
        self._dataset.write(values, index, window=place)


@contextmanager
def creating(
    path: Path, spec: RasterSpec, grid: Grid, stamp: Stamp, facts: Mapping[str, float] | None = None
) -> Iterator[RasterWriter]:
    """Write a raster window by window; on success it replaces `path` in one step as a COG with overviews.

    Args:
        path: The file.
        spec: The contract it will keep.
        grid: The grid it lies on.
        stamp: Its provenance.
        facts: A number for each of `spec.facts`.
    """
    numbers = dict(facts or {})
    if set(numbers) != set(spec.facts) or not all(math.isfinite(number) for number in numbers.values()):
        raise ArtefactError(f"{path}: facts {numbers} given, '{spec.name}' needs finite ones: {spec.facts}")
    profile = {
        "driver": "GTiff",
        "width": grid.cols,
        "height": grid.rows,
        "count": len(spec.bands),
        "dtype": spec.dtype,
        "crs": grid.crs,
        "transform": grid.affine,
        "nodata": spec.nodata,
        "tiled": True,
        "blockxsize": _BLOCK_PX,
        "blockysize": _BLOCK_PX,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    with replacing(path) as partial, scratch(path, ".tif") as tiled:
        with rasterio.open(tiled, "w", **profile) as dataset:
            dataset.update_tags(**{_STAMP_TAG: stamp.to_json(), _POLE_TAG: grid.pole, "DESCRIPTION": spec.description})
            if numbers:
                dataset.update_tags(**{_FACTS_TAG: canonical_json(numbers)})
            for index, band in enumerate(spec.bands, start=1):
                dataset.set_band_description(index, band.name)
                dataset.set_band_unit(index, band.unit)
            yield RasterWriter(path, spec, grid, dataset)
        _to_cog(tiled, partial, spec)


def write(
    path: Path,
    spec: RasterSpec,
    grid: Grid,
    bands: Mapping[str, Array],
    stamp: Stamp,
    facts: Mapping[str, float] | None = None,
) -> None:
    """Write whole bands {name: (rows, cols)}; every band and every fact of the contract must be given."""
    if set(bands) != {band.name for band in spec.bands}:
        raise ArtefactError(f"{path}: bands {sorted(bands)} given, '{spec.name}' has {[b.name for b in spec.bands]}")
    with creating(path, spec, grid, stamp, facts) as writer:
        for name, values in bands.items():
            writer.write(values, name)


def _to_cog(tiled: Path, target: Path, spec: RasterSpec) -> None:
    rasterio.shutil.copy(
        tiled,
        target,
        driver="COG",
        blocksize=_BLOCK_PX,
        compress="DEFLATE",
        level=6,
        predictor="FLOATING_POINT" if spec.dtype == "float32" else "STANDARD",
        overview_resampling=(Resampling.average if spec.dtype == "float32" else Resampling.nearest).name,
        bigtiff="IF_SAFER",
    )


def _check_bands(path: Path, spec: RasterSpec, dataset: Any) -> None:
    names, units = tuple(dataset.descriptions), tuple(unit or "" for unit in dataset.units)
    wanted_names, wanted_units = tuple(b.name for b in spec.bands), tuple(b.unit for b in spec.bands)
    if names != wanted_names:
        raise ArtefactError(f"{path}: has bands {names}, '{spec.name}' needs {wanted_names}")
    if units != wanted_units:
        raise ArtefactError(f"{path}: its bands are in {units}, '{spec.name}' needs {wanted_units}")
    if any(dtype != spec.dtype for dtype in dataset.dtypes):
        raise ArtefactError(f"{path}: holds {set(dataset.dtypes)}, '{spec.name}' needs {spec.dtype}")
    nodata = dataset.nodata
    right = nodata is not None and (np.isnan(nodata) if spec.dtype == "float32" else nodata == _CLASS_NODATA)
    if not right:
        raise ArtefactError(f"{path}: its no-data value is {nodata}, '{spec.name}' needs {spec.nodata}")


def _facts_of(path: Path, spec: RasterSpec, dataset: Any) -> Mapping[str, float]:
    """Return the numbers that a raster carries besides its pixels, which must be those of its contract."""
    text = dataset.tags().get(_FACTS_TAG, "{}")
    try:
        found = json.loads(text)
        if set(found) == set(spec.facts) and all(math.isfinite(number) for number in found.values()):
            return {name: float(found[name]) for name in spec.facts}
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        pass  # told below, like facts of another contract
    raise ArtefactError(
        f"{path}: carries the facts {text[:200]}, '{spec.name}' needs finite numbers for {spec.facts}; rerun the stage"
        " that writes it"
    )


def _grid_of(path: Path, dataset: Any) -> Grid:
    pole: Any = dataset.tags().get(_POLE_TAG)
    if pole not in ("south", "north") or not is_polar_map(dataset.crs, pole):
        raise ArtefactError(f"{path}: its CRS is not the Moon's polar stereographic map (IAU_2015:30135 or 30130)")
    affine = dataset.transform
    if affine.b or affine.d or abs(affine.a + affine.e) > 1e-9:
        raise ArtefactError(f"{path}: its pixels are not square and north-up ({tuple(affine)[:6]})")
    return Grid(affine.c, affine.f, affine.a, dataset.height, dataset.width, pole)
