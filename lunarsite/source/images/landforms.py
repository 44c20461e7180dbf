"""HiRISE landmarks (Wagstaff et al., Zenodo 2538136, version 3): pictures of Martian landforms with labels.

Layout: map-proj-v3/*.jpg, grey, 227 x 227; labels-map-proj-v3.txt with 'name class' on each line; and
landmarks_map-proj-v3_classmap.csv with 'class,name'. A name tells the observation, the landmark and how the picture was
altered: ESP_014156_1865_RED-0062-r90.jpg. Six altered copies of a landmark (turned, mirrored, brightened) stand beside
the original, and landmarks of one observation overlap: both facts are kept, for who splits them. The list and the
folder must agree to the last name. This module must not know how images are split or learned from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact.contracts import LANDFORM_IMAGES
from lunarsite.source.images.decode import read_grey
from lunarsite.source.images.members import ImageSet, listed
from lunarsite.source.kinds import LocalError

LABELS, CLASS_MAP = "labels-map-proj-v3.txt", "landmarks_map-proj-v3_classmap.csv"
_FOLDER = "map-proj-v3"
_SIDE_PX = 227
# An observation's name begins with the mission's phase: PSP, ESP, TRA (transition), ...
_NAME = re.compile(r"(([A-Z]{3}_\d{6}_\d{4})_RED-\d{1,6})(?:-(r90|r180|r270|fh|fv|brt))?\.jpg")
_LABEL_LINE = re.compile(r"(\S{1,200}) (\d{1,3})")
_MOST_BYTES = 1 << 26
_BLOCK = 64


@dataclass(frozen=True)
class Landform:
    """One picture: its file, name without suffix, landmark, scene, label and variant by their numbers."""

    path: Path
    name: str
    landmark: str
    scene: str
    label: int
    variant: int


def parse_labels(data: bytes, where: str) -> dict[str, int]:
    """Return the label of each picture, in the file's order.

    Args:
        data: The label file.
        where: For messages.

    Raises:
        LocalError: A line is no name and number, a name is no landmark's or stands twice, or a number is no class.
    """
    known = dict(_classes())
    found: dict[str, int] = {}
    for number, line in enumerate(_text(data, where).splitlines(), start=1):
        if not line.strip():
            continue
        match = _LABEL_LINE.fullmatch(line.strip())
        if match is None:
            raise LocalError(f"{where}: line {number} ({line[:80]!r}) is not 'name class'; download it again")
        name, label = match[1], int(match[2])
        if _NAME.fullmatch(name) is None:
            raise LocalError(
                f"{where}: line {number}: {name!r} is no name of a landmark (ESP_014156_1865_RED-0062-r90.jpg); is it"
                " another version of the data set?"
            )
        if label not in known:
            raise LocalError(f"{where}: line {number}: class {label} of {name} is unknown; known are 0 to {max(known)}")
        if name in found:
            raise LocalError(f"{where}: line {number}: {name} stands there twice; download it again")
        found[name] = label
    if not found:
        raise LocalError(f"{where}: holds no labels; download it again")
    return found


def check_class_map(data: bytes, where: str) -> None:
    """Refuse a class map that does not say what the contract's classes are.

    Raises:
        LocalError: Its lines are not 'number,name', or name other classes.
    """
    rows = [line.strip().split(",", 1) for line in _text(data, where).splitlines() if line.strip()]
    found = {row[0].strip(): row[-1].strip() for row in rows}
    wanted = {str(number): name for number, name in _classes()}
    if len(rows) != len(wanted) or found != wanted:
        raise LocalError(
            f"{where}: names the classes {dict(list(found.items())[:12])!r:.300}, known are {wanted}; is it another"
            " version of the data set?"
        )


def landforms_of(images: ImageSet) -> list[Landform]:
    """Return the pictures of a set in the order of their names.

    Raises:
        LocalError: Label file, class map or pictures are missing, broken, or do not agree; the message counts.
    """
    labels_path, map_path = _only(images, LABELS), _only(images, CLASS_MAP)
    check_class_map(_bytes(map_path, images.field), f"{images.field}: {map_path}")
    labels = parse_labels(_bytes(labels_path, images.field), f"{images.field}: {labels_path}")
    pictures: dict[str, Path] = {}
    for name, path in images.files.items():
        place = PurePosixPath(name)
        if place.parent.name == _FOLDER and place.suffix.lower() in (".jpg", ".jpeg"):
            if place.name in pictures:
                raise LocalError(f"{images.field}: {path}: is there twice; keep one copy")
            pictures[place.name] = path
    missing, unlisted = labels.keys() - pictures.keys(), pictures.keys() - labels.keys()
    if missing or unlisted:
        raise LocalError(
            f"{images.field}: {labels_path}: of {len(labels)} listed pictures {len(missing)} are not in {_FOLDER}"
            f" ({listed(missing) or 'none'}), and {len(unlisted)} there are not listed ({listed(unlisted) or 'none'});"
            " download and unpack the data set again"
        )
    variants = {name: number for number, name in _variants()}
    found, label_of = [], dict[str, int]()
    for name in sorted(labels, key=lambda name: name.removesuffix(".jpg")):
        match = _NAME.fullmatch(name)
        assert match is not None
        landmark, scene, variant = match[1], match[2], match[3] or "original"
        if label_of.setdefault(landmark, labels[name]) != labels[name]:
            raise LocalError(
                f"{images.field}: {labels_path}: {name} is of class {labels[name]}, other copies of {landmark} are of"
                f" class {label_of[landmark]}; download it again"
            )
        stem = name.removesuffix(".jpg")
        found.append(Landform(pictures[name], stem, landmark, scene, labels[name], variants[variant]))
    return found


def blocks(landforms: list[Landform], where: str) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the arrays of the contract LANDFORM_IMAGES, some pictures at a time.

    Raises:
        LocalError: A file is no grey JPEG of 227 x 227 pixels, or damaged.
    """
    for start in range(0, len(landforms), _BLOCK):
        block = landforms[start : start + _BLOCK]
        yield {
            "images": np.stack([_picture(landform.path, where) for landform in block]),
            "name": np.array([landform.name for landform in block], dtype=object),
            "landmark": np.array([landform.landmark for landform in block], dtype=object),
            "scene": np.array([landform.scene for landform in block], dtype=object),
            "label": np.array([landform.label for landform in block], dtype=np.uint8),
            "variant": np.array([landform.variant for landform in block], dtype=np.uint8),
        }


def _picture(path: Path, where: str) -> NDArray[np.uint8]:
    values = read_grey(path, where)
    if values.shape != (_SIDE_PX, _SIDE_PX) or values.dtype != np.uint8:
        raise LocalError(
            f"{where}: {path}: has {values.shape[0]} x {values.shape[1]} pixels of {8 * values.itemsize} bits, pictures"
            f" of this set have {_SIDE_PX} x {_SIDE_PX} of 8; download it again"
        )
    return values


def _only(images: ImageSet, name: str) -> Path:
    found = [path for key, path in images.files.items() if PurePosixPath(key).name == name]
    if len(found) != 1:
        raise LocalError(f"{images.field}: holds {len(found)} files '{name}', needed is one; unpack the data set again")
    return found[0]


def _bytes(path: Path, field: str) -> bytes:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise LocalError(f"{field}: {path}: has {size} bytes, more than any such list; download it again")
    return path.read_bytes()


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LocalError(f"{where}: is no text ({error}); download it again") from error


def _classes() -> tuple[tuple[int, str], ...]:
    return LANDFORM_IMAGES.array("label").classes


def _variants() -> tuple[tuple[int, str], ...]:
    return LANDFORM_IMAGES.array("variant").classes
