from __future__ import annotations

import base64
import html.parser
import itertools
import json
import re
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pystac
import pytest
from matplotlib.text import Text
from pystac.validation import validate_dict

from lunarsite.artefact import contracts, table
from lunarsite.artefact.stamp import ArtefactError, digest
from lunarsite.publish import style
from lunarsite.publish.crater_sheet import Ground
from lunarsite.publish.score_checks import ScoreChecks
from lunarsite.publish.site_charts import Sites

from . import fake_enhance, fake_rock, fake_score
from .fake_run import CRATERS, FIGURES, GRID, LIGHT, SITE_CHECKS, TABLES, FakeRun

PUBLISH = {"figure_dpi": 60, "top_cells": 7, "title": "Test <run> & more"}
FIGURE_INPUTS = (
    "dem", "slope", "sun_mean", "sun_any", "earth_any", "psr", "cells", "scores", "artemis", "named_features",
    "regions",
)  # fmt: skip
RASTERS = ("dem", "slope", "roughness", "sun_mean", "sun_any", "earth_mean", "earth_any", "psr")
CRATER_INPUTS = ("detected=detected_craters", "crater_model", "crater_record", "crater_candidates")
SITE_INPUTS = (
    *("labels", "labels_record", "crossvalidation", "criteria", "sites", "sites_record"),
    "site_record",
)
BARE_INPUTS = (*RASTERS, "cells", "scores", "scorer_record", *SITE_INPUTS, "artemis", "named_features")
ENHANCE_INPUTS = ("enhance_record", "denoiser", "cycle", "shadowcam_record")
ROCK_INPUTS = ("rock_record", "rock_model")
REPORT_INPUTS = (*BARE_INPUTS, "illumination", "slope_record", *CRATER_INPUTS, *ENHANCE_INPUTS, *ROCK_INPUTS)
CATALOGUE_INPUTS = (
    *(*RASTERS, "cells", "scores", "scorer", "scorer_record", "artemis", "illumination"),
    *(*TABLES, "crater_model", "crater_probability", "detected_craters", "crater_record", "crater_matches"),
    *("crater_candidates", "crater_curve", *fake_score.TABLES, *fake_score.RASTERS, *fake_score.RECORDS),
    *(*fake_enhance.IMAGES, *fake_enhance.MODELS, *fake_enhance.RECORDS),
    *(*fake_rock.IMAGES, *fake_rock.TABLES, *fake_rock.RECORDS, "rock_model"),
    *("report", "pages"),
)
ALWAYS = (*FIGURES, *SITE_CHECKS)
"""Figures that every run has."""
DRAWN = (*ALWAYS, *LIGHT, *CRATERS, *fake_enhance.INTO_SHADOW, *fake_enhance.COMPARED, *fake_rock.FIGURES)
"""What the report embeds."""
PNGS = tuple(f"{name}_png" for name in DRAWN)
# Further stages of figures: their inputs, their figures and further settings.
FURTHER: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, object]]] = {
    "publish-site-checks": (
        (
            *("dem", "cells", "scores", "sweeps", "calibration", "crossvalidation", "sites", "ranks=site_ranks"),
            *("named_features", "regions"),
        ),
        SITE_CHECKS,
        {"grid": GRID},
    ),
    "publish-light": (
        ("dem", "cells=illumination_cells", "illumination"),
        ("light_differences", "light_scatter"),
        {"grid": GRID, "reference": {"table": "far/away/made_$up.csv", "table_cell_m": 4_000.0}},
    ),
    "publish-nights": (("dem", "night", "named_features"), ("night", "sun_and_earth"), {"grid": GRID}),
    "publish-craters": (
        ("dem", "detected=detected_craters", "probability=crater_probability", "named_features"),
        ("crater_map", "crater_probability"),
        {},
    ),
    "publish-crater-checks": (
        (
            *("dem", "detected=detected_craters", "matches=crater_matches", "curve=crater_curve"),
            *("record=crater_record", "named_features"),
        ),
        ("crater_matches", "crater_curve", "crater_reliability", "crater_recall"),
        {
            "grid": GRID,
            "catalogue": {"lon_deg": [0.0, 180.0]},
            "split": {"validation_lon_deg": [135.0, 175.0], "test_lon_deg": [15.0, 75.0]},
        },
    ),
    "publish-enhance": (
        ("record=enhance_record", "samples=enhance_samples"),
        fake_enhance.INTO_SHADOW,
        {},
    ),
    "publish-shadowcam": (
        ("record=shadowcam_record", "samples=shadowcam_samples"),
        fake_enhance.COMPARED,
        {},
    ),
    "publish-rock": (
        ("record=rock_record", "samples=rock_samples", "renders=rock_distribution"),
        fake_rock.FIGURES,
        {},
    ),
    "publish-places": (("dem", "profiles=place_profiles", "series=place_series"), ("places",), {}),
}


