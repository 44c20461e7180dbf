"""Files that would send GDAL elsewhere: refused before GDAL sees them, and without any connection."""

from __future__ import annotations

import gzip
import socket
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.errors import RasterioError

from lunarsite.artefact.offline import OFFLINE
from lunarsite.source.kinds import LocalError, vector_drivers
from lunarsite.source.local import checked, opened
from lunarsite.source.scarps import read_scarps

from .test_local import GRID, plane, write
from .test_scarps import geojson, vector

FIELD = "source.local.layer"


class Server:
    """A socket on loopback that counts who connects and answers nothing."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/file"
        self.calls = 0
        self._listener, self._changed = listener, threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed at the end of the test
                return
            with self._changed:
                self.calls += 1
                self._changed.notify_all()
            connection.close()

    def called(self, seconds: float) -> bool:
        """Whether anybody has connected, or does so within a time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.calls > 0, seconds)


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield Server(listener)


def file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def mosaic(source: str, relative: int = 0, kind: str = "", more: str = "") -> str:
    """A raster VRT of the polar map with one source."""
    return (
        f'<VRTDataset rasterXSize="40" rasterYSize="40"{kind}><SRS>IAU_2015:30135</SRS>'
        "<GeoTransform>-4800, 240, 0, 4800, 0, -240</GeoTransform>"
        f'<VRTRasterBand dataType="Float32" band="1">{more}<SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="40" ySize="40"/><DstRect xOff="0" yOff="0" xSize="40" ySize="40"/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def service(url: str) -> str:
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service><DataWindow>'
        "<UpperLeftX>-1</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX><LowerRightY>-1</LowerRightY>"
        "<TileLevel>1</TileLevel></DataWindow><BandsCount>1</BandsCount></GDAL_WMS>"
    )


def layers(target: str) -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{target}</SrcDataSource></OGRVRTLayer>'
        "</OGRVRTDataSource>"
    )


RASTERS: dict[str, Callable[[str], str]] = {
    "remote file": lambda url: mosaic(f"/vsicurl/{url}.tif"),
    "remote page": lambda url: mosaic(f"{url}.tif"),
    "escaped": lambda url: mosaic(f"&#47;vsicurl/{url}.tif"),
    "service within": lambda url: mosaic(service(url).replace("<", "&lt;")),
    "small letters": lambda url: mosaic(f"/vsicurl/{url}.tif").lower(),
    "warped": lambda url: mosaic(f"/vsicurl/{url}.tif", kind=' subClass="VRTWarpedDataset"'),
    "service": service,
    "label": lambda url: f'PDS_VERSION_ID = PDS3\n^IMAGE = "/vsicurl/{url}.img"\n',
}


def test_the_server_counts_those_that_connect(tmp_path, server: Server) -> None:
    """Without the guard the same file opens a connection: what the other tests see is the guard's work."""
    with pytest.raises(RasterioError), rasterio.open(file(tmp_path / "a.vrt", RASTERS["remote file"](server.url))) as a:
        a.read(1)
    assert server.called(5.0)


@pytest.mark.parametrize("name", RASTERS)
@pytest.mark.parametrize("suffix", ["tif", "vrt"])
def test_rasters_that_point_elsewhere_are_refused_without_a_connection(
    tmp_path, server: Server, name: str, suffix: str
) -> None:
    path = file(tmp_path / f"dem.{suffix}", RASTERS[name](server.url))
    with pytest.raises(LocalError) as error, opened(path, GRID, FIELD) as raster:
        raster.read()
    assert str(error.value).startswith(f"{FIELD}: {path}: ")
    assert "; " in str(error.value)
    assert not server.called(0.1)


def test_what_slips_through_finds_no_network(tmp_path, server: Server) -> None:
    """Kinds that are allowed may name further files, such as overviews: then the missing network holds."""
    path = write(tmp_path / "dem.tif", plane(GRID), GRID.affine)
    with checked(path, FIELD):
        for name in (f"/vsicurl/{server.url}.ovr", f"WMS:{server.url}"):
            with pytest.raises(RasterioError):
                rasterio.open(name)
    assert not server.called(0.1)


@pytest.mark.parametrize("relative", [True, False])
def test_a_mosaic_of_local_files_is_read(tmp_path, relative: bool) -> None:
    source = write(tmp_path / "sheet.tif", plane(GRID), GRID.affine)
    path = file(tmp_path / "dem.vrt", mosaic(source.name if relative else str(source), int(relative)))
    linked = tmp_path / "elsewhere" / "dem.vrt"
    linked.parent.mkdir()
    linked.symlink_to(path)
    for place in (path, linked):
        with opened(place, GRID, FIELD) as raster:
            assert np.array_equal(raster.read(), plane(GRID))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (mosaic("sheet.tif", 1, more="<PixelFunctionType>f</PixelFunctionType>", kind=' subClass="VRTX"'), "computes"),
        (mosaic("sheet.tif", 1).replace('band="1"', 'band="1" subClass="VRTDerivedRasterBand"'), "VRTRasterBand"),
        (mosaic("sheet.tif", 1).replace("SimpleSource", "ArraySource"), "ArraySource"),
        (mosaic("inner.vrt", 1), "neither GeoTIFF"),
        (mosaic("absent.tif", 1), "'absent.tif', which is no local file"),
        (mosaic("sheet.tif", 1)[:-5], "warps or computes"),
        ('<!DOCTYPE VRTDataset [<!ENTITY a "b">]>' + mosaic("sheet.tif", 1), "warps or computes"),
    ],
)
def test_a_vrt_that_is_more_than_a_mosaic_is_refused(tmp_path, content: str, word: str) -> None:
    write(tmp_path / "sheet.tif", plane(GRID), GRID.affine)
    file(tmp_path / "inner.vrt", mosaic("sheet.tif", 1))
    path = file(tmp_path / "dem.vrt", content)
    with pytest.raises(LocalError, match=f"{word}.*gdalbuildvrt"), checked(path, FIELD):
        pass


