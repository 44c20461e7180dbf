"""Pages, images and cut-outs of one made-up sky, in the layouts of ESA/Hubble, ESA/Webb and hips2fits.

The images are rendered as the archives describe them (north so many degrees left or right of vertical), the cut-outs by
the FITS keywords of a request: two ways that share nothing but the sky, so a pair agrees only if both are understood.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PRODUCTS = ("esahubble_images", "esawebb_images", "hips2fits")
PER_PAGE = 4
SCREEN_PX = 200
"""Longer side of the screen size, which real archives have at 1280."""
OUTSIDE_SDSS_DEC_DEG = -20.0
"""The second survey ends there."""


@dataclass(frozen=True)
class SkyImage:
    """An image of an archive. `lacks` are labels that its page does not have."""

    site: str
    id: str
    title: str
    ra: tuple[int, int, float]
    dec: tuple[str, int, int, float]
    field_arcmin: tuple[float, float] = (4.0, 3.0)
    size_px: tuple[int, int] = (640, 480)
    orientation: tuple[float, str] = (0.0, "left")
    credit: str = "ESA/Hubble & NASA"
    kind: str = "Local Universe : Star : Grouping : Cluster : Open"
    released: str = "25 April 2005, 06:00"
    lacks: tuple[str, ...] = ()
    picture: str = "sky"
    """'sky', 'grey', 'mosaic' (a black corner) or 'none' (the page and the file are missing)."""

    @property
    def ra_deg(self) -> float:
        """Right ascension of the centre."""
        return 15.0 * (self.ra[0] + self.ra[1] / 60.0 + self.ra[2] / 3600.0)

    @property
    def dec_deg(self) -> float:
        """Declination of the centre."""
        sign, degrees, minutes, seconds = self.dec
        return (-1.0 if sign == "-" else 1.0) * (degrees + minutes / 60.0 + seconds / 3600.0)

    @property
    def angle_deg(self) -> float:
        """Angle from up to north, counter-clockwise positive."""
        return self.orientation[0] * (1.0 if self.orientation[1] == "left" else -1.0)


IMAGES = (
    SkyImage(
        "hubble", "heic0506a", "A cluster, seen &amp; counted", (5, 35, 17.3), ("-", 5, 23, 28.0),
        orientation=(12.3, "left"),
    ),
    SkyImage(
        "hubble", "opo0328a", "O&#39;Neill&#39;s {sky}, id: &#39;none&#39;", (10, 0, 5.5), ("+", 41, 16, 9.0),
        orientation=(47.5, "right"),
        credit="NASA,\u00a0ESA and\u00a0A.\u00a0Nobody<br/><strong>Acknowledgement:</strong> B. Else",
    ),
    SkyImage(
        "hubble", "potw1345a", "Portrait", (0, 2, 3.25), ("-", 0, 12, 30.0), (3.0, 4.0), (480, 640), (170.0, "left"),
    ),
    SkyImage("hubble", "heic0001b", "Unturned", (1, 2, 3.0), ("+", 4, 5, 6.0), lacks=("Orientation",)),
    SkyImage("hubble", "heic0002a", "No field", (1, 2, 3.0), ("+", 4, 5, 6.0), lacks=("Field of view",)),
    SkyImage("hubble", "heic0003a", "Deep", (3, 32, 38.0), ("-", 27, 47, 0.0), kind="Early Universe : Cosmology"),
    SkyImage("hubble", "sci23001a", "Nobody&#39;s", (1, 2, 3.0), ("+", 4, 5, 6.0), lacks=("Credit",)),
    SkyImage("hubble", "ann1311a", "Small", (1, 2, 3.0), ("+", 4, 5, 6.0), (0.4, 0.3)),
    SkyImage("hubble", "opo9999aa", "Grey", (2, 2, 3.0), ("+", 14, 5, 6.0), picture="grey"),
    SkyImage(
        "hubble", "heic9999a", "Mosaic", (4, 2, 3.0), ("+", 24, 5, 6.0), orientation=(30.0, "left"), picture="mosaic",
    ),
    SkyImage("hubble", "Heic_12-b", "Odd, and gone", (4, 2, 3.0), ("+", 24, 5, 6.0), picture="none"),
    SkyImage("hubble", "heic/../x", "Hostile", (4, 2, 3.0), ("+", 24, 5, 6.0), picture="none"),
    SkyImage(
        "webb", "weic2205a", "Far south", (10, 37, 6.0), ("-", 58, 37, 11.0), orientation=(110.2, "left"),
        credit="NASA,\u00a0ESA, CSA,\u00a0STScI", kind="Nebulae\nStars", released="12 July 2022, 16:30",
    ),
    SkyImage(
        "webb", "potm2207a", "Webb&#39;s view", (1, 36, 41.7), ("+", 15, 47, 1.0), orientation=(3.4, "right"),
        credit="ESA/Webb, NASA & CSA, C.\u00a0Nobody", kind="Galaxies", released="29 August 2022, 10:00",
    ),
    SkyImage("webb", "weic2301a", "Rings", (0, 0, 1.0), ("+", 1, 0, 0.0), kind="Planets\nSolar System"),
)  # fmt: skip
PAIRED = {"hubble": ("heic0506a", "heic9999a", "opo0328a", "potw1345a"), "webb": ("potm2207a", "weic2205a")}
"""Images that make pairs."""


def images_of(site: str) -> list[SkyImage]:
    """Return a site's images, newest first."""
    return [image for image in IMAGES if image.site == site]


