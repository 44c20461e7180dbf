"""The record of slopes against published ones: claims, and in plain numbers what a limit at our length hides.

The claims are modest, for the two slopes are not of one length and need not be equal: ours must follow the published
one better than latitude alone does, and ground that passes a limit must be gentler than ground at random. What share of
it is steeper than the limit in the published map has no bound; it is told. Of a product whose pixels are no smaller
than the run's, no slope within a pixel is known, so no column tells of a steepest one.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record, Verdict
from lunarsite.settings import RulesSettings
from lunarsite.validate.slope import CLASSES_DEG, RING_DEG, Comparison, Passing, Sums

Rows = list[dict[str, JsonValue]]
_NO_PIXELS = "unknown: fewer than three pixels have both slopes"
_CONSTANT = "unknown: one of the slopes is the same everywhere, and a constant has no correlation"


def judge_slopes(
    found: Comparison, rules: RulesSettings, *, published_pixel_m: float, is_finer: bool, synthetic: bool
) -> Record:
    """Return the record of a comparison.

    Args:
        found: The comparison.
        rules: The rules whose limits were compared.
        published_pixel_m: Side of the published product's own pixels, metres.
        is_finer: Whether several of them lie in one of the run's, so that a steepest one is known.
        synthetic: Whether our slopes are those of a synthetic Moon.
    """
    overall = found.overall
    why = "" if overall.n >= 3 else _NO_PIXELS
    metrics = [
        Metric(name="slope_pixels", value=overall.n, unit="1", why="pixels with both slopes"),
        Metric(name="slope_bias", value=overall.bias, unit="deg", why=why or "ours less the published mean"),
        Metric(name="slope_rms", value=overall.rms, unit="deg", why=why),
        Metric(
            name="slope_baseline_rms",
            value=found.baseline_rms,
            unit="deg",
            why=why or f"latitude alone, rings of {RING_DEG:g} deg",
        ),
        Metric(name="slope_correlation", value=overall.correlation, unit="1", why=_why(overall.correlation, why)),
        Metric(
            name="slope_baseline_correlation",
            value=found.baseline_correlation,
            unit="1",
            why=_why(found.baseline_correlation, why, "latitude alone"),
        ),
    ]
    notes = [
        f"Our slope is taken over some {2.0 * found.pixel_m:g} m (Horn's method on pixels of {found.pixel_m:g} m), the"
        f" published one is that of pixels of {published_pixel_m:g} m. {_of_lengths(is_finer)}",
        "A published fine slope has an error of its own, 1.5 to 2.5 degrees (Barker et al. 2021), which makes flat"
        " ground look rougher than it is.",
        "Rules read the mean slope of a cell; what is steeper inside it, a lander must find its way around.",
    ]
    if synthetic:
        notes.append("This is a synthetic Moon: agreement with the real one's slopes means nothing.")
    tables = {
        "what_limits_hide": _without_steepest(_hidden(found, rules), is_finer),
        "slope_by_class": _without_steepest(
            [
                _class_row(low, high, sums)
                for (low, high), sums in zip(pairwise(CLASSES_DEG), found.classes, strict=True)
            ],
            is_finer,
        ),
    }
    return Record(
        title=f"Slopes against {'finer ' if is_finer else ''}published ones of {published_pixel_m:g} m pixels",
        metrics=tuple(metrics),
        verdicts=tuple(_verdicts(found, why)),
        tables=tables,
        notes=tuple(notes),
    )


def _of_lengths(is_finer: bool) -> str:
    if is_finer:
        return (
            "Finer slopes are steeper, so our bias is negative by nature, and the steepest pixel in a cell is far above"
            " its mean."
        )
    return (
        "These are no finer than ours, so that they cannot tell of steeper ground within our pixels: what a limit hides"
        " there stays unknown, and only the agreement of the two is told."
    )


def _without_steepest(rows: Rows, is_finer: bool) -> Rows:
    """Return rows without what a product that is no finer than the run does not know."""
    if is_finer:
        return rows
    return [{key: value for key, value in row.items() if "steepest" not in key} for row in rows]


def _why(value: float | None, why: str, otherwise: str = "") -> str:
    return otherwise if value is not None else why or _CONSTANT


def _verdicts(found: Comparison, why: str) -> list[Verdict]:
    overall = found.overall
    gain, told = None, why or _CONSTANT
    if overall.correlation is not None and found.baseline_correlation is not None:
        gain = overall.correlation - found.baseline_correlation
        told = f"correlation {overall.correlation:.3f}, of the mean at each latitude {found.baseline_correlation:.3f}"
    ratio, told_rms = None, why or "unknown: the published slope is the same everywhere at each latitude"
    if overall.rms is not None and found.baseline_rms:
        ratio = overall.rms / found.baseline_rms
        told_rms = f"{overall.rms:.2f} degrees, the mean at each latitude leaves {found.baseline_rms:.2f}"
    verdicts = [
        Verdict(
            name="slope follows the published one better than latitude does",
            value=gain,
            unit="1",
            bound="> 0",
            holds=None if gain is None else gain > 0.0,
            why=told,
        ),
        Verdict(
            name="slope RMS over what latitude alone leaves",
            value=ratio,
            unit="1",
            bound="< 1",
            holds=None if ratio is None else ratio < 1.0,
            why=told_rms,
        ),
    ]
    for passing in found.cells:
        above, base = _share(passing.mean_above, passing.passing), _share(passing.all_mean_above, passing.known)
        value, told = None, "unknown: no cell with both slopes passes"
        if above is not None and base is not None:
            value = above - base
            told = f"{100 * above:.1f} % of cells that pass are steeper in the published mean, of all cells"
            told += f" {100 * base:.1f} %"
        verdicts.append(
            Verdict(
                name=f"cells that pass {passing.limit_deg:g} degrees are gentler in the published map than others",
                value=value,
                unit="1",
                bound="< 0",
                holds=None if value is None else value < 0.0,
                why=told,
            )
        )
    return verdicts


def _hidden(found: Comparison, rules: RulesSettings) -> Rows:
    """Return what each limit lets through, for pixels and for cells."""
    rows: Rows = []
    for name, size_m, all_passing in (
        ("pixels", found.pixel_m, found.pixels),
        ("cells", found.cell_m, found.cells),
    ):
        rows += [_hidden_row(f"{name} of {size_m:g} m", passing, rules) for passing in all_passing]
    return rows


def _hidden_row(ground: str, passing: Passing, rules: RulesSettings) -> dict[str, JsonValue]:
    of_limit = [name for name, rule in rules.named().items() if rule.max_slope_deg == passing.limit_deg]
    why = ""
    if not passing.known:
        why = "none has both slopes"
    elif not passing.passing:
        why = "none passes"
    return {
        "pieces": ground,
        "max_slope_deg": passing.limit_deg,
        "rules": ", ".join(of_limit),
        "known": passing.known,
        "passing": passing.passing,
        "mean_above_share": _share(passing.mean_above, passing.passing),
        "mean_above_base_share": _share(passing.all_mean_above, passing.known),
        "steepest_above_share": _share(passing.steepest_above, passing.passing),
        "steepest_above_base_share": _share(passing.all_steepest_above, passing.known),
        "missed_share": _share(passing.fine_passing_missed, passing.known),
        "why_unknown": why,
    }


def _class_row(low: float, high: float, sums: Sums) -> dict[str, JsonValue]:
    return {
        "from": low,
        "to": min(high, 90.0),
        "pixels": sums.n,
        "fine_mean_deg": sums.fine / sums.n if sums.n else None,
        "fine_steepest_deg": sums.steepest / sums.n if sums.n else None,
        "bias": sums.bias,
        "rms": sums.rms,
        "correlation": sums.correlation,
    }


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
