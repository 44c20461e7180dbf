"""What is written of one picture: classes, maps, hazards, an overlay, and a JSON file that says what they are.

The JSON file comes last: while it is there and tells of the same picture, model, settings and code, the others are
whole and stand for them.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import ROCK_ANSWERS, ROCK_HAZARD
from lunarsite.artefact.pictures import write_png
from lunarsite.artefact.stamp import ArtefactError, canonical_json
from lunarsite.settings.rock import RockCameraSettings, RockHazardSettings, RockInferenceSettings
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.classes import CLASSES, UNKNOWN
from lunarsite.vision.rock.distribution import Census, counting_m
from lunarsite.vision.rock.hazard import Hazards, hazards
from lunarsite.vision.rock.overlay import overlay
from lunarsite.vision.rock.pictures import Picture
from lunarsite.vision.rock.segmenter import Segmented, Segmenter, masked, thinned
from lunarsite.vision.rock.sizes import seen_ground

COLOURS = {"background": (0, 0, 0), "small_rocks": (0, 255, 0), "large_rocks": (0, 0, 255), "sky": (255, 0, 0)}
"""Of the published masks; unknown pixels are grey, which those do not have."""
BANDS = (*(f"probability_{name}" for name in CLASSES), "entropy_nat", "mutual_information_nat")
SUFFIXES = ("_classes.png", "_maps.tif", "_hazard.tif", "_overlay.png", ".json")
"""None of them ends as another does, so files of pictures with different names never have the same name."""
TAG = "LUNARSITE_ROCKS"
_GREY = (128, 128, 128)
_STRIP_PX = 256
_DIGITS = 6
NOT_JUDGED = ROCK_ANSWERS[None]
"""What a summary says of a picture being familiar where no ground is seen."""

Row = dict[str, Any]
Bands = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Task:
    """How pictures are segmented."""

    segmenter: Segmenter
    inference: RockInferenceSettings
    hazard: RockHazardSettings
    camera: RockCameraSettings | None
    about: Mapping[str, Any]
    """Model, settings and code, as the JSON files tell them."""


@dataclass(frozen=True)
class Told:
    """What the JSON file of a picture says."""

    about: Mapping[str, Any]
    summary: Row
    rocks: list[Row]
    counted: Row | None
    """What the distributions need besides (see `census_of`); None where the picture is not known to be familiar."""


def kept(place: Path, name: str, about: Mapping[str, Any]) -> Told | None:
    """Return what is told of a picture if its results are there and were made of the same; None if they were not."""
    if not all((place / f"{name}{suffix}").is_file() for suffix in SUFFIXES):
        return None
    try:
        values = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
        counted = None if values["counted"] is None else dict(values["counted"])
        told = Told(values["about"], dict(values["summary"]), [dict(rock) for rock in values["rocks"]], counted)
    except (ValueError, KeyError, TypeError):
        return None  # not ours, or cut: it is made again
    return told if told.about == json.loads(canonical_json(about)) else None


def write_results(picture: Picture, place: Path, name: str, task: Task, about: Mapping[str, Any]) -> Told:
    """Segment a picture and write its five files, each in one step.

    Raises:
        ArtefactError: The disk is too full.
        LearningError: The network's result cannot be used.
    """
    height, width = picture.rgb.shape[:2]
    _check_disk(place, 4 * (len(BANDS) + len(_hazard_bands(task.camera))) * height * width)
    found = task.segmenter.segment_reduced(picture.rgb, task.inference, picture.known)
    judged = _hazards(found, picture, task)
    tags = {TAG: canonical_json(about), "OUT_OF_DISTRIBUTION": ROCK_ANSWERS[found.out_of_distribution]}
    classes = np.empty((height, width), dtype=np.uint8)
    entropy = 0.0
    with _creating(place / f"{name}_maps.tif", BANDS, height, width, tags) as write:
        for rows, strip in found.strips(height, width, _STRIP_PX, picture.known):
            write(rows, (*np.moveaxis(strip.probability, 2, 0), strip.entropy, strip.mutual_information))
            classes[rows] = strip.classes
            entropy += float(np.nansum(strip.entropy, dtype=np.float64))
    with _creating(place / f"{name}_hazard.tif", _hazard_bands(task.camera), height, width, tags) as write:
        for rows, bands in _hazard_strips(judged, picture, task.camera):
            write(rows, bands)
    write_png(_coloured(classes), place / f"{name}_classes.png")
    write_png(overlay(picture.rgb, classes, found.out_of_distribution), place / f"{name}_overlay.png")
    summary = _summary(found, classes, entropy, picture.full_scale, task) | _hazard_summary(judged)
    told = Told(about, summary, _rocks(judged, found, height, width), _counted(judged, found, height, width))
    with replacing(place / f"{name}.json") as partial:
        partial.write_text(json.dumps(asdict(told), indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")
    return told


def _hazards(found: Segmented, picture: Picture, task: Task) -> Hazards:
    """Return the hazards, at the size that the network has seen: nothing finer is known."""
    rows, cols = found.classes.shape
    small = found if picture.known is None else masked(found, thinned(picture.known, (rows, cols)))
    of = task.camera
    camera = None if of is None else Camera(of.height_m, of.pitch_deg, of.field_of_view_deg, rows, cols)
    return hazards(small.classes, small.probability, camera, task.hazard, found.out_of_distribution is not False)


def _hazard_bands(camera: RockCameraSettings | None) -> tuple[str, str]:
    """Return the names of the bands of hazards; that of clearance tells its unit."""
    return ("clearance_px" if camera is None else "clearance_m"), "safe"


def _hazard_strips(
    judged: Hazards, picture: Picture, camera: RockCameraSettings | None
) -> Iterator[tuple[slice, Bands]]:
    """Yield `_hazard_bands` at the picture's own size from the top: (rows, clearance and safe); NaN where unknown.

    Each pixel has what the pixel of the reduced picture has in which its middle lies: distances and answers of
    neighbours do not mix.
    """
    (height, width), (few_rows, few_cols) = picture.rgb.shape[:2], judged.safe.shape
    # A reduced pixel may be a little higher than wide, or wider, by rounding: the shorter side overstates no distance.
    scale = min(height / few_rows, width / few_cols) if camera is None else 1.0
    clearance = judged.clearance * np.float32(scale)
    unknown = judged.safe == ROCK_HAZARD.class_number("safe", "unknown")
    safe = np.where(unknown, np.nan, judged.safe).astype(np.float32)
    row, col = ((2 * np.arange(many) + 1) * few // (2 * many) for many, few in ((height, few_rows), (width, few_cols)))
    for start in range(0, height, _STRIP_PX):
        rows = slice(start, min(start + _STRIP_PX, height))
        bands = [values[np.ix_(row[rows], col)] for values in (clearance, safe)]
        if picture.known is not None:
            bands = [np.where(picture.known[rows], band, np.float32(np.nan)) for band in bands]
        yield rows, bands


def _summary(found: Segmented, classes: NDArray[np.uint8], entropy: float, full_scale: int, task: Task) -> Row:
    known = classes != UNKNOWN
    pixels = int(known.sum())
    shares = {name: float((classes == number).sum()) / pixels for number, name in enumerate(CLASSES)}
    return {
        "height_px": classes.shape[0],
        "width_px": classes.shape[1],
        "full_scale": full_scale,
        "unknown_share": _number(1.0 - pixels / classes.size),
        "familiar": ROCK_ANSWERS[None if found.out_of_distribution is None else not found.out_of_distribution],
        "unfamiliarity": _number(found.unfamiliarity),
        "unfamiliarity_limit": _number(task.segmenter.spec.unfamiliarity[task.inference.method].limit),
        "mean_entropy_nat": _number(entropy / pixels),
        # What means nothing is not told; of a picture without ground it is told what is seen instead.
        **{f"{name}_share": None if found.out_of_distribution else _number(share) for name, share in shares.items()},
    }


def _hazard_summary(judged: Hazards) -> Row:
    numbers = ("rock_area_share", "rock_area_share_low", "rock_area_share_high", "safe_share")
    strange = math.isnan(judged.rock_area_share)
    return {
        **{name: _number(getattr(judged, name)) for name in numbers},
        "rocks": None if strange else len(judged.rocks),
    }


def _rocks(judged: Hazards, found: Segmented, height: int, width: int) -> list[Row]:
    """Return the rocks in the picture's own pixels."""
    high, wide = (many / few for many, few in zip((height, width), found.classes.shape, strict=True))
    scaled = [
        replace(
            rock,
            row=(rock.row + 0.5) * high - 0.5,
            col=(rock.col + 0.5) * wide - 0.5,
            area_px=max(1, round(rock.area_px * high * wide)),
            diameter_px=rock.diameter_px * wide,
        )
        for rock in judged.rocks
    ]
    return [
        {name: _number(value) if isinstance(value, float) else value for name, value in asdict(rock).items()}
        for rock in scaled
    ]


