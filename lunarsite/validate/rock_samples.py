"""Pictures with what is said of them, so that whoever draws them computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_ANSWERS, ROCK_SAMPLES
from lunarsite.artefact.images import Credit
from lunarsite.artefact.stamp import Stamp
from lunarsite.validate.rock_results import Picture
from lunarsite.vision.rock.classes import UNKNOWN


def write_samples(path: Path, pictures: Sequence[Picture], stamp: Stamp, credit: Credit) -> None:
    """Write the pictures in their order; smaller ones stand at the upper left, nothing is known beyond them."""
    rows, cols = (max(one.image.shape[axis] for one in pictures) for axis in (0, 1))
    with images.creating(path, ROCK_SAMPLES, stamp, credit, {"height": rows, "width": cols}) as target:
        for one in pictures:
            height, width = one.image.shape[:2]
            truth = np.full((height, width), UNKNOWN, np.uint8) if one.truth is None else one.truth
            doubt = one.doubt
            target.append(
                {
                    "picture": _padded(one.image, (rows, cols), 0),
                    "classes": _padded(doubt.classes, (rows, cols), UNKNOWN),
                    "truth": _padded(truth, (rows, cols), UNKNOWN),
                    "entropy": _padded(doubt.entropy.astype(np.float32), (rows, cols), np.nan),
                    "mutual_information": _padded(doubt.mutual_information.astype(np.float32), (rows, cols), np.nan),
                    "name": np.array([one.name], dtype=object),
                    "kind": np.array([ROCK_SAMPLES.class_number("kind", one.kind)], np.uint8),
                    "valid_height": np.array([height], np.int64),
                    "valid_width": np.array([width], np.int64),
                    "miou": np.array([one.miou]),
                    "unfamiliarity": np.array([doubt.unfamiliarity]),
                    "out_of_distribution": np.array(
                        [ROCK_SAMPLES.class_number("out_of_distribution", ROCK_ANSWERS[doubt.flagged])], np.uint8
                    ),
                }
            )


def _padded(values: NDArray[Any], shape: tuple[int, int], beyond: float) -> NDArray[Any]:
    """Return (1, H, W, ...) with the values at the upper left."""
    whole = np.full((1, *shape, *values.shape[2:]), beyond, values.dtype)
    whole[0, : values.shape[0], : values.shape[1]] = values
    return whole
