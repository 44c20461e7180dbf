"""The rock dataset: renders and photographs of lunar ground, with masks of rocks and sky.

Layout (Pessia, Ishigami and Jodelet, Artificial Lunar Landscape Dataset, Kaggle): images/render/render####.png with
images/clean/clean####.png (without tiny rocks) and images/ground/ground####.png (every rock), and photographs of
Chang'e 3, real_moon_images/{PCAM,TCAM}#.png with masks g_*.png. Colours of the masks: red sky, green small rocks, blue
large rocks, black everything else; in 'ground' the sky is near (225, 0, 0) and every level is a few off, so the
nearest colour counts, within a bound. Published code has the class names rotated; the sky tells: it lies above (in 163
of 163 known masks with red on a thousandth of them; with large rocks for red in 71 of 119, with small ones 13 of 152).

A few masks belong to other pictures. Of a render's sky at least nine tenths are black where the mask is its own (163
of 163 known pairs: 0.89 to 1; of foreign masks: 0.69 and 0.71), so what falls short of four fifths is left out and
told. This module must not know how images are split or learned from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.sky import BLACK, black_above
from lunarsite.source.images.decode import picture_size, read_picture, read_rgb
from lunarsite.source.images.members import ImageSet, listed
from lunarsite.source.kinds import LocalError

MaskKind = Literal["clean", "ground", "either"]

CREDIT = Credit(
    title="Artificial Lunar Rocky Landscape Dataset",
    licence="CC BY-NC-SA 4.0",
    citation="Pessia, Ishigami and Jodelet, Artificial Lunar Landscape Dataset, Kaggle; photographs: CNSA/CLEP",
)
"""Of a folder that a user names. The data page's licence is stricter than what others say of it, and is kept."""

UNKNOWN, SKY, _GROUND = (ROCK_SCENES.class_number("masks", name) for name in ("unknown", "sky", "background"))
PALETTE = {
    _GROUND: (0, 0, 0),
    ROCK_SCENES.class_number("masks", "small_rocks"): (0, 255, 0),
    ROCK_SCENES.class_number("masks", "large_rocks"): (0, 0, 255),
    SKY: (255, 0, 0),
}
MOST_DISTANCE = 100.0
"""From the nearest colour of the palette, RGB levels: the sky of 'ground' is 30 off, two colours are 255 apart."""
FOREIGN_MASKS = (4317, 5206, 5221, 9189)
"""Renders whose published mask belongs to another picture."""
_SAME_GROUND = {
    **dict.fromkeys(("PCAM2", "PCAM3", "PCAM5", "PCAM7", "PCAM12"), "PCAM1"),
    "TCAM10": "TCAM9",
    **dict.fromkeys(("TCAM7", "TCAM13", "TCAM21"), "TCAM1"),  # 7 and 21 (the next of 13) under another Sun
    "TCAM14": "TCAM4",
}
"""Photographs that show ground of another one, found by eye. `tests/reference/test_rock_ground_reference.py` looks for
more among those of TCAM; of PCAM the data's keeper and the eye alone tell."""

_DOUBTFUL_ABOVE = {"PCAM13": 0.2}
"""Photographs whose ground is their own but for this share of their rows, from above: what stands there may be seen in
another scene (the upright rock of PCAM5, farther off), so it is unknown, and counts nowhere."""

_UNDRAWN_SKY = ("TCAM21",)
"""Photographs that show a black sky which their published mask calls ground: it is unknown, and counts nowhere."""

_RENDER = re.compile(r"(?:.*/)?images/render/render(\d{1,9})\.png", re.IGNORECASE)
_MASK = re.compile(r"(?:.*/)?images/(clean|ground)/(clean|ground)(\d{1,9})\.png", re.IGNORECASE)
_PHOTOGRAPH = re.compile(r"(?:.*/)?real_moon_images/(g_)?([PT]CAM\d{1,9})\.png", re.IGNORECASE)
_LEAST_BLACK_SKY = 0.8
_LEAST_SKY = 0.02
_MOST_FOREIGN = 0.02
_LEAST_RED = 0.001
"""Of a mask's pixels, for its sky to be looked for above: more than specks, and less than most swapped rocks cover."""
_LEAST_SKY_ABOVE = 0.9
_ENOUGH_SKIES = 5


@dataclass(frozen=True)
class Pair:
    """A picture and its mask."""

    name: str
    scene: str
    kind: int
    mask_kind: int
    image: Path
    mask: Path


@dataclass(frozen=True)
class Scene:
    """A picture (h, w, 3) and its mask (h, w) of classes, reduced to the wanted size."""

    pair: Pair
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    unknown_share: float


