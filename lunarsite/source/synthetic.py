"""The seeded synthetic Moon: heights of the polar regions as a function of the place, with the truth beside them.

The relief is made of the step of the South Pole-Aitken basin, band-limited noise, named and random craters from
the largest to the smallest, massifs with gentle summits, and regolith. It depends on the seed and the place alone: a
fine and a coarse grid, a small and a large one show the same Moon, the finer the more of it, and any window can be
made alone.
The module makes heights and a catalogue of what it built. It must not know files, nor what the heights are used for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.grid import MOON_RADIUS_M, Grid, GridError, Pole, lonlat_to_xy, scale_factor, xy_to_lonlat
from lunarsite.source import events as ev
from lunarsite.source.features import BASIN, HIGH_GROUND, Feature
from lunarsite.source.noise import add_octave, add_octave_at
from lunarsite.source.population import Craters, join, large_craters, small_craters
from lunarsite.source.profiles import REACH, ProfileTable, build_profiles, floor_share

Floats = NDArray[np.float64]

HALF_WIDTH_M = 720_000.0
"""The synthetic Moon ends at this map distance from the pole's axes: just beyond 66.6 degrees."""

# Relief by octave of the noise's lattice: spacing in metres and root mean square in metres, found by matching the
# structure function and the slopes of the real pole (GLD100/LOLA) together with the craters. Old relief is wiped out by
# large craters, young relief lies on top of them.
_OLD_OCTAVES = (
    (204_800.0, 300.0),
    (102_400.0, 800.0),
    (51_200.0, 880.0),
    (25_600.0, 550.0),
    (12_800.0, 300.0),
    (6_400.0, 140.0),
    (3_200.0, 50.0),
)
_YOUNG_OCTAVES = ((6_400.0, 100.0), (3_200.0, 76.0), (1_600.0, 48.0), (800.0, 14.0))
# Rims are scalloped: the coordinates about a crater are shifted by noise, in proportion to the crater's size. Given as
# axis, octave, spacing and root mean square for a crater of `_WARP_DIAMETER_M`.
_WARP_OCTAVES = ((0, 0, 12_800.0, 250.0), (1, 1, 12_800.0, 250.0), (0, 2, 3_200.0, 130.0), (1, 3, 3_200.0, 130.0))
_WARP_DIAMETER_M = 30_000.0
_WARP_MOST = 3.0
# Regolith goes on below the last octave with this Hurst exponent (Rosenburg et al. 2011 find 0.7 to 0.95 in highlands).
_HURST = 0.85
_FINEST_M = 2.0
# Roughness varies from place to place: log-normal, over this lattice spacing.
_PATCH_SPACING_M = 25_600.0
_PATCH_LOG_RMS = 0.6

# The basin's step: heights rise from its floor to the highlands about it with the distance from its centre.
_BASIN_MEAN_M = -2_100.0
_BASIN_RIM_SHARE = 33.0 / 39.6
_BASIN_WIDTH_SHARE = 11.0 / 39.6

# Small summits are built smooth, wide plateaus keep a part of what they were lifted from.
_PLATEAU_M = 20_000.0
_KEPT_BY_PLATEAU, _KEPT_BY_SUMMIT = 0.8, 0.03
# Highlands are rougher than plains: the real cap's median slope climbs from 4 degrees at -4 km to 11 at +3 km.
_ROUGHER_PER_KM = 0.24
_ROUGHER_WITHIN_KM = 3.0
# Young relief on the floors of craters from this radius on, and on summits, relative to that elsewhere.
_SMOOTH_FLOOR_RADIUS_M = 9_000.0
_CALM_FLOOR, _CALM_SUMMIT = 0.3, 0.12
# Longer waves go on beneath a floor; subduing them would leave a step.
_CALMED_SPACING_M = 1_600.0
_FLANK_SLOPE = math.tan(math.radians(19.0))
_OUTLINE_RMS = {ev.IMPACT: 0.022, ev.MASSIF: 0.1}
_STREAM_OLD, _STREAM_YOUNG, _STREAM_PATCH, _STREAM_WARP, _STREAM_OUTLINE = 1, 2, 3, 4, 21
_BLOCK_ROWS = 256
# Craters narrower than this many pixels are left out: their samples would be noise.
_PIXELS_PER_CRATER = 1.5


