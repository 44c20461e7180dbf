"""A folder of pictures in, a folder of results out.

What is there of the same picture, model, settings and code is kept, so that a run that was cut off goes on where it
stopped. A picture that cannot be used is told and left out, and the others go on.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import ROCK_DISTRIBUTION
from lunarsite.artefact.stamp import ArtefactError, digest
from lunarsite.vision.rock.distribution import Census, distributions
from lunarsite.vision.rock.pictures import SUFFIXES, read_picture
from lunarsite.vision.rock.results import NOT_JUDGED, Row, Task, Told, census_of, kept, write_results

ABOUT, SUMMARY, ROCKS, DISTRIBUTION = "about.json", "summary.csv", "rocks.csv", "distribution.csv"
SUMMARY_COLUMNS = (
    *("image", "height_px", "width_px", "full_scale", "unknown_share", "familiar"),
    *("unfamiliarity", "unfamiliarity_limit", "mean_entropy_nat"),
    *("background_share", "small_rocks_share", "large_rocks_share", "sky_share"),
    *("rock_area_share", "rock_area_share_low", "rock_area_share_high", "rocks", "safe_share", "error"),
)
ROCK_COLUMNS = ("image", "kind", "row", "col", "area_px", "diameter_px", "range_m", "diameter_m", "probability")
DISTRIBUTION_COLUMNS = tuple(column.name for column in ROCK_DISTRIBUTION.columns if column.name != "id")
_MOST_NAME_BYTES = 200
"""File systems hold names of 255; results have suffixes, and more while they are being written."""
_OWN = {Path(own).stem for own in (ABOUT, SUMMARY, ROCKS, DISTRIBUTION)}
_WHOLE_NAME = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})(-[0-9]+)?\Z")
"""The end of a picture's name with its suffix, numbered or not."""
Report = Callable[[int, int, str], None]
"""Told (done, total, what)."""


@dataclass(frozen=True)
class Outcome:
    """What became of a folder."""

    images: int
    kept: int
    """Whose results were there already."""
    failed: Mapping[str, str]
    """Name of a picture, and why it could not be used."""
    strange: tuple[str, ...]
    """Pictures that are out of distribution."""
    not_judged: tuple[str, ...]
    """Pictures without ground, of which nothing tells whether they are."""


def listed(folder: Path) -> list[Path]:
    """Return the pictures of a folder in the order of their names; folders inside, and hidden files, are left alone.

    Raises:
        ArtefactError: It is no folder, or holds no pictures.
    """
    if not folder.is_dir():
        raise ArtefactError(f"{folder}: does not exist as a folder; name the one that holds the pictures")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise ArtefactError(f"{folder}: holds no pictures ({', '.join(SUFFIXES)}); folders inside it are not searched")
    return found


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return what the results of each picture (of `listed`) are called by, each one another.

    It is the picture's name without its suffix. With it where two pictures share that, where it is the name of one of
    the command's own files, and where it could itself be a name with suffix (of 'a.png.png'). Pictures that even so
    share their name, for they differ in capitals alone, are numbered from the second on in their order: 'a.png-2'.

    So names without a suffix, with one and with a number are told apart by their ends; those of one kind differ.
    """
    shared = Counter(_same(path.stem) for path in paths)
    named: Counter[str] = Counter()
    names = []
    for path in paths:
        stem, name = _same(path.stem), _same(path.name)
        if shared[stem] == 1 and stem not in _OWN and not _WHOLE_NAME.search(stem):
            names.append(path.stem)
            continue
        named[name] += 1
        names.append(path.name if named[name] == 1 else f"{path.name}-{named[name]}")
    return names


def _same(name: str) -> str:
    """Return what is the same for names that a file system may take for one: some tell no capitals, or accents."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def check_place(folder: Path, out: Path) -> None:
    """Refuse an out folder that is the pictures' own, a file, or holds what is not ours.

    Raises:
        ArtefactError: It is.
    """
    if out.exists() and not out.is_dir():
        raise ArtefactError(f"{out}: is a file; name a folder")
    if out.is_dir() and folder.is_dir() and out.samefile(folder):
        raise ArtefactError(f"{out}: is the pictures' own folder, where results would pass for pictures; name another")
    if out.is_dir() and any(out.iterdir()) and not (out / ABOUT).is_file():
        raise ArtefactError(f"{out}: holds files that are no results of this command; name an empty or a new folder")


def segment_folder(folder: Path, out: Path, task: Task, report: Report | None = None) -> Outcome:
    """Segment every picture of a folder.

    Args:
        folder: Pictures; see `listed`.
        out: Folder of the results: NAME_classes.png, NAME_maps.tif, NAME_hazard.tif, NAME_overlay.png and NAME.json of
            each picture (`names_of`), summary.csv, rocks.csv and distribution.csv of all, about.json of model and
            settings.
        task: How they are segmented.
        report: Told how far it is.

    Raises:
        ArtefactError: There are no pictures, or the out folder cannot be used.
        LearningError: The network's result cannot be used.
    """
    paths = listed(folder)
    check_place(folder, out)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / ABOUT, task.about)
    failed: dict[str, str] = {}
    rows: list[Row] = []
    rocks: list[Row] = []
    counted: list[tuple[str, Census]] = []
    strange, not_judged, reused = list[str](), list[str](), 0
    for index, (path, name) in enumerate(zip(paths, names_of(paths), strict=True)):
        image = _plain(path.name)
        if report is not None:
            report(index, len(paths), image)
        try:
            told, old = _one(path, out, name, task)
        except ArtefactError as error:
            failed[image] = _plain(str(error))
            rows.append({"image": image, "error": failed[image]})
            continue
        reused += old
        rows.append({"image": image, **told.summary})
        rocks += [{"image": image, **rock} for rock in told.rocks]
        census = census_of(told, task.camera)
        if census is not None:
            counted.append((image, census))
        else:
            (not_judged if told.summary["familiar"] == NOT_JUDGED else strange).append(image)
    _write_table(out / SUMMARY, SUMMARY_COLUMNS, rows)
    _write_table(out / ROCKS, ROCK_COLUMNS, rocks)
    _write_table(out / DISTRIBUTION, DISTRIBUTION_COLUMNS, distribution_rows(counted))
    return Outcome(len(paths), reused, failed, tuple(strange), tuple(not_judged))


def _one(path: Path, out: Path, name: str, task: Task) -> tuple[Told, bool]:
    """Return what is told of a picture, and whether it was there already."""
    if len(os.fsencode(name)) > _MOST_NAME_BYTES:
        raise ArtefactError(
            f"{path}: its name is too long to stand in the names of its results; shorten it to {_MOST_NAME_BYTES} bytes"
        )
    try:
        about = {**task.about, "image": _plain(path.name), "image_sha256": digest(path)}
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror})") from error
    old = kept(out, name, about)
    if old is not None:
        return old, True
    # Whatever lies there is of another picture, model or setting: without its JSON file it stands for nothing.
    (out / f"{name}.json").unlink(missing_ok=True)
    return write_results(read_picture(path), out, name, task, about), False


def distribution_rows(counted: Sequence[tuple[str, Census]]) -> list[Row]:
    """Return the distributions as CSV has them: six digits, and nothing where a value is not known."""

    def told(value: str | int | float) -> str | int | float | None:
        if not isinstance(value, float):
            return value
        return float(f"{value:.6g}") if math.isfinite(value) else None

    return [{name: told(value) for name, value in row.items()} for row in distributions(counted)]


def _plain(text: str) -> str:
    """Return a text that can be written: names of files need not be UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with replacing(path) as partial:
        partial.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
