"""The stage of the pages on a made-up run: what each page holds, and that it needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path

import pytest

from lunarsite import command
from lunarsite.artefact import contracts, download, table
from lunarsite.artefact.contracts.source import DOWNLOAD
from lunarsite.artefact.download import Downloaded, Receipt
from lunarsite.artefact.stamp import Stamp
from lunarsite.site.place.regions import read_regions

from .fake_run import GRID, FakeRun
from .fake_sites import NAMES, FakeSites

RASTERS = ("dem", "slope", "sun_any", "sun_mean", "earth_any", "psr")
SETTINGS = {
    "publish": {"figure_dpi": 50, "title": "Test <run> & more"},
    "places": {"best_sites": 2},
    "grid": GRID,
}
REGIONS = ("MM", "MP", "NR")


class Page(html.parser.HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def made(folder: Path, count: int = 5, origin: str = "synthetic") -> tuple[FakeRun, FakeSites]:
    """A run with its sites."""
    run = FakeRun(folder, origin)
    cells, _ = table.read(run.path("cells"), contracts.CELLS)
    scores, _ = table.read(run.path("scores"), contracts.SCORES)
    (folder / "tables").mkdir()
    return run, FakeSites(folder / "tables", run.stamp, cells, scores, read_regions(run.path("regions")), count)


def write(
    run: FakeRun,
    sites: FakeSites,
    *,
    without: tuple[str, ...] = (),
    receipts: tuple[Path, ...] = (),
    **settings: object,
) -> int:
    """Run the stage as the command line does."""
    paths = {name: run.path(name) for name in (*RASTERS, "cells", "scores", "named_features", "regions")}
    paths |= {name: sites.path(name) for name in NAMES if name not in without}
    arguments = ["pages-write", "--run", "fake", "--settings", json.dumps({**SETTINGS, **settings}), "--in"]
    arguments += [f"{name}={path}" for name, path in paths.items()] + [f"receipts={path}" for path in receipts]
    return command.main([*arguments, "--out", f"pages={run.folder / 'pages'}"])


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run, sites = made(tmp_path_factory.mktemp("pages"))
    assert write(run, sites) == 0
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((run.folder / "pages").iterdir())}


def test_there_is_a_page_for_each_best_site_and_region(pages: dict[str, str]) -> None:
    regions = [f"region-{code}.html" for code in REGIONS]
    assert sorted(pages) == sorted(["index.html", "provenance.html", "site-001.html", "site-002.html", *regions])


def test_pages_need_nothing_else(pages: dict[str, str]) -> None:
    for text in pages.values():
        page = Page(text)
        policy = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
        assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        assert not page.all("script") + page.all("link") + page.all("iframe")
        for picture in page.all("img"):
            head, _, data = (picture["src"] or "").partition(",")
            assert head == "data:image/png;base64"
            assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
            assert picture["alt"]
        assert "http://" not in text
        assert "https://" not in text


def test_links_lead_to_pages_and_sections_that_exist(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        for link in Page(text).all("a"):
            file, _, section = (link["href"] or "").partition("#")
            if file == "../report.html":
                continue
            target = pages[file or name]
            assert not section or f'id="{section}"' in target


def test_every_page_of_a_synthetic_run_says_so(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert "(synthetic)</title>" in text
        assert "SYNTHETIC" in text
        assert "</title>" in text
        assert text.count("<h1>") == 1


def test_what_is_written_by_others_is_escaped(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert "<run>" not in text
        assert "<b>takes</b>" not in text
    assert "&lt;b&gt;takes&lt;/b&gt;" in pages["site-001.html"]


def test_a_site_page_holds_every_part(pages: dict[str, str]) -> None:
    text = pages["site-001.html"]
    for figure in ("map", "slopes", "sky", "months", "light", "drivers", "ranks"):
        assert f'id="figure-{figure}"' in text
    assert "Speaks for it" in text
    assert "Slope 1.2° on average" in text
    assert "no finer elevation model covers it" in text
    assert "a random order:" in text
    # Five sites: all of them stand in the top 20, by chance too.
    assert "a random order: 100\u00a0%" in text
    assert "Lander-scale slope (95 %)" in text
    assert "Ellipse inside the site&#39;s polygon" in text
    assert "no chance of a safe landing" in text
    assert "way from the ellipse" in text
    assert "of the cell&#39;s best-lit pixel" in text
    assert "in red" not in text


def test_a_region_without_sites_says_so(pages: dict[str, str]) -> None:
    assert "The region has no site." in pages["region-NR.html"]
    # The record's row of this region and of no other.
    rows = {
        code: re.findall(r'<th scope="row" class="number">(\d)</th>', pages[f"region-{code}.html"]) for code in REGIONS
    }
    assert [rows[code][-1] for code in ("NR", "MM", "MP")] == ["7", "8", "9"]
    assert "Base rate" in pages["region-MM.html"]
    assert "mean slope of the cell is read instead" in pages["region-NR.html"]
    assert "slope ≤ 8° (mean; the buffer of 100 m is not resolved)" in pages["region-NR.html"]
    assert "Overall sites inside (CASSA)" in pages["region-MM.html"]


def test_no_page_prints_a_raw_name(pages: dict[str, str]) -> None:
    for name in ("index.html", "region-MM.html", "site-001.html"):
        assert not re.search(r"<t[hd][^>]*>[a-z]+(_[a-z0-9]+)+</t[hd]>", pages[name])
        assert "suitable cells" not in pages[name]


def test_provenance_names_stage_and_artefact_of_each_number(pages: dict[str, str]) -> None:
    text = pages["provenance.html"]
    for words in ("Cells with a rank", "label-labels", "place-sites", "validate-artemis", "site.rules.cassa", "DE421"):
        assert words in text
    # The claims of the report with their bounds, and none of the records' raw names.
    assert "Massifs found" in text
    assert "holds; bound &gt;= 0.8; made up" in text
    assert "enrichment top" not in text.lower()
    assert "kendall" not in text.lower()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run, sites = made(tmp_path, count=2)
    texts = []
    for _ in range(2):
        assert write(run, sites, places={"best_sites": 1}) == 0
        texts.append({path.name: path.read_bytes() for path in (run.folder / "pages").iterdir()})
    assert texts[0] == texts[1]
    assert not re.search(rb"20\d\d-\d\d-\d\dT", texts[0]["index.html"])


def test_a_run_without_sites_and_light_of_sites(tmp_path: Path) -> None:
    run, sites = made(tmp_path, count=0, origin="local")
    assert write(run, sites, without=("profiles", "series", "months")) == 0
    found = sorted(path.name for path in (run.folder / "pages").iterdir())
    assert found == ["index.html", "provenance.html", *(f"region-{code}.html" for code in REGIONS)]
    text = (run.folder / "pages" / "index.html").read_text(encoding="utf-8")
    assert "there is no site" in text
    assert "SYNTHETIC" not in text
    assert "files given by the user" in text


def test_sites_without_light_say_what_is_missing(tmp_path: Path) -> None:
    run, sites = made(tmp_path, count=1)
    assert write(run, sites, without=("profiles", "series", "months")) == 0
    text = (run.folder / "pages" / "site-001.html").read_text(encoding="utf-8")
    assert 'id="figure-sky"' not in text
    assert "Light by calendar month: this run did not compute it" in text


def receipt(folder: Path, product: str, stamp: Stamp) -> Path:
    """A receipt with one file, as fetch-product leaves it."""
    folder = folder / product / "2023"
    folder.mkdir(parents=True)
    (folder / "heights.tif").write_bytes(b"heights")
    sha256 = hashlib.sha256(b"heights").hexdigest()
    file = Downloaded(
        name="heights.tif", bytes=7, sha256=sha256, url="https://data.example/heights.tif", checked="first download"
    )
    told = Receipt(
        product=product, version="2023", title="Heights <b>", licence="CC BY 4.0", citation="One (2023)", files=(file,)
    )
    # Downloads belong to no run.
    stamp = stamp.model_copy(update={"run": "another"})
    download.write(folder / "receipt.json", DOWNLOAD, told, stamp)
    return folder / "receipt.json"


def test_provenance_tells_of_every_download(tmp_path: Path) -> None:
    run, sites = made(tmp_path, count=1, origin="published")
    paths = tuple(
        receipt(tmp_path / "resources", product, run.stamp("download", "fetch-product"))
        for product in ("second", "first")
    )
    assert write(run, sites, receipts=paths) == 0
    text = (run.folder / "pages" / "provenance.html").read_text(encoding="utf-8")
    assert text.index("Heights &lt;b&gt; (first)") < text.index("Heights &lt;b&gt; (second)")
    for words in ("CC BY 4.0", "One (2023)", "from data.example, first download", "receipt of first"):
        assert words in text
    assert hashlib.sha256(b"heights").hexdigest()[:16] in text
    assert "receipts[" not in text
    assert "https://" not in text


def test_a_download_that_is_gone_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, sites = made(tmp_path, count=1, origin="published")
    path = receipt(tmp_path / "resources", "first", run.stamp("download", "fetch-product"))
    path.with_name("heights.tif").unlink()
    assert write(run, sites, receipts=(path,)) == command.EXIT_ARTEFACT
    assert "heights.tif: does not exist" in capsys.readouterr().err


def test_tables_of_other_cells_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, sites = made(tmp_path, count=1)
    held, stamp = table.read(sites.path("held_out"), contracts.HELD_OUT)
    table.write(sites.path("held_out"), contracts.HELD_OUT, held.iloc[1:].reset_index(drop=True), stamp)
    assert write(run, sites) == command.EXIT_ARTEFACT
    assert "lists other cells than" in capsys.readouterr().err
    assert not (run.folder / "pages").exists()