class SyntheticError(GridError):
    """A synthetic Moon that cannot be made as asked."""


@dataclass(frozen=True)
class SyntheticMoon:
    """A Moon made ready: its large events are settled, so that any grid can be evaluated.

    Args:
        seed: Seed of everything random.
        pole: The pole in the middle of the map.
        density: Number of random craters relative to the Moon's.
        events: Large craters and massifs in the order of their age, (events, columns of `events`).
        craters: The large craters alone, largest first.
        names: Their names, '' for random ones.
        ground: Named high ground that was built gentle.
        basins: Named basins.
        profiles: Shapes of the craters.
    """

    seed: int
    pole: Pole
    density: float
    events: Floats
    craters: Craters
    names: tuple[str, ...]
    ground: tuple[Feature, ...]
    basins: tuple[Feature, ...]
    profiles: ProfileTable

    @classmethod
    def build(
        cls, features: tuple[Feature, ...] = (), *, seed: int, pole: Pole = "south", crater_density: float = 1.0
    ) -> SyntheticMoon:
        """Draw the population and settle the large events.

        Args:
            features: Named features (`features.read_features`); those beyond the map are left out.
            seed: Seed of everything random, 0 or more.
            pole: The pole in the middle of the map.
            crater_density: Number of random craters relative to the Moon's.

        Raises:
            SyntheticError: The seed or the density is negative.
        """
        if seed < 0 or crater_density < 0:
            raise SyntheticError(f"seed ({seed}) and crater_density ({crater_density:g}) must not be negative")
        profiles = build_profiles()
        craters, names = large_craters(HALF_WIDTH_M, features, seed=seed, pole=pole, density=crater_density)
        ground = tuple(f for f in features if f.kind in HIGH_GROUND and f.lat_deg * (1 if pole == "north" else -1) > 0)
        basins = tuple(f for f in features if f.kind == BASIN)
        events = np.concatenate([_impacts(craters, profiles), _massifs(ground, pole)])
        _roughen(events, seed)
        moon = cls(seed, pole, crater_density, events, craters, tuple(names), ground, basins, profiles)
        ring_x, ring_y = ev.ring(events)
        heights, *warp = moon._old_relief_at(ring_x.ravel(), ring_y.ravel()).reshape(3, *ring_x.shape)
        ev.settle(events, profiles, (ring_x, ring_y), (warp[0], warp[1]), heights)
        return moon

    def heights(self, grid: Grid, min_crater_diameter_m: float = 700.0) -> NDArray[np.float32]:
        """Return heights of a whole grid, (rows, cols); see `blocks`."""
        out = np.empty(grid.shape, dtype=np.float32)
        for block, heights in self.blocks(grid, min_crater_diameter_m):
            out[block] = heights
        return out

    def blocks(
        self, grid: Grid, min_crater_diameter_m: float = 700.0
    ) -> Iterator[tuple[tuple[slice, slice], NDArray[np.float32]]]:
        """Yield (window, heights in metres above the sphere at the pixels' centres) from the top of a grid.

        A block takes some 15 MB per 1000 columns, whatever the number of rows.

        Args:
            grid: Where; within `HALF_WIDTH_M` of the pole's axes.
            min_crater_diameter_m: Smallest random crater; those below 1.5 pixels are left out in any case.

        Raises:
            SyntheticError: The grid is of the other pole or reaches beyond the synthetic Moon.
        """
        self._check(grid)
        x_m, y_m = grid.x_m(), grid.y_m()
        smallest_m = max(min_crater_diameter_m, _PIXELS_PER_CRATER * grid.pixel_m)
        for first in range(0, grid.rows, _BLOCK_ROWS):
            rows = slice(first, min(first + _BLOCK_ROWS, grid.rows))
            heights = self._block(x_m, y_m[rows], grid.pixel_m, smallest_m)
            yield (rows, slice(0, grid.cols)), heights.astype(np.float32)

    def crater_table(self, grid: Grid, min_crater_diameter_m: float = 700.0) -> pd.DataFrame:
        """Return the craters whose centre lies on a grid: what was built, largest first.

        Columns: id, name ('' if random), lon_deg, lat_deg, x_m, y_m (map), diameter_m (true), depth_m (rim to floor as
        built, before younger craters), degradation (0 fresh .. 1 gone).
        """
        self._check(grid)
        bounds = grid.bounds_m
        small = small_craters(
            bounds,
            seed=self.seed,
            pole=self.pole,
            density=self.density,
            min_diameter_m=min_crater_diameter_m,
            margin=0.0,
        )
        craters = join([self.craters, small])
        names = np.array([*self.names, *[""] * len(small)], dtype=object)
        kept = grid.contains(craters.x_m, craters.y_m) & (craters.diameter_m >= min_crater_diameter_m)
        kept[: len(self.craters)] |= grid.contains(self.craters.x_m, self.craters.y_m)
        craters, names = craters.take(kept), names[kept]
        order = np.lexsort((craters.x_m, craters.y_m, -craters.diameter_m))
        craters, names = craters.take(order), names[order]
        lon_deg, lat_deg = xy_to_lonlat(craters.x_m, craters.y_m, self.pole)
        return pd.DataFrame(
            {
                "id": np.arange(len(craters), dtype=np.int64),
                "name": names,
                "lon_deg": lon_deg,
                "lat_deg": lat_deg,
                "x_m": craters.x_m,
                "y_m": craters.y_m,
                "diameter_m": craters.diameter_m,
                "depth_m": craters.depth_m,
                "degradation": np.maximum(1.0 - craters.freshness, 0.0),
            }
        )

    def ground_table(self) -> pd.DataFrame:
        """Return the high ground that was built gentle.

        Columns: name, kind, lon_deg, lat_deg, x_m, y_m, diameter_m (of the summit), height_m (of its middle).
        """
        massifs = self.events[self.events[:, ev.KIND] == ev.MASSIF]
        return pd.DataFrame(
            {
                "name": np.array([feature.name for feature in self.ground], dtype=object),
                "kind": np.array([feature.kind for feature in self.ground], dtype=object),
                "lon_deg": np.array([feature.lon_deg for feature in self.ground]),
                "lat_deg": np.array([feature.lat_deg for feature in self.ground]),
                "x_m": massifs[:, ev.X],
                "y_m": massifs[:, ev.Y],
                "diameter_m": 2.0 * massifs[:, ev.RADIUS],
                "height_m": massifs[:, ev.BASE] + massifs[:, ev.SIZE],
            }
        )

    def _check(self, grid: Grid) -> None:
        if grid.pole != self.pole:
            raise SyntheticError(f"grid.pole is {grid.pole!r}, but this Moon was built for the {self.pole} pole")
        reach = max(abs(bound) for bound in grid.bounds_m)
        if reach > HALF_WIDTH_M:
            raise SyntheticError(
                f"the grid reaches {reach:g} m from the pole's axes, the synthetic Moon ends at {HALF_WIDTH_M:g} m:"
                " lower grid.half_width_m or grid.far_half_width_m"
            )

    def _block(self, x_m: Floats, y_m: Floats, pixel_m: float, smallest_m: float) -> Floats:
        block = self._basin_step(x_m[None, :], y_m[:, None])
        for octave, (spacing_m, rms) in enumerate(_OLD_OCTAVES):
            add_octave(block, x_m, y_m, seed=self.seed, stream=_STREAM_OLD, octave=octave, spacing_m=spacing_m, rms=rms)
        warp = np.zeros((2, *block.shape))
        for axis, octave, spacing_m, rms in _WARP_OCTAVES:
            add_octave(
                warp[axis], x_m, y_m, seed=self.seed, stream=_STREAM_WARP, octave=octave, spacing_m=spacing_m, rms=rms
            )
        ev.act(self.events, self.profiles, x_m, y_m, (warp[0], warp[1]), block)
        bounds = (x_m[0], y_m[-1], x_m[-1], y_m[0])
        young = self._young_relief(x_m, y_m, pixel_m) * _rougher_uphill(block)
        small = small_craters(
            bounds, seed=self.seed, pole=self.pole, density=self.density, min_diameter_m=smallest_m, margin=REACH
        )
        ev.add_simple(small, self.profiles, x_m, y_m, block)
        return block + young

    def _young_relief(self, x_m: Floats, y_m: Floats, pixel_m: float) -> Floats:
        rough, fine, patches = np.zeros((3, y_m.size, x_m.size))
        for octave, (spacing_m, rms) in enumerate(_young_octaves(pixel_m)):
            out = fine if spacing_m <= _CALMED_SPACING_M else rough
            add_octave(out, x_m, y_m, seed=self.seed, stream=_STREAM_YOUNG, octave=octave, spacing_m=spacing_m, rms=rms)
        add_octave(
            patches,
            x_m,
            y_m,
            seed=self.seed,
            stream=_STREAM_PATCH,
            octave=0,
            spacing_m=_PATCH_SPACING_M,
            rms=_PATCH_LOG_RMS,
        )
        fine *= ev.calm(_floors(self.events), x_m, y_m)
        summits = ev.calm(_summits(self.events), x_m, y_m)
        return np.asarray((rough + fine) * summits * np.exp(patches - _PATCH_LOG_RMS**2))

    def _old_relief_at(self, x_m: Floats, y_m: Floats) -> Floats:
        """Heights before the first event and both components of the warp at single places, (3, n)."""
        out = np.zeros((3, x_m.size))
        out[0] = self._basin_step(x_m, y_m)
        fields: list[tuple[int, int, int, float, float]] = [
            (0, _STREAM_OLD, octave, spacing_m, rms) for octave, (spacing_m, rms) in enumerate(_OLD_OCTAVES)
        ]
        fields += [(1 + axis, _STREAM_WARP, octave, spacing_m, rms) for axis, octave, spacing_m, rms in _WARP_OCTAVES]
        for which, stream, octave, spacing_m, rms in fields:
            add_octave_at(
                out[which], x_m, y_m, seed=self.seed, stream=stream, octave=octave, spacing_m=spacing_m, rms=rms
            )
        return out

    def _basin_step(self, x_m: Floats, y_m: Floats) -> Floats:
        lon, lat = (np.radians(angle) for angle in xy_to_lonlat(x_m, y_m, self.pole))
        step = np.zeros(lon.shape)
        for basin in self.basins:
            lon0, lat0 = math.radians(basin.lon_deg), math.radians(basin.lat_deg)
            cosine = np.sin(lat) * math.sin(lat0) + np.cos(lat) * math.cos(lat0) * np.cos(lon - lon0)
            radius_deg = math.degrees(0.5 * basin.diameter_m / MOON_RADIUS_M)
            from_rim = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) - _BASIN_RIM_SHARE * radius_deg
            step += _BASIN_MEAN_M + 0.5 * basin.relief_m * np.tanh(from_rim / (_BASIN_WIDTH_SHARE * radius_deg))
        return step


