"""The record of an ablation: one table, what was chosen and by what, and whether the gap was closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.rock import RockAblationSettings
from lunarsite.vision.rock.ablation_scores import FEWEST_SCENES, Resampled, Score
from lunarsite.vision.rock.classes import CLASSES, ROCKS
from lunarsite.vision.rock.scores import ABOVE_ZERO, Floats, SignTest, mean_iou, sign_test

GAP_PLAIN = "Photograph mIoU improved against training on renders as they are"
"""The chosen variant is above 'geometry': renders mirrored, scaled and cropped, with nothing that is meant for
photographs. Added when first figures of photographs were known: docs/validate.md, 'Changed after a result'."""
GAP = "Photograph mIoU improved against synthetic-only training"
"""The chosen variant is above every one that sees nothing of photographs, augmented ones too."""
GAP_LABELS = "Photograph mIoU improved by labels against training with unlabelled photographs"
"""The chosen variant is above the one that takes grey levels and colours, but no labels, from photographs."""
HEAD = "Held-out renders' mIoU improved by the horizon head against the plain last layer"
"""The claim of a rival with the plain last layer: what the default one is held against."""
Seen = Literal["nothing", "pictures", "pictures and labels"]
"""What a training sees of photographs, all of scenes that are never tested."""
PHOTOGRAPHS, RENDERS, CHOOSING = GROUPS = ("photographs", "held-out renders", "validation photographs")
"""Of images that are measured."""
_PREFIXES = {PHOTOGRAPHS: "photograph", RENDERS: "render"}
TITLE = "From renders to photographs: what closes the gap"
NOTES = (
    "Every variant adds one thing to the one above it, and has the same network, steps, seeds and first weights (batch"
    " normalisation begins with statistics of its own crops); renders of the dataset choose the epoch of each.",
    "Numbers are means over seeds; of each seed, pixels of all images are summed. Intervals are 2.5 and 97.5 % points"
    " over draws of scenes and of seeds, the same for every variant; those of few scenes are too narrow.",
    "Gains in the table of variants are over 'geometry', draw by draw; claims are of the chosen variant over that one,"
    " over every training on renders alone, and over the one that takes the style of photographs without their labels."
    " The first of them was added when first figures of photographs were known.",
    "Intervals of ten scenes or fewer are too narrow, so a claim needs every scene to be better besides: by chance that"
    " happens once in 2^n (sign test, of scenes' mean IoU averaged over seeds). A scene's mean is over the classes that"
    " its masks or the network tell there: where a mask lacks a class, one pixel said to be of it costs a quarter.",
    "'no rocks' learns nothing: sky is what is black and reaches the top, all else is ground. A mean IoU"
    " must be read beside it.",
)


@dataclass(frozen=True)
class Variant:
    """One way to train."""

    name: str
    adds: str
    """What it has and the one before it has not."""
    photographs: Seen = "nothing"
    own: bool = False
    """Whether renders of lunarsite's own teach."""
    trained: bool = True
    rival_of: str = ""
    """The variant that it is trained as but for its last layer, which is the plain one. It is held against that one
    alone: it is no step of the others and takes no part in the choice."""


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
        measured: The variants in their order; the first that is trained is what the table's gains are over, and sees
            nothing of photographs. Rivals stand anywhere.
        scenes: Of each image of each group.
        ablation: Draws and their seed.
        training: How each variant is trained, in words.
        seconds: That all took.
    """
    trained = [one for one in measured if one.variant.trained and not one.variant.rival_of]
    drawn = {name: Resampled(scenes[name], ablation.seeds, ablation.draws, ablation.seed) for name in _PREFIXES}
    base, best = trained[0], chosen(trained)
    rows = [_row(one, base, drawn, scenes[PHOTOGRAPHS], best) for one in measured if not one.variant.rival_of]
    gains = _gains(best, trained, drawn[PHOTOGRAPHS], scenes[PHOTOGRAPHS])
    others = [one for one in gains if one.over is not best.variant]
    nulls = [one for one in measured if not one.variant.trained]
    above_nulls = _gains(best, nulls, drawn[PHOTOGRAPHS], scenes[PHOTOGRAPHS])
    heads = _heads(measured)
    count = {name: len(set(scenes[name])) for name in scenes}
    metrics = (
        *(Metric(name=f"{name.replace(' ', '_')}_scenes", value=float(value)) for name, value in count.items()),
        Metric(name="seeds", value=float(ablation.seeds), why="trainings of each variant"),
        Metric(name="seconds", value=seconds, unit="s", why="all trainings and measurements of this call"),
        _metric("photograph_miou_geometry", drawn[PHOTOGRAPHS].score(base.counts[PHOTOGRAPHS]), ""),
        _metric("photograph_miou_chosen", drawn[PHOTOGRAPHS].score(best.counts[PHOTOGRAPHS]), best.variant.name),
        *(_metric(f"photograph_gain_over_{_key(one)}", one.gain, one.sign.words) for one in (*others, *above_nulls)),
        _metric("render_gain", _gain(best, base, drawn[RENDERS], RENDERS), f"'{best.variant.name}' over 'geometry'"),
        *(
            _metric(f"{prefix}_head_gain", _gain(*pair, drawn[name], name), _over(pair))
            for pair in heads
            for name, prefix in _PREFIXES.items()
        ),
    )
    tables = {
        "ablation": rows,
        "photograph_gains": _gain_rows(best.variant, [*others, *above_nulls]),
        "seeds": _seed_rows(measured),
    }
    return Record(
        title=TITLE,
        metrics=metrics,
        verdicts=(
            *verdicts(best.variant, base.variant, gains),
            *(_head_verdict(pair, drawn[RENDERS], scenes[RENDERS]) for pair in heads),
        ),
        tables=tables | ({"heads": [row for pair in heads for row in _head_rows(pair, drawn)]} if heads else {}),
        notes=(
            *NOTES,
            *(
                f"{_over(pair)}: both are trained alike but for the last layer, and begin with the same weights"
                f" elsewhere. '{pair[1].variant.name}' is held against '{pair[0].variant.name}' alone and takes no part"
                " in the choice."
                for pair in heads
            ),
            f"Each variant: {training}; {ablation.seeds} seeds.",
            f"Test photographs show {count[PHOTOGRAPHS]} scenes, test renders {count[RENDERS]}. The variant"
            f" '{best.variant.name}' is chosen by the mean IoU of validation photographs of"
            f" {count[CHOOSING]} {'scene' if count[CHOOSING] == 1 else 'scenes'}: few, so the choice is uncertain, and"
            " it leans towards variants with style, which take the look of those too. No test photograph took part in"
            " it.",
        ),
    )


def chosen(trained: Sequence[Measured]) -> Measured:
    """Return the variant of the highest mean IoU on validation photographs, mean over seeds; the first of equals."""
    return max(trained, key=lambda one: _mean(one, CHOOSING))


@dataclass(frozen=True)
class Gain:
    """The chosen variant over another on test photographs."""

    over: Variant
    gain: Score
    sign: SignTest

    @property
    def holds(self) -> bool | None:
        """Whether it is above 0 at the lower end of its interval and, of few scenes, in all; None: too few for any."""
        return None if self.gain.within is None else self.gain.within[0] > 0.0 and self.sign.suffices

    @property
    def words(self) -> str:
        """The gain, its interval, and the sign test beside it."""
        low, high = self.gain.within or (np.nan, np.nan)
        return f"over '{self.over.name}' {self.gain.value:+.3f} ({low:+.3f} to {high:+.3f}), {self.sign.words}"


def verdicts(best: Variant, base: Variant, gains: Sequence[Gain]) -> tuple[Verdict, ...]:
    """Return what is claimed of the chosen variant: over renders as they are, over renders alone, over no labels.

    Args:
        best: The variant that validation photographs chose.
        base: The variant that sees renders as they are.
        gains: Of the chosen one over others; each claim is over all of its kind, so that it is over the best of them
            as well.
    """
    alone = [one for one in gains if one.over.photographs == "nothing"]
    unlabelled = [one for one in gains if one.over.photographs == "pictures"]
    told = [
        _verdict(GAP_PLAIN, best, [one for one in alone if one.over is base], "on renders as they are"),
        _verdict(GAP, best, alone, "on renders alone"),
    ]
    if unlabelled:
        seen = "that takes grey levels and colours of photographs, but no labels"
        told.append(
            _verdict(GAP_LABELS, best, unlabelled, seen)
            if best.photographs == "pictures and labels"
            else unknown_gap(f"unknown: '{best.name}', chosen by validation photographs, has no labels", GAP_LABELS)
        )
    return tuple(told)


def unknown_gap(why: str, name: str = GAP) -> Verdict:
    """Return the verdict where nothing tells whether a gap was closed."""
    return Verdict(name=name, value=None, bound=ABOVE_ZERO, holds=None, why=why)


def _verdict(name: str, best: Variant, gains: Sequence[Gain], what: str) -> Verdict:
    if any(one.holds is None for one in gains):
        return unknown_gap(f"unknown: fewer than {FEWEST_SCENES} scenes of test photographs", name)
    lows = [one.gain.within[0] for one in gains if one.gain.within is not None]
    itself = " (it is one of them)" if any(one.over is best for one in gains) else ""
    why = (
        f"'{best.name}', chosen by validation photographs, against training {what}{itself}:"
        f" {'; '.join(one.words for one in gains)}. Intervals are paired, over scenes and seeds; of few scenes they are"
        " too narrow, so every scene must be better"
    )
    return Verdict(
        name=name,
        value=min(lows),
        unit="1",
        bound=gains[0].sign.bound,
        holds=all(bool(one.holds) for one in gains),
        why=why,
    )


def _heads(measured: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Return each variant with the horizon head that has a rival with the plain one, and that rival."""
    named = {one.variant.name: one for one in measured}
    return [(named[one.variant.rival_of], one) for one in measured if one.variant.rival_of]


