"""The command line: it starts at once, and every command that the workflow gives it holds."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lunarsite.command import WORDS, parse_call
from lunarsite.stage import StageError, discover
from tests.workflow.checkout import Checkout

HEAVY = {"numpy", "pandas", "geopandas", "rasterio", "numba", "torch", "matplotlib", "pydantic", "xgboost", "scipy"}


def commands(text: str) -> list[list[str]]:
    """The stage and arguments of each `python -m lunarsite` in snakemake's printed shell commands."""
    return [shlex.split(line) for line in re.findall(r"python -m lunarsite (.*)$", text, re.MULTILINE)]


def imported(*arguments: str) -> set[str]:
    """Top-level modules that a command imports."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


def test_help_imports_nothing_heavy() -> None:
    found = imported("-m", "lunarsite", "--help")
    assert "lunarsite" in found
    assert not found & HEAVY


def test_heavy_imports_would_be_seen() -> None:
    assert "numpy" in imported("-c", "import lunarsite.grid")


def test_help_comes_at_once() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "lunarsite", "--help"], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3
    assert all(name in done.stdout for name in discover())


@pytest.mark.parametrize("word", WORDS)
def test_words_explain_themselves_at_once(word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lunarsite", word, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"python -m lunarsite {word}" in done.stdout
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not loaded & {"torch", "numba", "matplotlib", "xgboost"}


LAYERS = ("source-fine-dem", "terrain-relief", "source-temperature", "source-ice-depth", "source-scarps")
"""Stages of layers that only a user can bring."""
PUBLISHED = (
    *("fetch-product", "published-elevation", "published-fine-dem", "published-illumination", "published-slope"),
    *("outlines-psr", "outlines-experts", "images-shadowcam", "validate-slope"),
)
"""Stages of runs of published products."""
FRAMES = ("images-composite", "light-frames", "enhance-frames", "validate-shadowcam", "publish-shadowcam")
"""Stages of runs with ShadowCam's frames or composites; what reads the frames is among the data sets."""
ROCKS = ("rock-ablate", "images-rocks")
"""Stages of runs that name a folder of rock images, and learn what closes the gap to photographs."""
DATASETS = (
    *("images-rocks", "images-landforms", "images-shadowcam-frames", "images-psr", "outlines-regions"),
    *("archive-index", "archive-pairs", "source-deepmoon"),
)
"""Stages of data sets that are no part of a run."""


@pytest.mark.slow
@pytest.mark.xdist_group("tiny")
def test_every_command_of_the_workflow_parses(tiny: Checkout) -> None:
    calls = commands(tiny.snakemake("--dry-run", "--forceall").stdout)
    stages = discover()
    # The next tests have those that need a user's files or published ones, and the crater network's rivals.
    others = {"source-local", "illumination-places", "publish-light", "publish-places"}
    others |= {"crater-pretrain", "crater-classical", *LAYERS, *PUBLISHED, *FRAMES, *DATASETS, *ROCKS}
    assert {call[0] for call in calls} == set(stages) - others
    for name, *arguments in calls:
        parse_call(stages[name], arguments)
        with pytest.raises(StageError, match="missing"):
            parse_call(stages[name], arguments[arguments.index("--run") :])


