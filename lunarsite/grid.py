"""Where things lie: the polar stereographic map of the Moon, its pixels, cells, tiles and shards.

This is the only module that knows the projection. Everything else receives a `Grid` and asks it. It must not
know what the pixels mean, nor how they are stored.

The map is the polar stereographic projection of the sphere R = 1 737 400 m with scale 1 at the pole
(IAU_2015:30135 in the south, IAU_2015:30130 in the north; Snyder 1987, p. 157):

    rho = 2 R tan(colatitude / 2),   x = rho sin(lon),   y = rho cos(lon) in the south, -rho cos(lon) in the north.

GeoTIFF cannot hold the scale factor at the pole beside a latitude of origin of -90 and stores a standard
parallel instead, so a CRS that went through a file neither compares equal to its authority's nor names it. CRS
identity is therefore decided here, by the body's radius and by probe points, and nowhere by `==`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

MOON_RADIUS_M = 1_737_400.0
"""Radius of the sphere of LOLA's heights and of the IAU_2015 lunar CRSs."""

Pole = Literal["south", "north"]
Floats = NDArray[np.float64]

_IAU_CODE: dict[Pole, int] = {"south": 30135, "north": 30130}
_GEOGRAPHIC_IAU_CODE = 30100
_PROBE_TOLERANCE_M = 0.01


class GridError(ValueError):
    """A grid, a CRS or a place that does not fit the run's map."""


def map_radius_m(colatitude_deg: ArrayLike) -> Floats:
    """Return the distance from the pole on the map, metres, of an angular distance from it, degrees."""
    return 2.0 * MOON_RADIUS_M * np.tan(0.5 * np.radians(np.asarray(colatitude_deg, dtype=np.float64)))


def colatitude_deg(map_radius_m: ArrayLike) -> Floats:
    """Return the angular distance from the pole, degrees, of a distance from it on the map, metres."""
    return np.degrees(2.0 * np.arctan(np.asarray(map_radius_m, dtype=np.float64) / (2.0 * MOON_RADIUS_M)))


def lonlat_to_xy(lon_deg: ArrayLike, lat_deg: ArrayLike, pole: Pole = "south") -> tuple[Floats, Floats]:
    """Project planetocentric longitude and latitude (degrees) to map metres.

    Latitudes of the far hemisphere are legal; the opposite pole itself lies at infinity.
    """
    lon = np.radians(np.asarray(lon_deg, dtype=np.float64))
    sign = 1.0 if pole == "north" else -1.0
    rho = map_radius_m(90.0 - sign * np.asarray(lat_deg, dtype=np.float64))
    return rho * np.sin(lon), -sign * rho * np.cos(lon)


def xy_to_lonlat(x_m: ArrayLike, y_m: ArrayLike, pole: Pole = "south") -> tuple[Floats, Floats]:
    """Return planetocentric longitude (-180..180) and latitude in degrees of map metres."""
    x = np.asarray(x_m, dtype=np.float64)
    y = np.asarray(y_m, dtype=np.float64)
    sign = 1.0 if pole == "north" else -1.0
    return np.degrees(np.arctan2(x, -sign * y)), sign * (90.0 - colatitude_deg(np.hypot(x, y)))


def scale_factor(x_m: ArrayLike, y_m: ArrayLike) -> Floats:
    """Map length divided by true length: 1 at the pole, 1.0077 at 80 degrees latitude."""
    x = np.asarray(x_m, dtype=np.float64)
    y = np.asarray(y_m, dtype=np.float64)
    return 1.0 + (x * x + y * y) / (2.0 * MOON_RADIUS_M) ** 2


def map_circles(x_m: Floats, y_m: Floats, diameter_m: Floats) -> tuple[Floats, Floats, Floats]:
    """Return centre and radius on the map of circles on the sphere, map metres.

    A circle on the sphere is a circle on the stereographic map, though its centre is not the circle's centre on the
    map (Snyder 1987, p. 154).

    Args:
        x_m: Map x of the circles' centres on the sphere.
        y_m: Their map y.
        diameter_m: Diameters along the surface, true metres.
    """
    rho_m = np.hypot(x_m, y_m)
    half_colatitude = np.arctan(rho_m / (2.0 * MOON_RADIUS_M))
    quarter_angle = 0.25 * diameter_m / MOON_RADIUS_M  # half the angular radius
    near_m = 2.0 * MOON_RADIUS_M * np.tan(half_colatitude - quarter_angle)
    far_m = 2.0 * MOON_RADIUS_M * np.tan(half_colatitude + quarter_angle)
    outward = 0.5 * (near_m + far_m) / np.where(rho_m > 0.0, rho_m, 1.0)
    return x_m * outward, y_m * outward, 0.5 * (far_m - near_m)


