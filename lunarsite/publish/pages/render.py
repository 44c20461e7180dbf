"""Writes the pages of a run into a folder that takes the place of the old one in one step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from lunarsite.artefact.atomic import replacing_folder
from lunarsite.publish.pages import overview, provenance, region_page, site_page
from lunarsite.publish.pages.elements import region_file, site_file
from lunarsite.publish.pages.gather import SiteRun

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_REPORT_STYLE = Path(__file__).resolve().parents[1] / "templates" / "report.css"
_MARKS = {"holds": "holds", "does not hold": "fails", "unknown": "unknown"}


class _Page(NamedTuple):
    file: str
    template: str
    compose: Callable[[], dict[str, Any]]


def write(folder: Path, run: SiteRun, progress: Callable[[float, float], None]) -> int:
    """Write all pages of a run and return their number.

    Pages are composed one at a time, so memory does not grow with their number.

    Args:
        folder: The folder; what lies in it is replaced.
        run: The run.
        progress: Is told how many pages of how many are written.

    Raises:
        jinja2.UndefinedError: A template asks for something that its page lacks.
    """
    jobs = [
        _Page("index.html", "index", partial(overview.compose, run)),
        _Page("provenance.html", "provenance", partial(provenance.compose, run)),
        *(
            _Page(site_file(int(site["rank"])), "site", partial(site_page.compose, run, site))
            for _, site in run.paged.iterrows()
        ),
        *(_Page(region_file(found.code), "region", partial(region_page.compose, run, found)) for found in run.regions),
    ]
    environment = _environment()
    shared = _shared(run)
    with replacing_folder(folder) as fresh:
        for done, page in enumerate(jobs, start=1):
            text = environment.get_template(f"{page.template}.html.j2").render({**shared, "page": page.compose()})
            (fresh / page.file).write_text(text, encoding="utf-8")
            progress(done, len(jobs))
    return len(jobs)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shared(run: SiteRun) -> dict[str, Any]:
    styles = (_REPORT_STYLE, _TEMPLATES / "pages.css")
    return {
        "title": run.chosen.publish.title,
        "run": run.run,
        "origin": run.origin,
        "synthetic": run.synthetic,
        "seed": run.stamps["dem"].seed,
        "marks": _MARKS,
        "style": "".join(path.read_text(encoding="utf-8") for path in styles),
    }