@pytest.mark.slow
@pytest.mark.xdist_group("tiny")
@pytest.mark.parametrize("optional", [False, True])
def test_commands_of_a_local_run_parse(tiny: Checkout, tmp_path: Path, optional: bool) -> None:
    names = ["dem", "far_dem", "elevation_error", "craters"] if optional else ["dem"]
    # A blank in a path must survive the shell; the files need only exist for a dry run.
    files = {name: tmp_path / f"my {name}.tif" for name in names}
    for path in files.values():
        path.touch()
    local = {name: str(path) for name, path in files.items()}
    places = tmp_path / "my places.csv"
    places.touch()
    changes: dict[str, object] = {"run": "local", "source": {"kind": "local", "local": local}}
    if optional:
        reference = tmp_path / "my reference.csv"
        reference.touch()
        tiles = {name: tmp_path / f"my {name}.hdf5" for name in ("images", "craters")}
        for path in tiles.values():
            path.touch()
        layers = {name: tmp_path / f"my {name}" for name in ("temperature", "ice_depth", "scarps", "fine 1", "fine 2")}
        sites = {name: tmp_path / f"my {name}.csv" for name in ("experts", "rivals")}
        composites = [tmp_path / "my composite.tif", tmp_path / "another.tif"]
        for path in (*layers.values(), *sites.values(), *composites):
            path.touch()
        changes["source"] = {
            "kind": "local",
            "local": local
            | {name: str(layers[name]) for name in ("temperature", "ice_depth", "scarps")}
            | {"fine_dems": [str(layers["fine 1"]), str(layers["fine 2"])]}
            | {"shadowcam": [str(path) for path in composites], "shadowcam_bands": {"brightness": 1}},
            "shadowcam_frames": {"folder": str(tmp_path / "my frames")},
            "psr_images": {name: str(tmp_path / f"my {name}") for name in ("sunlit", "shadowed")},
            "rock_images": {"folder": str(tmp_path / "my rocks")},
        }
        changes |= {
            "rock": {"ablate": True},
            "places": {"table": str(places)},
            "crater": {"pretraining_tiles": {name: str(path) for name, path in tiles.items()}},
            "site": {"craters": "given"},
            "validation": {
                "illumination": {"table": str(reference)},
                "crater": {"baselines": True},
                "site": {name: str(path) for name, path in sites.items()},
            },
        }
    else:
        model = tmp_path / "my model.safetensors"
        model.touch()
        changes |= {"crater": {"model": "pretrained", "model_file": str(model)}}
    calls = {
        call[0]: parse_call(discover()[call[0]], call[1:])[0]
        for call in commands(tiny.snakemake("--dry-run", changes=changes).stdout)
    }
    source = calls["source-local"]
    assert [source[f"{name}_file"] for name in names] == [files[name] for name in names]
    assert ("terrain-elevation-error" in calls) is not optional
    for name in ("far_dem", "craters", "elevation_error"):
        assert (source[name] is not None) is optional
    assert (calls["illumination-sweep"]["far_dem"] is not None) is optional
    assert (calls["site-cells"]["craters"] is not None) is optional
    assert (calls["site-cells"]["detected"] is None) is optional
    trained = ("source-deepmoon", "crater-pretrain", "crater-tiles", "crater-finetune", "crater-calibrate")
    judged = ("crater-classical", "validate-crater", "publish-crater-checks")
    assert all((name in calls) is optional for name in (*trained, *judged))
    if optional:
        deepmoon = calls["source-deepmoon"]
        assert [deepmoon["images_file"], deepmoon["craters_file"]] == list(tiles.values())
        assert all(calls["crater-finetune"][name] is not None for name in ("pretraining_tiles", "initial"))
        assert all(calls["validate-crater"][name] is not None for name in ("base", "classical"))
    else:
        assert calls["crater-extract"]["model"] == model
    assert all((name in calls) is optional for name in ("illumination-places", "publish-places", "publish-light"))
    for name in ("light_differences_png", "light_scatter_png"):
        assert (calls["publish-report"][name] is not None) is optional
    for name in ("place_profiles", "place_series"):
        assert (calls["publish-catalogue"][name] is not None) is optional
    assert not optional or calls["illumination-places"]["table"] == places
    assert all((name in calls) is optional for name in (*LAYERS, *FRAMES, "images-shadowcam-frames", "images-psr"))
    assert {"light-scenes", "validate-enhance", "publish-enhance"} <= set(calls)
    check_shadow(calls, optional)
    check_rocks(calls, optional)
    for name in ("relief", "temperature", "ice_depth", "scarps"):
        assert (calls["criteria-gather"][name] is not None) is optional
        assert (calls["publish-catalogue"][name] is not None) is optional
    assert all((calls["validate-site"][name] is not None) is optional for name in ("experts", "rivals"))
    assert calls["validate-site"]["truth"] is None
    if optional:
        assert len(calls["terrain-relief"]["fine_dems"]) == 2
        assert all(len(calls[stage]["fine_dems"]) == 2 for stage in ("light-scenes", "light-frames"))
        assert calls["images-composite"]["composite_file"] in composites
        assert len(calls["validate-shadowcam"]["composites"]) == 2
        assert calls["enhance-frames"]["cycle"] is None, "only the network that enhances"
        assert calls["validate-site"]["experts"] == sites["experts"]
        assert calls["source-scarps"]["scarps_file"] == layers["scarps"]


def check_shadow(calls: dict[str, dict[str, Any]], frames: bool) -> None:
    """Frames, composites and unpaired images reach every stage that reads them, if the run has them."""
    for stage, names in (
        ("validate-enhance", ("frames", "enhanced", "light", "craters")),
        ("enhance-cycle", ("images",)),
        ("publish-report", ("shadowcam_record", "enhance_frames_png", "shadowcam_pictures_png", "shadowcam_aucs_png")),
        ("pages-write", ("shadowcam",)),
        ("publish-catalogue", ("shadowcam_frames", "frame_light", "enhanced_frames", "shadowcam_record")),
    ):
        assert all((calls[stage][name] is not None) is frames for name in names)


