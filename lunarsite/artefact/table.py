"""Tables: GeoParquet or plain Parquet with declared columns, units, unique key and sort order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lunarsite.artefact.atomic import replacing
from lunarsite.artefact.stamp import ArtefactError, Stamp, canonical_json, parse_stamp
from lunarsite.grid import Pole, is_polar_map, lunar_crs

_STAMP_KEY = b"lunarsite_stamp"
_UNITS_KEY = b"lunarsite_units"

DType = Literal["int64", "int32", "int8", "float64", "float32", "bool", "string", "timestamp[ms]"]


@dataclass(frozen=True)
class Column:
    """One column: its name (with unit), type, unit, whether values may be missing, and the range that makes sense."""

    name: str
    dtype: DType
    unit: str = ""
    nullable: bool = False
    valid_min: float | None = None
    valid_max: float | None = None


@dataclass(frozen=True)
class TableSpec:
    """Contract of a table.

    Attributes:
        name: Name of the contract.
        columns: Columns in their order.
        key: Column whose values are unique, or None.
        sort: Columns by which the rows ascend.
        geometry: Kind of geometry on the polar map, last column of the file; None makes a plain Parquet file.
        extra_prefixes: Further float32 columns are legal whose names begin so (SHAP values of a model's features).
        allow_empty: Whether a table without rows makes sense.
    """

    name: str
    columns: tuple[Column, ...]
    key: str | None = None
    sort: tuple[str, ...] = ()
    geometry: Literal["point", "line", "polygon"] | None = None
    extra_prefixes: tuple[str, ...] = ()
    allow_empty: bool = False


def write(path: Path, spec: TableSpec, frame: pd.DataFrame, stamp: Stamp, pole: Pole = "south") -> None:
    """Write a frame that keeps the contract; a geometry column must be named 'geometry' and lie on the polar map.

    Raises:
        ArtefactError: Columns, types, key, order, ranges or geometry break the contract.
    """
    _check_frame(path, spec, frame)
    if spec.geometry is None:
        arrow = pa.Table.from_pandas(frame, preserve_index=False)
    else:
        arrow = _geo_arrow(path, gpd.GeoDataFrame(frame, geometry="geometry", crs=lunar_crs(pole).to_wkt()))
    arrow = arrow.cast(_arrow_schema(spec, arrow.schema))
    units = {column.name: column.unit for column in spec.columns if column.unit}
    kept = {key: value for key, value in (arrow.schema.metadata or {}).items() if key == b"geo"}
    metadata = {**kept, _STAMP_KEY: stamp.to_json().encode(), _UNITS_KEY: canonical_json(units).encode()}
    with replacing(path) as partial:
        pq.write_table(arrow.replace_schema_metadata(metadata), partial, compression="zstd", row_group_size=65_536)


def read(path: Path, spec: TableSpec, columns: Sequence[str] | None = None) -> tuple[pd.DataFrame, Stamp]:
    """Return the table (a GeoDataFrame if it has geometry and `columns` does not leave it out) and its stamp.

    Raises:
        ArtefactError: It is missing, truncated or breaks the contract.
    """
    arrow, stamp = _read_arrow(path, spec, columns)
    frame: pd.DataFrame = arrow.to_pandas()
    if columns is None:
        _check_frame(path, spec, frame)
    if spec.geometry is not None and "geometry" in frame:
        return gpd.GeoDataFrame(frame.drop(columns="geometry"), geometry=_geometry(path, frame, arrow.schema)), stamp
    return frame, stamp


def validate(path: Path, spec: TableSpec) -> None:
    """Read the table once and refuse what breaks the contract."""
    read(path, spec)


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of any table artefact."""
    return parse_stamp(_text(_schema(path).metadata, _STAMP_KEY), path)


def _schema(path: Path) -> pa.Schema:
    if not path.exists():
        raise ArtefactError(f"{path}: does not exist; run the stage that writes it first")
    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtefactError(f"{path}: is no readable Parquet file ({error}); rerun the stage that writes it") from error


def _text(metadata: Mapping[bytes, bytes] | None, key: bytes) -> str | None:
    value = (metadata or {}).get(key)
    return None if value is None else value.decode()


def _read_arrow(path: Path, spec: TableSpec, columns: Sequence[str] | None) -> tuple[pa.Table, Stamp]:
    schema = _schema(path)
    stamp = parse_stamp(_text(schema.metadata, _STAMP_KEY), path, spec.name)
    _check_columns(path, spec, schema.names)
    units = json.loads(_text(schema.metadata, _UNITS_KEY) or "{}")
    for column in spec.columns:
        if units.get(column.name, "") != column.unit:
            raise ArtefactError(f"{path}: '{column.name}' is in '{units.get(column.name, '')}', needs '{column.unit}'")
        if schema.field(column.name).type != pa.type_for_alias(column.dtype):
            raise ArtefactError(f"{path}: '{column.name}' is {schema.field(column.name).type}, needs {column.dtype}")
    try:
        return pq.read_table(path, columns=None if columns is None else list(columns)), stamp
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtefactError(f"{path}: cannot be read ({error}); rerun the stage that writes it") from error


def _check_columns(path: Path, spec: TableSpec, names: Sequence[str]) -> None:
    wanted = [column.name for column in spec.columns]
    if list(names[: len(wanted)]) != wanted:
        absent = [name for name in wanted if name not in names]
        detail = f"missing {absent}" if absent else f"order is {list(names[: len(wanted)])}"
        raise ArtefactError(f"{path}: '{spec.name}' needs the columns {wanted} first; {detail}")
    known = {"geometry"} if spec.geometry else set()
    foreign = [n for n in names[len(wanted) :] if n not in known and not n.startswith(spec.extra_prefixes or ("\0",))]
    if foreign or (spec.geometry and "geometry" not in names):
        raise ArtefactError(f"{path}: '{spec.name}' has unknown columns {foreign} or no geometry")


def _check_frame(path: Path, spec: TableSpec, frame: pd.DataFrame) -> None:
    _check_columns(path, spec, list(frame.columns))
    if frame.empty and not spec.allow_empty:
        raise ArtefactError(f"{path}: '{spec.name}' has no rows")
    for name, kind in frame.dtypes.items():
        if kind.kind == "f" and np.isinf(frame[name].to_numpy()).any():
            raise ArtefactError(f"{path}: '{name}' holds infinities")
    for column in spec.columns:
        values = frame[column.name]
        if not column.nullable and values.isna().any():
            raise ArtefactError(
                f"{path}: '{column.name}' has {int(values.isna().sum())} missing values, none are allowed"
            )
        _check_range(path, column, values)
    if spec.key is not None and frame[spec.key].duplicated().any():
        raise ArtefactError(f"{path}: key '{spec.key}' is not unique")
    if spec.sort:
        order = frame.sort_values(list(spec.sort), kind="stable").index
        if not order.equals(frame.index):
            raise ArtefactError(f"{path}: rows are not sorted by {list(spec.sort)}")


def _check_range(path: Path, column: Column, values: pd.Series[Any]) -> None:
    present = values.dropna()
    if present.empty:
        return
    for bound, found, word in ((column.valid_min, present.min(), "least"), (column.valid_max, present.max(), "most")):
        if bound is None:
            continue
        excess = bound - float(found) if word == "least" else float(found) - bound
        if excess > 1e-6 * max(1.0, abs(bound)):
            raise ArtefactError(f"{path}: '{column.name}' holds {found:g} {column.unit}, {word} allowed is {bound:g}")


def _arrow_schema(spec: TableSpec, found: pa.Schema) -> pa.Schema:
    dtypes: dict[str, Any] = {column.name: pa.type_for_alias(column.dtype) for column in spec.columns}
    fields = []
    for field in found:
        kind = dtypes.get(field.name, field.type if field.name == "geometry" else pa.float32())
        fields.append(pa.field(field.name, kind, metadata=field.metadata))
    return pa.schema(fields, metadata=found.metadata)


def _geo_arrow(path: Path, frame: gpd.GeoDataFrame) -> pa.Table:
    # geopandas alone writes the 'geo' metadata of GeoParquet; it cannot add ours, so its file passes through memory.
    if frame.geometry.isna().any() or not frame.geometry.is_valid.all():
        raise ArtefactError(f"{path}: holds missing or invalid geometries")
    sink = pa.BufferOutputStream()
    frame.to_parquet(sink, index=False, schema_version="1.1.0")
    return pq.read_table(pa.BufferReader(sink.getvalue()))


def _geometry(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> gpd.GeoSeries:
    geo = json.loads(_text(schema.metadata, b"geo") or "{}")
    crs = geo.get("columns", {}).get("geometry", {}).get("crs")
    if crs is None or not (is_polar_map(json.dumps(crs)) or is_polar_map(json.dumps(crs), "north")):
        raise ArtefactError(f"{path}: its CRS is not the Moon's polar stereographic map")
    return gpd.GeoSeries.from_wkb(frame["geometry"], crs=json.dumps(crs))
