"""Contracts of elevation and of what follows from it alone."""

from __future__ import annotations

from lunarsite.artefact.raster import Band, RasterSpec

HEIGHT = Band("elevation_m", "m", -12_000.0, 12_000.0)

DEM = RasterSpec("dem", (HEIGHT,), description="Height above the sphere of 1737.4 km")
FAR_DEM = RasterSpec("far_dem", (HEIGHT,), description="Height above the sphere of 1737.4 km, far field")
ELEVATION_ERROR = RasterSpec(
    "elevation_error", (Band("elevation_error_m", "m", 0.0, 5_000.0),), description="One-sigma height error"
)
SLOPE = RasterSpec("slope", (Band("slope_deg", "deg", 0.0, 90.0),), description="Slope, Horn 1981, true lengths")
ROUGHNESS = RasterSpec(
    "roughness", (Band("roughness_m", "m", 0.0, 10_000.0),), description="RMS deviation from the local plane"
)