def _rougher_uphill(heights_m: Floats) -> Floats:
    """Return how much rougher high ground is than ground at the datum."""
    return np.asarray(np.exp(_ROUGHER_PER_KM * np.clip(heights_m / 1000.0, -_ROUGHER_WITHIN_KM, _ROUGHER_WITHIN_KM)))


def _young_octaves(pixel_m: float) -> list[tuple[float, float]]:
    """Octaves of the young relief that a pixel size shows."""
    octaves = list(_YOUNG_OCTAVES)
    while 0.5 * octaves[-1][0] >= _FINEST_M:
        octaves.append((0.5 * octaves[-1][0], octaves[-1][1] * 0.5**_HURST))
    return [octave for octave in octaves if octave[0] >= pixel_m]


def _floors(events: Floats) -> Floats:
    """Return where short waves of young relief are subdued: the flat floors of large craters (see `events.calm`)."""
    floors = events[(events[:, ev.KIND] == ev.IMPACT) & (events[:, ev.RADIUS] >= _SMOOTH_FLOOR_RADIUS_M)]
    shares = np.array([floor_share(2.0 * radius_m) for radius_m in floors[:, ev.RADIUS]])
    edge_m = floors[:, ev.SCALE] * floors[:, ev.RADIUS] * shares
    return np.column_stack([floors[:, [ev.X, ev.Y]], 0.8 * edge_m, 1.3 * edge_m, np.full(len(floors), _CALM_FLOOR)])


