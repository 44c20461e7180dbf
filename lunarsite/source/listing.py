"""`python -m lunarsite sources`: the published products, what is on disk of them, and what a run would fetch and cost.

It reads the table of products, the settings of a run and the names and sizes of files. It opens no connection.
"""

from __future__ import annotations

import argparse
import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import lunarsite
from lunarsite import plan
from lunarsite.artefact import ArtefactError
from lunarsite.settings import Settings, SettingsError, parse
from lunarsite.source.fetch.errors import amount
from lunarsite.source.listing_json import as_json
from lunarsite.source.needs import check_products, dataset_products, named_products, needed_products, ways_without
from lunarsite.source.products import Product, ProductFile, read_products
from lunarsite.source.stock import Stock, free_bytes, look, same_disk, unpacked_bytes

ROOT = Path(lunarsite.__file__).resolve().parents[1]
PRODUCTS = ROOT / "resources" / "products.yaml"
_WORDS = {
    "fetched": "fetched",
    "unverified": "there, not verified",
    "partial": "partly there",
    "missing": "missing",
    "damaged": "damaged",
    "online": "asked when needed",
}
_WIDTH, _NAME = 118, 26
NOTES = "docs/products.md"
_GIB = 2**30


@dataclass(frozen=True)
class Room:
    """A disk that a run writes to."""

    folders: tuple[Path, ...]
    needed_bytes: int
    spare_bytes: int
    """What must stay free."""
    free_bytes: int

    @property
    def lacking_bytes(self) -> int:
        """What the disk lacks."""
        return max(0, self.needed_bytes + self.spare_bytes - self.free_bytes)


@dataclass(frozen=True)
class Listing:
    """The table of products beside one run's settings."""

    settings: Settings
    products: Mapping[str, Product]

    @cached_property
    def stocks(self) -> Mapping[str, Stock]:
        """What is on disk of each product."""
        folder = self.settings.source.fetch.folder
        return {name: look(name, product, folder) for name, product in self.products.items()}

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The products that the run reads."""
        return needed_products(self.settings)

    @cached_property
    def for_sets(self) -> tuple[str, ...]:
        """Further products that `snakemake datasets` reads, as far as the table has them."""
        named = dataset_products(self.settings)
        return tuple(name for name in named if name in self.products and name not in self.needed)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Products that the run reads and that are not there."""
        return tuple(name for name in self.needed if not self.stocks[name].usable)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Those of them that no program may fetch."""
        return tuple(name for name in self.lacking if self.is_by_hand(name))

    def is_by_hand(self, name: str) -> bool:
        """Whether no program would fetch a product: no mirror may have it, nor would Kaggle's client bring it."""
        at_no_address = self.products[name].access == "credentials" and not self.settings.source.fetch.mirrors
        return at_no_address and not self.is_by_kaggle(name)

    def is_by_kaggle(self, name: str) -> bool:
        """Whether Kaggle's client would fetch a product."""
        asked = self.products[name].kaggle is not None and not self.settings.source.fetch.mirrors
        return asked and not self.kaggle_lacks

    @cached_property
    def kaggle_lacks(self) -> str:
        """Why Kaggle's client would fetch nothing, '' if it would."""
        from lunarsite.source.fetch.kaggle_client import lacks

        return "source.fetch.offline forbids it" if self.settings.source.fetch.offline else lacks(os.environ)

    @property
    def bytes_to_fetch(self) -> int:
        """What the run would transfer, bytes, as far as sizes are known."""
        return sum(self.stocks[name].bytes_to_fetch or 0 for name in self.lacking if name not in self.by_hand)

    @property
    def bytes_to_unpack(self) -> int:
        """What unpacking would take besides, bytes."""
        return sum(unpacked_bytes(self.products[name].files) for name in self.lacking)

    @property
    def results(self) -> Path:
        """Where snakemake, started in this folder, puts the run's results."""
        return Path("results", self.settings.run)

    @cached_property
    def bytes_to_write(self) -> int:
        """What the run would leave there, bytes, less what is there already."""
        there = sum(entry.stat().st_size for entry in self.results.rglob("*") if entry.is_file())
        return max(0, round(plan.result_bytes(self.settings, self.product_bytes)) - there)

    @property
    def rooms(self) -> tuple[Room, ...]:
        """The disks of downloads and of results, or the one disk of both, and what they must hold more."""
        fetch = self.settings.source.fetch
        spare, loads = round(fetch.spare_disk_gib * _GIB), self.bytes_to_fetch + self.bytes_to_unpack
        if same_disk(fetch.folder, self.results):
            both = fetch.folder, self.results
            return (Room(both, loads + self.bytes_to_write, spare, free_bytes(fetch.folder)),)
        return (
            Room((fetch.folder,), loads, spare, free_bytes(fetch.folder)),
            Room((self.results,), self.bytes_to_write, spare, free_bytes(self.results)),
        )

    @cached_property
    def product_bytes(self) -> Mapping[str, int]:
        """Sizes of the products that the run reads, as the table knows them."""
        return {name: self.products[name].bytes or 0 for name in self.needed}

    @cached_property
    def costs(self) -> tuple[plan.Cost, ...]:
        """What the run's stages take."""
        return plan.estimate(self.settings, self.product_bytes)


