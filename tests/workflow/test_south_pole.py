"""The run of the real south pole, from end to end, on small files that a server on this machine hands out.

Everything is as a user has it but for the table of products, which names that server, and the size of the map.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from lunarsite import plan
from lunarsite.artefact import contracts, download, raster
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.artefact.raster import RasterSpec
from lunarsite.grid import Grid
from lunarsite.source.listing import read_settings
from lunarsite.source.products import read_products, receipt_path
from tests.layouts import mirror as mirrors
from tests.layouts import rasters

from .checkout import Checkout
from .test_tiny_run import digests, leftovers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("south_pole")]

OVERLAY = "workflow/runs/south_pole.yaml"
CLUSTER = "workflow/runs/south_pole_20m.yaml"
TABLE = "resources/products.yaml"
HALF_WIDTH_M = 24_000.0
SMALL = {
    "source": {"fetch": {"attempts": 2}, "published": {"fine_dems": ["lola_dem_80s_20m"]}},
    "grid": {"half_width_m": HALF_WIDTH_M, "far_half_width_m": 2 * HALF_WIDTH_M, "latitude_limit_deg": 89.25},
    "illumination": {
        "azimuths": 16,
        "near_samples": 8,
        "earth_step_deg": 2.0,
        "shards": 2,
        "span": {"years": 1.0, "step_h": 6.0},
    },
    "places": {"best_sites": 2},
    "site": {
        "rules": {"cassa": {"max_slope_deg": 12.0, "min_illumination_pct": 20.0, "min_earth_visibility_pct": 30.0}},
        "uncertainty": {"draws": 4, "shards": 1},
        "scorer": {"trees": 20},
        "crossvalidation": {"folds": 2, "blocks_km": [0.0, 5.0], "headline_block_km": 5.0, "dead_zone_km": 1.0},
        "placing": {"spacing_km": 3.0, "most": 5, "most_per_region": 1},
        "ranking": {"draws": 10},
    },
    # Enhancement and rocks are run by the tiny run; here they would take as long as all else.
    "enhance": {"enabled": False},
    "rock": {"enabled": False},
    "crater": {
        "inference": {"tile_px": 128, "halo_px": 32, "shards": 1},
        "detection": {"least_diameter_m": 1400.0, "largest_diameter_m": 10000.0},
    },
    "validation": {
        "artemis": {"selected": [50, 100], "draws": 100},
        "site": {"selected": [2, 5], "draws": 100},
        "crater": {"baselines": False},
    },
    "publish": {"figure_dpi": 50, "top_cells": 5},
}
PRODUCTS = {
    **dict.fromkeys(
        (
            *("lola_dem_80s_80m", "lola_dem_80s_80m_error", "lola_dem_80s_20m", "lola_slope_80s_20m"),
            *("sun_85s_60m", "sun_75s_120m", "earth_85s_60m", "earth_75s_120m", "psr_85s_60m", "psr_75s_120m"),
            *("robbins_2018", "psr_polygons_south", "wueller_2026", "shadowcam_cabeus"),
        ),
        HALF_WIDTH_M,
    ),
    "lola_dem_60s_240m": 2 * HALF_WIDTH_M,
}
"""What the run fetches, and how wide its files are here."""
LARGE = "/lola_dem_80s_20m/2023/LDEM_80S_20MPP_ADJ.TIF"
"""The file during whose download the run is killed, half of it being there."""


def size_of(mirror: mirrors.Mirror, path: str) -> int:
    """Return the size of a file that the server has."""
    return (mirror.folder / path.lstrip("/")).stat().st_size


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mirrors.Mirror]:
    folder = tmp_path_factory.mktemp("mirror")
    mirrors.build(Path(TABLE).resolve(), folder, PRODUCTS)
    with mirrors.serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def empty(mirror: mirrors.Mirror, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which nothing was fetched."""
    root = tmp_path_factory.mktemp("south_pole")
    checkout = Checkout.copy(root, (OVERLAY, "small.yaml"), "south_pole")
    (root / "small.yaml").write_text(yaml.safe_dump(SMALL))
    (root / TABLE).write_text(mirrors.table_of(root / TABLE, mirror))
    return checkout


@pytest.fixture(scope="module")
def announced(empty: Checkout) -> str:
    """What a dry run says before anything was fetched."""
    return empty.snakemake("--dry-run").stdout