def outputs_of(run: FakeRun, names: tuple[str, ...]) -> dict[str, Path]:
    """PNG and PDF of each figure."""
    return {f"{name}_{kind}": run.path(f"{name}_{kind}") for name in names for kind in ("png", "pdf")}


def publish(run: FakeRun) -> None:
    """Run every stage of the publication on a fake run."""
    comparison = {"grid": GRID, "comparison": {"selected": [20, 100], "draws": 200}}
    artemis = {"artemis": run.path("artemis")}
    assert run.call("validate-artemis", ("scores", "cells", "labels", "sites", "regions"), artemis, comparison) == 0
    outputs = outputs_of(run, FIGURES)
    assert run.call("publish-figures", FIGURE_INPUTS, outputs, {"publish": PUBLISH, "grid": GRID}) == 0
    for stage, (inputs, names, settings) in FURTHER.items():
        assert run.call(stage, inputs, outputs_of(run, names), {"publish": PUBLISH, **settings}) == 0
    report = {"report": run.folder / "report.html"}
    assert run.call("publish-report", (*REPORT_INPUTS, *PNGS), report, {"publish": PUBLISH, "grid": GRID}) == 0
    folder = run.folder / "publish"
    catalogue = {"catalogue": folder / "catalog.json", "entries": folder / "catalogue"}
    assert run.call("publish-catalogue", CATALOGUE_INPUTS, catalogue, {"publish": PUBLISH, "grid": GRID}) == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    made = FakeRun(tmp_path_factory.mktemp("run"))
    publish(made)
    return made


@pytest.fixture(scope="module")
def text(run: FakeRun) -> str:
    return run.path("report").read_text(encoding="utf-8")


class Page(html.parser.HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_every_figure_is_an_image_that_is_not_blank(run: FakeRun) -> None:
    for name in (*DRAWN, "places"):
        pixels = matplotlib.image.imread(run.path(f"{name}_png"))
        assert pixels.shape[1] >= int(60 * style.COLUMN_IN)
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50
        assert run.path(f"{name}_pdf").read_bytes().startswith(b"%PDF")


@pytest.fixture(scope="module")
def captured(run: FakeRun) -> list[Any]:
    """Every figure as it was handed to be saved."""
    figures = []
    patch = pytest.MonkeyPatch()
    patch.setattr(style, "save", lambda figure, path, dpi: (figures.append(figure), path.touch())[0])
    outputs = {f"{name}_{kind}": run.folder / f"unused.{kind}" for name in FIGURES for kind in ("png", "pdf")}
    assert run.call("publish-figures", FIGURE_INPUTS, outputs, {"publish": PUBLISH, "grid": GRID}) == 0
    pages: list[Any] = []
    patch.setattr(style, "save_pages", lambda drawn, path, dpi: (pages.extend(drawn), path.touch())[0])
    for stage, (inputs, names, settings) in FURTHER.items():
        unused = {f"{name}_{kind}": run.folder / f"unused.{kind}" for name in names for kind in ("png", "pdf")}
        assert run.call(stage, inputs, unused, {"publish": PUBLISH, **settings}) == 0
    patch.undo()
    return [*figures[::2], *pages]


def test_type_is_legible_in_print_and_synthetic_is_written_on_every_figure(captured: list[Any]) -> None:
    assert len(captured) == len(DRAWN) + 3, "the contact sheet and a page for each of two places"
    for figure in captured:
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        assert min(text.get_fontsize() for text in texts) >= style.SMALL_PT
        assert any("SYNTHETIC" in text.get_text() for text in texts)
        assert figure.get_figwidth() in (style.COLUMN_IN, style.WIDE_IN)


def test_permanent_shadow_is_not_told_as_a_matter_of_the_runs_span(captured: list[Any], text: str) -> None:
    words = {part.get_text() for figure in captured for part in figure.findobj(Text)}
    (label,) = {word for word in words if word.startswith("never sunlit")}
    assert "1972" in label
    assert "2049" in label
    assert not [word for word in words if "never" in word and "span" in word]
    assert "highest limb of the years 1972 to 2049 stays below the horizon" in text


def test_the_report_does_not_claim_that_all_bounds_were_set_beforehand(text: str) -> None:
    assert "was changed afterwards, its reason or the record" in text
    assert "with bounds set beforehand" not in text


def test_nothing_is_cut_at_a_figures_edge(run: FakeRun) -> None:
    for name in (*DRAWN, "places"):
        pixels = matplotlib.image.imread(run.path(f"{name}_png"))[..., :3]
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == 1.0).all(), name


