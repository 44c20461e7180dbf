"""The record of an ablation: one table, what was chosen and by what, and whether the gap was closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from lunarsite.artefact.contracts.rock import ROCK_CLASSES
from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.rock import RockAblationSettings
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES, Floats, Resampled, Score, mean_iou

PHOTOGRAPHS, RENDERS, CHOOSING = GROUPS = ("photographs", "held-out renders", "validation photographs")
"""Of images that are measured."""
_PREFIXES = {PHOTOGRAPHS: "photograph", RENDERS: "render"}
TITLE = "From renders to photographs: what closes the gap"
NOTES = (
    "Every variant adds one thing to the one above it, and has the same network, steps, seeds and first weights.",
    "Numbers are means over seeds; of each seed, pixels of all images are summed. Intervals are 2.5 and 97.5 % points"
    " over draws of scenes and of seeds, the same for every variant; those of few scenes are too narrow.",
    "Gains are over 'geometry', draw by draw.",
    "'no rocks' learns nothing: sky is what is black and reaches the top, all else is ground. A mean IoU"
    " must be read beside it.",
)


@dataclass(frozen=True)
class Variant:
    """One way to train."""

    name: str
    adds: str
    """What it has and the one before it has not."""
    own: bool = False
    """Whether renders of lunarsite's own teach."""
    trained: bool = True


@dataclass(frozen=True)
class Measured:
    """Confusions of a variant by group of images, (seeds, images, 4, 4)."""

    variant: Variant
    counts: Mapping[str, Floats]


def judged(
    measured: Sequence[Measured],
    scenes: Mapping[str, Sequence[str]],
    ablation: RockAblationSettings,
    training: str,
    seconds: float,
) -> Record:
    """Return the record.

    Args:
        measured: The variants in their order; the first that is trained is what the others are held against.
        scenes: Of each image of each group.
        ablation: Draws and their seed.
        training: How each variant is trained, in words.
        seconds: That all took.
    """
    trained = [one for one in measured if one.variant.trained]
    drawn = {name: Resampled(scenes[name], ablation.seeds, ablation.draws, ablation.seed) for name in _PREFIXES}
    base, best = trained[0], chosen(trained)
    rows = [_row(one, base, drawn, ablation.seeds, best) for one in measured]
    gain = _gain(best, base, drawn[PHOTOGRAPHS])
    count = {name: len(set(scenes[name])) for name in scenes}
    metrics = (
        *(Metric(name=f"{name.replace(' ', '_')}_scenes", value=float(value)) for name, value in count.items()),
        Metric(name="seeds", value=float(ablation.seeds), why="trainings of each variant"),
        Metric(name="seconds", value=seconds, unit="s", why="all trainings and measurements of this call"),
        _metric("photograph_miou_geometry", drawn[PHOTOGRAPHS].score(base.counts[PHOTOGRAPHS]), ""),
        _metric("photograph_miou_chosen", drawn[PHOTOGRAPHS].score(best.counts[PHOTOGRAPHS]), best.variant.name),
        _metric("photograph_gain", gain, f"'{best.variant.name}', chosen by validation photographs, over 'geometry'"),
        _metric("render_gain", _gain(best, base, drawn[RENDERS], RENDERS), f"'{best.variant.name}' over 'geometry'"),
    )
    return Record(
        title=TITLE,
        metrics=metrics,
        verdicts=(_verdict(gain, best.variant, count[PHOTOGRAPHS]),),
        tables={"ablation": rows, "seeds": _seed_rows(measured)},
        notes=(
            *NOTES,
            f"Each variant: {training}; {ablation.seeds} seeds.",
            f"Test photographs show {count[PHOTOGRAPHS]} scenes, test renders {count[RENDERS]}. The variant"
            f" '{best.variant.name}' is chosen by the mean IoU of validation photographs of {count[CHOOSING]} scenes:"
            " few, so the choice is uncertain; no test photograph took part in it.",
        ),
    )


def chosen(trained: Sequence[Measured]) -> Measured:
    """Return the variant of the highest mean IoU on validation photographs, mean over seeds; the first of equals."""
    return max(trained, key=lambda one: _mean(one, CHOOSING))


def _row(
    one: Measured, base: Measured, drawn: Mapping[str, Resampled], seeds: int, best: Measured
) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {
        "variant": one.variant.name,
        "adds": one.variant.adds,
        "chosen": one is best,
        "seeds": seeds if one.variant.trained else 0,
        "validation_photograph_miou": _mean(one, CHOOSING),
    }
    for group, prefix in _PREFIXES.items():
        counts, draws = one.counts[group], drawn[group]
        row |= _numbers(f"{prefix}_miou", draws.score(counts))
        by_seed = mean_iou(counts.sum(axis=1))
        for word, value in (("worst", by_seed.min()), ("best", by_seed.max())):
            row[f"{prefix}_miou_{word}_seed"] = _known(float(value)) if one.variant.trained else None
        row |= _numbers(f"{prefix}_gain", _gain(one, base, draws, group) if one is not base else None)
        row |= _numbers(f"{prefix}_iou_rocks", draws.score(counts, "rocks"))
        for number, name in ROCK_CLASSES:
            row |= _numbers(f"{prefix}_iou_{name}", draws.score(counts, "class", number))
    draws = drawn[PHOTOGRAPHS]
    better = draws.better_scenes(one.counts[PHOTOGRAPHS], base.counts[PHOTOGRAPHS])
    row["photograph_scenes_better"] = None if one is base else better
    row["photograph_scenes"] = draws.scenes
    return row


def _seed_rows(measured: Sequence[Measured]) -> list[dict[str, JsonValue]]:
    return [
        {
            "variant": one.variant.name,
            "seed": seed,
            **{
                f"{name.replace(' ', '_').replace('held-out_', '')}_miou": _known(float(mean_iou(found.sum(axis=0))))
                for name, counts in one.counts.items()
                for found in (counts[seed],)
            },
        }
        for one in measured
        if one.variant.trained
        for seed in range(len(one.counts[PHOTOGRAPHS]))
    ]


def _gain(one: Measured, base: Measured, drawn: Resampled, group: str = PHOTOGRAPHS) -> Score:
    return drawn.score(one.counts[group]) - drawn.score(base.counts[group])


def _mean(one: Measured, group: str) -> float:
    return float(mean_iou(one.counts[group].sum(axis=1)).mean())


def _numbers(name: str, score: Score | None) -> dict[str, JsonValue]:
    within = None if score is None else score.within
    low, high = within or (None, None)
    return {name: None if score is None else _known(score.value), f"{name}_low": low, f"{name}_high": high}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _metric(name: str, score: Score, why: str) -> Metric:
    low, high = score.within or (None, None)
    return Metric(name=name, value=_known(score.value), unit="1", low=low, high=high, why=why)


def _verdict(gain: Score, best: Variant, scenes: int) -> Verdict:
    low, high = gain.within or (None, None)
    why = f"unknown: fewer than {FEWEST_SCENES} scenes of test photographs"
    if low is not None:
        why = (
            f"'{best.name}', chosen by validation photographs: gain {gain.value:+.3f}, up to {high:+.3f}, paired over"
            f" {scenes} scenes and over seeds"
        )
    return Verdict(
        name="Mean IoU of test photographs above that of training on renders with geometry alone",
        value=low,
        unit="1",
        bound="> 0 at the lower end of the 95 % interval",
        holds=None if low is None else low > 0.0,
        why=why,
    )