def pairs_of(images: ImageSet, masks: MaskKind) -> tuple[list[Pair], tuple[str, ...]]:
    """Return the pairs of a set in the order of their names, and the renders whose mask is known to be foreign.

    Raises:
        LocalError: The layout is not found, or pictures and masks do not go together; the message counts them.
    """
    renders, masks_by_kind, photographs, drawn = _by_name(images)
    if not renders and not photographs:
        raise LocalError(
            f"{images.field}: none of {len(images.files)} files is images/render/render####.png or"
            " real_moon_images/PCAM#.png or TCAM#.png; unpack the whole dataset and name the folder that holds both"
        )
    kinds = ("clean", "ground") if masks == "either" else (masks,)
    chosen = {
        number: next((kind for kind in kinds if number in masks_by_kind[kind]), None)
        for number in renders
        if number not in FOREIGN_MASKS
    }
    lacking = [renders[number].name for number, kind in chosen.items() if kind is None]
    lacking += [photographs[name].name for name in photographs if name not in drawn]
    idle = [masks_by_kind[kind][n].name for kind in kinds for n in masks_by_kind[kind] if n not in renders]
    idle += [drawn[name].name for name in drawn if name not in photographs]
    if lacking or idle:
        raise LocalError(
            f"{images.field}: {len(lacking)} pictures have no mask ({listed(lacking) or 'none'}) and {len(idle)} masks"
            f" no picture ({listed(idle) or 'none'}) among masks '{masks}'; copy the dataset whole, or choose"
            " source.rock_images.masks"
        )
    found = [
        Pair(
            f"render{number:04d}",
            f"render{number:04d}",
            0,
            ROCK_SCENES.class_number("mask_kind", kind),
            renders[number],
            masks_by_kind[kind][number],
        )
        for number, kind in sorted(chosen.items())
        if kind is not None
    ]
    hand = ROCK_SCENES.class_number("mask_kind", "drawn")
    found += [
        Pair(name, _SAME_GROUND.get(name, name), 1, hand, photographs[name], drawn[name])
        for name in sorted(photographs)
    ]
    return found, tuple(f"render{number:04d}" for number in sorted(renders) if number in FOREIGN_MASKS)


def sizes_of(pairs: list[Pair], longest_side_px: int, where: str) -> list[tuple[int, int]]:
    """Return (height, width) of each pair as it will be.

    Raises:
        LocalError: A picture and its mask differ in size, or a file is no picture.
    """
    found = []
    for pair in pairs:
        size, mask_size = picture_size(pair.image, where), picture_size(pair.mask, where)
        if size != mask_size:
            raise LocalError(
                f"{where}: {pair.mask}: has {mask_size[0]} x {mask_size[1]} pixels, its picture {pair.image} has"
                f" {size[0]} x {size[1]}; they belong together pixel by pixel"
            )
        found.append(reduced_size(size, longest_side_px))
    return found