def search_page(site: str, page: int, images: Sequence[SkyImage], image_root: str = "https://cdn.example/") -> bytes:
    """Return a page of a list; the first image of the first page stands on the second one again."""
    pages = math.ceil(len(images) / PER_PAGE)
    shown = list(images[(page - 1) * PER_PAGE : page * PER_PAGE])
    if page == 2:
        shown.insert(0, images[0])
    entries = ",\n".join(
        "{\n"
        f"id: '{image.id}',\n"
        f"title: '{image.title}',\n"
        f"width: {image.size_px[0]},\n"
        f"height: {image.size_px[1]},\n"
        f"src: '{image_root}archives/images/thumb300y/{image.id}.jpg',\n"
        f"url: '/images/{image.id}/',\n"
        "potw: ''\n}"
        for image in shown
    )
    numbers = "".join(f'<li><a href="/images/archive/search/page/{k}/">{k}</a></li>' for k in range(1, pages + 1))
    dots = "<li><span>...</span></li>" if pages > 2 else ""
    return f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Images | {site}</title><script>var other = [{{id: 'no'}}];</script></head>
<body><div id="content"><div class="row"><div class="col-md-3">Showing 1 to {len(shown)} of {len(images)}</div></div>
<script type="text/javascript">
var images = [
{entries}
];
</script>
<ul class="pagination">{numbers}{dots}<li><a>Next</a></li></ul></div></body></html>
""".encode()


def item_page(image: SkyImage) -> bytes:
    """Return the page of an image in its site's layout."""
    return _hubble_page(image) if image.site == "hubble" else _webb_page(image)


def _fields(image: SkyImage) -> dict[str, str]:
    (hours, minutes, seconds), (sign, degrees, arcminutes, arcseconds) = image.ra, image.dec
    turned = f"{image.orientation[0]:g}"
    values = {
        "Id": image.id,
        "Release date": image.released,
        "Size": f"{image.size_px[0]} x {image.size_px[1]} px",
        "Position (RA)": f"{hours} {minutes} {seconds}",
        "Position (Dec)": f"{sign if sign == '-' else ''}{degrees}° {arcminutes}' {arcseconds}&quot;",
        "Field of view": f"{image.field_arcmin[0]:.2f} x {image.field_arcmin[1]:.2f} arcminutes",
        "Orientation": f"North is {turned}° {image.orientation[1]} of vertical",
    }
    return {label: value for label, value in values.items() if label not in image.lacks}


