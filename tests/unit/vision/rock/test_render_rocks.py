"""How many rocks there are, and that a rock of diameter 1 is as wide as that."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lunarsite.vision.rock.render.rocks import (
    LEAST_M,
    MOST_M,
    RenderError,
    ball,
    mean_width,
    per_m2,
    population,
    shapes,
    surface,
)


def test_rocks_cover_the_share_that_the_law_says() -> None:
    share = 0.05
    edges = np.geomspace(LEAST_M, MOST_M, 20_001)
    middle = np.sqrt(edges[1:] * edges[:-1])
    covered = (per_m2(middle, share) * np.diff(edges) * math.pi * middle**2 / 4.0).sum()
    q = 1.79 + 0.152 / share
    assert covered == pytest.approx(share * (math.exp(-q * LEAST_M) - math.exp(-q * MOST_M)), rel=1e-5)


def test_population_has_the_density_of_the_law() -> None:
    share, focal_px, farthest = 0.08, 300.0, 40.0
    found = population(share, focal_px, farthest, np.random.default_rng(0))
    distance = np.hypot(*found.place.T)
    assert (distance <= np.minimum(1.5 * 1.011 * focal_px * found.diameter, farthest)).all()
    edges = np.geomspace(0.2, MOST_M, 2_001)
    per_area = (per_m2(np.sqrt(edges[1:] * edges[:-1]), share) * np.diff(edges)).sum()
    # Rocks of 20 cm and more are all there up to 40 m.
    expected = per_area * math.pi * farthest**2
    assert (found.diameter >= 0.2).sum() == pytest.approx(expected, abs=4.0 * math.sqrt(expected))
    assert found.diameter.min() >= LEAST_M
    assert found.diameter.max() <= MOST_M


def test_no_rocks_and_too_many() -> None:
    assert len(population(0.0, 300.0, 100.0, np.random.default_rng(0))) == 0
    with pytest.raises(RenderError, match="field_of_view_deg larger"):
        population(0.2, 20_000.0, 20_000.0, np.random.default_rng(0))


def test_shapes_are_as_wide_and_as_high_as_they_say() -> None:
    forms = shapes(np.random.default_rng(5), 6)
    for frame, planes, lift, top, radius in zip(
        forms.frames, forms.planes, forms.lift, forms.top, forms.radius, strict=True
    ):
        points = surface(frame, planes, 40_000) + np.array([0.0, 0.0, lift])
        out = points[points[:, 2] >= 0.0]
        assert mean_width(out) == pytest.approx(1.0, rel=0.03)
        assert out[:, 2].max() == pytest.approx(top, rel=0.05)
        assert np.linalg.norm(points - [0.0, 0.0, lift], axis=1).max() <= radius
        # Every point lies on the cut sphere: within all planes, and on one of them or on the sphere.
        inner = (points - [0.0, 0.0, lift]) @ frame.T
        room = np.column_stack([planes[:, 3] - inner @ planes[:, :3].T, 1.0 - np.linalg.norm(inner, axis=1)])
        assert room.min() == pytest.approx(0.0, abs=1e-9)
        assert np.allclose(room.min(axis=1), 0.0, atol=1e-9)


def test_a_ball_is_one() -> None:
    forms = ball(0.5)
    points = surface(forms.frames[0], forms.planes[0], 2_000)
    assert np.allclose(np.linalg.norm(points, axis=1), 0.5)
    assert mean_width(points) == pytest.approx(1.0, rel=0.01)
