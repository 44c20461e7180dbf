"""One product: all its files side by side, archives unpacked, and the receipt of what there is."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.source.fetch import kaggle, kaggle_client
from lunarsite.source.fetch.archives import unpack
from lunarsite.source.fetch.control import Control
from lunarsite.source.fetch.digests import Digests
from lunarsite.source.fetch.errors import DiskError, FetchError, StoppedError, amount
from lunarsite.source.fetch.file import Fetched, Trust, fetch_file, locked, verify
from lunarsite.source.fetch.pins import Pins
from lunarsite.source.fetch.progress import Progress
from lunarsite.source.fetch.room import check_room, telling_when_full
from lunarsite.source.fetch.zenodo import check_record, completed, read_record
from lunarsite.source.products import Product, ProductFile
from lunarsite.source.stock import unpacked_bytes

if TYPE_CHECKING:
    from lunarsite.settings import FetchSettings

_LOG = logging.getLogger("lunarsite.fetch")
LOCK_FILE = "checksums.lock"
RECORD_FILE = "zenodo-record.json"
RECEIPT_FILE = "receipt.json"
_OWN_SUFFIXES = (".lock", ".part", ".part.json")
_RECORD_BYTES = 2**17
_MOST_FILES = 100_000
_WAKE_S = 1.0
BY_USER = "nothing: put there by the user"


def fetch_product(
    name: str, product: Product, folder: Path, settings: FetchSettings, control: Control
) -> tuple[Downloaded, ...]:
    """Fetch, verify and unpack all files of a product.

    Args:
        name: The product's name in the table.
        product: Its entry there.
        folder: Where its files go, `<fetch.folder>/<name>/<version>`.
        settings: Tries, waits, limits, mirrors; the lock file of first downloads lies in its folder.
        control: Stops the transfers; they are also stopped when this function is left by an exception.

    Returns:
        The product's files in the table's order, after each archive what was unpacked of it.

    Raises:
        FetchError: A file cannot be had; the message says of each why and what to do.
    """
    _check_access(name, product)
    with telling_when_full(folder / RECEIPT_FILE):
        folder.mkdir(parents=True, exist_ok=True)
    if not product.files:
        return _whatever_lies_there(name, product, folder, control)
    _ask_kaggle(product, folder, settings, control)
    missing = [file for file in product.files if not (folder / file.name).is_file()]
    if missing and (settings.offline or (product.access == "credentials" and not settings.mirrors)):
        raise FetchError(_by_hand(name, product, missing, folder, offline=settings.offline))
    if missing or (folder / RECORD_FILE).is_file():
        product = _with_record(name, product, folder, settings, control)
    if missing:
        to_come = [file for file in product.files if not (folder / file.name).is_file()]
        transfer_bytes = sum((file.bytes or 0) - _part_bytes(folder / file.name) for file in to_come)
        # Archives that lie there already have been unpacked too, where there is a receipt.
        to_unpack = to_come if (folder / RECEIPT_FILE).is_file() else product.files
        check_room(folder, transfer_bytes + unpacked_bytes(tuple(to_unpack)), settings)
    fetched = _side_by_side(name, product, folder, settings, control)
    # Two processes must not unpack one archive over each other.
    with telling_when_full(folder / RECEIPT_FILE), locked(folder / RECEIPT_FILE, control):
        return _entries(product, folder, fetched, control)


def _ask_kaggle(product: Product, folder: Path, settings: FetchSettings, control: Control) -> None:
    """Have Kaggle's client fetch what is missing of a product that lies there, if the user has it and a token."""
    missing = [file for file in product.files if not (folder / file.name).is_file()]
    if product.kaggle is None or not missing or settings.offline or settings.mirrors:
        return
    program = kaggle_client.client(os.environ)
    if program is not None:
        check_room(folder, sum(file.bytes or 0 for file in missing) + unpacked_bytes(tuple(missing)), settings)
        with telling_when_full(folder / missing[0].name):
            kaggle.fetch_set(program, product.kaggle, missing, folder, settings, control)


