"""What the report has on seeing into shadow: the record in words, the networks' cards, captions of the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lunarsite.artefact import record
from lunarsite.artefact.contracts import CYCLE_MODEL, DENOISER_MODEL, ENHANCE_RECORD, SHADOWCAM_RECORD
from lunarsite.artefact.model import read_tensors
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.crater_story import card_table
from lunarsite.publish.enhance_words import sentences
from lunarsite.publish.report import Table

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
        "What each method makes of the image as taken, and how many craters it shows and invents, by signal.",
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
