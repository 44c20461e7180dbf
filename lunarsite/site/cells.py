"""The table of cells: the columns of the reference system in its order, ours after them, and the labels of both rules.

Layers are read side by side in threads, each block by block. This module must not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lunarsite.artefact.contracts import CELLS
from lunarsite.grid import Cells
from lunarsite.settings import RulesSettings, SettingsError
from lunarsite.site.craters import Catalogue, crater_columns
from lunarsite.site.reduction import LayerStatistics, Read, reduce_layer
from lunarsite.site.rules import labels

TERRAIN = ("elevation", "slope", "roughness", "elevation_error")
LAYERS = (*TERRAIN, "sun", "earth", "psr")
"""Layers of which cells are made: the terrain in metres and degrees, the others as shares (0..1)."""


def check_rules(rules: RulesSettings) -> None:
    """Refuse a buffer on the rule that reads the mean slope.

    Raises:
        SettingsError: The CASSA rule asks for a buffer.
    """
    if rules.cassa.slope_buffer_m > 0.0:
        raise SettingsError(
            f"site.rules.cassa.slope_buffer_m: is {rules.cassa.slope_buffer_m:g}, must be 0: this rule reads the mean"
            " slope of the cell; use the hls rule for a buffer"
        )


def layer_statistics(
    layers: Mapping[str, Read], cells: Cells, slope_buffer_m: float, threads: int
) -> dict[str, LayerStatistics]:
    """Return the statistics of every layer of `LAYERS`, read by `threads` threads.

    A layer is read by one thread only, so its reader need not be safe for several.
    """
    buffers = {"slope": slope_buffer_m}
    with ThreadPoolExecutor(threads) as pool:
        # The slope takes longest, so it is started first.
        order = sorted(LAYERS, key=lambda name: name not in buffers)
        jobs = {name: pool.submit(reduce_layer, layers[name], cells, buffers.get(name)) for name in order}
        return {name: job.result() for name, job in jobs.items()}


def build_cells(
    statistics: Mapping[str, LayerStatistics],
    craters: Catalogue | None,
    cells: Cells,
    rules: RulesSettings,
) -> gpd.GeoDataFrame:
    """Return the table of cells as its contract has it.

    Args:
        statistics: What `layer_statistics` returned.
        craters: The catalogue whose craters count; None where there is none, which leaves its columns unknown.
        cells: The cells.
        rules: Both rules.
    """
    check_rules(rules)
    x_m, y_m = cells.centres_m()
    lon_deg, lat_deg = cells.centres_lonlat()
    columns: dict[str, NDArray[Any]] = {
        "cell_id": np.arange(cells.count),
        "lon": lon_deg,
        "lat": lat_deg,
        "x_m": x_m,
        "y_m": y_m,
    }
    for layer in TERRAIN:
        found = statistics[layer]
        columns |= {f"{layer}_{name}": getattr(found, name) for name in ("mean", "std", "min", "max")}
    columns |= crater_columns(craters, cells)
    columns["avg_illumination_pct"] = _percent(statistics["sun"].mean)
    columns["psr_fraction"] = statistics["psr"].mean
    columns["illumination_min_pct"] = _percent(statistics["sun"].min)
    columns["earth_visibility_pct"] = _percent(statistics["earth"].mean)
    columns["buffered_slope_deg"] = _buffered_slope(statistics["slope"])
    columns["valid_fraction"] = np.minimum.reduce([statistics[layer].valid_fraction for layer in LAYERS])
    columns["label_cassa"] = labels(columns, rules.cassa, "cassa")
    columns["label_hls"] = labels(columns, rules.hls, "hls")
    frame = pd.DataFrame({column.name: columns[column.name] for column in CELLS.columns})
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(x_m, y_m))


def _buffered_slope(slope: LayerStatistics) -> NDArray[np.float32]:
    if slope.buffered is None:
        raise ValueError("the slope was reduced without its buffer")
    return slope.buffered


def _percent(share: NDArray[np.float32]) -> NDArray[np.float32]:
    # Rasters may exceed 0..1 by the rounding that their contract allows.
    return np.asarray(np.clip(np.float32(100.0) * share, 0.0, 100.0), dtype=np.float32)
