"""The whole workflow on a tiny run, by the real snakemake: what it leaves, what it reruns, how it fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lunarsite.artefact.stamp import digest

from .checkout import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tiny")]

PUBLISHED = {"publish_figures", "publish_report", "publish_catalogue"}
AFTER_ARTEMIS = {"validate_artemis", "pages_write", *PUBLISHED}
AFTER_SCORES = {"place_sites", "illumination_sites", "validate_site", "publish_site_checks", *AFTER_ARTEMIS}
AFTER_CELLS = {"label_labels", "score_train", "score_crossvalidate", "criteria_gather", *AFTER_SCORES}
AFTER_ENHANCE_VALIDATION = {"publish_enhance", "publish_report", "pages_write", "publish_catalogue"}
AFTER_ROCK_VALIDATION = {"publish_rock", "publish_report", "publish_catalogue"}
AFTER_ROCK_MODEL = {"rock_infer", "rock_hazard", "validate_rock", *AFTER_ROCK_VALIDATION}
AFTER_CRATER_VALIDATION = {"publish_crater_checks", "publish_report", "publish_catalogue"}
AFTER_CRATER_MODEL = {
    *("crater_infer", "crater_extract", "validate_crater", "publish_craters", *AFTER_CRATER_VALIDATION),
    *("site_cells", *AFTER_CELLS),
}
AFTER_LIGHT = {
    *("illumination_profiles", "illumination_darkness", "validate_illumination", "publish_nights"),
    *("criteria_reach", "site_cells", *AFTER_CELLS),
}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Replace text that stands once in a file, for a while."""
    text = path.read_text(encoding="utf-8")
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    assert text.count(old) == 1, f"'{old}' stands {text.count(old)} times in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=times)  # numba's cache stands by them


def leftovers(checkout: Checkout) -> list[Path]:
    """Temporary files of writers; snakemake's own mark of a folder is none."""
    return [path for path in checkout.results.rglob(".*") if path.name != ".snakemake_timestamp"]


def digests(checkout: Checkout) -> dict[str, str]:
    """Digest of every result by its name; logs and benchmarks tell of times and are left out."""
    return {
        str(path.relative_to(checkout.results)): digest(path)
        for path in sorted(checkout.results.rglob("*"))
        if path.is_file() and path.relative_to(checkout.results).parts[0] not in ("log", "benchmark")
    }


def test_run_leaves_what_it_promises(tiny: Checkout) -> None:
    for name in (
        "terrain/dem.tif",
        "terrain/slope.tif",
        "terrain/roughness.tif",
        "illumination/sun_mean.tif",
        "illumination/psr.tif",
        "illumination/night.parquet",
        "source/craters.parquet",
        "crater/tiles.h5",
        "crater/training.json",
        "crater/weights.safetensors",
        "crater/model.safetensors",
        "crater/craters.parquet",
        "crater/probability.tif",
        "site/cells.parquet",
        "site/scores.parquet",
        "site/scorer.ubj",
        "site/labels.parquet",
        "site/crossvalidation.json",
        "site/criteria.parquet",
        "site/sites.parquet",
        "site/sites.geojson",
        "site/sites.gpkg",
        "site/region_sites.parquet",
        "illumination/site_months.parquet",
        "validate/artemis.json",
        "validate/site.json",
        "validate/illumination.json",
        "validate/crater.json",
        "validate/crater_matches.parquet",
        "validate/crater_candidates.parquet",
        "validate/crater_curve.parquet",
        "illumination/lit_scenes.h5",
        "enhance/denoiser.safetensors",
        "enhance/denoiser.json",
        "enhance/cycle.safetensors",
        "enhance/cycle.json",
        "enhance/cycle.png",
        "validate/enhance.json",
        "validate/enhance_samples.h5",
        "rock/renders.h5",
        "rock/truth.parquet",
        "rock/model.safetensors",
        "rock/training.json",
        "rock/changes.png",
        "rock/renders_maps.h5",
        "rock/renders_hazard.h5",
        "rock/renders_sizes.parquet",
        "rock/renders_distribution.parquet",
        "validate/rock.json",
        "validate/rock_samples.h5",
        "publish/figures/rock_samples.png",
        "publish/figures/rock_reliability.pdf",
        "publish/figures/enhance_samples.png",
        "publish/figures/enhance_spectrum.pdf",
        "publish/figures/score_map.pdf",
        "publish/figures/crater_map.png",
        "publish/figures/crater_curve.pdf",
        "publish/figures/night.png",
        "publish/figures/site_map.png",
        "publish/pages/index.html",
        "publish/pages/site-001.html",
        "publish/report.html",
        "publish/catalog.json",
    ):
        assert (tiny.results / name).stat().st_size > 0
    assert not leftovers(tiny)
    for room in ("crater", "enhance", "rock"):
        assert not list((tiny.results / room).glob("*.checkpoints")), "a finished training leaves no checkpoints"


