"""Pictures side by side, so that whoever draws them computes nothing: scenes by method and signal, and real frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ENHANCE_SAMPLES, ENHANCED_FRAMES, SHADOWCAM_FRAMES
from lunarsite.artefact.images import Credit
from lunarsite.artefact.stamp import Stamp
from lunarsite.validate.enhance_frames import Frame
from lunarsite.validate.enhance_results import RAW, Picture

FRAMES = 4
SIDE_PX = 192
"""Side of the window that is shown of a frame."""


def frame_pictures(frames: Path, enhanced: Path, known: Sequence[Frame], network: str, seed: int) -> list[Picture]:
    """Return windows of a few frames around pixels in shadow, raw beside enhanced, drawn by the seed.

    Args:
        frames: SHADOWCAM_FRAMES.
        enhanced: ENHANCED_FRAMES, of the same frames.
        known: Frames with shadow enough.
        network: Name of what enhanced them.
        seed: Of frames and windows.
    """
    rng = np.random.default_rng([seed, 3])
    pictures: list[Picture] = []
    with images.opened(frames, SHADOWCAM_FRAMES) as raw, images.opened(enhanced, ENHANCED_FRAMES) as better:
        names = [str(name) for name in raw.read("frame")]
        facts = {key: raw.read(key) for key in ("rows", "cols", "pixel_m", "x_min_m", "y_max_m")}
        for index in sorted(rng.permutation(len(known))[:FRAMES]):
            frame = known[index]
            at = names.index(frame.name)
            places = np.argwhere(frame.dark)
            row, col = places[rng.integers(len(places))]
            pixel_m = float(facts["pixel_m"][at])
            first = (
                int(row) + frame.origin_px[0] + round(float(facts["y_max_m"][at]) / pixel_m),
                int(col) + frame.origin_px[1] - round(float(facts["x_min_m"][at]) / pixel_m),
            )
            window = _window(first, (int(facts["rows"][at]), int(facts["cols"][at])))
            block = slice(at, at + 1)
            brightness = raw.read("brightness", block)[0][window]
            result, error, support = (better.read(key, block)[0][window] for key in ("enhanced", "error", "support"))
            pictures += _four(frame, network, brightness, result, error, support)
    return pictures


def write_samples(path: Path, pictures: Sequence[Picture], stamp: Stamp, credit: Credit) -> None:
    """Write the pictures in their order."""
    rows, cols = (max(one.image.shape[axis] for one in pictures) for axis in (0, 1))
    with images.creating(path, ENHANCE_SAMPLES, stamp, credit, {"height": rows, "width": cols}) as target:
        for one in pictures:
            picture = np.full((1, rows, cols), np.nan, np.float32)
            picture[0, : one.image.shape[0], : one.image.shape[1]] = one.image
            numbers = {
                "electrons": one.electrons,
                "pixel_m": one.pixel_m,
                "display_low": one.display[0],
                "display_high": one.display[1],
                "psnr_db": one.psnr_db,
                "ssim": one.ssim,
            }
            target.append(
                {
                    "picture": picture,
                    "name": np.array([one.name], dtype=object),
                    "method": np.array([one.method], dtype=object),
                    "kind": np.array([ENHANCE_SAMPLES.class_number("kind", one.kind)], np.uint8),
                    "quantity": np.array([ENHANCE_SAMPLES.class_number("quantity", one.quantity)], np.uint8),
                    "rows": np.array([one.image.shape[0]], np.int64),
                    "cols": np.array([one.image.shape[1]], np.int64),
                    **{name: np.array([value], np.float64) for name, value in numbers.items()},
                }
            )


def _window(centre: tuple[int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the window around a pixel, moved inside the image; the whole of a smaller one."""
    starts = [min(max(0, at - SIDE_PX // 2), max(0, side - SIDE_PX)) for at, side in zip(centre, shape, strict=True)]
    stops = [min(start + SIDE_PX, side) for start, side in zip(starts, shape, strict=True)]
    return slice(starts[0], stops[0]), slice(starts[1], stops[1])


def _four(
    frame: Frame,
    network: str,
    brightness: NDArray[np.float32],
    result: NDArray[np.float32],
    error: NDArray[np.float32],
    support: NDArray[np.uint8],
) -> list[Picture]:
    # Grey levels are those of shadow: sunlit ground beside it is white.
    dark = frame.images[RAW][frame.dark]
    low, high = (float(value) for value in np.percentile(dark, (1.0, 99.0)))
    shown = (
        (RAW, "image", brightness, (low, high)),
        (network, "image", result, (low, high)),
        (network, "error", error, (0.0, 0.5 * (high - low))),
        (network, "support", np.where(support == 255, np.nan, support).astype(np.float32), (0.0, 1.0)),
    )
    return [
        Picture("frame", frame.name, method, quantity, float("nan"), image, frame.pixel_m, display)
        for method, quantity, image, display in shown
    ]
