"""Parts of a page: links, pictures embedded from figures, and places in words."""

from __future__ import annotations

import base64
import io

import pandas as pd
from matplotlib.figure import Figure

from lunarsite.publish.report import Picture
from lunarsite.publish.style import styled


class Link(str):
    """Text of a table that leads to another page."""

    __slots__ = ("href",)

    def __new__(cls, text: str, href: str) -> Link:
        """Make a link from its text and the page it leads to."""
        made = super().__new__(cls, text)
        made.href = href
        return made

    href: str


def site_file(rank: int) -> str:
    """Return the name of a site's page."""
    return f"site-{rank:03d}.html"


def region_file(code: str) -> str:
    """Return the name of a region's page."""
    return f"region-{code}.html"


def embedded(name: str, figure: Figure, dpi: int, alt: str, caption: str) -> Picture:
    """Return a figure as a PNG for embedding, without times or versions."""
    stream = io.BytesIO()
    with styled():
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return Picture(name, base64.b64encode(stream.getvalue()).decode("ascii"), alt, caption)


def position(site: pd.Series) -> str:
    """Return where a site is, in words."""
    lat, lon = float(site["lat"]), float(site["lon"])
    return f"{abs(lat):.3f}° {'S' if lat < 0 else 'N'}, {abs(lon):.3f}° {'E' if lon >= 0 else 'W'}"


def interval(site: pd.Series, word: str = "to") -> str:
    """Return the ranks that hold 95 % of the draws."""
    return f"{site['rank_low']:.0f} {word} {site['rank_high']:.0f}"


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return f"{100.0 * share:.0f}\u00a0%"


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text that are not blank, as sentences that begin with a capital letter."""
    found = (line.strip() for line in text.splitlines())
    return tuple(line[0].upper() + line[1:] for line in found if line)
