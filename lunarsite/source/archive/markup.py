"""Text and labels of an HTML page, in bounded time and memory and without a network.

Pages come from outside: bytes that are no UTF-8, no HTML or too many are refused; whatever else is wrong with the
markup is mended by the parser as browsers mend it. This module must not know what the labels mean.
"""

from __future__ import annotations

import re

from lxml import etree, html

from lunarsite.artefact import ArtefactError

MOST_PAGE_BYTES = 8 * 2**20
_MOST_ELEMENTS = 500_000
_MOST_OCCURRENCES = 4
"""Of one label; pages have two at most."""
_STEPS_TO_VALUE = 3
"""Elements after a label that are looked at: wrappers, icons and line breaks may stand between it and its value."""
_MOST_INNER = 200
_ANY_LABEL = re.compile(r"[A-Z][A-Za-z ()/&-]{0,40}:")
_ENDS = {"h1", "h2", "h3", "h4", "h5", "h6", "tr", "table"}
"""Elements with which something else begins, so that a value before them is empty."""
_SILENT = {"script", "style", "noscript", "template"}


class PageError(ArtefactError):
    """A page that does not say what it should; the message names the page, the label and what stands there."""


def parse(body: bytes, where: str) -> html.HtmlElement:
    """Return the root of a page.

    Raises:
        PageError: The bytes are too many, no UTF-8, or hold no element.
    """
    if len(body) > MOST_PAGE_BYTES:
        raise PageError(f"{where}: the page has {len(body)} bytes, {MOST_PAGE_BYTES} are read")
    if b"\0" in body:
        raise PageError(f"{where}: the page holds NUL bytes, so it is no text")
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PageError(f"{where}: the page is no UTF-8 text ({error})") from error
    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(body.removeprefix(b"\xef\xbb\xbf"), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise PageError(f"{where}: is no readable HTML page ({error})") from error
    if any(count > _MOST_ELEMENTS for count, _ in enumerate(root.iter(), 1)):
        raise PageError(f"{where}: the page has more than {_MOST_ELEMENTS} elements")
    return root


def text(element: html.HtmlElement) -> str:
    """Return an element's text: line breaks stay, all other white space (non-breaking too) becomes single blanks."""
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        silent = node.tag in _SILENT
        if event == "start":
            parts.append("\n" if node.tag == "br" else "")
            parts.append("" if silent else _blanks(node.text))
        elif node is not element:
            parts.append(_blanks(node.tail))
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def line(element: html.HtmlElement) -> str:
    """Return an element's text on one line."""
    return " ".join(text(element).split())


class Labels:
    """The labels of a page and the elements that hold their values."""

    def __init__(self, root: html.HtmlElement, names: tuple[str, ...]) -> None:
        self._wanted = {f"{name}:" for name in names}
        self._order: list[html.HtmlElement] = []
        self._after: dict[str, list[int]] = {}
        index = -1
        for event, node in etree.iterwalk(root, events=("start", "end")):
            if event == "start":
                self._order.append(node)
                index += 1
            written = node.text if event == "start" else node.tail
            label = " ".join((written or "").split())
            if label in self._wanted and not (event == "start" and node.tag in _SILENT):
                found = self._after.setdefault(label[:-1], [])
                if len(found) < _MOST_OCCURRENCES:
                    # The next element in the page's order is the first that begins after the label's text.
                    found.append(index + 1)

    def values(self, name: str, prose: bool = False) -> list[html.HtmlElement]:
        """Return the element of each occurrence of a label that has a value.

        Args:
            name: The label, without its colon.
            prose: Whether the value is free text, in which other words than this page's labels may end in a colon.
        """
        found = (self._value(start, prose) for start in self._after.get(name, []))
        return [element for element in found if element is not None]

    def value(self, name: str, prose: bool = False) -> str | None:
        """Return the text after the first occurrence of a label, on one line; None if there is no label or no value."""
        elements = self.values(name, prose)
        return line(elements[0]) if elements else None

    def _value(self, start: int, prose: bool) -> html.HtmlElement | None:
        for element in self._order[start : start + _STEPS_TO_VALUE]:
            if element.tag in _ENDS or self._holds_label(element, prose):
                return None  # the next label, or what holds it: this one has no value
            if line(element):
                return element
        return None

    def _holds_label(self, element: html.HtmlElement, prose: bool) -> bool:
        for count, inner in enumerate(element.iter()):
            if count > _MOST_INNER:
                return False
            for part in (inner.text, None if inner is element else inner.tail):
                label = " ".join((part or "").split())
                if label in self._wanted or (not prose and _ANY_LABEL.fullmatch(label)):
                    return True
        return False


def _blanks(part: str | None) -> str:
    return re.sub(r"\s+", " ", part or "")
