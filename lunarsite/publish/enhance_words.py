"""The record of enhancement in sentences: what each network gains over filters and invents, at every signal.

Sentences are made of the record's numbers; none of them is typed. A network is called better or worse than a filter
only where the interval of the paired difference says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lunarsite.artefact.contracts.enhance import NETWORK_NAMES
from lunarsite.artefact.record import Record
from lunarsite.publish.enhance_charts import CRATERS, GAINS, LEVELS, PIXELS, rows
from lunarsite.publish.enhance_looks import CYCLE, DENOISER, NETWORKS, RAW, look
from lunarsite.publish.words import number_words
from lunarsite.settings import EnhancementSettings

Row = Mapping[str, Any]

_MEASURES: Final = (("psnr_db", "PSNR", " dB"), ("ssim", "SSIM", ""))
_INVENTED, _REVEALED = "invented_per_100000px", "revealed_per_100000px"
_SHOWN: Final = {True: "is shown to reveal", False: "is not shown to reveal", None: "cannot be said to reveal"}
_FEW = "too few grounds to compare it with filters"


def sentences(found: Record, method: str) -> Iterator[str]:
    """Yield what was measured at every signal, each number beside its baselines.

    Args:
        found: The record.
        method: Which network the run enhances with, by its name in the settings.

    Raises:
        ArtefactError: The record lacks a table or a column that is told of.
    """
    known = [row for row in rows(found, LEVELS) if row["psnr_db"] is not None]
    if not known:
        yield "Nothing could be measured: the run has no scene in shadow on ground that no training saw."
        return
    signals = sorted({float(row["electrons"]) for row in known})
    at = {(str(row["method"]), float(row["electrons"])): row for row in known}
    filters = list(dict.fromkeys(str(row["method"]) for row in known if row["kind"] == "classical"))
    yield from _as_taken(at, signals)
    yield _best_filters(at, filters, signals)
    gains = rows(found, GAINS)
    for name in NETWORKS:
        if any((name, signal) in at for signal in signals):
            yield from (
                _quality(at[name, signal], [row for row in gains if row["electrons"] == signal], filters)
                for signal in signals
                if (name, signal) in at
            )
            yield from _doubt(found, name)
        else:
            yield f"The {look(name).words} was not measured in this run."
    yield from _invention(found, signals, at, filters)
    yield _default(found, at, signals[0])
    yield f"This run enhances with the {look(NETWORK_NAMES[method]).words}."
    short = [f"{v.name} ({number_words(v.value)}, asked: {v.bound})" for v in found.verdicts if v.holds is False]
    if short:
        yield f"It falls short in: {'; '.join(short)}."


def _as_taken(at: Mapping[tuple[str, float], Row], signals: Sequence[float]) -> Iterator[str]:
    told = [
        f"{with_interval(at.get((RAW, signal)), 'psnr_db')} dB and {with_interval(at.get((RAW, signal)), 'ssim')}"
        f" at {number_words(signal)} electrons"
        for signal in signals
    ]
    yield (
        "Against the noise-free truth the image as taken has a PSNR and an SSIM of"
        f" {_listed(told)} in the median pixel."
    )


def _best_filters(at: Mapping[tuple[str, float], Row], filters: Sequence[str], signals: Sequence[float]) -> str:
    """Return the best classical filter of every signal, by PSNR and by SSIM."""
    parts = []
    for signal in signals:
        best = [
            f"{with_interval(at[name, signal], column)}{unit} ({look(name).words})"
            for column, _, unit in _MEASURES
            if (name := _best(at, filters, signal, column)) is not None
        ]
        if best:
            parts.append(f"{' and '.join(best)} at {number_words(signal)} electrons")
    if not parts:
        return "No classical filter was measured."
    return f"The best of {len(filters)} classical filters by each of the two reach {_listed(parts)}."


def _best(at: Mapping[tuple[str, float], Row], filters: Sequence[str], signal: float, column: str) -> str | None:
    ranked = [name for name in filters if (name, signal) in at and at[name, signal][column] is not None]
    return max(ranked, key=lambda name: float(at[name, signal][column])) if ranked else None


def _quality(row: Row, gains: Sequence[Row], filters: Sequence[str]) -> str:
    """Return what a network reaches at one signal, and where that lies among the filters."""
    name = str(row["method"])
    own = [one for one in gains if one["method"] == name and one["over"] in filters]
    stands = [f"in {words} {_standing(own, f'gain_{column}', unit)}" for column, words, unit in _MEASURES]
    reached = f"{with_interval(row, 'psnr_db')} dB and {with_interval(row, 'ssim')}"
    return (
        f"At {number_words(row['electrons'])} electrons the {look(name).words} reaches {reached}: {'; '.join(stands)}."
    )


def _doubt(found: Record, name: str) -> Iterator[str]:
    """Yield why nothing is claimed of a network, if that is so."""
    claim = next((v for v in found.verdicts if v.name.startswith(f"PSNR of the {name} above")), None)
    if claim is not None and claim.holds is None:
        yield f"Nothing of this is claimed of the {look(name).words}: {claim.why.removeprefix('unknown: ')}."


def _standing(gains: Sequence[Row], column: str, unit: str) -> str:
    """Return how gains over the filters stand: each by the interval of the paired difference."""
    if not gains:
        return "there is no filter to compare it with"
    if any(row[f"{column}_low"] is None or row[f"{column}_high"] is None for row in gains):
        return _FEW
    ranked = sorted(gains, key=lambda row: float(row[column]))
    below = [row for row in ranked if row[f"{column}_high"] < 0.0]
    unsure = [row for row in ranked if row[f"{column}_low"] <= 0.0 <= row[f"{column}_high"]]
    if not below and not unsure:
        return f"above every classical filter, least so above {_over(ranked[0], column, unit)}"
    parts = []
    for words, part in (("below", below), ("not told apart from", unsure)):
        if part:
            others = [look(str(row["over"])).words for row in part[1:]]
            parts.append(f"{words} {_listed([_over(part[0], column, unit), *others])}")
    return ", ".join(parts)


def _over(row: Row, column: str, unit: str) -> str:
    """Return a filter with the gain over it."""
    value, low, high = (f"{float(row[f'{column}{end}']):+.3g}" for end in ("", "_low", "_high"))
    return f"{look(str(row['over'])).words} ({value}{unit}, 95 %: {low} to {high})"


def _invention(
    found: Record, signals: Sequence[float], at: Mapping[tuple[str, float], Row], filters: Sequence[str]
) -> Iterator[str]:
    """Yield what the networks reveal and invent by signal, what the filters invent, and both by the size of pixels."""
    craters = {(str(row["method"]), float(row["electrons"])): row for row in rows(found, CRATERS)}
    told = [name for name in NETWORKS if any(craters[key][_INVENTED] is not None for key in craters if key[0] == name)]
    if not told:
        yield "How many craters the results invent could not be measured."
        return
    for name in told:
        parts = [
            f"{with_interval(row, _REVEALED)} and {with_interval(row, _INVENTED)} at {number_words(signal)} electrons"
            for signal in signals
            if (row := craters.get((name, signal))) is not None
        ]
        yield (
            f"Craters of the truth that the {look(name).words} reveals, beyond those that the image as taken shows, and"
            f" craters that it invents, for 100 000 pixels in shadow: {_listed(parts)}."
        )
    for signal in signals:
        known = [name for name in filters if craters.get((name, signal), {}).get(_INVENTED) is not None]
        ranked = sorted(known, key=lambda name: float(craters[name, signal][_INVENTED]))
        if ranked:
            ends = [f"{number_words(craters[n, signal][_INVENTED])} ({look(n).words})" for n in (ranked[0], ranked[-1])]
            best = _best(at, known, signal, "psnr_db")
            own = (
                f"; {look(best).words}, the best of them in PSNR, {with_interval(craters[best, signal], _INVENTED)}"
                if best is not None
                else ""
            )
            yield f"At {number_words(signal)} electrons the filters invent {' to '.join(ends)}{own}."
    yield from _by_pixel(found, signals[0])


def _by_pixel(found: Record, signal: float) -> Iterator[str]:
    """Yield invention by area for each size of pixels: over sizes together it would be that of the largest."""
    column = "invented_per_100km2"
    at = [row for row in rows(found, PIXELS) if row["electrons"] == signal and row[column] is not None]
    parts = []
    for pixel_m in sorted({float(row["pixel_m"]) for row in at}):
        here = {str(row["method"]): row for row in at if row["pixel_m"] == pixel_m}
        each = [f"{with_interval(here[name], column)} ({look(name).words})" for name in NETWORKS if name in here]
        if each:
            parts.append(f"{_listed(each)} with pixels of {pixel_m:g} m")
    if parts:
        yield (
            "By area the same invention depends on what a pixel covers: craters for 100 km² that are in the result"
            f" alone, at {number_words(signal)} electrons: {'; '.join(parts)}."
        )


def _default(found: Record, at: Mapping[tuple[str, float], Row], signal: float) -> str:
    """Return why the default is what it is, as far as this record tells."""
    default = NETWORK_NAMES[EnhancementSettings().method]
    other = CYCLE if default == DENOISER else DENOISER
    opening = f"The default is the {look(default).words}."
    if (default, signal) not in at or (other, signal) not in at:
        return f"{opening} This record does not compare it with the {look(other).words}."
    own, rival = (_reveals(found, name) for name in (default, other))
    told = (
        f"At {number_words(signal)} electrons the {look(default).words} {_SHOWN[own]} more craters than it invents,"
        f" the {look(other).words} {_SHOWN[rival]} more than it invents"
    )
    ends = at[default, signal]["psnr_db_low"], at[other, signal]["psnr_db_high"]
    nearer = None not in ends and ends[0] > ends[1]
    if own is True and rival is not True:
        return f"{opening} {told}: that is why{', and its result is nearer to the truth' if nearer else ''}."
    if nearer:
        return f"{opening} {told}; what speaks for the default is that its result is nearer to the truth."
    return f"{opening} {told}; this record does not bear the choice out."


def _reveals(found: Record, name: str) -> bool | None:
    """Return the verdict on whether a network reveals more craters than it invents; None where there is none."""
    return next((v.holds for v in found.verdicts if v.name.startswith(f"The {name} reveals more craters")), None)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def with_interval(row: Row | None, name: str) -> str:
    """Return a number of a row with its interval, as far as they are known."""
    if row is None or row[name] is None:
        return "unknown"
    value = number_words(row[name])
    if row.get(f"{name}_low") is None or row.get(f"{name}_high") is None:
        return value
    return f"{value} (95 %: {number_words(row[f'{name}_low'])} to {number_words(row[f'{name}_high'])})"
