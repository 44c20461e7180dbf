"""Rows of the record's tables of ShadowCam's composites and frames: numbers, and why some are unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from lunarsite.validate.nulls import Null
from lunarsite.validate.shadowcam_composite import Comparison
from lunarsite.validate.shadowcam_explain import reasons, reasons_without_gaps
from lunarsite.validate.shadowcam_frame import FRACTIONS, LIMITS, FrameComparison, Overlap
from lunarsite.validate.shadowcam_ranks import Estimate

Rows = list[dict[str, JsonValue]]


def composite_row(found: Comparison) -> dict[str, JsonValue]:
    """Return a composite against a map, over all of its brightness."""
    return {
        "composite": found.composite,
        "map": found.map,
        "map_pixel_m": found.map_pixel_m,
        "pixels": found.pixels,
        "saturated_share": None if found.saturated is None else found.saturated / max(found.pixels, 1),
        "psr_base_share": found.base,
        **_spread("auc", found.auc),
        **_spread("auc_unsaturated", found.auc_unsaturated),
        "auc_low_wide_blocks": found.coarser.low,
        "auc_high_wide_blocks": found.coarser.high,
        **_null(found.null),
        "null_kind": found.null_kind,
        **_spread("spearman_sunlight", found.correlation),
        **_spread("spearman_sunlight_unsaturated", found.correlation_unsaturated),
        "why_unknown": found.why,
    }


def sweep_rows(found: Comparison) -> Rows:
    """Return a row for each share of a composite that is called deep."""
    rows: Rows = []
    for step in found.sweep:
        row: dict[str, JsonValue] = {
            "composite": found.composite,
            "map": found.map,
            "deep_share_wanted": step.wanted,
            "brightness": step.brightness,
        }
        both = step.crossed
        if both is None:
            lacking = "the limit lies among saturated pixels" if step.brightness is None else "all pixels are as bright"
            rows.append({**row, "why_unknown": lacking})
            continue
        rows.append(
            {
                **row,
                "deep_share": both.share,
                **_spread("psr_of_deep", both.hit),
                "psr_base_share": both.base,
                **_spread("lift", both.lift),
                **_spread("odds_ratio", both.odds),
                **_spread("phi", both.phi),
                "agreement": both.agreement,
                "agreement_one_answer": both.majority,
                "why_unknown": "",
            }
        )
    return rows


def frame_row(frame: FrameComparison, bound: float) -> dict[str, JsonValue]:
    """Return all that is known of a frame; below `bound` what could explain its area under the curve."""
    moved = frame.registration
    return {
        "frame": frame.name,
        "pixels": frame.pixels,
        "lit_share": frame.lit_share,
        "gap_share": frame.gap_share,
        "penumbra_share": frame.penumbra_share,
        "edge_share": frame.edge_share,
        "rim_ratio": frame.rim_ratio,
        "dem_pixel_m": frame.dem_pixel_m if math.isfinite(frame.dem_pixel_m) else None,
        **_spread("auc", frame.auc),
        **_spread("auc_measured", frame.measured),
        "auc_clear": frame.clear.value,
        "auc_height": frame.height,
        "auc_facing": frame.facing,
        "auc_moved": float(np.median(frame.far)) if frame.far else None,
        "auc_moved_best": max(frame.far) if frame.far else None,
        "other_moment": "" if frame.moment is None else frame.moment.name,
        "auc_other_moment": None if frame.moment is None else frame.moment.other,
        "auc_on_its_ground": None if frame.moment is None else frame.moment.own,
        "shift_right_m": None if moved is None else moved.right_px * frame.pixel_m,
        "shift_up_m": None if moved is None else moved.up_px * frame.pixel_m,
        "shift_at_limit": None if moved is None else moved.at_limit,
        "auc_shifted_gain": None if moved is None else moved.best - moved.still,
        **_overlap_row(frame.otsu),
        **_spread("spearman_sunlit", frame.sunlit),
        **_spread("spearman_scattered", frame.scattered),
        "why_no_auc": frame.why,
        "why_below_bound": "; ".join(reasons(frame, bound)),
        "why_measured_below_bound": "; ".join(reasons_without_gaps(frame, bound)),
    }


def threshold_rows(frames: Sequence[FrameComparison]) -> Rows:
    """Return medians over frames of the overlap at each threshold on brightness."""
    told = [frame for frame in frames if frame.sweep]
    return [
        {
            "share_of_largest_brightness": share,
            "iou_lit": float(np.median([frame.sweep[step].lit for frame in told])),
            "iou_dark": float(np.median([frame.sweep[step].dark for frame in told])),
            "iou_lit_chance": float(np.median([frame.sweep[step].chance for frame in told])),
            "agreement": float(np.median([frame.sweep[step].agreement for frame in told])),
            "agreement_one_answer": float(np.median([frame.sweep[step].majority for frame in told])),
            "frames": len(told),
        }
        for step, share in enumerate(LIMITS)
        if told
    ]


def label_rows(frames: Sequence[FrameComparison]) -> Rows:
    """Return medians over frames for each share of the Sun's disc that could count as lit."""
    told = [frame for frame in frames if frame.labels]
    rows: Rows = []
    for step, fraction in enumerate(FRACTIONS if told else ()):
        found = [(frame.labels[step], frame.pixel_m) for frame in told]
        moved = [(label.registration, pixel_m) for label, pixel_m in found if label.registration is not None]
        rows.append(
            {
                "least_share_of_disc": fraction,
                "auc": _median([label.auc for label, _ in found if label.auc is not None]),
                "shift_right_m": _median([move.right_px * pixel_m for move, pixel_m in moved]),
                "shift_up_m": _median([move.up_px * pixel_m for move, pixel_m in moved]),
                "frames": len(told),
            }
        )
    return rows


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _spread(name: str, found: Estimate) -> dict[str, JsonValue]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _null(null: Null | None) -> dict[str, JsonValue]:
    return {
        "null_auc": None if null is None else null.median,
        "null_auc_low": None if null is None else null.low,
        "null_auc_high": None if null is None else null.high,
        "null_p": None if null is None else null.p,
        "null_draws": None if null is None else null.draws,
    }


def _overlap_row(found: Overlap | None) -> dict[str, JsonValue]:
    names = ("limit", "lit", "dark", "chance", "agreement", "majority")
    titles = ("otsu_brightness", "iou_lit", "iou_dark", "iou_lit_chance", "agreement", "agreement_one_answer")
    return {title: None if found is None else getattr(found, name) for title, name in zip(titles, names, strict=True)}
