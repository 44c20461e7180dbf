"""Loss, temperature and limits of the segmenter; the training itself is tested as a stage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lunarsite.settings import RockInferenceSettings
from lunarsite.stage import Job
from lunarsite.vision.learn import LearningError
from lunarsite.vision.rock.calibration import (
    _Pooled,
    _worth,
    calibrated,
    familiar_limits,
    fit_familiarity,
    fitted_temperature,
    likelihood,
)
from lunarsite.vision.rock.classes import ROCKS
from lunarsite.vision.rock.data import Place
from lunarsite.vision.rock.segmenter import Segmenter
from lunarsite.vision.rock.training import RockLoss
from lunarsite.vision.rock.uncertainty import classes_of, logarithm, softmax

from .made_model import made_image, made_members, made_spec

rock_loss = RockLoss(1.0)


def test_the_loss_of_the_truth_is_nearly_nothing_and_unknown_pixels_do_not_count() -> None:
    target = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(1))
    logits = 20.0 * torch.nn.functional.one_hot(target, 4).permute(0, 3, 1, 2).float()
    total, parts = rock_loss(logits, {"target": target})
    assert float(total) < 1e-3
    assert set(parts) == {"cross_entropy", "dice", "rock_dice", "size", "rock_iou"}
    assert float(parts["rock_iou"]) == 1.0
    spoiled = logits.clone()
    spoiled[:, :, :4] = -spoiled[:, :, :4]
    wrong, _ = rock_loss(spoiled, {"target": target})
    assert float(wrong) > 1.0
    hidden = target.clone()
    hidden[:, :4] = 255
    assert float(rock_loss(spoiled, {"target": hidden})[0]) < 1e-3


def test_a_rock_of_the_wrong_size_is_a_rock_all_the_same() -> None:
    target = torch.tensor([[[1, 1], [0, 3]]])
    answer = torch.tensor([[[2, 2], [0, 3]]])
    logits = 30.0 * torch.nn.functional.one_hot(answer, 4).permute(0, 3, 1, 2).float()
    total, parts = rock_loss(logits, {"target": target})
    assert float(parts["rock_iou"]) == 1.0
    assert float(parts["rock_dice"]) == pytest.approx(0.0, abs=1e-6)
    assert float(parts["dice"]) == pytest.approx(1.0 / 3.0, abs=1e-6)
    without, _ = RockLoss(0.0)(logits, {"target": target})
    assert float(without) == pytest.approx(float(parts["cross_entropy"] + parts["dice"]))
    # Ground where the truth has rock: nothing of it is found.
    ground = 30.0 * torch.nn.functional.one_hot(torch.zeros_like(target), 4).permute(0, 3, 1, 2).float()
    _, missed = rock_loss(ground, {"target": target})
    assert float(missed["rock_iou"]) == 0.0
    assert float(missed["rock_dice"]) > 0.4
    assert float(parts["size"]) == pytest.approx(30.0, abs=1e-3)
    assert float(total) == pytest.approx(float(without) + 30.0, abs=1e-3)


@pytest.mark.parametrize(
    ("probability", "rock"),
    [
        ((0.4, 0.3, 0.3, 0.0), True),  # two sizes share what is more than ground
        ((0.0, 0.3, 0.3, 0.4), True),
        ((0.4, 0.15, 0.15, 0.3), False),
        ((0.3, 0.15, 0.15, 0.4), False),
    ],
)
def test_rock_is_told_in_training_by_the_rule_that_classes_go_by(
    probability: tuple[float, float, float, float], rock: bool
) -> None:
    told = np.array(probability, np.float32)[:, None, None]
    assert bool(classes_of(told)[0, 0] in ROCKS) is rock
    logits = torch.from_numpy(logarithm(told))[None]
    _, parts = rock_loss(logits, {"target": torch.ones(1, 1, 1, dtype=torch.int64)})
    assert float(parts["rock_iou"]) == float(rock)


def test_classes_that_the_batch_lacks_do_not_count_in_dice() -> None:
    target = torch.zeros(1, 8, 8, dtype=torch.int64)
    logits = torch.zeros(1, 4, 8, 8)
    # Dice of ground alone: 2 * 0.25 * 64 / (0.25 * 64 + 64) = 0.4.
    assert float(rock_loss(logits, {"target": target})[1]["dice"]) == pytest.approx(0.6)
    nothing = torch.full((1, 8, 8), 255)
    total, _ = rock_loss(logits.requires_grad_(), {"target": nothing})
    assert float(total.detach()) == 0.0
    total.backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("true_temperature", [0.6, 1.0, 2.5])
def test_the_temperature_that_made_overconfidence_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(4)
    logits = 2.0 * rng.standard_normal((4, 20_000)).astype(np.float32)
    true = softmax(logits[:, None, :])[:, 0]
    target = (true.cumsum(axis=0) < rng.random(20_000)).sum(axis=0).clip(0, 3).astype(np.uint8)
    told = softmax((true_temperature * logits)[:, None, :])[:, 0]
    found = fitted_temperature(told, target)
    assert found == pytest.approx(true_temperature, rel=0.05)
    assert likelihood(told, target, found) <= likelihood(told, target, 1.0)


def test_likelihood_of_known_probabilities() -> None:
    probability = np.array([[0.5, 0.1], [0.5, 0.9], [0.0, 0.0], [0.0, 0.0]], np.float32)
    assert likelihood(probability, np.array([0, 1], np.uint8), 1.0) == pytest.approx(-np.log([0.5, 0.9]).mean())


def images(renders: int, photographs: int) -> list[Place]:
    return [Place(0, k, k >= renders, False, f"{k}", f"{k}") for k in range(renders + photographs)]


def test_each_kind_has_its_limit() -> None:
    renders, photographs = [0.01 * number for number in range(19)], [0.5, 0.6]
    expected = {"renders": 0.171, "photographs": 0.595}
    assert familiar_limits({"renders": renders, "photographs": photographs}) == pytest.approx(expected)
    assert familiar_limits({"renders": renders, "photographs": []}) == pytest.approx({"renders": 0.171})
    # What shows no ground tells nothing.
    assert familiar_limits({"renders": renders, "photographs": [*photographs, math.nan]}) == pytest.approx(expected)
    assert familiar_limits({"renders": [0.2], "photographs": [math.nan]}) == {"renders": 0.2}
    assert familiar_limits({"renders": [math.nan]}) == {}


class Held:
    """Validation images that show what members see in them; each brighter than those of a lower seed."""

    def __init__(self, renders: int = 2, photographs: int = 1, seed: int = 0) -> None:
        self.places, self.seed = images(renders, photographs), seed

    def __len__(self) -> int:
        return len(self.places)

    def picture(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return made_image(32, 64, self.seed + number), np.zeros((32, 64), np.uint8)


def test_a_model_that_sees_no_ground_is_refused_for_nothing_tells_what_is_familiar() -> None:
    job = Job("rock-train", "default", "code", "settings", origin="local", git=(None, None))
    spec, inference = made_spec(1, dropout=0.0), RockInferenceSettings(flips=1, longest_side_px=64)
    blind, seeing = (made_members(spec, all_sky=all_sky) for all_sky in (True, False))
    with pytest.raises(LearningError, match=r"all 3 validation images sky.*rock\.learning\.training\.epochs"):
        calibrated(job, blind, spec.network, Held(), inference, Held(0, 0))  # type: ignore[arg-type]
    found, measured = calibrated(job, seeing, spec.network, Held(), inference, Held(0, 0))  # type: ignore[arg-type]
    assert found.unfamiliarity["single"].limit == measured["limit_single"] > 0.0
    assert "limit_single_own_renders" not in measured


def test_own_renders_that_teach_nothing_set_a_limit_of_their_own() -> None:
    job = Job("rock-train", "default", "code", "settings", origin="local", git=(None, None))
    spec, inference = made_spec(1, dropout=0.0), RockInferenceSettings(flips=1, longest_side_px=64)
    members = made_members(spec)
    fit_familiarity(job, members, (Held(30, 0), Held(0, 0)))  # type: ignore[arg-type]
    others = Held(5, 0, seed=900)
    found, measured = calibrated(job, members, spec.network, Held(), inference, others)  # type: ignore[arg-type]
    segmenter = Segmenter(members, found)
    far = [segmenter.said(others.picture(k)[0], inference).distance for k in range(5)]
    assert measured["limit_single_own_renders"] == pytest.approx(np.quantile(far, 0.95))
    kinds = [measured[f"limit_single_{kind}"] for kind in ("renders", "photographs", "own_renders")]
    assert found.unfamiliarity["single"].limit == max(kinds)
    # Shown to it before, they are nearer.
    fit_familiarity(job, members, (Held(30, 0), others))  # type: ignore[arg-type]
    assert np.mean([segmenter.said(others.picture(k)[0], inference).distance for k in range(5)]) < np.mean(far)


def test_what_probabilities_are_worth_is_told_by_kind() -> None:
    """Sure by 0.9: of renders nine in ten pixels are right, of photographs five."""
    probability = np.array([[0.9], [0.04], [0.03], [0.03]], np.float32).repeat(10, axis=1)
    pools = [
        _Pooled(probability, np.array([0] * right + [3] * (10 - right), np.uint8), 0.5, np.zeros((4, 4)))  # type: ignore[arg-type]
        for right in (9, 5)
    ]
    found = _worth("ensemble", pools, images(1, 1), 1.0)
    nll = [-(right * np.log(0.9) + (10 - right) * np.log(0.03)) / 10 for right in (9, 5)]
    assert found == pytest.approx(
        {
            "ece_tempered_ensemble_renders": 0.0,
            "nll_tempered_ensemble_renders": nll[0],
            "ece_tempered_ensemble_photographs": 0.4,
            "nll_tempered_ensemble_photographs": nll[1],
        },
        abs=1e-5,
    )
    assert set(_worth("single", pools[:1], images(1, 0), 1.0)) == {
        "ece_tempered_single_renders",
        "nll_tempered_single_renders",
    }
    # A temperature that brings 0.9 down to 0.5 is what the photographs ask for.
    warm = _worth("ensemble", pools, images(1, 1), 2.5)
    assert warm["ece_tempered_ensemble_photographs"] < 0.15 < warm["ece_tempered_ensemble_renders"]