def addresses(name: str, product: Product, path: str, own: Sequence[str], mirrors: Sequence[str]) -> tuple[str, ...]:
    """Return where a file is asked for, in turn: the user's mirrors, then its own addresses.

    Args:
        name: The product's name in the table.
        product: Its entry there.
        path: The file's path in the product's folder.
        own: Addresses of the table; left out where the publisher lets no program fetch.
        mirrors: The user's mirrors, which are laid out as the folder of downloads is.
    """
    place = f"{name}/{quote(product.version)}/{quote(path)}"
    last = () if product.access == "credentials" else own
    return tuple(dict.fromkeys((*(f"{mirror.rstrip('/')}/{place}" for mirror in mirrors), *last)))


def _side_by_side(
    name: str, product: Product, folder: Path, settings: FetchSettings, control: Control
) -> dict[str, Fetched]:
    pins = Pins(settings.folder / LOCK_FILE)
    progress = Progress(name, _LOG.info)
    bars = {file.name: progress.file(file.name, file.bytes) for file in product.files}

    def one(file: ProductFile) -> Fetched:
        trust = Trust(pins, f"{name}/{product.version}/{file.name}")
        sources = addresses(name, product, file.name, file.urls, settings.mirrors)
        if settings.offline:
            found = verify(file, folder / file.name, bars[file.name], trust=trust, control=control)
        else:
            found = fetch_file(
                file, folder / file.name, sources, settings, bars[file.name], trust=trust, control=control
            )
        pins.pin(trust.key, found.sha256, found.bytes, found.url)
        return found

    pool = ThreadPoolExecutor(settings.parallel, thread_name_prefix="fetch")
    futures: dict[Future[Fetched], str] = {}
    fetched: dict[str, Fetched] = {}
    failed: dict[str, FetchError] = {}
    try:
        futures = {pool.submit(one, file): file.name for file in product.files}
        for future in _as_they_end(futures):
            try:
                fetched[futures[future]] = future.result()
            except DiskError:
                raise
            except FetchError as error:
                # The others go on: what they bring is there the next time.
                failed[futures[future]] = error
            else:
                _LOG.info("%s: %s is there; %s", name, futures[future], progress.line())
    except BaseException:
        # Also an interrupt of the main thread: threads that wait for a server must not keep it waiting.
        control.stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failed:
        told = [str(failed[file.name]) for file in product.files if file.name in failed]
        raise FetchError(f"{name}: {len(failed)} of {len(product.files)} files failed\n" + "\n".join(told))
    return fetched


def _as_they_end(futures: Iterable[Future[Fetched]]) -> Iterator[Future[Fetched]]:
    """Yield futures as they end.

    Unlike `as_completed` it wakes every now and then: a signal that comes just before the main thread begins to wait
    does not wake it, and would be heeded only when the next file has come.
    """
    waiting = set(futures)
    while waiting:
        ended, waiting = wait(waiting, timeout=_WAKE_S, return_when=FIRST_COMPLETED)
        yield from ended


def _with_record(name: str, product: Product, folder: Path, settings: FetchSettings, control: Control) -> Product:
    """Return a product with what its Zenodo record says of its files, if it has one."""
    if product.zenodo is None:
        return product
    record = ProductFile(name="record", content="json", bytes=_RECORD_BYTES)
    bar = Progress(f"{name}, record", _LOG.info).file(RECORD_FILE, None)
    sources = addresses(name, product, RECORD_FILE, (product.zenodo,), settings.mirrors)

    def examine(path: Path, where: str) -> None:
        # A server that is being mended answers with JSON, too: such an answer must not stay and be found the next time.
        check_record(path, product, where)

    try:
        found = fetch_file(record, folder / RECORD_FILE, sources, settings, bar, examine=examine, control=control)
    except (DiskError, StoppedError):
        raise
    except FetchError as error:
        nowhere = [file.name for file in product.files if not file.urls]
        if nowhere and not settings.mirrors:
            raise FetchError(f"{name}: its record tells where {nowhere[0]} lies, and cannot be had: {error}") from error
        # A mirror may hold the files and not the record; the receipt says what the files were checked against.
        _LOG.warning(
            "%s: the record that gives checksums cannot be had, so the first download is trusted: %s", name, error
        )
        return product
    try:
        return completed(product, read_record(found.path))
    except ArtefactError as error:
        raise FetchError(
            f"{error} (the record was read from {found.path}; remove that to have the record fetched again)"
        ) from error


