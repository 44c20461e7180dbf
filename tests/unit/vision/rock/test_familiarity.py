"""How far features lie from those that taught: a known normal distribution, few images, features that hardly vary."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunarsite.settings import RockInferenceSettings
from lunarsite.stage import Job
from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock.calibration import fit_familiarity
from lunarsite.vision.rock.familiarity import FEWEST_IMAGES, MOST_IMAGES, distance, familiarity_of, fit
from lunarsite.vision.rock.segmenter import Segmenter, features_of

from .made_model import made_image, made_members, made_spec

SPEC = made_spec(1)
JOB = Job("rock-train", "default", "code", "settings", origin="local", git=(None, None))


@pytest.fixture
def member() -> torch.nn.Module:
    return made_members(SPEC)[0]


def far(member: torch.nn.Module, features: np.ndarray) -> np.ndarray:
    """The distance (n,) of mean features (n, features), each shown as a level of two by three cells."""
    level = torch.from_numpy(features)[:, :, None, None].repeat(1, 1, 2, 3)
    return distance(member, [level[..., :1, :1]] * 4 + [level, level[..., :1, :1]]).numpy()


def drawn(member: torch.nn.Module, count: int, seed: int) -> np.ndarray:
    """Normal features of very different sizes that go together: a common cause has twice the effect of their own."""
    size, rng = familiarity_of(member).mean.numel(), np.random.default_rng(seed)
    own, common = rng.standard_normal((count, size)), rng.standard_normal((count, 1))
    return 5.0 + (own + 2.0 * common) * np.geomspace(1.0, 3.0, size)


def test_it_is_mahalanobis_distance_for_many_images(member: torch.nn.Module) -> None:
    taught = drawn(member, 40_000, 1)
    fit(member, taught)
    others = drawn(member, 500, 2)
    off = others - taught.mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(np.cov(taught.T)), off) / off.shape[1])
    np.testing.assert_allclose(far(member, others), expected, rtol=0.03)
    assert np.sqrt(np.mean(far(member, others) ** 2)) == pytest.approx(1.0, abs=0.03)


def test_few_images_tell_a_stranger_that_each_feature_alone_does_not(member: torch.nn.Module) -> None:
    taught = drawn(member, 60, 1)
    fit(member, taught)
    familiar = far(member, drawn(member, 60, 2))
    # Shuffled, every feature is one of those that taught; together they never were.
    shuffled = np.random.default_rng(3).permuted(taught, axis=0)
    assert np.quantile(far(member, shuffled), 0.05) > np.quantile(familiar, 0.95)
    assert np.isfinite(familiar).all()


def test_a_feature_that_never_varied_tells_little(member: torch.nn.Module) -> None:
    """A twentieth of the deviation that features have makes no stranger, ten of them do."""
    taught = drawn(member, 60, 1)
    taught[:, 3] = 2.0
    fit(member, taught)
    other = drawn(member, 20, 2)
    other[:, 3] = 2.0
    usual = far(member, other)
    assert np.isfinite(usual).all()
    deviation = taught.std(axis=0).mean()
    other[:, 3] = 2.0 + 0.05 * deviation
    np.testing.assert_allclose(far(member, other), usual, rtol=0.05)
    other[:, 3] = 2.0 + 10.0 * deviation
    assert far(member, other).min() > usual.max()


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_is_too_few(member: torch.nn.Module, count: int) -> None:
    with pytest.raises(LearningError, match=rf"{count} image\(s\) taught: too few"):
        fit(member, drawn(member, 2, 1)[:count])
    fit(member, np.repeat(drawn(member, 1, 1), FEWEST_IMAGES, axis=0))
    assert np.isfinite(far(member, drawn(member, 3, 2))).all()


class Taught:
    """Pictures of ground below a sky; counts how often each is asked for."""

    def __init__(self, count: int) -> None:
        self.asked: list[int] = []
        self.count = count

    def __len__(self) -> int:
        return self.count

    def picture(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(number)
        return made_image(32, 64, number), np.zeros((32, 64), np.uint8)


def test_it_is_fitted_to_images_as_inference_sees_them() -> None:
    spec = made_spec(2)
    members, taught = made_members(spec), Taught(40)
    fit_familiarity(JOB, members, (taught,))  # type: ignore[arg-type]
    assert taught.asked == list(range(40))
    own = np.array([features_of(members[1], made_image(32, 64, k)) for k in range(40)])
    np.testing.assert_allclose(familiarity_of(members[1]).mean.numpy(), own.mean(axis=0), rtol=1e-4, atol=1e-5)
    segmenter = Segmenter(members, spec)
    settings = RockInferenceSettings(longest_side_px=64)
    familiar = [segmenter.said(made_image(32, 64, 100 + k), settings).distance for k in range(10)]
    strange = np.random.default_rng(0).integers(0, 255, (32, 64, 3), dtype=np.uint8)
    assert segmenter.said(strange, settings).distance > max(familiar)


def test_of_many_images_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunarsite.vision.rock.calibration.MOST_IMAGES", 5)
    taught = Taught(20)
    fit_familiarity(JOB, made_members(SPEC), (taught,))  # type: ignore[arg-type]
    assert len(set(taught.asked)) == 5 < MOST_IMAGES
    assert taught.asked == sorted(taught.asked)
    assert max(taught.asked) >= 5
