"""What serves as a scene, and the ground's texture."""

from __future__ import annotations

import numpy as np
import pytest

from lunarsite.illumination.light.scenes import LEAST_SCATTERED, of_models, serves, texture

from .grounds import model

SHAPE = (64, 64)


def test_texture_has_the_spread_that_was_asked_for_and_is_smooth() -> None:
    albedo = texture(SHAPE, 0.06, np.random.default_rng(1))
    assert albedo.mean() == pytest.approx(1.0, abs=1e-3)
    assert albedo.std() == pytest.approx(0.06, rel=0.02)
    assert np.abs(np.diff(albedo, axis=0)).mean() < 0.5 * albedo.std()
    np.testing.assert_array_equal(albedo, texture(SHAPE, 0.06, np.random.default_rng(1)))
    assert (texture(SHAPE, 0.0, np.random.default_rng(1)) == 1.0).all()
    assert texture(SHAPE, 0.5, np.random.default_rng(1)).min() >= np.float32(1.0 / 3.0)


def test_scenes_need_shadow_and_light_in_it() -> None:
    dim, sunlit = np.full(SHAPE, 1e-5, np.float32), np.full(SHAPE, 0.05, np.float32)
    dark, half = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    half[:, :40] = 0.3
    assert serves(dim, sunlit, dark, 0.5)
    assert not serves(dim, sunlit, half, 0.5)
    assert serves(dim, sunlit, half, 0.3)
    assert not serves(dim, sunlit, np.ones(SHAPE, np.float32), 0.0)
    assert not serves(np.full(SHAPE, 0.9 * LEAST_SCATTERED, np.float32), sunlit, dark, 0.5)
    assert not serves(dim, 0.0 * sunlit, dark, 0.5)


def test_models_lie_over_each_other_by_pixel_size_and_a_place_sees_its_own_on_top() -> None:
    far, own, fine, finer = (model(lambda x, y: 0.0 * x, pixel, 8) for pixel in (480.0, 240.0, 40.0, 5.0))
    ground = of_models(far, own, [finer, fine], ["dem", "five", "forty"])
    assert [m.grid.pixel_m for m in ground.models] == [480.0, 240.0, 40.0, 5.0]
    assert [ground.names[k] for k in ground.drawn] == ["dem", "forty", "five"]
    assert [m.grid.pixel_m for m in ground.under(ground.own)] == [480.0, 240.0]
    assert [m.grid.pixel_m for m in ground.under(2)] == [480.0, 240.0, 40.0]
    assert ground.under(2)[-1] is fine
    assert of_models(None, own, [], ["dem"]).drawn == (0,)
