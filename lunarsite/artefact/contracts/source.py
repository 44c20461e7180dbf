"""Contracts of what is read from published products beside elevation."""

from __future__ import annotations

from lunarsite.artefact import download
from lunarsite.artefact.raster import Band, RasterSpec
from lunarsite.artefact.record import RecordSpec

DOWNLOAD = download.DOWNLOAD
PUBLISHED_SLOPE = RasterSpec(
    "published_slope",
    (Band("slope_mean_deg", "deg", 0.0, 90.0), Band("slope_max_deg", "deg", 0.0, 90.0)),
    description="Mean and largest published slope of the fine pixels in each pixel",
    facts=("published_pixel_m", "published_is_finer"),
)
"""Facts: the side of the product's own pixels, and 1 where several of them lie in one of the run's, else 0: then no
larger slope than the mean is known, and both bands are the same."""
SHADOWCAM = RasterSpec(
    "shadowcam",
    (
        Band("brightness", "1", -1.0, 1.0e3),
        Band("saturated_share", "1", 0.0, 1.0, optional=True),
        Band("published_sun_any", "1", 0.0, 1.0, optional=True),
    ),
    description="Average brightness of a ShadowCam composite",
)
"""On a grid of its own. The publisher's numbers, averaged; 1 means nothing but 'as published'; small
negative ones are noise. Where the source tells so: the share of each pixel whose brightness is only known to be at
least the number given, and a published share of time with any part of the Sun's disc in sight. Blank where it does
not."""
SLOPE_RECORD = RecordSpec(name="slope_check")
