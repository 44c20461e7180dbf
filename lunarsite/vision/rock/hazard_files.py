"""The stage that derives hazards from maps, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import images, table
from lunarsite.artefact.contracts import ROCK_DISTRIBUTION, ROCK_HAZARD, ROCK_MAPS, ROCK_SIZES
from lunarsite.settings import RockHazardSettings
from lunarsite.stage import Job
from lunarsite.vision.rock.camera import Camera
from lunarsite.vision.rock.distribution import Census, counting_m, distributions
from lunarsite.vision.rock.hazard import Hazards, hazards
from lunarsite.vision.rock.sizes import seen_ground

_COPIED = (
    *("name", "valid_height", "valid_width"),
    *("camera_height_m", "camera_pitch_deg", "camera_field_of_view_deg"),
)


def hazard_stage(
    job: Job, settings: RockHazardSettings, maps: Path, hazard_maps: Path, sizes: Path, distribution: Path
) -> None:
    """Write hazards and the rocks' sizes, an image at a time, and from these how many there are of which size."""
    tables = []
    counted: list[tuple[str, Census]] = []
    with images.opened(maps, ROCK_MAPS) as source:
        known = {array.name: source.read(array.name) for array in ROCK_MAPS.per_image}
        familiar = known["out_of_distribution"] == ROCK_MAPS.class_number("out_of_distribution", "no")
        height, width = source.sides("classes")
        stamp, sides = job.stamp(ROCK_HAZARD), {"height": height, "width": width}
        with images.creating(hazard_maps, ROCK_HAZARD, stamp, source.credit, sides) as writer:
            for k in range(len(source)):
                rows, cols = int(known["valid_height"][k]), int(known["valid_width"][k])
                one = slice(k, k + 1)
                height_m, pitch_deg, field_of_view_deg = (float(known[name][k]) for name in _COPIED[3:])
                camera = Camera.known(height_m, pitch_deg, field_of_view_deg, rows, cols)
                found = hazards(
                    source.read("classes", one)[0, :rows, :cols],
                    source.read("probability", one)[0, :rows, :cols],
                    camera,
                    settings,
                    not familiar[k],
                )
                if familiar[k]:
                    counted.append((str(known["name"][k]), census_of(found, camera)))
                copied = {name: known[name][one] for name in _COPIED}
                writer.append({**_arrays(found, height, width), **copied})
                tables.append(sizes_of(str(known["name"][k]), found))
                job.progress(k + 1, len(source), "image")
    unfamiliar = len(tables) - len(counted)
    if unfamiliar:
        job.log.warning(
            "%d of %d images are out of distribution or show no ground: no hazards of them", unfamiliar, len(tables)
        )
    rocks = pd.concat(tables, ignore_index=True).astype({"image": object, "kind": object})
    rocks.insert(0, "id", np.arange(len(rocks), dtype=np.int64))
    table.write(sizes, ROCK_SIZES, rocks, job.stamp(ROCK_SIZES))
    table.write(distribution, ROCK_DISTRIBUTION, distribution_of(counted), job.stamp(ROCK_DISTRIBUTION))
    job.log.info("%d rocks in %d images", len(rocks), len(tables))


def sizes_of(image: str, found: Hazards) -> pd.DataFrame:
    """Return the rocks of an image under the contract ROCK_SIZES, without their numbers."""
    rocks = found.rocks

    def metres(values: list[float | None]) -> NDArray[np.float64]:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    return pd.DataFrame(
        {
            "image": np.array([image] * len(rocks), dtype=object),
            "kind": np.array([rock.kind for rock in rocks], dtype=object),
            "row": np.array([rock.row for rock in rocks], dtype=np.float64),
            "col": np.array([rock.col for rock in rocks], dtype=np.float64),
            "area_px": np.array([rock.area_px for rock in rocks], dtype=np.int64),
            "diameter_px": np.array([rock.diameter_px for rock in rocks], dtype=np.float64),
            "range_m": metres([rock.range_m for rock in rocks]),
            "diameter_m": metres([rock.diameter_m for rock in rocks]),
            "probability": np.array([rock.probability for rock in rocks], dtype=np.float64),
        }
    )


def census_of(found: Hazards, camera: Camera | None) -> Census:
    """Return what an image adds to the distributions."""
    seen = None if camera is None or found.seen_px is None else seen_ground(found.seen_px, camera)
    return Census([rock.diameter_px for rock in found.rocks], found.ground_px, counting_m(found.rocks), seen)


def distribution_of(counted: Sequence[tuple[str, Census]]) -> pd.DataFrame:
    """Return the distributions under the contract ROCK_DISTRIBUTION."""
    rows = list(distributions(counted))
    dtypes = {column.name: object if column.dtype == "string" else column.dtype for column in ROCK_DISTRIBUTION.columns}
    frame = pd.DataFrame(rows, columns=[name for name in dtypes if name != "id"])
    frame.insert(0, "id", np.arange(len(rows), dtype=np.int64))
    return frame.astype(dtypes)


def _arrays(found: Hazards, height: int, width: int) -> dict[str, NDArray[Any]]:
    rows, cols = found.safe.shape
    clearance = np.full((1, height, width), np.nan, dtype=np.float32)
    safe = np.full((1, height, width), ROCK_HAZARD.class_number("safe", "unknown"), dtype=np.uint8)
    clearance[0, :rows, :cols], safe[0, :rows, :cols] = found.clearance, found.safe
    return {
        "clearance": clearance,
        "safe": safe,
        "rock_area_share": np.array([found.rock_area_share]),
        "rock_area_share_low": np.array([found.rock_area_share_low]),
        "rock_area_share_high": np.array([found.rock_area_share_high]),
        "rocks": np.array([len(found.rocks)], dtype=np.int64),
    }
