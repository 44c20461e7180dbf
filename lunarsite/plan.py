"""What a run will cost before it is made: processor time and memory by stage, and disk, from its settings alone.

Estimates, not promises. Each law is a start that every job pays and a part that grows with what the stage works on:
pixels, cells, directions, epochs, draws. The numbers are from the default run (240 m, 315 034 cells, two cores of an
AMD EPYC that had other work to do, November 2026) and from what the rooms' pages say of cost (docs/illumination.md,
criteria.md, labels.md, sites.md, score.md); at other sizes they are extrapolated. Nothing here is read by a stage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lunarsite.settings import Settings
from lunarsite.settings.learning import TrainingSettings

Basis = Literal["measured", "guessed"]
"""'measured': a law through measured runs; 'guessed': from like stages, where no run has been measured."""
_BYTES_OF_SAMPLE = 4
_MOON_RADIUS_M = 1_737_400.0


@dataclass(frozen=True)
class Cost:
    """What the jobs of one stage take."""

    stage: str
    jobs: int
    cpu_s: float
    """Processor time of all jobs together, seconds."""
    memory_mib: float
    """Peak memory of one job, MiB."""
    basis: Basis = "measured"


@dataclass(frozen=True)
class Size:
    """What the costs grow with."""

    near_mpx: float
    """Pixels of the run's map, millions."""
    far_mpx: float
    """Pixels of the far field, millions."""
    cells: float
    """Cells that are scored, millions."""
    area: float
    """Area of the map relative to 608 x 608 km."""

    @classmethod
    def of(cls, settings: Settings) -> Size:
        """Return the size of a run."""
        grid = settings.grid
        # Where the map's pole distance of the limit lies: 2 R tan(colatitude / 2).
        reach_m = 2.0 * _MOON_RADIUS_M * math.tan(math.radians((90.0 - grid.latitude_limit_deg) / 2.0))
        cap_m2 = min(math.pi * reach_m**2, 4.0 * grid.half_width_m**2)
        return cls(
            near_mpx=(2.0 * grid.half_width_m / grid.pixel_m) ** 2 / 1e6,
            far_mpx=(2.0 * grid.far_half_width_m / grid.far_pixel_m) ** 2 / 1e6,
            cells=cap_m2 / grid.cell_m**2 / 1e6,
            area=(grid.half_width_m / 304_000.0) ** 2,
        )


def estimate(settings: Settings, product_bytes: Mapping[str, int] | None = None) -> tuple[Cost, ...]:
    """Return the cost of each stage of a run, in the order in which they run.

    Args:
        settings: The run's.
        product_bytes: Sizes of published products by name; those that are not given count as nothing.
    """
    size = Size.of(settings)
    held = product_bytes or {}
    parts = (_sources(settings, size, held), _terrain(settings, size, held), _light(settings, size))
    rest = (_craters(settings, size), _shadow(settings, size), _rocks(settings))
    last = (_site(settings, size), _checks(settings, size), _pages(settings, size))
    return tuple(cost for part in (*parts, *rest, *last) for cost in part)


def result_bytes(settings: Settings, product_bytes: Mapping[str, int] | None = None) -> float:
    """Return roughly what a run leaves below results/, bytes: compressed rasters, tables, figures, pages."""
    size = Size.of(settings)
    fine = sum((product_bytes or {}).get(name, 0) for name in settings.source.published.fine_dems)
    published = settings.source.kind == "published"
    per_near = 45.0 + (10.0 if published else 0.0)
    return 150e6 + per_near * size.near_mpx * 1e6 + 7.0 * size.far_mpx * 1e6 + (fine if published else 0)


