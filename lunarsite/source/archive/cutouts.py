"""Cut-outs of sky surveys by the service hips2fits of CDS: what is asked for, and what its answer must be.

The frame is given as FITS keywords ('wcs'), not as a field of view with a rotation angle: the standard fixes the sense
of a rotation there, and both axes.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode, urlsplit

from lunarsite.source.archive.frames import Frame
from lunarsite.source.archive.pictures import Picture, PictureError, decode

KINDS = ("image/png", "image/jpeg")
SHORT_NAMES = {"CDS/P/DSS2/color": "dss2", "CDS/P/SDSS9/color": "sdss9"}
"""Names of the surveys in files."""


def request_url(service: str, survey: str, frame: Frame) -> str:
    """Return the address at which the service renders a survey on a frame, as PNG: JPEG would add marks of its own."""
    parts = urlsplit(service)
    if parts.query or parts.fragment:
        raise ValueError(f"the service's address {service} must have no query of its own")
    values = {"hips": survey, "wcs": json.dumps(frame.wcs_keywords(), separators=(",", ":")), "format": "png"}
    return f"{service}?{urlencode(values)}"


def read_cutout(body: bytes, frame: Frame, where: str) -> Picture:
    """Return a cut-out.

    Raises:
        PictureError: It is no picture, or not of the size that was asked for.
    """
    picture = decode(body, where, max(frame.width_px, frame.height_px))
    height, width = picture.seen.shape
    if (width, height) != (frame.width_px, frame.height_px):
        raise PictureError(
            f"{where}: the cut-out has {width} x {height} pixels, asked for were {frame.width_px} x {frame.height_px}"
        )
    return picture