def _over(pair: tuple[Measured, Measured]) -> str:
    return f"'{pair[0].variant.name}' over '{pair[1].variant.name}'"


def _head_verdict(pair: tuple[Measured, Measured], drawn: Resampled, scenes: Sequence[str]) -> Verdict:
    """Return the claim of the last layer; of few scenes each must be better, as in those of photographs."""
    horizon, plain = pair
    sign = sign_test(horizon.counts[RENDERS], plain.counts[RENDERS], scenes)
    gain = Gain(plain.variant, _gain(horizon, plain, drawn, RENDERS), sign)
    if gain.gain.within is None:
        return unknown_gap(f"unknown: fewer than {FEWEST_SCENES} scenes of test renders", HEAD)
    why = f"'{horizon.variant.name}' {gain.words}; intervals are paired, over scenes and seeds"
    return Verdict(name=HEAD, value=gain.gain.within[0], unit="1", bound=sign.bound, holds=gain.holds, why=why)


def _head_rows(pair: tuple[Measured, Measured], drawn: Mapping[str, Resampled]) -> list[dict[str, JsonValue]]:
    """Return by group what the horizon head adds to the mean IoU, to the IoU of rocks as one, and of either size."""
    horizon, plain = pair
    sizes = [(CLASSES[number].replace("_", " "), ("class", number)) for number in ROCKS]
    rows: list[dict[str, JsonValue]] = []
    for group in _PREFIXES:
        for words, measure in (("mean", ("mean", None)), ("all rocks", ("rocks", None)), *sizes):
            ours, theirs = (drawn[group].score(one.counts[group], *measure) for one in pair)
            rows.append(
                {
                    "variant": horizon.variant.name,
                    "over": plain.variant.name,
                    "group": group,
                    "class": words,
                    **_numbers("iou", ours),
                    **_numbers("difference", ours - theirs),
                }
            )
    return rows


