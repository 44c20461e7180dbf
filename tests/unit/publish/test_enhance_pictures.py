"""Pictures and charts of seeing into shadow, from made-up samples and records."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lunarsite.artefact import contracts
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError, Stamp
from lunarsite.publish.enhance_charts import MEASURES, Measured, rows
from lunarsite.publish.enhance_looks import METHODS, in_order, look
from lunarsite.publish.enhance_pictures import Sample, Samples
from lunarsite.publish.enhance_words import sentences
from tests.stage import fake_enhance
from tests.stage.fake_enhance import LEVELS, enhance_record, texture


def stamp(artefact: str = "enhance") -> Stamp:
    return Stamp.model_validate(
        {
            "artefact": artefact,
            "stage": "validate-enhance",
            "run": "made",
            "settings_hash": "5" * 64,
            "code": "c" * 16,
            "inputs": {},
            "git_commit": None,
            "git_dirty": None,
            "seed": 1,
            "origin": "local",
        }
    )


def sample(method: str, electrons: float = 4.0, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "kind": "scene",
        "name": "one",
        "method": method,
        "quantity": "image",
        "electrons": float("nan") if method == "truth" else electrons,
        "pixels": texture(32, 32, 3),
        "pixel_m": 40.0,
        "scale": (0.2, 0.8),
        "psnr_db": 20.0,
        "ssim": 0.5,
    }
    return Sample(**{**values, **changes})


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def pictured(figure: Figure) -> Iterator[np.ndarray]:
    """The pictures of a figure, in the order of its panels."""
    for axes in figure.axes:
        for image in axes.images:
            yield np.asarray(image.get_array())


def test_the_image_as_taken_comes_first_and_the_truth_last() -> None:
    assert in_order({"truth", "CycleGAN", "raw", "new", "denoiser"}) == ["raw", "denoiser", "CycleGAN", "new", "truth"]
    looks = [(one.colour, str(one.dashes), one.marker) for name, one in METHODS.items() if name != "truth"]
    assert len(set(looks)) == len(looks), "no two methods look alike"
    assert look("own_idea").words == "own idea"


def test_every_row_of_scenes_has_the_raw_image_and_the_truth() -> None:
    found = tuple(
        sample(method, level, name=name)
        for name in ("one", "two")
        for level in LEVELS
        for method in ("raw", "denoiser", "truth")
    )
    figure = Samples(found, stamp("enhance_samples")).draw_scenes()
    assert sum(1 for _ in pictured(figure)) == 2 * 3 * 3
    told = words(figure)
    assert [text for text in told if text in ("as taken", "denoiser", "truth")] == ["as taken", "denoiser", "truth"]
    assert sum("electrons" in text for text in told) == 2 * 3
    assert sum("20.0 dB" in text for text in told) == 2 * 3 * 2, "the truth has no number"


def test_pictures_share_a_grey_scale_and_unknown_ground_is_not_grey() -> None:
    pixels = np.full((8, 8), 0.5, dtype=np.float32)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = np.nan, 0.2, 5.0
    figure = Samples((sample("raw", pixels=pixels), sample("truth")), stamp("enhance_samples")).draw_scenes()
    shown = next(pictured(figure))
    assert np.allclose(shown[4, 4], 0.5)
    assert np.allclose(shown[0, 1], 0.0)
    assert np.allclose(shown[0, 2], 1.0)
    assert len(set(shown[0, 0].tolist())) == 3, "no grey"


def test_a_picture_that_is_missing_leaves_a_gap() -> None:
    found = (sample("raw", 4.0), sample("denoiser", 20.0), sample("truth"))
    assert sum(1 for _ in pictured(Samples(found, stamp("enhance_samples")).draw_scenes())) == 4


def test_a_frame_is_drawn_raw_enhanced_with_error_and_support() -> None:
    support = np.array([[1.0, 0.0], [np.nan, 1.0]], dtype=np.float32)
    frame: dict[str, Any] = {"kind": "frame", "electrons": float("nan")}
    found = (
        sample("raw", **frame),
        sample("CycleGAN", **frame),
        sample("CycleGAN", quantity="error", **frame),
        sample("CycleGAN", quantity="support", pixels=support, **frame),
    )
    figure = Samples(found, stamp("enhance_samples")).draw_frames()
    shown = [image for image in pictured(figure) if image.ndim == 3 and image.shape[2] == 3]
    assert [image.shape[:2] for image in shown] == [(32, 32), (32, 32), (32, 32), (2, 2)]
    mask = shown[-1]
    assert np.array_equal(mask[0, 0], mask[1, 1])
    assert len({tuple(mask[at]) for at in ((0, 0), (0, 1), (1, 0))}) == 3
    assert "enhanced (CycleGAN)" in words(figure)
    assert any("NASA" in text for text in words(figure))


def test_samples_that_claim_more_pixels_than_there_are_are_refused(tmp_path: Path) -> None:
    from tests.stage.fake_run import FakeRun

    path = FakeRun(tmp_path).path("enhance_samples")
    assert {one.kind for one in Samples.read(path).found} == {"scene", "frame"}
    with h5py.File(path, "r+") as file:
        file["rows"][3] = 65
    with pytest.raises(ArtefactError, match="picture 3 claims 65 x 64"):
        Samples.read(path)


def without(name: str, column: str = "") -> Record:
    """The made-up record without a table or a column of it."""
    found = enhance_record()
    tables = {key: [dict(row) for row in held] for key, held in found.tables.items()}
    if not column:
        del tables[name]
    for row in tables.get(name, []):
        row.pop(column, None)
    return found.model_copy(update={"tables": tables})


@pytest.mark.parametrize(("name", "column"), [("spectrum", ""), ("by_level", "ssim_low"), ("craters", "recall")])
def test_a_record_that_lacks_what_is_drawn_is_refused(name: str, column: str) -> None:
    with pytest.raises(ArtefactError, match="rerun validate-enhance"):
        rows(without(name, column), name)


def test_charts_of_levels_have_a_line_for_each_method() -> None:
    figure = Measured(enhance_record(), stamp()).draw_levels()
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in panels] == [title for *_, title, _ in MEASURES]
    lines = [line for line in panels[0].lines if len(line.get_xdata()) == len(LEVELS)]
    assert len(lines) == len(fake_enhance.METHODS)
    for line in lines:
        assert all(a < b for a, b in itertools.pairwise(np.asarray(line.get_ydata(), dtype=float)))


def test_unknown_numbers_are_left_out_of_charts_and_told_in_words() -> None:
    found = enhance_record()
    for table in ("by_level", "craters", "spectrum"):
        for row in found.tables[table]:
            if row["method"] == "CycleGAN":
                row.update({key: None for key in row if key not in ("method", "kind", "electrons", "cycles_per_px")})
    measured = Measured(found, stamp())
    measured.draw_levels()
    measured.draw_spectrum()
    told = " ".join(sentences(found, "denoiser"))
    assert "The CycleGAN was not measured in this run." in told
    assert "the CycleGAN reaches" not in told
    assert "This record does not compare it with the CycleGAN." in told


def test_a_run_without_scenes_in_shadow_says_so() -> None:
    found = enhance_record().model_copy(update={"tables": {"by_level": [], "craters": [], "spectrum": []}})
    assert next(sentences(found, "cycle")).startswith("Nothing could be measured")
    Measured(found, stamp()).draw_levels()
    Measured(found, stamp()).draw_spectrum()
    assert contracts.ENHANCE_RECORD.name == "enhance"
