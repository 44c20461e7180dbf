from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from shapely.geometry import MultiPolygon, Polygon, box

from lunarsite.artefact.contracts import CRITERIA
from lunarsite.artefact.stamp import Stamp
from lunarsite.publish import site_charts, site_story
from lunarsite.publish.polar_map import Feature
from lunarsite.publish.style import new_figure

SHACKLETON = Feature("Shackleton", "crater", -89.67, 129.78, 21_000.0)
STAMP = Stamp(
    artefact="sites", stage="place-sites", run="a", settings_hash="5" * 64, code="c" * 16, inputs={}, git_commit=None,
    git_dirty=None, seed=1, origin="local",
)  # fmt: skip


def sites(count: int) -> pd.DataFrame:
    turn = np.arange(count)
    return pd.DataFrame({"rank": turn + 1, "lon": 129.0, "lat": -89.6}).assign(
        region="", piece_id=1 + turn // 8, good_area_km2=561.0, probability=np.where(turn == 1, 0.87, 0.999),
        rank_low=turn + 1.0, rank_median=turn + 2.0, rank_high=turn + 9.0,
        share_top_20=np.where(turn < 5, 1.0, 0.5), slope_deg=2.0, illumination_pct=np.nan, earth_visibility_pct=60.0,
        psr_walk=np.resize(["reached", "no way", "unknown"], count),
        psr_walk_m=np.resize([1_234.0, np.nan, np.nan], count),
        area_km2=1.8, unknown="temperature\nice",
    )  # fmt: skip


def test_what_is_said_of_sites_has_the_random_order_beside_it() -> None:
    told = site_story.told(sites(80), "cassa")
    assert told[0].startswith("80 sites on 10 pieces of contiguous ground")
    assert told[0].endswith("; the best 20 on 3.")
    assert "Of the first 20, 5 stay in the top 20 in at least 90 %" in told[1]
    assert "A random order would keep a site there in 25 % of the draws" in told[1]
    assert told[2] == "No way on foot leads to permanent shadow from 7 of them; for 6 it is unknown."


def test_no_sites_are_said_plainly() -> None:
    assert site_story.told(sites(0), "hls") == ("No ground is good enough for a site by the HLS rule.",)
    assert site_story.site_table(sites(0), (), 20).rows == ()


def test_the_table_of_sites_shows_intervals_and_what_is_unknown() -> None:
    table = site_story.site_table(sites(30), (SHACKLETON,), 2)
    assert len(table.rows) == 20
    by_name = dict(zip(table.columns, table.rows[0], strict=True))
    assert by_name["Nearest named feature"] == "in Shackleton"
    assert by_name["Rank in the draws: median (95 %)"] == "2 (1 to 9)"
    assert by_name["In the top 20 (% of draws)"] == "100"
    assert by_name["Sunlight (% of time)"] == "unknown"
    assert by_name["Artemis region"] == "none"
    assert by_name["Unknown criteria"] == "2"
    # 200 draws do not tell 0.999 from 1.
    at = table.columns.index("Probability")
    assert [row[at] for row in table.rows[:3]] == ["> 0.99", "0.87", "> 0.99"]
    assert "no chance of a safe landing" in table.caption
    # The polygon's area is not that of the ground around it.
    assert (by_name["Area of its polygon (km²)"], by_name["Contiguous good ground around it (km²)"]) == ("1.8", "561")
    assert [row[-4] for row in table.rows[:3]] == ["1.2", "no way", "unknown"]
    assert "in 66.7 % of the draws" in table.caption
    assert table.links[:3] == ("pages/site-001.html", "pages/site-002.html", "")


def test_a_run_without_pages_links_to_none() -> None:
    assert site_story.site_table(sites(3), (), 0).links == ()


def test_a_criterion_that_nothing_tells_is_unknown() -> None:
    columns = {column.name: [np.nan] * 4 for column in CRITERIA.columns if column.dtype.startswith("float")}
    criteria = pd.DataFrame(columns | {"longest_night_h": [10.0, 20.0, 30.0, np.nan]})
    rows = {row[0]: row[1:] for row in site_story.criteria_table(criteria).rows}
    assert rows["Longest night (h)"] == ("75", "20", "11 to 29")
    assert rows["Temperature (K)"] == ("0", "unknown", "unknown")
    assert not any("_" in name for name in rows)


def test_rank_intervals_are_drawn_with_the_random_order_beside() -> None:
    figure = site_charts.draw_ranks(sites(40), 500, (SHACKLETON,), STAMP)
    texts = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    assert "in Shackleton   1" in texts
    assert any("500 draws" in text for text in texts)
    left, right = figure.axes
    assert [list(line.get_xdata()) for line in right.lines] == [[50.0, 50.0]]
    assert len(right.patches) == 20
    ranks = next(line for line in left.lines if line.get_marker() == "D")
    assert list(ranks.get_xdata()) == list(range(1, 21))
    assert list(ranks.get_ydata()) == list(range(19, -1, -1))


def test_a_run_without_sites_has_a_chart_that_says_so() -> None:
    figure = site_charts.draw_ranks(sites(0), 0, (), STAMP)
    assert any(text.get_text() == "no site" for text in figure.findobj(Text) if isinstance(text, Text))


@pytest.mark.parametrize("clockwise", [True, False])
def test_outlines_keep_holes_and_parts(clockwise: bool) -> None:
    hole = [(-20.0, -20.0), (-20.0, 20.0), (20.0, 20.0), (20.0, -20.0)]
    rim = [(-60.0, -60.0), (-60.0, 60.0), (60.0, 60.0), (60.0, -60.0)]
    ring = Polygon(rim if clockwise else rim[::-1], [hole])
    shape = MultiPolygon([ring, box(80.0, 80.0, 95.0, 95.0)])
    figure = new_figure(1.0, 1.0)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set(xlim=(-100.0, 100.0), ylim=(-100.0, 100.0))
    axes.add_patch(PathPatch(site_charts.outline(shape), fc="black", lw=0.0))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, 0]
    side = len(pixels)

    def dark(x: float, y: float) -> bool:
        return bool(pixels[int((y + 100.0) / 200.0 * side), int((x + 100.0) / 200.0 * side)] < 128)

    assert dark(40.0, 40.0)
    assert not dark(0.0, 0.0)
    assert dark(88.0, 88.0)
    assert not dark(-88.0, 88.0)