def _gains(best: Measured, trained: Sequence[Measured], drawn: Resampled, scenes: Sequence[str]) -> list[Gain]:
    """Return the chosen variant's gains over all variants without labels, itself among them if it has none."""
    return [
        Gain(
            one.variant,
            _gain(best, one, drawn),
            sign_test(best.counts[PHOTOGRAPHS], one.counts[PHOTOGRAPHS], scenes),
        )
        for one in trained
        if one.variant.photographs != "pictures and labels"
    ]


def _gain_rows(best: Variant, gains: Sequence[Gain]) -> list[dict[str, JsonValue]]:
    return [
        {
            "variant": best.name,
            "over": one.over.name,
            "seen_of_photographs": one.over.photographs,
            **_numbers("photograph_gain", one.gain),
            "photograph_scenes_better": one.sign.better,
            "photograph_scenes": one.sign.scenes,
            "chance_by_sign_test": one.sign.chance,
        }
        for one in gains
    ]


def _key(one: Gain) -> str:
    return one.over.name.replace(" ", "_")


def _row(
    one: Measured, base: Measured, drawn: Mapping[str, Resampled], scenes: Sequence[str], best: Measured
) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {
        "variant": one.variant.name,
        "adds": one.variant.adds,
        "chosen": one is best,
        "seen_of_photographs": one.variant.photographs,
        "seeds": len(one.counts[PHOTOGRAPHS]) if one.variant.trained else 0,
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
        for number, name in enumerate(CLASSES):
            row |= _numbers(f"{prefix}_iou_{name}", draws.score(counts, "class", number))
    sign = sign_test(one.counts[PHOTOGRAPHS], base.counts[PHOTOGRAPHS], scenes)
    row["photograph_scenes_better"] = None if one is base else sign.better
    row["photograph_scenes"] = sign.scenes
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
