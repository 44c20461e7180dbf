"""ShadowCam's composites and timed frames with what is predicted of them: reading the artefacts, one frame at a time.

Frames and their light must be of one set: same frames, order and grids. At most two frames are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lunarsite.artefact import images, raster
from lunarsite.artefact.contracts import FRAME_LIGHT, PSR, SHADOWCAM, SHADOWCAM_FRAMES, SUN_ANY
from lunarsite.artefact.images import Credit, ImagesReader
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import Grid, Pole
from lunarsite.settings import ShadowCamReferenceSettings
from lunarsite.stage import Job
from lunarsite.validate.shadowcam_composite import (
    UNKNOWN,
    Comparison,
    Composite,
    Map,
    compare_composite,
    under,
)
from lunarsite.validate.shadowcam_frame import Frame, FrameComparison, compare_frame
from lunarsite.validate.shadowcam_record import judge_shadowcam
from lunarsite.validate.shadowcam_samples import (
    Sample,
    chosen_frames,
    composite_sample,
    frame_sample,
)

Single = NDArray[np.float32]

COMPOSITES = Credit(
    title="ShadowCam composites",
    licence="CC BY 4.0, or as the publisher of a user's own says",
    citation="Fassett et al. (2024), Zenodo, doi:10.5281/zenodo.11175455; ShadowCam: Robinson et al. (2023), J. Astron."
    " Space Sci. 40, 149, NASA/KARI/ASU",
)
_STACKS = ("sun_fraction", "sunlit", "scattered", "unshadowed", "elevation")
_PLACES = ("frame", "rows", "cols", "x_min_m", "y_max_m", "pixel_m")


class FrameSet:
    """Frames beside their predicted light.

    Args:
        frames: Open file of SHADOWCAM_FRAMES.
        light: Open file of FRAME_LIGHT.
        pole: The pole of the run's map.

    Raises:
        ArtefactError: The two files are not of the same frames.
    """

    def __init__(self, frames: ImagesReader, light: ImagesReader, pole: Pole) -> None:
        self._frames, self._light = frames, light
        known: dict[str, NDArray[Any]] = {name: frames.read(name) for name in _PLACES}
        for name in _PLACES:
            if not np.array_equal(known[name], light.read(name)):
                raise ArtefactError(
                    f"{light.path}: its '{name}' is not that of {frames.path}; rerun light-frames on these frames"
                )
        self.names: list[str] = [str(name) for name in known["frame"]]
        self._dem_pixel_m = light.read("dem_pixel_m")
        self._sun_lon_deg = frames.read("subsolar_lon_deg")
        self.grids = [
            Grid(x_min_m, y_max_m, pixel_m, int(rows), int(cols), pole)
            for rows, cols, x_min_m, y_max_m, pixel_m in zip(
                *(known[name] for name in ("rows", "cols", "x_min_m", "y_max_m", "pixel_m")), strict=True
            )
        ]

    @property
    def credit(self) -> Credit:
        """Whose frames they are."""
        return self._frames.credit

    def __len__(self) -> int:
        return len(self.names)

    def frame(self, number: int) -> Frame:
        """Return a frame with its light."""
        found = {name: self._read(self._light, name, number) for name in _STACKS}
        brightness = self._read(self._frames, "brightness", number)
        return Frame(
            name=self.names[number],
            grid=self.grids[number],
            brightness=brightness,
            dem_pixel_m=float(self._dem_pixel_m[number]),
            **found,
        )

    def rivals(self, number: int) -> Iterator[tuple[str, Single]]:
        """Yield names of other frames nearby, and the sunlight of their moments on this frame's grid.

        Moments at which the Sun stood elsewhere come first: an hour later shadows are the same.
        """
        own = self.grids[number]
        apart_deg = np.abs((self._sun_lon_deg - self._sun_lon_deg[number] + 180.0) % 360.0 - 180.0)
        for other in np.argsort(-apart_deg, kind="stable").tolist():
            if other != number and _meet(own, self.grids[other]):
                fraction = self._read(self._light, "sun_fraction", other)
                yield self.names[other], under(fraction, self.grids[other], own, np.nan).astype(np.float32)

    def _read(self, source: ImagesReader, name: str, number: int) -> Single:
        rows, cols = self.grids[number].shape
        return np.asarray(source.read(name, slice(number, number + 1))[0, :rows, :cols], dtype=np.float32)


def judge(
    job: Job,
    reference: ShadowCamReferenceSettings,
    composites: Sequence[Path],
    maps: tuple[Path, Path, Path | None],
    timed: tuple[Path, Path] | None,
) -> tuple[Record, list[Sample], Credit]:
    """Return the record, pictures, and whose images they are of.

    Args:
        job: Told how far it is.
        reference: Blocks, shifts, draws.
        composites: Files of SHADOWCAM.
        maps: Permanent shadow and sunlight of the run, and published shadow or None.
        timed: Frames and their light, or None.

    Raises:
        ArtefactError: A file is missing or breaks its contract, or frames and light do not belong together.
    """
    compared: list[Comparison] = []
    frames: list[FrameComparison] = []
    shown: list[Sample] = []
    owners = [] if not composites else [COMPOSITES]
    for path in composites:
        composite, given = read_composite(path, *maps)
        compared += [compare_composite(composite, one, reference) for one in given]
        if np.isfinite(composite.brightness).any():
            shown.append(composite_sample(composite, given[0]))
    if timed is not None:
        with ExitStack() as stack, raster.opened(maps[0], PSR) as shadow:
            found = opened_frames(stack, *timed, shadow.grid.pole)
            owners.append(found.credit)
            for number in range(len(found)):
                frames.append(compare_frame(found.frame(number), found.rivals(number), reference))
                job.progress(number + 1, len(found), "frames")
            shown += [frame_sample(found.frame(number), frames[number]) for number in chosen_frames(frames)]
    return judge_shadowcam(compared, frames, reference, synthetic=job.synthetic), shown, _together(owners)


def _together(owners: Sequence[Credit]) -> Credit:
    """Return whose images pictures from several sources are."""
    return Credit(
        title="ShadowCam images beside what is predicted of them",
        licence="; ".join(f"{credit.title}: {credit.licence}" for credit in owners),
        citation="; ".join(dict.fromkeys(credit.citation for credit in owners)),
    )


def opened_frames(stack: ExitStack, frames: Path, light: Path, pole: Pole) -> FrameSet:
    """Open frames and their light until the stack closes.

    Raises:
        ArtefactError: One is missing, breaks its contract, or they are not of the same frames.
    """
    return FrameSet(
        stack.enter_context(images.opened(frames, SHADOWCAM_FRAMES)),
        stack.enter_context(images.opened(light, FRAME_LIGHT)),
        pole,
    )


def read_composite(
    path: Path, psr: Path, sun_any: Path, published_psr: Path | None
) -> tuple[Composite, tuple[Map, ...]]:
    """Return a composite and the maps under it: the run's own, and published ones where there are any.

    What the composite's source says of sunlight stands for a published map, unless one is given.

    Raises:
        ArtefactError: A file is missing or breaks its contract, or the maps show another pole.
    """
    with raster.opened(path, SHADOWCAM) as source:
        name, grid = path.stem.removeprefix("shadowcam_"), source.grid
        composite = Composite(name, grid, source.read("brightness"), source.read("saturated_share"))
        visible = source.read("published_sun_any")
    with raster.opened(psr, PSR) as shadow, raster.opened(sun_any, SUN_ANY, shadow.grid) as light:
        own, whole, sun = shadow.grid, shadow.read(), light.read()
    if own.pole != grid.pole:
        raise ArtefactError(f"{path}: shows the {grid.pole} pole, {psr} the {own.pole} pole; leave it out of the run")
    maps = [Map("computed", _classes(whole, own, grid), _floats(sun, own, grid), own.pixel_m, (whole, own))]
    seen = np.isfinite(visible)
    if published_psr is not None:
        with raster.opened(published_psr, PSR, own) as shadow:
            theirs = shadow.read()
        sunlight = visible if seen.any() else None
        maps.append(Map("published", _classes(theirs, own, grid), sunlight, own.pixel_m, (theirs, own)))
    elif seen.any():
        dark = np.where(seen, visible == 0.0, UNKNOWN).astype(np.uint8)
        maps.append(Map("published", dark, visible, grid.pixel_m))
    return composite, tuple(maps)


def _classes(values: NDArray[np.uint8], grid: Grid, onto: Grid) -> NDArray[np.uint8]:
    return under(values, grid, onto, UNKNOWN).astype(np.uint8)


def _floats(values: Single, grid: Grid, onto: Grid) -> Single:
    return under(values, grid, onto, np.nan).astype(np.float32)


def _meet(first: Grid, second: Grid) -> bool:
    """Whether two grids share ground of the map."""
    left, bottom, right, top = first.bounds_m
    left2, bottom2, right2, top2 = second.bounds_m
    return min(right, right2) > max(left, left2) and min(top, top2) > max(bottom, bottom2)
