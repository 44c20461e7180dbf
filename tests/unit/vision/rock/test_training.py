"""Loss, temperature and limits of the segmenter; the training itself is tested as a stage."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lunarsite.vision.rock.calibration import familiar_limit, fitted_temperature, likelihood
from lunarsite.vision.rock.data import Place
from lunarsite.vision.rock.training import RockLoss
from lunarsite.vision.rock.uncertainty import softmax

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
    _, missed = rock_loss(torch.zeros(1, 4, 2, 2), {"target": target})
    assert float(missed["rock_iou"]) == 0.0
    assert float(missed["rock_dice"]) > 0.4
    assert float(parts["size"]) == pytest.approx(30.0, abs=1e-3)
    assert float(total) == pytest.approx(float(without) + 30.0, abs=1e-3)


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


def test_the_limit_is_that_of_the_stranger_kind() -> None:
    found = [Place(0, number, number >= 19, False, f"{number}", f"{number}") for number in range(21)]
    told = [0.01 * number for number in range(19)] + [0.5, 0.6]
    assert familiar_limit(told, found) == pytest.approx(0.595)
    assert familiar_limit(told[:19], found[:19]) == pytest.approx(0.171)
