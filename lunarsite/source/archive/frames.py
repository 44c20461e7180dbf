"""Where an image lies on the sky: the gnomonic projection (TAN) of Calabretta and Greisen (2002), with square pixels.

Angles. `orientation_deg` is what the archives print: the angle from the image's up to north, counter-clockwise (to the
left) positive. East is a quarter turn counter-clockwise from north, as on every picture of the sky. The position angle
of the image's up, east of north, is therefore minus the orientation. Pixels count from 0 at the centre of the upper
left one, x to the right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RAD_TO_ARCSEC = 206_264.80624709636

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """An image's place on the sky.

    Attributes:
        ra_deg, dec_deg: Centre of the image, ICRS.
        width_px, height_px: Its size.
        arcsec_per_px: Side of a pixel at the centre.
        orientation_deg: Angle from up to north, counter-clockwise positive.
    """

    ra_deg: float
    dec_deg: float
    width_px: int
    height_px: int
    arcsec_per_px: float
    orientation_deg: float

    @classmethod
    def of_field(
        cls,
        ra_deg: float,
        dec_deg: float,
        size_px: tuple[int, int],
        field_arcmin: tuple[float, float],
        orientation_deg: float,
    ) -> Frame:
        """Return the frame of an image whose field is known; the longer side is the more exact one, so it counts."""
        longer = 0 if size_px[0] >= size_px[1] else 1
        return cls(ra_deg, dec_deg, *size_px, 60.0 * field_arcmin[longer] / size_px[longer], orientation_deg)

    def resized(self, width_px: int, height_px: int) -> Frame:
        """Return the frame of the same image in another size."""
        longer = self.width_px / width_px if self.width_px >= self.height_px else self.height_px / height_px
        scale = self.arcsec_per_px * longer
        return Frame(self.ra_deg, self.dec_deg, width_px, height_px, scale, self.orientation_deg)

    def to_sky(self, x_px: Floats, y_px: Floats) -> tuple[Floats, Floats]:
        """Return right ascension in [0, 360) and declination of pixels, degrees."""
        angle = math.radians(self.orientation_deg)
        right = (np.asarray(x_px, dtype=np.float64) - (self.width_px - 1) / 2.0) * self.arcsec_per_px / _RAD_TO_ARCSEC
        up = ((self.height_px - 1) / 2.0 - np.asarray(y_px, dtype=np.float64)) * self.arcsec_per_px / _RAD_TO_ARCSEC
        east = -math.cos(angle) * right - math.sin(angle) * up
        north = -math.sin(angle) * right + math.cos(angle) * up
        dec0 = math.radians(self.dec_deg)
        down = math.cos(dec0) - north * math.sin(dec0)
        ra = np.radians(self.ra_deg) + np.arctan2(east, down)
        dec = np.arctan2(math.sin(dec0) + north * math.cos(dec0), np.hypot(east, down))
        return np.degrees(ra) % 360.0, np.degrees(dec)

    def to_pixels(self, ra_deg: Floats, dec_deg: Floats) -> tuple[Floats, Floats]:
        """Return x and y of places on the sky, pixels; NaN for what lies 90 degrees from the centre or farther."""
        angle, dec0 = math.radians(self.orientation_deg), math.radians(self.dec_deg)
        away = np.radians(np.asarray(ra_deg, dtype=np.float64) - self.ra_deg)
        dec = np.radians(np.asarray(dec_deg, dtype=np.float64))
        cosine = math.sin(dec0) * np.sin(dec) + math.cos(dec0) * np.cos(dec) * np.cos(away)
        cosine = np.where(cosine > 1e-9, cosine, np.nan)
        east = np.cos(dec) * np.sin(away) / cosine
        north = (math.cos(dec0) * np.sin(dec) - math.sin(dec0) * np.cos(dec) * np.cos(away)) / cosine
        right = -math.cos(angle) * east - math.sin(angle) * north
        up = -math.sin(angle) * east + math.cos(angle) * north
        scale = _RAD_TO_ARCSEC / self.arcsec_per_px
        return right * scale + (self.width_px - 1) / 2.0, (self.height_px - 1) / 2.0 - up * scale

    def wcs_keywords(self) -> dict[str, Any]:
        """Return the frame as FITS keywords; FITS counts pixels from 1 at the lower left."""
        angle, side_deg = math.radians(self.orientation_deg), self.arcsec_per_px / 3_600.0
        return {
            "NAXIS": 2,
            "NAXIS1": self.width_px,
            "NAXIS2": self.height_px,
            "WCSAXES": 2,
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            "CRPIX1": (self.width_px + 1) / 2.0,
            "CRPIX2": (self.height_px + 1) / 2.0,
            "CRVAL1": self.ra_deg,
            "CRVAL2": self.dec_deg,
            "CDELT1": -side_deg,
            "CDELT2": side_deg,
            "PC1_1": math.cos(angle),
            "PC1_2": math.sin(angle),
            "PC2_1": -math.sin(angle),
            "PC2_2": math.cos(angle),
            "RADESYS": "ICRS",
        }
