"""Sample pictures that validations leave: one reader for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.images import ImagesSpec
from lunarsite.artefact.stamp import ArtefactError, Stamp

_SIDES: Final = (("rows", "cols"), ("valid_height", "valid_width"))
"""Names of the two numbers that tell how much of a stack's height and width a picture fills."""


@dataclass(frozen=True)
class Picture:
    """What a file holds of one picture.

    Attributes:
        of: Its values by name: numbers, strings, and words where the contract has classes.
        pixels: (rows, cols) or (rows, cols, 3) of each stack by name, without padding.
    """

    of: dict[str, Any]
    pixels: dict[str, NDArray[Any]]


def read_pictures(
    path: Path, spec: ImagesSpec, rerun: str, chosen: Callable[[Sequence[str]], Sequence[int]] | None = None
) -> tuple[tuple[Picture, ...], Stamp]:
    """Return the pictures of a file, and its stamp.

    Args:
        path: The file.
        spec: Its contract.
        rerun: The stage that makes such files, for errors.
        chosen: From the kinds of all pictures to the numbers of those that are read; None: all.

    Raises:
        ArtefactError: The file breaks its contract, or a picture claims more pixels than the file has.
    """
    with images.opened(path, spec) as reader:
        values: dict[str, Any] = {}
        for array in spec.per_image:
            read, words = reader.read(array.name), dict(array.classes)
            values[array.name] = [words[int(value)] for value in read] if words else read
        names = next(pair for pair in _SIDES if pair[0] in values)
        sides = reader.sides(spec.stacks[0].name)
        found = []
        for at in range(len(reader)) if chosen is None else chosen(values["kind"]):
            rows, cols = (int(values[name][at]) for name in names)
            if not (0 < rows <= sides[0] and 0 < cols <= sides[1]):
                raise ArtefactError(f"{path}: picture {at} claims {rows} x {cols} pixels; rerun {rerun}")
            pixels = {stack.name: reader.read(stack.name, slice(at, at + 1))[0, :rows, :cols] for stack in spec.stacks}
            found.append(Picture({name: of[at] for name, of in values.items()}, pixels))
        return tuple(found), reader.stamp
