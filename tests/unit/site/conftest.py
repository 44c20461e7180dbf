"""A small table of cells with labels that a rule would give."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from lunarsite.artefact.contracts import CELLS
from lunarsite.grid import Cells, Grid
from lunarsite.settings import RulesSettings, ScorerSettings
from lunarsite.site.rules import labels, rule_inputs

PLACES = Cells(Grid.centred(48_000.0, 960.0, 960.0), 960.0, 88.6)


def table_of_cells(seed: int = 0) -> gpd.GeoDataFrame:
    """Return some 6 000 cells of smooth random features."""
    draws = np.random.default_rng(seed)
    x_m, y_m = PLACES.centres_m()
    lon_deg, lat_deg = PLACES.centres_lonlat()
    frame = pd.DataFrame(index=range(PLACES.count), columns=[column.name for column in CELLS.columns])
    frame["cell_id"], frame["lon"], frame["lat"] = np.arange(PLACES.count), lon_deg, lat_deg
    frame["x_m"], frame["y_m"] = x_m, y_m
    for column in CELLS.columns[5:-2]:
        waves = draws.uniform(-1, 1, (3, 2)) / 6_000.0
        wave = sum(np.sin(kx * x_m + ky * y_m + draws.uniform(0, 6)) for kx, ky in waves)
        noise = draws.normal(0.0, 0.3, PLACES.count)
        frame[column.name] = (50.0 + 12.0 * (wave + noise)).clip(0, 100).astype(np.float32)
    frame["slope_mean"] = (frame["slope_mean"] / 10.0).astype(np.float32)
    frame["buffered_slope_deg"] = frame["slope_mean"]
    frame["psr_fraction"] = frame["valid_fraction"] = np.float32(1.0)
    rules = RulesSettings()
    frame["label_cassa"] = labels(frame, rules.cassa, "cassa")
    frame["label_hls"] = labels(frame, rules.hls, "hls")
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(x_m, y_m))


@pytest.fixture
def cells() -> gpd.GeoDataFrame:
    return table_of_cells()


def table_of_labels(cells: pd.DataFrame, sigma: tuple[float, float, float] = (0.5, 2.9, 5.0)) -> pd.DataFrame:
    """Return both rules' labels and probabilities: each input with an independent Gaussian error of that sigma."""
    rules = RulesSettings()
    parts = []
    for name, rule in (("cassa", rules.cassa), ("hls", rules.hls)):
        slope_deg, light_pct, earth_pct = (cells[column] for column in rule_inputs(name, rule))
        probability = (
            norm.cdf((rule.max_slope_deg - slope_deg) / sigma[0])
            * norm.cdf((light_pct - rule.min_illumination_pct) / sigma[1])
            * norm.cdf((earth_pct - rule.min_earth_visibility_pct) / sigma[2])
        )
        part = pd.DataFrame({"cell_id": cells["cell_id"], "rule": name, "label": cells[f"label_{name}"]})
        part["probability"] = np.where(part["label"] == "unknown", np.nan, probability).astype(np.float32)
        part["slope_mean_deg"] = slope_deg.astype(np.float32)
        part["slope_sigma_deg"] = np.float32(sigma[0])
        part["unknown_because"] = np.where(part["label"] == "unknown", "light", "")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def labelled(cells: gpd.GeoDataFrame) -> pd.DataFrame:
    return table_of_labels(cells)


@pytest.fixture
def small() -> ScorerSettings:
    return ScorerSettings(trees=30, max_depth=4)
