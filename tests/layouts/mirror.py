"""A mirror of published products: small generated files, a table that names them, and a server that hands them out.

The files are those that the other modules of this folder write. The server keeps a log of what it was asked, honours
Range and If-Range, and can stop in the middle of a file and hold the connection. Products of Zenodo are handed out as
its API does: a record that names files, sizes and md5 sums, and the files below the record's address.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from lunarsite.source.products import Product, product_folder, read_products

from . import images, rasters, tables

WRITERS = {name: module for module in (rasters, tables, images) for name in module.PRODUCTS}
"""Which module writes which product."""
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """One request, and what was answered."""

    path: str
    range: str | None
    status: int
    sent: int
    """Bytes of the body that were sent."""


@dataclass
class Mirror:
    """A folder laid out as downloads are, `<product>/<version>/<file>`, and the log of its server."""

    folder: Path
    url: str = ""
    served: dict[str, Path] = field(default_factory=dict)
    """What the server has, by the path on it: filled by `table_of`."""
    asked: list[Asked] = field(default_factory=list)
    stalls: dict[str, int] = field(default_factory=dict)
    """Paths after how many bytes of which the server stops sending, once."""
    stalled: threading.Event = field(default_factory=threading.Event)
    """Set when it has."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set by a test to let it go on."""


def build(table: Path, folder: Path, half_widths_m: Mapping[str, float]) -> None:
    """Write small files of the products that are named, each covering +- its half width, below a mirror's folder."""
    products = read_products(table)
    for name, half_width_m in half_widths_m.items():
        target = product_folder(folder, name, products[name])
        target.mkdir(parents=True)
        WRITERS[name].write(name, target, half_width_m)


def table_of(table: Path, mirror: Mirror) -> str:
    """Return the table of products as it would be if the mirror were their publisher.

    What the mirror has is told with its address there: files with size and checksum, products of Zenodo with their
    record, from which size, md5 and address of each file are to be read. The rest stays as it is.
    """
    values = yaml.safe_load(table.read_text(encoding="utf-8"))
    for name, product in read_products(table).items():
        served = product_folder(mirror.folder, name, product)
        if not served.is_dir():
            continue
        entry = values["products"][name]
        entry["access"] = "files"
        if product.zenodo is not None:
            entry["zenodo"] = _serve_record(mirror, product, served)
            for file in entry["files"]:
                file.pop("urls", None)
                file.pop("size_is", None)
                file["bytes"] = (served / file["name"]).stat().st_size
            continue
        for file in entry["files"]:
            content, path = (served / file["name"]).read_bytes(), f"/{name}/{product.version}/{file['name']}"
            mirror.served[path] = served / file["name"]
            file |= {
                "urls": [mirror.url + path],
                "bytes": len(content),
                "size_is": "published",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    return yaml.safe_dump(values, sort_keys=False)


def _serve_record(mirror: Mirror, product: Product, folder: Path) -> str:
    """Have the mirror serve a product as a record of Zenodo's API; return the record's address."""
    number = str(product.zenodo).rsplit("/", 1)[1]
    path, files = f"/api/records/{number}", []
    for file in product.files:
        key = (file.published_as or file.name).replace("*", "as published, (1)")
        content = (folder / file.name).read_bytes()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        files.append({"id": md5, "key": key, "size": len(content), "checksum": f"md5:{md5}", "links": {}})
        mirror.served[f"{path}/files/{quote(key)}/content"] = folder / file.name
    record = mirror.folder / f"record-{number}.json"
    record.write_text(json.dumps({"id": int(number), "doi": f"10.5281/zenodo.{number}", "files": files}))
    mirror.served[path] = record
    return mirror.url + path


@contextmanager
def serving(folder: Path) -> Iterator[Mirror]:
    """Serve a mirror's folder on a free port of this machine."""
    mirror = Mirror(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"mirror": mirror}))
    server.daemon_threads = True
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        mirror.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.mirror.served.get(self.path)
        asked = self.headers.get("Range")
        if path is None:
            self.mirror.asked.append(Asked(self.path, asked, HTTPStatus.NOT_FOUND, 0))
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        status = path.stat()
        tag, size = f'"{status.st_mtime_ns:x}-{status.st_size:x}"', status.st_size
        first = self._first(asked, tag, size)
        self.send_response(HTTPStatus.OK if first is None else HTTPStatus.PARTIAL_CONTENT)
        if first is not None:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - (first or 0)))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", formatdate(status.st_mtime, usegmt=True))
        self.end_headers()
        sent = 0
        try:
            for block in self._blocks(path, first or 0):
                self.wfile.write(block)
                sent += len(block)
        except OSError:
            self.close_connection = True  # the other side has gone
        finally:
            code = HTTPStatus.OK if first is None else HTTPStatus.PARTIAL_CONTENT
            self.mirror.asked.append(Asked(self.path, asked, code, sent))

    def _first(self, asked: str | None, tag: str, size: int) -> int | None:
        """Return the first byte that is wanted, None if the whole file is."""
        condition = self.headers.get("If-Range")
        if asked is None or not asked.startswith("bytes=") or (condition is not None and condition != tag):
            return None
        first = asked.removeprefix("bytes=").split("-")[0]
        return int(first) if first.isdigit() and int(first) < size else None

    def _blocks(self, path: Path, first: int) -> Iterator[bytes]:
        stop = self.mirror.stalls.pop(self.path, None)
        with path.open("rb") as source:
            source.seek(first)
            while block := source.read(_BLOCK if stop is None else min(_BLOCK, stop - source.tell())):
                yield block
                if stop is not None and source.tell() >= stop:
                    self.wfile.flush()
                    self.mirror.stalled.set()
                    self.mirror.released.wait()
                    stop = None

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name in http.server
        """Keep the tests' output clean; `asked` is the log."""
