"""config.yaml, config.schema.json, the overlays and the Settings say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lunarsite.config import default_config_text, schema_text
from lunarsite.settings import Settings, parse
from tests.workflow.checkout import REPOSITORY, Checkout

OVERLAYS = sorted((REPOSITORY / "workflow" / "runs").glob("*.yaml"))
MEND = "run `make config` and commit what it writes"


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def merged(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    both = {k: merged(base[k], v) for k, v in overlay.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | overlay | both


def test_default_config_is_generated() -> None:
    assert read("config.yaml") == default_config_text(), MEND


def test_schema_is_generated() -> None:
    assert read("config.schema.json") == schema_text(), MEND


def test_default_config_gives_the_default_settings() -> None:
    config = yaml.safe_load(read("config.yaml"))
    assert parse(config) == Settings()
    jsonschema.validate(config, json.loads(read("config.schema.json")))


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_overlays_hold(path: Path) -> None:
    overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings = parse(merged(yaml.safe_load(read("config.yaml")), overlay))
    assert settings.run == path.stem, "a run is named as its overlay"
    jsonschema.validate(overlay, json.loads(read("config.schema.json")))


def test_schema_refuses_what_settings_refuse() -> None:
    schema = json.loads(read("config.schema.json"))
    for wrong in ({"gird": {}}, {"grid": {"pixel_m": "240"}}, {"grid": {"pixel_m": -1}}, {"source": {"kind": "mars"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.slow
@pytest.mark.xdist_group("tiny")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"terrain": {"rougness_baseline_m": 100}},
            "terrain.rougness_baseline_m: no such key; allowed are: rough",
        ),
        ({"site": {"scorer": {"trees": "many"}}}, "site.scorer.trees: Input should be a valid integer"),
        ({"grid": {"latitude_limit_deg": 10}}, "grid.latitude_limit_deg: Input should be greater than or equal to 60"),
    ],
)
def test_workflow_names_the_key_that_does_not_hold(tiny: Checkout, changes: dict[str, object], message: str) -> None:
    done = tiny.snakemake("--dry-run", changes=changes, check=False)
    assert done.returncode != 0
    assert message in done.stdout