def test_every_job_left_log_and_benchmark(tiny: Checkout) -> None:
    logs = {path.stem for path in (tiny.results / "log").glob("*.log")}
    assert logs == {path.stem for path in (tiny.results / "benchmark").glob("*.tsv")}
    assert {"source-synthetic", "illumination-sweep_0", "illumination-sweep_1", "score-train"} <= logs
    assert {"light-scenes", "enhance-train", "enhance-cycle", "validate-enhance", "publish-enhance"} <= logs
    assert {"rock-render", "rock-train", "rock-infer_renders", "rock-hazard_renders", "validate-rock"} <= logs
    assert {"crater-finetune", "crater-calibrate", "crater-infer_0", "crater-infer_1", "validate-crater"} <= logs
    for path in (tiny.results / "log").glob("*.log"):
        assert "done in" in path.read_text(encoding="utf-8"), path


def test_second_run_does_nothing(tiny: Checkout) -> None:
    assert "Nothing to be done" in tiny.snakemake().stdout


def test_partials_are_not_missed(tiny: Checkout) -> None:
    partials = [
        *(path for path in (tiny.results / "illumination").glob("*.h5") if path.name != "lit_scenes.h5"),
        *(tiny.results / "crater").glob("levels_*.h5"),
        *(tiny.results / "site").glob("clones_*.h5"),
    ]
    assert len(partials) == 4 + 2 + 2
    kept = [(path, path.rename(path.with_suffix(".away"))) for path in partials]
    try:
        assert tiny.planned() == set()
    finally:
        for path, away in kept:
            away.rename(path)


@pytest.mark.parametrize(
    ("changes", "rerun"),
    [
        (
            # Criteria read the scorer's target, in the same section of the settings.
            {"site": {"scorer": {"trees": 19}}},
            {"score_train", "score_crossvalidate", "criteria_gather", *AFTER_SCORES},
        ),
        ({"site": {"ranking": {"draws": 19}}}, AFTER_SCORES),
        (
            # Its sibling reads the same section of the settings.
            {"terrain": {"roughness_baseline_m": 600.0}},
            {"terrain_roughness", "terrain_elevation_error", "label_clones", "site_cells", *AFTER_CELLS},
        ),
        ({"validation": {"artemis": {"draws": 201}}}, AFTER_ARTEMIS),
        (
            {"publish": {"title": "Another title"}},
            {
                *("publish_nights", "publish_craters", "publish_crater_checks", "publish_site_checks", "pages_write"),
                *("publish_enhance", "publish_rock", *PUBLISHED),
            },
        ),
        # Diameters that are looked for: nothing is trained again, but calibrated, which looks for them too.
        ({"crater": {"detection": {"largest_diameter_m": 19e3}}}, {"crater_calibrate", *AFTER_CRATER_MODEL}),
        (
            {"crater": {"finetuning": {"learning_rate": 0.009}}},
            {"crater_finetune", "crater_calibrate", *AFTER_CRATER_MODEL},
        ),
        ({"validation": {"crater": {"draws": 200}}}, {"validate_crater", *AFTER_CRATER_VALIDATION}),
        # Which network enhances is no reason to train either again.
        ({"enhance": {"enhancement": {"method": "cycle"}}}, {"validate_enhance", *AFTER_ENHANCE_VALIDATION}),
        ({"validation": {"enhance": {"draws": 101}}}, {"validate_enhance", *AFTER_ENHANCE_VALIDATION}),
        (
            {"enhance": {"cycle": {"buffer": 49}}},
            {"enhance_cycle", "validate_enhance", *AFTER_ENHANCE_VALIDATION},
        ),
        (
            {"enhance": {"scenes": {"albedo_spread": 0.05}}},
            {
                *("light_scenes", "enhance_train", "enhance_cycle", "validate_enhance", *AFTER_ENHANCE_VALIDATION),
                # Light from orbit is what the model of rocks must call unfamiliar.
                *("validate_rock", *AFTER_ROCK_VALIDATION),
            },
        ),
        ({"rock": {"render": {"sun_elevation_deg": [6.0, 45.0]}}}, {"rock_render", "rock_train", *AFTER_ROCK_MODEL}),
        ({"rock": {"learning": {"photograph_weight": 0.2}}}, {"rock_train", *AFTER_ROCK_MODEL}),
        # How images are segmented is measured with them, and decides what a model is calibrated for.
        ({"rock": {"inference": {"flips": 4}}}, {"rock_train", *AFTER_ROCK_MODEL}),
        # What a lander needs is no reason to segment or to train again.
        ({"rock": {"hazard": {"disc_radius_m": 2.0}}}, {"rock_hazard", "validate_rock", *AFTER_ROCK_VALIDATION}),
        ({"validation": {"rock": {"draws": 101}}}, {"validate_rock", *AFTER_ROCK_VALIDATION}),
        (
            {"illumination": {"azimuths": 17}},
            {"illumination_sweep", "illumination_gather", *AFTER_LIGHT},
        ),
    ],
    ids=[
        *("scorer", "ranking", "terrain", "validation", "publish"),
        *("detection", "finetuning", "crater validation", "method", "enhance validation", "cycle", "scenes"),
        *("rendered rocks", "rock training", "segmentation", "hazards", "rock validation"),
        "illumination",
    ],
)
def test_changed_setting_reruns_its_descendants_only(
    tiny: Checkout, changes: dict[str, object], rerun: set[str]
) -> None:
    assert tiny.planned(changes=changes) == rerun


