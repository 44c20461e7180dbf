"""Why a frame's prediction falls short: measurable facts that go with it, in words."""

from __future__ import annotations

from lunarsite.validate.shadowcam_frame import EDGE_PX, FrameComparison

COARSE_PX = 2.0
_LITTLE_LIT = 0.02
_MUCH_PENUMBRA = 0.1
_LITTLE_MISSING = 0.02


def reasons(frame: FrameComparison, bound: float) -> list[str]:
    """Return what could explain an area under the curve below `bound`; empty if it is not below, or unknown.

    Each reason is a fact with its number; that none fits is said too.
    """
    value = frame.auc.value
    if value is None or value >= bound:
        return []
    found = []
    reach_m = EDGE_PX * frame.dem_pixel_m
    if frame.clear.value is not None and frame.clear.value >= bound:
        found.append(
            f"errors lie near predicted edges: {frame.clear.value:.2f} on the {100 * (1 - frame.edge_share):.0f} % of"
            f" its ground that is further than {reach_m:g} m from them"
        )
    moved = frame.registration
    if moved is not None and moved.best >= bound > moved.still:
        found.append(
            f"moved by {moved.right_px * frame.pixel_m:g} m to the right and {moved.up_px * frame.pixel_m:g} m up the"
            f" prediction reaches {moved.best:.2f}"
        )
    if frame.dem_pixel_m > COARSE_PX * frame.pixel_m:
        found.append(f"the elevation model has pixels of {frame.dem_pixel_m:g} m there")
    if frame.lit_share < _LITTLE_LIT or frame.lit_share > 1.0 - _LITTLE_LIT:
        kind, share = ("lit", frame.lit_share) if frame.lit_share < 0.5 else ("dark", 1.0 - frame.lit_share)
        found.append(f"only {100 * share:.1f} % of it is predicted to be {kind}")
    if frame.penumbra_share > _MUCH_PENUMBRA:
        found.append(f"{100 * frame.penumbra_share:.0f} % of it sees part of the Sun's disc")
    if frame.gap_share < _LITTLE_MISSING and frame.lit_share > 2.0 * frame.gap_share:
        found.append(
            f"gaps fill {100 * frame.gap_share:.1f} % of it, and {100 * frame.lit_share:.1f} % is predicted to be lit:"
            " the camera saw no such light"
        )
    return found or ["none of the facts that are measured explains it"]


def reasons_without_gaps(frame: FrameComparison, bound: float) -> list[str]:
    """Return what could explain an area below `bound` of the pixels with data alone; empty if it is not below.

    Most of the sunlit ground lies in the gaps. What is left of it lies along the edges of shadow, where ground that the
    model has in the wrong place weighs most.
    """
    value = frame.measured.value
    if value is None or value >= bound:
        return []
    found = []
    left = frame.measured_lit_share
    if left is not None and frame.lit_share > 0.0:
        kept = left * (1.0 - frame.gap_share) / frame.lit_share
        found.append(
            f"of the ground that is predicted to be lit {100 * kept:.1f} % has data, the rest saturates the camera;"
            f" it is {100 * left:.1f} % of the pixels with data"
        )
    if frame.measured_edge_share is not None:
        reach_m = EDGE_PX * frame.dem_pixel_m
        found.append(
            f"{100 * frame.measured_edge_share:.0f} % of the lit ground with data lies within {reach_m:g} m of a"
            " predicted edge of shadow, or in penumbra"
        )
    return found or ["none of the facts that are measured explains it"]
