"""Stages of the light of a moment: rendered scenes to learn from, and what a timed frame should show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lunarsite.artefact.contracts import DEM, FAR_DEM, FINE_DEM, FRAME_LIGHT, LIT_SCENES, SHADOWCAM_FRAMES
from lunarsite.settings import LitScenesSettings
from lunarsite.stage import Input, Job, Output, stage

if TYPE_CHECKING:
    from lunarsite.artefact.images import Credit
    from lunarsite.illumination.light.nested import Model
    from lunarsite.illumination.light.scenes import Ground, Scene


@stage
def scenes(
    job: Job,
    lit: LitScenesSettings,
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    fine_dems: Annotated[tuple[Path, ...] | None, Input(FINE_DEM)],
    scenes: Annotated[Path, Output(LIT_SCENES)],
) -> None:
    """Render patches of the elevation models in sunlight and in the light scattered into shadow."""
    from lunarsite.artefact import images
    from lunarsite.artefact.contracts.enhance import SPLITS
    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.illumination.light.scenes import scenes as drawn

    job.seed = lit.seed
    ground = _ground(dem, far_dem, fine_dems or ())
    total = lit.tiles_per_model * len(ground.drawn) + lit.training_tiles
    credit = _credit("Ground of elevation models, rendered in sunlight and in scattered light", dem, lit)
    counts = [0, 0, 0]
    with images.creating(scenes, LIT_SCENES, job.stamp(LIT_SCENES), credit, {"tile": lit.tile_px}) as writer:
        for done, found in drawn(ground, lit):
            writer.append(_arrays(found))
            counts[found[0].place.split] += len(found)
            job.progress(done, total, "place")
        if writer.count == 0:
            raise ArtefactError(
                f"{dem}: no scene was found on it or its finer models; make enhance.scenes.tile_px smaller,"
                " least_shadow_share lower, or give a far field"
            )
        told = ", ".join(f"{count} for {name}" for (_, name), count in zip(SPLITS, counts, strict=True))
        writer.notes = f"{writer.count} scenes: {told}"
    job.log.info("%d scenes: %s", sum(counts), told)
    for (_, name), count in zip(SPLITS, counts, strict=True):
        if count == 0:
            job.log.warning("no scene for %s: no tile lies in its sector as a whole", name)


@stage
def frames(
    job: Job,
    lit: LitScenesSettings,
    frames: Annotated[Path, Input(SHADOWCAM_FRAMES)],
    dem: Annotated[Path, Input(DEM)],
    far_dem: Annotated[Path | None, Input(FAR_DEM)],
    fine_dems: Annotated[tuple[Path, ...] | None, Input(FINE_DEM)],
    light: Annotated[Path, Output(FRAME_LIGHT)],
) -> None:
    """Predict sunlight and scattered light on every timed frame's ground at its moment."""
    import numpy as np

    from lunarsite.artefact import images
    from lunarsite.grid import Grid
    from lunarsite.illumination.light.frames import frame_light
    from lunarsite.illumination.light.moment import Sun

    ground = _ground(dem, far_dem, fine_dems or ())
    pole = ground.models[ground.own].grid.pole
    credit = _credit("Sunlight and scattered light on ShadowCam frames, predicted from elevation", dem, lit)
    with images.opened(frames, SHADOWCAM_FRAMES) as source:
        known: dict[str, Any] = {array.name: source.read(array.name) for array in SHADOWCAM_FRAMES.per_image}
        height, width = source.sides("brightness")
        sides = {"height": height, "width": width}
        with images.creating(light, FRAME_LIGHT, job.stamp(FRAME_LIGHT), credit, sides) as writer:
            for k in range(len(source)):
                one = {name: values[k] for name, values in known.items()}
                rows, cols = int(one["rows"]), int(one["cols"])
                frame = Grid(one["x_min_m"], one["y_max_m"], one["pixel_m"], rows, cols, pole)
                valid = np.isfinite(source.read("brightness", slice(k, k + 1))[0, :rows, :cols])
                sun = Sun(float(one["subsolar_lon_deg"]), float(one["subsolar_lat_deg"]))
                found = frame_light(ground.models, frame, valid, sun, directions=lit.directions, reach_m=lit.reach_m)
                arrays: dict[str, Any] = {
                    name: np.full((1, height, width), np.nan, np.float32)
                    for name in ("sun_fraction", "sunlit", "scattered", "unshadowed", "elevation")
                }
                for name, values in arrays.items():
                    values[0, :rows, :cols] = getattr(found, name)
                copied = ("frame", "rows", "cols", "x_min_m", "y_max_m", "pixel_m")
                arrays |= {name: known[name][k : k + 1] for name in copied}
                writer.append({**arrays, "dem_pixel_m": np.array([found.dem_pixel_m])})
                job.progress(k + 1, len(source), "frame")