def in_sector(lon_deg: ArrayLike, sector_deg: tuple[float, float]) -> NDArray[np.bool_]:
    """Return whether longitudes lie in the sector from the first of two longitudes eastwards to the second.

    The sector may pass 180; of two longitudes that differ by whole turns the sector is the whole circle. The first
    border belongs to it, the second does not.
    """
    first, last = sector_deg
    width = (last - first) % 360.0 or 360.0
    return np.asarray((np.asarray(lon_deg, dtype=np.float64) - first) % 360.0 < width)


def lunar_crs(pole: Pole = "south") -> CRS:
    """Return the authority's CRS of the polar map, as rasterio writes it."""
    from rasterio.crs import CRS

    return CRS.from_authority("IAU_2015", _IAU_CODE[pole])


def turned_crs(lon_deg: float, pole: Pole = "south") -> CRS:
    """Return a CRS of the same map in which longitudes are counted from `lon_deg`: x and y of a place are unchanged.

    A file's longitudes, less its middle one, lie within -180..180 whichever way the file counts them. Some software
    takes no others.
    """
    from rasterio.crs import CRS

    lat_deg = 90 if pole == "north" else -90
    return CRS.from_string(
        f"+proj=stere +lat_0={lat_deg} +lat_ts={lat_deg} +lon_0={-lon_deg!r} +R={MOON_RADIUS_M!r} +units=m +no_defs"
    )


def is_lunar(crs: Any) -> bool:
    """Whether a CRS (rasterio or pyproj) stands on the sphere of 1 737 400 m."""
    from pyproj import CRS

    try:
        ellipsoid = CRS.from_user_input(crs).ellipsoid
    except Exception:
        return False
    if ellipsoid is None:
        return False
    radii = (ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre)
    return all(abs(radius - MOON_RADIUS_M) < 0.5 for radius in radii)


def is_polar_map(crs: Any, pole: Pole = "south") -> bool:
    """Whether a CRS is the run's polar map, by radius and by probe points (tolerance 1 cm)."""
    from pyproj import CRS, Transformer

    if crs is None or not is_lunar(crs):
        return False
    projected = CRS.from_user_input(crs)
    if not projected.is_projected or projected.geodetic_crs is None:
        return False
    to_map = Transformer.from_crs(projected.geodetic_crs, projected, always_xy=True)
    sign = 1.0 if pole == "north" else -1.0
    lon_deg = np.array([0.0, 90.0, -135.0, 33.0])
    lat_deg = sign * np.array([89.0, 85.0, 80.0, 70.0])
    x_m, y_m = to_map.transform(lon_deg, lat_deg)
    expected = lonlat_to_xy(lon_deg, lat_deg, pole)
    return bool(np.allclose((x_m, y_m), expected, rtol=0.0, atol=_PROBE_TOLERANCE_M))


def geographic_crs() -> Any:
    """Return the Moon's geographic CRS (IAU_2015:30100, planetocentric, east positive) as pyproj."""
    from pyproj import CRS

    return CRS.from_authority("IAU_2015", _GEOGRAPHIC_IAU_CODE)


@dataclass(frozen=True, slots=True)
class Tile:
    """A window of a grid that a worker owns (`row`, `col`, `rows`, `cols`) with the halo it may read beside it.

    The halo is cut off at the grid's border: `halo_*` give the window that is read, in pixels of the grid.
    """

    row: int
    col: int
    rows: int
    cols: int
    halo_row: int
    halo_col: int
    halo_rows: int
    halo_cols: int

    @property
    def core(self) -> tuple[slice, slice]:
        """Slices of the whole grid's array that the tile owns."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    @property
    def read(self) -> tuple[slice, slice]:
        """Slices of the whole grid's array that the tile reads: its core and its halo."""
        return (
            slice(self.halo_row, self.halo_row + self.halo_rows),
            slice(self.halo_col, self.halo_col + self.halo_cols),
        )

    @property
    def inner(self) -> tuple[slice, slice]:
        """Slices that cut the core out of the array that `read` gave."""
        top, left = self.row - self.halo_row, self.col - self.halo_col
        return slice(top, top + self.rows), slice(left, left + self.cols)