def table_lines(costs: Sequence[Cost], cores: int, machine_mib: float = math.inf) -> list[str]:
    """Return the costs as lines of text, and their sum.

    Args:
        costs: Of the stages.
        cores: Of the machine.
        machine_mib: Its memory, MiB: stages that need more are marked, and then no time is told.
    """
    lines = [f"  {'stage':<24}{'jobs':>5}{'CPU time':>12}{'memory of a job':>18}"]
    lines += [
        f"  {cost.stage:<24}{cost.jobs:>5}{duration(cost.cpu_s):>12}{memory(cost.memory_mib):>18}"
        + ("  (guessed)" if cost.basis == "guessed" else "")
        + ("  MORE THAN THIS MACHINE HAS" if cost.memory_mib > machine_mib else "")
        for cost in costs
    ]
    total_s = sum(cost.cpu_s for cost in costs)
    largest = max((cost.memory_mib for cost in costs), default=0.0)
    jobs = sum(cost.jobs for cost in costs)
    lines.append(f"  {'sum':<24}{jobs:>5}{duration(total_s):>12}{memory(largest):>18}")
    too_large = sum(cost.memory_mib > machine_mib for cost in costs)
    if too_large:
        lines.append(f"  this machine has {memory(machine_mib)}: it cannot make {too_large} of these stages")
        return lines
    # Half of what more cores could bring is lost: some stages use one core, others wait for them.
    wall_s = total_s * (0.5 + 0.5 / cores) if cores > 1 else total_s
    where = f"on {cores} cores" if cores > 1 else "on one core"
    lines.append(f"  {where}: {duration(total_s / cores)} to {duration(wall_s)}")
    return lines