_RENDERING = "single bounce after the geometry of lunarsite; lunar-Lambert: McEwen (1991), Icarus 92, 298"
_GROUND = {
    "synthetic": "elevation of lunarsite's synthetic Moon",
    "local": "elevation models of a user's files, whose terms hold (enhance.scenes.elevation_credit names none)",
    "published": "published elevation models, cited in the run's record of its sources (source.json), whose terms hold",
}
"""Whose ground it is where the settings do not say, by the elevation model's origin."""


def _credit(title: str, dem: Path, lit: LitScenesSettings) -> Credit:
    """Return the credit of what is rendered: it names whose elevation models are shown."""
    from lunarsite.artefact import raster
    from lunarsite.artefact.images import Credit

    with raster.opened(dem, DEM) as source:
        origin = source.stamp.origin
    ground = lit.elevation_credit or _GROUND[origin]
    return Credit(
        title=title, licence=f"That of the elevation: {ground}", citation=f"Elevation: {ground}; {_RENDERING}"
    )


def _ground(dem: Path, far_dem: Path | None, fine_dems: tuple[Path, ...]) -> Ground:
    from lunarsite.illumination.light.scenes import of_models

    far = None if far_dem is None else _model(far_dem, FAR_DEM)
    names = ("dem", *(f"fine{part}" for part in range(len(fine_dems))))
    return of_models(far, _model(dem, DEM), [_model(path, FINE_DEM) for path in fine_dems], names)


def _model(path: Path, spec: Any) -> Model:
    from lunarsite.artefact import raster
    from lunarsite.illumination.light.nested import Model

    with raster.opened(path, spec) as source:
        return Model(source.read(), source.grid)


def _arrays(found: list[Scene]) -> dict[str, Any]:
    """Return scenes as the contract's arrays."""
    import numpy as np

    tiles = [scene.place.tile for scene in found]
    return {
        "scattered": np.stack([scene.scattered for scene in found]),
        "sunlit": np.stack([scene.sunlit for scene in found]),
        "sun_fraction": np.stack([scene.sun_fraction for scene in found]),
        "height": np.stack([scene.height_m for scene in found]),
        "name": np.array([scene.name for scene in found], dtype=object),
        "ground": np.array([scene.place.ground for scene in found], dtype=object),
        "split": np.array([scene.place.split for scene in found], dtype=np.uint8),
        "x_min_m": np.array([tile.x_min_m for tile in tiles]),
        "y_max_m": np.array([tile.y_max_m for tile in tiles]),
        "pixel_m": np.array([tile.pixel_m for tile in tiles]),
        "shadow_lon_deg": np.array([scene.shadow_sun.lon_deg for scene in found]),
        "shadow_lat_deg": np.array([scene.shadow_sun.lat_deg for scene in found]),
        "sunlit_lon_deg": np.array([scene.sunlit_sun.lon_deg for scene in found]),
        "sunlit_lat_deg": np.array([scene.sunlit_sun.lat_deg for scene in found]),
        "light_azimuth_deg": np.array([scene.light_azimuth_deg for scene in found]),
    }
