"""Light on a frame's own pixels."""

from __future__ import annotations

import numpy as np

from lunarsite.grid import Grid
from lunarsite.illumination.light.frames import frame_light
from lunarsite.illumination.light.moment import Sun
from lunarsite.illumination.light.nested import nested
from lunarsite.illumination.light.render import render

from .grounds import model, relief

SUN = Sun(50.0, -1.4)
GROUND = relief(512, 100.0, 23)


def test_a_frame_is_lit_as_one_tile_would_be() -> None:
    frame = Grid(-16_000.0, 9_000.0, 60.0, 300, 520)
    valid = np.zeros(frame.shape, np.bool_)
    valid[20:280, 180:330] = True
    light = frame_light([GROUND], frame, valid, SUN, directions=8, reach_m=5_000.0)
    assert light.dem_pixel_m == 100.0
    part = Grid(-16_000.0 + 180 * 60.0, 9_000.0 - 20 * 60.0, 60.0, 260, 150)
    whole = render(nested([GROUND], part), [SUN], directions=8, reach_m=5_000.0)
    inside = light.sun_fraction[20:280, 180:330]
    assert 0.02 < (inside == 0.0).mean() < 0.98
    # Where tiles meet, far ground is read at other pixels.
    assert (np.abs(inside - whole.sun_fraction[0]) < 0.05).mean() > 0.99
    scattered = light.scattered[20:280, 180:330]
    assert np.corrcoef(scattered.ravel(), whole.scattered[0].ravel())[0, 1] > 0.995
    outside = ~valid
    assert np.isnan(light.sun_fraction[outside]).all()
    np.testing.assert_array_less(light.scattered[valid] - 1e-9, light.sunlit[valid])


def test_finer_ground_counts_and_beyond_all_ground_light_is_unknown() -> None:
    fine = model(lambda x, y: 0.0 * x, 40.0, 150)
    frame = Grid(-30_000.0, 1_500.0, 60.0, 50, 1_000)
    light = frame_light([GROUND, fine], frame, np.ones(frame.shape, np.bool_), SUN, directions=8, reach_m=2_000.0)
    assert light.dem_pixel_m == 100.0
    assert np.isnan(light.sun_fraction[:, :60]).all()
    assert np.isfinite(light.sun_fraction[:, 500]).all()
    near = Grid(-1_000.0, 1_000.0, 60.0, 32, 32)
    light = frame_light([GROUND, fine], near, np.ones(near.shape, np.bool_), SUN, directions=8, reach_m=2_000.0)
    assert light.dem_pixel_m == 40.0
    far = Grid(300_000.0, 0.0, 60.0, 32, 32)
    light = frame_light([GROUND], far, np.ones(far.shape, np.bool_), SUN, directions=8, reach_m=2_000.0)
    assert np.isnan(light.dem_pixel_m)
    assert np.isnan(light.sunlit).all()
