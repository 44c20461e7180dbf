"""What a run needs follows from its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lunarsite.artefact import ArtefactError
from lunarsite.settings import Settings, SettingsError, parse
from lunarsite.source.needs import (
    check_products,
    dataset_products,
    image_names,
    needed_products,
    ways_out,
    ways_without,
)
from lunarsite.source.products import Product, read_products

DEFAULT = (
    *("lola_dem_80s_80m", "lola_dem_60s_240m", "lola_dem_80s_80m_error", "robbins_2018", "lola_slope_80s_20m"),
    *("sun_85s_60m", "sun_75s_120m", "earth_85s_60m", "earth_75s_120m", "psr_85s_60m", "psr_75s_120m"),
    *("psr_polygons_south", "wueller_2026"),
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


def test_products_of_the_south_are_no_good_in_the_north(products: Mapping[str, Product]) -> None:
    settings = parse({"source": {"kind": "published"}, "grid": {"pole": "north"}})
    with pytest.raises(SettingsError) as caught:
        check_products(settings, products)
    head, *away = str(caught.value).splitlines()
    assert head == "grid.pole: the run is at the north pole, and these are not:"
    assert len(away) == len(DEFAULT) - 1, "the catalogue of the whole Moon is good for both"
    assert away[0].startswith("  source.published.dem: 'lola_dem_80s_80m' (")
    assert "robbins_2018" not in str(caught.value)
    north = {**products, **{name: products[name].model_copy(update={"pole": "north"}) for name in DEFAULT}}
    check_products(settings, north)
    with pytest.raises(SettingsError, match="at the south pole"):
        check_products(run(), north)


DEM_20M = ("source.published.fine_dems without lola_dem_80s_20m",)


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("wueller_2026", ("source.published.experts: null",)),
        ("lola_dem_80s_80m", ("source.published.far_dem: null",)),  # not source.published.dem, which no run lacks
        ("lola_slope_80s_20m", ("source.published.slope: null",)),
        ("shadowcam_cabeus", ("source.published.shadowcam: null",)),
        ("psr_85s_60m", ("source.published.psr without psr_85s_60m; if it is the last one, sun, earth and psr: []",)),
        ("lola_dem_80s_20m", DEM_20M),
        ("rocks", ()),
    ],
)
def test_how_a_run_does_without_a_product(name: str, ways: tuple[str, ...], products: Mapping[str, Product]) -> None:
    assert ways_out(name, products[name]) == ways


def test_how_this_run_does_without_a_product(products: Mapping[str, Product]) -> None:
    """Not how any run could: one that reads a product in two places must leave it out of both."""
    dem = "lola_dem_80s_20m"
    assert ways_without(run(published={"slope": "lola_slope_80s_20m"}), "lola_slope_80s_20m") == (
        "source.published.slope: null",
    )
    assert ways_without(run(published={"fine_dems": [dem]}), dem) == DEM_20M
    assert ways_without(run(published={"dem": dem, "fine_dems": [dem]}), dem) == (), "no run lacks an elevation model"
    both = run(published={"far_dem": dem, "fine_dems": [dem]})
    assert ways_without(both, dem) == ("source.published.far_dem: null", *DEM_20M)
    assert ways_without(run(published={"slope": None}), "lola_slope_80s_20m") == ()


def test_images_have_names_of_their_own(products: Mapping[str, Product]) -> None:
    entry = products["shadowcam_cabeus"]
    assert image_names(entry) == ("topillum-avg", "bottomillum-avg")
    (file,) = entry.files
    assert image_names(entry.model_copy(update={"files": (file.model_copy(update={"unpack": ("*.csv",)}),)})) == ()
    for pattern in ("*.tif", "composites/*-avg.TIF", "[ab].tif"):
        open_name = entry.model_copy(update={"files": (file.model_copy(update={"unpack": (pattern,)}),)})
        with pytest.raises(ArtefactError, match="write out its name"):
            image_names(open_name)


ROOT = Path(__file__).parents[3]


def test_sets_of_images_read_what_their_rules_do(products: Mapping[str, Product]) -> None:
    rules = (ROOT / "workflow" / "rules" / "datasets.smk").read_text(encoding="utf-8")
    named = set(re.findall(r'fetched\("(\w+)"\)', rules)) | {f"deepmoon_{part}" for part in ("train", "dev", "test")}
    crawled = {name for name, entry in products.items() if entry.reader in ("archive-index", "archive-pairs")}
    # Frames are made of a folder that the user names, or alone; not by the rule that makes all sets.
    assert set(dataset_products(parse({}))) == (named - {"shadowcam_frames"}) | crawled
    assert "SHADOWCAM_FRAMES if SETTINGS.source.shadowcam_frames.folder else []" in rules
    assert not set(dataset_products(parse({}))) & set(needed_products(run()))


def test_what_a_user_leaves_out_of_the_sets() -> None:
    changed = parse({"source": {"rock_images": {"folder": "rocks"}, "archive": {"sites": ["webb"], "surveys": []}}})
    left_out = set(dataset_products(parse({}))) - set(dataset_products(changed))
    assert left_out == {"rocks", "esahubble_images", "hips2fits"}