def reduced_size(size: tuple[int, int], longest_side_px: int) -> tuple[int, int]:
    """Return (height, width) of a picture whose longer side is brought down to a length; small ones stay."""
    scale = min(1.0, longest_side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def nearest_classes(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the class of each colour (..., 3): that of the nearest colour of the palette, UNKNOWN beyond the bound."""
    levels = np.arange(256, dtype=np.int32)
    channels = [np.ascontiguousarray(colours[..., k]) for k in range(3)]
    found = np.full(colours.shape[:-1], UNKNOWN, dtype=np.uint8)
    nearest = np.full(colours.shape[:-1], int(MOST_DISTANCE**2) + 1, dtype=np.int32)
    for number, colour in PALETTE.items():
        # A table of squares for each channel is several times faster than arithmetic on whole pictures.
        squares = sum(((levels - level) ** 2)[channel] for level, channel in zip(colour, channels, strict=True))
        nearer = squares < nearest
        found[nearer] = number
        np.minimum(nearest, squares, out=nearest)
    return found


@dataclass
class RockReader:
    """Reads pairs one by one and keeps count of what tells whether the classes are the right ones."""

    where: str
    longest_side_px: int
    most_unknown_share: float
    foreign: list[str] = field(default_factory=list)
    """Renders that were left out since their sky is not black under the mask's sky."""
    renders: int = 0
    masks: int = 0
    skies: int = 0
    """Masks that show sky, be it a little."""
    skies_above: int = 0

    @property
    def doubt(self) -> str:
        """Why the masks read so far do not tell whether classes are the right ones; empty if they do."""
        if self.skies >= _ENOUGH_SKIES:
            return ""
        return (
            f"{self.where}: {self.skies} of {self.masks} masks show sky (red), {self.skies_above} of them above:"
            f" {_ENOUGH_SKIES} are needed to tell whether classes are rotated or channels swapped; look at the masks"
        )

    def scenes(self, pairs: list[Pair]) -> Iterator[Scene]:
        """Yield the pairs' scenes in their order.

        Raises:
            LocalError: A file is damaged or of another kind, a mask has too much of unknown colour; after the last one
                that the sky lies below the ground, or that too many masks are foreign.
        """
        for pair in pairs:
            scene = self._scene(pair)
            if scene is not None:
                yield scene
        self._check_classes()

    def _scene(self, pair: Pair) -> Scene | None:
        image, colours = read_rgb(pair.image, self.where), read_picture(pair.mask, self.where)
        if colours.ndim != 3 or colours.dtype != np.uint8:
            raise LocalError(
                f"{self.where}: {pair.mask}: is grey, and which level means which class is not told; needed are the"
                " published colours (red sky, green small rocks, blue large rocks, black background)"
            )
        mask = nearest_classes(colours)
        unknown_share = float((mask == UNKNOWN).mean())
        if unknown_share > self.most_unknown_share:
            raise LocalError(
                f"{self.where}: {pair.mask}: {unknown_share:.1%} of it is far from every colour of the palette, allowed"
                f" are {self.most_unknown_share:.1%} (source.rock_images.most_unknown_share); is it a mask, and stored"
                " without loss?"
            )
        sky = mask == SKY
        sky_share = sky.mean()
        self.masks += 1
        if sky_share >= _LEAST_RED:
            rows = np.arange(len(sky), dtype=np.float64)[:, None]
            self.skies += 1
            self.skies_above += bool((rows * sky).sum() / sky.sum() < 0.5 * (len(sky) - 1))
        self.renders += pair.kind == 0
        if pair.kind == 0 and sky_share >= _LEAST_SKY and (image.max(axis=2)[sky] < BLACK).mean() < _LEAST_BLACK_SKY:
            self.foreign.append(pair.name)
            return None
        if pair.name in _UNDRAWN_SKY:
            mask[black_above(image) & (mask == _GROUND)] = UNKNOWN
        mask[: round(_DOUBTFUL_ABOVE.get(pair.name, 0.0) * len(mask))] = UNKNOWN
        height, width = reduced_size(mask.shape, self.longest_side_px)
        if (height, width) != mask.shape:
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
            mask = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
        return Scene(pair, image, mask, unknown_share)

    def _check_classes(self) -> None:
        if self.skies >= _ENOUGH_SKIES and self.skies_above < _LEAST_SKY_ABOVE * self.skies:
            raise LocalError(
                f"{self.where}: the sky (red) lies in the upper half of {self.skies_above} of {self.skies} masks only:"
                " the classes are rotated, or channels are swapped; use the published masks"
            )
        if len(self.foreign) > max(1.0, _MOST_FOREIGN * self.renders):
            raise LocalError(
                f"{self.where}: the masks of {len(self.foreign)} of {self.renders} renders mark sky where the picture"
                f" is not black ({listed(self.foreign)}): pictures and masks do not belong together"
            )


def padded(scenes: list[Scene], height: int, width: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of the contract ROCK_SCENES for some scenes, padded at the right and below."""
    images = np.zeros((len(scenes), height, width, 3), dtype=np.uint8)
    masks = np.full((len(scenes), height, width), UNKNOWN, dtype=np.uint8)
    for k, scene in enumerate(scenes):
        rows, cols = scene.mask.shape
        images[k, :rows, :cols], masks[k, :rows, :cols] = scene.image, scene.mask
    return {
        "images": images,
        "masks": masks,
        "name": np.array([scene.pair.name for scene in scenes], dtype=object),
        "scene": np.array([scene.pair.scene for scene in scenes], dtype=object),
        "kind": np.array([scene.pair.kind for scene in scenes], dtype=np.uint8),
        "mask_kind": np.array([scene.pair.mask_kind for scene in scenes], dtype=np.uint8),
        "valid_height": np.array([scene.mask.shape[0] for scene in scenes], dtype=np.int64),
        "valid_width": np.array([scene.mask.shape[1] for scene in scenes], dtype=np.int64),
        "unknown_share": np.array([scene.unknown_share for scene in scenes], dtype=np.float64),
        # The dataset tells of no camera.
        **dict.fromkeys(
            ("camera_height_m", "camera_pitch_deg", "camera_field_of_view_deg"), np.full(len(scenes), np.nan)
        ),
    }


def _by_name(
    images: ImageSet,
) -> tuple[dict[int, Path], Mapping[str, dict[int, Path]], dict[str, Path], dict[str, Path]]:
    """Return renders by number, masks by kind and number, photographs and their masks by name."""
    renders: dict[int, Path] = {}
    masks: dict[str, dict[int, Path]] = {"clean": {}, "ground": {}}
    photographs: dict[str, Path] = {}
    drawn: dict[str, Path] = {}
    for name, path in images.files.items():
        before = len(renders) + sum(map(len, masks.values())) + len(photographs) + len(drawn)
        if match := _RENDER.fullmatch(name):
            renders[int(match[1])] = path
        elif (match := _MASK.fullmatch(name)) and match[1].lower() == match[2].lower():
            masks[match[1].lower()][int(match[3])] = path
        elif match := _PHOTOGRAPH.fullmatch(name):
            (drawn if match[1] else photographs)[match[2].upper()] = path
        else:
            continue
        if len(renders) + sum(map(len, masks.values())) + len(photographs) + len(drawn) == before:
            raise LocalError(f"{images.field}: {path}: is there twice, under another folder or number; keep one copy")
    return renders, masks, photographs, drawn
