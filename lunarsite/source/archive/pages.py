"""What the pages of the ESA/Hubble and ESA/Webb archives say: pure functions from bytes to values.

Both sites share one layout, with small differences: search pages carry their list of images as a JavaScript array,
item pages carry values after labels. Sites change; all that depends on their markup is here. See docs/archive.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import unescape
from typing import Any, NoReturn

from lunarsite.source.archive.markup import Labels, PageError, line, parse, text

_MOST_ENTRIES = 10_000
_MOST_PAGES = 10_000
_MOST_CREDIT = 2_000
"""Characters; what is longer is no credit line."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\\n]|\\.|(?<=\w)'(?=\w))*'|"(?:[^"\\\n]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|"""
    r"""(?P<word>[A-Za-z_$][\w$]*)|(?P<mark>[\[\]{}:,]))"""
)
"""A quote between two letters is an apostrophe that was not escaped: no script has an end of a string there."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "", "b": "", "f": "", "v": ""}
_NUMBER = r"(\d{1,9}(?:\.\d{1,12})?)"
_ORIENTATION = re.compile(rf"North is (-?){_NUMBER}\s*°?\s*(left|right) of vertical\.?")
_SIZE = re.compile(r"(\d{1,7}) ?[x×] ?(\d{1,7}) ?px")
_FIELD = re.compile(rf"{_NUMBER} ?[x×] ?{_NUMBER} ?arcminutes?")
_RA = re.compile(rf"(\d{{1,2}})h? ?:?(\d{{1,2}})m? ?:?{_NUMBER}s?")
_DEC = re.compile(rf"([-+−]?)(\d{{1,2}})[°d]? ?(\d{{1,2}})['′m]? ?{_NUMBER}[\"″s]?")
_DATE = re.compile(r"(\d{1,2}) ([A-Z][a-z]+) (\d{4})")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LABELS = (
    *("Orientation", "Type", "Category", "Release date", "Size", "Name"),
    *("Position (RA)", "Position (Dec)", "Field of view", "Credit"),
)
_LEFT_OUT = {"early universe", "planet", "solar system"}


@dataclass(frozen=True)
class SearchEntry:
    """One image of a search page."""

    id: str
    title: str
    width_px: int | None
    height_px: int | None


@dataclass(frozen=True)
class SearchPage:
    """One page of a search.

    Attributes:
        entries: Images in the page's order; an image may stand on two pages.
        pages: Number of pages of the search.
        results: Number of images of the search, None where the page does not say.
    """

    entries: tuple[SearchEntry, ...]
    pages: int
    results: int | None


@dataclass(frozen=True)
class ItemPage:
    """What the page of an image says; None where it says nothing.

    Attributes:
        orientation_deg: Angle from the image's up to north, counter-clockwise (to the left) positive.
        kinds: Parts of its type or category.
        released: Date, YYYY-MM-DD.
        ra_deg, dec_deg: Centre, ICRS.
        field_arcmin: Width and height on the sky.
        size_px: Width and height of the original.
        credit: Who must be named with it, on one line.
    """

    title: str | None
    name: str | None
    orientation_deg: float | None
    kinds: tuple[str, ...]
    released: str | None
    ra_deg: float | None
    dec_deg: float | None
    field_arcmin: tuple[float, float] | None
    size_px: tuple[int, int] | None
    credit: str | None

    @property
    def left_out_kind(self) -> str | None:
        """The part of its type because of which it is no image of the fixed sky, if there is one."""
        return next((kind for kind in self.kinds if kind.casefold() in _LEFT_OUT), None)


def is_id(value: str) -> bool:
    """Whether a text can be the id of an image; only such texts may become part of an address or a name."""
    return _ID.fullmatch(value) is not None


def read_search(body: bytes, where: str) -> SearchPage:
    """Return what a search page lists.

    Raises:
        PageError: There is no list, or it is not of the known form.
    """
    root = parse(body, where)
    scripts = root.xpath("(//div[@id='content']//script)[1]")
    if not scripts:
        raise PageError(f"{where}: 'div#content' has no script with the list of images; has the site changed?")
    entries = tuple(_entry(values, where) for values in _objects(scripts[0].text or "", where))
    boxes = root.xpath("(//ul[contains(concat(' ', @class, ' '), ' pagination ')])[1]")
    # Text by text: the numbers of two links may stand side by side without a blank.
    numbers = [int(number) for box in boxes for part in box.itertext() for number in re.findall(r"\d{1,7}", part)]
    pages = max(numbers, default=1)
    if not 1 <= pages <= _MOST_PAGES:
        raise PageError(f"{where}: 'ul.pagination' tells of {pages} pages, {_MOST_PAGES} are read")
    counts = root.xpath("//div[contains(concat(' ', @class, ' '), ' col-md-3 ')]")[:1]
    words = line(counts[0]).split() if counts else []
    last = words[-1].replace(",", "") if words else ""
    return SearchPage(entries, pages, int(last) if re.fullmatch(r"\d{1,9}", last) else None)


def read_item(body: bytes, where: str) -> ItemPage:
    """Return what the page of an image says.

    Raises:
        PageError: A label's value is not of the known form. A label that is absent is none: its value is None.
    """
    root = parse(body, where)
    labels = Labels(root, _LABELS)
    headings = root.xpath("(//h1)[1]")
    ra_deg, dec_deg = _right_ascension(labels, where), _declination(labels, where)
    return ItemPage(
        title=(line(headings[0]) or None) if headings else None,
        name=labels.value("Name"),
        orientation_deg=_orientation(labels, where),
        kinds=_kinds(labels),
        released=_date(labels, where),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        field_arcmin=_pair(labels, where, "Field of view", _FIELD, "<w> x <h> arcminutes", 10_800.0),
        size_px=_whole(_pair(labels, where, "Size", _SIZE, "<w> x <h> px", 1_000_000.0)),
        credit=_credit(labels, where),
    )


def _objects(script: str, where: str) -> list[dict[str, Any]]:
    """Return the objects of the first array of objects of a script: bare keys, strings in quotes, whole numbers."""
    start = re.search(r"\[\s*(?=[{\]])", script)
    if start is None:
        raise PageError(f"{where}: the script of 'div#content' holds no array of objects; has the site changed?")
    tokens = _Tokens(script, start.start() + 1, where)
    found: list[dict[str, Any]] = []
    while not tokens.take("]"):
        tokens.demand("{")
        values: dict[str, Any] = {}
        while not tokens.take("}"):
            key = tokens.value()
            tokens.demand(":")
            values.setdefault(str(key), tokens.value())
            if not tokens.take(","):
                tokens.demand("}")
                break
        found.append(values)
        if len(found) > _MOST_ENTRIES:
            raise PageError(f"{where}: lists more than {_MOST_ENTRIES} images")
        if not tokens.take(","):
            tokens.demand("]")
            break
    return found


class _Tokens:
    """The words of a script, one after the other."""

    def __init__(self, script: str, at: int, where: str) -> None:
        self._script, self._at, self._where = script, at, where
        self._next = self._read()

    def take(self, mark: str) -> bool:
        if self._next is None or self._next["mark"] != mark:
            return False
        self._next = self._read()
        return True

    def demand(self, mark: str) -> None:
        if not self.take(mark):
            self._refuse(f"'{mark}'")

    def value(self) -> str | int | float:
        found = self._next
        if found is None or found["mark"] is not None:
            self._refuse("a key or a value")
        self._next = self._read()
        if found["string"] is not None:
            unquoted = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), found["string"][1:-1])
            return unescape(unquoted)
        if found["number"] is not None:
            return float(found["number"]) if "." in found["number"] else int(found["number"][:18])
        return str(found["word"])

    def _read(self) -> re.Match[str] | None:
        found = _TOKEN.match(self._script, self._at)
        self._last, self._at = self._at, found.end() if found else self._at
        return found

    def _refuse(self, wanted: str) -> NoReturn:
        raise PageError(
            f"{self._where}: the list of images cannot be read: {wanted} is expected before"
            f" {self._script[self._last : self._last + 40]!r}"
        )


def _entry(values: dict[str, Any], where: str) -> SearchEntry:
    if not isinstance(values.get("id"), str):
        raise PageError(f"{where}: an entry of the list of images has no id, only {sorted(values)[:10]}")
    sizes = [value if isinstance(value := values.get(key), int) and value > 0 else None for key in ("width", "height")]
    title = " ".join(str(values.get("title", "")).split())
    return SearchEntry(values["id"].strip(), title[:500], *sizes)


def _refuse(where: str, label: str, found: str, wanted: str) -> PageError:
    return PageError(f"{where}: '{label}:' is {found[:100]!r}, needed is {wanted}")


def _orientation(labels: Labels, where: str) -> float | None:
    found = labels.value("Orientation")
    if found is None:
        return None
    match = _ORIENTATION.fullmatch(found)
    if match is None or float(match[2]) > 360.0:
        raise _refuse(where, "Orientation", found, "'North is <deg>° left (or right) of vertical'")
    # Adding zero keeps 'right by 0' from becoming minus zero.
    return float(match[2]) * (-1.0 if match[1] else 1.0) * (1.0 if match[3] == "left" else -1.0) + 0.0


def _kinds(labels: Labels) -> tuple[str, ...]:
    parts: list[str] = []
    for label in ("Type", "Category"):
        for element in labels.values(label):
            links = element.xpath(".//a")[:50]
            written = "\n".join([text(element), *(line(link) for link in links)])
            parts += [part.strip() for part in re.split(r"[:,\n]", written)]
    return tuple(dict.fromkeys(part for part in parts if part))


def _date(labels: Labels, where: str) -> str | None:
    found = labels.value("Release date")
    if found is None:
        return None
    match = _DATE.fullmatch(found.split(",")[0].strip())
    if match is None or match[2] not in _MONTHS or not 1 <= int(match[1]) <= 31:
        raise _refuse(where, "Release date", found, "'<day> <month> <year>, <hour>'")
    return f"{match[3]}-{_MONTHS.index(match[2]) + 1:02d}-{int(match[1]):02d}"


def _sexagesimal(first: str, minutes: str, seconds: str, most: float) -> float | None:
    """Return first + minutes/60 + seconds/3600; None if a part is 60 or more or the sum exceeds `most`."""
    value = int(first) + int(minutes) / 60.0 + float(seconds) / 3600.0
    return value if int(minutes) < 60 and float(seconds) < 60.0 and value <= most else None


def _right_ascension(labels: Labels, where: str) -> float | None:
    found = labels.value("Position (RA)")
    if found is None:
        return None
    match = _RA.fullmatch(found)
    hours = _sexagesimal(match[1], match[2], match[3], 24.0) if match else None
    if hours is None:
        raise _refuse(where, "Position (RA)", found, "'hh mm ss.s'")
    return math.fmod(15.0 * hours, 360.0)


def _declination(labels: Labels, where: str) -> float | None:
    found = labels.value("Position (Dec)")
    if found is None:
        return None
    match = _DEC.fullmatch(found)
    size_deg = _sexagesimal(match[2], match[3], match[4], 90.0) if match else None
    if match is None or size_deg is None:
        raise _refuse(where, "Position (Dec)", found, "'dd° mm' ss.s\"'")
    # The sign is read as a sign: of '-0°' no number keeps it.
    return -size_deg if match[1] in ("-", "−") else size_deg


def _pair(
    labels: Labels, where: str, label: str, form: re.Pattern[str], words: str, most: float
) -> tuple[float, float] | None:
    found = labels.value(label)
    if found is None:
        return None
    match = form.fullmatch(found)
    values = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not all(0.0 < value <= most for value in values):
        raise _refuse(where, label, found, f"'{words}'")
    return values


def _whole(pair: tuple[float, float] | None) -> tuple[int, int] | None:
    return None if pair is None else (int(pair[0]), int(pair[1]))


def _credit(labels: Labels, where: str) -> str | None:
    found = labels.value("Credit", prose=True)
    if found is not None and len(found) > _MOST_CREDIT:
        raise _refuse(where, "Credit", found, f"a line of at most {_MOST_CREDIT} characters")
    return found
