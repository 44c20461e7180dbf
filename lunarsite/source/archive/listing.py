"""The list of an archive's images: which there are, what their pages say, and why some make no pair."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lunarsite.artefact import ArtefactError
from lunarsite.source.archive.crawl import Crawler, CrawlError, GoneError, OfflineError
from lunarsite.source.archive.markup import PageError
from lunarsite.source.archive.pages import ItemPage, SearchEntry, is_id, read_item, read_search
from lunarsite.source.archive.sites import ArchiveSite

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger("lunarsite.archive")
_MOST_FAILURES = 3
_SHAPE_TOLERANCE = 0.02
"""Of the field's shape against the picture's, beside the rounding of the printed field."""
_FIELD_ROUNDING_ARCMIN = 0.005


@dataclass(frozen=True)
class Listed:
    """An image of an archive: its entry in the list, what its page says, and what is wrong with it."""

    site: ArchiveSite
    entry: SearchEntry
    item: ItemPage | None
    excluded_because: str | None


class Failures:
    """Single pages may fail; several in a row mean that the server is in trouble, and it is left alone."""

    def __init__(self) -> None:
        self._row = 0

    def failed(self, error: CrawlError) -> str:
        """Count a failure and return it as a reason.

        Raises:
            CrawlError: It is the third in a row.
        """
        self._row += 1
        if self._row >= _MOST_FAILURES:
            raise CrawlError(f"{_MOST_FAILURES} requests in a row failed, the last one: {error}") from error
        _LOG.warning("%s", error)
        return f"could not be read: {error}"

    def succeeded(self) -> None:
        """Forget the failures so far."""
        self._row = 0


def list_images(crawlers: Mapping[ArchiveSite, Crawler], most_images: int) -> list[tuple[ArchiveSite, SearchEntry]]:
    """Return the newest images of the sites in turn, at most so many in all, none twice.

    Raises:
        CrawlError: A page of a list cannot be read.
        PageError: It is not of the known form.
    """
    lists = [[(site, entry) for entry in _entries(site, crawler, most_images)] for site, crawler in crawlers.items()]
    turns = [pair for turn in zip_longest(*lists) for pair in turn if pair is not None]
    return turns[:most_images]


def read_images(
    images: Sequence[tuple[ArchiveSite, SearchEntry]],
    crawlers: Mapping[ArchiveSite, Crawler],
    least_field_arcmin: float,
) -> Iterator[Listed]:
    """Yield each image with what its page says.

    Raises:
        OfflineError: Offline, pages are missing; the message lists them all, after all others were read.
        CrawlError: Several pages in a row cannot be read.
    """
    failures, missing = Failures(), []
    for site, entry in images:
        item, reason = None, None
        if not is_id(entry.id):
            reason = "its id holds signs that no id has"
        else:
            url = site.item_url(entry.id)
            try:
                item = crawlers[site].read(url, partial(read_item, where=url))
                failures.succeeded()
                reason = excluded_because(item, least_field_arcmin)
            except OfflineError:
                missing.append(url)
                continue
            except (GoneError, PageError) as error:
                failures.succeeded()
                reason = f"its page cannot be used: {error}"
            except CrawlError as error:
                reason = failures.failed(error)
        yield Listed(site, entry, item, reason)
    if missing:
        raise offline_error(missing)


def excluded_because(item: ItemPage, least_field_arcmin: float) -> str | None:
    """Return why an image makes no pair with a survey; None if it may."""
    if item.left_out_kind is not None:
        return f"its type is '{item.left_out_kind}'"
    lacking = {
        "orientation": item.orientation_deg,
        "field of view": item.field_arcmin,
        "position": None if item.ra_deg is None else item.dec_deg,
        "size": item.size_px,
    }
    for name, value in lacking.items():
        if value is None:
            return f"its page tells no {name}"
    if not item.credit:
        return "its page gives no credit, without which it must not be shown"
    assert item.field_arcmin is not None
    assert item.size_px is not None
    if min(item.field_arcmin) < least_field_arcmin:
        return f"its field is smaller than {least_field_arcmin:g} arcminutes"
    return _shapes_differ(item.field_arcmin, item.size_px)


def offline_error(missing: Sequence[str], most: int = 20) -> OfflineError:
    """Return the error that lists what was never read."""
    more = f" and {len(missing) - most} more" if len(missing) > most else ""
    return OfflineError(
        f"source.fetch.offline: not read before, {len(missing)} in all: {', '.join(missing[:most])}{more}; run this"
        " stage once with source.fetch.offline: false, or bring the folder of a machine that has"
    )


def index_frame(listed: Sequence[Listed]) -> pd.DataFrame:
    """Return the table of images, sorted by site and id.

    Raises:
        ArtefactError: Nothing was listed.
    """
    import pandas as pd

    if not listed:
        raise ArtefactError("the archives list no image; have the sites changed? (source.archive.sites)")
    rows = sorted((_row(image) for image in listed), key=lambda row: (row["site"], row["id"]))
    frame = pd.DataFrame(rows)
    for name in ("width_px", "height_px"):
        frame[name] = frame[name].astype("Int64")
    numbers = [name for name in frame.columns if name.endswith(("_deg", "_arcmin"))]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _entries(site: ArchiveSite, crawler: Crawler, most_images: int) -> list[SearchEntry]:
    # An image can stand on two pages: the list moves on while it is read.
    found: dict[str, SearchEntry] = {}
    page, pages = 1, 1
    while page <= pages and len(found) < most_images:
        url = site.search_url(page)
        try:
            listed = crawler.read(url, partial(read_search, where=url))
        except GoneError:
            if page == 1:
                raise
            _LOG.warning("%s: the list has become shorter while it was read", url)
            break
        except OfflineError as error:
            raise offline_error([url]) from error
        for entry in listed.entries:
            found.setdefault(entry.id, entry)
        if page == 1:
            _LOG.info("%s: %s images on %d pages", site.name, listed.results or "unknown number of", listed.pages)
        pages = listed.pages
        page += 1
    return list(found.values())[:most_images]


def _shapes_differ(field_arcmin: tuple[float, float], size_px: tuple[int, int]) -> str | None:
    """Return a reason if field and picture are not of one shape: then one of them is not this picture's."""
    ratio = field_arcmin[0] / field_arcmin[1] * size_px[1] / size_px[0]
    rounding = sum(_FIELD_ROUNDING_ARCMIN / side for side in field_arcmin)
    if abs(ratio - 1.0) <= _SHAPE_TOLERANCE + rounding:
        return None
    return (
        f"its field of {field_arcmin[0]:g} x {field_arcmin[1]:g} arcminutes has another shape than its"
        f" {size_px[0]} x {size_px[1]} pixels"
    )


def _row(image: Listed) -> dict[str, Any]:
    item, entry = image.item, image.entry
    field = (item.field_arcmin if item else None) or (None, None)
    size = (item.size_px if item else None) or (entry.width_px, entry.height_px)
    legal = is_id(entry.id)
    return {
        "site": image.site.name,
        "id": entry.id[:200],
        "title": ((item.title if item else None) or entry.title)[:500],
        "ra_deg": item.ra_deg if item else None,
        "dec_deg": item.dec_deg if item else None,
        "field_width_arcmin": field[0],
        "field_height_arcmin": field[1],
        "orientation_deg": item.orientation_deg if item else None,
        "width_px": size[0],
        "height_px": size[1],
        "credit": (item.credit if item else None) or None,
        "release_date": item.released if item else None,
        "url": image.site.item_url(entry.id) if legal else image.site.roots[0],
        "excluded_because": image.excluded_because,
    }
