from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.text import Annotation

from lunarsite.artefact.stamp import Stamp
from lunarsite.grid import lonlat_to_xy
from lunarsite.publish.pages.elements import Link, lines
from lunarsite.publish.pages.furniture import furnish
from lunarsite.publish.pages.ground import square
from lunarsite.publish.pages.maps import close_width_m
from lunarsite.publish.pages.provenance import ancestors, parents
from lunarsite.publish.style import new_figure
from tests.stage.fake_sites import bare_sites


def stamp(inputs: dict[str, str]) -> Stamp:
    return Stamp(
        artefact="a", stage="s", run="r", settings_hash="0" * 64, code="0" * 16, inputs=inputs,
        git_commit=None, git_dirty=None, seed=None, origin="local",
    )  # fmt: skip


STAMPS = {"dem": stamp({"far": "9"}), "slope": stamp({"dem": "1"}), "cells": stamp({"ground": "2", "dem": "1"})}
DIGESTS = {"dem": "1", "slope": "2", "cells": "3", "regions": "4"}


def test_lineage_follows_checksums_not_names() -> None:
    assert parents("cells", STAMPS, DIGESTS) == {"dem": "dem", "ground": "slope"}
    assert ancestors("cells", STAMPS, DIGESTS) == ["dem", "slope", "far"]
    assert ancestors("dem", STAMPS, DIGESTS) == ["far"]


def test_lineage_ends_where_stamps_would_run_in_circles() -> None:
    stamps = {"a": stamp({"b": "2"}), "b": stamp({"a": "1"})}
    assert ancestors("a", stamps, {"a": "1", "b": "2"}) == ["b"]


def test_a_link_is_text_with_a_target() -> None:
    link = Link("site 1", "site-001.html")
    assert link == "site 1"
    assert link.href == "site-001.html"


def test_lines_leave_blanks_out() -> None:
    assert lines("one\n\n  two \n") == ("One", "Two")
    assert lines("") == ()


def test_the_close_map_holds_the_ellipse() -> None:
    site = bare_sites([(0.0, -89.0)]).iloc[0]
    for semi_major, width in ((100.0, 1_000.0), (500.0, 1_200.0), (2_000.0, 4_800.0)):
        site["ellipse_semi_major_m"] = semi_major
        assert close_width_m(site) == width


@pytest.mark.parametrize("pole", ["south", "north"])
@pytest.mark.parametrize("lon_deg", [0.0, 90.0, -120.0])
def test_arrows_point_north_and_to_the_earth(pole: str, lon_deg: float) -> None:
    sign = -1.0 if pole == "south" else 1.0
    x, y = (float(value) for value in lonlat_to_xy(lon_deg, sign * 85.0, pole))
    x_north, y_north = (float(value) for value in lonlat_to_xy(lon_deg, sign * 85.0 + 0.1, pole))
    x_earth, y_earth = (float(value) for value in lonlat_to_xy(0.0, sign * 80.0, pole))
    axes = new_figure(3.0, 3.0).add_axes((0.1, 0.1, 0.8, 0.8))
    furnish(axes, square(x, y, 10_000.0), pole, "here")
    found = []
    for part in axes.findobj(Annotation):
        if part.arrow_patch is not None:
            dx, dy = np.array(part.xy) - np.array(part.xyann)
            found.append(math.atan2(dy, dx))
    wanted = [math.atan2(y_north - y, x_north - x), math.atan2(y_earth, x_earth)]
    assert np.cos(np.array(found) - np.array(wanted)) == pytest.approx([1.0, 1.0])
