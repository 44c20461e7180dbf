"""Training: one loop for every learned room, on Lightning, that a kill does not set back by more than an epoch.

What is drawn at a step depends on the seed and on the step's number alone: crops by their index, dropout by the epoch.
So a training that goes on from its checkpoint ends with the weights that it would have had. The checkpoint holds
everything, the best weights so far included; it is replaced in one step, and what `train` returns is read back from it.
"""

from __future__ import annotations

import json
import logging
import math
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lunarsite.settings.learning import TrainingSettings
from lunarsite.vision.learn import LearningError

Batch = Mapping[str, Tensor]
Loss = Callable[[Tensor, Batch], tuple[Tensor, Mapping[str, Tensor]]]
"""loss(network's output, batch) -> (what is minimised, its parts by name for the history)."""
Progress = Callable[[float, float, str], None]
CHECKPOINT = "last.ckpt"


class Crops(Protocol):
    """Training data: item i is a pure function of the data set's own seed and of i.

    Indices run from 0 to epochs * steps_per_epoch * batch * devices - 1. An item is a dict of arrays or tensors without
    the batch dimension. Items are made in processes of their own: a data set that holds an open file must open it where
    it reads, and with several devices it must be picklable.
    """

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        """Return crop `index`."""


class Items(Crops, Protocol):
    """Validation data: all items are used, in order, every epoch."""

    def __len__(self) -> int:
        """Return the number of items."""


@dataclass(frozen=True)
class Work:
    """What is trained, as the processes of all devices get it; see `train`."""

    network: nn.Module
    loss: Loss
    training: Crops
    validation: Items
    settings: TrainingSettings
    checkpoint: Path
    key: str
    image: str


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    network: nn.Module
    """With the averaged weights of the best epoch, in evaluation mode, on the CPU."""
    history: list[dict[str, float]]
    """An epoch each: 'epoch' (from 1), 'seconds', 'learning_rate' at its end, 'training_loss' and
    'validation_loss', and their parts alike."""
    best_epoch: int
    """Epoch of the lowest validation loss, from 1."""
    seconds: float
    """Time spent, that before an interruption included, what was lost to it not."""


def train(
    network: nn.Module,
    loss: Loss,
    training: Crops,
    validation: Items,
    settings: TrainingSettings,
    *,
    folder: Path,
    key: str,
    job_log: logging.Logger,
    progress: Progress | None = None,
    image: str = "image",
) -> Trained:
    """Train a network, or go on with the training whose checkpoint lies in `folder`.

    Args:
        network: Its weights are where the training starts; build it under the seed, so that a second call starts alike.
        loss: Takes the network's output and the batch. With several devices it must be picklable, as the network.
        training: Crops by index.
        validation: Items whose mean loss chooses the epoch.
        settings: How long, on what, with what optimiser.
        folder: Where the checkpoint `last.ckpt` lies; whoever trains removes it when the result is safe.
        key: Stands for all else that the result depends on (spec, data, initial weights): a checkpoint with another
            key, or of other settings, is not gone on with.
        job_log: Told a line each epoch.
        progress: Told (steps done, steps in all, 'training').
        image: The batch's entry that the network is given.

    Raises:
        LearningError: There is no GPU for the precision or the number of devices asked for, the validation set is
            empty, the training diverges, or the checkpoint is damaged.
    """
    from lunarsite.vision.learn.loop import fit

    _check(settings, validation)
    whole_key = json.dumps([key, image, settings.model_dump(mode="json", exclude={"workers"})], sort_keys=True)
    checkpoint = folder / CHECKPOINT
    folder.mkdir(parents=True, exist_ok=True)
    state = read_state(checkpoint)
    if state is not None and state["key"] != whole_key:
        job_log.info("%s belongs to another training (settings, data or code differ): starting afresh", checkpoint)
        checkpoint.unlink()
        state = None
    elif state is not None:
        job_log.info("going on after epoch %d of %d, from %s", len(state["history"]), settings.epochs, checkpoint)
    if state is None or not state["finished"]:
        started = time.monotonic()
        fit(Work(network, loss, training, validation, settings, checkpoint, whole_key, image), job_log, progress)
        job_log.info("trained for %.0f s", time.monotonic() - started)
        state = read_state(checkpoint)
    assert state is not None
    network.to("cpu").load_state_dict(state["best"])
    seconds = sum(entry["seconds"] for entry in state["history"])
    return Trained(network.eval(), state["history"], state["best_epoch"], seconds)


def rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Return the learning rate of a step over the highest: a linear rise, then half a cosine that ends above 0."""
    warmup = round(steps * warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def read_state(checkpoint: Path) -> dict[str, Any] | None:
    """Return what the keeper (see `loop`) left in a checkpoint, or None if there is none. No code in it is run.

    Raises:
        LearningError: The file is damaged.
    """
    if not checkpoint.exists():
        return None
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        state: dict[str, Any] = content["callbacks"]["lunarsite"]
    except (RuntimeError, KeyError, TypeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise LearningError(f"{checkpoint}: is no readable checkpoint ({error}); delete it to start afresh") from error
    # Mapped tensors would keep the file's old contents open, and die with them on a network file system.
    best = {name: value.clone() for name, value in state["best"].items()}
    return {**state, "best": best}


def _check(settings: TrainingSettings, validation: Items) -> None:
    gpus = torch.cuda.device_count()
    if settings.precision != "32-true" and not gpus:
        # Some processors announce bfloat16 and die of an illegal instruction when it is used, without a message.
        raise LearningError(f"training.precision: '{settings.precision}' needs a GPU and there is none; set '32-true'")
    if gpus and settings.devices > gpus:
        raise LearningError(f"training.devices: {settings.devices} are asked for and there are {gpus} GPUs")
    if len(validation) == 0:
        raise LearningError("the validation set is empty: nothing could choose the best epoch")
