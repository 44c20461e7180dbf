"""A small Moon, built once per test process."""

from pathlib import Path

import pytest

from lunarsite.grid import Grid
from lunarsite.source.features import Feature, read_features
from lunarsite.source.synthetic import SyntheticMoon

FEATURES = Path(__file__).parents[3] / "resources" / "named_features.csv"


@pytest.fixture(scope="session")
def features() -> tuple[Feature, ...]:
    return read_features(FEATURES)


@pytest.fixture(scope="session")
def moon(features: tuple[Feature, ...]) -> SyntheticMoon:
    return SyntheticMoon.build(features, seed=7)


@pytest.fixture(scope="session")
def small_grid() -> Grid:
    return Grid(-24_000.0, 24_000.0, 240.0, 200, 200)
