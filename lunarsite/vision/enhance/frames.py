"""ShadowCam's mapped frames, enhanced one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images
from lunarsite.artefact.contracts import ENHANCED_FRAMES, SHADOWCAM_FRAMES
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.settings.enhance import EnhancementSettings
from lunarsite.stage import Job
from lunarsite.vision.enhance.image import Enhanced, enhance_array, fit_scale_of, load_enhancer
from lunarsite.vision.enhance.normalise import Scale
from lunarsite.vision.enhance.support import SUPPORTED, UNKNOWN
from lunarsite.vision.learn import LearningError, ResultError


def frames_stage(job: Job, enhancement: EnhancementSettings, frames: Path, model: Path, enhanced: Path) -> None:
    """Enhance every frame on its own grid and in its own numbers.

    A frame that has no signal (no known pixels, or one value in all of them) is unknown as a whole, which the log and
    the file's notes tell.

    Raises:
        ArtefactError: A file breaks its contract, or the network's result cannot be used.
    """
    enhancer = load_enhancer(enhancement.method, model)
    with images.opened(frames, SHADOWCAM_FRAMES) as source:
        count, (height, width) = len(source), source.sides("brightness")
        names, rows, cols = (source.read(name) for name in ("frame", "rows", "cols"))
        credit = source.credit.model_copy(update={"title": f"{source.credit.title}, enhanced ({enhancer.name})"})
        sides = {"height": height, "width": width}
        blank: list[str] = []
        with images.creating(enhanced, ENHANCED_FRAMES, job.stamp(ENHANCED_FRAMES), credit, sides) as target:
            for index in range(count):
                block, own = slice(index, index + 1), (slice(0, int(rows[index])), slice(0, int(cols[index])))
                values = source.read("brightness", block)[0][own]
                padded = _unknown(height, width)
                scale = _scale(values)
                if scale is None:
                    blank.append(str(names[index]))
                else:
                    try:
                        found = enhance_array(values, enhancer, enhancement, scale)
                    except ResultError as error:
                        raise ArtefactError(f"{model}: {error}; use another model, or train it again") from error
                    padded.enhanced[own], padded.error[own] = found.enhanced, found.error
                    padded.support[own] = found.support
                    job.log.info("%s: %s", names[index], _told(found))
                stacks = {name: getattr(padded, name)[None] for name in ("enhanced", "error", "support")}
                target.append({**stacks, "frame": names[block], "rows": rows[block], "cols": cols[block]})
                job.progress(index + 1, count, "frames")
            if blank:
                job.log.warning("without signal, so unknown as a whole: %s", ", ".join(blank))
                target.notes = f"{credit.notes} Frames without signal, unknown as a whole: {', '.join(blank)}.".strip()


def _scale(values: NDArray[np.float32]) -> Scale | None:
    """Return a frame's standard scale, or None if it has no signal: nothing else keeps a scale from being fitted."""
    try:
        return fit_scale_of(values)
    except LearningError:
        return None


def _unknown(height: int, width: int) -> Enhanced:
    shape = height, width
    return Enhanced(
        np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32), np.full(shape, UNKNOWN, np.uint8)
    )


def _told(found: Enhanced) -> str:
    known = found.support != UNKNOWN
    share, error = float((found.support[known] == SUPPORTED).mean()), found.error[np.isfinite(found.error)]
    median = float(np.median(error)) if error.size else float("nan")
    return f"{100.0 * share:.1f} % of {int(known.sum())} known pixels supported, median error {median:.3g}"
