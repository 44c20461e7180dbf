"""From the files of a run to what is judged: sites, known cells, what chance may draw from, and the regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from lunarsite.artefact import table
from lunarsite.artefact.contracts import CELLS, REGION_SITES, SITES
from lunarsite.settings import GridSettings, RuleSettings, RulesSettings
from lunarsite.site.place.regions import Region, inside, union
from lunarsite.site.rules import limit_margins, rule_inputs
from lunarsite.validate.population import cells_of, check_cells, read_labels
from lunarsite.validate.site_points import Chosen, Ground, Points, Pool
from lunarsite.validate.site_truth import Terrain

_SITE_COLUMNS = ("rank", "x_m", "y_m", "region")


@dataclass(frozen=True)
class Evidence:
    """What a run says of its sites and cells.

    Args:
        sites: Best places of the sites, best first.
        regional: Best places of the sites of the regions' own catalogues.
        regional_code: The region of each of those.
        terrain: The cells.
        regions: Candidate regions.
        target: Name of the scorer's rule.
        rule: Its limits.
    """

    sites: Points
    regional: Points
    regional_code: NDArray[np.str_]
    terrain: Terrain
    regions: tuple[Region, ...]
    target: str
    rule: RuleSettings

    @property
    def moutons(self) -> MultiPolygon:
        """Ground of the two regions of Mons Mouton."""
        return union(region for region in self.regions if region.is_mouton)

    def best(self, count: int) -> Points | None:
        """Return the best sites; None if there are fewer."""
        return self.sites.take(np.arange(count)) if len(self.sites) >= count else None

    def chosen(self, sizes: Sequence[int], ground: Ground) -> list[Chosen]:
        """Return the choices that are compared: the best sites at each size, and those of the regions' catalogues."""
        terrain = self.terrain
        passing = next(iter(terrain.passing.values())) & ground.counts(terrain.centres)
        everywhere = Pool(
            terrain.centres.take(passing), np.full(int(passing.sum()), ""), f"cells that pass the {self.target} rule"
        )
        found = []
        for size in sorted(set(sizes)):
            places, key, name = self.best(size), f"top_{size}", f"{size} best sites"
            if places is None:
                why = f"the run has {len(self.sites)} sites, {size} are needed"
                found.append(Chosen(key, name, None, why=why))
            else:
                found.append(Chosen(key, name, places, np.full(size, ""), everywhere))
        some = len(self.regional) > 0
        found.append(
            Chosen(
                "regional",
                "best sites of each region",
                self.regional if some else None,
                self.regional_code if some else None,
                self._by_region(ground),
                "" if some else "no region holds a site",
            )
        )
        return found

    def _by_region(self, ground: Ground) -> Pool:
        centres = self.terrain.centres
        counts = ground.counts(centres)
        held = [np.flatnonzero(counts & inside(r.outline, centres.x_m, centres.y_m)) for r in self.regions]
        codes = [np.full(cells.size, region.code) for region, cells in zip(self.regions, held, strict=True)]
        chosen = np.concatenate([*held, np.zeros(0, dtype=np.int64)])
        return Pool(centres.take(chosen), np.concatenate([*codes, np.zeros(0, dtype="<U1")]), "known cells")


def read_evidence(
    files: tuple[Path, Path, Path, Path],
    grid: GridSettings,
    rules: RulesSettings,
    target: str,
    regions: tuple[Region, ...],
) -> Evidence:
    """Read what is judged.

    Args:
        files: Sites, sites of the regions, cells and labels.
        grid: The run's grid.
        rules: Its rules.
        target: Name of the scorer's rule.
        regions: Candidate regions on the run's map.

    Raises:
        ArtefactError: The tables and the run's grid do not list the same cells.
    """
    sites_path, regional_path, cells_path, labels_path = files
    cells = cells_of(grid)
    rule = rules.named()[target]
    inputs = list(rule_inputs(target, rule))
    frame, _ = table.read(cells_path, CELLS, ["cell_id", *inputs])
    check_cells(cells_path, frame["cell_id"].to_numpy(), cells)
    names = [target, *(name for name in ("cassa", "hls") if name != target)]
    labels = {name: read_labels(labels_path, name, cells) for name in names}
    margins = limit_margins({name: frame[name].to_numpy() for name in inputs}, rule, target)
    centres = Points(*cells.centres_m())
    terrain = Terrain(
        ground=Ground(cells, np.asarray(np.isfinite(margins).all(axis=0))),
        centres=centres,
        area_m2=cells.true_area_m2(),
        passing={name: found["label"].to_numpy() == "suitable" for name, found in labels.items()},
        margins=margins,
        probability=labels[target]["probability"].to_numpy(dtype=np.float64),
    )
    sites, _ = table.read(sites_path, SITES, _SITE_COLUMNS)
    regional, _ = table.read(regional_path, REGION_SITES, _SITE_COLUMNS)
    return Evidence(
        sites=_points(sites.sort_values("rank", kind="stable")),
        regional=_points(regional),
        regional_code=regional["region"].to_numpy(dtype=np.str_),
        terrain=terrain,
        regions=regions,
        target=target,
        rule=rule,
    )


def _points(frame: pd.DataFrame) -> Points:
    return Points(frame["x_m"].to_numpy(dtype=np.float64), frame["y_m"].to_numpy(dtype=np.float64))