def duration(seconds: float) -> str:
    """Return a time for a reader: '40 s', '12 min', '3.5 h'."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5_400.0 else f"{seconds / 3_600.0:.1f} h"


def memory(mib: float) -> str:
    """Return an amount of memory for a reader."""
    return f"{mib:.0f} MiB" if mib < 1_000.0 else f"{mib / 1_024.0:.1f} GiB"


def _sources(settings: Settings, size: Size, product_bytes: Mapping[str, int]) -> Iterator[Cost]:
    kind, both = settings.source.kind, size.near_mpx + size.far_mpx
    if kind == "synthetic":
        yield Cost("source-synthetic", 1, 2 + 1.1 * both, 200 + 20 * both)
        return
    if kind == "local":
        local = settings.source.local
        yield Cost("source-local", 1, 2 + 0.15 * both, 300)
        if local.fine_dems:
            yield Cost("source-fine-dem", len(local.fine_dems), 2.0 * len(local.fine_dems), 220)
        if local.shadowcam:
            yield Cost("images-composite", len(local.shadowcam), 3.0 * len(local.shadowcam), 300, "guessed")
        return
    published = settings.source.published

    def gib(*names: str | None) -> float:
        return sum(product_bytes.get(name, 0) for name in names if name is not None) / 2**30

    def reading(stage: str, *names: str | None, writes_mpx: float, jobs: int = 1) -> Cost:
        # Decompressing and averaging a gigabyte takes half a minute (23 million pixels of 20 m: 4.6 s with the start),
        # writing a compressed map a third of a second per million pixels.
        cpu_s = 3.0 * jobs + 30.0 * gib(*names) + 0.35 * writes_mpx
        return Cost(stage, jobs, cpu_s, 600, "guessed")

    maps = (*published.sun, *published.earth, *published.psr)
    elevation = (published.dem, published.far_dem, published.elevation_error)
    rasters = reading("published-elevation", *elevation, writes_mpx=size.near_mpx * 2 + size.far_mpx)
    # A catalogue is text: a quarter of a gigabyte takes a minute and more.
    yield replace(rasters, cpu_s=rasters.cpu_s + 300.0 * gib(published.craters))
    if published.fine_dems:
        fine = published.fine_dems
        writes_mpx = gib(*fine) * 2**30 / _BYTES_OF_SAMPLE / 1e6
        yield reading("published-fine-dem", *fine, writes_mpx=writes_mpx, jobs=len(fine))
    if maps:
        yield reading("published-illumination", *maps, writes_mpx=3 * size.near_mpx)
    if published.slope:
        yield reading("published-slope", published.slope, writes_mpx=2 * size.near_mpx)
    if published.shadowcam:
        yield reading("images-shadowcam", published.shadowcam, writes_mpx=0.0, jobs=2)
    if published.psr_polygons and settings.validation.illumination.psr_polygons is None:
        yield Cost("outlines-psr", 1, 4, 300)
    if published.experts and settings.validation.site.experts is None:
        yield Cost("outlines-experts", 1, 1.5, 200)


def _terrain(settings: Settings, size: Size, product_bytes: Mapping[str, int]) -> Iterator[Cost]:
    yield Cost("terrain-slope", 1, 2 + 0.35 * size.near_mpx, 430)
    yield Cost("terrain-roughness", 1, 2 + 0.35 * size.near_mpx, 450)
    kind, local, published = settings.source.kind, settings.source.local, settings.source.published
    error = local.elevation_error if kind == "local" else published.elevation_error if kind == "published" else None
    if error is None:
        yield Cost("terrain-elevation-error", 1, 1.5 + 0.1 * size.near_mpx, 260)
    if kind == "local" and local.fine_dems:
        yield Cost("terrain-relief", 1, 3 + 0.5 * len(local.fine_dems), 400)
    if kind == "published" and published.fine_dems:
        fine_mpx = sum(product_bytes.get(name, 0) for name in published.fine_dems) / _BYTES_OF_SAMPLE / 1e6
        yield Cost("terrain-relief", 1, 3 + 1.0 * fine_mpx, 400, "guessed")


def _light(settings: Settings, size: Size) -> Iterator[Cost]:
    light = settings.illumination
    heights, jobs = len(light.observer_heights_m), light.shards
    # Nanoseconds per pixel and direction (docs/illumination.md); tables, start and compiling besides.
    sun_s = light.azimuths * ((35.0 + 17.0 * light.months) * size.near_mpx + 7.5 * size.far_mpx) / 1e3
    earth_s = 25.0 / light.earth_step_deg * (63.0 * size.near_mpx + 4.0 * size.far_mpx) / 1e3
    bytes_each = 38.0 + 25.0 * (heights - 1) + 48.0 * light.months * heights
    sweep_mib = 300 + (bytes_each * size.near_mpx + 8.0 * size.far_mpx) * 1e6 / 2**20
    yield Cost("illumination-sweep", jobs, 20 + 8 * jobs + (sun_s + earth_s) * heights, sweep_mib)
    gather_s = (2 + 1.3 * size.near_mpx) * heights
    yield Cost("illumination-gather", heights, gather_s, 400 + 2.0 * size.near_mpx)
    if settings.darkness.enabled:
        profiles_s = 8 * jobs + light.azimuths * (35.0 * size.near_mpx + 7.5 * size.far_mpx) / 1e3
        yield Cost("illumination-profiles", jobs, profiles_s, sweep_mib)
        epochs = light.span.years * 8_766.0 / light.span.step_h
        night_s = 5 + 450.0 * size.cells * epochs / 175_320.0
        yield Cost("illumination-darkness", 1, night_s, 400 + 4_000 * size.cells)
    if settings.places.table:
        yield Cost("illumination-places", 1, 5 + 0.5 * size.near_mpx, sweep_mib)
    if settings.places.best_sites:
        sites_s = 3 + 0.5 * size.near_mpx + 0.15 * settings.places.best_sites
        yield Cost("illumination-sites", 1, sites_s, 250 + 30.0 * size.near_mpx)


def _craters(settings: Settings, size: Size) -> Iterator[Cost]:
    crater, baselines = settings.crater, settings.validation.crater.baselines
    if not crater.enabled:
        return
    if crater.model == "train":
        yield Cost("crater-tiles", 1, 3 + 0.4 * size.near_mpx, 500)
        trainings: dict[str, TrainingSettings] = {"crater-finetune": crater.finetuning}
        if crater.pretraining_tiles.images:
            trainings["crater-pretrain"] = crater.pretraining
        # A step of 8 crops of 224 x 224 takes 0.7 CPU-seconds in the smallest network, twice that in the default one.
        depth = 1.4 if crater.network.kind == "smp-unet" else 0.7 * (crater.network.channels / 16.0) ** 2
        for stage, plan in trainings.items():
            step_s = depth * plan.batch * plan.devices / 8.0 * (plan.crop_px / 224.0) ** 2
            yield Cost(stage, 1, 10 + plan.epochs * plan.steps_per_epoch * step_s, 1_500)
        yield Cost("crater-calibrate", 1, 8 + 20.0 * size.area, 900)
    shards, views = crater.inference.shards, crater.inference.views
    work = size.area * (1_400.0 / crater.detection.least_diameter_m) ** 2
    infer_s = 5 * shards + 0.3 * size.near_mpx + 16.0 * work * views
    yield Cost("crater-infer", shards, infer_s, 870)
    yield Cost("crater-extract", 1, 3 + 0.3 * size.near_mpx + 9.0 * work, 900)
    if baselines and settings.source.kind != "synthetic":
        yield Cost("crater-classical", 1, 3 + 1.9 * size.near_mpx, 400 + 180.0 * size.near_mpx)
        yield Cost("crater-infer (base)", shards, infer_s, 870)
        yield Cost("crater-extract (base)", 1, 3 + 0.3 * size.near_mpx + 9.0 * work, 900)


def _networks_of_shadow(settings: Settings) -> bool:
    """Return whether networks that enhance images of shadow are trained."""
    return settings.enhance.enabled and settings.enhance.model == "train"


def _shadow(settings: Settings, size: Size) -> Iterator[Cost]:
    enhance, local = settings.enhance, settings.source.kind == "local"
    models = 1 + (len(settings.source.local.fine_dems) if local else 0)
    held_mib = 8.0 * (size.near_mpx + size.far_mpx) * 1e6 / 2**20
    gathering = enhance.scenes.directions / 32.0
    if settings.source.shadowcam_frames.folder is not None:
        # Frames are not counted before they are read: some thirty.
        yield Cost("images-shadowcam-frames", 1, 30, 600, "guessed")
        yield Cost("light-frames", 1, 20 + 420.0 * gathering, 600 + held_mib, "guessed")
    orbital = settings.source.psr_images
    taught = orbital.shadowed is not None and _networks_of_shadow(settings)
    if taught or (orbital.sunlit is not None and settings.rock.enabled):
        yield Cost("images-psr", 1, 20, 400, "guessed")
    if not enhance.enabled:
        return
    places = models * enhance.scenes.tiles_per_model + enhance.scenes.training_tiles
    scenes = places * enhance.scenes.suns_per_tile
    tile = (enhance.scenes.tile_px / 128.0) ** 2
    yield Cost("light-scenes", 1, 8 + 1.6 * scenes * tile * gathering, 400 + held_mib)
    if _networks_of_shadow(settings):
        denoiser, cycle, plan = enhance.denoiser, enhance.cycle, enhance.denoiser.training
        crops = plan.epochs * plan.steps_per_epoch * plan.batch * denoiser.members
        yield Cost("enhance-train", 1, 15 + 0.03 * crops * (plan.crop_px / 96.0) ** 2, 1_500, "guessed")
        step_s = 1.6 * cycle.batch * (cycle.crop_px / 128.0) ** 2 * (cycle.generator_channels / 24.0) ** 2
        yield Cost("enhance-cycle", 1, 15 + cycle.steps * step_s, 1_500, "guessed")
    if settings.source.shadowcam_frames.folder is not None:
        yield Cost("enhance-frames", 1, 420, 1_200, "guessed")


def _rocks(settings: Settings) -> Iterator[Cost]:
    rock = settings.rock
    if not rock.enabled:
        return
    folder = settings.source.rock_images.folder is not None
    if folder:
        yield Cost("images-rocks", 1, 5 + 0.1 * _ROCK_IMAGES, 350, "guessed")
    yield Cost("rock-render", 1, 12 + 1.8 * rock.render.scenes * _render_size(settings), 480)
    step_s = _rock_step_s(settings)
    if rock.model == "train":
        plan = rock.learning.training
        steps = plan.epochs * plan.steps_per_epoch * rock.learning.members
        yield Cost("rock-train", 1, 30 + steps * step_s, 2_000, "guessed")
    if rock.ablate:
        ablation = rock.ablation
        learning = rock.learning
        # A variant that would add nothing is not trained.
        adds_nothing = {
            "style": not learning.augmentation.style,
            "few labels": not learning.photograph_labels,
            "plain head": learning.network.head == "plain" or not learning.photograph_labels,
        }
        trainings = (1 + sum(not adds_nothing.get(name) for name in set(ablation.variants))) * ablation.seeds
        ablation_s = trainings * ablation.epochs * ablation.steps_per_epoch * step_s
        yield Cost("rock-ablate", 1, 60 + ablation_s, 2_000, "guessed")
    images = rock.render.scenes * _render_size(settings) + (_ROCK_IMAGES if folder else 0)
    jobs = 2 if folder else 1
    yield Cost("rock-infer", jobs, 6 * jobs + 0.12 * images * _rock_passes(settings), 640)
    yield Cost("rock-hazard", jobs, 3 * jobs + 0.2 * images, 280)


_ROCK_IMAGES = 180
"""Images in a user's folder, which are not counted before they are read: as many as the reference data have."""


