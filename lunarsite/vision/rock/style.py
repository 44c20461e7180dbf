"""Renders given the look of photographs: grey levels, colours and slow changes of light, taken from unlabelled ones.

Three ways, each of which needs no labels and no training: levels matched rank by rank (histogram matching), the
logarithm's mean and spread matched (after Reinhard et al. 2001, in log RGB), and amplitudes of the lowest
spatial frequencies exchanged while the phases stay (Fourier domain adaptation; Yang and Soatto, CVPR 2020). How much
of a picture is sky or shadow is geometry, not style, so what is black takes no part in the statistics, and 0 stays 0.
This module must not know how pictures are split: whoever gathers statistics leaves test pictures out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.sky import BLACK
from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock.classes import SKY

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

MOST_CYCLES = 4
"""Highest frequency that is exchanged, cycles per picture along rows and along columns."""
RANKS = 64
"""Levels kept of each channel's distribution."""
LEAST_LIT_SHARE = 0.02
"""Pictures with less than this share of pixels that are not black have no style, and are given none."""
MOST_SPREAD = 2.0
"""Contrast (spread of the logarithm) is changed by this factor at most, up or down."""
STRENGTHS = (0.5, 1.0)
"""Share of the way from a picture's own look to a photograph's: drawn between the two."""
_PHOTOGRAPH = ROCK_SCENES.class_number("kind", "photograph")
_RANKS = (np.arange(RANKS) + 0.5) / RANKS


@dataclass(frozen=True)
class StyleStatistics:
    """What is kept of some photographs, n of them.

    Attributes:
        levels: (n, 3, RANKS), levels 0..255 of each channel, at even ranks of the pixels that are not black.
        amplitudes: (n, 3, 2 * MOST_CYCLES + 1, MOST_CYCLES + 1), absolute Fourier coefficients per pixel, levels, of
            the picture with its black filled; rows are -MOST_CYCLES..MOST_CYCLES cycles per picture, columns from 0 up.
    """

    levels: Floats
    amplitudes: Floats

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.levels)


def gathered(pictures: Iterable[Bytes]) -> StyleStatistics:
    """Return the statistics of pictures (h, w, 3); those that are black all over are left out.

    Raises:
        LearningError: There is no picture with anything but black, or one is smaller than the frequencies need.
    """
    levels, amplitudes = [], []
    for picture in pictures:
        _check(picture)
        lit = _lit(picture)
        if lit.mean() < LEAST_LIT_SHARE:
            continue
        levels.append(_levels(picture, lit))
        amplitudes.append(np.abs(_spectrum(_filled(picture, lit))[_low(picture.shape[0], MOST_CYCLES)]))
    if not levels:
        raise LearningError(
            f"style: no photograph has {LEAST_LIT_SHARE:.0%} of pixels brighter than {BLACK:g}; give the split at least"
            " one usable photograph (rock.split.photograph_training_share), or set rock.learning.augmentation.style to"
            " 0"
        )
    return StyleStatistics(np.stack(levels), np.stack([one.transpose(2, 0, 1) for one in amplitudes]))


def photographs(path: Path, chosen: NDArray[np.bool_]) -> list[Bytes]:
    """Return the photographs (h, w, 3) among the chosen scenes (n,) of a file, without their padding.

    Raises:
        ArtefactError: The file breaks its contract.
        LearningError: `chosen` is not of the file's length.
    """
    with images.opened(path, ROCK_SCENES) as reader:
        if chosen.shape != (len(reader),):
            raise LearningError(f"style: {chosen.shape} scenes are chosen or not, {path} holds {len(reader)}")
        wanted = np.flatnonzero(chosen & (reader.read("kind") == _PHOTOGRAPH))
        heights, widths = reader.read("valid_height"), reader.read("valid_width")
        return [reader.read("images", slice(k, k + 1))[0, : heights[k], : widths[k]] for k in wanted]


def style(
    image: Bytes, mask: NDArray[np.uint8] | None, statistics: StyleStatistics, generator: np.random.Generator
) -> Bytes:
    """Return an image with the look of one photograph, drawn with the way and how far to go.

    Args:
        image: (h, w, 3), levels 0..255; at least 2 * MOST_CYCLES + 1 pixels along each side.
        mask: (h, w) of classes: its sky stays as it is. None: what is black stays nearly so all the same.
        statistics: Of photographs.
        generator: Four numbers are drawn from it whatever the image.

    Returns:
        (h, w, 3), levels 0..255; a copy of the image where it is black all over.

    Raises:
        LearningError: The image is too small, or is no picture of three channels of 8 bits.
    """
    _check(image)
    number, way = int(generator.integers(len(statistics))), int(generator.integers(4))
    strength, cycles = float(generator.uniform(*STRENGTHS)), int(generator.integers(1, MOST_CYCLES + 1))
    target = statistics.levels[number]
    changed = image
    if way in (0, 3):
        changed = match_levels(changed, target, strength)
    if way == 1:
        changed = match_logarithm(changed, target, strength)
    if way in (2, 3):
        changed = exchange_amplitudes(changed, statistics.amplitudes[number], cycles, strength)
    if mask is None:
        return changed.copy()
    return np.where((mask == SKY)[..., None], image, changed)


