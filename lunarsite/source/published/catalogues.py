"""Published crater catalogues, read onto the run's map as a user's catalogue is.

What a catalogue is, its columns, its longitudes and its units, follows from the product that the receipt names. The
values are held against it row by row (`lunarsite.source.catalogue`): a file that contradicts its product is refused.
Robbins' catalogue has 1.3 million rows in more than twenty columns; it is read in pieces, and what does not lie on the
map is dropped piece by piece.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lunarsite.artefact import download
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.grid import Grid
from lunarsite.settings import CatalogueColumns
from lunarsite.source.catalogue import Declared, gathered, on_grid
from lunarsite.source.kinds import LocalError
from lunarsite.source.published.tables import Table, bare, look

if TYPE_CHECKING:
    from lunarsite.artefact.download import Receipt

_FIELD = "source.published.craters"
_OURS = CatalogueColumns()
_MEND = "the file is not what its publisher describes: remove its folder and fetch it again"
EAST_360, EAST_180, EAST_EITHER = (0.0, 360.0), (-180.0, 180.0), (-180.0, 360.0)
_MOST_ROWS = 20_000_000


@dataclass(frozen=True)
class Layout:
    """How one product writes its craters.

    Args:
        lon: Range of its longitudes, degrees east.
        columns: Names of each column as published, the best first. Lengths stand below by their units.
        diameters: Names of the diameter and metres in its unit, the best first.
        depths: The same of the depth; a catalogue may lack it.
        source: Where the names come from.
    """

    lon: tuple[float, float]
    columns: Mapping[str, tuple[str, ...]]
    diameters: tuple[tuple[str, float], ...]
    depths: tuple[tuple[str, float], ...]
    source: str


_M, _KM = 1.0, 1000.0
# Wang et al. and Wu et al. describe the columns in words; the names below are those in use among copies of the files.
_LU = Layout(
    lon=EAST_EITHER,
    columns={
        "id": ("ID", "Crater_ID", "CraterID", "No", "FID"),
        _OURS.lon: ("Lon", "Longitude", "Lon_deg", "Longitude (deg)", "Lon_E", "Center_Lon"),
        _OURS.lat: ("Lat", "Latitude", "Lat_deg", "Latitude (deg)", "Lat_N", "Center_Lat"),
    },
    diameters=(
        *(("Diameter_m", _M), ("Diam_m", _M), ("D_m", _M)),
        *(("Diameter_km", _KM), ("Diam_km", _KM), ("D_km", _KM)),
    ),
    depths=(("Depth_m", _M), ("d_depth_m", _M), ("Depth_km", _KM)),
    source="Wang et al. 2021, doi:10.1029/2020JE006728, and Wu et al. 2022, doi:10.1029/2022GL100886; names from copies"
    " of the files, not from the publishers' own",
)
LAYOUTS: Mapping[str, Layout] = {
    "robbins_2018": Layout(
        lon=EAST_360,
        columns={_OURS.lon: ("LON_CIRC_IMG",), _OURS.lat: ("LAT_CIRC_IMG",)},
        diameters=(("DIAM_CIRC_IMG", _KM),),
        depths=(),
        source="Robbins 2018, doi:10.1029/2018JE005592, lunar_crater_database_robbins_2018.csv",
    ),
    "lu1319373": _LU,
    "lu1319381": _LU,
}
"""The catalogues that are read, by the product's name in resources/products.yaml."""


def read_published_craters(receipt: Path, grid: Grid) -> pd.DataFrame:
    """Read a published crater catalogue.

    Args:
        receipt: Receipt of the product; its name tells the layout.
        grid: Craters whose centre lies on it are kept.

    Returns:
        id, name, lon_deg (-180..180), lat_deg, x_m, y_m, diameter_m, depth_m (NaN where not measured), by ascending id;
        the index counts from 0. A catalogue without numbers of its own is numbered by its rows, from 0. `attrs['read']`
        is the number of rows in the file.

    Raises:
        ArtefactError: The receipt is broken, or a file is missing.
        LocalError: The product is no catalogue that is known, its columns are others, a value is no number or out of
            range, or no crater lies on the grid.
    """
    found, _ = download.read(receipt, DOWNLOAD)
    layout = LAYOUTS.get(found.product)
    if layout is None:
        raise LocalError(
            f"{_FIELD}: {receipt}: product '{found.product}' is no crater catalogue that is read; these are:"
            f" {', '.join(LAYOUTS)}"
        )
    path = _table_of(receipt, found)
    where = f"{_FIELD}: {path}"
    diameter, depth = (tuple(name for name, _ in names) for names in (layout.diameters, layout.depths))
    accepted = {**layout.columns, _OURS.diameter: diameter, _OURS.depth: depth}
    table = look(path, accepted, ("id", _OURS.depth), where)
    declared = Declared(
        where,
        _OURS,
        layout.lon,
        _unit(table, _OURS.diameter, layout.diameters),
        _unit(table, _OURS.depth, layout.depths),
        _MEND,
        _MEND,
    )
    return _read(table, grid, declared)


def _read(table: Table, grid: Grid, declared: Declared) -> pd.DataFrame:
    parts, read = [], 0
    low = high = 0.0
    for chunk in table.chunks():
        read += len(chunk)
        if read > _MOST_ROWS:
            raise LocalError(f"{declared.where}: has more than {_MOST_ROWS} rows, no catalogue has; {_MEND}")
        parts.append(on_grid(chunk, grid, declared))
        lon = pd.to_numeric(chunk[_OURS.lon])
        low, high = min(low, float(lon.min())), max(high, float(lon.max()))
    if not parts:
        raise LocalError(f"{declared.where}: holds no craters; {_MEND}")
    if low < 0.0 and high > 180.0:
        raise LocalError(
            f"{declared.where}: its longitudes reach from {low:g} to {high:g}, so they count neither -180..180 nor"
            f" 0..360; {_MEND}"
        )
    return gathered(parts, grid, declared, read)


def _unit(table: Table, ours: str, names: tuple[tuple[str, float], ...]) -> float:
    """Return metres in the unit of a length, by the name that the file gives its column; 1 if it has none."""
    theirs = table.columns.get(ours)
    return 1.0 if theirs is None else next(unit_m for name, unit_m in names if bare(name) == bare(theirs))


def _table_of(receipt: Path, found: Receipt) -> Path:
    """Return the product's one table."""
    tables = [file.name for file in found.files if file.name.lower().endswith((".csv", ".txt", ".tab", ".tsv"))]
    if len(tables) != 1:
        names = ", ".join(file.name for file in found.files)
        raise LocalError(f"{_FIELD}: {receipt}: needs one table of text among its files, has {tables} of [{names}]")
    return receipt.parent / tables[0]