def _counted(judged: Hazards, found: Segmented, height: int, width: int) -> Row | None:
    """Return what the distributions need besides the rocks, as JSON has it."""
    if found.out_of_distribution is not False:
        return None
    rows, cols = found.classes.shape
    return {
        "ground_px": round(judged.ground_px * height * width / (rows * cols)),
        "diameters_m": list(counting_m(judged.rocks)),
        "reduced_width_px": cols,
        # Of each row of the reduced picture: with the camera it is the ground in square metres.
        "ground_px_by_row": None if judged.seen_px is None else judged.seen_px.tolist(),
    }


def census_of(told: Told, camera: RockCameraSettings | None) -> Census | None:
    """Return what a picture adds to the distributions; None where it is not known to be familiar."""
    if told.counted is None:
        return None
    pixels, ground = told.counted["ground_px_by_row"], None
    if camera is not None and pixels is not None:
        size = len(pixels), int(told.counted["reduced_width_px"])
        ground = seen_ground(pixels, Camera(camera.height_m, camera.pitch_deg, camera.field_of_view_deg, *size))
    widths = [float(rock["diameter_px"]) for rock in told.rocks]
    return Census(widths, int(told.counted["ground_px"]), told.counted["diameters_m"], ground)


def _number(value: float) -> float | None:
    """Return a number as JSON and CSV have it; None for NaN."""
    return None if math.isnan(value) else round(float(value), _DIGITS)


