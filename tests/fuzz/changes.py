"""Inputs that are almost right: good examples with pieces changed, cut, doubled and put in."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.targets import Target

Change = tuple[str, int, int, bytes]
_PLACES = 2**16


def changed(seed: bytes, changes: list[Change]) -> bytes:
    """Return a seed after changes, each (what, where and how far in parts of 65536, piece)."""
    data = seed
    for what, place, length, piece in changes:
        at = place * (len(data) + 1) // _PLACES
        end = at + max(1, length * (len(data) - at) // _PLACES) if length else at + len(piece)
        if what == "put in":
            data = data[:at] + piece + data[at:]
        elif what == "write over":
            data = data[:at] + piece + data[at + len(piece) :]
        elif what == "cut out":
            data = data[:at] + data[end:]
        elif what == "double":
            data = data[:end] + data[at:end] + data[end:]
        else:
            data = data[:at]
    return data[: 4 * len(seed) + 65_536]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return a strategy for a target's inputs; most begin with one of its seeds."""
    piece = st.binary(max_size=8)
    if target.words:
        piece = st.sampled_from(target.words) | piece
    place = st.integers(0, _PLACES - 1)
    # Text breaks by little; numbers deep in a binary file by any byte.
    length = st.integers(0, 400)
    what = st.sampled_from(("put in", "write over", "cut out", "double", "end"))
    change = st.tuples(what, place, length, piece)
    near = st.builds(changed, st.sampled_from(target.seeds()), st.lists(change, max_size=6))
    return near | st.binary(max_size=200)
