"""Rasters as layers: float32 windows with NaN where data are missing, whatever the raster holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio

from lunarsite.artefact import raster
from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Grid
from lunarsite.site.reduction import Floats, Read, Slices

# Windows with a halo share blocks of the file with their neighbours; GDAL would otherwise keep 5 % of the memory.
_CACHE_MB = 256


@contextmanager
def opened_layer(path: Path, spec: RasterSpec, grid: Grid, band: str | None = None) -> Iterator[Read]:
    """Open one band of a raster, the first if none is named, as a layer on the run's grid.

    Raises:
        ArtefactError: It is missing, truncated, breaks the contract or lies on another grid.
    """
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB), raster.opened(path, spec, grid) as source:

        def read(window: Slices) -> Floats:
            values = source.read(band, window)
            if spec.dtype == "float32":
                return np.asarray(values, dtype=np.float32)
            return np.where(spec.missing(values), np.float32(np.nan), values.astype(np.float32))

        yield read