def test_the_report_needs_nothing_else(text: str) -> None:
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    reference = r"""(?:src|href)\s*=\s*["'](?!#|pages/(?:index|site-\d{3})\.html"|data:image/png;base64,)"""
    assert not re.search(reference, text)
    assert "@import" not in text
    assert "url(" not in text
    policy = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])


def test_the_report_can_be_read_without_seeing_it(text: str) -> None:
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.all("img")) == len(DRAWN)
    assert all(len(image.get("alt") or "") > 20 for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table")) >= 8
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    within = {link["href"] for link in page.all("a") if str(link["href"]).startswith("#")}
    assert within <= {f"#{target}" for target in targets}


def test_the_report_embeds_the_figures_as_they_are(run: FakeRun, text: str) -> None:
    found = [base64.b64decode(part) for part in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", text)]
    assert set(found) == {run.path(name).read_bytes() for name in PNGS}


def test_the_report_shows_light_beside_its_verdicts(text: str) -> None:
    section = next(part for part in re.split(r'<section id="', text) if part.startswith('light"'))
    assert re.findall(r'<figure id="figure-(\w+)"', section) == list(LIGHT)
    assert "sun_mean RMS" in section
    assert "&lt;= 2.2 %" in section


def test_the_report_tells_what_limits_on_slope_hide(text: str) -> None:
    section = section_of(text, "trust")
    assert "What a limit on our slope lets through" in section
    heads = ("Rules with this limit", "Of those, steeper in the published mean (%)", "The same of all known (%)")
    assert all(f">{head}</th>" in section for head in heads)
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh][^>]*>[^<]*</t[dh]>", section)]
    start = cells.index("cells of 960 m")
    assert cells[start : start + 10] == [
        *("cells of 960 m", "CASSA", "5", "1\u202f200", "400", "12.5", "75", "93.8", "100", "6.25")
    ]
    assert "Finer slopes are steeper." in section
    assert "slope RMS" in section_of(text, "brief")


def test_a_run_without_references_and_nights_has_no_such_section(run: FakeRun, tmp_path: Path) -> None:
    report = {"report": tmp_path / "report.html"}
    pngs = tuple(f"{name}_png" for name in ALWAYS)
    assert run.call("publish-report", (*BARE_INPUTS, *pngs), report, {"publish": PUBLISH, "grid": GRID}) == 0
    page = report["report"].read_text(encoding="utf-8")
    assert "Light and shadow" not in page
    assert "Craters</h2>" not in page
    assert "into shadow" not in page
    assert "ShadowCam</h2>" not in page
    assert "Rocks</h2>" not in page
    assert len(Page(page).all("img")) == len(ALWAYS)


def section_of(text: str, name: str) -> str:
    (section,) = (part for part in re.split(r'<section id="', text) if part.startswith(f'{name}"'))
    return section


def test_the_report_tells_what_the_score_is_worth_beside_its_baselines(text: str) -> None:
    section = section_of(text, "worth")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == ["blocks", "calibration", "sweeps"]
    assert "0.98 (95 %: 0.97 to 0.985)" in section
    assert "Without skill they are 0.5 and 0.05" in section
    assert "ECE on held-out blocks" in section
    assert "Labels are the plain rule" in section


def test_the_report_lists_the_sites_with_intervals_null_and_pages(text: str) -> None:
    section = section_of(text, "sites")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == ["site_map", "site_ranks"]
    assert '<a href="pages/site-001.html">1</a>' in section
    assert '<a href="pages/index.html">' in section
    assert "would keep a site in the top 20 in 66.7 % of the draws" in section
    assert "2 (1 to 4)" in section
    assert "Pixels do not resolve the buffer." in section
    assert re.search(r"Temperature \(K\)</th><td[^>]*>0</td>", section)


def test_the_report_sets_sites_beside_those_of_others(text: str) -> None:
    section = section_of(text, "others")
    assert "Massifs found" in section
    assert "the run names no table" in section


def test_the_report_tells_why_cells_are_unknown_to_each_rule(text: str) -> None:
    section = section_of(text, "labels")
    for rule in ("CASSA", "HLS"):
        assert re.search(rf'<th scope="row">{rule}</th><td>sunlight</td><td class="number">400</td>', section)
    assert "Noise makes slopes steeper." in section


def test_checks_that_do_not_belong_together_are_refused(run: FakeRun, tmp_path: Path) -> None:
    bins, stamp = table.read(run.path("calibration"), contracts.CALIBRATION)
    other = tmp_path / "calibration.parquet"
    table.write(other, contracts.CALIBRATION, bins, stamp.model_copy(update={"settings_hash": "6" * 64}))
    with pytest.raises(ArtefactError, match="another cross-validation"):
        ScoreChecks.read(run.path("cells"), run.path("scores"), run.path("sweeps"), other, run.path("crossvalidation"))
    ranks, stamp = table.read(run.path("site_ranks"), contracts.SITE_RANKS)
    table.write(tmp_path / "ranks.parquet", contracts.SITE_RANKS, ranks[ranks["site_id"] > 3], stamp)
    ground = Ground.read(run.path("dem"), run.path("named_features"))
    with pytest.raises(ArtefactError, match="ranks other sites"):
        Sites.read(run.path("sites"), tmp_path / "ranks.parquet", ground, ())


def test_the_report_tells_how_good_the_craters_are_beside_rivals_and_chance(text: str) -> None:
    section = section_of(text, "craters")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == list(CRATERS)
    assert "F1 for craters of at least 3 km is 0.74 (95 %: 0.71 to 0.77)" in section
    assert (
        "For comparison, F1 is 0.66 (95 %: 0.63 to 0.69) for the network before fine-tuning, a gain of 0.08" in section
    )
    assert "; 0.52 (95 %: 0.49 to 0.55) for the classical detector; 0.06 (95 %: 0.03 to 0.09) for the same" in section
    assert "It falls short in: F1 from 5 km (0.7, asked: &gt;= 0.74)." in section
    assert "0.17 for a depth over diameter below 0.04, 0.91 for one above 0.15" in section
    assert "missed craters of at least 3 km: no hollow: 38 %; none of these: 62 %." in section
    assert "not measured here" not in section
    assert "the 20 best-scored of" in section
    assert "training: data</th><td>tiles &lt;made up&gt;</td>" in section
    assert "training: history</th><td>9 entries</td>" in section


def test_craters_without_a_catalogue_are_counted_and_not_judged(run: FakeRun, tmp_path: Path) -> None:
    report = {"report": tmp_path / "report.html"}
    pngs = tuple(f"{name}_png" for name in (*ALWAYS, "crater_map", "crater_probability"))
    inputs = (*BARE_INPUTS, *CRATER_INPUTS[:2], *pngs)
    assert run.call("publish-report", inputs, report, {"publish": PUBLISH, "grid": GRID}) == 0
    section = section_of(report["report"].read_text(encoding="utf-8"), "craters")
    assert re.search(r"\d+ craters reached the threshold of the score, 0\.4\d", section)
    assert "not measured here: this run has no catalogue" in section
    assert "stands on its card" in section
    assert "f1 3km</th><td>0.71</td>" in section
    assert "F1 for" not in section
    assert re.findall(r'<figure id="figure-(\w+)"', section) == ["crater_map", "crater_probability"]


def test_the_report_tells_what_enhancement_gains_and_what_it_invents(text: str) -> None:
    section = section_of(text, "shadow")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == list(fake_enhance.INTO_SHADOW)
    for signal in ("4", "20", "100"):
        for network in ("denoiser", "CycleGAN"):
            assert f"At {signal} electrons the {network} reaches" in section
    assert "was not measured in this run" not in section, "the validator's names are those that are looked for"
    assert "At 20 electrons the denoiser reaches 24.04 (95 %: 23.7 to 24.4) dB" in section
    assert "in SSIM below CLAHE (-0.0197, 95 %: -0.0205 to -0.0189)" in section
    assert "with pixels of 40 m; 0 (denoiser) and 0 (CycleGAN) with pixels of 240 m" in section
    assert "Craters by the size of the scenes&#39; pixels" in section
    assert '<th scope="col" class="number">Pixels of (m)</th>' in section
    assert "This run enhances with the denoiser." in section
    assert "PSNR of the CycleGAN above that of every classical baseline, 4 electrons (-1.65" in section
    assert "Scenes are rendered &lt;by us&gt;." in section
    assert "denoiser &lt;made up&gt;" in section


def test_the_report_sets_shadowcam_beside_base_rates(text: str) -> None:
    section = section_of(text, "shadowcam")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == list(fake_enhance.COMPARED)
    assert "median AUC of frames" in section
    assert "0.66 (0.6 to 0.7)" in section
    assert "all dark &lt;no lit ground&gt;" in section
    assert "Gaps count as lit &lt;here&gt;." in section


def test_the_report_names_the_network_that_enhances(run: FakeRun, tmp_path: Path) -> None:
    pngs = tuple(f"{name}_png" for name in (*ALWAYS, "enhance_samples"))
    settings = {"publish": PUBLISH, "grid": GRID, "enhancement": {"method": "cycle"}}
    report = {"report": tmp_path / "report.html"}
    assert run.call("publish-report", (*BARE_INPUTS, "enhance_record", *pngs), report, settings) == 0
    section = section_of(report["report"].read_text(encoding="utf-8"), "shadow")
    assert "This run enhances with the CycleGAN." in section
    assert re.findall(r'<figure id="figure-(\w+)"', section) == ["enhance_samples"]
    assert "The networks</h3>" not in section


def test_networks_without_the_record_of_enhancement_are_refused(
    run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pngs = tuple(f"{name}_png" for name in ALWAYS)
    report = {"report": tmp_path / "report.html"}
    inputs = (*BARE_INPUTS, "cycle", *pngs)
    assert run.call("publish-report", inputs, report, {"publish": PUBLISH, "grid": GRID}) == 3
    assert "the cycle without the record of enhancement" in capsys.readouterr().err


def test_a_run_without_frames_draws_none(run: FakeRun, tmp_path: Path) -> None:
    names = fake_enhance.INTO_SHADOW[:-1]
    outputs = {f"{name}_{kind}": tmp_path / f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    inputs = ("record=enhance_record", "samples=enhance_samples")
    assert run.call("publish-enhance", inputs, outputs, {"publish": PUBLISH}) == 0
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in outputs.values()}


def test_a_crater_record_without_detections_is_refused(
    run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pngs = tuple(f"{name}_png" for name in ALWAYS)
    inputs = (*BARE_INPUTS, "crater_record", *pngs)
    report = {"report": tmp_path / "report.html"}
    assert run.call("publish-report", inputs, report, {"publish": PUBLISH, "grid": GRID}) == 3
    assert "without the detected craters" in capsys.readouterr().err


def test_the_report_tells_of_rocks_with_their_doubt_and_the_models_licence(text: str) -> None:
    section = section_of(text, "rocks")
    assert re.findall(r'<figure id="figure-(\w+)"', section) == list(fake_rock.FIGURES)
    assert "On 12 photographs the ensemble, temperature-scaled reaches a mean IoU of 0.52" in section
    assert "for non-commercial use, with credit, under the same licence" in section
    assert "ECE of the best on held-out renders" in section
    assert "What closes the gap between renders and photographs" in section
    assert "The horizon head against the plain last layer" in section
    assert "statistics &lt;of photographs&gt;" in section
    assert "Masks of photographs leave out &lt;many&gt; small stones." in section
    assert re.search(r"Called unfamiliar by the card&#39;s limit \(%\)", section)


def test_the_report_escapes_what_it_prints(text: str) -> None:
    assert "Test &lt;run&gt; &amp; more" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_report_says_synthetic_and_unknown(text: str) -> None:
    assert text.count("Synthetic.</strong>") == len(DRAWN)
    assert "SYNTHETIC." in text
    assert "(seed 11)" in text
    assert re.search(r"<th scope=\"row\">CASSA</th>.*<td class=\"number\">400</td></tr>", text)
    rows = re.findall(
        r'<th scope="row" class="(?:holds|fails|unknown)">[^<]*</th><td>(?:(\d+) claims: )?', section_of(text, "brief")
    )
    # Claims that lack one and the same thing share a row.
    assert f"Of {sum(int(count or 1) for count in rows)} claims" in text


def test_the_report_lists_every_artefact_with_its_checksum(run: FakeRun, text: str) -> None:
    section = text[text.index('id="provenance"') :]
    for name in (*RASTERS, "cells", "scores", "scorer_record", "artemis"):
        assert digest(run.path(name))[:16] in section


def test_a_published_moon_is_not_called_synthetic(tmp_path: Path) -> None:
    real = FakeRun(tmp_path, origin="local")
    publish(real)
    page = real.path("report").read_text(encoding="utf-8")
    assert "files given by the user" in page
    # Rendered rocks are synthetic here too, and are told so where they are told of; the rest is not for their sake.
    row = r'<tr><th scope="row">rock record</th>.*?</tr>'
    assert "synthetic" in "".join(re.findall(row, page))
    rest = page.replace(section_of(page, "rocks"), "")
    rest = re.sub(rf"<style>.*?</style>|{row}", "", rest, flags=re.DOTALL)
    assert "ynthetic" not in rest.replace("test-synthetic", "")
    root = json.loads((real.folder / "publish" / "catalog.json").read_text(encoding="utf-8"))
    assert "SYNTHETIC" not in root["description"]


def test_the_catalogue_keeps_the_schemas_and_finds_its_files(run: FakeRun) -> None:
    root = pystac.Catalog.from_file(str(run.folder / "publish" / "catalog.json"))
    items = list(root.get_items(recursive=True))
    assert len(items) == len(CATALOGUE_INPUTS)
    for entry in (root, *root.get_children(), *items):
        assert validate_dict(entry.to_dict(include_self_link=False), extensions=[])
    by_name = {Path(item.get_self_href() or "").stem: item for item in items}
    for name in CATALOGUE_INPUTS:
        asset = by_name[name].assets["data"]
        path = Path(asset.get_absolute_href() or "")
        assert path.resolve() == run.path(name).resolve()
        assert asset.extra_fields["file:checksum"] == "1220" + digest(path)
        assert asset.extra_fields["file:size"] == path.stat().st_size


def test_the_catalogue_speaks_of_the_moon_and_of_no_time_of_writing(run: FakeRun) -> None:
    for path in (run.folder / "publish" / "catalogue").rglob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["type"] == "Feature":
            properties = values["properties"]
            assert properties["ssys:targets"] == ["Moon"]
            assert "Moon" in properties["proj:wkt2"]
            assert properties["datetime"] is None
            assert properties["start_datetime"] == "2025-01-01T00:00:00Z"
            # The model that came along learned from real images.
            learned = "model" in path.stem and path.parent.name == "rock"
            assert properties["lunarsite:origin"] == ("local" if learned else "synthetic"), path
        assert "4326" not in path.read_text(encoding="utf-8")
        assert not any(link["href"].startswith(("/", "http")) for link in values["links"])
    dem = json.loads((run.folder / "publish" / "catalogue" / "terrain" / "dem.json").read_text(encoding="utf-8"))
    assert dem["properties"]["proj:shape"] == [200, 200]
    assert dem["properties"]["proj:transform"] == [960.0, 0.0, -96000.0, 0.0, -960.0, 96000.0]


def test_the_same_run_gives_the_same_bytes(run: FakeRun, tmp_path: Path) -> None:
    def files(folder: Path) -> dict[str, str]:
        return {path.relative_to(folder).as_posix(): digest(path) for path in sorted(folder.rglob("*.*"))}

    again = FakeRun(tmp_path)
    publish(again)
    unused = {"unused.png", "unused.pdf"}
    first = {name: value for name, value in files(run.folder).items() if name not in unused}
    assert first == files(again.folder)


def test_an_older_catalogue_is_replaced_whole(run: FakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "publish"
    (folder / "catalogue" / "old").mkdir(parents=True)
    (folder / "catalogue" / "old" / "gone.json").touch()
    outputs = {"catalogue": folder / "catalog.json", "entries": folder / "catalogue"}
    assert run.call("publish-catalogue", CATALOGUE_INPUTS, outputs, {"publish": PUBLISH, "grid": GRID}) == 0
    assert not (folder / "catalogue" / "old").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["catalog.json", "catalogue"]
