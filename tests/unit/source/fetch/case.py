"""Something that goes wrong with a download, and what must come of it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from .badserver import GOOD, Answer

BODY = random.Random(7).randbytes(200_000)
OTHER = random.Random(8).randbytes(200_000)
HTML = b"<!DOCTYPE html><html><head><title>We have moved</title></head><body>Sorry.</body></html>"
MD5 = hashlib.md5(BODY).hexdigest()
NO_VALIDATOR: dict[str, str | None] = {"ETag": None, "Last-Modified": None}
ATTEMPTS = 3


@dataclass(frozen=True)
class Case:
    """Something that goes wrong, and what must come of it."""

    title: str
    outcome: str
    script: tuple[Answer, ...] = (GOOD,)
    """Answers of the first address in turn, the last one for ever after."""
    error: str = ""
    """Part of the error's text; empty: the right file is in place in the end."""
    starts: tuple[int | None, ...] = (None,)
    """First bytes that the requests to the first address ask for; None: the whole file."""
    mirror: bool = False
    """Whether a second address serves the file well, and is asked."""
    waits_s: tuple[float, ...] | None = None
    """Least waits between the requests, seconds."""
    file: dict[str, Any] = field(default_factory=dict)
    """Of the table of products."""
    settings: dict[str, Any] = field(default_factory=dict)
    body: bytes = BODY
    """What the first address serves; the right file is BODY."""
    test: str = ""
    """Name of the test that tries it, if not the one that goes through this table."""
