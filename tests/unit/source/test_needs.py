"""What a run needs follows from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lunarsite.settings import Settings, SettingsError, parse
from lunarsite.source.needs import check_products, needed_products
from lunarsite.source.products import Product, read_products

DEFAULT = (
    *("lola_dem_80s_80m", "lola_dem_60s_240m", "lola_dem_80s_80m_error", "robbins_2018", "lola_slope_80s_20m"),
    *("sun_85s_60m", "sun_75s_120m", "earth_85s_60m", "earth_75s_120m", "psr_85s_60m", "psr_75s_120m"),
    *("psr_polygons_south", "wueller_2026", "shadowcam_cabeus"),
)
MAPS = {name for name in DEFAULT if name.split("_")[0] in ("sun", "earth") or name in ("psr_85s_60m", "psr_75s_120m")}


@pytest.fixture(scope="module")
def products() -> Mapping[str, Product]:
    return read_products(Path(__file__).parents[3] / "resources" / "products.yaml")


def run(**config: Any) -> Settings:
    published = config.pop("published", {})
    return parse({"source": {"kind": "published", "published": published}, **config})


def test_the_default_published_run(products: Mapping[str, Product]) -> None:
    assert needed_products(run()) == DEFAULT
    check_products(run(), products)


@pytest.mark.parametrize("source", [{"kind": "synthetic"}, {"kind": "local", "local": {"dem": "a.tif"}}])
def test_other_runs_need_nothing_and_are_not_checked(source: dict[str, Any], products: Mapping[str, Product]) -> None:
    settings = parse({"source": {**source, "published": {"dem": "nowhere"}}})
    assert needed_products(settings) == ()
    check_products(settings, products)


def test_what_is_left_out_is_not_needed() -> None:
    optional = dict.fromkeys(("far_dem", "elevation_error", "craters", "slope", "psr_polygons", "experts", "shadowcam"))
    assert needed_products(run(published={**optional, "sun": [], "earth": [], "psr": []})) == ("lola_dem_80s_80m",)


def test_a_product_that_serves_twice_is_needed_once() -> None:
    published = {"dem": "lola_dem_80s_20m", "fine_dems": ["lola_dem_80s_20m", "lola_dem_80s_40m"]}
    needed = needed_products(run(published=published))
    assert needed.count("lola_dem_80s_20m") == 1
    assert "lola_dem_80s_40m" in needed


def test_what_a_user_gives_stands_in() -> None:
    own = {"illumination": {"table": "light.csv", "psr_polygons": "psr.gpkg"}, "site": {"experts": "sites.csv"}}
    lacking = set(DEFAULT) - set(needed_products(run(validation=own)))
    assert lacking == MAPS | {"psr_polygons_south", "wueller_2026"}


def test_maps_that_rules_read_are_needed_anyway() -> None:
    own = {"illumination": {"table": "light.csv"}}
    assert set(needed_products(run(validation=own, published={"rules_read": "published"}))) >= MAPS


def test_unknown_products_are_listed_with_those_that_may_be_meant(products: Mapping[str, Product]) -> None:
    settings = run(published={"dem": "lola_dem_80s_80n", "craters": "head_2010"})
    with pytest.raises(SettingsError) as caught:
        check_products(settings, products)
    _, dem, craters = str(caught.value).splitlines()
    assert dem.startswith(
        "  source.published.dem: there is no product 'lola_dem_80s_80n'; do you mean lola_dem_80s_80m"
    )
    assert "robbins_2018" in craters
    assert "lola_dem" not in craters


def test_a_product_for_another_purpose_is_refused(products: Mapping[str, Product]) -> None:
    with pytest.raises(
        SettingsError, match=r"published\.psr: 'sun_85s_60m' .*is not for this; for it are: psr_85s_60m"
    ):
        check_products(run(published={"psr": ["sun_85s_60m"]}), products)
