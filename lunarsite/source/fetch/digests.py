"""Checksums of what passes, made beside the transfer: a hash is slower than a fast network or disk."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunarsite.source.fetch.control import Control

BLOCK_BYTES = 2**20
QUEUE_BLOCKS = 16


class Digests:
    """SHA-256 and, where the publisher gives one, MD5 of what passes; hashed in threads, as bytes go on coming.

    At most QUEUE_BLOCKS blocks wait for each; whoever brings the next one waits with them.
    """

    def __init__(self, with_md5: bool) -> None:
        self._hashes = {"sha256": hashlib.sha256()}
        if with_md5:
            self._hashes["md5"] = hashlib.md5(usedforsecurity=False)
        # A thread of its own for each: a hash must see the blocks in their order.
        self._threads = {name: ThreadPoolExecutor(1, f"hash-{name}") for name in self._hashes}
        self._waiting: deque[Future[None]] = deque()

    def update(self, block: bytes) -> None:
        """Take the next bytes."""
        for name, one in self._hashes.items():
            self._waiting.append(self._threads[name].submit(one.update, block))
        while len(self._waiting) > QUEUE_BLOCKS * len(self._hashes):
            self._waiting.popleft().result()

    def update_file(self, path: Path, n_bytes: int, control: Control) -> None:
        """Take the first `n_bytes` of a file."""
        with path.open("rb", buffering=0) as file:
            left = n_bytes
            while left > 0 and (block := file.read(min(left, BLOCK_BYTES))):
                control.check()
                self.update(block)
                left -= len(block)

    def close(self) -> None:
        """End the threads; the checksums can still be read."""
        for thread in self._threads.values():
            thread.shutdown(wait=True)

    @property
    def sha256(self) -> str:
        """Checksum of what has passed, hexadecimal."""
        return self._read("sha256")

    @property
    def md5(self) -> str | None:
        """The same, None if none is kept."""
        return self._read("md5") if "md5" in self._hashes else None

    def _read(self, name: str) -> str:
        while self._waiting:
            self._waiting.popleft().result()
        return self._hashes[name].hexdigest()