def _coloured(classes: NDArray[np.uint8]) -> Image.Image:
    """Return classes as a PNG whose numbers are the classes and whose palette has the published colours."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    for name, colour in COLOURS.items():
        palette[CLASSES.index(name)] = colour
    palette[UNKNOWN] = _GREY
    picture = Image.fromarray(classes)
    picture.putpalette(palette.tobytes())
    return picture


@contextmanager
def _creating(
    path: Path, bands: Sequence[str], height: int, width: int, tags: Mapping[str, str]
) -> Iterator[Callable[[slice, Bands], None]]:
    """Yield what writes rows of a GeoTIFF of 32-bit floats and named bands; it appears when it is whole."""
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": len(bands),
        "dtype": "float32",
        "nodata": math.nan,
        "tiled": True,
        "blockxsize": _STRIP_PX,
        "blockysize": _STRIP_PX,
        "interleave": "band",
        "compress": "deflate",
        "predictor": 3,
        "zlevel": 1,
        "bigtiff": "if_safer",
    }
    with warnings.catch_warnings(), replacing(path) as partial:
        # Pictures have no map.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(partial, "w", **profile) as target:
            target.update_tags(**tags)
            for index, name in enumerate(bands, start=1):
                target.set_band_description(index, name)

            def write(rows: slice, values: Bands) -> None:
                target.write(np.stack(values), window=Window(0, rows.start, width, rows.stop - rows.start))

            yield write


def _check_disk(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if needed > free:
        raise ArtefactError(
            f"{place}: a picture's maps need up to {needed / 2**30:.1f} GiB of disk, {free / 2**30:.1f} GiB are free"
        )
