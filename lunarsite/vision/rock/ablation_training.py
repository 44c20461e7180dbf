"""One training of a variant, as a function that segments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lunarsite.settings.rock import RockInferenceSettings, RockLearningSettings, RockSplitSettings
from lunarsite.vision.rock.data import Place
from lunarsite.vision.rock.network import RockSpec
from lunarsite.vision.rock.segmenter import Segmenter
from lunarsite.vision.rock.training import train_member
from lunarsite.vision.rock.uncertainty import classes_of, softmax

if TYPE_CHECKING:
    from lunarsite.stage import Job

Segment = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def segmenter_of(
    job: Job,
    learning: RockLearningSettings,
    split: RockSplitSettings,
    inference: RockInferenceSettings,
    scenes: tuple[tuple[Path, ...], tuple[Place, ...]],
    number: int,
    folder: Path,
) -> Segment:
    """Train member `number` and return what gives the classes (H, W) of an image (H, W, 3).

    Of `scenes` the first are the files, the second the places in them that choose the epoch.

    No temperature is fitted: it changes no class.
    """
    files, held = scenes
    trained, spec, _ = train_member(job, split, learning, inference, files, number, folder / f"{number:02d}", held)
    told = RockSpec(network=spec, head=learning.network.head, members=1, temperature={}, unfamiliarity={})
    segmenter = Segmenter((trained.network,), told)
    alone = inference.model_copy(update={"method": "single"})
    return lambda image: classes_of(softmax(segmenter.said(image, alone).logits[0]))
