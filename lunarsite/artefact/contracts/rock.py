"""Contracts of rocks in images from the ground: models, maps, hazards, records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lunarsite.artefact.contracts.images import ROCK_SCENES
from lunarsite.artefact.images import ImagesSpec, PerImage, Stack
from lunarsite.artefact.model import ModelSpec
from lunarsite.artefact.record import RecordSpec
from lunarsite.artefact.table import Column, TableSpec

ROCK_CLASSES = tuple(named for named in ROCK_SCENES.array("masks").classes if named[1] != "unknown")
"""(number, name) of what a pixel can be: background (ground), small rocks, large rocks, sky."""
ROCK_MODEL = ModelSpec("rock_model", "safetensors", portable=True)
ROCK_TRAINING = RecordSpec(name="rock_training")
ROCK_ABLATION = RecordSpec(name="rock_ablation")
ROCK_TRUTH = TableSpec(
    "rock_truth",
    (
        Column("id", "int64"),
        Column("scene", "string"),
        Column("diameter_m", "float64", "m", valid_min=0.0),
        Column("range_m", "float64", "m", valid_min=0.0),
        Column("visible_px", "int64", "px", valid_min=0),
    ),
    key="id",
    sort=("id",),
    allow_empty=True,
)
"""Rocks of the rendered scenes that would look at least two pixels wide, hidden ones with 0 visible pixels: diameter
along the ground (mean width of what stands out of it), distance over the ground from below the camera."""
_IMAGE = (
    PerImage("name", "string"),
    PerImage("valid_height", "int64", "px"),
    PerImage("valid_width", "int64", "px"),
    PerImage("camera_height_m", "float64", "m"),
    PerImage("camera_pitch_deg", "float64", "deg"),
    PerImage("camera_field_of_view_deg", "float64", "deg"),
)
ROCK_ANSWERS: Final[Mapping[bool | None, str]] = {False: "no", True: "yes", None: "unknown"}
"""Words of what is told of an image: whether it is out of distribution, or familiar. None where nothing tells."""
_ANSWERS = ((0, ROCK_ANSWERS[False]), (1, ROCK_ANSWERS[True]), (255, ROCK_ANSWERS[None]))
# A pixel's class is the largest of P(ground), P(small) + P(large) and P(sky), then the larger size: not the largest of
# the four probabilities.
ROCK_MAPS = ImagesSpec(
    "rock_maps",
    (
        Stack("classes", "uint8", ("height", "width"), ROCK_SCENES.array("masks").classes),
        Stack("probability", "float32", ("height", "width", 4)),
        Stack("entropy", "float32", ("height", "width")),
        Stack("mutual_information", "float32", ("height", "width")),
    ),
    (
        *_IMAGE,
        PerImage("unfamiliarity", "float64", "1"),
        PerImage("out_of_distribution", "uint8", classes=_ANSWERS),
    ),
    may_be_blank=True,
)
"""What the images show, pixel by pixel, in the images' order and at their size; beyond the valid part classes are 255
and the rest NaN. Probabilities (in the order of ROCK_CLASSES) are calibrated; entropy is that of them, mutual
information what the members or passes disagree about, in nats. `unfamiliarity` is how far an image's features lie from
those of the images that taught (`vision/rock/familiarity`), and `out_of_distribution` whether that exceeds the limit on
the model's card: then the maps mean nothing, and hazards are not derived. Of an image without a pixel of ground or rock
nothing tells: `unfamiliarity` is NaN, `out_of_distribution` unknown, and there are no hazards either."""
ROCK_HAZARD = ImagesSpec(
    "rock_hazard",
    (
        Stack("clearance", "float32", ("height", "width")),
        Stack("safe", "uint8", ("height", "width"), _ANSWERS),
    ),
    (
        *_IMAGE,
        PerImage("rock_area_share", "float64", "1"),
        PerImage("rock_area_share_low", "float64", "1"),
        PerImage("rock_area_share_high", "float64", "1"),
        PerImage("rocks", "int64"),
    ),
    may_be_blank=True,
)
"""`clearance`: distance of each pixel of ground from the nearest rock or what a rock hides, in metres over level ground
where the camera is known, else in pixels; 0 on rocks, infinite where no rock is seen, NaN off the ground, too near the
horizon, and where the image is not known to be familiar. `safe`: 'no' where a rock lies within the wanted radius, 'yes'
where none does and the whole disc is seen, else unknown, as it is without a camera. Shares are those of the ground that
is seen: `low` of pixels that are rocks almost surely, `high` of those that may be; NaN, with no rocks counted, where
the image is not known to be familiar."""
ROCK_SIZES = TableSpec(
    "rock_sizes",
    (
        Column("id", "int64"),
        Column("image", "string"),
        Column("kind", "string"),
        Column("row", "float64", "px"),
        Column("col", "float64", "px"),
        Column("area_px", "int64", "px", valid_min=1),
        Column("diameter_px", "float64", "px", valid_min=0.0),
        Column("range_m", "float64", "m", nullable=True, valid_min=0.0),
        Column("diameter_m", "float64", "m", nullable=True, valid_min=0.0),
        Column("probability", "float64", "1", valid_min=0.0, valid_max=1.0),
    ),
    key="id",
    sort=("id",),
    allow_empty=True,
)
"""Rocks found, one row each: connected pixels of rock, small or large, with the kind that most of them are of (large
where they are as many), their lowest row and mean column, and the width as diameter; range and diameter as in
ROCK_TRUTH, null where the camera is not known, the rock's foot lies above the horizon or close below it, or the
picture's edge cuts the rock. `probability` is the mean one of its pixels to be rock of either kind."""
ROCK_DISTRIBUTION = TableSpec(
    "rock_distribution",
    (
        Column("id", "int64"),
        Column("image", "string"),
        Column("images", "int64", valid_min=1),
        Column("diameter_px", "float64", "px", nullable=True, valid_min=0.0),
        Column("diameter_m", "float64", "m", nullable=True, valid_min=0.0),
        Column("rocks", "int64", valid_min=0),
        Column("ground_px", "float64", "px", nullable=True, valid_min=0.0),
        Column("ground_m2", "float64", "m2", nullable=True, valid_min=0.0),
        Column("per_mpx", "float64", "1/Mpx", nullable=True, valid_min=0.0),
        Column("per_m2", "float64", "1/m2", nullable=True, valid_min=0.0),
    ),
    key="id",
    sort=("id",),
    allow_empty=True,
)
"""Cumulative size distributions of ROCK_SIZES: of all images together first (`image` is empty), then of each, `images`
telling of how many; those not known to be familiar have none. Every row has one size, in pixels or in metres, and
null in the other unit's columns. In pixels: `rocks` at least that wide, those that the image's edge cuts with the width
that is left; `ground_px` pixels that show ground or rock, and `per_mpx` rocks in a million of these (null without any).
In metres, where the camera is known: `rocks` of at least that diameter that are whole and look wide enough to count,
`ground_m2` the level ground on which one of just that diameter would, and `per_m2` N(>= D) of a square metre of ground,
null (not 0) where there is no such ground. Each rock stands for the ground on which one of its own size would count, so
`per_m2` is not `rocks` over `ground_m2`."""
ROCK_RECORD = RecordSpec(name="rock")
ROCK_SAMPLES = ImagesSpec(
    "rock_samples",
    (
        Stack("picture", "uint8", ("height", "width", 3)),
        Stack("classes", "uint8", ("height", "width"), ROCK_SCENES.array("masks").classes),
        Stack("truth", "uint8", ("height", "width"), ROCK_SCENES.array("masks").classes),
        Stack("entropy", "float32", ("height", "width")),
        Stack("mutual_information", "float32", ("height", "width")),
    ),
    (
        PerImage("name", "string"),
        PerImage("kind", "uint8", classes=((0, "render"), (1, "photograph"), (2, "orbital"), (3, "corrupted"))),
        PerImage("valid_height", "int64", "px"),
        PerImage("valid_width", "int64", "px"),
        PerImage("miou", "float64", "1"),
        PerImage("unfamiliarity", "float64", "1"),
        PerImage("out_of_distribution", "uint8", classes=_ANSWERS),
    ),
    portable=False,
)
"""A few images with what is said of them, for a report: drawn by seed, not chosen. Truth is 255 where there is none."""