@pytest.mark.parametrize("kind", ["gzip", "zip", "tar"])
def test_packed_files_are_refused(tmp_path, kind: str) -> None:
    sound = geojson(tmp_path / "sound.geojson", [[0, -85], [0, -86]]).read_bytes()
    path = tmp_path / "a.geojson"
    if kind == "gzip":
        path.write_bytes(gzip.compress(sound))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("doc.kml", sound)
    else:
        path.write_bytes(b"a".ljust(257, b"\0") + b"ustar" + bytes(250) + sound)
    for read in (lambda: read_scarps(path, GRID, FIELD), lambda: checked(path, FIELD).__enter__()):
        with pytest.raises(LocalError, match=rf"packed file \({kind}\), which is not read; unpack it"):
            read()


GML = 'xmlns:gml="http://www.opengis.net/gml"'
VECTORS: dict[str, tuple[str, Callable[[str], str]]] = {
    "vrt": ("a.gpkg", lambda url: layers(f"/vsicurl/{url}.geojson")),
    "vrt in json": ("a.json", lambda url: layers(f"/vsicurl/{url}.geojson")),
    "vrt in kml": ("a.kml", lambda url: f"<kml></kml>{layers('/vsicurl/' + url)}"),
    "other xml": ("a.kml", lambda url: f"<wfs>{url}</wfs>"),
    "schema": ("a.kml", lambda url: f'<kml {GML} schemaLocation="{url} {url}.xsd"/>'),
    "entity": ("a.kml", lambda url: f'<!DOCTYPE kml [<!ENTITY a SYSTEM "{url}">]><kml>&a;</kml>'),
    "pipeline": (
        "a.geojson",
        lambda url: f'{{"type": "gdal_streamed_alg", "command_line": "gdal vector read {url} ! write out"}}',
    ),
    "table": ("a.tab", lambda url: f'!table\nFile "/vsicurl/{url}.tab"\n'),
}


def test_a_virtual_layer_connects_where_nothing_guards_it(tmp_path, server: Server) -> None:
    name, content = VECTORS["vrt"]
    with pytest.warns(RuntimeWarning):
        pyogrio.list_layers(file(tmp_path / name, content(server.url)))
    assert server.called(5.0)


@pytest.mark.parametrize("case", VECTORS)
def test_vectors_that_point_elsewhere_are_refused_without_a_connection(tmp_path, server: Server, case: str) -> None:
    name, content = VECTORS[case]
    path = file(tmp_path / name, content(server.url))
    with pytest.raises(LocalError) as error:
        read_scarps(path, GRID, FIELD)
    assert str(error.value).startswith(f"{FIELD}: {path}: ")
    assert "; " in str(error.value)
    assert not server.called(0.1)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW v AS SELECT ogr_geocode('a') FROM a",
        "CREATE VIRTUAL TABLE v USING fts4(name)",
    ],
)
def test_a_geopackage_holds_tables_alone(tmp_path, sql: str) -> None:
    path = vector(tmp_path / "a.gpkg", "IAU_2015:30135", shapely.LineString([(0, 0), (1e4, 0)]), layer="a")
    assert read_scarps(path, GRID, FIELD).read == 1
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(sql)
    with pytest.raises(LocalError, match="view or virtual table 'v', which is not read; keep tables alone"):
        read_scarps(path, GRID, FIELD)


@pytest.mark.parametrize(
    ("name", "driver"), [("a.mif", "MapInfo File"), ("a.tab", "MapInfo File"), ("a.gmt", "OGR_GMT")]
)
def test_every_kind_that_is_promised_passes(tmp_path, name: str, driver: str) -> None:
    line = shapely.LineString([(0, -85), (1, -85)])
    path = tmp_path / name
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[line], crs="IAU_2015:30100").to_file(path, driver=driver)
    assert driver in vector_drivers(path, FIELD)


def test_the_options_of_the_process_are_put_back(tmp_path) -> None:
    read_scarps(geojson(tmp_path / "a.geojson", [[0, -85], [0, -86]]), GRID, FIELD)
    assert [pyogrio.get_gdal_config_option(name) for name in OFFLINE] == [None] * len(OFFLINE)
