"""Frames of the same ground."""

from __future__ import annotations

import numpy as np

from lunarsite.grid import Grid
from lunarsite.validate.shadowcam_clusters import clusters, squares_of


def squares(first: int, count: int) -> frozenset[tuple[int, int]]:
    return frozenset((k, 0) for k in range(first, first + count))


def test_squares_are_the_maps() -> None:
    grid = Grid(-1_500.0, 500.0, 100.0, 10, 20)
    mask = np.zeros((10, 20), dtype=np.bool_)
    assert squares_of(grid, mask) == frozenset()
    mask[0, 0] = mask[0, 1] = mask[9, 19] = True
    assert squares_of(grid, mask) == {(-2, 0), (0, -1)}


def test_frames_are_joined_by_common_ground_and_chains_of_it() -> None:
    # 20 squares each: the second shares half with the first and a fifth with the third; the fourth has three in common.
    found = clusters([squares(0, 20), squares(10, 20), squares(26, 20), squares(43, 20), squares(200, 20)])
    assert found[0] == found[1] == found[2]
    assert len(set(found)) == 3


def test_a_small_frame_within_a_large_one_belongs_to_it() -> None:
    assert len(set(clusters([squares(0, 1_000), squares(5, 3)]))) == 1


def test_frames_without_known_ground_are_alone() -> None:
    assert len(set(clusters([frozenset(), frozenset(), squares(0, 2)]))) == 3