def _hubble_page(image: SkyImage) -> bytes:
    fields = _fields(image)
    about = {"Id": fields.pop("Id"), "Type": "Observation", "Release date": fields.pop("Release date")}
    about["Size"] = fields.pop("Size")
    thing = {"Name": "NGC 1", "Type": escape(image.kind), "Distance": "1344\nlight years", "Constellation": ""}

    def table(values: Mapping[str, str]) -> str:
        rows = "".join(f'<tr><td class="title">{label}:</td><td>{value}</td></tr>' for label, value in values.items())
        return f"<table>{rows}</table>"

    credit = image.credit if "<" in image.credit else escape(image.credit)
    heading = "" if "Credit" in image.lacks else f'<h3>Credit:</h3><div class="credit"><p>{credit}</p></div>'
    return f"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>{image.title}</title></head><body>
<h1>{image.title}</h1><p>Text with Orientation: in the middle of a sentence.</p>
<h3>About the Image</h3>{table(about)}<h3>About the Object</h3>{table(thing)}
<h3>Coordinates</h3>{table(fields)}{heading}</body></html>""".encode()


def _webb_page(image: SkyImage) -> bytes:
    links = "<br/>".join(f'<a href="/images/archive/category/x/">{escape(part)}</a>' for part in image.kind.split("\n"))
    fields = {**_fields(image), "Category": links, "Type": "Observation"}
    rows = "".join(
        f'<div class="row"><div class="title"><span>\n {label}:\n </span></div><div class="value">{value}</div></div>'
        for label, value in fields.items()
    )
    credit = f'<div class="credit"><p>{escape(image.credit)}</p></div>'
    heading = "" if "Credit" in image.lacks else f'<h3>\n Credit:\n<a class="help" href="/copyright/"></a></h3>{credit}'
    return f"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>{image.title}</title></head><body>
<h1>\n {image.title} </h1>{rows}{heading}</body></html>""".encode()


def stars(ra_deg: float, dec_deg: float) -> NDArray[np.float64]:
    """Return stars within some arcminutes of a place: (n, 5), arcseconds east and north of it, red, green, blue.

    A place's stars are drawn by its own seed; the fields of the made-up images do not overlap.
    """
    draws = np.random.default_rng([round(ra_deg * 1e4), round((dec_deg + 90.0) * 1e4)])
    places = draws.uniform(-200.0, 200.0, (150, 2))
    return np.hstack([places, draws.gamma(1.0, 90.0, (150, 1)) * draws.uniform(0.4, 1.0, (150, 3))])


def draw(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], rgb: NDArray[np.float64], size_px: tuple[int, int],
    star_px: float, noise_seed: int, background: float = 14.0,
) -> NDArray[np.uint8]:  # fmt: skip
    """Return a picture of stars at places in pixels, from the upper left, y down."""
    across = np.exp(-0.5 * ((np.arange(size_px[0]) - x_px[:, None]) / star_px) ** 2)
    down = np.exp(-0.5 * ((np.arange(size_px[1]) - y_px[:, None]) / star_px) ** 2)
    light = np.stack([(down * rgb[:, k : k + 1]).T @ across for k in range(3)], axis=-1)
    noise = np.random.default_rng(noise_seed).normal(0.0, 2.0, light.shape)
    return np.clip(light + background + noise, 0.0, 255.0).astype(np.uint8)


