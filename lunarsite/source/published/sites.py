"""Published lists of sites that experts chose, as the validation reads a user's list: lon, lat, and what is told.

Every row counts or the list is refused: one that lost rows in silence would be agreed with too easily.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact import download
from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.contracts import DOWNLOAD
from lunarsite.grid import Grid
from lunarsite.source.kinds import LocalError
from lunarsite.source.published.tables import look

_FIELD = "source.published.experts"
# The paper (Wueller et al. 2026, doi:10.1029/2025JE009434) tells of sites with days of sunlight and of Earth view; the
# names of the archive's columns were not known when this was written, so the usual ones are taken.
ACCEPTED = {
    "lon": (
        "Lon",
        "Longitude",
        "Lon_deg",
        "Longitude (deg)",
        "Longitude (degrees)",
        "Longitude (E)",
        "Lon (E)",
        "X_lon",
    ),
    "lat": ("Lat", "Latitude", "Lat_deg", "Latitude (deg)", "Latitude (degrees)", "Latitude (N)", "Lat (N)"),
    "name": ("Name", "Site", "Site name", "Site_ID", "Landing site", "Location", "Region", "ID"),
    "sun_days": ("Sun days", "Days of sunlight", "Sunlight (days)", "Solar illumination (days)", "Illumination (days)"),
    "earth_days": ("Earth days", "Days of Earth view", "Earth visibility (days)", "DTE (days)", "Earth (days)"),
}
"""Names that columns may have, by our name; written with or without case, blanks and signs."""
_OPTIONAL = ("name", "sun_days", "earth_days")
_MOST_SITES = 5_000
_MEND = "mend the row, or fetch the product again"


def read_published_sites(receipt: Path, grid: Grid) -> pd.DataFrame:
    """Read the sites that experts chose.

    Returns:
        lon (-180..180), lat, degrees, and as far as the file tells them name (text), sun_days, earth_days (NaN where
        empty), in the file's order.

    Raises:
        ArtefactError: The receipt is broken, or a file is missing.
        LocalError: The product holds no one table, its columns are others, or a row holds what is no number or no place
            at the run's pole.
    """
    files = download.files(receipt, DOWNLOAD)
    tables = [path for path in files.values() if path.suffix.lower() in (".csv", ".txt", ".tab", ".tsv")]
    if len(tables) != 1:
        raise LocalError(
            f"{_FIELD}: {receipt}: needs one table of text among its files, has {[path.name for path in tables]} of"
            f" [{', '.join(files)}]; name your own table in validation.site.experts"
        )
    where = f"{_FIELD}: {tables[0]}"
    table = look(tables[0], ACCEPTED, _OPTIONAL, where)
    parts = []
    for chunk in table.chunks():
        parts.append(chunk)
        if chunk.index[-1] >= _MOST_SITES:
            raise LocalError(f"{where}: has more than {_MOST_SITES} rows, no list of sites has; {_MEND}")
    if not parts:
        raise LocalError(f"{where}: lists no site; {_MEND}")
    raw = pd.concat(parts)
    lon_deg = _numbers(raw["lon"], -180.0, 360.0, where)
    if (lon_deg < 0.0).any() and (lon_deg > 180.0).any():
        raise LocalError(
            f"{where}: its longitudes count neither -180..180 nor 0..360: some lie below 0, some above 180"
        )
    poleward = (0.0, 90.0) if grid.pole == "north" else (-90.0, 0.0)
    values: dict[str, object] = {
        "lon": np.where(lon_deg > 180.0, lon_deg - 360.0, lon_deg),
        "lat": _numbers(raw["lat"], *poleward, where),
    }
    if "name" in raw:
        values["name"] = raw["name"].str.strip().to_numpy(dtype=object)
    for name in ("sun_days", "earth_days"):
        if name in raw:
            values[name] = _numbers(raw[name], 0.0, 1e5, where, empty_ok=True)
    return pd.DataFrame(values)


def _numbers(text: pd.Series, low: float, high: float, where: str, *, empty_ok: bool = False) -> NDArray[np.float64]:
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    legal = np.isfinite(values) & (values >= low) & (values <= high)
    if empty_ok:
        legal |= (text.str.strip() == "").to_numpy()
    if not legal.all():
        row = int(np.flatnonzero(~legal)[0])
        raise LocalError(
            f"{where}, line {text.index[row] + 2}: {text.name} is {text.iloc[row]!r}, allowed are {low:g}..{high:g};"
            f" {_MEND}"
        )
    return values


def write_sites(path: Path, sites: pd.DataFrame) -> None:
    """Write the sites as a CSV table; degrees to 1e-6, that is 3 cm."""
    with replacing(path) as partial:
        sites.to_csv(partial, index=False, float_format="%.6f", lineterminator="\n", encoding="utf-8")
