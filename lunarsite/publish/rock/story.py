"""What the report says of rocks: what is found, whether confidence means what it says, and what is not known.

Sentences are made of the record's numbers; none of them is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lunarsite.artefact.contracts import ROCK_MODEL
from lunarsite.artefact.model import read_tensors
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.crater_story import card_table
from lunarsite.publish.report import Table
from lunarsite.publish.rock import gap
from lunarsite.publish.rock.looks import MEAN, METHODS, STATISTICS, class_words, in_order, look
from lunarsite.publish.rock.tables import (
    CALIBRATION,
    DETECTION,
    RISK,
    SEGMENTATION,
    SIZES,
    UNFAMILIARITY,
    Measured,
    Row,
    with_interval,
)
from lunarsite.publish.words import number_words

PICTURES: Final[dict[str, tuple[str, str]]] = {
    "rock_samples": (
        "Images from the ground in rows: the image, its mask, the classes given, and maps of entropy and of mutual"
        " information; beneath each what it is and whether the model calls it familiar.",
        "What the model says of a few images, drawn by seed. Orbital and corrupted images are not what it was made for:"
        " it ought to say so.",
    ),
    "rock_overlap": (
        "Bar charts of IoU and boundary F1 by class for the networks and for baselines, with 95 % intervals, for each"
        " group of images.",
        "How well masks agree, class by class, beside the commonest class at each place, no rocks at all, and a method"
        " without learning.",
    ),
    "rock_reliability": (
        "Reliability diagrams of several methods for each group of images, with the expected calibration errors and"
        " their intervals; where they were measured, curves for the probability of small and of large rocks.",
        "Whether a probability means what it says: right in as many pixels as it claims.",
    ),
    "rock_risk": (
        "Charts of the share of wrong pixels that is left against the share of pixels, and of images, handed to a"
        " person, by several measures of doubt, between an oracle and random order; a band is the 95 % interval of"
        " entropy's.",
        "What is left when the most doubtful pixels, or images, are handed to a person.",
    ),
    "rock_unfamiliar": (
        "Ranges of unfamiliarity by kind of image beside the limit of the model's card, and the area under the ROC"
        " curve of several statistics with intervals.",
        "What the model calls unfamiliar, and whether that tells such images from those it knows better than"
        " their brightness, contrast or share of black does.",
    ),
    "rock_hazards": (
        "Charts of the number of rocks by diameter and of the share of ground under rocks, found against true, on"
        " rendered scenes; beneath, the number of rocks by diameter and by width in pixels in all images.",
        "What a lander would make of it: on rendered scenes whose rocks are known, and in all images of the run.",
    ),
    "rock_gap": (
        "Mean IoU of each training of the ablation on test photographs and on held-out renders, with 95 % intervals and"
        " every seed; the one that validation photographs chose is a diamond.",
        "What closes the gap between renders and photographs: the same small training, each time with one thing more.",
    ),
}
"""Alternative texts and captions, in the order of the report."""
_TELLING: Final = "feature distance"
"""What the model's card judges images by, as the record names it."""
_HANDED: Final = 0.1
"""Share of the pixels that is handed over where a sentence tells of it: the nearest one in the record."""
_TOLD_M: Final = 0.2
"""Diameter from which the sentence on numbers of rocks counts: the nearest one in the record."""
_BEST_FIRST: Final = ("ensemble scaled", "ensemble", "single scaled", "single", "dropout")


@dataclass(frozen=True)
class RockFiles:
    """What a run has of rocks; None where it has not."""

    record: Path | None
    model: Path | None


@dataclass(frozen=True)
class RockStory:
    """The report's section on rocks."""

    record: Record
    sentences: tuple[str, ...]
    card: Table | None


def tell(files: RockFiles) -> RockStory | None:
    """Return what the report says of rocks; None where the run segmented nothing.

    Raises:
        ArtefactError: A file breaks its contract, the record has no table that is told of, or the model comes without
            a record.
    """
    if files.record is None:
        if files.model is not None:
            raise ArtefactError("the report got the model of rocks without the record of its validation; give both")
        return None
    found = Measured.read(files.record)
    card = None if files.model is None else read_tensors(files.model, ROCK_MODEL)[1]
    told = list(sentences(found))
    if card is not None:
        told.append(licence_words(card.training))
    return RockStory(found.record, tuple(filter(None, told)), None if card is None else card_table(card))


