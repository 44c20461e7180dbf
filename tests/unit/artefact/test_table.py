"""Tables: columns, types, units, key, order and geometry are held."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shapely.geometry import Point

from lunarsite.artefact import table
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.artefact.table import Column, TableSpec
from lunarsite.grid import is_polar_map

from .conftest import make_stamp

SPEC = TableSpec(
    "cells",
    (
        Column("cell_id", "int64"),
        Column("slope_deg", "float32", "deg", nullable=True, valid_min=0, valid_max=90),
        Column("label", "string"),
    ),
    key="cell_id",
    sort=("cell_id",),
    extra_prefixes=("shap_",),
)
GEO = TableSpec("cells", SPEC.columns, "cell_id", ("cell_id",), "point")


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell_id": np.arange(3),
            "slope_deg": np.array([1.5, np.nan, 3.0], np.float32),
            "label": ["suitable", "unknown", "unsuitable"],
        }
    )


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    table.write(path, SPEC, frame(), make_stamp("cells"))
    back, stamp = table.read(path, SPEC)
    pd.testing.assert_frame_equal(back, frame(), check_dtype=False)
    assert back["slope_deg"].dtype == np.float32
    assert stamp == make_stamp("cells")
    assert table.read(path, SPEC, ["cell_id"])[0].columns.tolist() == ["cell_id"]


def test_geoparquet_keeps_the_map(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    geo = frame().assign(geometry=[Point(i, -i) for i in range(3)])
    table.write(path, GEO, geo, make_stamp("cells"))
    back, _ = table.read(path, GEO)
    assert is_polar_map(back.crs)  # type: ignore[attr-defined]
    assert is_polar_map(gpd.read_parquet(path).crs), "geopandas reads it as well"
    assert back.geometry.iloc[2] == Point(2, -2)  # type: ignore[attr-defined]


def test_extra_columns_by_prefix(tmp_path: Path) -> None:
    table.write(tmp_path / "a.parquet", SPEC, frame().assign(shap_slope=np.float64(1)), make_stamp("cells"))
    assert table.read(tmp_path / "a.parquet", SPEC)[0]["shap_slope"].dtype == np.float32
    with pytest.raises(ArtefactError, match="unknown columns"):
        table.write(tmp_path / "b.parquet", SPEC, frame().assign(other=1.0), make_stamp("cells"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="label"), "missing"),
        (lambda f: f[["slope_deg", "cell_id", "label"]], "order"),
        (lambda f: f.assign(cell_id=[0, 1, 1]), "not unique"),
        (lambda f: f.iloc[::-1].reset_index(drop=True), "not sorted"),
        (lambda f: f.assign(slope_deg=[100, 1, 2]), "most allowed is 90"),
        (lambda f: f.assign(slope_deg=[-1, 1, 2]), "least allowed is 0"),
        (lambda f: f.assign(slope_deg=[np.inf, 1, 2]), "infinities"),
        (lambda f: f.assign(label=["a", None, "b"]), "missing values"),
        (lambda f: f.assign(shap_slope=[np.inf, 1, 2]), "infinities"),
        (lambda f: f.iloc[:0], "no rows"),
    ],
)
def test_writer_refuses(tmp_path: Path, change: object, message: str) -> None:
    path = tmp_path / "cells.parquet"
    with pytest.raises(ArtefactError, match=message):
        table.write(path, SPEC, change(frame()), make_stamp("cells"))  # type: ignore[operator]
    assert not path.exists()


def test_reader_refuses(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    table.write(path, SPEC, frame(), make_stamp("cells"))
    other_unit = TableSpec(
        "cells", (SPEC.columns[0], Column("slope_deg", "float32", "rad", nullable=True), SPEC.columns[2])
    )
    other_type = TableSpec("cells", (Column("cell_id", "int32"), *SPEC.columns[1:]))
    for spec, message in (
        (other_unit, "is in 'deg'"),
        (other_type, "needs int32"),
        (TableSpec("x", SPEC.columns), "is a 'cells'"),
    ):
        with pytest.raises(ArtefactError, match=message):
            table.read(path, spec)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArtefactError, match="no readable Parquet"):
        table.read(path, SPEC)
    with pytest.raises(ArtefactError, match="does not exist"):
        table.read(tmp_path / "none.parquet", SPEC)
    pq.write_table(pa.Table.from_pandas(frame()), path)
    with pytest.raises(ArtefactError, match="no lunarsite stamp"):
        table.read(path, SPEC)


def test_wrong_crs(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    geo = frame().assign(geometry=[Point(i, -i) for i in range(3)])
    table.write(path, GEO, geo, make_stamp("cells"))
    arrow = pq.read_table(path)
    metadata = dict(arrow.schema.metadata)
    metadata[b"geo"] = b'{"columns": {"geometry": {"encoding": "WKB"}}}'
    pq.write_table(arrow.replace_schema_metadata(metadata), path)
    with pytest.raises(ArtefactError, match="CRS"):
        table.read(path, GEO)


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table.write(tmp_path / f"{name}.parquet", SPEC, frame(), make_stamp("cells"))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
