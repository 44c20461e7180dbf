"""Image files in, enhanced files out: what is written, and where.

The result is a cloud-optimised GeoTIFF of three float bands on the image's pixels, with its map and tags. Reading,
enhancing and writing go from the top to the bottom and hold a strip, so that an image may be larger than the memory.
"""

from __future__ import annotations

import logging
import math
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from lunarsite import __version__
from lunarsite.artefact.atomic import replacing, scratch
from lunarsite.artefact.stamp import ArtefactError, canonical_json, digest
from lunarsite.settings.enhance import EnhancementSettings
from lunarsite.vision.enhance import support as supports
from lunarsite.vision.enhance.enhancer import Enhancer
from lunarsite.vision.enhance.image import Enhanced, enhance_strips, fit_scale
from lunarsite.vision.enhance.normalise import Scale
from lunarsite.vision.enhance.output import check_output
from lunarsite.vision.enhance.reading import ImageFile, opened
from lunarsite.vision.learn import LearningError, ResultError

Floats = NDArray[np.float32]
Report = Callable[[str, float, float], None]
"""Told (what, done, total)."""

TAG = "LUNARSITE_ENHANCEMENT"
BANDS = ("enhanced", "error", "support")
_BLOCK_PX = 512
_MOST_TAGS, _MOST_TAG_CHARS = 200, 10_000


@dataclass(frozen=True)
class Summary:
    """What became of an image."""

    height: int
    width: int
    known_share: float
    """Of all pixels."""
    supported_share: float
    """Of the known ones; NaN if there are none."""
    scale: Scale


