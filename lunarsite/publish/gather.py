"""What the figures of a run are drawn from, read once: places, tables, and rasters at the resolution of paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lunarsite.artefact import record, table
from lunarsite.artefact.contracts import ARTEMIS_RECORD, CELLS, DEM, PSR, SCORES
from lunarsite.artefact.raster import RasterSpec
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.grid import Cells, Grid
from lunarsite.publish.figures import LAYERS, Places, close_up_view, draw_layer, draw_scores, draw_shadow
from lunarsite.publish.polar_map import read_named_features
from lunarsite.publish.rasters import View, picture, whole_view
from lunarsite.settings import GridSettings
from lunarsite.site.place.regions import read_regions

WIDE_PX, COLUMN_PX = 1_900, 1_000
"""Most pixels along a side of a raster in a figure of two columns or of one: 300 per inch in print."""
NUMBERED = 10
"""Best cells that maps of the score number."""
CLOSE_UP_M = 160_000.0
"""Width of the close-up, map metres."""


@dataclass(frozen=True)
class Run:
    """A run as its figures need it."""

    scores: pd.DataFrame
    cells: pd.DataFrame
    lattice: Cells
    stamp: Stamp
    agreement: Record
    places: Places
    dem: Path

    @classmethod
    def read(
        cls,
        grid: GridSettings,
        dem: Path,
        cells: Path,
        scores: Path,
        artemis: Path,
        named_features: Path,
        regions: Path,
    ) -> Run:
        """Read a run.

        Raises:
            ArtefactError: A file breaks its contract, or tables and settings speak of different cells.
        """
        pixels = Grid.centred(grid.half_width_m, grid.pixel_m, grid.cell_m, grid.pole)
        lattice = Cells(pixels, grid.cell_m, grid.latitude_limit_deg)
        score_table, stamp = table.read(scores, SCORES)
        known_columns = {column.name for column in CELLS.columns}
        names = (str(name).removeprefix("shap_") for name in score_table.columns if str(name).startswith("shap_"))
        cell_table, _ = table.read(cells, CELLS, ["cell_id", *(name for name in names if name in known_columns)])
        if not score_table["cell_id"].equals(cell_table["cell_id"]) or len(score_table) != lattice.count:
            raise ArtefactError(f"{scores}: lists other cells than {cells} or the run's grid; rerun their stages")
        places = Places(read_named_features(named_features), read_regions(regions, grid.pole))
        return cls(score_table, cell_table, lattice, stamp, record.read(artemis, ARTEMIS_RECORD)[0], places, dem)

    @property
    def known(self) -> int:
        """Number of cells with a rank."""
        return int((self.scores["rank"] > 0).sum())

    def layer(self, name: str, path: Path, spec: RasterSpec) -> Figure:
        """Draw one raster, for one column."""
        shown = picture(path, spec, COLUMN_PX)
        return draw_layer(LAYERS[name], shown, picture(self.dem, DEM, COLUMN_PX), self.places)

    def shadow(self, path: Path) -> Figure:
        """Draw permanent shadow, for one column."""
        return draw_shadow(picture(path, PSR, COLUMN_PX), picture(self.dem, DEM, COLUMN_PX), self.places)

    def score_map(self) -> Figure:
        """Draw the score over the whole run, for two columns."""
        return self._scores(whole_view(self.lattice.grid), "Where the best cells lie")

    def close_up(self) -> Figure:
        """Draw the score around the best cells, for two columns."""
        view = close_up_view(self.scores, whole_view(self.lattice.grid), NUMBERED, CLOSE_UP_M)
        return self._scores(view, f"Close-up: where most of the ten best cells lie ({view.width_m / 1000:.0f} km wide)")

    def _scores(self, view: View, title: str) -> Figure:
        dem = picture(self.dem, DEM, WIDE_PX, view)
        return draw_scores(
            self.scores, self.lattice, dem, self.places, view, self.stamp, title=title, numbered=NUMBERED
        )
