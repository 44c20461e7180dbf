"""Settings: strict, frozen, with messages that name the key and what it allows."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import ValidationError

from lunarsite.settings import (
    RuleSettings,
    Settings,
    SettingsError,
    SpanSettings,
    TerrainSettings,
    at,
    parse,
    parse_section,
    section_path,
)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gird": {}}, r"gird: no such key; allowed are: run, grid"),
        ({"grid": {"pixl_m": 240}}, r"grid\.pixl_m: no such key; allowed are: .*pixel_m"),
        ({"grid": {"pixel_m": "240"}}, r"grid\.pixel_m: .*valid number"),
        ({"grid": {"pixel_m": True}}, r"grid\.pixel_m: .*valid number"),
        ({"grid": {"pixel_m": -240.0}}, r"grid\.pixel_m: .*greater than 0"),
        ({"grid": {"pixel_m": 250.0}}, r"grid: .*whole multiple"),
        ({"grid": {"latitude_limit_deg": 1.4}}, r"grid\.latitude_limit_deg: .*greater than or equal to 60"),
        ({"source": {"kind": "mars"}}, r"source\.kind: .*'synthetic', 'local' or 'published'"),
        ({"source": {"kind": "local"}}, r"source: .*local\.dem"),
        ({"site": {"scorer": {"trees": 3.5}}}, r"site\.scorer\.trees: .*integer"),
        ({"run": "../escape"}, r"run: .*pattern"),
        ({"illumination": {"span": {"start_utc": "2025-13-45"}}}, r"illumination\.span\.start_utc: .*date"),
        ({"illumination": {"span": {"start_utc": "1700-01-01"}}}, r"illumination\.span\.start_utc: .*1972-01-01"),
        ({"illumination": {"span": {"years": 30.0}}}, r"illumination\.span: .*beyond the ephemeris"),
        ({"illumination": {"span": {"years": 0.01}}}, r"illumination\.span\.years: .*greater than or equal to 0\.1"),
        ({"illumination": {"months": True, "span": {"years": 0.5}}}, r"illumination: .*at least one year"),
        ({"illumination": {"observer_heights_m": [0.0, 2.0, 2.0]}}, r"illumination: .*differ by a millimetre"),
        ({"illumination": {"azimuths": 8, "shards": 9}}, r"illumination: .*must not exceed azimuths"),
        ({"places": {"start_utc": "2049-12-31"}}, r"places: .*beyond the ephemeris"),
        ({"validation": {"artemis": {"selected": []}}}, r"validation\.artemis\.selected: .*at least 1 item"),
        ({"source": {"local": {"far_dem": ""}}}, r"source\.local\.far_dem: .*an empty path"),
        ({"illumination": {"azimuths": 0}}, r"illumination\.azimuths: .*greater than or equal to 8"),
    ],
)
def test_what_does_not_hold_is_named(config: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(config)


def test_all_errors_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse({"gird": 1, "grid": {"pixel_m": -1.0}})
    assert "gird" in str(caught.value)
    assert "grid.pixel_m" in str(caught.value)


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().run = "other"  # type: ignore[misc]


def test_unquoted_yaml_date_is_a_date() -> None:
    day = dt.date(2030, 1, 2)
    assert parse({"illumination": {"span": {"start_utc": day}}}).illumination.span.start_utc == day


def test_training_on_own_data_needs_a_catalogue() -> None:
    local: dict[str, object] = {"dem": "dem.tif"}
    config = {"source": {"kind": "local", "local": local}, "crater": {"model": "train"}}
    with pytest.raises(SettingsError, match=r"'train' needs a crater catalogue; name one in source\.local\.craters"):
        parse(config)
    assert parse({**config, "crater": {"model": "train", "enabled": False}}).source.local.craters is None
    local["craters"] = "craters.csv"
    assert parse(config).crater.model == "train"


@pytest.mark.parametrize("electrons", [[20.0, 4.0], [4.0, 4.0]])
def test_signal_levels_ascend(electrons: list[float]) -> None:
    """Claims are put to the first: it must be the lowest."""
    with pytest.raises(SettingsError, match="ascending"):
        parse({"validation": {"enhance": {"electrons": electrons}}})


def test_sections_are_found_by_class() -> None:
    assert section_path(SpanSettings) == "illumination.span"
    assert at(Settings(), "illumination.span.years") == 18.6
    with pytest.raises(SettingsError, match="2 times"):
        section_path(RuleSettings)


def test_section_from_json() -> None:
    assert parse_section(TerrainSettings, '{"roughness_baseline_m": 50}') == TerrainSettings(roughness_baseline_m=50)
    with pytest.raises(SettingsError, match="not JSON"):
        parse_section(TerrainSettings, "{")
