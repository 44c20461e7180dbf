"""The shipped table of products holds, fits the settings and stages that it names, and is what its page prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lunarsite.settings import Settings, at, parse
from lunarsite.source.needs import check_products, needed_products
from lunarsite.source.product_page import page_text
from lunarsite.source.products import Product, read_products
from lunarsite.stage import discover

ROOT = Path(__file__).parents[2]
HOLDS = (
    *(f"lola_dem_80s_{pixel}m{error}" for pixel in (20, 40, 80) for error in ("", "_error")),
    *(f"lola_slope_80s_{pixel}m{error}" for pixel in (20, 40, 80) for error in ("", "_error")),
    *(f"lola_roughness_80s_{pixel}m" for pixel in (20, 40, 80)),
    *("lola_dem_60s_240m", "lola_dem_75s_120m", "psr_85s_60m", "psr_75s_120m", "psr_polygons_south"),
    *(f"{light}_{place}" for light in ("sun", "earth") for place in ("85s_60m", "75s_120m", "65s_240m")),
    *("shadowcam_cabeus", "shadowcam_frames", "deepmoon_train", "deepmoon_dev", "deepmoon_test"),
    *("robbins_2018", "lu1319373", "lu1319381", "rocks", "hirise_landmarks_v3", "artemis_regions_2024"),
    *("wueller_2026", "esahubble_images", "esawebb_images", "hips2fits", "lroc_psr_images", "ohrc_psr_images"),
)


@pytest.fixture(scope="module")
def products() -> Mapping[str, Product]:
    return read_products(ROOT / "resources" / "products.yaml")


def test_every_product_of_the_project_is_there(products: Mapping[str, Product]) -> None:
    assert not set(HOLDS) - set(products)


def test_the_page_is_what_the_table_says(products: Mapping[str, Product]) -> None:
    page = (ROOT / "docs" / "products.md").read_text(encoding="utf-8")
    assert page == page_text(products), "run python -m lunarsite.source.product_page"


UNREAD = (
    *(f"lola_slope_80s_{pixel}m_error" for pixel in (20, 40, 80)),
    *(f"lola_roughness_80s_{pixel}m" for pixel in (20, 40, 80)),
)


def test_readers_are_stages_and_uses_are_settings_or_stages(products: Mapping[str, Product]) -> None:
    stages = discover()
    for name, product in products.items():
        assert (product.reader is None) == (name in UNREAD), name
        assert product.reader is None or product.reader in stages, name
        # The stage that fetches any product reads none.
        assert product.reader != "fetch-product", name
        assert bool(product.used_by) == (product.reader is not None), name
        for use in product.used_by:
            if "." in use:
                at(Settings(), use)
            else:
                assert use in stages, (name, use)


def test_licence_and_citation_are_told_of_all(products: Mapping[str, Product]) -> None:
    for name, product in products.items():
        assert len(product.licence) >= 5, name
        assert len(product.citation) >= 10, name
        assert product.publisher, name


def test_no_size_is_said_to_be_published_that_is_a_round_guess(products: Mapping[str, Product]) -> None:
    for name, product in products.items():
        for file in product.files:
            assert file.size_is == "estimated" or (file.bytes or 0) % 1000, (name, file.name)


def test_what_could_not_be_tried_says_so(products: Mapping[str, Product]) -> None:
    for name, product in products.items():
        checked = [file.md5 or file.sha256 for file in product.files]
        assert product.notes or (checked and all(checked)), name


def test_addresses_end_with_the_file_they_bring(products: Mapping[str, Product]) -> None:
    for name, product in products.items():
        for file in product.files:
            for url in file.urls:
                assert url.lower().endswith(file.name.lower()), (name, url)
                assert url.startswith("https://"), (name, url)


@pytest.mark.parametrize("overlays", [["south_pole.yaml"], ["south_pole.yaml", "south_pole_20m.yaml"]])
def test_shipped_runs_name_products_of_the_table(products: Mapping[str, Product], overlays: list[str]) -> None:
    merged: dict[str, object] = {}
    for overlay in overlays:
        values = yaml.safe_load((ROOT / "workflow" / "runs" / overlay).read_text(encoding="utf-8"))
        merged = _laid_over(merged, values)
    settings = parse(merged)
    check_products(settings, products)
    needed = needed_products(settings)
    assert needed
    assert all(products[name].access == "files" for name in needed), "a run with one command asks no person for files"


def _laid_over(base: dict[str, object], overlay: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
