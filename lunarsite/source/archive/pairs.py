"""Pairs of an archive's image and a survey's cut-out of the same sky, on the same pixels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.source.archive.crawl import Crawler, CrawlError, GoneError, OfflineError
from lunarsite.source.archive.cutouts import KINDS, SHORT_NAMES, read_cutout, request_url
from lunarsite.source.archive.filters import agreement, cutout_refused, image_refused, seen_of_image
from lunarsite.source.archive.frames import Frame
from lunarsite.source.archive.listing import Failures, offline_error
from lunarsite.source.archive.pictures import MOST_PICTURE_BYTES, Picture, PictureError, decode
from lunarsite.source.archive.sites import ArchiveSite, SiteName

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger("lunarsite.archive")
_SURVEY_BLUR_ARCSEC = 1.5
"""Standard deviation of a survey's images of stars, about."""
_SHAPE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Pair:
    """An image, a survey's cut-out on its pixels, and where both show the sky.

    Attributes:
        image, cutout: (H, W, 3) uint8.
        seen: (H, W).
        frame: Place on the sky.
        survey: Short name of the survey.
        agreement: Correlation of the two, both blurred.
        row: The image's row of the index.
    """

    image: NDArray[np.uint8]
    cutout: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    frame: Frame
    survey: str
    agreement: float
    row: Mapping[str, Any]

    def arrays(self, side_px: int, survey_number: int) -> dict[str, NDArray[Any]]:
        """Return the pair as a block of one, padded to squares."""
        height, width = self.seen.shape
        pad = ((0, side_px - height), (0, side_px - width))
        values: dict[str, NDArray[Any]] = {
            "images": np.pad(self.image, (*pad, (0, 0)))[np.newaxis],
            "cutouts": np.pad(self.cutout, (*pad, (0, 0)))[np.newaxis],
            "seen": np.pad(self.seen.astype(np.uint8), pad)[np.newaxis],
            "survey": np.array([survey_number], dtype=np.uint8),
            "width_px": np.array([width], dtype=np.int64),
            "height_px": np.array([height], dtype=np.int64),
        }
        numbers = {
            "ra_deg": self.frame.ra_deg,
            "dec_deg": self.frame.dec_deg,
            "orientation_deg": self.frame.orientation_deg,
            "arcsec_per_px": self.frame.arcsec_per_px,
            "agreement": self.agreement,
        }
        values |= {name: np.array([value], dtype=np.float64) for name, value in numbers.items()}
        texts = ("site", "id", "title", "credit", "url")
        return values | {name: np.array([str(self.row[name])], dtype=object) for name in texts}


