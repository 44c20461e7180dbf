"""What real frames add to the record of enhancement: rows, and claims that could fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings.enhance import EnhanceReferenceSettings
from lunarsite.validate.crater import Row, with_interval
from lunarsite.validate.enhance_frame_craters import Standing
from lunarsite.validate.enhance_frames import KINDS, SMOOTHED_PX, Agreement, Frame, between_frames, with_light
from lunarsite.validate.enhance_intervals import Estimate
from lunarsite.vision.enhance.ground import Arcs, within

Rows = list[dict[str, JsonValue]]

NOTES = (
    "Real frames have no truth. What is asked of them can be answered well by a network that is wrong: noise hides"
    " both, and the elevation model, of 40 to 240 m pixels, knows less than a frame of 60 m could show.",
    f"The smoothed frame is a Gaussian mean: of {len(SMOOTHED_PX)} widths, {SMOOTHED_PX[0]:g} to {SMOOTHED_PX[-1]:g}"
    " px, the one that does best in what is asked. A gain over the raw frame alone may be one of smoothing. The mapped"
    " frames are averages of many of the camera's pixels, and so less noisy than rendered ones at low signal.",
)


def with_frames(
    record: Record,
    frames: Sequence[Frame],
    standing: Standing | None,
    reference: EnhanceReferenceSettings,
    seen: Arcs | None,
) -> Record:
    """Return the record with what real frames tell.

    Args:
        record: The record of rendered scenes.
        frames: Frames with shadow enough.
        standing: How craters stand out; None without a catalogue.
        reference: Draws and seed.
        seen: Directions from the pole in which the network was trained and chosen; None if nothing is known of them.
    """
    outside = [one for one in frames if seen is not None and not within(seen, np.array([one.direction_deg]))[0]]
    agreements = {
        (question, fine): ask(frames, reference.draws, reference.seed, fine=fine)
        for question, ask in (("predicted light", with_light), ("other frames", between_frames))
        for fine in (False, True)
    }
    light = agreements["predicted light", True]
    verdicts = [
        *record.verdicts,
        *(
            _verdict(
                f"Enhanced frames follow the fine shading predicted in shadow more than {over} ones do",
                light.gains[over],
                f"gain in rank correlation; {light.counted} frames",
            )
            for over in ("raw", "smoothed")
        ),
    ]
    verdicts.append(
        _verdict(
            "Enhanced frames agree with each other in fine shading more than smoothed ones do",
            agreements["other frames", True].gains["smoothed"],
            f"gain in rank correlation; {agreements['other frames', True].counted} pairs of frames",
        )
    )
    tables = {**record.tables, "frames_agreement": [_agreement_row(*key, one) for key, one in agreements.items()]}
    if outside:
        tables["frames_agreement_outside"] = [
            _agreement_row(question, fine, ask(outside, reference.draws, reference.seed, fine=fine))
            for question, ask in (("predicted light", with_light), ("other frames", between_frames))
            for fine in (False, True)
        ]
    metrics = [
        *record.metrics,
        Metric(name="frames", value=float(len(frames)), why="with shadow enough to be asked"),
        Metric(
            name="frames_on_training_ground",
            value=None if seen is None else float(len(frames) - len(outside)),
            why="the network's card does not tell its ground"
            if seen is None
            else "their middle lies in directions from the pole in which the network was trained or chosen",
        ),
    ]
    if standing is not None:
        tables["frames_craters"] = [_standing_row(standing, kind) for kind in KINDS]
        verdicts.append(
            _verdict(
                "The catalogue's craters stand out more in enhanced frames than in raw ones",
                standing.auc["enhanced"] - standing.auc["raw"],
                f"gain in AUC; {standing.sightings} sightings of {standing.craters} craters",
            )
        )
        verdicts.append(
            _verdict(
                "The catalogue's craters stand out more in enhanced frames than in smoothed ones",
                standing.auc["enhanced"] - standing.auc["smoothed"],
                f"gain in AUC over a mean of {standing.smoothed_px or 0.0:g} px",
            )
        )
    return record.model_copy(
        update={
            "metrics": tuple(metrics),
            "verdicts": tuple(verdicts),
            "tables": tables,
            "notes": (*record.notes, *NOTES, _where(len(frames), len(outside), seen)),
        }
    )


def _where(count: int, outside: int, seen: Arcs | None) -> str:
    """Return what the frames' ground has to do with the network's."""
    if seen is None:
        return "Whether the frames lie on ground that the network was trained on is not known: its card does not tell."
    told = f"{count - outside} of {count} frames lie where the network was trained or chosen"
    apart = "the others stand apart in a table of their own" if outside else "none lies elsewhere"
    return f"{told}, on the same ground under other light: {apart}."


def _agreement_row(question: str, fine: bool, found: Agreement) -> Row:
    row: Row = {
        "with": question,
        "shading": "less its surroundings" if fine else "as it is",
        "frames_or_pairs": found.counted,
        "pixels": found.pixels,
    }
    for kind, one in found.by_kind.items():
        row |= with_interval(f"correlation_{kind}", one.value, one.within)
    row["smoothed_px"] = found.smoothed_px
    for kind, one in found.gains.items():
        row |= with_interval(f"gain_over_{kind}", one.value, one.within)
    median, low, high = found.null or (None, None, None)
    return row | {"moved_median": median, "moved_low": low, "moved_high": high}


def _standing_row(found: Standing, kind: str) -> Row:
    row: Row = {"image": kind, "craters": found.craters, "sightings": found.sightings}
    row["smoothed_px"] = found.smoothed_px if kind == "smoothed" else None
    for name, one in (("auc", found.auc[kind]), ("recall", found.recall[kind]), ("chance", found.chance[kind])):
        row |= with_interval(name, one.value, one.within)
    return row


def _verdict(name: str, gain: Estimate, why: str) -> Verdict:
    low = gain.low
    words = "unknown: too little ground in shadow"
    if low is not None:
        words = f"{why}; {gain.value:+.3f}, up to {gain.high:+.3f}"
    return Verdict(
        name=name,
        value=low,
        unit="1",
        bound="> 0 at the lower end of the 95 % interval",
        holds=None if low is None else low > 0.0,
        why=words,
    )