def match_levels(image: Bytes, target: Floats, strength: float = 1.0) -> Bytes:
    """Return an image whose levels have a photograph's distribution, channel by channel.

    Args:
        image: (h, w, 3).
        target: (3, RANKS), levels of the photograph.
        strength: Share of the way, 0..1.
    """
    lit = _lit(image)
    if lit.mean() < LEAST_LIT_SHARE:
        return image.copy()
    source = _levels(image, lit)
    every = np.arange(256.0)
    table = np.empty((3, 256))
    for channel in range(3):
        # Levels that many ranks share stand for their middle rank, so that a flat image goes to the median.
        levels, rank = np.unique(source[channel], return_inverse=True)
        means = np.bincount(rank, target[channel]) / np.bincount(rank)
        # Below the darkest rank the map runs straight to 0, above the brightest straight to 255.
        table[channel] = np.interp(every, _ended(levels), _ended(means))
    return _looked_up(image, table, strength)


def match_logarithm(image: Bytes, target: Floats, strength: float = 1.0) -> Bytes:
    """Return an image whose log(1 + level) has a photograph's mean in each channel, and its spread.

    Args:
        image: (h, w, 3).
        target: (3, RANKS), levels of the photograph.
        strength: Share of the way, 0..1.
    """
    lit = _lit(image)
    if lit.mean() < LEAST_LIT_SHARE:
        return image.copy()
    source, wanted = np.log1p(_levels(image, lit)), np.log1p(target)
    # One gain for all channels: gains of their own would colour what is bright.
    spread = (wanted.std(axis=1).mean() + 1e-3) / (source.std(axis=1).mean() + 1e-3)
    gain = np.clip(spread, 1.0 / MOST_SPREAD, MOST_SPREAD)
    every = np.log1p(np.arange(256.0))[None, :]
    table = np.expm1((every - source.mean(axis=1)[:, None]) * gain + wanted.mean(axis=1)[:, None])
    return _looked_up(image, table * _presence(np.arange(256.0)), strength)


def exchange_amplitudes(image: Bytes, amplitudes: Floats, cycles: int, strength: float = 1.0) -> Bytes:
    """Return an image with a photograph's amplitudes of low frequencies and its own phases.

    Args:
        image: (h, w, 3).
        amplitudes: (3, 2 * MOST_CYCLES + 1, MOST_CYCLES + 1), as in `StyleStatistics`.
        cycles: Highest frequency exchanged, 0 (brightness alone) to MOST_CYCLES.
        strength: Share of the way, 0..1.
    """
    lit = _lit(image)
    if lit.mean() < LEAST_LIT_SHARE:
        return image.copy()
    filled = _filled(image, lit)
    spectrum = _spectrum(filled)
    low = _low(image.shape[0], cycles)
    rows = slice(MOST_CYCLES - cycles, MOST_CYCLES + cycles + 1)
    wanted = amplitudes[:, rows, : cycles + 1].transpose(1, 2, 0)
    own = spectrum[low]
    blended = (1.0 - strength) * np.abs(own) + strength * wanted
    spectrum[low] = blended * np.exp(1j * np.angle(own))
    changed = np.fft.irfft2(spectrum * filled[..., 0].size, s=image.shape[:2], axes=(0, 1))
    # The change alone is added, and nothing where the image is black.
    brightest = image.max(axis=2, keepdims=True).astype(np.float64)
    return _bytes(image + _presence(brightest) * (changed - filled))


def _check(image: Bytes) -> None:
    least = 2 * MOST_CYCLES + 1
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < least:
        raise LearningError(
            f"style: a picture is {image.dtype} {image.shape}; needed are 8 bits, 3 channels and sides of at least"
            f" {least} px"
        )


def _lit(image: Bytes) -> NDArray[np.bool_]:
    return np.asarray(image.max(axis=2) >= BLACK)


def _presence(level: Floats) -> Floats:
    """Return 0 for black, rising to 1 at the level where it ends: changes have no edge of their own."""
    return np.clip(level / BLACK, 0.0, 1.0)


def _levels(image: Bytes, lit: NDArray[np.bool_]) -> Floats:
    """Return the levels (3, RANKS) at even ranks of the pixels that are lit."""
    # Counting is ten times faster than sorting.
    counts = [np.cumsum(np.bincount(image[..., channel][lit], minlength=256)) for channel in range(3)]
    return np.stack([np.searchsorted(count, _RANKS * count[-1]) for count in counts]).astype(np.float64)


def _ended(levels: Floats) -> Floats:
    return np.concatenate([[min(0.0, levels[0] - 1.0)], levels, [max(255.0, levels[-1] + 1.0)]])


def _filled(image: Bytes, lit: NDArray[np.bool_]) -> Floats:
    """Return the image with its black at the mean of the rest: the outline of a sky is no style."""
    return np.where(lit[..., None], image, image[lit].mean(axis=0))


def _spectrum(image: Floats) -> NDArray[np.complex128]:
    found: NDArray[np.complex128] = np.fft.rfft2(image, axes=(0, 1)) / image[..., 0].size
    return found


def _low(height: int, cycles: int) -> tuple[NDArray[np.int64], slice]:
    """Return where rows of -cycles..cycles and columns of 0..cycles stand in a spectrum of some rows."""
    return np.arange(-cycles, cycles + 1) % height, slice(cycles + 1)


def _looked_up(image: Bytes, table: Floats, strength: float) -> Bytes:
    blended = _bytes((1.0 - strength) * np.arange(256.0) + strength * table)
    return np.stack([blended[channel][image[..., channel]] for channel in range(3)], axis=2)


def _bytes(levels: Floats) -> Bytes:
    return np.asarray(np.clip(np.rint(levels), 0.0, 255.0), dtype=np.uint8)
