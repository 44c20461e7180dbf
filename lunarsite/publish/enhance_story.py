"""What the report says of seeing into shadow: what each network gains over filters, and what it invents beside it.

Sentences are made of the record's numbers; none of them is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lunarsite.artefact import record
from lunarsite.artefact.contracts import CYCLE_MODEL, DENOISER_MODEL, ENHANCE_RECORD, SHADOWCAM_RECORD
from lunarsite.artefact.model import read_tensors
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.crater_story import card_table
from lunarsite.publish.enhance_charts import CRATERS, LEVELS, rows
from lunarsite.publish.enhance_looks import NETWORKS, RAW, look
from lunarsite.publish.report import Table
from lunarsite.publish.words import number_words

Row = Mapping[str, Any]

PICTURES: Final[dict[str, tuple[str, str]]] = {
    "enhance_samples": (
        "Rendered scenes in rows by signal level: the image as taken, filtered by classical methods, enhanced by the"
        " networks, and the truth, side by side.",
        "The same ground as taken in low light, filtered, enhanced, and as it is. What a result shows and the truth"
        " lacks is invented.",
    ),
    "enhance_levels": (
        "Four charts of PSNR, SSIM, craters shown and craters invented against the signal, a line for each method with"
        " 95 % intervals.",
        "What each method gains over the image as taken, and how many craters it shows and invents, by signal.",
    ),
    "enhance_spectrum": (
        "Charts of power relative to the truth's and of correlation with the truth against spatial frequency, for each"
        " signal level and method.",
        "Which scales are kept. Power without correlation is noise or invention.",
    ),
    "enhance_frames": (
        "Four columns of real ShadowCam frames: as taken, enhanced, standard error, and where the signal supports the"
        " result.",
        "Real frames have no truth beside them: the standard error and the mask of support say where the result"
        " rests on signal. Images: ShadowCam, NASA, KARI, Arizona State University.",
    ),
    "shadowcam_pictures": (
        "ShadowCam's frames and composites with the predicted outline of shadow, each beside a map of where image and"
        " prediction agree.",
        "Frames with the edge of shadow that the elevation model predicts for their moment, composites with that of"
        " permanent shadow, and where image and prediction differ. Images: ShadowCam, NASA, KARI, Arizona State"
        " University.",
    ),
    "shadowcam_aucs": (
        "Chart of the area under the ROC curve of predicted light for each ShadowCam frame with intervals, beside what"
        " chance and simple guesses reach.",
        "How well predicted light tells lit from shadowed pixels, frame by frame.",
    ),
}
"""Alternative texts and captions, in the order of the report."""
SEEN: Final = ("enhance_samples", "enhance_levels", "enhance_spectrum", "enhance_frames")
COMPARED: Final = ("shadowcam_pictures", "shadowcam_aucs")


@dataclass(frozen=True)
class EnhanceFiles:
    """What a run has of enhancement; None where it has not."""

    record: Path | None
    denoiser: Path | None
    cycle: Path | None


@dataclass(frozen=True)
class EnhanceStory:
    """The report's section on seeing into shadow."""

    record: Record
    sentences: tuple[str, ...]
    cards: tuple[Table, ...]


def tell(files: EnhanceFiles, method: str) -> EnhanceStory | None:
    """Return what the report says of enhancement; None where the run measured none.

    Args:
        files: The record and the networks.
        method: Which network the run enhances with.

    Raises:
        ArtefactError: A file breaks its contract, the record has no table that is told of, or a network comes without
            a record.
    """
    if files.record is None:
        given = [name for name in ("denoiser", "cycle") if getattr(files, name) is not None]
        if given:
            raise ArtefactError(f"the report got the {', '.join(given)} without the record of enhancement; give both")
        return None
    found, _ = record.read(files.record, ENHANCE_RECORD)
    cards = []
    for path, spec, name in (
        (files.denoiser, DENOISER_MODEL, "denoiser"),
        (files.cycle, CYCLE_MODEL, "CycleGAN"),
    ):
        if path is not None:
            cards.append(card_table(read_tensors(path, spec)[1], f"The {name}'s card"))
    return EnhanceStory(found, tuple(sentences(found, method)), tuple(cards))


def read_shadowcam(path: Path | None) -> Record | None:
    """Return the record of the comparison with ShadowCam; None where the run made none."""
    return None if path is None else record.read(path, SHADOWCAM_RECORD)[0]