def _summits(events: Floats) -> Floats:
    """Return where all young relief is subdued: the summits that were built gentle (see `events.calm`)."""
    summits = events[(events[:, ev.KIND] == ev.MASSIF) & (events[:, ev.RADIUS] <= 0.5 * _PLATEAU_M)]
    edge_m = summits[:, ev.SCALE] * summits[:, ev.RADIUS]
    return np.column_stack([summits[:, [ev.X, ev.Y]], edge_m, 2.5 * edge_m, np.full(len(summits), _CALM_SUMMIT)])


def _impacts(craters: Craters, profiles: ProfileTable) -> Floats:
    events = np.zeros((len(craters), ev.COLUMNS))
    events[:, ev.KIND] = ev.IMPACT
    events[:, ev.X], events[:, ev.Y] = craters.x_m, craters.y_m
    events[:, ev.SCALE] = scale_factor(craters.x_m, craters.y_m)
    events[:, ev.RADIUS] = 0.5 * craters.diameter_m
    events[:, ev.OUTER] = REACH * 0.5 * craters.diameter_m
    events[:, ev.LEVEL] = ev.levels(profiles, craters.freshness)
    events[:, ev.NODE] = np.argmin(np.abs(np.log(craters.diameter_m)[:, None] - profiles.log_diameter), axis=1)
    # A few craters, Shackleton among them, are deeper than the rule for fresh ones.
    events[:, ev.SIZE] = craters.diameter_m * np.maximum(craters.freshness, 1.0)
    events[:, ev.WARP] = np.minimum(craters.diameter_m / _WARP_DIAMETER_M, _WARP_MOST)
    return events