def test_changed_code_reruns_its_stage(tiny: Checkout) -> None:
    with edited(tiny.root / "lunarsite/illumination/stages.py", "_BLOCK_ROWS = 512", "_BLOCK_ROWS = 256"):
        assert tiny.planned() == {"illumination_gather", *AFTER_LIGHT}


def test_comments_and_docstrings_rerun_nothing(tiny: Checkout) -> None:
    stages = tiny.root / "lunarsite/illumination/stages.py"
    docstring = '"""Sweep one shard of the directions and write their sums."""'
    with (
        edited(stages, "_BLOCK_ROWS = 512", "# A comment.\n\n_BLOCK_ROWS = 512  # and another"),
        edited(stages, docstring, '"""Another summary."""'),
    ):
        assert tiny.planned() == set()


def test_changed_setting_changes_results_and_back_again(tiny: Checkout) -> None:
    before = digests(tiny)
    tiny.snakemake("--notemp", changes={"site": {"scorer": {"trees": 19}}})
    changed = {name for name, value in digests(tiny).items() if value != before[name]}
    assert {"site/scores.parquet", "site/scorer.ubj", "publish/report.html"} <= changed
    rooms = ("source", "terrain", "illumination", "crater", "enhance", "rock")
    upstream = {name for name in changed if name.split("/")[0] in rooms}
    assert not {name for name in upstream if not name.startswith("illumination/site_")}
    tiny.snakemake("--notemp")
    assert digests(tiny) == before, "the same settings give the same bytes"


def test_failed_job_leaves_nothing_and_the_next_run_finishes(tiny: Checkout) -> None:
    before = digests(tiny)
    done = tiny.snakemake(changes={"site": {"rules": {"cassa": {"max_slope_deg": 1e-6}}}}, check=False)
    assert done.returncode != 0
    # Two stages learn from the same labels, and whichever starts first stops the run.
    failed = set(re.findall(r"ERROR lunarsite\.(score-\w+): .*no cell passes", done.stdout))
    outputs = {"score-train": "scores.parquet", "score-crossvalidate": "crossvalidation.json"}
    assert failed, done.stdout
    assert failed <= set(outputs)
    for stage in failed:
        assert not (tiny.results / "site" / outputs[stage]).exists()
    assert not leftovers(tiny)
    tiny.snakemake("--notemp", "--rerun-incomplete")
    assert digests(tiny) == before


def test_killed_run_leaves_no_half_written_output(tiny: Checkout) -> None:
    before = digests(tiny)
    log = tiny.results / "log" / "score-train.log"
    log.unlink()
    with subprocess.Popen(
        tiny.command("--notemp", "--forcerun", "score_train"),
        cwd=tiny.root,
        env=tiny.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (log.exists() and "starts:" in log.read_text(encoding="utf-8")):
            assert process.poll() is None, "ended before its job began"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    left = digests(tiny)
    visible = {name: value for name, value in left.items() if not Path(name).name.startswith(".")}
    assert {name: before[name] for name in visible} == visible, "what is there is whole"
    tiny.snakemake("--unlock")
    tiny.snakemake("--notemp", "--rerun-incomplete")
    assert digests(tiny) == before


@pytest.mark.parametrize(
    ("room", "name", "without"),
    [
        # Scenes from orbit are there no more that the model of rocks is asked of.
        ("enhance", "denoiser", {"pages_write", "validate_rock", *AFTER_ROCK_VALIDATION}),
        ("rock", "rock", {"publish_report", "publish_catalogue"}),
    ],
)
def test_a_network_that_does_not_come_along_is_an_error_of_its_own(
    tiny: Checkout, room: str, name: str, without: set[str]
) -> None:
    shipped = tiny.root / "resources" / "models" / room
    kept = [(path, path.rename(path.with_suffix(".away"))) for path in shipped.glob("*.safetensors")]
    try:
        done = tiny.snakemake("--dry-run", changes={room: {"model": "pretrained"}}, check=False)
        planned = tiny.planned(changes={room: {"enabled": False}})
    finally:
        for path, away in kept:
            away.rename(path)
    assert kept
    assert done.returncode != 0
    assert re.search(rf"models/{room}/{name}\.safetensors is not there.*{room}\.model: train", done.stdout, re.DOTALL)
    assert f"{room}.enabled: false" in done.stdout
    assert "Traceback (most recent" not in done.stdout
    assert planned == without


def test_lint_is_clean(tiny: Checkout) -> None:
    done = tiny.snakemake("--lint")
    assert "Congratulations" in done.stdout