class Pairing:
    """Reads images and cut-outs and makes pairs of them; counts why others make none."""

    def __init__(
        self,
        sites: Mapping[SiteName, tuple[ArchiveSite, Crawler]],
        services: Sequence[str],
        cutouts: Crawler,
        surveys: Sequence[str],
        longest_side_px: int,
    ) -> None:
        """Make a pairing.

        Args:
            sites: Archives and their crawlers by name.
            services: Addresses of the service of cut-outs, the best first.
            cutouts: Its crawler.
            surveys: Surveys that cut-outs are asked of, by the service's names.
            longest_side_px: Images are reduced to that.
        """
        self.reasons: Counter[str] = Counter()
        """Why images and cut-outs were left out, and how many."""
        self._sites, self._cutouts, self._surveys = sites, cutouts, surveys
        self._services = list(services)
        self._longest_side_px = longest_side_px
        self._failures = {"image": Failures(), "cut-out": Failures()}
        self._missing: list[str] = []

    def pairs(self, index: pd.DataFrame) -> Iterator[tuple[int, list[Pair]]]:
        """Yield for each usable image of an index how many have been looked at, and its pairs (there may be none).

        Raises:
            OfflineError: Offline, pictures are missing; the message lists them all, after the others were made.
            CrawlError: Several requests in a row failed.
        """
        usable = index[index["excluded_because"].isna()]
        for done, row in enumerate(usable.to_dict(orient="records"), 1):
            yield done, self._pairs_of({str(key): value for key, value in row.items()})
        if self._missing:
            raise offline_error(self._missing)

    def _pairs_of(self, row: Mapping[str, Any]) -> list[Pair]:
        found: list[Pair] = []
        try:
            image = self._image(row)
        except _LeftOutError as error:
            self._note(row, error)
            return found
        if image is None:
            return found
        height, width = image.seen.shape
        size_px = int(row["width_px"]), int(row["height_px"])
        field_arcmin = float(row["field_width_arcmin"]), float(row["field_height_arcmin"])
        original = Frame.of_field(row["ra_deg"], row["dec_deg"], size_px, field_arcmin, row["orientation_deg"])
        frame = original.resized(width, height)
        for survey in self._surveys:
            try:
                pair = self._pair(row, image, frame, survey)
            except _LeftOutError as error:
                self._note(row, error)
            else:
                found += [pair] if pair is not None else []
        return found

    def _image(self, row: Mapping[str, Any]) -> Picture | None:
        """Return the image of a row; None if it is missing offline."""
        site, crawler = self._sites[row["site"]]
        url = site.picture_url(row["id"], self._longest_side_px)
        try:
            parse = partial(decode, where=url, longest_side_px=self._longest_side_px)
            picture = crawler.read(url, parse, ("image/jpeg",), MOST_PICTURE_BYTES)
            self._failures["image"].succeeded()
        except OfflineError:
            self._missing.append(url)
            return None
        except GoneError as error:
            self._failures["image"].succeeded()
            raise _LeftOutError("the image has no JPEG of this size", error) from error
        except PictureError as error:
            self._failures["image"].succeeded()
            raise _LeftOutError("the image's file cannot be used", error) from error
        except CrawlError as error:
            self._failures["image"].failed(error)
            raise _LeftOutError("the image's file could not be read", error) from error
        height, width = picture.seen.shape
        ratio = width * row["height_px"] / (height * row["width_px"])
        if abs(ratio - 1.0) > _SHAPE_TOLERANCE + 1.0 / min(height, width):
            raise _LeftOutError("the image's file has another shape than its page says")
        seen = picture.seen & seen_of_image(picture.rgb)
        reason = image_refused(picture.rgb, seen)
        if reason:
            raise _LeftOutError(reason)
        return Picture(picture.rgb, seen)

    def _pair(self, row: Mapping[str, Any], image: Picture, frame: Frame, survey: str) -> Pair | None:
        """Return the pair with one survey; None if its cut-out is missing offline."""
        short = SHORT_NAMES[survey]
        try:
            cutout = self._cutout(frame, survey)
        except OfflineError:
            return None
        except PictureError as error:
            raise _LeftOutError(f"{short}: the cut-out cannot be used", error) from error
        except CrawlError as error:
            self._failures["cut-out"].failed(error)
            raise _LeftOutError(f"{short}: the cut-out could not be read", error) from error
        seen = image.seen & cutout.seen
        reason = cutout_refused(cutout.rgb, seen, short)
        if reason:
            raise _LeftOutError(f"{short}: {reason}")
        blur_px = min(max(1.0, _SURVEY_BLUR_ARCSEC / frame.arcsec_per_px), max(seen.shape) / 20.0)
        alike = agreement(image.rgb, cutout.rgb, seen, blur_px)
        return Pair(image.rgb, cutout.rgb, seen, frame, short, alike, row)

    def _cutout(self, frame: Frame, survey: str) -> Picture:
        """Return a cut-out from the first address that gives it; one that fails is asked last from then on."""
        error: CrawlError | None = None
        offline: str | None = None
        for service in tuple(self._services):
            url = request_url(service, survey, frame)
            try:
                parse = partial(read_cutout, frame=frame, where=f"{survey} for {url[:120]}")
                picture = self._cutouts.read(url, parse, KINDS, MOST_PICTURE_BYTES)
            except OfflineError:
                offline = offline or url
            except CrawlError as failure:
                error = failure
                self._services.remove(service)
                self._services.append(service)
            except PictureError:
                self._failures["cut-out"].succeeded()
                raise
            else:
                self._failures["cut-out"].succeeded()
                return picture
        if offline is not None:
            self._missing.append(offline)
            raise OfflineError(offline)
        assert error is not None
        raise error

    def _note(self, row: Mapping[str, Any], error: _LeftOutError) -> None:
        self.reasons[error.reason] += 1
        _LOG.info("%s/%s: %s%s", row["site"], row["id"], error.reason, f" ({error.detail})" if error.detail else "")


class _LeftOutError(Exception):
    """An image or a cut-out that makes no pair."""

    def __init__(self, reason: str, detail: Exception | None = None) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail
