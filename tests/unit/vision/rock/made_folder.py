"""Calls of the word `rocks` on a folder of pictures, and its results as they are read back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from lunarsite import command

CAMERA = ("--camera-height-m", "1.6", "--pitch-deg", "12", "--field-of-view-deg", "60")
LONGEST_PX = 96


def call(pictures: Path, model: Path, *options: str, out: str = "out") -> int:
    given = ["--model", str(model), "--flips", "1", "--longest-side-px", str(LONGEST_PX), *options]
    return command.main(["rocks", str(pictures), "--out", str(pictures.parent / out), *given])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def maps_of(path: Path) -> tuple[np.ndarray, tuple[str, ...], dict[str, str]]:
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return dataset.read(), dataset.descriptions, dataset.tags()