@pytest.fixture(scope="module")
def stopped(empty: Checkout, mirror: mirrors.Mirror, announced: str) -> str:
    """What a run offline says before anything was fetched."""
    before = len(mirror.asked)
    done = empty.snakemake(changes={"source": {"fetch": {"offline": True}}}, check=False)
    assert done.returncode != 0
    assert len(mirror.asked) == before, "offline asks nobody"
    return done.stdout


@pytest.fixture(scope="module")
def made(empty: Checkout, mirror: mirrors.Mirror, stopped: str) -> Checkout:
    """The run, killed while the largest file was on its way and again in mid-computation, then made to its end."""
    mirror.stalls[LARGE] = size_of(mirror, LARGE) // 2
    killed(empty, mirror.stalled.is_set)
    mirror.released.set()
    folder = empty.root / "resources" / "lola_dem_80s_20m" / "2023"
    assert not (folder / Path(LARGE).name).exists(), "no part of a file stands in its place"
    assert not (folder / "receipt.json").exists()
    receipts = {path: read_products(empty.root / TABLE)[path] for path in PRODUCTS}

    def computing() -> bool:
        fetched = [receipt_path(empty.root / "resources", *entry).exists() for entry in receipts.items()]
        return all(fetched) and any((empty.results / "log").glob("illumination-sweep*"))

    killed(empty, computing)
    assert (empty.results / "terrain" / "dem.tif").exists()
    assert not (empty.results / "publish" / "report.html").exists()
    empty.snakemake("--notemp")
    return empty


