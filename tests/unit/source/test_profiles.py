import numpy as np
import pytest

from lunarsite.source.profiles import (
    REACH,
    build_profiles,
    complex_profile,
    fresh_depth_m,
    simple_profile,
)

PROFILES = build_profiles()
X = np.linspace(0.0, REACH, PROFILES.height.shape[2])


def relief(profile: np.ndarray) -> float:
    return float(profile[(X > 0.7) & (X < 1.6)].max() - profile[X < 1.0].min())


def test_simple_profile_is_the_published_one() -> None:
    assert simple_profile(np.array([0.0, 0.1]))[0] == -0.181
    assert simple_profile(np.array([0.98]))[0] == pytest.approx(0.0368, abs=2e-4)
    # Continuous where its pieces meet.
    assert np.abs(np.diff(simple_profile(np.linspace(0, 1.6, 16_001)))).max() < 2e-3


@pytest.mark.parametrize("diameter_m", [20e3, 50e3, 100e3])
def test_complex_profile_has_the_published_dimensions(diameter_m: float) -> None:
    profile, size_km = complex_profile(X, diameter_m) * diameter_m, diameter_m / 1e3
    assert profile.max() == pytest.approx(236.0 * size_km**0.399, rel=0.02)
    floor = profile[(X > 0.2) & (X < 0.3)].min()
    assert profile.max() - floor == pytest.approx(1044.0 * size_km**0.301, rel=0.03)
    assert profile[0] - floor == pytest.approx(32.0 * size_km**0.9, rel=0.05)


def test_depth_is_what_is_asked_for() -> None:
    for node, log_diameter in enumerate(PROFILES.log_diameter):
        fresh = relief(PROFILES.height[node, -1])
        assert fresh == pytest.approx(float(fresh_depth_m(np.exp(log_diameter))) / np.exp(log_diameter), rel=0.06)
        for level, freshness in enumerate(PROFILES.freshness):
            assert relief(PROFILES.height[node, level]) == pytest.approx(freshness * fresh, rel=1e-6)


def test_wear_rounds_the_crest() -> None:
    fresh, worn = PROFILES.height[0, -1], PROFILES.height[0, 6]
    sharpness = [np.abs(np.diff(profile, 2)).max() / relief(profile) for profile in (fresh, worn)]
    assert sharpness[1] < 0.2 * sharpness[0]


def test_flat_floors_are_complex_craters_mark() -> None:
    bowl, floor = PROFILES.height[0, -1], PROFILES.height[8, -1]
    assert abs(floor[X <= 0.45][-1] - floor[X <= 0.3][-1]) < 0.01 * relief(floor)
    assert abs(bowl[X <= 0.45][-1] - bowl[X <= 0.3][-1]) > 0.1 * relief(bowl)


def test_relief_ends_at_the_reach() -> None:
    assert np.abs(PROFILES.height[:, :, -1]).max() < 1e-9
