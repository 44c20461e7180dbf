"""Settings of the crater room that hold only together: sectors, sizes, models, tiles."""

from __future__ import annotations

import pytest

from lunarsite.settings import SettingsError, parse


def named(part: str, **values: object) -> dict[str, object]:
    return {"crater": {part: values}}


@pytest.mark.parametrize("key", ["validation_lon_deg", "test_lon_deg"])
@pytest.mark.parametrize("sector", [[-180.0, 180.0], [0.0, 360.0], [115.0, 115.0]])
def test_a_sector_without_width_or_end_is_refused(key: str, sector: list[float]) -> None:
    with pytest.raises(SettingsError, match=rf"crater\.split: .*{key} .*no width, or is the whole circle"):
        parse(named("split", **{key: sector}))


def test_sectors_that_overlap_are_refused() -> None:
    with pytest.raises(SettingsError, match="overlap"):
        parse(named("split", validation_lon_deg=[90.0, 120.0]))
    assert parse(named("split", validation_lon_deg=[100.0, 40.0])).crater.split.validation_lon_deg == (100.0, 40.0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            named("detection", least_diameter_m=5_000.0, largest_diameter_m=5_000.0),
            r"detection: .*\(5000\) must be smal",
        ),
        (
            named("detection", least_diameter_m=9_000.0, largest_diameter_m=5_000.0),
            r"detection: .*must be smaller than",
        ),
        (named("tiles", pixel_m=[240.0, 0.5]), r"tiles\.pixel_m\.1: .*greater than or equal to 1"),
        (named("tiles", pixel_m=[10_001.0]), r"tiles\.pixel_m\.0: .*less than or equal to 10000"),
        (named("pretraining_tiles", craters="craters.h5"), r"pretraining_tiles: .*images names no tiles"),
        (named("inference", tile_px=64, halo_px=96), r"inference: .*halo_px \(96\) must not exceed tile_px \(64\)"),
        ({"crater": {"model": "train", "model_file": "a.safetensors"}}, r"crater: .*remove model_file to train"),
    ],
)
def test_what_does_not_go_together_is_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(config)


@pytest.mark.parametrize(
    "config",
    [
        named("tiles", pixel_m=[1.0, 10_000.0]),
        named("pretraining_tiles", images="tiles.h5"),
        named("pretraining_tiles", images="tiles.h5", craters="craters.h5"),
        named("inference", tile_px=64, halo_px=64),
        {"crater": {"model": "pretrained", "model_file": "a.safetensors"}},
    ],
)
def test_what_goes_together_is_taken(config: dict[str, object]) -> None:
    parse(config)
