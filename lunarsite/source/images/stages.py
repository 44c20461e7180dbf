"""Stages of image sets: what networks learn from, and what ShadowCam saw, as artefacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lunarsite.artefact import contracts
from lunarsite.settings import (
    CompositeBands,
    GridSettings,
    PsrImagesSettings,
    RockImagesSettings,
    ShadowCamFramesSettings,
    ShadowCamSettings,
)
from lunarsite.stage import Input, Job, Output, StageError, stage

if TYPE_CHECKING:
    from lunarsite.artefact.images import Credit
    from lunarsite.grid import Grid
    from lunarsite.source.images.members import ImageSet

_BLOCK = 16


@stage
def rocks(
    job: Job,
    rock_images: RockImagesSettings,
    rock_files: Annotated[Path | None, Input(contracts.DOWNLOAD)],
    scenes: Annotated[Path, Output(contracts.ROCK_SCENES)],
) -> None:
    """Read renders and photographs with masks of rocks and sky."""
    from lunarsite.artefact import images as image_files
    from lunarsite.source.images import rocks as reader
    from lunarsite.source.images.members import digest_of

    images = _image_set(job, rock_files, rock_images.folder, "source.rock_images.folder", reader.CREDIT)
    pairs, foreign = reader.pairs_of(images, rock_images.masks)
    sizes = reader.sizes_of(pairs, rock_images.longest_side_px, images.field)
    if rock_files is None:
        read_files = {path for pair in pairs for path in (pair.image, pair.mask)}
        job.inputs["folder"] = digest_of({name: path for name, path in images.files.items() if path in read_files})
    sides = {"height": max(height for height, _ in sizes), "width": max(width for _, width in sizes)}
    job.log.info("%d pairs, put on %d x %d pixels", len(pairs), sides["height"], sides["width"])
    read = reader.RockReader(images.field, rock_images.longest_side_px, rock_images.most_unknown_share)
    spec = contracts.ROCK_SCENES
    with image_files.creating(scenes, spec, job.stamp(spec), images.credit, sides) as writer:
        block = []
        for scene in read.scenes(pairs):
            block.append(scene)
            if len(block) == _BLOCK:
                writer.append(reader.padded(block, **sides))
                block.clear()
                job.progress(writer.count, len(pairs), "pairs")
        if block:
            writer.append(reader.padded(block, **sides))
        told = f"Left out: {', '.join((*foreign, *read.foreign))}" if foreign or read.foreign else ""
        writer.notes = told
    if told:
        job.log.warning("%s: their masks belong to other pictures", told)
    if read.doubt:
        job.log.warning("%s", read.doubt)
    job.log.info("sky stands above in %d of %d masks that have one", read.skies_above, read.skies)


@stage
def landforms(
    job: Job,
    landform_files: Annotated[Path, Input(contracts.DOWNLOAD)],
    landforms: Annotated[Path, Output(contracts.LANDFORM_IMAGES)],
) -> None:
    """Read labelled pictures of landforms with their scenes and variants."""
    from lunarsite.artefact import images as image_files
    from lunarsite.source.images import landforms as reader
    from lunarsite.source.images.members import fetched

    images, spec = fetched(landform_files), contracts.LANDFORM_IMAGES
    found = reader.landforms_of(images)
    for number, name in contracts.LANDFORM_CLASSES:
        scenes = {landform.scene for landform in found if landform.label == number}
        count = sum(landform.label == number for landform in found)
        job.log.info("%d %s: %d pictures of %d scenes", number, name, count, len(scenes))
    with image_files.creating(landforms, spec, job.stamp(spec), images.credit) as writer:
        for block in reader.blocks(found, images.field):
            writer.append(block)
            job.progress(writer.count, len(found), "pictures")


@stage
def shadowcam(
    job: Job,
    grid: GridSettings,
    composite: ShadowCamSettings,
    shadowcam_files: Annotated[Path, Input(contracts.DOWNLOAD)],
    shadowcam: Annotated[Path, Output(contracts.SHADOWCAM)],
    part: str,
) -> None:
    """Average one ShadowCam composite onto a polar grid of its own."""
    import numpy as np
    import rasterio

    from lunarsite.artefact import raster as rasters
    from lunarsite.source.images import shadowcam as reader
    from lunarsite.source.images.members import fetched
    from lunarsite.source.local import opened

    images, spec = fetched(shadowcam_files), contracts.SHADOWCAM
    path = reader.part_of(images, part)
    own = reader.snapped_grid(path, _run_cells(grid), composite.pixel_m, images.field)
    with (
        rasterio.Env(GDAL_CACHEMAX=reader.CACHE_BYTES),
        opened(path, own, images.field, reader.BRIGHTNESS) as source,
        rasters.creating(shadowcam, spec, own, job.stamp(spec)) as writer,
    ):
        job.log.info("%d x %d pixels of %g m; %s", own.rows, own.cols, own.pixel_m, source.reading)
        for window, values in source.blocks():
            writer.write(values, window=window)
            for band in spec.bands[1:]:
                writer.write(np.full_like(values, np.nan), band.name, window)
            job.progress(window[0].stop, own.rows, "rows")


@stage
def composite(
    job: Job,
    grid: GridSettings,
    composite: ShadowCamSettings,
    bands: CompositeBands,
    composite_file: Annotated[Path, Input()],
    shadowcam: Annotated[Path, Output(contracts.SHADOWCAM)],
) -> None:
    """Read a user's ShadowCam composite onto a polar grid of its own, with what it tells of saturation and sunlight."""
    import numpy as np
    import rasterio

    from lunarsite.artefact import raster as rasters
    from lunarsite.source.images import shadowcam as reader
    from lunarsite.source.local import opened

    job.origin = "local"
    field, spec = "source.local.shadowcam", contracts.SHADOWCAM
    # A file of one band needs no number, and one of several may not be read by chance.
    first = bands.brightness
    own = reader.snapped_grid(composite_file, _run_cells(grid), composite.pixel_m, field, first)
    read = {
        "brightness": (reader.BRIGHTNESS, first, 1.0),
        "saturated_share": (reader.SATURATED, bands.saturated, 1.0),
        "published_sun_any": (reader.VISIBILITY, bands.visibility_pct, 0.01),
    }
    with (
        rasterio.Env(GDAL_CACHEMAX=reader.CACHE_BYTES),
        rasters.creating(shadowcam, spec, own, job.stamp(spec)) as writer,
    ):
        for name, (quantity, band, factor) in read.items():
            if name != "brightness" and band is None:
                writer.write(np.full(own.shape, np.nan, dtype=np.float32), name)
                continue
            with opened(composite_file, own, field, quantity, band) as source:
                job.log.info("%s on %d x %d pixels of %g m; %s", name, own.rows, own.cols, own.pixel_m, source.reading)
                for window, values in source.blocks():
                    writer.write(values * np.float32(factor), name, window)


