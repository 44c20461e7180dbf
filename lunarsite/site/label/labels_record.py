"""The record of the labels: how many cells meet each rule, surely and probably, and what the probabilities rest on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import JsonValue

from lunarsite.artefact.record import Metric, Record
from lunarsite.settings import RulesSettings, UncertaintySettings
from lunarsite.site.label.clones import CloneSums, SlopeLimits
from lunarsite.site.label.labels import Sigmas
from lunarsite.site.label.probability import monte_carlo_error, share_at_least
from lunarsite.site.rules import INPUTS, rule_inputs

_UNSURE = (0.05, 0.95)


def sigmas_of(validated: Record | None, rules: RulesSettings, settings: UncertaintySettings) -> Sigmas:
    """Return the errors of light and Earth view: measured by the run where it could be, else from the settings.

    Measured is the root mean square of ours less the published map's, bias included, for the very average that the
    rules read. Its cells are 5 km wide; the error of a single cell is rather larger.
    """
    averages = {"light": f"sun_{rules.illumination}", "earth": "earth_any"}
    given = {"light": settings.light_sigma_pct, "earth": settings.earth_sigma_pct}
    found: dict[str, tuple[float, str]] = {}
    for what, average in averages.items():
        metric = f"{average}_rms"
        known = {entry.name: entry.value for entry in validated.metrics} if validated is not None else {}
        value = known.get(metric)
        if value is not None:
            found[what] = value, f"measured: {metric} against the published map, bias included, cells of 5 km"
        else:
            why = "the run has no such reference" if metric not in known else "it is unknown in this run"
            found[what] = given[what], f"site.uncertainty.{what}_sigma_pct; {metric} was not measured: {why}"
    return Sigmas(found["light"][0], found["earth"][0], found["light"][1], found["earth"][1])


def labels_record(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    rules: RulesSettings,
    limits: SlopeLimits,
    clones: CloneSums,
    settings: UncertaintySettings,
    sigmas: Sigmas,
) -> Record:
    """Return the record.

    Args:
        table: The table of labels.
        cells: The table of cells.
        rules: The rules.
        limits: Which slope each rule reads.
        clones: What the clones say of each cell.
        settings: Number, correlation and seed of the clones.
        sigmas: Errors of light and Earth view.
    """
    draws = settings.draws
    metrics = [
        Metric(name="draws", value=float(draws), unit="1", why="clones of the elevation model"),
        Metric(name="correlation", value=settings.correlation_m, unit="m", why="site.uncertainty.correlation_m"),
        Metric(name="light_sigma", value=sigmas.light_pct, unit="%", why=sigmas.light_source),
        Metric(name="earth_sigma", value=sigmas.earth_pct, unit="%", why=sigmas.earth_source),
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
    rows = [_row(name, table, cells, rules, limits, clones, draws) for name in sorted(rules.named())]
    for row in rows:
        for key in ("suitable", "expected_suitable", "unsure", "unknown"):
            value = row[key]
            assert isinstance(value, int | float)
            metrics.append(Metric(name=f"{row['rule']}_{key}", value=float(value), unit="cells"))
    return Record(title="Labels", metrics=tuple(metrics), tables={"rules": rows}, notes=_notes(rules, limits, sigmas))


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
        sure_else &= share_at_least(cells[column].to_numpy(), least, 0.0) == 1.0
    row["unsure_by_slope_alone"] = int(
        (known & sure_else & (slope_share >= _UNSURE[0]) & (slope_share <= _UNSURE[1])).sum()
    )
    return row


def _notes(rules: RulesSettings, limits: SlopeLimits, sigmas: Sigmas) -> tuple[str, ...]:
    notes = [
        "A probability is the share of clones of the elevation model in which the cell's slope is within the limit,"
        " times the probabilities that light and Earth view are. The three errors are taken to be independent; they"
        " come from one elevation model, so meeting all limits is somewhat likelier than the product.",
        "'expected_suitable' is the sum of the probabilities: how many cells meet the rule if the errors are as stated."
        " It exceeds the hard rule's count wherever more cells lie just outside the limits than just inside.",
        "A clone is steeper than the map on average: errors add relief, and relief steepens level ground. The map holds"
        " its own error already and may be steeper than the ground by as much; a map that is smoother than the ground,"
        " as interpolated ones are, errs the other way. So the shift is no correction. Near a limit a rough map makes"
        " the probabilities too low, and a smooth one too high.",
        "Errors of light and Earth view are centred: a bias of the map widens them and does not move them.",
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
