"""Where an image lies on the sky: against astropy, by hand, and by a star field that is turned."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from lunarsite.source.archive.cutouts import read_cutout, request_url
from lunarsite.source.archive.filters import agreement
from lunarsite.source.archive.frames import Frame
from lunarsite.source.archive.pictures import PictureError
from tests.layouts import pages

ARCSEC = 1.0 / 3_600.0
FRAMES = st.builds(
    Frame,
    ra_deg=st.floats(0.0, 360.0),
    dec_deg=st.floats(-90.0, 90.0),
    width_px=st.integers(2, 2_000),
    height_px=st.integers(2, 2_000),
    arcsec_per_px=st.floats(0.01, 5.0),
    orientation_deg=st.floats(-360.0, 360.0),
)


def test_north_left_of_vertical_is_left() -> None:
    """Of an image whose north is 30 degrees left of vertical, a place to the north lies up and to the left."""
    frame = Frame(10.0, 0.0, 101, 101, 1.0, 30.0)
    x, y = frame.to_pixels(np.array([10.0]), np.array([20.0 * ARCSEC]))
    assert (x[0] - 50.0, 50.0 - y[0]) == pytest.approx((-10.0, 20.0 * np.cos(np.radians(30.0))), abs=1e-4)


def test_east_is_left_when_north_is_up() -> None:
    frame = Frame(10.0, 60.0, 101, 101, 1.0, 0.0)
    x, y = frame.to_pixels(np.array([10.0 + 2.0 * 20.0 * ARCSEC]), np.array([60.0]))
    assert (x[0], y[0]) == pytest.approx((30.0, 50.0), abs=0.01)


@given(FRAMES)
def test_agrees_with_astropy_by_the_keywords(frame: Frame) -> None:
    keywords = frame.wcs_keywords()
    wcs = WCS({key: value for key, value in keywords.items() if key not in ("NAXIS1", "NAXIS2")})
    x = np.array([0.0, 0.3, 1.0, 0.5]) * (frame.width_px - 1)
    y = np.array([0.0, 0.9, 0.2, 0.5]) * (frame.height_px - 1)
    ra_deg, dec_deg = frame.to_sky(x, y)
    expected_ra, expected_dec = wcs.all_pix2world(x, frame.height_px - 1 - y, 0)
    assert dec_deg == pytest.approx(expected_dec, abs=1e-9)
    off = (ra_deg - expected_ra + 180.0) % 360.0 - 180.0
    assert np.abs(off * np.cos(np.radians(dec_deg))).max() < 1e-9


@given(FRAMES)
def test_pixels_come_back(frame: Frame) -> None:
    x = np.array([0.0, 0.3, 1.0]) * (frame.width_px - 1)
    y = np.array([0.0, 0.9, 0.2]) * (frame.height_px - 1)
    back = frame.to_pixels(*frame.to_sky(x, y))
    # A pixel of 0.01 arcseconds is 5e-8 of a radian: what a double leaves of an angle of 2 pi.
    assert np.abs(back[0] - x).max() < 1e-3
    assert np.abs(back[1] - y).max() < 1e-3


def test_the_other_side_of_the_sky_is_nowhere() -> None:
    x, y = Frame(10.0, 20.0, 11, 11, 1.0, 0.0).to_pixels(np.array([190.0, 100.0]), np.array([-20.0, 0.0]))
    assert np.isnan([x[0], y[0]]).all()


def test_scale_comes_from_the_longer_side_and_stays_with_the_image() -> None:
    frame = Frame.of_field(1.0, 2.0, (640, 480), (4.0, 3.01), 5.0)
    assert frame.arcsec_per_px == 4.0 * 60.0 / 640
    assert frame.resized(320, 240).arcsec_per_px == 2.0 * frame.arcsec_per_px
    upright = Frame.of_field(1.0, 2.0, (480, 641), (3.01, 4.0), 5.0).resized(96, 128)
    assert upright.arcsec_per_px == pytest.approx(4.0 * 60.0 / 128)


def cutout_of(frame: Frame) -> np.ndarray:
    url = request_url("https://x.org/hips2fits", "CDS/P/DSS2/color", frame)
    query = {key: values[0] for key, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
    return read_cutout(pages.cutout(query), frame, "x").rgb


@pytest.mark.parametrize(
    ("degrees", "word"), [(0.0, "left"), (25.0, "left"), (25.0, "right"), (100.0, "left"), (165.0, "right")]
)
def test_turned_star_field_fits_by_one_sign_only(degrees: float, word: str) -> None:
    """The image is drawn as the archives describe it, the cut-out by astropy from the request's keywords."""
    image = replace(pages.IMAGES[0], orientation=(degrees, word))
    picture = pages.picture(image)
    seen = np.ones(picture.shape[:2], dtype=bool)
    frame = Frame.of_field(image.ra_deg, image.dec_deg, image.size_px, image.field_arcmin, image.angle_deg)
    frame = frame.resized(picture.shape[1], picture.shape[0])
    assert agreement(picture, cutout_of(frame), seen, 2.0) > 0.93
    if degrees > 0.0:
        other = replace(frame, orientation_deg=-frame.orientation_deg)
        assert agreement(picture, cutout_of(other), seen, 2.0) < 0.5
    mirrored = agreement(np.ascontiguousarray(picture[:, ::-1]), cutout_of(frame), seen, 2.0)
    assert mirrored < 0.5


def test_request_is_encoded_and_whole() -> None:
    frame = Frame(83.8, -5.4, 300, 200, 0.8, -12.5)
    url = request_url("https://x.org/a/hips2fits", "CDS/P/SDSS9/color", frame)
    parts = urlsplit(url)
    assert url.startswith("https://x.org/a/hips2fits?hips=CDS%2FP%2FSDSS9%2Fcolor&wcs=%7B%22")
    assert not set(parts.query) & set('{}":, /')
    query = parse_qs(parts.query)
    assert set(query) == {"hips", "wcs", "format"}
    assert query["format"] == ["png"]
    assert json.loads(query["wcs"][0]) == frame.wcs_keywords()
    with pytest.raises(ValueError, match="must have no query"):
        request_url("https://x.org/a?b=c", "CDS/P/SDSS9/color", frame)


def test_cutout_must_have_the_size_asked_for() -> None:
    frame = Frame(83.8, -5.4, 30, 20, 0.8, -12.5)
    with pytest.raises(PictureError, match="20 x 30 pixels, asked for were 30 x 20"):
        read_cutout(pages.jpeg(np.zeros((30, 20, 3), dtype=np.uint8)), frame, "x")
    with pytest.raises(PictureError, match="x: is no whole PNG or JPEG"):
        read_cutout(b'{"title": "error"}', frame, "x")
