"""The record of the labels: how many cells meet each rule, surely and probably, and what the probabilities rest on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record
from lunarsite.settings import RulesSettings, UncertaintySettings
from lunarsite.site.label.clones import CloneSums, SlopeLimits
from lunarsite.site.label.labels import Errors, label_table
from lunarsite.site.label.probability import NO_ERROR, ShareError, monte_carlo_error, share_at_least
from lunarsite.site.rules import INPUTS, rule_inputs

_UNSURE = (0.05, 0.95)
_LIKELY = 0.5


def errors_of(validated: Record | None, rules: RulesSettings, settings: UncertaintySettings) -> Errors:
    """Return the errors of light and Earth view: measured by the run where it could be, else from the settings.

    Measured are the bias and the root mean square of ours less the published map's, and sigma is what the bias leaves
    of the latter. The published map counts any part of the disc, so the averages compared with it do too, whichever the
    rules read. Its cells are 5 km wide; the error of a single cell is rather larger.
    """
    averages = {"light": "sun_any", "earth": "earth_any"}
    given = {"light": settings.light_sigma_pct, "earth": settings.earth_sigma_pct}
    known = {entry.name: entry.value for entry in validated.metrics} if validated is not None else {}
    found = {}
    for what, average in averages.items():
        rms, bias = known.get(f"{average}_rms"), known.get(f"{average}_bias")
        if rms is None:
            why = "it is unknown in this run" if f"{average}_rms" in known else "the run has no such reference"
            source = f"site.uncertainty.{what}_sigma_pct; {average}_rms was not measured: {why}"
            found[what] = ShareError(given[what], 0.0, source)
            continue
        told = "no bias was measured" if bias is None else f"{average}_bias {bias:+.3g} %"
        cells = known.get(f"{average}_cells")
        counted = "cells of 5 km" if cells is None else f"{cells:.0f} cells of 5 km"
        source = f"measured: {told}, {average}_rms {rms:.3g} %, over {counted} of a published map"
        if what == "light" and rules.illumination == "mean":
            source += "; it counts any part of the disc, and the error of the mean is taken to be that of any part"
        found[what] = ShareError(math.sqrt(max(rms**2 - (bias or 0.0) ** 2, 0.0)), bias or 0.0, source)
    return Errors(found["light"], found["earth"])


def labels_record(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    rules: RulesSettings,
    limits: SlopeLimits,
    clones: CloneSums,
    settings: UncertaintySettings,
    measured: Errors,
) -> Record:
    """Return the record.

    Args:
        table: The table of labels.
        cells: The table of cells.
        rules: The rules.
        limits: Which slope each rule reads.
        clones: What the clones say of each cell.
        settings: Number, correlation and seed of the clones, and whether biases were taken off.
        measured: Errors of light and Earth view with their biases.
    """
    draws, errors = settings.draws, measured.used(settings.remove_bias)
    metrics = [
        Metric(name="draws", value=float(draws), unit="1", why="clones of the elevation model"),
        Metric(name="correlation", value=settings.correlation_m, unit="m", why="site.uncertainty.correlation_m"),
        *_error_metrics("light", errors.light, measured.light),
        *_error_metrics("earth", errors.earth, measured.earth),
        Metric(
            name="monte_carlo_error",
            value=float(monte_carlo_error(np.array(0.5), draws)),
            unit="1",
            why="standard error of a probability from so many clones, largest where the slope passes in half of them"
            " and light and Earth view are certain; it shrinks with the root of the draws",
        ),
    ]
    for index, column in enumerate(limits.columns):
        shift = clones.shift_deg[index] / draws
        known = shift[~np.isnan(shift)]
        metrics.append(
            Metric(
                name=f"{column}_shift_median",
                value=float(np.median(known)) if known.size else None,
                unit="deg",
                why="clones less the map, median over cells; the notes say why it is above 0"
                if known.size
                else "unknown: no cell has a slope",
            )
        )
    other = label_table(cells, rules, limits, clones, draws, measured.used(not settings.remove_bias))
    removed, kept = (table, other) if settings.remove_bias else (other, table)
    rows = [
        _row(name, table, cells, rules, limits, clones, draws) | _both_ways(name, removed, kept)
        for name in sorted(rules.named())
    ]
    for row in rows:
        for key in ("suitable", "expected_suitable", "unsure", "unknown"):
            value = row[key]
            assert isinstance(value, int | float)
            metrics.append(Metric(name=f"{row['rule']}_{key}", value=float(value), unit="cells"))
    notes = _notes(rules, limits, measured, settings.remove_bias)
    return Record(title="Labels", metrics=tuple(metrics), tables={"rules": rows}, notes=notes)


def _error_metrics(what: str, used: ShareError, measured: ShareError) -> tuple[Metric, Metric]:
    stays = " (stays in and widens the error: site.uncertainty.remove_bias is off)" if used != measured else ""
    return (
        Metric(name=f"{what}_bias", value=used.bias_pct, unit="%", why=f"taken off the map; {measured.source}{stays}"),
        Metric(
            name=f"{what}_sigma", value=used.sigma_pct, unit="%", why=f"about the map less the bias; {measured.source}"
        ),
    )


_BOTH_WAYS = ("expected_bias_removed", "expected_bias_kept", "likely_bias_removed", "likely_bias_kept")


def _both_ways(name: str, removed: pd.DataFrame, kept: pd.DataFrame) -> dict[str, JsonValue]:
    """Return how many cells are expected to meet a rule, and how many likely do, with biases taken off and left in."""
    parts = [table.loc[table["rule"] == name, "probability"].dropna().to_numpy(np.float64) for table in (removed, kept)]
    sums = [float(part.sum()) for part in parts] + [int((part >= _LIKELY).sum()) for part in parts]
    return dict(zip(_BOTH_WAYS, sums, strict=True))


def _row(
    name: str,
    table: pd.DataFrame,
    cells: pd.DataFrame,
    rules: RulesSettings,
    limits: SlopeLimits,
    clones: CloneSums,
    draws: int,
) -> dict[str, JsonValue]:
    part = table[table["rule"] == name]
    label, probability = part["label"].to_numpy(), part["probability"].to_numpy(dtype=np.float64)
    known, suitable = label != "unknown", label == "suitable"
    unsure = (probability >= _UNSURE[0]) & (probability <= _UNSURE[1])
    rule = rules.named()[name]
    row: dict[str, JsonValue] = {
        "rule": name,
        "max_slope_deg": rule.max_slope_deg,
        "min_illumination_pct": rule.min_illumination_pct,
        "min_earth_visibility_pct": rule.min_earth_visibility_pct,
        "slope": rule_inputs(name, rule)[0],
        "suitable": int(suitable.sum()),
        "unsuitable": int((known & ~suitable).sum()),
        "unknown": int((~known).sum()),
        **{f"unknown_{cause}": int(part["unknown_because"].str.contains(cause, regex=False).sum()) for cause in INPUTS},
        "expected_suitable": float(probability[known].sum()),
        "expected_among_suitable": float(probability[suitable].sum()),
        "expected_among_unsuitable": float(probability[known & ~suitable].sum()),
        "unsure": int(unsure.sum()),
    }
    # What the slope alone makes unsure, to be set beside what light and Earth view add.
    slope_share = clones.passing[limits.rules.index(name)] / draws
    sure_else = np.ones(slope_share.size, dtype=bool)
    for column, least in zip(
        rule_inputs(name, rule)[1:], (rule.min_illumination_pct, rule.min_earth_visibility_pct), strict=True
    ):
        sure_else &= share_at_least(cells[column].to_numpy(), least, NO_ERROR) == 1.0
    row["unsure_by_slope_alone"] = int(
        (known & sure_else & (slope_share >= _UNSURE[0]) & (slope_share <= _UNSURE[1])).sum()
    )
    return row


def _notes(rules: RulesSettings, limits: SlopeLimits, measured: Errors, remove_bias: bool) -> tuple[str, ...]:
    notes = [
        "A probability is the share of clones of the elevation model in which the cell's slope is within the limit,"
        " times the probabilities that light and Earth view are. The three errors are taken to be independent; they"
        " come from one elevation model, so meeting all limits is somewhat likelier than the product.",
        "'expected_suitable' is the sum of the probabilities: how many cells meet the rule if the errors are as stated."
        " It differs from the hard rule's count because a limit seldom has as many cells just outside as just inside,"
        " because clones are steeper than the map, and because of the biases where they are taken off.",
        "The columns '..._bias_removed' and '..._bias_kept' count with the biases of light and Earth view taken off and"
        " with errors that they widen instead. 'likely' are cells whose probability is at least one half.",
        "A clone is steeper than the map on average: errors add relief, and relief steepens level ground. The map holds"
        " its own error already and may be steeper than the ground by as much; a map that is smoother than the ground,"
        " as interpolated ones are, errs the other way. So the shift is no correction. Near a limit a rough map makes"
        " the probabilities too low, and a smooth one too high.",
        *_bias_notes(measured, remove_bias),
        "A cell that lacks any input is unknown and has no probability.",
    ]
    unresolved = [
        name
        for name, rule in rules.named().items()
        if rule.slope_buffer_m > 0.0 and limits.columns[limits.reads[limits.rules.index(name)]] == "slope_mean"
    ]
    if unresolved:
        notes.append(
            f"The pixels do not resolve the buffer of {rules.hls.slope_buffer_m:g} m of"
            f" {', '.join(unresolved)}: the mean slope of the cell is read instead."
        )
    return tuple(notes)


def _bias_notes(measured: Errors, remove_bias: bool) -> tuple[str, ...]:
    named = (("light", measured.light), ("Earth view", measured.earth))
    biased = [(what, error.bias_pct) for what, error in named if error.bias_pct != 0.0]
    if not biased:
        return ("No bias of light and Earth view is known: probabilities are centred on the map.",)
    told = " and ".join(
        f"{abs(bias):.2f} % of time too {'much' if bias > 0.0 else 'little'} {what}" for what, bias in biased
    )
    side = {bias > 0.0 for _, bias in biased}
    judged = "errs by as much" if len(side) == 2 else f"is too {'generous' if side.pop() else 'strict'} by as much"
    stands = (
        "Probabilities are centred on the map less that"
        if remove_bias
        else "Probabilities are centred on the map all the same, with errors that it widens"
        " (site.uncertainty.remove_bias is off)"
    )
    return (
        f"The map has on average {told}. {stands}. Hard labels are of the map as it is, so the hard rule {judged}.",
        "That was measured on the cells of 5 km of a published map, on the part of this map that it covers"
        " (validate/illumination_cells.parquet lists them), and one number stands for the whole map; the tables of"
        " validate/illumination.json show by latitude and by share of time how it varies.",
    )
