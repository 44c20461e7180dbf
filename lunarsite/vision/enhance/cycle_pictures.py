"""Sample pictures of a CycleGAN's training: fixed validation scenes there and back, at every checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from lunarsite.artefact import images
from lunarsite.artefact.contracts.enhance import LIT_SCENES
from lunarsite.artefact.pictures import write_png
from lunarsite.settings.enhance import SensorSettings
from lunarsite.vision.enhance.cycle_data import MOST_STANDARD
from lunarsite.vision.enhance.cycle_loop import Networks
from lunarsite.vision.enhance.cycle_measure import Sample, sample
from lunarsite.vision.enhance.normalise import fit
from lunarsite.vision.learn import LearningError

COLUMNS = ("shadowed", "to sunlit", "and back", "truth", "sunlit", "to shadowed", "and back")
_BLACK, _WHITE = -2.5, 3.0
"""Of the standard scale."""
_MARGIN_PX, _HEAD_PX = 4, 16
_MOST_SCENES, _MOST_GRIDS = 3, 6


class Watch:
    """Looks at the networks while they learn: a picture, and how far they are off.

    A scene each at the lowest, the middle and the highest signal of training.
    """

    def __init__(self, scenes: Path, numbers: NDArray[np.int64], sensor: SensorSettings, folder: Path) -> None:
        low, high = sensor.least_electrons, sensor.most_electrons
        levels = (low, float(np.sqrt(low * high)), high)
        chosen = numbers[np.linspace(0, numbers.size - 1, _MOST_SCENES).astype(np.int64)]
        self.folder = folder
        self.samples = [sample(scenes, int(n), sensor, level) for n, level in zip(chosen, levels, strict=True)]
        self.sunlit = _sunlit(scenes, chosen)

    def __call__(self, step: int, networks: Networks) -> dict[str, float]:
        """Write a picture; return the mean square difference of image and result from the truth at each signal."""
        device = next(networks.parameters()).device
        shadowed, sunlit = (
            torch.from_numpy(np.stack(values)[:, None]).clamp(-MOST_STANDARD, MOST_STANDARD).to(device)
            for values in ([each.image for each in self.samples], self.sunlit)
        )
        made, darkened = networks.to_sunlit(shadowed), networks.to_shadowed(sunlit)
        back, lit_again = networks.to_shadowed(made), networks.to_sunlit(darkened)
        truth = torch.from_numpy(np.stack([each.truth for each in self.samples])[:, None])
        columns = [_arrays(each) for each in (shadowed, made, back, truth, sunlit, darkened, lit_again)]
        labels = [f"{each.electrons:.3g} electrons" for each in self.samples]
        write_png(grid(columns, labels, f"step {step}"), self.folder / f"step_{step:07d}.png")
        found: dict[str, float] = {}
        for name, each, result in zip(("lowest", "middle", "highest"), self.samples, columns[1], strict=True):
            found |= {f"square_raw_{name}": _square(each, each.image), f"square_{name}": _square(each, result)}
        return found


def grid(columns: Sequence[NDArray[np.float32]], labels: Sequence[str], title: str) -> Image.Image:
    """Return a picture of images (rows, H, W) by columns, all in one grey scale, with names above and at the rows."""
    rows, height, width = columns[0].shape
    step_x, step_y = width + _MARGIN_PX, height + _MARGIN_PX
    sheet = Image.new("L", (len(columns) * step_x + _MARGIN_PX, rows * step_y + _MARGIN_PX + _HEAD_PX), 255)
    draw = ImageDraw.Draw(sheet)
    for x, (column, name) in enumerate(zip(columns, COLUMNS, strict=True)):
        left = _MARGIN_PX + x * step_x
        draw.text((left, 2), f"{title}: {name}" if x == 0 else name, fill=0)
        for y in range(rows):
            share = np.clip((column[y] - _BLACK) / (_WHITE - _BLACK), 0.0, 1.0)
            top = _HEAD_PX + _MARGIN_PX + y * step_y
            sheet.paste(Image.fromarray(np.rint(255.0 * share).astype(np.uint8)), (left, top))
            if x == 0:
                draw.text((left + 2, top + 1), labels[y], fill=255, stroke_width=1, stroke_fill=0)
    return sheet


def write_series(folder: Path, path: Path) -> None:
    """Write one picture of a folder's grids, six at most, from the first to the last, one below the other.

    Raises:
        LearningError: The folder holds none.
    """
    grids = sorted(folder.glob("step_*.png"))
    if not grids:
        raise LearningError(f"{folder}: holds no sample pictures; delete it and train again")
    chosen = sorted({int(k) for k in np.linspace(0, len(grids) - 1, _MOST_GRIDS).round()})
    sheets = []
    for index in chosen:
        with Image.open(grids[index], formats=["PNG"]) as opened:
            sheets.append(opened.convert("L"))
    whole = Image.new("L", (max(each.width for each in sheets), sum(each.height for each in sheets)), 255)
    top = 0
    for each in sheets:
        whole.paste(each, (0, top))
        top += each.height
    write_png(whole, path)


def _sunlit(scenes: Path, numbers: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    with images.opened(scenes, LIT_SCENES) as reader:
        found = [reader.read("sunlit", slice(n, n + 1))[0] for n in numbers.tolist()]
    return [np.nan_to_num(_standard(values), nan=0.0) for values in found]


def _standard(values: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        return fit(values).forward(values)
    except LearningError:  # no sunlight reaches the scene: it is black
        return np.full(values.shape, _BLACK, np.float32)


def _arrays(values: Tensor) -> NDArray[np.float32]:
    return np.asarray(values[:, 0].cpu().numpy(), np.float32)


def _square(drawn: Sample, result: NDArray[np.float32]) -> float:
    counted = drawn.weight > 0.0
    return float(np.mean((result - drawn.truth)[counted].astype(np.float64) ** 2))
