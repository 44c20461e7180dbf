"""Who could have been chosen, and in which order the plain rule chooses: the rule is the site's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lunarsite.settings import RulesSettings
from lunarsite.site import rules
from lunarsite.validate.population import Population, _population

from .places import CELLS

RULES = RulesSettings()


def read(target: rules.Target) -> tuple[Population, pd.DataFrame]:
    """A population of made-up cells, a tenth of them without light, and the cells that are known."""
    draws = np.random.default_rng(3)
    cells = pd.DataFrame(
        {
            "slope_mean": draws.uniform(0.0, 20.0, CELLS.count),
            "buffered_slope_deg": draws.uniform(0.0, 20.0, CELLS.count),
            "avg_illumination_pct": draws.uniform(0.0, 100.0, CELLS.count),
            "earth_visibility_pct": draws.uniform(0.0, 100.0, CELLS.count),
        }
    )
    cells.loc[::10, "avg_illumination_pct"] = np.nan
    rank = draws.permutation(CELLS.count) + 1
    scores = pd.DataFrame({"label": "unsuitable", "rank": np.where(cells["avg_illumination_pct"].isna(), 0, rank)})
    rule = RULES.cassa if target == "cassa" else RULES.hls
    return _population(CELLS, scores, cells, rule, target), cells.dropna()


@pytest.mark.parametrize("target", ["cassa", "hls"])
def test_the_plain_rule_chooses_by_the_sites_margin(target: rules.Target) -> None:
    found, known = read(target)
    assert found.count == len(known) < found.cells
    margin = rules.rule_margin(known, RULES.cassa if target == "cassa" else RULES.hls, target)
    assert (np.diff(margin[found.by_rule]) <= 0.0).all()
    assert (np.diff(found.rank[found.by_score]) > 0).all()


def test_there_is_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    buffered = read("cassa")[1]["buffered_slope_deg"].to_numpy()
    monkeypatch.setitem(rules.SLOPE_COLUMN, "cassa", "buffered_slope_deg")
    assert buffered[read("cassa")[0].by_rule[:20]].max() < RULES.cassa.max_slope_deg