def _render_size(settings: Settings) -> float:
    """Return the size of a rendered scene relative to the default one."""
    render = settings.rock.render
    return render.height_px * render.width_px / (256.0 * 384.0)


def _rock_passes(settings: Settings) -> float:
    """Return how often a network sees an image of the default size when it is segmented."""
    rock = settings.rock
    networks = {"single": 1, "ensemble": rock.learning.members, "dropout": rock.inference.passes}
    return networks[rock.inference.method] * rock.inference.flips * sum(scale**2 for scale in rock.inference.scales)


def _rock_step_s(settings: Settings) -> float:
    """Return what a step of training takes: 0.95 CPU-seconds for 8 crops of 192 px in a MobileNetV2."""
    plan, network = settings.rock.learning.training, settings.rock.learning.network
    weight = 1.0 if "mobilenet" in network.encoder else 6.0
    return 0.95 * weight * plan.batch * plan.devices / 8.0 * (plan.crop_px / 192.0) ** 2


def _site(settings: Settings, size: Size) -> Iterator[Cost]:
    site = settings.site
    yield Cost("site-cells", 1, 12 + 0.3 * size.near_mpx, 400 + 1_500 * size.cells)
    draws = site.uncertainty.draws / 200.0
    # A buffer that the pixels resolve doubles the work.
    resolved = any(0.0 < settings.grid.pixel_m <= rule.slope_buffer_m for rule in site.rules.named().values())
    clones_s = 2 * site.uncertainty.shards + (14.0 if resolved else 7.0) * draws * size.near_mpx
    yield Cost("label-clones", site.uncertainty.shards, clones_s, 600 if settings.grid.pixel_m < 60.0 else 380)
    yield Cost("label-labels", 1, 1 + 7 * size.cells, 150 + 1_200 * size.cells)
    # A heap of pixels outgrows the cache: four times the pixels take 6.3 times the time.
    reach_s = 2 * 11.0 * (size.near_mpx / 6.42) ** 1.33
    yield Cost("criteria-reach", 2, 3 + reach_s, 150 + 90.0 * size.near_mpx)
    yield Cost("criteria-gather", 1, 5 + 0.9 * size.near_mpx, 650 + 24.0 * size.near_mpx)
    trees = site.scorer.trees / 300.0
    yield Cost("score-train", 1, 2 + 80 * size.cells * trees, 200 + 2_700 * size.cells)
    folds = site.crossvalidation
    trainings = folds.folds * (len(folds.blocks_km) + 2 + 2 * folds.context_everywhere)
    yield Cost("score-crossvalidate", 1, 5 + 28 * size.cells * trees * trainings, 250 + 3_000 * size.cells)
    ellipses_s = 2.9 * (240.0 / settings.grid.pixel_m) ** 1.7
    yield Cost("place-sites", 1, 5 + 110 * size.cells + ellipses_s, 300 + 1_400 * size.cells)


