"""How far two drawings of the same ground agree, and what tells small rocks from large ones: docs/rocks.md says so.

Where photographs overlap, two people (or one, twice) drew the same rocks. The maps from one photograph to the other
were found by SIFT and RANSAC (scikit-image; 11 to 107 inliers of 4 unknown points, median residual below 0.8 px).

What the model's last layer rests on, that the renders' large rocks are large on the ground, is told of scenes that
teach or choose alone: no test scene takes part in it. `-s` shows the figures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.transform import ProjectiveTransform, warp
from sklearn.linear_model import LogisticRegression

from lunarsite.artefact.contracts import ROCK_SCENES
from lunarsite.artefact.images import Credit
from lunarsite.settings.rock import RockInferenceSettings, RockRenderSettings, RockSplitSettings, RockTrainingSettings
from lunarsite.source.images import rocks
from lunarsite.source.images.members import below
from lunarsite.vision.rock.classes import LARGE, SKY, SMALL
from lunarsite.vision.rock.data import without_tiny
from lunarsite.vision.rock.scores import confusion, iou, mean_iou, rock_iou
from lunarsite.vision.rock.split import TRAINING, VALIDATION, dealt

ROOT = Path(__file__).resolve().parents[2]
MOON = Path(os.environ.get("LUNARSITE_REFERENCE", str(ROOT.parent / "shared" / "moon")))
FOLDER = MOON.parent / "images" / "rocks"
SAME_GROUND = {
    ("TCAM4", "TCAM14"): (0.827393, 0.0270566, 330.259, -0.0751563, 0.993379, 0.471325, -4.33949e-4, 2.62042e-5),
    ("TCAM1", "TCAM13"): (0.773717, -0.0111727, -256.842, 0.0626466, 1.02647, -21.2496, 4.4761e-4, -1.95929e-5),
    ("TCAM9", "TCAM10"): (1.14874, 0.0837924, -383.671, -0.0361408, 1.12698, 15.1451, 3.37218e-4, 2.06715e-6),
    ("PCAM1", "PCAM2"): (1.25971, 0.261065, 275.964, 0.143819, 1.13133, -14.2011, 5.00966e-4, 4.08982e-4),
    ("PCAM1", "PCAM3"): (1.0193, 0.0637104, -284.57, -0.0548333, 1.01368, 19.8997, 4.78695e-5, 1.94781e-5),
    ("PCAM2", "PCAM5"): (1.77113, -0.419047, 507.444, 0.0596834, 1.46509, 474.881, -3.10635e-5, -5.72988e-4),
    ("PCAM3", "PCAM12"): (0.721034, 0.046821, -203.27, -0.0288341, 0.96313, 10.7918, 2.57396e-4, 3.49034e-5),
    ("PCAM5", "PCAM7"): (0.340511, -0.0848653, 197.687, 0.00840135, 0.436089, 0.0687014, 3.25357e-5, -6.8927e-5),
}
"""Homographies from pixels (column, row) of the first photograph to those of the second; the last number is 1."""
OUTSIDE = 255
PHOTOGRAPH = ROCK_SCENES.class_number("kind", "photograph")
EVERY_ROCK = ROCK_SCENES.class_number("mask_kind", "ground")
LARGE_HEIGHTS = RockRenderSettings().large_heights
"""Heights of the camera beyond which lunarsite's own renders call a rock large, as the dataset does."""

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"REFERENCE DATA ABSENT: {FOLDER} (set LUNARSITE_REFERENCE)"),
]