def licence_words(training: Mapping[str, Any]) -> str:
    """Return whose images the model learned from, and what that means; '' where its card does not say."""
    data = [source for source in training.get("data") or () if isinstance(source, Mapping)]
    if not data:
        return ""
    named = " and ".join(
        f"{source.get('title', 'images')} ({source.get('licence', 'licence unknown')})" for source in data
    )
    words = f"The model learned from {named}."
    if any("NC" in str(source.get("licence")) for source in data):
        words += (
            " So it and what is adapted from it are for non-commercial use, with credit, under the same licence. A"
            " model trained on rendered scenes alone (rock.model: train, without source.rock_images.folder) is free of"
            " that."
        )
    return words


def sentences(found: Measured) -> Iterator[str]:
    """Yield what was measured, each number beside its baselines."""
    groups = found.groups(SEGMENTATION)
    if not groups:
        yield "Nothing could be measured: the run has no scene that no training saw."
        return
    for group in groups:
        yield _overlap(found, group)
    yield from _calibration(found)
    yield from _doubt(found)
    yield from _risk(found)
    yield _numbers(found)
    yield from gap.sentences(found)
    short = [f"{v.name} ({number_words(v.value)}, asked: {v.bound})" for v in found.record.verdicts if v.holds is False]
    if short:
        yield f"It falls short in: {'; '.join(short)}."


def _overlap(found: Measured, group: str) -> str:
    """Return how well the network's masks agree in a group, beside the baselines, and its worst class."""
    rows = found.rows(SEGMENTATION, group=group)
    means = {str(row["method"]): row for row in rows if row["class"] == MEAN}
    network = next((name for name in _BEST_FIRST if name in means), None)
    where = f"On {_measured_on(rows, group)}"
    if network is None or means[network]["iou"] is None:
        return f"{where} nothing was measured of a network."
    rivals = [
        f"{with_interval(row, 'iou')} ({look(name).words})"
        for name, row in means.items()
        if row["kind"] != "network" and row["iou"] is not None
    ]
    beside = f", beside {_listed(rivals)}" if rivals else ""
    own = {str(r["class"]): r for r in rows if r["method"] == network and r["class"] != MEAN and r["iou"] is not None}
    worst = min(own, key=lambda name: float(own[name]["iou"]), default=None)
    hardest = "" if worst is None else f" The hardest class: {class_words(worst)}, {with_interval(own[worst], 'iou')}."
    reached = with_interval(means[network], "iou")
    return f"{where} the {look(network).words} reaches a mean IoU of {reached}{beside}.{hardest}"


def _measured_on(rows: Sequence[Row], group: str) -> str:
    """Return how many images of how many scenes were measured; scenes only where they are fewer than the images."""
    images, scenes = rows[0]["images"], rows[0]["scenes"]
    told = f"{number_words(images)} {group}"
    if scenes == images:
        return told
    return f"{told} of {number_words(scenes)} {'scene' if scenes == 1 else 'scenes'}"


def _calibration(found: Measured) -> Iterator[str]:
    """Yield the calibration error of each method, by group, and which network's is the least."""
    for group in found.groups(CALIBRATION):
        at = {str(row["method"]): row for row in found.rows(CALIBRATION, group=group) if row["ece"] is not None}
        names = in_order(at, METHODS)
        networks = [name for name in names if at[name]["kind"] == "network"]
        if networks:
            best = min(networks, key=lambda name: float(at[name]["ece"]))
            parts = [f"{with_interval(at[name], 'ece')} ({look(name).words})" for name in names]
            least = f"The least of a network is that of '{look(best).words}'."
            yield f"Expected calibration error on {group}: {'; '.join(parts)}. {least}"


