"""Every name that the records of rocks write has words; the training's are asked for where one is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lunarsite.artefact.model import Card
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.rock import (
    RockAblationSettings,
    RockHazardSettings,
    RockLearningSettings,
    RockReferenceSettings,
    RockSplitSettings,
)
from lunarsite.stage import Job
from lunarsite.validate.enhance_intervals import estimate
from lunarsite.validate.rock import Files, measure
from lunarsite.validate.rock_doubts import Kinds
from lunarsite.validate.rock_groups import OWN
from lunarsite.validate.rock_hazards import DIAMETERS_M, Sizes
from lunarsite.validate.rock_record import Evidence, _metrics
from lunarsite.vision.rock.ablation import variants
from lunarsite.vision.rock.ablation_record import GROUPS, Measured, Variant, judged
from tests.unit.validate.made_rocks import KnowsGreys, write_rocks

from .rock_names import without_words


def test_every_name_of_the_ablation_has_words() -> None:
    scenes = dict.fromkeys(GROUPS, tuple("abcdef"))
    right, wrong = np.eye(4), np.roll(np.eye(4), 1, axis=1)
    names = [variant for variant, _ in variants(RockLearningSettings(), RockAblationSettings().variants, own=True)]
    entries = []
    for place, variant in enumerate([Variant("no rocks", "", trained=False), *names]):
        share = 0.3 + 0.1 * place
        # The best of all has labels: claims are then over each that has none.
        share -= 0.2 * (variant.photographs != "pictures and labels")
        counts = np.broadcast_to(share * right + (1.0 - share) * wrong, (2, 6, 4, 4))
        entries.append(Measured(variant, dict.fromkeys(scenes, counts)))
    told = judged(entries, scenes, RockAblationSettings(seeds=2, draws=100), "", 1.0)
    assert {"photograph_gain_over_geometry", "photograph_gain_over_style"} <= {one.name for one in told.metrics}
    assert told.tables["photograph_gains"]
    assert without_words(told) == []


def test_every_name_of_the_validation_has_words(tmp_path: Path) -> None:
    write_rocks(tmp_path / "dataset.h5", 8, 5)
    write_rocks(tmp_path / "own.h5", 4, stage="rock-render", prefix="lunarsite_1_")
    none = dict.fromkeys(("truth", "sizes", "lit_scenes", "orbital", "ablation"))
    files = Files((tmp_path / "dataset.h5", tmp_path / "own.h5"), Path("model"), **none)  # type: ignore[arg-type]
    card = Card(spec={}, inputs=("red",), training={"seen": []})
    settings = RockSplitSettings(test_share=0.4), RockReferenceSettings(draws=100), RockHazardSettings()
    job = Job("validate-rock", "default", "code", "settings", origin="local", git=(None, None))
    told = measure(job, KnowsGreys(), card, settings, files)[0]
    assert {"miou_held_out_renders", "miou_own_renders", "miou_photographs"} <= {one.name for one in told.metrics}
    assert {"called_rocky_share", "rocky_share", "safe_called_share"} <= {one.name for one in told.metrics}
    assert told.tables["safe_discs"]
    assert without_words(told) == []
    counted = [estimate(0.1, np.full(9, 0.1))] * len(DIAMETERS_M)
    found = _metrics(Evidence([], Kinds({}, OWN, []), KnowsGreys(), Sizes(counted, counted, 3, 2), None, None))
    assert {one.name for one in found} == {"unfamiliarity_limit", "rocks_true", "rocks_found"}
    assert without_words(Record(title="", metrics=tuple(found))) == []


def test_names_without_words_are_found() -> None:
    odd = Record(
        title="",
        metrics=(Metric(name="no_such", value=1.0),),
        verdicts=(Verdict(name="no_claim", value=None, bound="", holds=None, why="made up"),),
        tables={"none": [{"miou": 1.0, "miou_low": 0.0, "odd_low": 1.0}], "reliability": [{"bin": 1}]},
    )
    assert without_words(odd) == ["metric no_such", "verdict no_claim", "table none", "column none.odd_low"]
