"""What the validator's judge says of enhancement, drawn and told by the publication: names, tables, captions."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunarsite.publish import sections
from lunarsite.publish.enhance_pictures import Samples
from lunarsite.publish.enhance_story import EnhanceFiles, EnhanceStory, tell
from lunarsite.publish.report import Section

from . import fake_enhance
from .fake_run import FakeRun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """A run that has enhancement and nothing else."""
    made = FakeRun.__new__(FakeRun)
    made.folder, made.origin = tmp_path_factory.mktemp("enhance"), "synthetic"
    fake_enhance.write_enhance(made)
    return made


@pytest.fixture(scope="module")
def story(run: FakeRun) -> EnhanceStory:
    found = tell(EnhanceFiles(run.path("enhance_record"), run.path("denoiser"), run.path("cycle")), "denoiser")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def section(story: EnhanceStory) -> Section:
    return sections.tell("enhance", story.record, "cassa")


def test_the_validators_record_is_told_with_both_networks(story: EnhanceStory) -> None:
    text = " ".join(story.sentences)
    for electrons in fake_enhance.LEVELS:
        for network in ("denoiser", "CycleGAN"):
            assert f"At {electrons:g} electrons the {network} reaches" in text
    assert "was not measured" not in text
    assert "in SSIM below CLAHE (-0.0197, 95 %: -0.0205 to -0.0189)" in text
    assert [card.caption.partition(":")[0] for card in story.cards] == ["The denoiser's card", "The CycleGAN's card"]


def test_pictures_have_the_networks_columns(run: FakeRun) -> None:
    figure = Samples.read(run.path("enhance_samples")).draw_scenes()
    heads = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert heads == ["as taken", "median", "non-local", "BM3D", "CLAHE", "denoiser", "CycleGAN", "truth"]


def test_craters_by_pixel_size_are_a_table_of_the_report(section: Section) -> None:
    table = next(one for one in section.tables if one.caption.startswith("Craters by the size of the scenes' pixels"))
    assert table.columns[:4] == ("Pixels of (m)", "Scenes", "Method", "Electrons of the median pixel")
    assert {row[0] for row in table.rows} == {"40", "240"}
    assert any(column.startswith("Invented per 100 km²") for column in table.columns)


def test_every_table_has_a_caption_and_every_column_words(section: Section, story: EnhanceStory) -> None:
    assert len(section.tables) == len([rows for name, rows in story.record.tables.items() if rows]) - 1, "the spectrum"
    for table in section.tables:
        assert table.caption.endswith("."), table.caption
        assert not [
            column
            for column in table.columns
            if "per 100" in column.lower() and "px" not in column and "km" not in column
        ]


def test_tables_of_real_frames_have_captions(story: EnhanceStory) -> None:
    row = {"with": "other frames", "correlation_raw": 0.5}
    more = {name: [row] for name in ("frames_agreement", "frames_agreement_outside", "frames_craters")}
    found = story.record.model_copy(update={"tables": more})
    captions = [table.caption for table in sections.tell("enhance", found, "cassa").tables]
    assert len(captions) == 3
    assert all(caption.endswith(".") for caption in captions), captions


def test_the_report_without_frames_draws_none(run: FakeRun, tmp_path: Path) -> None:
    names = fake_enhance.INTO_SHADOW[1:3]
    outputs = {f"{name}_{kind}": tmp_path / f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    samples = {f"enhance_samples_{kind}": tmp_path / f"enhance_samples.{kind}" for kind in ("png", "pdf")}
    inputs = ("record=enhance_record", "samples=enhance_samples")
    assert run.call("publish-enhance", inputs, {**samples, **outputs}, {"publish": {"figure_dpi": 60}}) == 0
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (*samples.values(), *outputs.values())}
