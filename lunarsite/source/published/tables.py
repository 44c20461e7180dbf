"""Published tables of text: what they are is checked while they are still bytes, and they are read in pieces.

A table comes from outside. Its size, the length of its lines and the names of its columns are bounded and known before
a parser sees it, so that no line or quoted field swallows the memory. Publishers write the names of one column in
several ways; they are compared without case, blanks and signs ("Diameter (m)" is "diameter_m"), and what is not on the
list is refused with both lists. This module must not know what the columns mean.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lunarsite.source.kinds import LocalError

_MOST_BYTES = 2 * 2**30
_MOST_LINE_BYTES = 2**16
_MOST_COLUMNS = 400
_SEPARATORS = (",", "\t", ";")
_CHUNK_ROWS = 100_000
_MOST_TOLD = 40
"""Columns that a message lists at most."""
_MOST_ALIKE = 3
_FRESH = "fetch the product again (remove its folder), or tell the project if the publisher has changed the file"


@dataclass(frozen=True)
class Table:
    """A table of text that has been looked at: which of its columns are wanted, and how it is separated."""

    path: Path
    where: str
    separator: str
    columns: Mapping[str, str]
    """Name in the file of each wanted column that it has, by our name."""
    positions: Mapping[str, int]
    """Where these columns stand, from 0, by our name."""
    width: int
    """Columns that the file has."""

    def chunks(self, rows: int = _CHUNK_ROWS) -> Iterator[pd.DataFrame]:
        """Yield the wanted columns under our names, as text, so many rows at a time; the index counts from 0.

        Raises:
            LocalError: A row has more values than there are names, or bytes are no text.
        """
        # Columns are chosen by their places, for a parser reads names in another way: it keeps the blanks about them.
        with (
            _told(self.where),
            pd.read_csv(
                self.path,
                sep=self.separator,
                header=None,
                skiprows=1,
                names=list(range(self.width)),
                usecols=sorted(set(self.positions.values())),
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
                encoding="utf-8-sig",
                chunksize=rows,
            ) as reader,
        ):
            for chunk in reader:
                if len(chunk):
                    yield pd.DataFrame({name: chunk[place] for name, place in self.positions.items()})


def look(path: Path, accepted: Mapping[str, Sequence[str]], optional: Sequence[str], where: str) -> Table:
    """Look at a table without reading it: its bytes, its separator and its columns.

    Args:
        path: A file of text with a line of names first.
        accepted: For each column under our name, the names that publishers give it, the best first.
        optional: Our names of columns that may be missing.
        where: Product and file, for messages.

    Raises:
        LocalError: It is missing, too large, no plain text, has overlong lines or quoted line breaks, or lacks a
            column, or has two that could be it.
    """
    header = _header(path, where)
    separator = max(_SEPARATORS, key=header.count)
    found = [name.strip().strip('"') for name in header.split(separator)]
    if len(found) > _MOST_COLUMNS:
        raise LocalError(f"{where}: has {len(found)} columns, at most {_MOST_COLUMNS} are read; {_FRESH}")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise LocalError(f"{where}: two columns are named '{twice}'; {_FRESH}")
    places: dict[str, list[int]] = {}
    for place, name in enumerate(found):
        places.setdefault(bare(name), []).append(place)
    columns, positions = {}, {}
    for ours, names in accepted.items():
        held = next((places[bare(name)] for name in names if bare(name) in places), None)
        if held is not None:
            if len(held) > 1:
                alike = " and ".join(f"'{found[place]}'" for place in held[:_MOST_ALIKE])
                raise LocalError(
                    f"{where}: columns {alike} are one name but for case, blanks and signs, so that which of them is"
                    f" {ours.replace('_', ' ')} is not certain; {_FRESH}"
                )
            columns[ours], positions[ours] = found[held[0]], held[0]
        elif ours not in optional:
            told = ", ".join(found[:_MOST_TOLD]) + (", ..." if len(found) > _MOST_TOLD else "")
            raise LocalError(
                f"{where}: no column is known as {ours.replace('_', ' ')}: it has [{told}], read are"
                f" [{', '.join(names)}]; {_FRESH}"
            )
    _check_lines(path, separator, len(found), where)
    return Table(path, where, separator, columns, positions, len(found))


def bare(name: str) -> str:
    """Return a column's name without case, blanks and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _header(path: Path, where: str) -> str:
    """Return the first line."""
    if not path.is_file():
        raise LocalError(f"{where}: does not exist as a file; {_FRESH}")
    if path.stat().st_size > _MOST_BYTES:
        raise LocalError(f"{where}: is larger than {_MOST_BYTES // 2**30} GiB, no published table is; {_FRESH}")
    with path.open("rb") as file:
        line = file.readline(_MOST_LINE_BYTES + 1)
    if len(line) > _MOST_LINE_BYTES:
        raise LocalError(f"{where}, line 1: is longer than {_MOST_LINE_BYTES} bytes; {_FRESH}")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise LocalError(f"{where}: its first line is no text in UTF-8 ({error}); {_FRESH}") from error
    if not text.strip():
        raise LocalError(f"{where}: has no line of column names; {_FRESH}")
    return text


def _check_lines(path: Path, separator: str, values: int, where: str) -> None:
    """Refuse lines that are overlong, hold other than so many values, or have a quote that is open or within a value.

    The parser itself would cut values off that no column is named for, read on to a quote's end over any number of
    lines, and take a separator for one that stands between quotes within a value (x"1,2").
    """
    sign = separator.encode()
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MOST_LINE_BYTES + 1):
            number += 1
            if len(line) > _MOST_LINE_BYTES:
                raise LocalError(f"{where}, line {number}: is longer than {_MOST_LINE_BYTES} bytes; {_FRESH}")
            plain = line.rstrip(b"\r\n")
            if b"\x00" in plain or b"\r" in plain:
                raise LocalError(f"{where}, line {number}: holds bytes that are no text; {_FRESH}")
            pieces = plain.split(b'"')
            if len(pieces) % 2 == 0:
                raise LocalError(f"{where}, line {number}: a quote is not closed on its line; {_FRESH}")
            if len(pieces) > 1 and not _quotes_are_whole(pieces, sign):
                raise LocalError(f"{where}, line {number}: a quote stands within a value; {_FRESH}")
            # Every second piece stands between quotes, where a separator is none.
            found = 1 + sum(piece.count(sign) for piece in pieces[::2])
            if plain and found != values:
                raise LocalError(f"{where}, line {number}: has {found} values, the first line names {values}; {_FRESH}")


def _quotes_are_whole(pieces: Sequence[bytes], sign: bytes) -> bool:
    """Whether quotes stand around whole values, by a line's pieces between them; doubled ones are part of a value."""
    outside = pieces[::2]
    opens = all(not before.rpartition(sign)[2].strip(b" ") for before in outside[:-1])
    closes = all(not after.partition(sign)[0].strip(b" ") for after in outside[1:])
    apart = all(not between or sign in between for between in outside[1:-1])
    return opens and closes and apart


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn the parser's errors into ours; a warning that it would cut a row off is one of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise LocalError(f"{where}: is no readable table ({error}); {_FRESH}") from error
