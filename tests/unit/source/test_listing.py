"""`sources`: what is on disk, what a run would fetch, and what an offline run lacks."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import yaml

from lunarsite import command, plan
from lunarsite.artefact import download
from lunarsite.artefact.contracts.source import DOWNLOAD
from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.settings import SettingsError, parse
from lunarsite.source import listing, stock
from lunarsite.source.fetch.errors import amount
from lunarsite.source.listing import missing_text, read_settings, run_lines
from lunarsite.source.products import Product, read_products
from lunarsite.source.stock import look
from lunarsite.stage import discover
from tests.unit.artefact.conftest import make_stamp

from .test_products import ENTRY, FILE

BYTES = b"heights"
OPTIONAL = dict.fromkeys(("far_dem", "elevation_error", "craters", "slope", "psr_polygons", "experts", "shadowcam"))


def product(**changes: Any) -> Product:
    return Product.model_validate({**ENTRY, **changes})


TWO = product(files=[FILE, {**FILE, "name": "b.tif", "urls": ["https://b.example/b.tif"], "bytes": 100}])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "resources" / "dem" / "2023").mkdir(parents=True)
    return tmp_path / "resources"


def put(folder: Path, name: str = "heights.tif", content: bytes = BYTES) -> Path:
    path = folder / "dem" / "2023" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def put_receipt(folder: Path, md5: str | None = None) -> Path:
    sha256 = hashlib.sha256(BYTES).hexdigest()
    file = Downloaded(name="heights.tif", bytes=7, sha256=sha256, url="", checked="first download", md5=md5)
    told = Receipt(product="dem", version="2023", title="T", licence="L", citation="C", files=(file,))
    path = folder / "dem" / "2023" / "receipt.json"
    download.write(path, DOWNLOAD, told, make_stamp("download"))
    return path


def test_nothing_there(folder: Path) -> None:
    found = look("dem", TWO, folder)
    assert (found.state, found.bytes_to_fetch, found.usable) == ("missing", 107, False)
    assert look("dem", TWO, folder / "nowhere").state == "missing"


def test_some_files_and_parts_of_others(folder: Path) -> None:
    put(folder)
    assert (look("dem", TWO, folder).state, look("dem", TWO, folder).bytes_to_fetch) == ("partial", 100)
    put(folder, "b.tif.part", b"x" * 30)
    assert look("dem", TWO, folder).bytes_to_fetch == 70
    put(folder, "b.tif.part", b"x" * 300)
    assert look("dem", TWO, folder).bytes_to_fetch == 0


def test_files_without_a_receipt_are_not_verified_yet(folder: Path) -> None:
    put(folder)
    found = look("dem", product(), folder)
    assert (found.state, found.usable, found.bytes_to_fetch) == ("unverified", True, 0)


def test_files_with_a_receipt(folder: Path) -> None:
    put(folder)
    put_receipt(folder)
    assert look("dem", product(), folder).state == "fetched"


def test_another_version_is_another_product(folder: Path) -> None:
    put(folder)
    put_receipt(folder)
    assert look("dem", product(version="2024"), folder).state == "missing"


@pytest.mark.parametrize("harm", ["gone", "shorter", "garbled"])
def test_a_receipt_that_its_files_do_not_fit(folder: Path, harm: str) -> None:
    path, receipt = put(folder), put_receipt(folder)
    if harm == "gone":
        path.unlink()
    elif harm == "shorter":
        path.write_bytes(BYTES[:-1])
    else:
        receipt.write_text("{")
    found = look("dem", product(), folder)
    assert (found.state, found.usable) == ("damaged", False)
    assert "rerun fetch-product" in found.note


MD5 = hashlib.md5(BYTES).hexdigest()
SIZE_AND_SUMS = {"bytes": 7, "size_is": "published", "md5": MD5, "sha256": hashlib.sha256(BYTES).hexdigest()}


def test_a_receipt_that_fits_all_that_the_table_gives(folder: Path) -> None:
    put(folder)
    put_receipt(folder, md5=MD5)
    found = look("dem", product(files=[{**FILE, **SIZE_AND_SUMS}]), folder)
    assert (found.state, found.note) == ("fetched", "")


@pytest.mark.parametrize(
    ("change", "state", "note"),
    [
        ({"md5": "0" * 32}, "unverified", "the md5 that the table gives now (00000"),
        ({"md5": MD5}, "unverified", "the md5 that the table gives now"),  # it was fetched before that was known
        ({"sha256": "0" * 64}, "unverified", "the sha256 that the table gives now"),
        ({"bytes": 8, "size_is": "published"}, "damaged", "has 7 bytes, the publisher's file has 8; remove or replace"),
        ({"bytes": 8, "size_is": "estimated"}, "fetched", ""),
        ({"name": "other.tif"}, "missing", "the receipt does not tell of other.tif"),
    ],
)
def test_a_receipt_of_what_the_table_said_before(folder: Path, change: dict[str, Any], state: str, note: str) -> None:
    put(folder)
    put_receipt(folder)
    found = look("dem", product(files=[{**FILE, **change}]), folder)
    assert (found.state, found.usable) == (state, state in ("fetched", "unverified"))
    assert note in found.note
    assert (found.note == "") == (note == "")


def test_a_receipt_from_before_the_table_listed_more(folder: Path) -> None:
    put(folder)
    put_receipt(folder)
    found = look("dem", TWO, folder)
    assert (found.state, found.bytes_to_fetch) == ("partial", 100)
    assert "does not tell of b.tif" in found.note
    put(folder, "b.tif")
    assert (look("dem", TWO, folder).state, look("dem", TWO, folder).usable) == ("unverified", True)


def test_a_file_of_another_than_the_published_size(folder: Path) -> None:
    path = put(folder, content=b"xx")
    found = look("dem", product(files=[{**FILE, "size_is": "published"}]), folder)
    assert (found.state, found.usable, found.bytes_to_fetch) == ("damaged", False, 7)
    assert found.note == f"{path} has 2 bytes, the publisher's file has 7; remove or replace it"
    assert look("dem", product(), folder).state == "unverified"


def test_a_size_that_nobody_knows(folder: Path) -> None:
    assert look("dem", product(files=[{**FILE, "bytes": None}]), folder).bytes_to_fetch is None


def test_a_product_whose_files_a_person_chooses(folder: Path) -> None:
    chosen = product(access="credentials", files=[], instructions="Choose some.")
    for name in (".hidden", "a.tif.part", "a.tif.part.json", "a.tif.lock", ".cache/a.tif"):
        put(folder, name)
    assert look("dem", chosen, folder).state == "missing"
    put(folder, "frames/a.tif")
    assert look("dem", chosen, folder).state == "unverified"


def test_pages_and_services_are_not_on_disk(folder: Path) -> None:
    put(folder)
    assert look("dem", product(access="pages", files=[], roots=["https://a.example"]), folder).state == "online"


def test_free_space_is_that_of_the_folder_to_be(tmp_path: Path) -> None:
    assert stock.free_bytes(tmp_path / "a" / "b") == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


# The command: a table of four products, of which a run reads three.


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, and an overlay that reads the products 'dem' (fetched), 'slopes' and 'sites' (by hand)."""
    entries = {
        "dem": {**ENTRY, "notes": "Address not tried."},
        "slopes": {
            **ENTRY,
            "title": "Slopes",
            "used_by": ["source.published.slope"],
            "files": [
                {
                    "name": "slopes.zip",
                    "content": "zip",
                    "bytes": 2**30,
                    "unpack": ["*.tif"],
                    "urls": ["https://data.example/slopes.zip", "http://mirror.example/slopes.zip"],
                }
            ],
        },
        "sites": {
            **ENTRY,
            "title": "Sites",
            "used_by": ["source.published.experts"],
            "access": "credentials",
            "instructions": "Ask the authors.",
            "files": [{"name": "sites.csv", "content": "csv"}],
        },
        "unused": {**ENTRY, "title": "Nobody reads this"},
    }
    (tmp_path / "products.yaml").write_text(yaml.safe_dump({"products": entries}, sort_keys=False))
    published = {**OPTIONAL, "dem": "dem", "slope": "slopes", "experts": "sites", "sun": [], "earth": [], "psr": []}
    overlay = {"run": "real", "source": {"kind": "published", "published": published, "fetch": {"folder": "data"}}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(overlay))
    put(tmp_path / "data")
    put_receipt(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


CALL = ["sources", "--products", "products.yaml", "--configfile", "run.yaml"]


def test_the_text(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    reads, others = text.split("Other products:")
    lines = [line.split() for line in reads.splitlines()]
    assert ["dem", "2023", "about", "7", "bytes", "fetched", "dem"] in lines
    assert ["slopes", "2023", "about", "1", "GiB", "missing", "slope"] in lines
    assert ["sites", "2023", "unknown", "missing", "experts"] in lines
    assert "Nobody reads this. CC BY 4.0." in others
    assert "To fetch: 1 of the 3 products that run 'real' reads; 1 are there." in text
    assert "missing; data.example, mirror.example" in text
    assert "transfer about 1 GiB into data, and about 1 GiB more once archives are unpacked" in text
    assert "Ask the authors." in text.split("No program may fetch these")[1]
    assert "or leave it out of the run: source.published.experts: null" in text.split("No program may fetch these")[1]
    assert str(site / "data" / "sites" / "2023") in text
    assert "illumination-sweep" in text
    assert "published-elevation" in text
    assert all(len(line) <= 200 for line in text.splitlines())


def test_what_sets_of_images_read_is_a_group_of_its_own(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = yaml.safe_load((site / "products.yaml").read_text())
    hand = {"access": "credentials", "instructions": "Ask."}
    zipped = {"name": "a.zip", "content": "zip", "bytes": 3 * 2**30}
    table["products"] |= {
        "rocks": {**ENTRY, **hand, "title": "Rocks", "files": [zipped]},
        "deepmoon_train": {**ENTRY, "title": "Tiles", "files": [{**FILE, "bytes": 2**31}]},
        "esawebb_images": {**ENTRY, "access": "pages", "files": [], "roots": ["https://a.example"]},
    }
    (site / "products.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    sets, others = text.split("Sets of images and outlines, no part of a run: `snakemake datasets` reads:")[1].split(
        "Other products:"
    )
    heads = [line.split()[0] for line in sets.splitlines() if line[:3].strip()]
    assert heads[:4] == ["rocks", "deepmoon_train", "esawebb_images", "To"]
    assert "To fetch for them: about 2 GiB, besides" in sets
    assert "At no address of their own, about 3 GiB: rocks; how" in " ".join(sets.split())
    assert "unused" in others
    assert "rocks" not in others.split("\n\n")[0]
    assert "To fetch: 1 of the 3 products" in others  # what the run fetches is as before
    place = site / "data" / "rocks" / "2023"
    place.mkdir(parents=True)
    (place / "a.zip").write_bytes(b"x")
    (site / "plain.yaml").write_text("source: {fetch: {folder: data}}")
    assert command.main([*CALL[:-1], "plain.yaml"]) == 0
    text = capsys.readouterr().out
    assert "At no address" not in text
    assert "Other products" not in text
    assert "Products that other runs read, or a use of your own:\n  dem " in text
    assert command.main([*CALL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["datasets"] == ["rocks", "deepmoon_train", "esawebb_images"]


def test_what_kaggle_s_client_would_fetch_is_not_by_hand(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = yaml.safe_load((site / "products.yaml").read_text())
    hand = {"access": "credentials", "instructions": "Ask.", "kaggle": "me/rocks"}
    zipped = {"name": "a.zip", "content": "zip", "bytes": 3 * 2**30}
    table["products"]["rocks"] = {**ENTRY, **hand, "title": "Rocks", "files": [zipped]}
    table["products"]["sites"]["kaggle"] = "me/sites"
    (site / "products.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    programs = site / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(site))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)

    def said(*more: str) -> str:
        assert command.main([*CALL, *more]) == 0
        return " ".join(capsys.readouterr().out.split())

    text = said()
    assert "At no address of their own, about 3 GiB: rocks;" in text
    assert "Kaggle's client would fetch rocks, but it is not on the PATH (pip install kaggle)." in text
    assert "Kaggle's client would fetch it, but it is not on the PATH" in text.split("No program may fetch these")[1]
    (programs / "kaggle").write_text("#!/bin/sh\n")
    (programs / "kaggle").chmod(0o755)
    assert f"rocks, but no credentials: neither KAGGLE_USERNAME and KAGGLE_KEY are set nor is there {site}" in said()
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    text = said()
    assert "Of that about 3 GiB by Kaggle's client: rocks." in text
    assert "At no address" not in text
    assert "No program may fetch" not in text
    assert "missing; Kaggle's client" in text
    assert "secret" not in text
    found = json.loads(said("--json"))
    assert (found["by_hand"], found["by_kaggle"]) == ([], ["sites", "rocks"])
    (site / "mirror.yaml").write_text("source: {fetch: {mirrors: ['http://127.0.0.1:8000/m']}}")
    assert "Kaggle" not in said("mirror.yaml"), "fetch-product asks mirrors alone"


def test_the_json_tells_uses_addresses_and_checksums(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = yaml.safe_load((site / "products.yaml").read_text())
    table["products"]["slopes"]["files"][0] |= {"md5": "0" * 32, "sha256": "1" * 64}
    (site / "products.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    assert command.main([*CALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["products"]["slopes"]
    assert (found["reader"], found["used_by"]) == ("published-elevation", ["source.published.slope"])
    (file,) = found["files"]
    assert file["addresses"] == ["https://data.example/slopes.zip", "http://mirror.example/slopes.zip"]
    assert (file["md5"], file["sha256"], file["bytes"], file["size_is"]) == ("0" * 32, "1" * 64, 2**30, "estimated")


def test_the_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*CALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["needed"] == ["dem", "slopes", "sites"]
    assert found["lacking"] == ["slopes", "sites"]
    assert found["by_hand"] == ["sites"]
    assert found["bytes_to_fetch"] == found["bytes_to_unpack"] == 2**30
    assert {name: entry["state"] for name, entry in found["products"].items()} == {
        "dem": "fetched",
        "slopes": "missing",
        "sites": "missing",
        "unused": "missing",
    }
    assert found["products"]["slopes"]["missing"] == ["slopes.zip"]
    assert {"stage", "jobs", "cpu_s", "memory_mib", "basis"} == set(found["costs"][0])


def test_offline_lists_what_is_missing_and_where_to_put_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*CALL, "--offline"]) == command.EXIT_ARTEFACT
    said = capsys.readouterr().err
    assert "run 'real' is offline and lacks 2 of 3 products" in said
    assert f"put into {site / 'data' / 'slopes' / '2023'}:" in said
    assert "slopes.zip, about 1 GiB\n        https://data.example/slopes.zip\n        http://mirror.example" in said
    assert "sites.csv" in said
    assert "heights.tif" not in said
    assert "or leave it out of the run: source.published.slope: null" in said
    assert "or leave it out of the run: source.published.experts: null" in said
    (site / "data" / "dem" / "2023" / "receipt.json").unlink()
    (site / "data" / "dem" / "2023" / "heights.tif").unlink()
    assert command.main([*CALL, "--offline"]) == command.EXIT_ARTEFACT
    said = capsys.readouterr().err
    assert said.count("heights.tif") >= 1
    assert said.count("or leave it out") == 2, "no run does without an elevation model"


def test_offline_in_the_settings_does_the_same(site: Path) -> None:
    (site / "offline.yaml").write_text("source: {fetch: {offline: true}}")
    assert command.main([*CALL, "offline.yaml"]) == command.EXIT_ARTEFACT


def test_offline_with_everything_there(site: Path) -> None:
    for name, file in (("slopes", "slopes.zip"), ("sites", "sites.csv")):
        place = site / "data" / name / "2023"
        place.mkdir(parents=True)
        (place / file).write_bytes(b"x")
    assert command.main([*CALL, "--offline"]) == 0


def test_a_mirror_may_hold_what_no_program_may_fetch_elsewhere(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "mirror.yaml").write_text("source: {fetch: {mirrors: ['http://127.0.0.1:8000/m']}}")
    assert command.main([*CALL, "mirror.yaml"]) == 0
    text = capsys.readouterr().out
    assert "No program may fetch" not in text
    assert "127.0.0.1:8000, data.example" in text


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with 2 GiB free, of which 1 GiB must stay so; results are a quarter of a gibibyte, if nothing is there."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(stock.shutil, "disk_usage", lambda path: usage(10 * 2**30, 0, 2 * 2**30))
    monkeypatch.setattr(plan, "result_bytes", lambda settings, products: 2.0**28)


@pytest.mark.usefixtures("small_disk")
def test_a_disk_without_room_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    assert "results of about 256 MiB more into results/real" in text
    assert "free disk at data and results/real 2 GiB, of which 1 GiB must stay free\n" in text
    assert "THE DISK LACKS ABOUT 1.25 GiB" in text
    assert command.main([*CALL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes_lacking"] == 5 * 2**28


@pytest.mark.usefixtures("small_disk")
def test_results_that_are_there_need_no_more_room(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "results" / "real" / "terrain").mkdir(parents=True)
    with (site / "results" / "real" / "terrain" / "dem.tif").open("wb") as file:
        file.truncate(2**27)
    assert command.main(CALL) == 0
    assert "results of about 128 MiB more" in capsys.readouterr().out
    with (site / "results" / "real" / "terrain" / "dem.tif").open("wb") as file:
        file.truncate(2**29)
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    assert "more into results" not in text
    assert "THE DISK LACKS ABOUT 1 GiB" in text


@pytest.mark.usefixtures("small_disk")
def test_results_on_another_disk_are_held_against_that_one(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "same_disk", lambda one, other: False)
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if "LACKS" in line] == ["  THE DISK LACKS ABOUT 1 GiB"]
    assert "free disk at results/real 2 GiB" in text
    assert stock.same_disk(site / "data", site / "to" / "be")


def test_a_machine_without_the_memory_is_told(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "machine_mib", lambda: 600.0)
    assert command.main(CALL) == 0
    text = capsys.readouterr().out
    assert re.search(r"illumination-darkness .*  MORE THAN THIS MACHINE HAS\n", text)
    assert "this machine has 600 MiB" in text
    assert not re.search(r"on \d+ cores", text)


def test_a_dry_run_prints_what_it_would_fetch_and_compute(site: Path) -> None:
    settings, products = read_settings([site / "run.yaml"]), read_products(site / "products.yaml")
    text = "\n".join(run_lines(settings, products))
    assert "slopes" in text
    assert "CC BY 4.0" in text
    assert "sum" in text
    assert missing_text(settings, products).startswith("run 'real' is offline and lacks 2 of 3 products:")
    assert not missing_text(parse({}), products)
    assert not any("fetch" in line for line in run_lines(parse({}), products))


def test_a_run_without_products(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["sources", "--products", "products.yaml", "--offline"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Run 'default' reads no published product.")
    assert "To fetch" not in text
    assert "source-synthetic" in text


@pytest.mark.parametrize(
    ("overlay", "code", "message"),
    [
        ("source: {kind: mars}", command.EXIT_USAGE, "source.kind"),
        ("source: [", command.EXIT_USAGE, "bad.yaml: is no readable YAML"),
        ("- a", command.EXIT_USAGE, "bad.yaml: needs keys"),
        ("", command.EXIT_USAGE, "bad.yaml: needs keys"),
        ("source: {published: {dem: nowhere}}", command.EXIT_USAGE, "there is no product 'nowhere'"),
        ("source: {published: {dem: slopes}}", command.EXIT_USAGE, "is not for this"),
    ],
)
def test_settings_that_do_not_hold(
    site: Path, capsys: pytest.CaptureFixture[str], overlay: str, code: int, message: str
) -> None:
    (site / "bad.yaml").write_text(overlay)
    assert command.main([*CALL, "bad.yaml"]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1_023, "1023 bytes"),
        (1_024, "1 KiB"),
        (1_023_000, "999 KiB"),
        (1_023_500, "0.976 MiB"),
        (1.5 * 2**30, "1.5 GiB"),
    ],
)
def test_sizes_for_readers(size: float, text: str) -> None:
    assert amount(size) == text


def test_words_are_no_stages_and_stand_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert not set(command.WORDS) & set(discover())
    assert command.main(["--help"]) == 0
    assert "  sources " in capsys.readouterr().out.split("For people:")[1]


def test_files_that_are_not_there(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["sources", "--configfile", "nowhere.yaml"]) == command.EXIT_USAGE
    assert command.main(["sources", "--products", "nowhere.yaml"]) == command.EXIT_ARTEFACT
    with pytest.raises(SystemExit) as caught:
        command.main(["sources", "--nonsense"])
    assert caught.value.code == command.EXIT_USAGE
    assert "nowhere.yaml" in capsys.readouterr().err


def test_overlays_are_laid_over_each_other_as_snakemake_does(tmp_path: Path) -> None:
    from snakemake.utils import update_config

    texts = (
        "grid: {pixel_m: 80.0}\nsource: {published: {fine_dems: [a, b]}}",
        "grid: {far_pixel_m: 240.0}\nsource: {published: {fine_dems: [c], slope: null}}",
    )
    theirs: dict[str, Any] = {}
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
        update_config(theirs, yaml.safe_load(text))
    ours = read_settings([tmp_path / "0.yaml", tmp_path / "1.yaml"])
    assert ours == parse(theirs)
    assert (ours.grid.pixel_m, ours.grid.far_pixel_m) == (80.0, 240.0)
    assert ours.source.published.fine_dems == ("c",)


def test_settings_beside_the_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "ROOT", tmp_path)
    assert read_settings([]) == parse({})
    (tmp_path / "config.yaml").write_text("run: mine\ngrid: {pixel_m: 80.0}")
    (tmp_path / "over.yaml").write_text("run: other")
    assert (read_settings([]).run, read_settings([tmp_path / "over.yaml"]).run) == ("mine", "other")
    assert read_settings([tmp_path / "over.yaml"]).grid.pixel_m == 80.0
    (tmp_path / "config.yaml").write_text("runn: mine")
    with pytest.raises(SettingsError, match="runn: no such key"):
        read_settings([])


def test_a_reader_who_has_seen_enough_ends_it_quietly() -> None:
    call = [sys.executable, "-m", "lunarsite", "sources"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_it_starts_soon_and_needs_nothing_heavy() -> None:
    code = (
        "import sys; from lunarsite.command import main; main(['sources', '--json']);"
        "print(sorted({'numpy', 'pandas', 'rasterio', 'requests', 'torch'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