def _checks(settings: Settings, size: Size) -> Iterator[Cost]:
    yield Cost("validate-artemis", 1, 2 + 40 * size.cells, 300 + 600 * size.cells)
    yield Cost("validate-site", 1, 4 + 7 * size.cells, 300 + 700 * size.cells)
    maps = settings.source.kind == "published" and bool(settings.source.published.sun)
    light_mib = 430 + (60.0 * size.near_mpx if maps else 0.0)
    basis: Basis = "guessed" if maps else "measured"
    yield Cost("validate-illumination", 1, 2 + (1.0 * size.near_mpx if maps else 0.0), light_mib, basis)
    if settings.source.kind == "published" and settings.source.published.slope:
        # It goes by bands of some 500 rows: memory grows with the map's side.
        yield Cost("validate-slope", 1, 3 + 0.3 * size.near_mpx, 100 + 135.0 * size.near_mpx**0.5)
    if settings.crater.enabled:
        yield Cost("validate-crater", 1, 8 + 6.0 * size.area, 420)
    if settings.enhance.enabled:
        frames = settings.source.shadowcam_frames.folder is not None
        # Without BM3D, which a user may have installed: with it a quarter of an hour more, as set.
        levels = len(settings.validation.enhance.electrons)
        cpu_s = 8 + 0.8 * levels * _measured_scenes(settings) + 400.0 * frames
        yield Cost("validate-enhance", 1, cpu_s, 2_100 if frames else 560)
    if settings.rock.enabled:
        # Every image is segmented by ensemble and dropout, and some renders once more for each way they are altered.
        measured = min(settings.rock.render.scenes, settings.validation.rock.most_scenes) * _render_size(settings)
        measured += 40 if settings.source.rock_images.folder is not None else 0
        yield Cost("validate-rock", 1, 15 + 2.8 * measured + 3.0 * min(measured, 12.0), 850)
    if _composites(settings) or settings.source.shadowcam_frames.folder is not None:
        yield Cost("validate-shadowcam", 1, 60, 600 + 16.0 * size.near_mpx, "guessed")