def killed(checkout: Checkout, when: Callable[[], bool]) -> None:
    """Start the run, and kill it and all its jobs at once as soon as something is so; unlock it as a user does."""
    with subprocess.Popen(
        checkout.command("--notemp"),
        cwd=checkout.root,
        env=checkout.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            last = time.monotonic() + 400.0
            while not when():
                assert process.poll() is None, "the run ended before it came so far"
                assert time.monotonic() < last, "the run never came so far"
                time.sleep(0.05)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    checkout.snakemake("--unlock")


def test_dry_run_tells_what_it_would_fetch_and_compute(announced: str, mirror: mirrors.Mirror) -> None:
    for name in PRODUCTS:
        assert re.search(rf"^\s*{name}\b", announced, re.MULTILINE), f"{name} is not announced"
    assert "illumination-sweep" in announced
    assert "CC BY 4.0" in announced


@pytest.mark.parametrize("overlays", [(OVERLAY,), (OVERLAY, CLUSTER)], ids=["80 m", "20 m"])
def test_rules_ask_for_the_memory_that_is_estimated(empty: Checkout, overlays: tuple[str, ...]) -> None:
    settings = read_settings([empty.root / overlay for overlay in overlays])
    planned = dataclasses.replace(empty, overlays=overlays).snakemake("--dry-run", changes={"run": "whole"}).stdout
    asked = {
        stage: int(mem_mb)
        for mem_mb, stage in re.findall(r"mem_mb=(\d+).*\nShell command: python -m lunarsite (\S+)", planned)
    }
    costs = plan.estimate(settings, dict.fromkeys(settings.source.published.fine_dems, 4 * 10**9))
    estimated = {cost.stage.split(" ")[0]: cost.memory_mib * 2**20 / 1e6 for cost in costs}
    assert len(estimated) > 30
    assert set(estimated) == set(asked) - {"fetch-product"}, "what the run makes is estimated, and nothing else"
    assert not {stage: (asked[stage], mb) for stage, mb in estimated.items() if asked[stage] < mb}
    assert max(asked.values()) < 10 * max(estimated.values()), "and not for far more"


def test_offline_says_what_is_missing_and_where_to_put_it(stopped: str) -> None:
    for name in PRODUCTS:
        assert f"resources/{name}/" in stopped
    assert "LDEM_80S_80MPP_ADJ.TIF" in stopped
    assert "Traceback" not in stopped


def test_killed_download_goes_on_where_it_stopped(made: Checkout, mirror: mirrors.Mirror) -> None:
    cut, resumed = (asked for asked in mirror.asked if asked.path == LARGE)
    size = size_of(mirror, LARGE)
    first = int(str(resumed.range).removeprefix("bytes=").removesuffix("-"))
    assert cut.range is None
    assert cut.sent >= size // 2
    assert resumed.status == 206
    assert size // 4 < first <= size // 2, "what had come is not asked for again"
    assert resumed.sent == size - first


def test_no_file_was_sent_again_but_what_was_cut(made: Checkout, mirror: mirrors.Mirror) -> None:
    asked = Counter(request.path for request in mirror.asked)
    assert set(asked) == set(mirror.served)
    assert max(asked.values()) == 2
    assert sum(count > 1 for count in asked.values()) <= 4, "two files of two products at a time were on their way"


def test_run_leaves_what_it_promises(made: Checkout) -> None:
    for name in (
        "terrain/dem.tif",
        "terrain/far_dem.tif",
        "terrain/elevation_error.tif",
        "terrain/relief.parquet",
        "source/craters.parquet",
        "source/record.json",
        "source/sun_any.tif",
        "source/psr.tif",
        "source/published_slope.tif",
        "source/psr_polygons.gpkg",
        "source/experts.csv",
        "source/shadowcam_topillum-avg.tif",
        "source/shadowcam_bottomillum-avg.tif",
        "validate/illumination.json",
        "validate/slope.json",
        "validate/site.json",
        "validate/crater.json",
        "publish/report.html",
        "publish/catalog.json",
    ):
        assert (made.results / name).stat().st_size > 0
    assert not leftovers(made)


NEAR = Grid(-HALF_WIDTH_M, HALF_WIDTH_M, 80.0, 600, 600)


def on_near(product: str, maker: Callable[[Grid], np.ndarray]) -> np.ndarray:
    """Return what a product shows, averaged by area onto the run's pixels: 20 m divides 20, 60 and 80 m."""
    grid = rasters.grid_of(product, HALF_WIDTH_M)
    parts = round(grid.pixel_m / 20.0)
    fine = np.repeat(np.repeat(np.asarray(maker(grid), dtype=np.float64), parts, axis=0), parts, axis=1)
    return np.asarray(fine.reshape(NEAR.rows, 4, NEAR.cols, 4).mean(axis=(1, 3)))


@pytest.mark.parametrize(
    ("name", "spec", "truth", "tolerance"),
    [
        ("terrain/dem", contracts.DEM, lambda: rasters.heights(NEAR), 1e-3),
        (
            "terrain/far_dem",
            contracts.FAR_DEM,
            lambda: rasters.heights(rasters.grid_of("lola_dem_60s_240m", 2 * HALF_WIDTH_M)),
            rasters.HEIGHT_SCALE / 2 + 1e-3,
        ),
        ("terrain/elevation_error", contracts.ELEVATION_ERROR, lambda: rasters.height_error(NEAR), 1e-3),
        ("source/sun_any", contracts.SUN_ANY, lambda: on_near("sun_85s_60m", rasters.sun), 1e-4),
        ("source/earth_any", contracts.EARTH_ANY, lambda: on_near("earth_85s_60m", rasters.earth), 1e-4),
        ("source/psr", contracts.PSR, lambda: on_near("psr_85s_60m", rasters.psr) >= 0.5 - 1e-9, 0.0),
        (
            "source/published_slope",
            contracts.PUBLISHED_SLOPE,
            lambda: on_near("lola_slope_80s_20m", rasters.slope_deg),
            1e-3,
        ),
    ],
    ids=["dem", "far_dem", "elevation_error", "sun", "earth", "psr", "slope"],
)
def test_maps_show_what_was_published(
    made: Checkout, name: str, spec: RasterSpec, truth: Callable[[], np.ndarray], tolerance: float
) -> None:
    with raster.opened(made.results / f"{name}.tif", spec) as reader:
        found = reader.read(spec.bands[0].name).astype(np.float64)
    expected = np.asarray(truth(), dtype=np.float64)
    assert np.ptp(expected) > 0.5, "the truth tells one map from another"
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=tolerance)


def test_everything_says_that_it_is_published(made: Checkout) -> None:
    record = json.loads((made.results / "source" / "record.json").read_text(encoding="utf-8"))
    assert record["stamp"]["origin"] == "published"
    pages = (made.results / "publish" / "pages" / "provenance.html").read_text(encoding="utf-8")
    for name in PRODUCTS:
        assert name in pages