def check_rocks(calls: dict[str, dict[str, Any]], folder: bool) -> None:
    """A folder of rock images teaches, and is measured beside the run's own renders, if the run names one."""
    assert all((name in calls) is folder for name in ROCKS)
    names = ["rocks.h5", "renders.h5"] if folder else ["renders.h5"]
    for stage in ("validate-rock", *(["rock-ablate"] if folder else [])):
        assert [path.name for path in calls[stage]["scenes"]] == names
    # Own renders tell small rocks from large ones otherwise than the dataset: they teach where there is none.
    assert [path.name for path in calls["rock-train"]["scenes"]] == names[:1]
    judged = calls["validate-rock"]
    assert judged["sizes"].name == "renders_sizes.parquet"
    assert judged["lit_scenes"].name == "lit_scenes.h5"
    assert all((judged[name] is not None) is folder for name in ("orbital", "ablation"))
    listed = calls["publish-catalogue"]
    drawn = calls["publish-rock"]
    assert drawn["renders"].name == "renders_distribution.parquet"
    assert (drawn["images"].name if folder else drawn["images"]) == ("images_distribution.parquet" if folder else None)
    assert all((calls[stage]["rock_gap_png"] is not None) is folder for stage in ("publish-rock", "publish-report"))
    derived = ("rock_maps", "rock_hazard", "rock_sizes", "rock_distribution")
    assert [len(listed[name]) for name in derived] == [len(names)] * len(derived)
    assert all((listed[name] is not None) is folder for name in ("rock_images", "rock_ablation"))


@pytest.mark.slow
@pytest.mark.xdist_group("tiny")
@pytest.mark.parametrize("rules_read", ["computed", "published"])
def test_commands_of_a_published_run_parse(tiny: Checkout, tmp_path: Path, rules_read: str) -> None:
    folders = {name: tmp_path / f"my {name}" for name in ("sunlit", "shadowed", "frames", "rocks")}
    own = rules_read == "published"
    changes: dict[str, object] = {
        "run": "published",
        "source": {
            "kind": "published",
            "published": {
                "fine_dems": ["lola_dem_80s_40m", "lola_dem_80s_20m"],
                "rules_read": rules_read,
                "shadowcam": "shadowcam_cabeus",
            },
            "psr_images": {name: str(folders[name]) for name in ("sunlit", "shadowed")},
            "shadowcam_frames": {"folder": str(folders["frames"])},
            "rock_images": {"folder": str(folders["rocks"]) if own else None},
        },
    }
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in commands(tiny.snakemake("all", "datasets", "--dry-run", changes=changes).stdout):
        calls.setdefault(call[0], []).append(parse_call(discover()[call[0]], call[1:])[0])
    assert {*PUBLISHED, *DATASETS, "terrain-relief", "publish-light", "validate-crater"} <= set(calls)
    assert not {"source-synthetic", "source-local", "terrain-elevation-error"} & set(calls)
    fetched = {call["product"] for call in calls["fetch-product"]}
    assert {"lola_dem_80s_80m", "robbins_2018", "hirise_landmarks_v3", "deepmoon_dev"} <= fetched
    assert len(fetched) == len(calls["fetch-product"]), "each product once"
    assert ("rocks" in fetched) is not own
    assert len(calls["pages-write"][0]["receipts"]) == 16
    assert len(calls["images-shadowcam"]) == 2
    assert len(calls["published-fine-dem"]) == 2
    assert len(calls["source-deepmoon"]) == 3
    for stage, maps in (
        ("site-cells", ("sun_any", "earth_any", "psr")),
        ("place-sites", ("sun_any", "earth_any", "psr")),
        ("criteria-gather", ("psr",)),
        ("criteria-reach", ("psr",)),
        ("pages-write", ("sun_any", "earth_any", "psr")),
    ):
        assert {calls[stage][0][name].parent.name for name in maps} == {"source" if own else "illumination"}
    assert (calls["label-labels"][0]["illumination"] is None) is own
    compared = calls["validate-illumination"][0]
    assert compared["sun_any"].parent.name == "illumination"
    assert {compared[f"{name}_reference"].parent.name for name in ("sun", "earth", "psr")} == {"source"}
    assert compared["polygons"] == Path("results/published/source/psr_polygons.gpkg")
    assert calls["validate-site"][0]["experts"] == Path("results/published/source/experts.csv")
    judged = calls["validate-shadowcam"][0]
    assert len(judged["composites"]) == 2
    assert {judged[name].parent.name for name in ("psr", "sun_any")} == {"illumination"}
    assert judged["published_psr"].parent.name == "source"
    assert calls["validate-enhance"][0]["denoiser"] == Path("results/published/enhance/denoiser.safetensors")
    # Without a folder the published set is for `datasets` alone: a run's own renders need nothing from outside.
    assert len(calls["validate-rock"][0]["scenes"]) == (2 if own else 1)
    assert {call["scenes"].name for call in calls["rock-infer"]} == {"renders.h5", *(["rocks.h5"] if own else [])}