@stage
def shadowcam_frames(
    job: Job,
    grid: GridSettings,
    shadowcam_frames: ShadowCamFramesSettings,
    frame_files: Annotated[Path | None, Input(contracts.DOWNLOAD)],
    frames: Annotated[Path, Output(contracts.SHADOWCAM_FRAMES)],
) -> None:
    """Read mapped ShadowCam frames with their times and the points below the Sun."""
    import rasterio

    from lunarsite.artefact import images as image_files
    from lunarsite.artefact.images import Credit
    from lunarsite.source.images import shadowcam as reader
    from lunarsite.source.images.members import digest_of, listed

    credit = Credit(
        title="Map-projected ShadowCam frames",
        licence="Not stated; not to be passed on",
        citation="Robinson et al. (2023), ShadowCam, J. Astron. Space Sci. 40, 149; NASA/KARI/ASU",
    )
    images = _image_set(job, frame_files, shadowcam_frames.folder, "source.shadowcam_frames.folder", credit)
    found = reader.frames_of(images)
    left_out = reader.untold(images, found)
    if left_out:
        job.log.warning(
            "%s: %d images are left out, the table does not tell when they were taken: %s",
            images.field,
            len(left_out),
            listed(left_out),
        )
    if frame_files is None:
        job.inputs["folder"] = digest_of({name: path for name, path in images.files.items() if name not in left_out})
    grids = reader.frame_grids(found, _run_cells(grid), shadowcam_frames.pixel_m, images.field)
    sides = {"height": max(own.rows for own in grids), "width": max(own.cols for own in grids)}
    spec = contracts.SHADOWCAM_FRAMES
    with (
        rasterio.Env(GDAL_CACHEMAX=reader.CACHE_BYTES),
        image_files.creating(frames, spec, job.stamp(spec), images.credit, sides) as writer,
    ):
        for arrays in reader.frame_arrays(found, grids, images.field):
            writer.append(arrays)
            job.progress(writer.count, len(found), "frames")


