from __future__ import annotations

import pytest

from lunarsite.artefact.record import Record
from lunarsite.publish import compose
from lunarsite.settings import RulesSettings


@pytest.mark.parametrize(("pixel_m", "words"), [(240.0, "mean slope (buffer not resolved)"), (20.0, "as before")])
def test_a_rule_whose_buffer_is_not_resolved_reads_the_mean_slope(pixel_m: float, words: str) -> None:
    rows = [{"rule": "cassa", "slope": "slope_mean"}, {"rule": "hls", "slope": "as before"}]
    found = compose.slopes_read(Record(title="x", tables={"rules": rows, "other": []}), RulesSettings(), pixel_m)
    assert [row["slope"] for row in found.tables["rules"]] == ["slope_mean", words]
    assert "other" in found.tables
