from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lunarsite.source.features import FeatureError, read_features

RESOURCES = Path(__file__).parents[3] / "resources"
HEAD = "name,kind,lat_deg,lon_deg,diameter_m,relief_m,source\n"


def test_table_holds_the_polar_craters_and_high_ground(features) -> None:
    names = {feature.name for feature in features}
    assert {"Shackleton", "Shoemaker", "Cabeus", "Schrödinger", "Malapert Massif", "Mons Mouton"} <= names
    assert len(names) == len(features)
    assert all(feature.source for feature in features)
    craters = [feature for feature in features if feature.kind == "crater"]
    assert len(craters) > 50
    # Depths of real craters: none deeper than a bowl at the angle of repose, none flat.
    ratios = np.array([crater.relief_m / crater.diameter_m for crater in craters])
    assert 0.005 < ratios.min() < ratios.max() < 0.25


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("A,crater,-95,0,1000,100,x", "line 2: lat_deg -95"),
        ("A,crater,-85,200,1000,100,x", "line 2: lon_deg 200"),
        ("A,crater,-85,0,-1,100,x", "must be positive"),
        ("A,hole,-85,0,1000,100,x", "kind 'hole'"),
        ("A,crater,south,0,1000,100,x", "lat_deg 'south' is no number"),
        ("A,crater,-85,0,inf,100,x", "not finite"),
        ("A,crater,-85,0,1000", "relief_m None"),
    ],
)
def test_bad_rows_are_refused_with_their_line(tmp_path, row: str, word: str) -> None:
    path = tmp_path / "features.csv"
    path.write_text(HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(FeatureError, match=word):
        read_features(path)


def test_missing_column_is_named(tmp_path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("name,kind,lat_deg,lon_deg,diameter_m,source\n", encoding="utf-8")
    with pytest.raises(FeatureError, match="'relief_m' is missing"):
        read_features(path)


def test_artemis_regions_have_the_areas_they_state() -> None:
    from lunarsite.grid import lonlat_to_xy

    table = pd.read_csv(RESOURCES / "artemis_regions.csv")
    assert table["region"].nunique() == 9
    for _, corners in table.sort_values("corner_index").groupby("code"):
        assert list(corners["corner_index"]) == [0, 1, 2, 3]
        x_m, y_m = lonlat_to_xy(corners["lon_deg"], corners["lat_deg"])
        area_m2 = 0.5 * abs(np.dot(x_m, np.roll(y_m, 1)) - np.dot(y_m, np.roll(x_m, 1)))
        assert area_m2 / 1e6 == pytest.approx(corners["area_km2"].iloc[0], abs=0.2)