def _massifs(ground: tuple[Feature, ...], pole: Pole) -> Floats:
    events = np.zeros((len(ground), ev.COLUMNS))
    for event, feature in zip(events, ground, strict=True):
        event[ev.KIND] = ev.MASSIF
        event[ev.X], event[ev.Y] = lonlat_to_xy(feature.lon_deg, feature.lat_deg, pole)
        event[ev.SCALE] = scale_factor(event[ev.X], event[ev.Y])
        event[ev.RADIUS] = 0.5 * feature.diameter_m
        event[ev.OUTER] = event[ev.RADIUS] + max(1.5 * feature.relief_m / _FLANK_SLOPE, event[ev.RADIUS])
        event[ev.LEVEL] = _KEPT_BY_PLATEAU if feature.diameter_m > _PLATEAU_M else _KEPT_BY_SUMMIT
        event[ev.SIZE] = feature.relief_m
        event[ev.WARP] = min(2.0 * event[ev.OUTER] / _WARP_DIAMETER_M, _WARP_MOST)
    return events


def _roughen(events: Floats, seed: int) -> None:
    """Give each event an irregular outline."""
    rng = np.random.default_rng([seed, _STREAM_OUTLINE])
    rms = np.array([_OUTLINE_RMS[int(kind)] for kind in events[:, ev.KIND]])
    events[:, ev.HARMONICS :] = np.clip(rng.standard_normal((len(events), 8)), -1.5, 1.5) * rms[:, None]
    events[:, ev.HARMONICS :] /= np.repeat(np.sqrt(np.arange(1.0, 5.0)), 2)
