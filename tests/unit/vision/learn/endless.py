"""A tiny training, as a program of its own: it is killed by its test, and processes are started from it.

python -m tests.unit.vision.learn.endless FOLDER RESULT DEVICES WORKERS [STEP AT WHICH IT KILLS ITSELF]
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lunarsite.settings.learning import TrainingSettings
from lunarsite.vision.learn import losses
from lunarsite.vision.learn.networks import NetworkSpec, build
from lunarsite.vision.learn.training import Trained, train


class Noise:
    """Noise, and where it is positive."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= self.count:
            raise IndexError(index)
        image = np.random.default_rng([7, index]).standard_normal((1, 32, 32)).astype(np.float32)
        return {"image": image, "target": (image > 0.0).astype(np.float32), "index": index}


def loss(found: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    weight = torch.ones_like(found)
    entropy = losses.binary_cross_entropy(found, batch["target"], weight)
    dice = losses.soft_dice(found, batch["target"], weight)
    return entropy + 0.5 * dice, {"entropy": entropy, "dice": dice}


def network() -> nn.Module:
    torch.manual_seed(3)
    body = build(NetworkSpec(kind="plain-unet", inputs=1, outputs=1, channels=4, depth=2))
    return nn.Sequential(nn.Dropout(0.1), body)  # something that draws random numbers at every step


def settings(**changes: Any) -> TrainingSettings:
    small = {"epochs": 4, "steps_per_epoch": 3, "batch": 2, "crop_px": 32, "workers": 0, "learning_rate": 0.01}
    return TrainingSettings.model_validate(small | changes)


def run(folder: Path, key: str = "key", progress: Any = None, validation: int = 5, **changes: Any) -> Trained:
    chosen = settings(**changes)
    crops = Noise(chosen.epochs * chosen.steps_per_epoch * chosen.batch * chosen.devices)
    log = logging.getLogger("lunarsite.test")
    return train(
        network(), loss, crops, Noise(validation), chosen, folder=folder, key=key, job_log=log, progress=progress
    )


def main() -> None:
    folder, result, devices, workers, *fatal = sys.argv[1:]

    def kill(done: float, total: float, what: str) -> None:
        if fatal and done == int(fatal[0]):
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    trained = run(Path(folder), progress=kill, devices=int(devices), workers=int(workers))
    torch.save(trained.network.state_dict(), result)
    Path(result).with_suffix(".json").write_text(json.dumps([trained.history, trained.best_epoch]), encoding="utf-8")


if __name__ == "__main__":
    main()