def _measured_scenes(settings: Settings) -> float:
    """Scenes on which enhancement is measured, and a quarter more that choose strengths: half of the map is tested."""
    scenes = settings.enhance.scenes
    drawn = scenes.tiles_per_model * scenes.suns_per_tile * (1 + len(settings.source.local.fine_dems))
    return 1.25 * min(settings.validation.enhance.most_scenes, 0.5 * drawn)


def _composites(settings: Settings) -> bool:
    kind = settings.source.kind
    return bool(
        (kind == "local" and settings.source.local.shadowcam)
        or (kind == "published" and settings.source.published.shadowcam)
    )


def _pages(settings: Settings, size: Size) -> Iterator[Cost]:
    yield Cost("publish-figures", 1, 14 + 0.1 * size.near_mpx, 900)
    maps = settings.source.kind == "published" and bool(settings.source.published.sun)
    if maps or settings.validation.illumination.table is not None:
        yield Cost("publish-light", 1, 6 + 0.1 * size.near_mpx, 500)
    if settings.darkness.enabled:
        yield Cost("publish-nights", 1, 5, 400)
    if settings.crater.enabled:
        yield Cost("publish-craters", 1, 9, 600)
        yield Cost("publish-crater-checks", 1, 9, 640)
    if settings.enhance.enabled:
        yield Cost("publish-enhance", 1, 7, 320)
    if _composites(settings) or settings.source.shadowcam_frames.folder is not None:
        yield Cost("publish-shadowcam", 1, 9, 600)
    if settings.rock.enabled:
        yield Cost("publish-rock", 1, 12, 370)
    yield Cost("publish-site-checks", 1, 14, 880)
    yield Cost("publish-report", 1, 5, 630)
    yield Cost("pages-write", 1, 6 + 1.9 * settings.places.best_sites, 500 + 800 * size.cells)
    # It hashes whatever the run has left.
    yield Cost("publish-catalogue", 1, 2 + 0.15 * size.near_mpx, 300)
