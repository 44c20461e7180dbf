"""Nulls as records hold them: columns of a table's row, metrics, and verdicts on a p-value."""

from __future__ import annotations

from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Verdict
from lunarsite.validate.nulls import Null

P_BOUND = 0.05
"""Verdicts hold at this one-sided p-value: beyond the 95th percentile of the null."""


def null_row(name: str, null: Null | None) -> dict[str, JsonValue]:
    """Return median, 95 % interval and p-value of a null as columns; None where it is unknown."""
    return {
        f"{name}_median": None if null is None else null.median,
        f"{name}_low": None if null is None else null.low,
        f"{name}_high": None if null is None else null.high,
        f"{name}_p": None if null is None else null.p,
    }


def null_metric(name: str, null: Null | None, why: str, unit: str = "1") -> Metric:
    """Return the null's median with its 95 % interval as a metric."""
    if null is None:
        return Metric(name=name, value=None, unit=unit, why=why)
    return Metric(name=name, value=null.median, unit=unit, low=null.low, high=null.high, why="median of the null")


def ungiven_verdict(name: str, why: str) -> Verdict:
    """Return the one unknown verdict that stands for all claims which lack the same table."""
    return Verdict(name=name, value=None, unit="p-value", bound=f"<= {P_BOUND:g}", holds=None, why=why)


def p_verdict(name: str, null: Null | None, why_unknown: str, why: str) -> Verdict:
    """Return the verdict on a null's p-value; unknown, with the reason, where there is no null."""
    p = None if null is None else null.p
    return Verdict(
        name=name,
        value=p,
        unit="p-value",
        bound=f"<= {P_BOUND:g}",
        holds=None if p is None else p <= P_BOUND,
        why=(why_unknown or "unknown") if p is None else why,
    )
