"""A camera near the ground: pinhole, without roll, over ground that is level on the whole.

World: x to the right, y forward (level), z up, metres, from the point of the ground below the lens. Pixels: row down,
column to the right; whole numbers are the centres of pixels, and the optical axis passes through the picture's middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A camera and the size of its picture.

    Attributes:
        height_m: Height of the lens above the ground, metres.
        pitch_deg: Angle of the optical axis below the horizontal, degrees.
        field_of_view_deg: Horizontal field of view, degrees, over all columns.
        rows: Rows of the picture.
        cols: Its columns.
    """

    height_m: float
    pitch_deg: float
    field_of_view_deg: float
    rows: int
    cols: int

    def __post_init__(self) -> None:
        if not (self.height_m > 0.0 and abs(self.pitch_deg) < 90.0 and 0.0 < self.field_of_view_deg < 180.0):
            raise ValueError(
                f"a camera {self.height_m} m above the ground, {self.pitch_deg} degrees below the horizontal, with a"
                f" field of view of {self.field_of_view_deg} degrees is none; height_m must exceed 0, pitch_deg lie"
                " within -90 and 90, field_of_view_deg within 0 and 180"
            )

    @staticmethod
    def known(height_m: float, pitch_deg: float, field_of_view_deg: float, rows: int, cols: int) -> Camera | None:
        """Return the camera, or None where a number is NaN: not known."""
        if not all(map(math.isfinite, (height_m, pitch_deg, field_of_view_deg))):
            return None
        return Camera(height_m, pitch_deg, field_of_view_deg, rows, cols)

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return 0.5 * self.cols / math.tan(0.5 * math.radians(self.field_of_view_deg))

    @property
    def middle(self) -> tuple[float, float]:
        """Row and column of the optical axis."""
        return 0.5 * (self.rows - 1), 0.5 * (self.cols - 1)

    @property
    def sin_pitch(self) -> float:
        """Sine of the pitch."""
        return math.sin(math.radians(self.pitch_deg))

    @property
    def cos_pitch(self) -> float:
        """Cosine of the pitch."""
        return math.cos(math.radians(self.pitch_deg))

    def lens(self) -> Floats:
        """Return what compiled loops need: focal length, row and column of the axis, sine and cosine of the pitch."""
        return np.array([self.focal_px, *self.middle, self.sin_pitch, self.cos_pitch])

    def directions(self, row: ArrayLike, col: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Return x, y and z of the rays through pixels; their component along the optical axis is 1."""
        down = (np.asarray(row, dtype=np.float64) - self.middle[0]) / self.focal_px
        right = (np.asarray(col, dtype=np.float64) - self.middle[1]) / self.focal_px
        forward = self.cos_pitch - down * self.sin_pitch
        up = -self.sin_pitch - down * self.cos_pitch
        right, forward, up = np.broadcast_arrays(right, forward, up)
        return right, forward, up

    def depression_deg(self, row: ArrayLike, col: ArrayLike) -> Floats:
        """Return how far below the horizontal pixels look, degrees."""
        right, forward, up = self.directions(row, col)
        depression: Floats = np.degrees(np.arctan2(-up, np.hypot(right, forward)))
        return depression

    def on_ground(self, row: ArrayLike, col: ArrayLike) -> tuple[Floats, Floats]:
        """Return x and y of level ground behind pixels, metres; NaN at and above the horizon."""
        right, forward, up = self.directions(row, col)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(up < 0.0, -self.height_m / up, np.nan)
        return right * depth, forward * depth

    def ground_per_px(self, row: ArrayLike, col: ArrayLike) -> Floats:
        """Return the area of level ground behind pixels, square metres; NaN at and above the horizon.

        It is the Jacobian of `on_ground`, h^2 / (f^2 u^3) with the ray's component u downward (that along the axis is
        1), so it holds for pixels that are small against the distance to the horizon's row.
        """
        _, _, up = self.directions(row, col)
        with np.errstate(divide="ignore", invalid="ignore"):
            area: Floats = np.where(up < 0.0, self.height_m**2 / (self.focal_px**2 * np.abs(up) ** 3), np.nan)
        return area

    def seen(self, x_m: ArrayLike, y_m: ArrayLike, z_m: ArrayLike = 0.0) -> tuple[Floats, Floats, Floats]:
        """Return row, column and depth along the axis (metres) of points; row and column are NaN behind the lens."""
        x, y, z = np.broadcast_arrays(*(np.asarray(values, dtype=np.float64) for values in (x_m, y_m, z_m)))
        above = z - self.height_m
        depth = y * self.cos_pitch - above * self.sin_pitch
        down = -y * self.sin_pitch - above * self.cos_pitch
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(depth > 0.0, self.focal_px / depth, np.nan)
        return self.middle[0] + down * scale, self.middle[1] + x * scale, depth
