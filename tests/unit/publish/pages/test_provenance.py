from __future__ import annotations

import pytest

from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish.pages.provenance import MOST_FILES, ancestors, downloads_table, lineage_table


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


def told(product: str, count: int, url: str = "https://data.example/a/b") -> Receipt:
    files = [
        Downloaded(name=f"{index}.tif", bytes=1, sha256=f"{index:064x}", url=url, checked="md5 of the publisher")
        for index in range(count)
    ]
    return Receipt(product=product, version="1", title="T", licence="L", citation="C", files=files)


def test_downloads_are_listed_by_name_and_long_lists_are_cut() -> None:
    table = downloads_table([told("b", MOST_FILES), told("a", MOST_FILES + 2)])
    assert [row[0] for row in table.rows] == ["T (a)", "T (b)"]
    assert table.rows[0][4].endswith("; and 2 more")
    assert "more" not in table.rows[1][4]
    assert table.rows[1][4].startswith(f"0.tif {'0' * 16}, from data.example, md5 of the publisher; 1.tif")


def test_a_file_that_a_person_put_there_is_told_as_such() -> None:
    assert "put there by a person" in downloads_table([told("a", 1, url="")]).rows[0][4]
