"""Outlines over a picture."""

from __future__ import annotations

import numpy as np

from lunarsite.vision.rock import overlay as overlays


def test_outlines_show_where_rocks_end() -> None:
    classes = np.zeros((600, 800), dtype=np.uint8)
    classes[100:200, 100:300], classes[400:500, 500:560], classes[:50] = 1, 2, 3
    drawn = np.asarray(overlays.overlay(np.full((600, 800, 3), 90, np.uint8), classes, False))
    assert drawn.shape[1] == 800
    assert drawn.shape[0] > 600
    outline = (drawn[:600] != 90).any(axis=2)
    assert (drawn[100, 150] == (230, 159, 0)).all()
    assert (drawn[401, 520] == (86, 180, 233)).all()
    assert (drawn[49, 400] == (204, 121, 167)).all()
    assert not outline[0].any(), "the picture's border is no edge of the sky"
    assert not outline[150, 110:290].any(), "inside a rock the picture is seen"
    for size, width in (((20, 30), 480), ((3_000, 4_000), 1_600)):
        assert overlays.overlay(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), True).width == width
