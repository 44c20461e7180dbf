"""Reads everything that the pages show, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from lunarsite.artefact import contracts, download, raster, record, table
from lunarsite.artefact.contracts.source import DOWNLOAD
from lunarsite.artefact.download import Receipt
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Origin, Stamp
from lunarsite.artefact.table import TableSpec
from lunarsite.grid import Grid
from lunarsite.publish.figures import source_line, terrain_line
from lunarsite.publish.pages import criteria
from lunarsite.publish.places import NamedPlaces
from lunarsite.publish.polar_map import Feature, read_named_features
from lunarsite.settings import (
    GridSettings,
    PlacesSettings,
    PublishSettings,
    RankingSettings,
    ReachSettings,
    RuleSettings,
    RulesSettings,
    ScorerSettings,
)
from lunarsite.site.place.regions import Region, read_regions

RASTERS = {
    "dem": contracts.DEM,
    "slope": contracts.SLOPE,
    "sun_any": contracts.SUN_ANY,
    "sun_mean": contracts.SUN_MEAN,
    "earth_any": contracts.EARTH_ANY,
    "psr": contracts.PSR,
}
_TABLES = {
    "cells": contracts.CELLS,
    "labels": contracts.LABELS,
    "scores": contracts.SCORES,
    "criteria": contracts.CRITERIA,
    "sites": contracts.SITES,
    "region_sites": contracts.REGION_SITES,
    "ranks": contracts.SITE_RANKS,
    "routes": contracts.ROUTES,
    "held_out": contracts.HELD_OUT,
}
_BY_CELL = ("cells", "scores", "criteria", "held_out")
_SHAPED = ("sites", "region_sites")
"""Tables whose geometry is shown; that of the others is their cells' places, which stand in columns too."""


@dataclass(frozen=True)
class Chosen:
    """The settings that the pages read."""

    publish: PublishSettings
    places: PlacesSettings
    grid: GridSettings
    rules: RulesSettings
    scorer: ScorerSettings
    ranking: RankingSettings
    reach: ReachSettings

    @property
    def rule(self) -> RuleSettings:
        """The rule that the score and the list of sites are about."""
        return self.rules.named()[self.scorer.target]


