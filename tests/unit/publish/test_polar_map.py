from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Circle

from lunarsite.artefact.stamp import ArtefactError
from lunarsite.grid import MOON_RADIUS_M
from lunarsite.publish.polar_map import Feature, Labels, draw_features, frame, read_named_features
from lunarsite.publish.rasters import View
from lunarsite.publish.style import SMALL_PT, new_figure, styled

CAP = View(-304_000.0, 304_000.0, -304_000.0, 304_000.0)


def drawn(view: View) -> tuple[object, object]:
    with styled():
        figure = new_figure(7.0, 7.0)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        frame(axes, view)
    return figure, axes


def test_circles_of_latitude_lie_where_the_projection_puts_them() -> None:
    _, axes = drawn(CAP)
    radii = sorted(p.radius for p in axes.patches if isinstance(p, Circle))  # type: ignore[attr-defined]
    eighty = 2.0 * MOON_RADIUS_M * math.tan(math.radians(5.0))
    assert any(radius == pytest.approx(eighty) for radius in radii)
    labels = {text.get_text() for text in axes.texts}  # type: ignore[attr-defined]
    assert {"80° S", "88° S", "0°", "180°", "90° E", "90° W", "100 km"} <= labels


def test_east_is_to_the_right_in_the_south_and_in_the_north() -> None:
    for pole, zero_up in (("south", True), ("north", False)):
        _, axes = drawn(View(-304_000.0, 304_000.0, -304_000.0, 304_000.0, pole))  # type: ignore[arg-type]
        places = {text.get_text(): text.xy for text in axes.texts if hasattr(text, "xy")}  # type: ignore[attr-defined]
        assert places["90° E"][0] > 0
        assert (places["0°"][1] > 0) == zero_up
        suffix = "S" if pole == "south" else "N"
        assert any(text.get_text() == f"80° {suffix}" for text in axes.texts)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "view",
    [
        View(100_000.0, 140_000.0, 50_000.0, 90_000.0),
        View(-304_000.0, -100_000.0, -20_000.0, 184_000.0),
        View(-5_000.0, 5_000.0, -5_000.0, 5_000.0),
        View(-5_000.0, 5_000.0, 20_000.0, 90_000.0),
    ],
)
def test_any_view_has_a_labelled_graticule_within_reason(view: View) -> None:
    _, axes = drawn(view)
    texts = [text.get_text() for text in axes.texts]  # type: ignore[attr-defined]
    assert any("S" in text for text in texts)
    assert any("E" in text or "W" in text or text in ("0°", "180°") for text in texts)
    assert len(texts) < 30
    assert all(text.get_fontsize() >= SMALL_PT for text in axes.texts)  # type: ignore[attr-defined]


def test_labels_hide_no_label() -> None:
    figure, axes = drawn(CAP)
    features = [Feature(f"Crater {i}", "crater", -85.0 - 0.2 * i, 20.0 * i, 30_000.0) for i in range(20)]
    before = len(axes.texts)  # type: ignore[attr-defined]
    labels = Labels(axes, CAP)  # type: ignore[arg-type]
    draw_features(axes, CAP, features, labels, 20)  # type: ignore[arg-type]
    assert before < len(axes.texts) <= before + 20  # type: ignore[attr-defined]
    figure.canvas.draw()  # type: ignore[attr-defined]
    boxes = [text.get_window_extent() for text in axes.texts[before:]]  # type: ignore[attr-defined]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_features_outside_or_too_small_are_left_out() -> None:
    _, axes = drawn(CAP)
    before = len(axes.texts)  # type: ignore[attr-defined]
    features = [
        Feature("Far", "crater", -60.0, 0.0, 90_000.0),
        Feature("Tiny", "crater", -88.0, 0.0, 500.0),
        Feature("Basin", "basin", -85.0, 0.0, 2_400_000.0),
    ]
    draw_features(axes, CAP, features, Labels(axes, CAP), 9)  # type: ignore[arg-type]
    assert len(axes.texts) == before  # type: ignore[attr-defined]


def test_named_features_of_the_repository_can_be_read() -> None:
    features = read_named_features(Path(__file__).parents[3] / "resources" / "named_features.csv")
    shackleton = next(feature for feature in features if feature.name == "Shackleton")
    assert np.isclose(shackleton.lat_deg, -89.7, atol=0.3)


def test_a_bad_table_of_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("name,kind,lat_deg,lon_deg,diameter_m\nA,crater,-89,east,1\n", encoding="utf-8")
    with pytest.raises(ArtefactError, match="no table of named features"):
        read_named_features(path)