def listing_of(settings: Settings, products: Mapping[str, Product]) -> Listing:
    """Return the listing of a run.

    Raises:
        SettingsError: The settings name a product that the table lacks, or one for another purpose.
    """
    check_products(settings, products)
    return Listing(settings, products)


def product_lines(listing: Listing) -> list[str]:
    """Return the table of products as lines: those that the run reads, those that sets of images do, and the others."""
    uses: dict[str, list[str]] = {}
    if listing.settings.source.kind == "published":
        for setting, name in named_products(listing.settings):
            uses.setdefault(name, []).append(setting.removeprefix("source.published."))
    run, sets = listing.settings.run, listing.for_sets
    others = [name for name in listing.products if name not in (*listing.needed, *sets)]
    lines = [] if listing.needed else [f"Run '{run}' reads no published product."]
    groups = (
        (f"Run '{run}' reads", listing.needed),
        ("Sets of images and outlines, no part of a run: `snakemake datasets` reads", sets),
        ("Other products" if listing.needed else "Products that other runs read, or a use of your own", others),
    )
    for title, names in groups:
        if names:
            lines += [f"{title}:", *(line for name in names for line in _product(listing, name, uses.get(name, [])))]
            lines += _sets_lines(listing) if names is sets else []
    return lines


def _sets_lines(listing: Listing) -> list[str]:
    """Return what `snakemake datasets` would still fetch, and what a person gets for it."""
    lacking = [name for name in listing.for_sets if listing.stocks[name].state != "online"]
    lacking = [name for name in lacking if not listing.stocks[name].usable]
    by_hand = [name for name in lacking if listing.is_by_hand(name)]
    by_kaggle = [name for name in lacking if listing.is_by_kaggle(name)]
    sizes = {name: listing.stocks[name].bytes_to_fetch or 0 for name in lacking}
    there = sum(sizes[name] for name in lacking if name not in by_hand)
    text = f"To fetch for them: about {amount(there)}, besides pages and images of archives, one by one."
    if by_kaggle:
        text += f" Of that about {amount(sum(sizes[name] for name in by_kaggle))} by Kaggle's client: "
        text += f"{', '.join(by_kaggle)}."
    if by_hand:
        got = sum(sizes[name] for name in by_hand)
        text += (
            f" At no address of their own, about {amount(got)}: {', '.join(by_hand)}; how they are got is in {NOTES}."
        )
        meant = [name for name in by_hand if listing.products[name].kaggle is not None]
        if meant:
            text += f" Kaggle's client would fetch {', '.join(meant)}, but {listing.kaggle_lacks}."
    return _wrapped(text, 2)


