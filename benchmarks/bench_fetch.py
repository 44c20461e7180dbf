"""Fetching from loopback: our rate beside curl's, and the memory that a large file takes.

    python -m benchmarks.bench_fetch [--gb 2] [--rounds 3] [--large-gb 10] [--folder /tmp]

A server in a process of its own sends pseudo-random blocks, made once, for as long as a file lasts. curl and our
fetcher take turns in fetching one file from it onto the same disk. Both write it; ours also hashes it and makes it safe
on disk (fsync), so curl followed by sha256sum stands beside it. Where the publisher gives an md5 that is computed too,
and is slower than the loopback. The ratio of the medians is printed. Then one large file streams in a process of its
own, whose peak memory is printed. Everything that is written is removed.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import multiprocessing
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from lunarsite.settings import FetchSettings
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.file import fetch_file
from lunarsite.source.fetch.progress import Progress
from lunarsite.source.products import ProductFile

BLOCK = np.random.default_rng(0).integers(0, 256, 2**22, dtype=np.uint8).tobytes()
LIMIT_MIB = 200.0
LEAST_RATIO = 0.8


class Stream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        left = int(self.path.rsplit("/", 1)[1])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.send_header("ETag", f'"{left}"')
        self.end_headers()
        block = memoryview(BLOCK)
        while left > 0:
            self.connection.sendall(block[:left])
            left -= min(left, len(block))

    def log_message(self, *_: object) -> None:
        pass


def serve(channel: Connection) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    channel.send(server.server_port)
    server.serve_forever()


def expected(n_bytes: int, kind: str) -> str:
    digest = hashlib.new(kind)
    for start in range(0, n_bytes, len(BLOCK)):
        digest.update(BLOCK[: n_bytes - start])
    return digest.hexdigest()


def ours(url: str, target: Path, n_bytes: int, md5: str | None = None) -> str:
    file = ProductFile(name=target.name, content="pds3-image", bytes=n_bytes, size_is="published", md5=md5, urls=(url,))
    bar = Progress("bench", print).file(file.name, n_bytes)
    return fetch_file(file, target, file.urls, FetchSettings(), bar, control=Control()).sha256


def curl(url: str, target: Path) -> None:
    subprocess.run(["curl", "-sS", "-f", "-o", str(target), url], check=True)


def curl_and_hash(url: str, target: Path) -> None:
    curl(url, target)
    subprocess.run(["sha256sum", str(target)], check=True, capture_output=True)


def timed(call: Callable[[], object], target: Path) -> float:
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    for path in target.parent.glob("*"):
        path.unlink()
    return seconds


def compare(url: str, folder: Path, n_bytes: int, rounds: int) -> None:
    target = folder / "file.img"
    md5 = expected(n_bytes, "md5")
    seconds: dict[str, list[float]] = {"curl": [], "curl, sha256sum": [], "ours": [], "ours with md5": []}
    for _ in range(rounds):
        seconds["curl"].append(timed(lambda: curl(url, target), target))
        seconds["curl, sha256sum"].append(timed(lambda: curl_and_hash(url, target), target))
        seconds["ours"].append(timed(lambda: ours(url, target, n_bytes), target))
        seconds["ours with md5"].append(timed(lambda: ours(url, target, n_bytes, md5), target))
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in middle.items():
        ratio = middle["curl"] / value
        print(
            f"{name:16s} {n_bytes / value / 2**20:7.0f} MiB/s ({', '.join(f'{s:.2f}' for s in seconds[name])} s),"
            f" {ratio:.2f} of curl's rate" + ("" if name.startswith("curl") else f" (asked: {LEAST_RATIO})")
        )


def peak(url: str, folder: str, n_bytes: int, channel: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    start = time.perf_counter()
    sha256 = ours(url, Path(folder, "large.img"), n_bytes)
    seconds = time.perf_counter() - start
    channel.send((sha256, seconds, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10))


def large(url: str, folder: Path, n_bytes: int) -> None:
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=peak, args=(url, str(folder), n_bytes, theirs))
    process.start()
    sha256, seconds, before, after = mine.recv()
    process.join()
    same = sha256 == expected(n_bytes, "sha256") and (folder / "large.img").stat().st_size == n_bytes
    print(
        f"{n_bytes / 1e9:g} GB in {seconds:.1f} s ({n_bytes / seconds / 2**20:.0f} MiB/s), peak memory {after:.0f} MiB"
        f" ({before:.0f} before; limit {LIMIT_MIB:.0f}), {'the right bytes' if same else 'WRONG BYTES'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large-gb", type=float, default=10.0, help="0: no large file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{mine.recv()}"
    folder = Path(tempfile.mkdtemp(prefix="bench-fetch-", dir=options.folder))
    try:
        n_bytes = int(options.gb * 1e9)
        compare(f"{address}/{n_bytes}", folder, n_bytes, options.rounds)
        if options.large_gb > 0.0:
            n_bytes = int(options.large_gb * 1e9)
            large(f"{address}/{n_bytes}", folder, n_bytes)
    finally:
        shutil.rmtree(folder)
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
