"""The two archives and the service, as the table of products names them: addresses are built from its roots alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from lunarsite.artefact import ArtefactError
from lunarsite.source.archive.pages import is_id
from lunarsite.source.products import Product

SiteName = Literal["hubble", "webb"]
_PRODUCTS: dict[SiteName, tuple[str, int]] = {"hubble": ("esahubble_images", 2), "webb": ("esawebb_images", 1)}
"""Name in the table of products, and the number of the facility in a search."""
SERVICE = "hips2fits"
_SCREEN_PX = 1_280
"""Width of an archive's screen size; the publication size has up to 4000."""


@dataclass(frozen=True)
class ArchiveSite:
    """One archive.

    Attributes:
        name: The archive's name in the settings.
        key: Name in the table of products.
        product: Its entry there.
        facility: Number of its telescope in a search.
    """

    name: SiteName
    key: str
    product: Product
    facility: int

    @property
    def roots(self) -> tuple[str, str]:
        """Addresses of the site and of its images, both ending in a slash."""
        site, images = self.product.roots
        return site, images

    def search_url(self, page: int) -> str:
        """Return the address of a page of the list of observations, from 1, newest first."""
        query = urlencode({"minimum_size": 3, "facility": self.facility, "type": "Observation"})
        return f"{self.roots[0]}images/archive/search/{f'page/{page}/' if page > 1 else ''}?{query}"

    def item_url(self, image: str) -> str:
        """Return the address of an image's page."""
        return f"{self.roots[0]}images/{_checked(image)}/"

    def picture_url(self, image: str, longest_side_px: int) -> str:
        """Return the address of the smallest JPEG with at least so many pixels, or of the largest that is read."""
        size = "screen" if longest_side_px <= _SCREEN_PX else "publicationjpg"
        return f"{self.roots[1]}archives/images/{size}/{_checked(image)}.jpg"


def archive_site(name: SiteName, products: Mapping[str, Product]) -> ArchiveSite:
    """Return an archive.

    Raises:
        ArtefactError: The table of products lacks it, or does not name its site and the host of its images.
    """
    key, facility = _PRODUCTS[name]
    product = _product(products, key)
    if len(product.roots) != 2 or not all(root.endswith("/") for root in product.roots):
        raise ArtefactError(
            f"products.yaml: '{key}' needs two roots that end in '/', the site's and its images', not"
            f" {list(product.roots)}"
        )
    return ArchiveSite(name, key, product, facility)


def cutout_service(products: Mapping[str, Product]) -> Product:
    """Return the service of cut-outs; its roots are the service's addresses, the best first.

    Raises:
        ArtefactError: The table of products lacks it or its addresses.
    """
    product = _product(products, SERVICE)
    if not product.roots:
        raise ArtefactError(f"products.yaml: '{SERVICE}' needs the service's address under 'roots'")
    return product


def _product(products: Mapping[str, Product], key: str) -> Product:
    if key not in products:
        raise ArtefactError(f"products.yaml: has no entry '{key}', which the archives of images need")
    return products[key]


def _checked(image: str) -> str:
    if not is_id(image):
        raise ArtefactError(f"'{image[:80]}' is no id of an image; only letters, digits, '-' and '_' may stand in one")
    return image