def fetch_lines(listing: Listing) -> list[str]:
    """Return what the run would fetch, from where, and whether the disk has room; nothing if it reads no product."""
    if not listing.needed:
        return []
    asked = [name for name in listing.lacking if name not in listing.by_hand]
    there = len(listing.needed) - len(listing.lacking)
    lines = [f"To fetch: {len(asked)} of the {len(listing.needed)} products that run '{listing.settings.run}' reads"]
    lines[0] += f"; {there} are there." if there else "."
    for name in asked:
        product, stock = listing.products[name], listing.stocks[name]
        size = "unknown size" if stock.bytes_to_fetch is None else amount(stock.bytes_to_fetch)
        about = _about(stock.missing) if stock.bytes_to_fetch else ""
        lines.append(f"  {name:<{_NAME}}{about + size:>15}  {_WORDS[stock.state]}; {_origin(listing, name)}")
        lines += _wrapped(f"{product.licence}{f'; {_note(stock)}' if stock.note else ''}", 6)
    unsure = sum(bool(listing.products[name].notes) for name in asked)
    if unsure:
        lines += _wrapped(
            f"What is unsure about {unsure} of them, such as addresses that were not tried, is in {NOTES}.", 2
        )
    return [*lines, *_by_hand_lines(listing), *room_lines(listing)]


def room_lines(listing: Listing) -> list[str]:
    """Return how much is transferred and written, and whether the disks have room for downloads and results."""
    fetch = listing.settings.source.fetch
    lines = [f"  transfer about {amount(listing.bytes_to_fetch)} into {fetch.folder}"]
    if listing.bytes_to_unpack:
        lines[0] += f", and about {amount(listing.bytes_to_unpack)} more once archives are unpacked"
    if listing.bytes_to_write:
        lines.append(f"  results of about {amount(listing.bytes_to_write)} more into {listing.results}")
    for room in listing.rooms:
        what = " and ".join(str(folder) for folder in room.folders)
        lines.append(
            f"  free disk at {what} {amount(room.free_bytes)}, of which {amount(room.spare_bytes)} must stay free"
        )
        if room.lacking_bytes:
            lines.append(f"  THE DISK LACKS ABOUT {amount(room.lacking_bytes)}")
    return lines


def cost_lines(listing: Listing) -> list[str]:
    """Return what the run's stages are estimated to take."""
    result = amount(plan.result_bytes(listing.settings, listing.product_bytes))
    head = f"To compute, estimated (lunarsite/plan.py), for run '{listing.settings.run}':"
    table = plan.table_lines(listing.costs, os.cpu_count() or 1, machine_mib())
    return [head, *table, f"  results about {result}"]