def sentences(found: Record, method: str) -> Iterator[str]:
    """Yield what was measured at the lowest signal, each number beside its baselines."""
    levels = rows(found, LEVELS)
    known = [row for row in levels if row["psnr_db"] is not None]
    if not known:
        yield "Nothing could be measured: the run has no scene in shadow on ground that no training saw."
        return
    least = min(float(row["electrons"]) for row in known)
    at = {str(row["method"]): row for row in known if float(row["electrons"]) == least}
    filters = [name for name, row in at.items() if row["kind"] == "classical"]
    yield (
        f"At the lowest signal, {number_words(least)} electrons in the median pixel, the image as taken has a PSNR of"
        f" {_with_interval(at.get(RAW), 'psnr_db')} dB and an SSIM of {_with_interval(at.get(RAW), 'ssim')} against the"
        f" noise-free truth. {_best(at, filters)}"
    )
    for name in NETWORKS:
        if name in at:
            yield (
                f"The {look(name).words} reaches {_with_interval(at[name], 'psnr_db')} dB and"
                f" {_with_interval(at[name], 'ssim')}{_against(at, name, filters)}."
            )
        else:
            yield f"The {look(name).words} was not measured in this run."
    craters = {str(row["method"]): row for row in rows(found, CRATERS) if float(row["electrons"]) == least}
    yield from _invention(craters, [name for name in filters if name in craters])
    yield f"This run enhances with the {look(method).words}."
    short = [f"{v.name} ({number_words(v.value)}, asked: {v.bound})" for v in found.verdicts if v.holds is False]
    if short:
        yield f"It falls short in: {'; '.join(short)}."


def _best(at: Mapping[str, Row], filters: Sequence[str]) -> str:
    """Return the best classical filter by PSNR and the best by SSIM, in words."""
    if not filters:
        return "No classical filter was measured."
    parts = []
    for column, unit in (("psnr_db", " dB"), ("ssim", "")):
        ranked = [name for name in filters if at[name][column] is not None]
        if ranked:
            best = max(ranked, key=lambda name: float(at[name][column]))
            words = "PSNR" if column == "psnr_db" else "SSIM"
            parts.append(f"{_with_interval(at[best], column)}{unit} ({look(best).words}) in {words}")
    return f"The best of {len(filters)} classical filters reach {' and '.join(parts)}." if parts else ""


def _against(at: Mapping[str, Row], name: str, filters: Sequence[str]) -> str:
    """Return whether a network lies above every filter in both numbers."""
    beaten = []
    for column, words in (("psnr_db", "PSNR"), ("ssim", "SSIM")):
        values = [at[one][column] for one in filters if at[one][column] is not None]
        if at[name][column] is not None and values:
            beaten.append((words, at[name][column] > max(values)))
    if not beaten:
        return ""
    above = [words for words, more in beaten if more]
    below = [words for words, more in beaten if not more]
    parts = [f"above every classical filter in {' and '.join(above)}"] if above else []
    parts += [f"not above the best of them in {' and '.join(below)}"] if below else []
    return f", {', '.join(parts)}"


def _invention(at: Mapping[str, Row], filters: Sequence[str]) -> Iterator[str]:
    """Yield how many craters the networks invent, beside the filters and the image as taken."""
    column = "invented_per_100km2"
    told = [(name, at[name]) for name in (*NETWORKS, RAW) if name in at and at[name][column] is not None]
    if not told:
        yield "How many craters the results invent could not be measured."
        return
    parts = [f"{_with_interval(row, column)} for the {look(name).words}" for name, row in told]
    known = [name for name in filters if at[name][column] is not None]
    if known:
        low = min(known, key=lambda name: float(at[name][column]))
        high = max(known, key=lambda name: float(at[name][column]))
        parts.append(
            f"{number_words(at[low][column])} ({look(low).words}) to {number_words(at[high][column])}"
            f" ({look(high).words}) for the filters"
        )
    yield f"Craters that a detector finds in the result and not in the truth, per 100 km²: {'; '.join(parts)}."


def _with_interval(row: Row | None, name: str) -> str:
    if row is None or row[name] is None:
        return "unknown"
    value = number_words(row[name])
    if row.get(f"{name}_low") is None or row.get(f"{name}_high") is None:
        return value
    return f"{value} (95 %: {number_words(row[f'{name}_low'])} to {number_words(row[f'{name}_high'])})"
