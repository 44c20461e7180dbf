from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from lunarsite.grid import Grid, lonlat_to_xy
from lunarsite.publish.catalogue import Entry, footprint, interval, write_catalogue
from lunarsite.settings import GridSettings, SpanSettings


def test_a_grid_around_the_pole_covers_all_longitudes() -> None:
    geometry, box = footprint(Grid.centred(304_000.0, 240.0, 960.0))
    assert box[:3] == [-180.0, -90.0, 180.0]
    # The corner of the map is its farthest place from the pole.
    assert box[3] == pytest.approx(-75.86, abs=0.01)
    assert shape(geometry).bounds == tuple(box)


def test_a_northern_grid_reaches_the_north_pole() -> None:
    _, box = footprint(Grid.centred(48_000.0, 240.0, 960.0, "north"))
    assert box[0::2] == [-180.0, 180.0]
    assert box[3] == 90.0
    assert 87.0 < box[1] < 90.0


@pytest.mark.parametrize("centre_lon", [0.0, 90.0, 179.9, -120.0])
@pytest.mark.parametrize("pole", ["south", "north"])
def test_a_grid_beside_the_pole_is_a_valid_polygon_around_its_middle(centre_lon: float, pole: str) -> None:
    lat = -85.0 if pole == "south" else 85.0
    x, y = (float(v) for v in lonlat_to_xy(centre_lon, lat, pole))  # type: ignore[arg-type]
    geometry, box = footprint(Grid(x - 24_000.0, y + 24_000.0, 240.0, 200, 200, pole))  # type: ignore[arg-type]
    polygon = shape(geometry)
    assert polygon.is_valid
    assert polygon.exterior.is_ccw
    middle = polygon.centroid
    assert middle.y == pytest.approx(lat, abs=0.1)
    assert (middle.x - centre_lon + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1.0)
    assert box[2] - box[0] < 30.0


@given(
    st.floats(-300_000.0, 300_000.0),
    st.floats(-300_000.0, 300_000.0),
    st.integers(2, 2000),
    st.integers(2, 2000),
)
def test_footprints_are_boxes_in_range(x: float, y: float, rows: int, cols: int) -> None:
    _, (west, south, east, north) = footprint(Grid(x, y, 240.0, rows, cols))
    assert -90.0 <= south < north <= -60.0
    assert west < east
    assert east - west <= 360.0


def test_the_span_is_in_whole_seconds_utc() -> None:
    start, end = interval(SpanSettings(start_utc=dt.date(2025, 1, 1), years=1.0))
    assert start == dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    assert end == dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)


class Killed(BaseException):
    """Stands for a process that ends at once: nothing that catches errors sees it."""


def write(folder: Path, run: str) -> None:
    (folder / "slope.tif").touch()
    entry = Entry("slope", "terrain", "Slope", folder / "slope.tif", "0" * 64, run, "local", {})
    write_catalogue(folder / "catalog.json", folder / "catalogue", "Run", [entry], GridSettings(), SpanSettings())


def runs(folder: Path) -> tuple[str, str]:
    """The run that the root tells, and the one that the entry tells."""
    root = json.loads((folder / "catalog.json").read_text())
    item = json.loads((folder / "catalogue" / "terrain" / "slope.json").read_text())
    return root["id"].split("-")[1], item["id"].split("-")[1]


def test_a_catalogue_replaces_the_one_before_and_leaves_nothing_beside(tmp_path: Path) -> None:
    write(tmp_path, "one")
    (tmp_path / "catalogue" / "gone.json").touch()
    write(tmp_path, "two")
    assert runs(tmp_path) == ("two", "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.json", "catalogue", "slope.tif"]
    assert not (tmp_path / "catalogue" / "gone.json").exists()


def test_what_another_process_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in (".catalogue.partial-1", ".catalogue.old-1", ".catalogue.notes-1"):
        (tmp_path / name / "terrain").mkdir(parents=True)
    write(tmp_path, "one")
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".catalogue.notes-1"]


# Renames: the folder aside, the new one in its place, the root.
@pytest.mark.parametrize(("rename", "left"), [(1, ("one", "one")), (2, None), (3, ("one", "two"))])
def test_a_kill_loses_no_folder_and_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: int, left: tuple[str, str] | None
) -> None:
    write(tmp_path, "one")
    done, honest = [], Path.replace

    def dying(source: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == rename:
            raise Killed
        return honest(source, target)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "replace", dying)
        write(tmp_path, "two")
    if left is None:
        (aside,) = tmp_path.glob(".catalogue.old-*")
        assert "one" in (aside / "terrain" / "slope.json").read_text()
        assert "one" in (tmp_path / "catalog.json").read_text()
        # The next writer puts the old folder back before it begins, so that another kill loses nothing either.
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(Killed))
            write(tmp_path, "two")
        left = ("one", "one")
    assert runs(tmp_path) == left
    write(tmp_path, "three")
    assert runs(tmp_path) == ("three", "three")
    assert not list(tmp_path.glob(".*"))


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "one")
    honest = Path.replace

    def failing(source: Path, target: Path) -> Path:
        if ".partial-" in source.name and Path(target).name == "catalogue":
            raise OSError("no space left on device")
        return honest(source, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(Path, "replace", failing)
        write(tmp_path, "two")
    assert runs(tmp_path) == ("one", "one")
