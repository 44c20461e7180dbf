"""Who could have been chosen, and in which order the plain rule chooses: the rule is the site's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import ArtefactError, table
from lunarsite.artefact.contracts import LABELS
from lunarsite.artefact.stamp import Stamp
from lunarsite.settings import RuleSettings, RulesSettings
from lunarsite.site import rules
from lunarsite.validate.population import Population, _population, read_labels

from .places import CELLS

RULES = RulesSettings(
    own={"gentle": RuleSettings(max_slope_deg=3.0, min_illumination_pct=40.0, min_earth_visibility_pct=0.0)}
)


def made() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Made-up cells, a tenth of them without light; their probabilities in ten steps; and their ranks."""
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
    unknown = cells["avg_illumination_pct"].isna()
    probability = np.where(unknown, np.nan, draws.integers(0, 10, CELLS.count) / 10)
    labels = pd.DataFrame({"label": np.where(probability >= 0.5, "suitable", "unsuitable"), "probability": probability})
    return cells, labels, np.where(unknown, 0, draws.permutation(CELLS.count) + 1)


def read(target: rules.Target, *, scored: bool = True) -> tuple[Population, pd.DataFrame]:
    """The population of one rule, and the cells that are known."""
    cells, labels, rank = made()
    found = _population(CELLS, rank if scored else None, cells, labels, RULES.named()[target], target)
    return found, cells.dropna()


@pytest.mark.parametrize("target", ["cassa", "hls", "gentle"])
def test_the_plain_rule_chooses_by_the_sites_margin(target: rules.Target) -> None:
    found, known = read(target)
    assert found.count == len(known) < found.cells
    margin = rules.rule_margin({name: known[name].to_numpy() for name in known}, RULES.named()[target], target)
    assert (np.diff(margin[found.by_rule]) <= 0.0).all()
    np.testing.assert_array_equal(found.margins.min(axis=0), margin)
    assert found.rank is not None
    assert (np.diff(found.rank[found.by_score]) > 0).all()


def test_equal_probabilities_go_by_the_margin() -> None:
    found, known = read("cassa")
    probability = made()[1]["probability"].dropna().to_numpy()[found.by_probability]
    margin = found.margins.min(axis=0)[found.by_probability]
    assert (np.diff(probability) <= 0.0).all()
    for step in np.unique(probability):
        assert (np.diff(margin[probability == step]) <= 0.0).all()
    assert np.array_equal(np.sort(found.by_probability), np.arange(len(known)))


def test_a_known_cell_without_a_probability_is_not_among_the_probable() -> None:
    cells, labels, rank = made()
    labels.loc[1, "probability"] = np.nan
    found = _population(CELLS, rank, cells, labels, RULES.cassa, "cassa")
    assert (found.count, found.by_probability.size) == (len(cells.dropna()), len(cells.dropna()) - 1)


def test_a_rule_without_a_score_has_no_ranks() -> None:
    found, known = read("hls", scored=False)
    assert (found.count, found.rank, found.by_score) == (len(known), None, None)


def test_there_is_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    buffered = read("cassa")[1]["buffered_slope_deg"].to_numpy()
    monkeypatch.setitem(rules.SLOPE_COLUMN, "cassa", "buffered_slope_deg")
    assert buffered[read("cassa")[0].by_rule[:20]].max() < RULES.cassa.max_slope_deg


def write_labels(path: Path, rule: str, count: int) -> None:
    labels = pd.DataFrame({"cell_id": np.arange(count), "rule": rule, "label": "suitable"}).assign(
        **dict.fromkeys(("probability", "slope_mean_deg", "slope_sigma_deg"), np.float32(1.0)), unknown_because=""
    )
    stamp = Stamp.model_validate(
        {
            "artefact": "labels",
            "stage": "label-labels",
            "run": "made",
            "settings_hash": "5" * 64,
            "code": "c" * 16,
            "inputs": {"dem": "d" * 64},
            "git_commit": None,
            "git_dirty": None,
            "seed": 1,
            "origin": "local",
        }
    )
    table.write(path, LABELS, labels, stamp)


def test_labels_of_another_rule_or_grid_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    write_labels(path, "cassa", CELLS.count)
    assert len(read_labels(path, "cassa", CELLS)) == CELLS.count
    with pytest.raises(ArtefactError, match=r"labels.parquet: has no labels of the rule 'hls', only of \['cassa'\]"):
        read_labels(path, "hls", CELLS)
    write_labels(path, "cassa", 7)
    with pytest.raises(ArtefactError, match="its 7 cells are not the 28244 of the run's grid"):
        read_labels(path, "cassa", CELLS)