def machine_mib() -> float:
    """Return the memory of this machine, MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20


def run_lines(settings: Settings, products: Mapping[str, Product]) -> list[str]:
    """Return what a run would fetch and compute, as a dry run prints it.

    Raises:
        SettingsError: The settings name a product that the table lacks, or one for another purpose.
    """
    listing = listing_of(settings, products)
    return [*fetch_lines(listing), *cost_lines(listing)]


def missing_text(settings: Settings, products: Mapping[str, Product]) -> str:
    """Return what an offline run lacks and where to put it; nothing if it lacks nothing.

    Raises:
        SettingsError: The settings name a product that the table lacks, or one for another purpose.
    """
    listing = listing_of(settings, products)
    if not listing.lacking:
        return ""
    head = f"run '{settings.run}' is offline and lacks {len(listing.lacking)} of {len(listing.needed)} products:"
    return "\n".join([head, *(line for name in listing.lacking for line in _place_lines(listing, name))])


def read_settings(overlays: Sequence[Path]) -> Settings:
    """Return a run's settings: config.yaml beside the package, with overlays laid over it as snakemake does.

    Raises:
        SettingsError: A file is missing, no mapping in YAML, or the settings do not hold.
    """
    default = ROOT / "config.yaml"
    merged: dict[str, Any] = {}
    for path in (*([default] if default.is_file() else []), *overlays):
        merged = _laid_over(merged, _mapping(path))
    return parse(merged)


def main(arguments: Sequence[str]) -> int:
    """Print the listing; return 0, or 3 where --offline (or the settings) forbid to fetch what a run lacks.

    Raises:
        SettingsError: The settings do not hold, or name what the table lacks.
        ArtefactError: The table of products does not hold.
    """
    options = _parser().parse_args(arguments)
    settings = read_settings(options.configfile)
    listing = listing_of(settings, read_products(options.products))
    offline = options.offline or settings.source.fetch.offline
    if options.json:
        print(json.dumps(as_json(listing), indent=1))  # noqa: T201 - the command line's own output
    else:
        print("\n".join(_text(listing)))  # noqa: T201
    lacks = missing_text(settings, listing.products) if offline else ""
    if lacks:
        raise ArtefactError(lacks)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lunarsite sources",
        description="List the published products, what is on disk of them, and what a run would fetch and cost.",
        allow_abbrev=False,
    )
    parser.add_argument(
        *("--configfile", "--configfiles"),
        nargs="+",
        action="extend",
        type=Path,
        default=[],
        metavar="OVERLAY",
        help="a run's settings, laid over config.yaml in this order, as snakemake does",
    )
    parser.add_argument(
        "--offline", action="store_true", help="fail (3) if the run lacks a product; say where to put it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--products", type=Path, default=PRODUCTS, metavar="PATH", help="another table of products")
    return parser


def _text(listing: Listing) -> list[str]:
    parts = [product_lines(listing), fetch_lines(listing), cost_lines(listing)]
    return "\n\n".join("\n".join(part) for part in parts if part).split("\n")


def _product(listing: Listing, name: str, uses: Sequence[str]) -> list[str]:
    product, stock = listing.products[name], listing.stocks[name]
    size = "unknown" if product.bytes is None else f"{_about(product.files)}{amount(product.bytes)}"
    head = f"  {name:<{_NAME}}{product.version:<8}{size:>15}  {_WORDS[stock.state]:<21}{', '.join(uses)}".rstrip()
    # What is wrong with one that a run lacks stands with what is to be fetched.
    note = _wrapped(_note(stock), 6) if stock.note and (stock.usable or name not in listing.needed) else []
    return [head, *_wrapped(f"{product.title}. {product.licence}.", 6), *note]


def _note(stock: Stock) -> str:
    return f"damaged: {stock.note}" if stock.state == "damaged" else f"to be checked anew: {stock.note}"


def _about(files: Sequence[ProductFile]) -> str:
    return "" if all(file.size_is == "published" for file in files) else "about "


def _origin(listing: Listing, name: str) -> str:
    """Return the servers that are asked, in turn, or Kaggle's client."""
    if listing.is_by_kaggle(name):
        return "Kaggle's client"
    product = listing.products[name]
    urls = [url for file in product.files for url in file.urls] or [product.zenodo or product.page]
    mirrors = listing.settings.source.fetch.mirrors
    return ", ".join(dict.fromkeys(url.split("/")[2] for url in (*mirrors, *urls)))


def _by_hand_lines(listing: Listing) -> list[str]:
    if not listing.by_hand:
        return []
    lines = ["No program may fetch these; a person does:"]
    return [*lines, *(line for name in listing.by_hand for line in _place_lines(listing, name))]


def _without_lines(listing: Listing, name: str) -> list[str]:
    """Return by which settings the run does without a product; nothing if it cannot."""
    ways = ways_without(listing.settings, name)
    return _wrapped(f"or leave it out of the run: {'; and '.join(ways)}", 4) if ways else []


def _place_lines(listing: Listing, name: str) -> list[str]:
    product, stock = listing.products[name], listing.stocks[name]
    lines = [f"  {name}: {product.title} ({product.page})"]
    lines += _wrapped(product.instructions, 4) if product.instructions else []
    if product.kaggle is not None:
        why = listing.kaggle_lacks or "mirrors are asked instead"
        lines += _wrapped(f"Kaggle's client would fetch it, but {why}", 4)
    lines += _wrapped(_note(stock), 4) if stock.note else []
    lines.append(f"    put into {stock.folder.absolute()}:")
    for file in stock.missing if product.files else ():
        size = "" if file.bytes is None else f", {_about((file,))}{amount(file.bytes)}"
        record = f" (in the record: {file.published_as})" if file.published_as else ""
        lines.append(f"      {file.name}{record}{size}" + "".join(f"\n        {url}" for url in file.urls))
    return [*lines, *_without_lines(listing, name)]


def _wrapped(text: str, indent: int) -> list[str]:
    pad = " " * indent
    # Paths and addresses stay whole.
    return textwrap.wrap(
        text, _WIDTH, initial_indent=pad, subsequent_indent=pad, break_long_words=False, break_on_hyphens=False
    )


def _mapping(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{path}: is no readable YAML ({error})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: needs keys at its top level, as config.yaml has them")
    return values


def _laid_over(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
