"""The archives by the table of products, and why an image makes no pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lunarsite.artefact import ArtefactError
from lunarsite.source.archive.crawl import CrawlError
from lunarsite.source.archive.listing import Failures, excluded_because, index_frame, offline_error
from lunarsite.source.archive.pages import ItemPage
from lunarsite.source.archive.sites import archive_site, cutout_service
from lunarsite.source.products import Product
from tests.unit.source.archive.servers import entry

GOOD = ItemPage("T", "N", 1.0, ("Galaxy",), "2020-01-01", 1.0, 2.0, (4.0, 3.0), (4_000, 3_000), "ESA")
ROOTS = ["https://a.org/", "https://cdn.a.org/"]


def products(**roots: list[str]) -> dict[str, Product]:
    return {key: Product.model_validate(entry(key, given)) for key, given in roots.items()}


def test_good_image_is_not_excluded() -> None:
    assert excluded_because(GOOD, 0.5) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kinds": ("Observation", "Planet")}, "its type is 'Planet'"),
        ({"kinds": ("solar system",)}, "its type is 'solar system'"),
        ({"orientation_deg": None}, "its page tells no orientation"),
        ({"field_arcmin": None}, "its page tells no field of view"),
        ({"ra_deg": None}, "its page tells no position"),
        ({"dec_deg": None}, "its page tells no position"),
        ({"size_px": None}, "its page tells no size"),
        ({"credit": None}, "its page gives no credit, without which it must not be shown"),
        ({"credit": ""}, "its page gives no credit, without which it must not be shown"),
        ({"field_arcmin": (0.6, 0.45)}, "its field is smaller than 0.5 arcminutes"),
        (
            {"field_arcmin": (3.0, 4.0)},
            "its field of 3 x 4 arcminutes has another shape than its 4000 x 3000 pixels",
        ),
    ],
)
def test_what_speaks_against_an_image(changes: dict[str, object], reason: str) -> None:
    assert excluded_because(replace(GOOD, **changes), 0.5) == reason  # type: ignore[arg-type]


def test_zero_is_a_value() -> None:
    zero = replace(GOOD, orientation_deg=0.0, ra_deg=0.0, dec_deg=0.0)
    assert excluded_because(zero, 0.5) is None
    assert excluded_because(replace(GOOD, kinds=("Planetary nebula",)), 0.5) is None


@pytest.mark.parametrize(("field", "fits"), [((0.53, 0.4), True), ((4.2, 3.0), False), ((4.05, 3.0), True)])
def test_field_may_be_rounded(field: tuple[float, float], fits: bool) -> None:
    assert (excluded_because(replace(GOOD, field_arcmin=field), 0.0) is None) is fits


def test_failures_in_a_row() -> None:
    failures = Failures()
    for _ in range(3):
        failures.failed(CrawlError("a"))
        assert failures.failed(CrawlError("a")) == "could not be read: a"
        failures.succeeded()
    failures.failed(CrawlError("a"))
    failures.failed(CrawlError("b"))
    with pytest.raises(CrawlError, match="3 requests in a row failed, the last one: c"):
        failures.failed(CrawlError("c"))


def test_missing_pages_are_counted_beyond_the_first_twenty() -> None:
    told = str(offline_error([f"https://x/{k}" for k in range(25)]))
    assert "25 in all" in told
    assert "https://x/19 and 5 more" in told


def test_nothing_listed() -> None:
    with pytest.raises(ArtefactError, match="list no image"):
        index_frame([])


def test_addresses_of_a_site() -> None:
    site = archive_site("hubble", products(esahubble_images=ROOTS))
    assert site.search_url(1) == "https://a.org/images/archive/search/?minimum_size=3&facility=2&type=Observation"
    assert site.search_url(12).startswith("https://a.org/images/archive/search/page/12/?minimum_size=3&facility=2")
    assert site.item_url("heic0506a") == "https://a.org/images/heic0506a/"
    assert site.picture_url("heic0506a", 1_280) == "https://cdn.a.org/archives/images/screen/heic0506a.jpg"
    assert site.picture_url("heic0506a", 1_281) == "https://cdn.a.org/archives/images/publicationjpg/heic0506a.jpg"
    webb = archive_site("webb", products(esawebb_images=ROOTS))
    assert "facility=1" in webb.search_url(1)
    for bad in ("../x", "a/b", "a?b", ""):
        with pytest.raises(ArtefactError, match="no id of an image"):
            site.item_url(bad)
        with pytest.raises(ArtefactError, match="no id of an image"):
            site.picture_url(bad, 100)


def test_table_that_lacks_them() -> None:
    with pytest.raises(ArtefactError, match="no entry 'esawebb_images'"):
        archive_site("webb", products(esahubble_images=ROOTS))
    with pytest.raises(ArtefactError, match="needs two roots that end in '/'"):
        archive_site("hubble", products(esahubble_images=ROOTS[:1]))
    with pytest.raises(ArtefactError, match="needs two roots that end in '/'"):
        archive_site("hubble", products(esahubble_images=["https://a.org", "https://b.org"]))
    with pytest.raises(ArtefactError, match="no entry 'hips2fits'"):
        cutout_service({})
