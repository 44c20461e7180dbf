"""Contracts of seeing into shadow: rendered scenes, the light at a frame's moment, models, enhanced images, records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lunarsite.artefact.images import ImagesSpec, PerImage, Stack
from lunarsite.artefact.model import ModelSpec
from lunarsite.artefact.record import RecordSpec

RAW_METHOD, TRUTH_METHOD = "raw", "truth"
NETWORK_NAMES: Final[Mapping[str, str]] = {"denoiser": "denoiser", "cycle": "CycleGAN"}
"""The networks as records and samples call them, by the settings' names (enhance.enhancement.method)."""
SPLITS = ((0, "training"), (1, "validation"), (2, "test"))
LIT_SCENES = ImagesSpec(
    "lit_scenes",
    (
        Stack("scattered", "float32", ("tile", "tile")),
        Stack("sunlit", "float32", ("tile", "tile")),
        Stack("sun_fraction", "float32", ("tile", "tile")),
        Stack("height", "float32", ("tile", "tile")),
    ),
    (
        PerImage("name", "string"),
        PerImage("ground", "string"),
        PerImage("split", "uint8", classes=SPLITS),
        PerImage("x_min_m", "float64", "m"),
        PerImage("y_max_m", "float64", "m"),
        PerImage("pixel_m", "float64", "m"),
        PerImage("shadow_lon_deg", "float64", "deg"),
        PerImage("shadow_lat_deg", "float64", "deg"),
        PerImage("sunlit_lon_deg", "float64", "deg"),
        PerImage("sunlit_lat_deg", "float64", "deg"),
        PerImage("light_azimuth_deg", "float64", "deg"),
    ),
)
"""The same ground twice, as radiance over that of a white Lambert surface under the Sun at the zenith (I/F).

`scattered`: lit only by what sunlit slopes scatter (one bounce) while the Sun is at shadow_lon_deg, shadow_lat_deg
(sub-solar point); `sun_fraction` is the visible share of the Sun's disc then, and where it is above 0 a real image
would be overexposed. `sunlit`: in direct light with cast shadows and the scattered light added, the Sun at the
sunlit_ point. `light_azimuth_deg`: map direction, clockwise from the map's +y, from which most of the scattered light
comes. Scenes of one `ground` overlap, or are the same place, and lie in one split; unknown ground is NaN in all
stacks."""

FRAME_LIGHT = ImagesSpec(
    "frame_light",
    (
        Stack("sun_fraction", "float32", ("height", "width")),
        Stack("sunlit", "float32", ("height", "width")),
        Stack("scattered", "float32", ("height", "width")),
        Stack("unshadowed", "float32", ("height", "width")),
        Stack("elevation", "float32", ("height", "width")),
    ),
    (
        PerImage("frame", "string"),
        PerImage("rows", "int64", "px"),
        PerImage("cols", "int64", "px"),
        PerImage("x_min_m", "float64", "m"),
        PerImage("y_max_m", "float64", "m"),
        PerImage("pixel_m", "float64", "m"),
        PerImage("dem_pixel_m", "float64", "m"),
    ),
    portable=False,
)
"""What the elevation model says of each ShadowCam frame's ground at its moment, on the frame's own grid and in the
frames' order: visible share of the Sun's disc, and I/F in direct and in scattered light. `unshadowed` is what `sunlit`
would be if no ground stood in the Sun's way (the ground's own tilt counts, the disc's centre stands for the disc, and
nothing is scattered), `elevation` the model's height in metres: simple guesses of light that a prediction must better.
All gaps of a frame are predicted too, for saturated, sunlit ground lies in them: NaN only beyond the ground that the
frame covered (`swath.covered`) and where the elevation model does not reach. `dem_pixel_m`: pixels of the elevation
model that most of the frame lies on."""

DENOISER_MODEL = ModelSpec("denoiser_model", "safetensors", portable=True)
CYCLE_MODEL = ModelSpec("cycle_model", "safetensors", portable=True)
ENHANCE_TRAINING = RecordSpec(name="enhance_training")
ENHANCED_FRAMES = ImagesSpec(
    "enhanced_frames",
    (
        Stack("enhanced", "float32", ("height", "width")),
        Stack("error", "float32", ("height", "width")),
        Stack("support", "uint8", ("height", "width"), ((0, "unsupported"), (1, "supported"), (255, "unknown"))),
    ),
    (
        PerImage("frame", "string"),
        PerImage("rows", "int64", "px"),
        PerImage("cols", "int64", "px"),
    ),
    portable=False,
)
"""ShadowCam frames enhanced, in the frames' numbers, each pixel's standard error, and whether the image's own signal
supports it; in the frames' order and on their grids."""
ENHANCE_RECORD = RecordSpec(name="enhance")
SHADOWCAM_RECORD = RecordSpec(name="shadowcam_check")
ENHANCE_SAMPLES = ImagesSpec(
    "enhance_samples",
    (Stack("picture", "float32", ("height", "width")),),
    (
        PerImage("kind", "uint8", classes=((0, "scene"), (1, "frame"))),
        PerImage("name", "string"),
        PerImage("method", "string"),
        PerImage("quantity", "uint8", classes=((0, "image"), (1, "error"), (2, "support"))),
        PerImage("electrons", "float64", "e-"),
        PerImage("rows", "int64", "px"),
        PerImage("cols", "int64", "px"),
        PerImage("pixel_m", "float64", "m"),
        PerImage("display_low", "float64"),
        PerImage("display_high", "float64"),
        PerImage("psnr_db", "float64", "dB"),
        PerImage("ssim", "float64", "1"),
    ),
    portable=False,
)
"""Pictures side by side, chosen by seed. Those of one `kind`, `name` and `electrons` belong together, and have one grey
scale for images and one for errors; the `method` 'raw' is the image as taken, and 'truth' (of scenes alone) has NaN
electrons. Each stands at the upper left of its image; NaN beyond it, and where ground is unknown or overexposed.
`psnr_db` and `ssim` are NaN where nothing was measured."""
SHADOWCAM_SAMPLES = ImagesSpec(
    "shadowcam_samples",
    (
        Stack("brightness", "float32", ("height", "width")),
        Stack("predicted", "float32", ("height", "width")),
        Stack(
            "classes",
            "uint8",
            ("height", "width"),
            (
                (0, "both dark"),
                (1, "both lit"),
                (2, "image only"),
                (3, "prediction only"),
                (255, "unknown"),
            ),
        ),
    ),
    (
        PerImage("kind", "uint8", classes=((0, "composite"), (1, "frame"))),
        PerImage("name", "string"),
        PerImage("rows", "int64", "px"),
        PerImage("cols", "int64", "px"),
        PerImage("x_min_m", "float64", "m"),
        PerImage("y_max_m", "float64", "m"),
        PerImage("pixel_m", "float64", "m"),
        PerImage("auc", "float64", "1"),
        PerImage("limit", "float64", "1"),
    ),
    portable=False,
)
"""Windows of a few frames, and composites, beside what is predicted of them, for a report. `predicted` is the
visible share of the Sun's disc at a frame's moment; under a composite it is 1 outside permanent shadow as the run
computes it, and 0 inside. `classes` tell where image and prediction agree: an image is lit from `limit` on (half of
a frame's largest brightness) and in the gaps of a frame, and of a composite the brighter half counts as lit. `auc` is
NaN for composites."""