def _entries(product: Product, folder: Path, fetched: dict[str, Fetched], control: Control) -> tuple[Downloaded, ...]:
    listed = {file.name for file in product.files}
    found: list[Downloaded] = []
    for file in product.files:
        one = fetched[file.name]
        found.append(
            Downloaded(
                name=file.name, bytes=one.bytes, sha256=one.sha256, url=one.url, checked=one.checked, md5=one.md5
            )
        )
        if not file.unpack:
            continue
        kind: Literal["zip", "tar"] = "zip" if file.content == "zip" else "tar"  # the table unpacks nothing else
        for path in unpack(one.path, kind, file.unpack, one.path.parent):
            member = path.relative_to(folder).as_posix()
            if member in listed or member == RECEIPT_FILE:
                raise FetchError(f"{one.path}: its member '{member}' has the name of another file of the product")
            listed.add(member)
            found.append(_hashed(path, member, one.url, f"unpacked from {file.name}", control))
    return tuple(found)


def _whatever_lies_there(name: str, product: Product, folder: Path, control: Control) -> tuple[Downloaded, ...]:
    found: list[Downloaded] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for one in sorted(names):
            path = Path(root, one)
            own = one in (RECEIPT_FILE, RECORD_FILE) or one.startswith(".") or one.endswith(_OWN_SUFFIXES)
            if not own and path.is_file():
                found.append(_hashed(path, path.relative_to(folder).as_posix(), "", BY_USER, control))
        if len(found) > _MOST_FILES:
            raise FetchError(f"{folder}: holds more than {_MOST_FILES} files, which no product of the table does")
    if not found:
        raise FetchError(_by_hand(name, product, (), folder, offline=False))
    return tuple(sorted(found, key=lambda file: file.name))


def _hashed(path: Path, name: str, url: str, checked: str, control: Control) -> Downloaded:
    size = path.stat().st_size
    with contextlib.closing(Digests(with_md5=False)) as digests:
        digests.update_file(path, size, control)
    return Downloaded(name=name, bytes=size, sha256=digests.sha256, url=url, checked=checked)


def _check_access(name: str, product: Product) -> None:
    if product.access in ("pages", "service"):
        raise FetchError(
            f"{name}: is no set of files; the stage {product.reader} asks its server for what it needs ({product.page})"
        )


def _by_hand(name: str, product: Product, missing: Sequence[ProductFile], folder: Path, *, offline: bool) -> str:
    """Return what a person does to get files that are not fetched."""
    lines = [f"{name} ({product.title}) is not there"]
    if product.access == "credentials":
        lines[0] += f" and cannot be fetched by a program. {product.instructions.strip()} ({product.page})"
    elif offline:
        lines[0] += ", and source.fetch.offline forbids to fetch it. Get these files elsewhere"
    lines.append(f"Put {'these files' if missing else 'the files'} into {folder.absolute()}:")
    for file in missing:
        size = "" if file.bytes is None else f", {'' if file.size_is == 'published' else 'about '}{amount(file.bytes)}"
        known = file.urls or ((f"see {product.zenodo}",) if product.zenodo else ())
        lines.append(f"  {file.name}{size}" + "".join(f"\n    {url}" for url in known))
    if not missing:
        lines[-1] = f"Put the files into {folder.absolute()}"
    return "\n".join(lines)


def _part_bytes(target: Path) -> int:
    part = target.with_name(f"{target.name}.part")
    return part.stat().st_size if part.is_file() else 0


def receipt_of(name: str, product: Product, files: tuple[Downloaded, ...]) -> Receipt:
    """Return the receipt of a product's files."""
    return Receipt(
        product=name,
        version=product.version,
        title=product.title,
        licence=product.licence,
        citation=product.citation,
        files=files,
    )