@dataclass(frozen=True)
class Grid:
    """Pixels on the polar map: upper-left corner, pixel size, rows and columns.

    Args:
        x_min_m: Map x of the left border, metres.
        y_max_m: Map y of the upper border, metres.
        pixel_m: Pixel size in map metres.
        rows: Number of rows; row 0 is at the top (largest y).
        cols: Number of columns.
        pole: The pole at the map's origin.

    Raises:
        GridError: A size is not positive or a number not finite.
    """

    x_min_m: float
    y_max_m: float
    pixel_m: float
    rows: int
    cols: int
    pole: Pole = "south"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x_min_m) and math.isfinite(self.y_max_m) and math.isfinite(self.pixel_m)):
            raise GridError(f"a grid's corner and pixel size must be finite, got {self}")
        if self.pixel_m <= 0 or self.rows <= 0 or self.cols <= 0:
            raise GridError(f"a grid needs a positive pixel size and at least one row and column, got {self}")

    @classmethod
    def centred(cls, half_width_m: float, pixel_m: float, block_m: float, pole: Pole = "south") -> Grid:
        """Return the square grid whose upper-left corner is (-half_width, +half_width) and that holds whole blocks.

        The right and lower border are rounded up to whole blocks (cells of 960 m, say), so the pole is the grid's
        centre only where the width is a multiple of the block: LOLA's 608 km map holds 633.33 cells, ours 634.
        """
        per_block = whole_ratio(block_m, pixel_m, "block", "pixel")
        n = math.ceil(round(2.0 * half_width_m / block_m, 9)) * per_block
        return cls(-half_width_m, half_width_m, pixel_m, n, n, pole)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in map metres."""
        return (
            self.x_min_m,
            self.y_max_m - self.rows * self.pixel_m,
            self.x_min_m + self.cols * self.pixel_m,
            self.y_max_m,
        )

    @property
    def affine(self) -> Affine:
        """Map (col, row) of pixel corners to map metres."""
        from affine import Affine

        return Affine(self.pixel_m, 0.0, self.x_min_m, 0.0, -self.pixel_m, self.y_max_m)

    @property
    def crs(self) -> CRS:
        """The polar map's CRS."""
        return lunar_crs(self.pole)

    def x_m(self) -> Floats:
        """Map x of the pixel centres, (cols,)."""
        return self.x_min_m + _half_integers(self.cols) * self.pixel_m

    def y_m(self) -> Floats:
        """Map y of the pixel centres, (rows,)."""
        return self.y_max_m - _half_integers(self.rows) * self.pixel_m

    def scale_factor(self) -> Floats:
        """Map scale of each pixel centre, (rows, cols)."""
        return scale_factor(self.x_m()[None, :], self.y_m()[:, None])

    def index(self, x_m: ArrayLike, y_m: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (row, col) of the pixel that holds each place; places outside the grid get indices outside it."""
        col = np.floor((np.asarray(x_m, dtype=np.float64) - self.x_min_m) / self.pixel_m)
        row = np.floor((self.y_max_m - np.asarray(y_m, dtype=np.float64)) / self.pixel_m)
        return row.astype(np.int64), col.astype(np.int64)

    def contains(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.bool_]:
        """Whether each place lies on the grid."""
        row, col = self.index(x_m, y_m)
        return (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)

    def tiles(self, size: int, halo: int = 0) -> Iterator[Tile]:
        """Yield tiles of `size` pixels, row-major, each with a halo cut off at the border; they cover the grid once.

        Raises:
            GridError: The size is not positive or the halo negative.
        """
        if size <= 0 or halo < 0:
            raise GridError(f"a tile needs a positive size and a halo of at least 0, got size {size}, halo {halo}")
        for row in range(0, self.rows, size):
            rows = min(size, self.rows - row)
            top, bottom = max(0, row - halo), min(self.rows, row + rows + halo)
            for col in range(0, self.cols, size):
                cols = min(size, self.cols - col)
                left, right = max(0, col - halo), min(self.cols, col + cols + halo)
                yield Tile(row, col, rows, cols, top, left, bottom - top, right - left)


def _half_integers(count: int) -> Floats:
    return np.arange(count, dtype=np.float64) + np.float64(0.5)


def whole_ratio(larger_m: float, smaller_m: float, larger: str, smaller: str) -> int:
    """Return larger / smaller as an integer, or raise GridError if it is none."""
    ratio = larger_m / smaller_m
    if ratio < 1 or abs(ratio - round(ratio)) > 1e-9:
        raise GridError(f"the {larger} of {larger_m:g} m is not a whole number of {smaller}s of {smaller_m:g} m")
    return round(ratio)


@dataclass(frozen=True)
class Cells:
    """The coarse cells (960 m) over a grid that lie poleward of a latitude: what is scored and ranked.

    Cell ids run row-major from the upper-left over the kept cells. A cell is kept if its centre lies at or poleward
    of the limit. On LOLA's grid of 80 S these are 315 034.

    Args:
        grid: The pixels underneath; its upper-left corner is the cells' too.
        cell_m: Cell size, a whole multiple of the pixel size.
        latitude_limit_deg: Absolute latitude of the limit.
    """

    grid: Grid
    cell_m: float = 960.0
    latitude_limit_deg: float = 80.0

    def __post_init__(self) -> None:
        whole_ratio(self.cell_m, self.grid.pixel_m, "cell", "pixel")
        if not 0.0 < self.latitude_limit_deg < 90.0:
            raise GridError(f"the cells' limit is an absolute latitude within 0..90 deg, got {self.latitude_limit_deg}")
        if not self.kept.any():
            raise GridError(
                f"no cell of the grid {self.grid} lies poleward of {self.latitude_limit_deg:g} deg {self.grid.pole}"
            )

    @property
    def pixels_per_cell(self) -> int:
        """Pixels along a cell's side."""
        return whole_ratio(self.cell_m, self.grid.pixel_m, "cell", "pixel")

    @property
    def rows(self) -> int:
        """Rows of cells; the last may reach beyond the grid's border."""
        return -(-self.grid.rows // self.pixels_per_cell)

    @property
    def cols(self) -> int:
        """Columns of cells; the last may reach beyond the grid's border."""
        return -(-self.grid.cols // self.pixels_per_cell)

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Which cells are kept, (rows, cols)."""
        limit_m = map_radius_m(90.0 - self.latitude_limit_deg)
        return np.asarray(np.hypot(self._x_m[None, :], self._y_m[:, None]) <= limit_m)

    @cached_property
    def _x_m(self) -> Floats:
        return self.grid.x_min_m + _half_integers(self.cols) * self.cell_m

    @cached_property
    def _y_m(self) -> Floats:
        return self.grid.y_max_m - _half_integers(self.rows) * self.cell_m

    @property
    def count(self) -> int:
        """Number of kept cells."""
        return int(self.kept.sum())

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """Cell id by (row, col) of cells, -1 where the cell is not kept."""
        ids = np.full(self.kept.shape, -1, dtype=np.int64)
        ids[self.kept] = np.arange(self.count)
        return ids

    def centres_m(self) -> tuple[Floats, Floats]:
        """Map x and y of the kept cells' centres, (count,), in the order of their ids."""
        row, col = np.nonzero(self.kept)
        return self._x_m[col], self._y_m[row]

    def centres_lonlat(self) -> tuple[Floats, Floats]:
        """Longitude and latitude (degrees) of the kept cells' centres, (count,), in the order of their ids."""
        return xy_to_lonlat(*self.centres_m(), self.grid.pole)

    def id_at(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.int64]:
        """Return the id of the cell that holds each place, -1 where none is kept."""
        col = np.floor((np.asarray(x_m, dtype=np.float64) - self.grid.x_min_m) / self.cell_m).astype(np.int64)
        row = np.floor((self.grid.y_max_m - np.asarray(y_m, dtype=np.float64)) / self.cell_m).astype(np.int64)
        inside = (row >= 0) & (row < self.rows) & (col >= 0) & (col < self.cols)
        found = np.full(np.broadcast(row, col).shape, -1, dtype=np.int64)
        found[inside] = self.ids[row[inside], col[inside]]
        return found

    def true_area_m2(self) -> Floats:
        """True area of each kept cell on the sphere, (count,): map area over the squared scale factor."""
        return self.cell_m**2 / scale_factor(*self.centres_m()) ** 2


def shard(n_items: int, index: int, n_shards: int) -> range:
    """Return the items of one shard of work: contiguous, sizes differing by at most one, together every item once.

    Raises:
        GridError: There is no such shard.
    """
    if n_shards < 1 or not 0 <= index < n_shards or n_items < 0:
        raise GridError(f"there is no shard {index} of {n_shards} over {n_items} items")
    return range(n_items * index // n_shards, n_items * (index + 1) // n_shards)