def enhance_file(
    path: Path,
    out: Path,
    enhancer: Enhancer,
    settings: EnhancementSettings,
    *,
    model: Path,
    band: int | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> Summary:
    """Enhance an image file; the result appears in one step.

    Args:
        path: The image; see `opened`.
        out: GeoTIFF to write: bands 'enhanced' and 'error' in the image's numbers and 'support' (1, 0), all NaN where
            unknown. Its tag LUNARSITE_ENHANCEMENT tells how it was made.
        enhancer: The network.
        settings: Tiles.
        model: The network's file, for the tag.
        band: See `opened`.
        overwrite: Whether `out` may exist.
        report: Told how far it is.

    Raises:
        ArtefactError: The image cannot be used or holds no signal, the network's result cannot be used, or `out` cannot
            be written.
    """
    check_output(path, out, overwrite)
    with opened(path, band) as image:
        height, width = image.shape
        _check_disk(out, height * width)
        try:
            scale = fit_scale(image, _told(report, "statistics"))
        except LearningError as error:
            raise ArtefactError(f"{path}: {error}") from error
        known = supported = 0
        about = _about(path, model, image, scale, enhancer, settings)
        with _creating(out, image, about) as dataset:
            for rows, strip in _strips(image, scale, enhancer, settings, model, _told(report, "tiles")):
                window = Window(0, rows.start, width, rows.stop - rows.start)
                for index, values in enumerate(_bands_of(strip), start=1):
                    dataset.write(values, index, window=window)
                known += int(np.count_nonzero(strip.support != supports.UNKNOWN))
                supported += int(np.count_nonzero(strip.support == supports.SUPPORTED))
            if report is not None:
                report("writing", 0, 1)
    return Summary(height, width, known / (height * width), supported / known if known else math.nan, scale)


def _strips(
    image: ImageFile,
    scale: Scale,
    enhancer: Enhancer,
    settings: EnhancementSettings,
    model: Path,
    progress: Callable[[float, float], None] | None,
) -> Iterator[tuple[slice, Enhanced]]:
    """Yield the enhanced image; a result that cannot be used is the model file's fault."""
    try:
        yield from enhance_strips(image, scale, enhancer, settings, progress)
    except ResultError as error:
        raise ArtefactError(f"{model}: {error}; use another model, or train it again") from error


def _bands_of(strip: Enhanced) -> tuple[Floats, Floats, Floats]:
    support = np.where(strip.support == supports.UNKNOWN, np.nan, strip.support).astype(np.float32)
    return strip.enhanced, strip.error, support


def _told(report: Report | None, what: str) -> Callable[[float, float], None] | None:
    return None if report is None else lambda done, total: report(what, done, total)


@contextmanager
def _creating(out: Path, image: ImageFile, about: Mapping[str, Any]) -> Iterator[Any]:
    """Yield a tiled scratch file to write to; in the end it becomes `out`, a COG with overviews."""
    source = image.dataset
    profile = {
        "driver": "GTiff",
        "width": source.width,
        "height": source.height,
        "count": len(BANDS),
        "dtype": "float32",
        "nodata": math.nan,
        "tiled": True,
        "blockxsize": _BLOCK_PX,
        "blockysize": _BLOCK_PX,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    with replacing(out) as partial, scratch(out, ".tif") as tiled, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tiled, "w", **profile) as dataset:
            _place(image, dataset)
            dataset.update_tags(**_tags(image), **{TAG: canonical_json(about)})
            for index, name in enumerate(BANDS, start=1):
                dataset.set_band_description(index, name)
                dataset.set_band_unit(index, "1" if name == "support" else image.unit)
            yield dataset
        rasterio.shutil.copy(
            tiled,
            partial,
            driver="COG",
            blocksize=_BLOCK_PX,
            compress="DEFLATE",
            level=6,
            predictor="FLOATING_POINT",
            overview_resampling="average",
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
        )


def _place(image: ImageFile, target: Any) -> None:
    """Give the result the image's map, whichever way the file tells it."""
    source = image.dataset
    gcps, gcps_crs = source.gcps
    if gcps:
        target.gcps = (gcps, gcps_crs)
    elif image.affine is not None:
        target.transform = image.affine
        if source.crs is not None:
            target.crs = source.crs
    if source.rpcs is not None:
        target.rpcs = source.rpcs


def _tags(image: ImageFile) -> dict[str, str]:
    """Return the image's own tags. Tags of ours would tell of another file, and very long ones are no notes."""
    found = {
        name: value
        for name, value in image.dataset.tags().items()
        if not name.startswith("LUNARSITE_") and len(name) + len(value) <= _MOST_TAG_CHARS
    }
    kept = dict(list(found.items())[:_MOST_TAGS])
    left_out = [name for name in image.dataset.tags() if name not in kept]
    if left_out:
        logging.getLogger(__name__).info("%s: tags that are not kept: %s", image.path, ", ".join(left_out)[:500])
    return kept


def _about(
    path: Path, model: Path, image: ImageFile, scale: Scale, enhancer: Enhancer, settings: EnhancementSettings
) -> dict[str, Any]:
    return {
        "image_sha256": digest(path),
        "bands": list(image.bands),
        "method": enhancer.name,
        "model_sha256": digest(model),
        "scale": scale_json(scale),
        "tile_px": settings.tile_px,
        "halo_px": settings.halo_px,
        "support": {
            "error_share": supports.ERROR_SHARE,
            "noise_floor": supports.NOISE_FLOOR,
            "least_slope": supports.LEAST_SLOPE,
        },
        "lunarsite": __version__,
    }


def scale_json(scale: Scale) -> dict[str, float | None]:
    """Return a standard scale as JSON: y = asinh((x - median) / spread); None where nothing is overexposed."""
    return {
        "median": scale.median,
        "spread": scale.spread,
        "overexposed_from": scale.most if math.isfinite(scale.most) else None,
    }


def _check_disk(out: Path, pixels: int) -> None:
    needed, free = 2 * 4 * len(BANDS) * pixels, shutil.disk_usage(out.absolute().parent).free
    if needed > free:
        raise ArtefactError(
            f"{out}: needs up to {needed / 2**30:.1f} GiB of disk while it is written, {free / 2**30:.1f} GiB are free"
        )
