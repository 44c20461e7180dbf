"""Contracts of images of the sky from public archives, and of pairs with cut-outs of surveys."""

from __future__ import annotations

from lunarsite.artefact.images import ImagesSpec, PerImage, Stack
from lunarsite.artefact.table import Column, TableSpec

ARCHIVE_INDEX = TableSpec(
    "archive_index",
    (
        Column("site", "string"),  # hubble, webb
        Column("id", "string"),
        Column("title", "string"),
        Column("ra_deg", "float64", "deg", nullable=True, valid_min=0.0, valid_max=360.0),
        Column("dec_deg", "float64", "deg", nullable=True, valid_min=-90.0, valid_max=90.0),
        Column("field_width_arcmin", "float64", "arcmin", nullable=True, valid_min=0.0),
        Column("field_height_arcmin", "float64", "arcmin", nullable=True, valid_min=0.0),
        # Angle from the image's up to north, counter-clockwise positive: minus the position angle (east of north) of
        # the image's up.
        Column("orientation_deg", "float64", "deg", nullable=True, valid_min=-360.0, valid_max=360.0),
        Column("width_px", "int64", "px", nullable=True, valid_min=1.0),
        Column("height_px", "int64", "px", nullable=True, valid_min=1.0),
        Column("credit", "string", nullable=True),
        Column("release_date", "string", nullable=True),
        Column("url", "string"),
        # Why the image makes no pair; missing where it may make one.
        Column("excluded_because", "string", nullable=True),
    ),
    sort=("site", "id"),
)
"""All images that were listed, those that cannot be used included. An id is unique within its site."""

ARCHIVE_PAIRS = ImagesSpec(
    "archive_pairs",
    (
        Stack("images", "uint8", ("side", "side", 3)),
        Stack("cutouts", "uint8", ("side", "side", 3)),
        Stack("seen", "uint8", ("side", "side"), ((0, "unseen"), (1, "seen"))),
    ),
    (
        PerImage("site", "string"),
        PerImage("id", "string"),
        PerImage("survey", "uint8", classes=((0, "dss2"), (1, "sdss9"))),
        PerImage("title", "string"),
        PerImage("credit", "string"),
        PerImage("url", "string"),
        PerImage("width_px", "int64", "px"),
        PerImage("height_px", "int64", "px"),
        PerImage("ra_deg", "float64", "deg"),
        PerImage("dec_deg", "float64", "deg"),
        PerImage("orientation_deg", "float64", "deg"),
        PerImage("arcsec_per_px", "float64", "arcsec"),
        PerImage("agreement", "float64", "1"),
    ),
)
"""An image and the cut-out of one survey on the same pixels, at the upper left of the square; an image with two surveys
stands there twice, one after the other, and belongs on one side of a split. `seen` is 0 in the black frame of a mosaic,
where the survey shows nothing, and beyond the image. `agreement` is the correlation of the two, both blurred. Whoever
shows an image shows its `credit`."""
