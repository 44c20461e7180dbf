"""The archives' stages against servers of one made-up sky: what is listed, what is paired, and how often is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lunarsite.artefact import images, table
from lunarsite.artefact.contracts import ARCHIVE_INDEX, ARCHIVE_PAIRS
from lunarsite.command import EXIT_ARTEFACT, EXIT_OK, main
from tests.layouts import pages
from tests.unit.source.archive.servers import Answer, Sky, sky

SIDE_PX = 128
ROOT = Path(__file__).parents[2]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Sky]:
    with sky(tmp_path / "servers") as servers:
        yield servers


def settings(folder: Path, fetch: dict[str, Any] | None = None, **archive: Any) -> str:
    fast = {"folder": str(folder / "resources"), "attempts": 2, "longest_wait_s": 0.1, "spare_disk_gib": 0.0}
    values = {"seconds_between_pages": 0.0, "longest_side_px": SIDE_PX, **archive}
    return json.dumps({"fetch": {**fast, **(fetch or {})}, "archive": values})


def call(stage: str, folder: Path, products: Path, options: str) -> list[str]:
    index = f"index={folder / 'index.parquet'}"
    if stage == "archive-index":
        places = ["--in", f"products={products}", "--out", index]
    else:
        places = ["--in", f"products={products}", index, "--out", f"pairs={folder / 'pairs.h5'}"]
    return [stage, *places, "--settings", options]


def index_of(folder: Path, products: Path, options: str) -> pd.DataFrame:
    assert main(call("archive-index", folder, products, options)) == EXIT_OK
    return table.read(folder / "index.parquet", ARCHIVE_INDEX)[0]


def test_index_lists_every_image_and_says_what_is_wrong(tmp_path: Path, served: Sky) -> None:
    frame = index_of(tmp_path, served.products, settings(tmp_path))
    assert sorted(zip(frame["site"], frame["id"], strict=True)) == sorted((i.site, i.id) for i in pages.IMAGES)
    rows = frame.set_index("id")
    usable = rows[rows["excluded_because"].isna()]
    paired = {image for ids in pages.PAIRED.values() for image in ids}
    assert set(usable.index) == paired | {"opo9999aa"}, "that it is grey is seen only when it is read"
    for image, part in {
        "heic0001b": "tells no orientation",
        "heic0002a": "tells no field of view",
        "heic0003a": "type is 'Early Universe'",
        "weic2301a": "type is 'Solar System'",
        "sci23001a": "gives no credit",
        "ann1311a": "field is smaller than 0.5 arcminutes",
        "Heic_12-b": "is not there (status 404)",
        "heic/../x": "its id holds signs that no id has",
    }.items():
        assert part in rows.loc[image, "excluded_because"], image
    assert rows.loc["potw1345a", "dec_deg"] == pytest.approx(-0.2083333)
    assert rows.loc["opo0328a", "orientation_deg"] == -47.5
    assert rows.loc["opo0328a", "credit"] == "NASA, ESA and A. Nobody Acknowledgement: B. Else"
    assert rows.loc["weic2205a", "release_date"] == "2022-07-12"
    assert rows.loc["heic0506a", "url"] == f"{served.hubble.root}images/heic0506a/"
    assert all(".." not in path for path in served.asked)


def test_every_address_is_asked_for_once_one_at_a_time_under_one_name(tmp_path: Path, served: Sky) -> None:
    options = settings(tmp_path)
    index_of(tmp_path, served.products, options)
    assert main(call("archive-pairs", tmp_path, served.products, options)) == EXIT_OK
    for server in (served.hubble, served.webb, served.hips2fits):
        assert max(Counter(server.asked).values()) == 1
        assert server.asked[0] == "/robots.txt"
        assert server.open_at_once == 1
        assert len(server.agents) == 1
        assert next(iter(server.agents)).startswith("lunarsite/")
    before = len(served.asked)
    first = {name: (tmp_path / name).read_bytes() for name in ("index.parquet", "pairs.h5")}
    assert main(call("archive-index", tmp_path, served.products, options)) == EXIT_OK
    assert main(call("archive-pairs", tmp_path, served.products, options)) == EXIT_OK
    assert len(served.asked) == before, "what was read is kept"
    assert {name: (tmp_path / name).read_bytes() for name in first} == first
    offline = settings(tmp_path, {"offline": True})
    assert main(call("archive-pairs", tmp_path, served.products, offline)) == EXIT_OK


def test_pairs_show_the_same_sky(tmp_path: Path, served: Sky) -> None:
    options = settings(tmp_path)
    index_of(tmp_path, served.products, options)
    assert main(call("archive-pairs", tmp_path, served.products, options)) == EXIT_OK
    with images.opened(tmp_path / "pairs.h5", ARCHIVE_PAIRS) as pairs:
        ids, surveys, sites = (pairs.read(name) for name in ("id", "survey", "site"))
        beyond = {image.id for image in pages.IMAGES if image.dec_deg < pages.OUTSIDE_SDSS_DEC_DEG}
        expected = [
            (site, image, survey)
            for site, listed in pages.PAIRED.items()
            for image in listed
            for survey in (0, 1)
            if survey == 0 or image not in beyond
        ]
        assert list(zip(sites, ids, surveys, strict=True)) == expected
        assert pairs.read("agreement").min() > 0.9
        seen, widths, heights = pairs.read("seen"), pairs.read("width_px"), pairs.read("height_px")
        assert set(zip(widths, heights, strict=True)) == {(128, 96), (96, 128)}
        for k, image in enumerate(ids):
            assert not seen[k, heights[k] :].any()
            assert not seen[k, :, widths[k] :].any()
            share = seen[k, : heights[k], : widths[k]].mean()
            assert share == (pytest.approx(5 / 6, abs=0.04) if image == "heic9999a" else 1.0)
        assert all(pairs.read("credit")), "nothing is kept without its credit"
        assert "CC BY 4.0" in pairs.credit.licence
        assert "1 times the image is grey" in pairs.credit.notes
        assert "1 times sdss9: the cut-out reaches beyond the survey" in pairs.credit.notes
        scale = pairs.read("arcsec_per_px")
        assert scale == pytest.approx(4.0 * 60.0 / SIDE_PX, rel=1e-9)
        assert np.abs(pairs.read("images").astype(int).mean() - pairs.read("cutouts").astype(int).mean()) > 1.0


def test_a_wrong_turn_would_be_seen(tmp_path: Path, served: Sky) -> None:
    options = settings(tmp_path)
    frame = index_of(tmp_path, served.products, options)
    raw, stamp = table.read(tmp_path / "index.parquet", ARCHIVE_INDEX)
    raw["orientation_deg"] = -raw["orientation_deg"]
    for name in ("width_px", "height_px"):
        raw[name] = raw[name].astype("Int64")
    table.write(tmp_path / "index.parquet", ARCHIVE_INDEX, raw, stamp)
    assert main(call("archive-pairs", tmp_path, served.products, options)) == EXIT_OK
    with images.opened(tmp_path / "pairs.h5", ARCHIVE_PAIRS) as pairs:
        turned = np.abs(pairs.read("orientation_deg")) > 10.0
        assert turned.sum() > 3
        # 170 degrees either way differ by a turn of 20 only, and all others by more.
        assert pairs.read("agreement")[turned].max() < 0.5
    assert len(frame) == len(raw)


def test_most_images_takes_the_newest_of_the_sites_in_turn(tmp_path: Path, served: Sky) -> None:
    frame = index_of(tmp_path, served.products, settings(tmp_path, most_images=3))
    assert sorted(frame["id"]) == ["heic0506a", "opo0328a", "weic2205a"]
    assert not any("page" in path for path in served.asked)
    frame = index_of(tmp_path, served.products, settings(tmp_path, most_images=5, sites=["hubble"]))
    assert set(frame["site"]) == {"hubble"}
    assert len(frame) == 5
    assert sum("page/2" in path for path in served.asked) == 1


def test_offline_says_what_is_missing(tmp_path: Path, served: Sky, capfd: pytest.CaptureFixture[str]) -> None:
    offline = settings(tmp_path, {"offline": True})
    assert main(call("archive-index", tmp_path, served.products, offline)) == EXIT_ARTEFACT
    told = capfd.readouterr().err
    assert "not read before, 1 in all" in told
    assert "images/archive/search/" in told
    index_of(tmp_path, served.products, settings(tmp_path, most_images=2))
    # The lists are there now, most pages are not.
    index_of(tmp_path, served.products, settings(tmp_path, {"offline": True}, most_images=2))
    capfd.readouterr()
    assert main(call("archive-pairs", tmp_path, served.products, offline)) == EXIT_ARTEFACT
    told = capfd.readouterr().err
    assert "not read before, 2 in all" in told
    assert "heic0506a.jpg" in told
    assert "weic2205a.jpg" in told
    assert not any(path.endswith(".jpg") for path in served.asked)


def test_single_failures_are_told_and_several_in_a_row_stop(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    busy = [Answer(503) for _ in range(2)]
    with sky(tmp_path / "servers", {"/images/opo0328a/": list(busy)}) as servers:
        rows = index_of(tmp_path, servers.products, settings(tmp_path)).set_index("id")
        assert "2 attempts failed" in rows.loc["opo0328a", "excluded_because"]
        assert rows["excluded_because"].isna().sum() == 6
        # It was not kept: the next call asks again, for this page alone.
        before = len(servers.hubble.asked), len(servers.webb.asked)
        rows = index_of(tmp_path, servers.products, settings(tmp_path)).set_index("id")
        assert servers.hubble.asked[before[0] :] == ["/images/opo0328a/"]
        assert servers.webb.asked[before[1] :] == []
        assert rows["excluded_because"].isna().sum() == 7
    three = {f"/images/{image.id}/": list(busy) for image in pages.images_of("hubble")[:3]}
    with sky(tmp_path / "again", three) as servers:
        options = settings(tmp_path / "again", sites=["hubble"])
        assert main(call("archive-index", tmp_path / "again", servers.products, options)) == EXIT_ARTEFACT
        assert "3 requests in a row failed" in capfd.readouterr().err
        assert not any("heic0001b" in path for path in servers.asked)


def test_answers_that_are_no_pictures_are_counted(tmp_path: Path) -> None:
    cutout = "/hips-image-services/hips2fits"
    faults = {
        cutout: [
            Answer(200, b"<html>Too many requests</html>"),
            Answer(200, b"\x89PNG\r\n\x1a\nnonsense", {"Content-Type": "image/png"}),
            Answer(200, pages.jpeg(np.zeros((5, 5, 3), dtype=np.uint8)), {"Content-Type": "image/jpeg"}),
        ],
        "/cdn/archives/images/screen/potw1345a.jpg": [
            Answer(200, pages.jpeg(np.full((96, 128, 3), (9, 8, 7), dtype=np.uint8)), {"Content-Type": "image/jpeg"})
        ],
    }
    with sky(tmp_path / "servers", faults) as servers:
        options = settings(tmp_path, sites=["hubble"])
        index_of(tmp_path, servers.products, options)
        assert main(call("archive-pairs", tmp_path, servers.products, options)) == EXIT_OK
    with images.opened(tmp_path / "pairs.h5", ARCHIVE_PAIRS) as pairs:
        notes = pairs.credit.notes
        made = list(zip(pairs.read("id"), pairs.read("survey"), strict=True))
        assert made == [("heic9999a", 1), ("opo0328a", 0), ("opo0328a", 1)]
    assert "1 times dss2: the cut-out could not be read" in notes, "a page came in place of a picture"
    assert "1 times sdss9: the cut-out cannot be used" in notes, "nonsense came"
    assert "1 times dss2: the cut-out cannot be used" in notes, "a picture of another size came"
    assert "another shape than its page says" in notes


def test_answers_that_were_no_pages_or_pictures_are_asked_for_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soon = Answer(200, b"<html><body>Back soon</body></html>")
    picture = Answer(200, b"back soon", {"Content-Type": "image/jpeg"})
    faults = {
        "/images/archive/search/": [soon],
        "/cdn/archives/images/screen/heic0506a.jpg": [picture],
        "/hips-image-services/hips2fits": [Answer(200, b"back soon", {"Content-Type": "image/png"})],
    }
    with sky(tmp_path / "servers", faults) as servers:
        options = settings(tmp_path, sites=["hubble"], most_images=2)
        assert main(call("archive-index", tmp_path, servers.products, options)) == EXIT_ARTEFACT
        told = capfd.readouterr().err
        assert "has no script with the list of images" in told
        kept = told.split("(the answer lies in ")[1].split(")")[0]
        assert Path(kept).read_bytes() == soon.body
        index_of(tmp_path, servers.products, options)
        numbers = []
        for _ in range(3):
            assert main(call("archive-pairs", tmp_path, servers.products, options)) == EXIT_OK
            with images.opened(tmp_path / "pairs.h5", ARCHIVE_PAIRS) as pairs:
                numbers.append((len(pairs.read("id")), len(servers.asked)))
        assert [number for number, _ in numbers] == [1, 4, 4]
        assert numbers[1][1] == numbers[2][1], "what is good is kept"


def test_no_pair_at_all_is_an_error_that_tells_why(
    tmp_path: Path, served: Sky, capfd: pytest.CaptureFixture[str]
) -> None:
    options = settings(tmp_path, sites=["hubble"], least_field_arcmin=3.5)
    assert index_of(tmp_path, served.products, options)["excluded_because"].notna().all()
    assert main(call("archive-pairs", tmp_path, served.products, options)) == EXIT_ARTEFACT
    assert "none of its 0 usable images makes a pair" in capfd.readouterr().err
    assert not (tmp_path / "pairs.h5").exists()


def test_killed_crawl_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with sky(tmp_path / "servers", delay_s=0.15) as servers:
        options = settings(tmp_path)
        command = [sys.executable, "-m", "lunarsite", *call("archive-index", tmp_path, servers.products, options)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60.0
            while len(servers.asked) < 8 and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        killed_at = len(servers.asked)
        assert 8 <= killed_at < 18
        assert not (tmp_path / "index.parquet").exists()
        frame = index_of(tmp_path, servers.products, options)
        assert len(frame) == len(pages.IMAGES)
        counts = Counter([*(f"h{p}" for p in servers.hubble.asked), *(f"w{p}" for p in servers.webb.asked)])
        again = [path for path, count in counts.items() if count > 1]
        assert len(again) <= 1, "only the request under way is repeated"
        assert len(servers.asked) - killed_at < len(pages.IMAGES) + 5


def test_pauses_between_requests(tmp_path: Path) -> None:
    with sky(tmp_path / "servers") as servers:
        start = time.monotonic()
        index_of(
            tmp_path, servers.products, settings(tmp_path, most_images=2, sites=["webb"], seconds_between_pages=0.3)
        )
        # robots.txt, the list and two pages: three pauses.
        assert len(servers.asked) == 4
        assert time.monotonic() - start >= 0.9