def picture(image: SkyImage, longer_px: int = SCREEN_PX) -> NDArray[np.uint8]:
    """Return an archive's image: the sky with north up and east left, turned counter-clockwise by its angle."""
    factor = longer_px / max(image.size_px)
    width, height = (round(side * factor) for side in image.size_px)
    sky = stars(image.ra_deg, image.dec_deg)
    scale = 60.0 * image.field_arcmin[0] / width
    right, up = -sky[:, 0] / scale, sky[:, 1] / scale
    angle = math.radians(image.angle_deg)
    turned_right = right * math.cos(angle) - up * math.sin(angle)
    turned_up = right * math.sin(angle) + up * math.cos(angle)
    x, y = (width - 1) / 2 + turned_right, (height - 1) / 2 - turned_up
    rgb = draw(x, y, sky[:, 2:], (width, height), 2.0 / scale, noise_seed=1)
    if image.picture == "grey":
        rgb[:] = rgb[..., :1]
    if image.picture == "mosaic":
        rgb[: height // 3, width // 2 :] = 0
    return rgb


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture as JPEG."""
    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "JPEG", quality=93)
    return target.getvalue()


def cutout(query: Mapping[str, str]) -> bytes:
    """Return the service's answer to a request, as PNG.

    Raises:
        ValueError: The request does not hold; the service's text.
    """
    from astropy.wcs import WCS

    if query.get("hips") not in ("CDS/P/DSS2/color", "CDS/P/SDSS9/color"):
        raise ValueError(f"No HiPS survey matches the keyword {query.get('hips')}")
    if query.get("format") != "png":
        raise ValueError("format must be fits, jpg or png")
    keywords: dict[str, Any] = json.loads(query["wcs"])
    width, height = keywords["NAXIS1"], keywords["NAXIS2"]
    if query["hips"] == "CDS/P/SDSS9/color" and keywords["CRVAL2"] < OUTSIDE_SDSS_DEC_DEG:
        rgb = np.zeros((height, width, 3), dtype=np.uint8)
    else:
        image = min(
            IMAGES, key=lambda one: abs(one.ra_deg - keywords["CRVAL1"]) + abs(one.dec_deg - keywords["CRVAL2"])
        )
        sky = stars(image.ra_deg, image.dec_deg)
        header = {key: value for key, value in keywords.items() if not key.startswith("NAXIS") or key == "NAXIS"}
        x, y = WCS(header).all_world2pix(*_gnomonic(image, sky[:, 0], sky[:, 1]), 0)
        # FITS counts upwards; a picture's first row is its uppermost.
        scale = 3600.0 * keywords["CDELT2"]
        seed = 2 if "DSS2" in query["hips"] else 3
        rgb = draw(x, height - 1 - y, sky[:, 2:] * 0.8, (width, height), 3.0 / scale, seed, background=25.0)
    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "PNG")
    return target.getvalue()


def _gnomonic(image: SkyImage, east: NDArray[np.float64], north: NDArray[np.float64]) -> tuple[Any, Any]:
    """Return right ascension and declination of offsets in the tangent plane, arcseconds, by astropy."""
    from astropy.wcs import WCS

    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 0.0, "CRPIX2": 0.0, "CRVAL1": image.ra_deg}
    header |= {"CRVAL2": image.dec_deg, "CDELT1": 1 / 3600.0, "CDELT2": 1 / 3600.0, "CUNIT1": "deg", "CUNIT2": "deg"}
    ra_deg, dec_deg = WCS(header).all_pix2world(east, north, 1)
    return ra_deg, dec_deg


def write(product: str, folder: Path, half_width_m: float = 48_000.0) -> None:
    """Write what a product's servers have, by the paths of its addresses: a path that ends in '/' is its index.html.

    The sky has no half width: it is taken as other layouts take it. The image host is the folder cdn/. hips2fits
    computes its answers (`cutout`), so there is nothing to write for it.
    """
    if product == "hips2fits":
        return
    site = {"esahubble_images": "hubble", "esawebb_images": "webb"}[product]
    images = images_of(site)
    files = {"robots.txt": b"User-agent: *\nDisallow: /admin/\n"}
    for page in range(1, math.ceil(len(images) / PER_PAGE) + 1):
        place = f"images/archive/search/{f'page/{page}/' if page > 1 else ''}index.html"
        files[place] = search_page(site, page, images)
    for image in images:
        if image.picture != "none":
            files[f"images/{image.id}/index.html"] = item_page(image)
            files[f"cdn/archives/images/screen/{image.id}.jpg"] = jpeg(picture(image))
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
