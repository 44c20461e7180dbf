"""Figures and sentences of rocks, from a made-up record and made-up pictures."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.text import Text

from lunarsite.artefact import contracts, record
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish import style
from lunarsite.publish.rock import charts, looks, story
from lunarsite.publish.rock.doubt import draw_unfamiliar
from lunarsite.publish.rock.hazards import draw_hazards, read_sizes
from lunarsite.publish.rock.pictures import Samples, _shown, _verdict
from lunarsite.publish.rock.story import RockFiles
from lunarsite.publish.rock.tables import Measured
from lunarsite.publish.rock.words import CAPTIONS

from . import fake_rock
from .fake_run import FakeRun

INPUTS = ("record=rock_record", "samples=rock_samples", "renders=rock_distribution")
PUBLISH: dict[str, object] = {"publish": {"figure_dpi": 60}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """A run that has rocks and nothing else."""
    made = FakeRun.__new__(FakeRun)
    made.folder, made.origin = tmp_path_factory.mktemp("rocks"), "synthetic"
    fake_rock.write_rock(made)
    return made


def outputs(run: FakeRun) -> dict[str, Path]:
    """PNG and PDF of each figure."""
    return {f"{name}_{kind}": run.path(f"{name}_{kind}") for name in fake_rock.FIGURES for kind in ("png", "pdf")}


@pytest.fixture(scope="module")
def drawn(run: FakeRun) -> dict[str, Any]:
    """Every figure as it was handed to be saved, by name."""
    figures: dict[str, Any] = {}
    patch = pytest.MonkeyPatch()
    save = style.save

    def keep(figure: Any, path: Path, dpi: int) -> None:
        if path.suffix == ".png":
            figures[path.stem] = figure
            save(figure, path, dpi)
        else:
            path.touch()

    patch.setattr(style, "save", keep)
    assert run.call("publish-rock", INPUTS, outputs(run), PUBLISH) == 0
    patch.undo()
    return figures


def words(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def test_every_figure_is_drawn_whole(run: FakeRun, drawn: dict[str, Any]) -> None:
    assert set(drawn) == set(fake_rock.FIGURES)
    for name, figure in drawn.items():
        pixels = matplotlib.image.imread(run.path(f"{name}_png"))[..., :3]
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == 1.0).all(), name
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        assert min(sizes) >= style.SMALL_PT


def test_pictures_tell_what_they_are_and_whether_they_are_familiar(drawn: dict[str, Any]) -> None:
    found = words(drawn["rock_samples"])
    assert {"photograph: PCAM $12", "orbital images: 3", "mean IoU 0.40", "familiar (distance 0.02)"} <= set(found)
    assert found.count("no truth") == 2
    assert "unfamiliar (distance 0.04)" in found


def test_renders_among_photographs_are_called_partly_synthetic(run: FakeRun, drawn: dict[str, Any]) -> None:
    for name, figure in drawn.items():
        assert style.PARTLY_MARK in words(figure), name
    only = Samples.read(run.path("rock_samples"))
    only = replace(only, found=tuple(sample for sample in only.found if sample.kind != "photograph"))
    assert style.SYNTHETIC_MARK in words(only.draw())


def test_pictures_without_ground_are_told_as_not_judged(run: FakeRun) -> None:
    first = Samples.read(run.path("rock_samples")).found[0]
    blind = replace(first, out_of_distribution=None, unfamiliarity=np.nan)
    assert _verdict(blind)[0] == "no ground: not judged"
    assert [_verdict(replace(first, out_of_distribution=value))[0].split()[0] for value in (True, False)] == [
        "unfamiliar",
        "familiar",
    ]


def test_pictures_show_classes_by_colour_and_unknown_in_grey(run: FakeRun) -> None:
    figure = Samples.read(run.path("rock_samples")).draw()
    truth, classes = (figure.axes[column].images[0].get_array() for column in (1, 2))
    assert truth is not None
    assert classes is not None
    rock, ground = classes[25, 25], classes[15, 2]
    assert rock[0] > rock[1] + 0.1, "large rocks are purple"
    assert ground[0] == ground[1] == ground[2], "ground stays as it is"
    orbital = figure.axes[2 * 5 + 1].images[0].get_array()
    assert orbital is not None
    assert len(np.unique(orbital.reshape(-1, 3), axis=0)) == 1, "there is no truth of an orbital image"


def test_an_image_that_claims_too_many_pixels_is_refused(run: FakeRun, tmp_path: Path) -> None:
    other = FakeRun.__new__(FakeRun)
    other.folder, other.origin = tmp_path, "synthetic"
    values = {"valid_height": fake_rock.ROWS + 1, "valid_width": 1, "name": "too high"}
    fake_rock.write_images(other, "rock_samples", contracts.ROCK_SAMPLES, [values])
    with pytest.raises(ArtefactError, match="claims 33 x 1 pixels"):
        Samples.read(other.path("rock_samples"))


def test_every_kind_of_image_is_shown_before_a_second_of_any() -> None:
    assert _shown([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 3]) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert _shown([0] * 9 + [1]) == [0, 1, 2, 3, 4, 5, 6, 9]
    assert _shown([2]) == [0]


def test_panels_of_one_group_stand_side_by_side() -> None:
    made = fake_rock.rock_record()
    own = {
        key: [row for row in rows if row.get("group", "own renders") == "own renders"]
        for key, rows in made.tables.items()
    }
    figure = charts.draw_overlap(measured(made.model_copy(update={"tables": own})))
    assert len(figure.axes) == 2
    assert figure.axes[0].get_position().y0 == figure.axes[1].get_position().y0
    assert words(figure).count("Own renders (12 scenes)") == 1


def test_finding_no_rocks_is_drawn_beside_the_networks(drawn: dict[str, Any]) -> None:
    axes = drawn["rock_overlap"].axes[0]
    sand = [bar.get_height() for bar in axes.patches if bar.get_facecolor() == to_rgba(looks.SAND)]
    np.testing.assert_allclose(sand, [0.35, 0.32, 0.29, 0.26, 0.23])
    assert len(axes.patches) == 5 * 5
    for name in ("rock_overlap", "rock_reliability"):
        assert "no rocks at all" in words(drawn[name])
    colours = [method.colour for method in looks.METHODS.values()]
    assert len(set(colours)) == len(colours)


def test_confidence_in_rocks_is_drawn_by_class_as_users_get_it(drawn: dict[str, Any]) -> None:
    panels = drawn["rock_reliability"].axes[6:]
    assert len(panels) == 3
    for axes, worse in zip(panels, fake_rock.GROUPS.values(), strict=True):
        _, *lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 1]
        assert [line.get_color() for line in lines] == [style.ORANGE, style.PURPLE]
        for line, less in zip(lines, (0.0, 0.1), strict=True):
            told, right = line.get_data()
            np.testing.assert_allclose(right, (1.0 - less - worse) * np.asarray(told))
        marks = [line for line in axes.get_lines() if len(line.get_xdata()) == 1]
        hollow = [float(mark.get_xdata()[0]) for mark in marks if mark.get_markerfacecolor() == "white"]
        np.testing.assert_allclose(hollow, 2 * [13.5 / 15.0, 14.5 / 15.0])
    legend = panels[0].get_legend()
    names = dict(zip((t.get_text() for t in legend.get_texts()), legend.legend_handles, strict=True))
    assert {name: one.get_color() for name, one in names.items()} == {
        "small rocks": style.ORANGE,
        "large rocks": style.PURPLE,
    }
    assert any("By class: pixels by the probability" in text for text in words(drawn["rock_reliability"]))


def test_a_record_without_confidence_by_class_draws_the_rest() -> None:
    made = fake_rock.rock_record()
    for rows in (None, [row for row in made.tables["reliability_by_class"] if row["method"] == "single"]):
        tables = {key: one for key, one in made.tables.items() if key != "reliability_by_class"}
        if rows is not None:
            tables["reliability_by_class"] = rows
        figure = charts.draw_reliability(measured(made.model_copy(update={"tables": tables})))
        assert len(figure.axes) == 6
        assert not any("By class" in text for text in words(figure))
    cut = [{key: value for key, value in row.items() if key != "share"} for row in made.tables["reliability_by_class"]]
    with pytest.raises(ArtefactError, match=r"table 'reliability_by_class' lacks \['share'\]"):
        measured(made.model_copy(update={"tables": {**made.tables, "reliability_by_class": cut}}))


def test_a_run_of_own_renders_is_told_nothing_of_held_out_ones() -> None:
    made = fake_rock.rock_record()
    tables = {
        key: [row for row in rows if row.get("group", "own renders") == "own renders"]
        for key, rows in made.tables.items()
    }
    tables["out_of_distribution"] = [{**row, "against": "own renders"} for row in tables["out_of_distribution"]]
    tables["unfamiliarity"] = [row for row in tables["unfamiliarity"] if row["images"] != "held-out renders"]
    own = measured(made.model_copy(update={"tables": tables}))
    figures = (charts.draw_overlap(own), charts.draw_reliability(own), charts.draw_risk(own), draw_unfamiliar(own))
    told = [text for figure in figures for text in words(figure)]
    told += [CAPTIONS[name] for name in ("segmentation", "calibration", "out_of_distribution", "unfamiliarity", "aurc")]
    assert "AUROC against own renders" in told
    assert [text for text in told if "held-out" in text.lower()] == []
    # The number of bins is a setting.
    assert [text for text in told if "15 bins" in text] == []


def test_what_is_left_has_the_interval_of_entropy_and_the_marks_of_its_legend(drawn: dict[str, Any]) -> None:
    figure = drawn["rock_risk"]
    (legend,) = figure.legends
    told = dict(zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True))
    shares = 100.0 * np.array(fake_rock.HANDED_OVER)
    for axes, worse in zip(figure.axes, 2 * tuple(fake_rock.GROUPS.values()), strict=True):
        (band,) = axes.collections
        error = (10.0 + 100.0 * worse) * (1.0 - shares / 100.0) ** 3.0
        corners = band.get_paths()[0].vertices
        for factor, end in ((0.9, np.min), (1.1, np.max)):
            ends = [end(corners[np.isclose(corners[:, 0], share), 1]) for share in shares]
            np.testing.assert_allclose(ends, factor * error)
        assert to_rgba(style.BLUE)[:3] == tuple(band.get_facecolor()[0][:3])
        assert [(line.get_color(), line.get_marker()) for line in axes.get_lines()] == [
            (sample.get_color(), sample.get_marker()) for sample in told.values()
        ]
    assert told["entropy"].get_marker() == "o"
    assert any("Band: 95 % interval of entropy" in text for text in words(figure))


def test_signs_of_a_kind_of_image_keep_to_its_row(drawn: dict[str, Any]) -> None:
    left, right = drawn["rock_unfamiliar"].axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[1:4] == ["photographs (12)", "orbital images (16)", "shadowed orbital images (16)"]
    places = np.array([line.get_ydata()[0] for line in right.get_lines() if len(line.get_xdata()) == 1])
    rows = [places[np.round(places) == row] for row in range(1, len(labels))]
    assert [len(row) for row in rows] == [len(fake_rock.STATISTICS)] * 5
    between = min(below.min() - above.max() for above, below in itertools.pairwise(rows))
    assert between > 2.0 * np.diff(rows[0]).max()
    for axes in (left, right):
        shaded = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches]
        assert shaded == [(0.5, 1.5), (2.5, 3.5), (4.5, 5.5)]


def test_what_was_not_measured_is_said_and_not_drawn(drawn: dict[str, Any]) -> None:
    assert words(drawn["rock_reliability"]).count("not measured") == 1
    assert "the others against these" in words(drawn["rock_unfamiliar"])


def test_images_that_are_not_judged_are_told_beside_the_others(drawn: dict[str, Any]) -> None:
    left, _ = drawn["rock_unfamiliar"].axes
    kinds = [label.get_text() for label in left.get_yticklabels()]
    told = {kinds[round(text.get_position()[1])]: text.get_text() for text in left.texts}
    assert told == {"photographs (12)": "3 of 12 not judged", "noise (12)": "12 of 12 not judged"}
    assert any("of the images that show ground" in text for text in words(drawn["rock_unfamiliar"]))


def test_sizes_in_all_images_are_those_of_the_table(run: FakeRun, drawn: dict[str, Any]) -> None:
    metres, pixels = drawn["rock_hazards"].axes[2:]
    for axes, size, density in ((metres, "diameter_m", "per_m2"), (pixels, "diameter_px", "per_mpx")):
        (line,) = axes.get_lines()
        assert line.get_label() == "own renders (3)"
        rows = [row for row in fake_rock.distribution() if row["image"] == "" and row[density] > 0.0]
        np.testing.assert_array_equal(line.get_xydata(), [(row[size], row[density]) for row in rows])
    own = read_sizes(run.path("rock_distribution"))
    assert (own["image"] == "").all()
    both = draw_hazards(measured(fake_rock.rock_record()), {"own renders": own, "the dataset's images": own})
    assert [len(axes.get_lines()) for axes in both.axes[2:]] == [2, 2]


def test_trainings_stand_in_the_order_of_the_table_with_their_seeds(drawn: dict[str, Any]) -> None:
    photographs, renders = drawn["rock_gap"].axes
    labels = [label.get_text() for label in photographs.get_yticklabels()]
    assert labels == ["no rocks: nothing is learned", "synthetic only: renders", "style: statistics <of photographs>"]
    assert photographs.get_title(loc="left") == "Test photographs (5 scenes)"
    seeds = [line for line in photographs.get_lines() if line.get_marker() == "|"]
    assert [round(float(line.get_xdata()[0]), 2) for line in seeds] == [0.42, 0.38, 0.52, 0.48]
    (chosen,) = (line for line in renders.get_lines() if line.get_marker() == "D")
    assert [float(chosen.get_xdata()[0]), float(chosen.get_ydata()[0])] == [0.79, 2.0]


def test_a_run_without_an_ablation_draws_and_tells_nothing_of_it() -> None:
    made = fake_rock.rock_record()
    tables = {key: rows for key, rows in made.tables.items() if key not in {"ablation", "seeds", "heads"}}
    assert "From renders to photographs" not in " ".join(
        story.sentences(measured(made.model_copy(update={"tables": tables})))
    )
    cut = [{key: value for key, value in row.items() if key != "chosen"} for row in made.tables["ablation"]]
    with pytest.raises(ArtefactError, match=r"table 'ablation' lacks \['chosen'\]"):
        measured(made.model_copy(update={"tables": {**made.tables, "ablation": cut}}))


def test_a_record_without_rendered_truth_says_so() -> None:
    made = fake_rock.rock_record()
    bare = made.model_copy(update={"tables": {**made.tables, "sizes": [], "rock_area": []}})
    assert words(draw_hazards(measured(bare), {})).count("nothing to measure") == 4


def measured(found: Record) -> Measured:
    run = FakeRun.__new__(FakeRun)
    run.origin = "synthetic"
    return Measured.checked(found, run.stamp("rock", "validate-rock"))


@pytest.mark.parametrize("table", ["segmentation", "risk_coverage"])
def test_a_record_that_lacks_what_is_drawn_is_refused(table: str) -> None:
    made = fake_rock.rock_record()
    without = made.model_copy(update={"tables": {key: rows for key, rows in made.tables.items() if key != table}})
    with pytest.raises(ArtefactError, match=f"has no table '{table}'; rerun validate-rock"):
        measured(without)
    cut = [{key: value for key, value in row.items() if key != "group"} for row in made.tables[table]]
    with pytest.raises(ArtefactError, match=f"table '{table}' lacks \\['group'\\]"):
        measured(made.model_copy(update={"tables": {**made.tables, table: cut}}))


def test_sentences_put_each_number_beside_its_baselines() -> None:
    told = " ".join(story.sentences(measured(fake_rock.rock_record())))
    assert "On 20 own renders of 12 scenes the ensemble, temperature-scaled reaches" in told
    assert (
        "On 12 photographs the ensemble, temperature-scaled reaches a mean IoU of 0.52 (95 %: 0.468 to 0.572)" in told
    )
    assert "beside 0.01 (95 %: 0.009 to 0.011) (commonest class at each place), 0.05 (95 %: 0.045 to 0.055) (no" in told
    assert "(no rocks at all) and 0.15 (95 %: 0.135 to 0.165) (without learning)." in told
    assert "The hardest class: sky, 0.4" in told
    # What finds no rock has the least of all, which says nothing of the networks.
    assert "Expected calibration error on held-out renders: 0.005 (95 %: 0.0045 to 0.0055) (no rocks at all); " in told
    assert told.count("The least of a network is that of 'ensemble, temperature-scaled'.") == 3
    assert "what is below tells as well as what is above): " in told
    assert "orbital images 0.85 (95 %: 0.765 to 0.935) (0.2 by share of black); " in told, "farther from 0.5 than 0.75"
    assert " by mutual information" not in told, "the best other one stands beside it, the rest in the table"
    assert "unfamiliar: 0 % of held-out renders, 15 % of photographs (3 of 12 without ground, not judged), 30 %" in told
    assert ", none of noise (all 12 without ground, not judged), 60 % of rotated by 90°, 75 %" in told
    assert (
        "10 % of the pixels are wrong; with the 10 % of highest entropy handed to a person, 7.29 % of the rest" in told
    )
    assert (
        "mean IoU 0.4 (95 %: 0.36 to 0.44) with 'synthetic only' (renders); 0.5 (95 %: 0.45 to 0.55) with 'style',"
        in told
    )
    assert "which validation photographs chose; 0.2 (95 %: 0.18 to 0.22) where no rock is found at all." in told
    assert (
        "Of rocks 0.2 m wide and more own renders have 1.25 on a square metre, of which 1 (95 %: 0.9 to 1.1) are"
        " counted: 80 %." in told
    )
    assert "It falls short in: photographs told from renders (0.61, asked: >= 0.9)." in told


def test_a_record_of_nothing_says_so() -> None:
    made = fake_rock.rock_record()
    empty = made.model_copy(update={"tables": {key: [] for key in made.tables}, "verdicts": ()})
    assert list(story.sentences(measured(empty))) == [
        "Nothing could be measured: the run has no scene that no training saw."
    ]


def test_the_report_tells_the_licence_of_the_model(run: FakeRun) -> None:
    told = story.tell(RockFiles(run.path("rock_record"), run.path("rock_model")))
    assert told is not None
    assert "learned from Rocks <drawn by hand> (CC BY-NC-SA 4.0). So it" in told.sentences[-1]
    assert "non-commercial use, with credit, under the same licence" in told.sentences[-1]
    assert told.card is not None
    free = story.licence_words({"data": [{"title": "Scenes", "licence": "CC0"}]})
    assert free == "The model learned from Scenes (CC0)."
    assert not story.licence_words({})


def test_a_model_without_its_record_is_refused(run: FakeRun) -> None:
    assert story.tell(RockFiles(None, None)) is None
    with pytest.raises(ArtefactError, match="model of rocks without the record"):
        story.tell(RockFiles(None, run.path("rock_model")))


def test_a_broken_record_ends_the_stage(run: FakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = fake_rock.rock_record()
    path = tmp_path / "record.json"
    without = made.model_copy(update={"tables": {}})
    record.write(path, contracts.ROCK_RECORD, without, run.stamp("rock", "validate-rock"))
    other = FakeRun.__new__(FakeRun)
    other.folder, other.origin = tmp_path, "synthetic"
    path.rename(other.path("rock_record"))
    for name in ("rock_samples", "rock_distribution"):
        other.path(name).write_bytes(run.path(name).read_bytes())
    assert other.call("publish-rock", INPUTS, outputs(other), PUBLISH) == 3
    assert "rerun validate-rock" in capsys.readouterr().err
