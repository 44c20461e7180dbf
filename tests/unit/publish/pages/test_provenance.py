from __future__ import annotations

import pytest

from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.pages.provenance import ancestors, lineage_table


def stamp(stage: str, **inputs: str) -> Stamp:
    return Stamp(
        artefact="x", stage=stage, run="a", settings_hash="5" * 64, code="c" * 16, git_commit=None, git_dirty=None,
        seed=1, origin="local", inputs={name.replace("__", "[") + ("]" if "__" in name else ""): digest
        for name, digest in inputs.items()},
    )  # fmt: skip


DIGESTS = {"dem": "d", "sun_any": "s", "labels": "l", "scores": "o"}
STAMPS = {
    "dem": stamp("source-local", dem_file="f", far_dem_file="g"),
    "sun_any": stamp("illumination-gather", partials__0="p", partials__1="q"),
    "labels": stamp("label-labels", clones__0="k"),
    "scores": stamp("score-train", partials__0="p"),
}
SWEPT = "sums over directions, swept over the elevation models (temporary files)"


def test_the_chain_of_light_goes_on_behind_its_temporary_files() -> None:
    assert ancestors("sun_any", STAMPS, DIGESTS) == [SWEPT, "dem", "dem file", "far dem file"]
    rows = {row[0]: row for row in lineage_table(STAMPS, DIGESTS).rows}
    assert rows["sun any"][2:4] == (SWEPT, "dem, dem file, far dem file")
    assert rows["labels"][2].startswith("slopes of clones")
    assert rows["labels"][3] == "dem, dem file, far dem file"


def test_a_wider_elevation_model_is_named_only_where_a_stage_read_one() -> None:
    read = {**STAMPS, "profiles": stamp("illumination-sites", dem="d", far_dem="w")}
    assert ancestors("sun_any", read, DIGESTS)[:3] == [SWEPT, "dem", "far dem"]


@pytest.mark.parametrize("name", ["scores"])
def test_another_stage_may_call_its_inputs_the_same(name: str) -> None:
    assert ancestors(name, STAMPS, DIGESTS) == ["partials"]
