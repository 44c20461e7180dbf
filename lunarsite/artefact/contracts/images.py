"""Contracts of image sets from which networks learn, and of ShadowCam's timed frames."""

from __future__ import annotations

from lunarsite.artefact.images import ImagesSpec, PerImage, Stack

ROCK_SCENES = ImagesSpec(
    "rock_scenes",
    (
        Stack("images", "uint8", ("height", "width", 3)),
        Stack(
            "masks",
            "uint8",
            ("height", "width"),
            ((0, "background"), (1, "small_rocks"), (2, "large_rocks"), (3, "sky"), (255, "unknown")),
        ),
    ),
    (
        PerImage("name", "string"),
        PerImage("scene", "string"),
        PerImage("kind", "uint8", classes=((0, "render"), (1, "photograph"))),
        PerImage("mask_kind", "uint8", classes=((0, "clean"), (1, "ground"), (2, "drawn"))),
        PerImage("valid_height", "int64", "px"),
        PerImage("valid_width", "int64", "px"),
        PerImage("unknown_share", "float64", "1"),
        PerImage("camera_height_m", "float64", "m"),
        PerImage("camera_pitch_deg", "float64", "deg"),
        PerImage("camera_field_of_view_deg", "float64", "deg"),
    ),
)
"""Smaller images stand at the upper left; beyond `valid_height` and `valid_width` images are 0 and masks 255. Masks of
kind 'clean' leave out tiny rocks, 'ground' and 'drawn' (by hand, on photographs) do not: they are never mixed in a
score. Images of one `scene` show the same ground and are kept on one side of a split. The camera's height above the
ground, its angle below the horizontal and its horizontal field of view are NaN where they are not known.
`unknown_share` is of the mask's pixels whose colour means no class; a mask holds more that is unknown where nobody drew
it, or where it may show the ground of another scene."""

LANDFORM_CLASSES = (
    (0, "other"),
    (1, "crater"),
    (2, "dark dune"),
    (3, "slope streak"),
    (4, "bright dune"),
    (5, "impact ejecta"),
    (6, "swiss cheese"),
    (7, "spider"),
)
LANDFORM_VARIANTS = ((0, "original"), (1, "r90"), (2, "r180"), (3, "r270"), (4, "fh"), (5, "fv"), (6, "brt"))
LANDFORM_IMAGES = ImagesSpec(
    "landform_images",
    (Stack("images", "uint8", (227, 227)),),
    (
        PerImage("name", "string"),
        PerImage("landmark", "string"),
        PerImage("scene", "string"),
        PerImage("label", "uint8", classes=LANDFORM_CLASSES),
        PerImage("variant", "uint8", classes=LANDFORM_VARIANTS),
    ),
)
"""A `scene` is one observation; the variants of a `landmark` are altered copies of one picture."""

PSR_IMAGES = ImagesSpec(
    "psr_images",
    (Stack("images", "float32", ("tile", "tile")),),
    (
        PerImage("name", "string"),
        PerImage("scene", "string"),
        PerImage("domain", "uint8", classes=((0, "sunlit"), (1, "shadowed"))),
        PerImage("row", "int64", "px"),
        PerImage("col", "int64", "px"),
        PerImage("full_scale", "float64"),
        PerImage("valid_share", "float64", "1"),
    ),
)
"""Tiles of unpaired images, in the numbers of their files; NaN where a file has no data. `full_scale` is the largest
number that a file of its type can hold (255, 65535), NaN for floats; `row` and `col` are the tile's first pixel."""

SHADOWCAM_FRAMES = ImagesSpec(
    "shadowcam_frames",
    (Stack("brightness", "float32", ("height", "width")),),
    (
        PerImage("frame", "string"),
        PerImage("utc", "string"),
        PerImage("subsolar_lon_deg", "float64", "deg"),
        PerImage("subsolar_lat_deg", "float64", "deg"),
        PerImage("pixel_m", "float64", "m"),
        PerImage("x_min_m", "float64", "m"),
        PerImage("y_max_m", "float64", "m"),
        PerImage("rows", "int64", "px"),
        PerImage("cols", "int64", "px"),
    ),
    portable=False,
)
"""Mapped frames in the order of their times (`utc`, ISO 8601, start of the exposure). Each stands at the upper left of
its image, on a polar grid of its own: upper-left corner, pixel size, `rows` and `cols`; NaN beyond them and where the
frame has no data. Longitudes are -180..180. Brightness is in the publisher's numbers; small negative ones are noise."""