def _doubt(found: Measured) -> Iterator[str]:
    """Yield what tells unfamiliar images, by kind, beside the rival statistics, and what the limit catches."""
    rows = found.rows(DETECTION)
    kinds = list(dict.fromkeys(str(row["images"]) for row in rows))
    told = []
    for kind in kinds:
        at = {str(row["statistic"]): row for row in rows if row["images"] == kind and row["auroc"] is not None}
        if _TELLING not in at:
            continue
        rivals = [name for name in STATISTICS if name in at and name != _TELLING]
        told.append(f"{kind} {with_interval(at[_TELLING], 'auroc')}{_best_rival(at, rivals)}")
    if told:
        against = " and ".join(dict.fromkeys(str(row["against"]) for row in rows))
        yield (
            f"Told from {against} by the {look(_TELLING).words} (AUROC, and that of the best other statistic; 0.5 is"
            f" chance, and what is below tells as well as what is above): {'; '.join(told)}."
        )
    spreads = [row for row in found.rows(UNFAMILIARITY) if row["flagged_share"] is not None]
    if spreads:
        parts = ", ".join(_caught(row) for row in {str(row["images"]): row for row in spreads}.values())
        yield f"The limit of the model's card calls unfamiliar: {parts}."


def _best_rival(at: Mapping[str, Row], rivals: Sequence[str]) -> str:
    """Return which other statistic tells a kind of image best, whichever way it points."""
    if not rivals:
        return ""
    best = max(rivals, key=lambda name: abs(float(at[name]["auroc"]) - 0.5))
    return f" ({number_words(at[best]['auroc'])} by {look(best).words})"


def _caught(row: Row) -> str:
    """Return what share of a kind's images is called unfamiliar, and how many show no ground that could be judged."""
    kind, count, blind = row["images"], int(row["count"]), int(row["not_judged"])
    if blind == count:
        return f"none of {kind} (all {count} without ground, not judged)"
    beside = f" ({blind} of {count} without ground, not judged)" if blind else ""
    return f"{_percent(row['flagged_share'])} of {kind}{beside}"


def _risk(found: Measured) -> Iterator[str]:
    """Yield what error is left when a tenth of the pixels is handed over, beside random order and the oracle."""
    for group in found.groups(RISK):
        rows = [row for row in found.rows(RISK, group=group) if row["error"] is not None]
        entropy = [row for row in rows if row["statistic"] == "entropy"]
        if not entropy:
            continue
        none = min(entropy, key=lambda row: float(row["handed_over"]))
        tenth = min(entropy, key=lambda row: abs(float(row["handed_over"]) - _HANDED))
        oracle = _at(rows, "oracle", float(tenth["handed_over"]))
        best = "" if oracle is None else f"; handing over errors alone would leave {_percent(oracle['error'])}"
        yield (
            f"On {group} {_percent(none['error'])} of the pixels are wrong; with the {_percent(tenth['handed_over'])}"
            f" of highest entropy handed to a person, {_percent(tenth['error'])} of the rest{best}."
        )


def _numbers(found: Measured) -> str:
    """Return how many rocks of rendered scenes are found, of those that there are; '' where that is not known."""
    rows = [row for row in found.rows(SIZES) if row["truth_per_m2"] and row["found_per_m2"] is not None]
    if not rows:
        return ""
    row = min(rows, key=lambda one: abs(float(one["diameter_m"]) - _TOLD_M))
    share = float(row["found_per_m2"]) / float(row["truth_per_m2"])
    return (
        f"Of rocks {number_words(row['diameter_m'])} m wide and more own renders have"
        f" {number_words(row['truth_per_m2'])} on a square metre, of which {with_interval(row, 'found_per_m2')} are"
        f" counted: {_percent(share)}. Numbers of rocks on ground unlike what taught the model may be wrong by as"
        " much."
    )


def _at(rows: Sequence[Row], statistic: str, handed_over: float) -> Row | None:
    return next((r for r in rows if r["statistic"] == statistic and float(r["handed_over"]) == handed_over), None)


def _listed(parts: Sequence[str]) -> str:
    """Return parts as a list in a sentence."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _percent(share: float) -> str:
    return f"{number_words(float(f'{100.0 * share:.3g}'))} %"