def test_catalogue_lists_what_was_published_beside_what_was_computed(made: Checkout) -> None:
    listed = {path.stem for path in (made.results / "publish" / "catalogue").rglob("*.json")}
    published = {"published_sun", "published_earth", "published_psr", "published_slope", "slope_record"}
    assert published | {"shadowcam_topillum-avg", "shadowcam_bottomillum-avg", "sun_any", "psr"} <= listed


def test_receipts_tell_of_the_mirrors_bytes(made: Checkout, mirror: mirrors.Mirror) -> None:
    table = read_products(made.root / TABLE)
    records = [name for name in PRODUCTS if table[name].zenodo]
    assert records == ["wueller_2026", "shadowcam_cabeus"]
    for name in PRODUCTS:
        receipt, _ = download.read(receipt_path(made.root / "resources", name, table[name]), DOWNLOAD)
        for file in table[name].files:
            told = next(part for part in receipt.files if part.name == file.name)
            assert (
                told.sha256 == hashlib.sha256(mirror.served[told.url.removeprefix(mirror.url)].read_bytes()).hexdigest()
            )
            assert told.sha256 == file.sha256 or name in records
            if name in records:
                assert told.url.startswith(f"{table[name].zenodo}/files/")
                assert "md5" in told.checked
            else:
                assert told.url == file.urls[0]


def test_second_run_does_nothing_and_asks_nobody(made: Checkout, mirror: mirrors.Mirror) -> None:
    before, asked = digests(made), len(mirror.asked)
    assert "Nothing to be done" in made.snakemake().stdout
    assert "Nothing to be done" in made.snakemake(changes={"source": {"fetch": {"offline": True}}}).stdout
    assert len(mirror.asked) == asked
    assert digests(made) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"source": {"fetch": {"attempts": 3, "read_timeout_s": 61.0}}},
        {"source": {"fetch": {"mirrors": ["http://127.0.0.1:9/elsewhere"]}}},
    ],
    ids=["patience", "mirror"],
)
def test_how_to_fetch_is_no_reason_to_fetch(made: Checkout, changes: dict[str, object]) -> None:
    assert made.planned(changes=changes) == set()


def test_changed_setting_reruns_its_descendants_and_fetches_nothing(made: Checkout, mirror: mirrors.Mirror) -> None:
    asked = len(mirror.asked)
    planned = made.planned(changes={"site": {"ranking": {"draws": 11}}})
    assert "place_sites" in planned
    assert not {rule for rule in planned if rule.startswith(("fetch", "published", "outlines", "images", "terrain"))}
    made.snakemake("--notemp", changes={"source": {"shadowcam": {"pixel_m": 40.0}}})
    made.snakemake("--notemp")
    assert len(mirror.asked) == asked


def test_rules_may_read_the_published_maps(made: Checkout) -> None:
    planned = made.planned(changes={"source": {"published": {"rules_read": "published"}}})
    assert {"site_cells", "criteria_reach", "label_labels", "place_sites", "publish_report"} <= planned
    assert not planned & {"fetch_product", "published_illumination", "illumination_sweep", "validate_illumination"}


def test_changed_entry_of_a_product_looks_at_that_one_again(made: Checkout) -> None:
    table = made.root / TABLE
    text = table.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    values["products"]["wueller_2026"]["licence"] = "Another licence"
    table.write_text(yaml.safe_dump(values, sort_keys=False))
    try:
        planned = made.snakemake("--dry-run").stdout
    finally:
        table.write_text(text)
    assert re.search(r"^fetch_product +1$", planned, re.MULTILINE)
    assert "wueller_2026" in planned
    assert not re.search(r"^published_elevation +1$", planned, re.MULTILINE)


def test_half_a_download_is_refused_by_name(made: Checkout) -> None:
    path = made.root / "resources" / "wueller_2026" / "2026"
    experts, listed = "results/south_pole/source/experts.csv", path / "sites.csv"
    content, mode = listed.read_bytes(), listed.stat().st_mode
    listed.chmod(0o644)
    listed.write_bytes(content[: len(content) // 2])
    try:
        done = made.snakemake(experts, "--force", check=False)
        assert done.returncode != 0
        assert f"the {len(content)} that were fetched" in done.stdout
    finally:
        listed.write_bytes(content)
        listed.chmod(mode)
        made.snakemake(experts)
