"""What a run will cost: within a factor of two where a run was measured, and growing as it should elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from lunarsite import plan
from lunarsite.plan import Cost, Size, duration, estimate, result_bytes, table_lines
from lunarsite.settings import Settings, parse
from lunarsite.settings.rock import RockAblationSettings, RockLearningSettings, RockNetworkSettings
from lunarsite.stage import discover
from lunarsite.vision.rock.ablation import variants

# The default run (240 m) on two cores of an AMD EPYC beside other work, 21 November 2026 (rocks the day after):
# processor time of all jobs of a stage (seconds) and the peak memory of one (MiB), from snakemake's benchmark files.
MEASURED = {
    "source-synthetic": (16.6, 465),
    "terrain-slope": (4.2, 429),
    "terrain-roughness": (4.1, 452),
    "terrain-elevation-error": (1.9, 260),
    "illumination-sweep": (237.1, 625),
    "illumination-gather": (10.3, 396),
    "illumination-profiles": (147.5, 611),
    "illumination-darkness": (226.0, 1673),
    "illumination-sites": (8.7, 423),
    "crater-infer": (22.0, 871),
    "crater-extract": (13.9, 913),
    "light-scenes": (45.0, 484),
    "rock-render": (44.7, 449),
    "rock-infer": (17.1, 626),
    "rock-hazard": (4.8, 269),
    "site-cells": (15.9, 898),
    "label-clones": (28.6, 364),
    "label-labels": (3.2, 530),
    "criteria-reach": (24.8, 741),
    "criteria-gather": (10.8, 854),
    "score-train": (25.2, 1078),
    "score-crossvalidate": (297.5, 1212),
    "place-sites": (42.6, 726),
    "validate-artemis": (14.6, 473),
    "validate-site": (6.1, 516),
    "validate-illumination": (2.0, 427),
    "validate-crater": (14.3, 423),
    "validate-enhance": (41.0, 542),
    "validate-rock": (78.3, 746),
    "publish-figures": (15.1, 917),
    "publish-nights": (5.0, 389),
    "publish-enhance": (5.9, 298),
    "publish-rock": (9.1, 414),
    "publish-craters": (9.4, 596),
    "publish-crater-checks": (9.3, 633),
    "publish-site-checks": (14.2, 880),
    "publish-report": (5.0, 626),
    "pages-write": (44.4, 740),
    "publish-catalogue": (2.9, 291),
}
MEASURED_RESULTS_MB = 508


def costs(**config: Any) -> dict[str, Cost]:
    return {cost.stage: cost for cost in estimate(parse(config))}


def test_the_default_run_within_a_factor_of_two() -> None:
    found = costs()
    assert set(found) == set(MEASURED)
    for stage, (cpu_s, memory_mib) in MEASURED.items():
        assert 0.5 <= found[stage].cpu_s / cpu_s <= 2.0, stage
        assert 0.75 <= found[stage].memory_mib / memory_mib <= 1.33, stage
    total_s = sum(cpu_s for cpu_s, _ in MEASURED.values())
    assert 0.7 <= sum(cost.cpu_s for cost in found.values()) / total_s <= 1.4
    assert 0.5 <= result_bytes(Settings()) / 1e6 / MEASURED_RESULTS_MB <= 2.0


def test_the_size_of_the_default_run() -> None:
    size = Size.of(Settings())
    assert size.near_mpx == pytest.approx(6.418, abs=0.001)
    assert size.far_mpx == pytest.approx(6.554, abs=0.001)
    assert size.cells == pytest.approx(0.315034, rel=0.001)
    assert size.area == 1.0


def test_a_small_map_holds_no_more_cells_than_fit() -> None:
    size = Size.of(parse({"grid": {"half_width_m": 48_000, "far_half_width_m": 96_000}}))
    assert size.cells == pytest.approx(1e-4 * 100)


@pytest.mark.parametrize(
    ("pixel_m", "cpu_h", "memory_gib"),
    # docs/illumination.md, "Cost": 360 directions of the Sun and 25 of the Earth, extrapolated there too.
    [(80.0, 0.23, 2.2), (40.0, 0.9, 9.0), (20.0, 3.6, 35.0)],
)
def test_sweeps_cost_what_their_page_says(pixel_m: float, cpu_h: float, memory_gib: float) -> None:
    sweep = costs(grid={"pixel_m": pixel_m})["illumination-sweep"]
    assert sweep.cpu_s / 3_600.0 == pytest.approx(cpu_h, rel=0.2)
    assert sweep.memory_mib / 1_024.0 == pytest.approx(memory_gib, rel=0.2)


def test_ways_and_clones_cost_what_their_pages_say() -> None:
    fine = costs(grid={"pixel_m": 80.0})
    assert fine["criteria-reach"].cpu_s == pytest.approx(2 * 200, rel=0.2)
    assert fine["criteria-reach"].memory_mib / 1_024.0 == pytest.approx(5.0, rel=0.2)
    assert fine["label-clones"].cpu_s == pytest.approx(16 * 60, rel=0.3)
    # What reads cells and not pixels costs the same.
    assert fine["score-train"] == costs()["score-train"]


def test_work_grows_with_what_is_asked_for() -> None:
    base = costs()
    assert costs(illumination={"azimuths": 180})["illumination-sweep"].cpu_s < base["illumination-sweep"].cpu_s
    heights = costs(illumination={"observer_heights_m": [0.0, 10.0]})
    assert heights["illumination-gather"].jobs == 2
    assert heights["illumination-sweep"].memory_mib > base["illumination-sweep"].memory_mib
    assert costs(illumination={"shards": 36})["illumination-sweep"].jobs == 36
    assert costs(rock={"inference": {"flips": 4}})["rock-infer"].cpu_s > 1.5 * base["rock-infer"].cpu_s
    more = costs(rock={"render": {"scenes": 48}})
    assert all(more[stage].cpu_s > 1.5 * base[stage].cpu_s for stage in ("rock-render", "validate-rock"))
    folder = costs(source={"rock_images": {"folder": "rocks"}})
    assert folder["rock-infer"].jobs == 2
    assert folder["rock-infer"].cpu_s > 3.0 * base["rock-infer"].cpu_s
    craters = costs(crater={"detection": {"least_diameter_m": 700.0}})
    assert craters["crater-infer"].cpu_s > 2.5 * base["crater-infer"].cpu_s


@pytest.mark.parametrize(
    ("config", "lacking", "more"),
    [
        ({"darkness": {"enabled": False}}, "illumination-darkness", None),
        ({"crater": {"enabled": False}}, "crater-infer", None),
        ({"places": {"best_sites": 0}}, "illumination-sites", None),
        ({"places": {"table": "places.csv"}}, None, "illumination-places"),
        ({"crater": {"model": "train"}}, None, "crater-finetune"),
        ({"source": {"kind": "local", "local": {"dem": "a.tif"}}}, "source-synthetic", "source-local"),
        ({"source": {"kind": "published"}}, "terrain-elevation-error", "published-illumination"),
        ({"source": {"kind": "published", "published": {"slope": None}}}, "validate-slope", "published-elevation"),
        ({"source": {"kind": "published", "published": {"experts": None}}}, "outlines-experts", "outlines-psr"),
        ({"source": {"kind": "published", "published": {"psr_polygons": None}}}, "outlines-psr", "publish-light"),
        (
            {"source": {"kind": "published"}, "validation": {"illumination": {"psr_polygons": "a.gpkg"}}},
            "outlines-psr",
            "outlines-experts",
        ),
        ({"validation": {"illumination": {"table": "light.csv"}}}, None, "publish-light"),
        ({"rock": {"enabled": False}}, "rock-infer", None),
        ({}, "images-rocks", "rock-render"),
        ({"source": {"psr_images": {"sunlit": "lit"}}}, None, "images-psr"),
        ({"source": {"psr_images": {"sunlit": "lit"}}, "rock": {"enabled": False}}, "images-psr", None),
        ({"source": {"rock_images": {"folder": "rocks"}}}, "rock-train", "images-rocks"),
        ({"rock": {"model": "train"}}, "rock-ablate", "rock-train"),
        ({"rock": {"ablate": True}}, "rock-train", "rock-ablate"),
    ],
)
def test_stages_that_a_run_has_not_cost_nothing(config: dict[str, Any], lacking: str | None, more: str | None) -> None:
    found = costs(**config)
    assert lacking not in found
    assert more is None or more in found


def test_an_ablation_costs_as_many_trainings_as_it_has_variants() -> None:
    def trainings_s(**network: Any) -> float:
        rock = {"ablate": True, "learning": {"network": network}}
        twice = {**rock, "ablation": {"seeds": 2 * RockAblationSettings().seeds}}
        return costs(rock=twice)["rock-ablate"].cpu_s - costs(rock=rock)["rock-ablate"].cpu_s

    counts = [
        len(
            variants(
                RockLearningSettings(network=RockNetworkSettings(head=head)), RockAblationSettings().variants, own=True
            )
        )
        for head in ("horizon", "plain")
    ]
    assert counts[0] > counts[1]
    assert trainings_s(head="horizon") / trainings_s(head="plain") == pytest.approx(counts[0] / counts[1])


def test_every_stage_is_one_of_the_command_line() -> None:
    published = {"kind": "published", "published": {"fine_dems": ["lola_dem_80s_20m"]}}
    many = costs(
        source=published,
        crater={"model": "train", "pretraining_tiles": {"images": "tiles.h5"}},
        validation={"crater": {"baselines": True}},
        places={"table": "places.csv"},
    )
    many |= costs(source={"kind": "local", "local": {"dem": "a.tif", "fine_dems": ["b.tif"]}})
    assert not {stage.split(" ")[0] for stage in many} - set(discover())
    assert all(cost.cpu_s > 0 and cost.memory_mib > 0 and cost.jobs > 0 for cost in many.values())


def test_larger_products_take_longer() -> None:
    settings = parse({"source": {"kind": "published", "published": {"fine_dems": ["lola_dem_80s_20m"]}}})
    small, large = (
        {cost.stage: cost.cpu_s for cost in estimate(settings, {"lola_dem_80s_20m": size})} for size in (10**6, 10**10)
    )
    assert large["published-fine-dem"] > small["published-fine-dem"] + 100
    assert large["terrain-relief"] > small["terrain-relief"] + 100
    assert result_bytes(settings, {"lola_dem_80s_20m": 10**10}) - result_bytes(settings) == 10**10


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (89.0, "89 s"), (91.0, "2 min"), (5_399.0, "90 min"), (7_200.0, "2.0 h")]
)
def test_times_for_readers(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_sums_up_and_marks_guesses() -> None:
    rows = [Cost("a-b", 2, 60.0, 500.0), Cost("c-d", 1, 3_600.0, 2_048.0, "guessed")]
    lines = table_lines(rows, 4)
    assert lines[2].endswith("2.0 GiB  (guessed)")
    assert lines[3].split() == ["sum", "3", "61", "min", "2.0", "GiB"]
    assert lines[4] == "  on 4 cores: 15 min to 38 min"
    assert table_lines(rows, 1)[4] == "  on one core: 61 min to 61 min"
    assert plan.memory(999.0) == "999 MiB"


def test_a_machine_that_is_too_small_is_told_no_time() -> None:
    rows = [Cost("a-b", 2, 60.0, 500.0), Cost("c-d", 1, 3_600.0, 2_048.0, "guessed")]
    lines = table_lines(rows, 4, 1_024.0)
    assert [line.split("  ")[-1].strip() for line in lines[1:3]] == ["500 MiB", "MORE THAN THIS MACHINE HAS"]
    assert lines[4:] == ["  this machine has 1.0 GiB: it cannot make 1 of these stages"]
    assert table_lines(rows, 4, 2_048.0) == table_lines(rows, 4)