@stage
def psr(
    job: Job,
    psr_images: PsrImagesSettings,
    images: Annotated[Path, Output(contracts.PSR_IMAGES)],
) -> None:
    """Cut a user's images of sunlit ground, and of shadowed ground if there are any, into tiles, radiometry kept."""
    from lunarsite.artefact import images as image_files
    from lunarsite.artefact.images import Credit
    from lunarsite.source.images import shadowed as reader
    from lunarsite.source.images.members import below, digest_of
    from lunarsite.source.kinds import LocalError

    job.origin = "local"
    credit = Credit(
        title="Images of sunlit and of permanently shadowed ground",
        licence="As the images' publishers say",
        citation="LROC NAC: Robinson et al. (2010), Space Sci. Rev. 150, 81; OHRC: Chowdhury et al. (2020), Curr. Sci."
        " 118, 560; as the user's images are",
    )
    spec, size = contracts.PSR_IMAGES, psr_images.tile_px
    found: dict[str, dict[str, Path]] = {}
    for name, folder in (("sunlit", psr_images.sunlit), ("shadowed", psr_images.shadowed)):
        field = f"source.psr_images.{name}"
        if folder is None and name == "sunlit":
            raise LocalError(f"{field}: names no folder; images of sunlit ground are needed")
        if folder is None:
            found[name] = {}
            continue
        given = below(folder, credit, field)
        found[name] = reader.images_in(given)
        job.inputs[name] = digest_of(reader.files_read(given, found[name]))
    reader.check_apart(found["sunlit"], found["shadowed"], "source.psr_images")
    done, total = 0, sum(map(len, found.values()))
    with image_files.creating(images, spec, job.stamp(spec), credit, {"tile": size}) as writer:
        for domain, paths in found.items():
            before, left_out = writer.count, 0
            for name, path in paths.items():
                number = spec.class_number("domain", domain)
                for cut in reader.tiles_of(name, path, number, size, f"source.psr_images.{domain}"):
                    writer.append(cut.arrays)
                    left_out += cut.left_out
                done += 1
                job.progress(done, total, "images")
            job.log.info("%s: %d tiles of %d images", domain, writer.count - before, len(paths))
            if left_out:
                job.log.warning("%s: %d tiles have data on less than half of them and are left out", domain, left_out)
            if paths and writer.count == before:
                raise LocalError(f"source.psr_images.{domain}: no tile of {len(paths)} images holds data on half of it")


def _image_set(job: Job, receipt: Path | None, folder: Path | None, field: str, credit: Credit) -> ImageSet:
    """Return what was fetched, or the files below the user's folder: one of the two is given."""
    from lunarsite.source.images.members import below, fetched

    if receipt is not None and folder is None:
        return fetched(receipt)
    if folder is None or receipt is not None:
        raise StageError(f"{job.stage}: a download or {field} is given, not both and not neither")
    job.origin = "local"
    return below(folder, credit, field)


def _run_cells(grid: GridSettings) -> Grid:
    """Return the run's map with pixels as large as cells: images may be coarser than the run's own pixels."""
    from lunarsite.grid import Grid

    return Grid.centred(grid.half_width_m, grid.cell_m, grid.cell_m, grid.pole)