def drawn(name: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    folder = FOLDER / "real_moon_images"
    with Image.open(folder / f"{name}.png") as picture, Image.open(folder / f"g_{name}.png") as mask:
        return np.asarray(picture.convert("L"), np.float64), rocks.nearest_classes(np.asarray(mask.convert("RGB")))


def test_two_drawings_of_the_same_ground_agree_in_part() -> None:
    matrices = []
    for (first, second), numbers in SAME_GROUND.items():
        (image, mask), (other_image, other_mask) = drawn(first), drawn(second)
        there = ProjectiveTransform(np.array([*numbers, 1.0]).reshape(3, 3))  # type: ignore[no-untyped-call]
        options = {"output_shape": mask.shape, "preserve_range": True}
        brought = warp(other_mask, there, order=0, cval=OUTSIDE, **options).astype(np.uint8)  # type: ignore[no-untyped-call]
        seen = warp(other_image, there, order=1, cval=np.nan, **options)  # type: ignore[no-untyped-call]
        both = (brought != OUTSIDE) & np.isfinite(seen)
        assert np.corrcoef(image[both], seen[both])[0, 1] > 0.7, (first, second)
        matrices.append(confusion(np.where(both, mask, OUTSIDE).astype(np.uint8), np.where(both, brought, 0)))
    total = np.sum(matrices, axis=0)
    assert float(mean_iou(total)) == pytest.approx(0.80, abs=0.02)
    assert iou(total) == pytest.approx([0.97, 0.51, 0.71, 0.99], abs=0.03)
    assert float(rock_iou(total)) == pytest.approx(0.74, abs=0.02)


@dataclass(frozen=True)
class Rock:
    """A connected area of one kind of rock."""

    image: int
    photograph: bool
    every_rock: bool
    """Whether its mask holds every rock, tiny ones too."""
    part: int
    """Of the split."""
    large: bool
    width: float
    """Pixels at a picture width of 384."""
    foot: float
    """Its lowest row, as a share of the picture's height."""
    horizon: float
    """Mean row of the horizon alike; 0 without sky."""
    heights: float
    """Its width over the rows from the sky above its middle down to its foot; NaN where that column shows no sky."""
    area: float


def large_on_the_ground(heights: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Return which rocks are wider than `least` heights of the camera, by how wide they look for where they stand.

    On level ground a rock whose width is w heights of the camera, and whose foot is d rows below the horizon, looks
    w d cos(pitch) pixels wide, whatever the lens and the distance: width over rows tells w.
    """
    return heights > least


def pairs() -> list[rocks.Pair]:
    return rocks.pairs_of(below(FOLDER, Credit(title="", licence="", citation=""), "reference"), "either")[0]


def test_two_pictures_have_more_rows_than_a_crop() -> None:
    """Crops begin at the top of pictures of the size that a network sees: what is below them never teaches."""
    sizes = rocks.sizes_of(pairs(), RockInferenceSettings().longest_side_px, "reference")
    crop_px = RockTrainingSettings().crop_px
    assert (sum(rows > crop_px for rows, _ in sizes), len(sizes)) == (2, 176)


@pytest.fixture(scope="module")
def all_rocks() -> list[Rock]:
    """Rocks of the whole dataset; specks below 5 px are ragged edges of the cut-outs."""
    read = [(one.pair, one.mask) for one in rocks.RockReader("reference", 720, 0.0).scenes(pairs())]
    names, kinds, masks = zip(*((pair.scene, pair.kind, pair.mask_kind) for pair, _ in read), strict=True)
    parts = dealt(np.array(names, object), np.array(kinds, np.uint8), np.array(masks, np.uint8), RockSplitSettings())
    listed: list[Rock] = []
    for number, ((pair, given), part) in enumerate(zip(read, parts, strict=True)):
        mask = without_tiny(given) if pair.mask_kind == EVERY_ROCK else given
        rows, cols = mask.shape
        sky = mask == SKY
        below_sky = np.where(sky.any(axis=0), rows - np.argmax(sky[::-1], axis=0), 0)
        for kind in (SMALL, LARGE):
            labels, _ = ndimage.label(mask == kind, np.ones((3, 3)))
            for index, (tall, wide) in enumerate(ndimage.find_objects(labels), start=1):
                area = int((labels[tall, wide] == index).sum()) * 384.0 * 256.0 / (rows * cols)
                wide_px = wide.stop - wide.start
                top = int(below_sky[min((wide.start + wide.stop) // 2, cols - 1)])
                stands = tall.stop - top if top else 0
                one = Rock(
                    image=number,
                    photograph=pair.kind == PHOTOGRAPH,
                    every_rock=pair.mask_kind == EVERY_ROCK,
                    part=int(part),
                    large=kind == LARGE,
                    width=wide_px * 384.0 / cols,
                    foot=tall.stop / rows,
                    horizon=float(below_sky.mean() / rows),
                    heights=wide_px / stands if stands > 2 else np.nan,
                    area=area,
                )
                listed += [one] * (area > 4.0)
    return listed


@pytest.fixture(scope="module")
def found(all_rocks: list[Rock]) -> list[Rock]:
    """Rocks of renders with 'clean' masks and of photographs."""
    return [one for one in all_rocks if not one.every_rock]


@pytest.mark.parametrize(("photograph", "share"), [(False, 0.58), (True, 0.87)])
def test_width_tells_small_rocks_from_large_ones_on_photographs_and_hardly_in_renders(
    found: list[Rock], photograph: bool, share: float
) -> None:
    small, large = (
        np.array([one.width for one in found if one.photograph == photograph and one.large == kind])
        for kind in (False, True)
    )
    wider = np.mean((large[:, None] > small) + 0.5 * (large[:, None] == small))
    assert wider == pytest.approx(share, abs=0.02), "chance is 0.5"


def test_small_and_large_as_the_renders_have_it_bound_the_score_on_photographs(found: list[Rock]) -> None:
    def features(listed: list[Rock]) -> NDArray[np.float64]:
        return np.array([(np.log(one.width), one.foot - one.horizon, one.foot) for one in listed])

    taught = [one for one in found if not one.photograph and one.image % 2 == 0]
    rule = LogisticRegression().fit(
        features(taught), [one.large for one in taught], sample_weight=[one.area for one in taught]
    )
    for photograph, score in ((False, 0.88), (True, 0.81)):
        asked = [one for one in found if one.photograph == photograph and (photograph or one.image % 2 == 1)]
        said, true = rule.predict(features(asked)), np.array([one.large for one in asked])
        area = np.array([one.area for one in asked])
        ious = [
            area[(said == kind) & (true == kind)].sum() / area[(said == kind) | (true == kind)].sum() for kind in (0, 1)
        ]
        # Every rock and its outline is found, ground and sky are right: all that is wrong is the kind.
        assert (2.0 + sum(ious)) / 4.0 == pytest.approx(score, abs=0.02)


Rule = Callable[["Judged"], NDArray[np.bool_]]


@dataclass(frozen=True)
class Judged:
    """Rocks of which it is known how far below the horizon they stand, (n,) each, and which share of all they are."""

    heights: NDArray[np.float64]
    width: NDArray[np.float64]
    large: NDArray[np.bool_]
    area: NDArray[np.float64]
    known_share: float
    """Of the rocks' area, pictures brought to one size."""

    @classmethod
    def of(cls, listed: list[Rock]) -> Judged:
        known = [one for one in listed if np.isfinite(one.heights)]
        assert {one.part for one in known} <= {TRAINING, VALIDATION}, "no test scene"
        return cls(
            heights=np.array([one.heights for one in known]),
            width=np.array([one.width for one in known]),
            large=np.array([one.large for one in known]),
            area=np.array([one.area for one in known]),
            known_share=sum(one.area for one in known) / sum(one.area for one in listed),
        )

    def right(self, said: NDArray[np.bool_]) -> float:
        """Return the share of the rocks' area whose size is the right one."""
        return float(self.area[said == self.large].sum() / self.area.sum())

    def ordered(self, values: NDArray[np.float64]) -> float:
        """Return the share of pairs of a small and a large rock in which the large one has the greater value."""
        large, small = values[self.large][:, None], values[~self.large]
        return float(np.mean((large > small) + 0.5 * (large == small)))


@pytest.fixture(scope="module")
def judged(all_rocks: list[Rock]) -> dict[str, Judged]:
    """Rocks of scenes that teach or choose. Photographs are one group: two of them alone choose."""
    renders = [one for one in all_rocks if not one.photograph]
    seen = [one for one in all_rocks if one.photograph and one.part in (TRAINING, VALIDATION)]
    groups = {
        "training renders": [one for one in renders if one.part == TRAINING],
        "validation renders": [one for one in renders if one.part == VALIDATION],
        "photographs": seen,
    }
    return {name: Judged.of(listed) for name, listed in groups.items()}


@pytest.fixture(scope="module")
def by_width(judged: dict[str, Judged]) -> Rule:
    """What width alone says, its boundary learned on the training renders."""
    taught = judged["training renders"]
    rule = LogisticRegression().fit(np.log(taught.width)[:, None], taught.large, sample_weight=taught.area)
    return lambda asked: np.asarray(rule.predict(np.log(asked.width)[:, None]), dtype=bool)


@pytest.mark.parametrize(
    ("group", "count", "known", "right"),
    [
        ("training renders", 1_400, 0.88, (0.91, 0.81, 0.51)),
        ("validation renders", 207, 0.90, (0.91, 0.73, 0.45)),
        ("photographs", 50, 0.43, (0.76, 0.79, 0.82)),
    ],
)
def test_large_rocks_of_renders_are_large_on_the_ground_and_those_of_photographs_are_hardly_told_by_it(
    judged: dict[str, Judged], by_width: Rule, group: str, count: int, known: float, right: tuple[float, ...]
) -> None:
    asked = judged[group]
    rule, rival = asked.right(large_on_the_ground(asked.heights, LARGE_HEIGHTS)), asked.right(by_width(asked))
    all_large = asked.right(np.ones(len(asked.large), bool))
    print(
        f"{group}: {len(asked.large)} rocks below sky, {asked.known_share:.3f} of the rocks' area; of these right by"
        f" {LARGE_HEIGHTS} heights {rule:.3f}, by width {rival:.3f}, all called large {all_large:.3f}"
    )
    assert len(asked.large) == count
    assert asked.known_share == pytest.approx(known, abs=0.02)
    assert (rule, rival, all_large) == pytest.approx(right, abs=0.02)


@pytest.mark.parametrize(
    ("group", "heights", "width"),
    [("training renders", 0.87, 0.61), ("validation renders", 0.95, 0.61), ("photographs", 0.66, 0.84)],
)
def test_photographs_go_by_width_where_renders_go_by_the_ground(
    judged: dict[str, Judged], group: str, heights: float, width: float
) -> None:
    asked = judged[group]
    found = asked.ordered(asked.heights), asked.ordered(asked.width)
    print(f"{group}: pairs in order by heights {found[0]:.3f}, by width {found[1]:.3f}; chance is 0.5")
    assert found == pytest.approx((heights, width), abs=0.02)