@dataclass(frozen=True)
class SiteRun:
    """A run as its pages show it.

    Attributes:
        run: The run's name.
        chosen: The settings.
        paths: Paths of the rasters by the stage's names.
        tables: The tables by the stage's names; those of cells have one row per cell, in the same order.
        months: Light by calendar month, None if the run has none.
        skies: Horizons and skies of the sites by place, None if the run has none.
        records: The records by the stage's names: sites_record, artemis, site, and enhance and
            shadowcam where the run has them.
        features: Named features.
        regions: The candidate regions.
        stamps: Stamps of all stamped inputs by the stage's names.
        digests: SHA-256 of all inputs.
        origin: Where the elevation comes from.
        downloads: Receipts of the published products that the run read.
    """

    run: str
    chosen: Chosen
    paths: Mapping[str, Path]
    tables: Mapping[str, pd.DataFrame]
    months: pd.DataFrame | None
    skies: NamedPlaces | None
    records: Mapping[str, Record]
    features: tuple[Feature, ...]
    regions: tuple[Region, ...]
    stamps: Mapping[str, Stamp]
    digests: Mapping[str, str]
    origin: Origin
    downloads: tuple[Receipt, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether the run shows the synthetic Moon."""
        return self.origin == "synthetic"

    @property
    def sites(self) -> gpd.GeoDataFrame:
        """All sites by rank."""
        return gpd.GeoDataFrame(self.tables["sites"])

    @cached_property
    def paged(self) -> gpd.GeoDataFrame:
        """The best sites, which get a page each."""
        return self.sites.head(self.chosen.places.best_sites)

    @cached_property
    def row_of_cell(self) -> pd.Series[int]:
        """Row of each cell in the tables of cells, by its id."""
        ids = self.tables["cells"]["cell_id"].to_numpy()
        return pd.Series(np.arange(ids.size), index=ids)

    @cached_property
    def labels(self) -> Mapping[str, pd.DataFrame]:
        """Labels by rule, rows as the cells'."""
        found = {str(rule): rows for rule, rows in self.tables["labels"].groupby("rule", sort=False)}
        return {rule: found[rule].reset_index(drop=True) for rule in self.chosen.rules.named()}

    @cached_property
    def medians(self) -> Mapping[str, float]:
        """Medians of the criteria over all cells that know them, by the sites' columns."""
        buffered = self.chosen.rule.slope_buffer_m > 0.0
        slope = "buffered_slope_deg" if buffered else "slope_mean"
        label = self.labels[self.chosen.scorer.target]
        return criteria.medians(self.tables["cells"], self.tables["criteria"], label, slope)

    @cached_property
    def lattice(self) -> Grid:
        """The pixels of the elevation model."""
        with raster.opened(self.paths["dem"], contracts.DEM) as source:
            return source.grid

    @property
    def terrain(self) -> str:
        """Where the terrain comes from, for figures that are no maps."""
        return terrain_line(self.stamps["dem"], self.lattice.pixel_m)

    @property
    def map_source(self) -> str:
        """Where the terrain comes from, for maps."""
        return source_line(self.stamps["dem"], self.lattice.pixel_m)

    def routes_of(self, site_id: int) -> Mapping[str, pd.DataFrame]:
        """Return the ways from a site by mover; one that has no way is left out."""
        routes = self.tables["routes"]
        mine = routes[routes["site_id"] == site_id]
        return {str(mover): rows.reset_index(drop=True) for mover, rows in mine.groupby("mover", sort=False)}


def read(
    run: str,
    chosen: Chosen,
    paths: Mapping[str, Path | None],
    stamps: Mapping[str, Stamp],
    digests: Mapping[str, str],
    origin: Origin,
    downloads: tuple[Receipt, ...] = (),
) -> SiteRun:
    """Read a run.

    Args:
        run: Its name.
        chosen: The settings.
        paths: All inputs by the stage's names, None where the run lacks one.
        stamps: Their stamps.
        digests: Their checksums.
        origin: Where the elevation comes from.
        downloads: Receipts of the published products that the run read.

    Raises:
        ArtefactError: A file breaks its contract, or tables speak of different cells or sites.
    """
    given = {name: path for name, path in paths.items() if path is not None}
    tables = {name: _table(given[name], name, spec) for name, spec in _TABLES.items()}
    for name in _BY_CELL[1:]:
        if not tables[name]["cell_id"].equals(tables["cells"]["cell_id"]):
            raise ArtefactError(
                f"{given[name]}: lists other cells than {given['cells']}; rerun the stage that wrote it"
            )
    absent = set(chosen.rules.named()) - set(tables["labels"]["rule"])
    if absent:
        raise ArtefactError(f"{given['labels']}: lacks the rules {sorted(absent)} of the settings; rerun label-labels")
    specs = {
        "sites_record": contracts.SITES_RECORD,
        "artemis": contracts.ARTEMIS_RECORD,
        "site": contracts.SITE_RECORD,
        "enhance": contracts.ENHANCE_RECORD,
        "shadowcam": contracts.SHADOWCAM_RECORD,
    }
    return SiteRun(
        run=run,
        chosen=chosen,
        paths={name: given[name] for name in RASTERS},
        tables=tables,
        months=_months(given),
        skies=_skies(given, chosen.places),
        records={name: record.read(given[name], spec)[0] for name, spec in specs.items() if name in given},
        features=read_named_features(given["named_features"]),
        regions=read_regions(given["regions"], chosen.grid.pole),
        stamps=stamps,
        digests=digests,
        origin=origin,
        downloads=downloads,
    )


def name_receipts(
    paths: Sequence[Path], stamps: Mapping[str, Stamp], digests: Mapping[str, str]
) -> tuple[tuple[Receipt, ...], dict[str, Stamp], dict[str, str]]:
    """Return the receipts, with stamps and digests that name each by its product and not by its number.

    Raises:
        ArtefactError: A receipt breaks its contract, or one of its files is gone.
    """
    found = tuple(download.read(path, DOWNLOAD)[0] for path in paths)
    names = {f"receipts[{index}]": f"receipt of {receipt.product}" for index, receipt in enumerate(found)}
    return (
        found,
        {names.get(name, name): stamp for name, stamp in stamps.items()},
        {names.get(name, name): digest for name, digest in digests.items()},
    )


def _table(path: Path, name: str, spec: TableSpec) -> pd.DataFrame:
    frame, _ = table.read(path, spec)
    return frame if spec.geometry is None or name in _SHAPED else pd.DataFrame(frame.drop(columns="geometry"))


def _months(given: Mapping[str, Path]) -> pd.DataFrame | None:
    found = table.read(given["months"], contracts.SITE_MONTHS)[0] if "months" in given else None
    return None if found is None or found.empty else found


def _skies(given: Mapping[str, Path], places: PlacesSettings) -> NamedPlaces | None:
    if "profiles" not in given or "series" not in given:
        return None
    found = NamedPlaces.read(given["profiles"], given["series"], given["dem"], places)
    return found if found.places else None
