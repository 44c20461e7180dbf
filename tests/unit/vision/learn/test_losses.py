"""Losses against their formulas worked out by hand, and what has no weight."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lunarsite.vision.learn import losses

ONE = torch.ones(1, 1, 1, 1)


def at(p: float) -> Tensor:
    return torch.full((1, 1, 1, 1), math.log(p / (1.0 - p)))


def test_binary_cross_entropy() -> None:
    assert losses.binary_cross_entropy(at(0.8), ONE, ONE).item() == pytest.approx(-math.log(0.8))
    soft = losses.binary_cross_entropy(at(0.8), 0.5 * ONE, ONE).item()
    assert soft == pytest.approx(-0.5 * math.log(0.8) - 0.5 * math.log(0.2))


def test_focal() -> None:
    positive = losses.focal(at(0.9), ONE, ONE, per="weight").item()
    assert positive == pytest.approx(-0.25 * 0.1**2 * math.log(0.9))
    negative = losses.focal(at(0.9), 0.0 * ONE, ONE, per="weight").item()
    assert negative == pytest.approx(-0.75 * 0.9**2 * math.log(0.1))
    plain = losses.focal(at(0.9), ONE, ONE, gamma=0.0, alpha=0.5, per="weight")
    assert plain.item() == pytest.approx(0.5 * losses.binary_cross_entropy(at(0.9), ONE, ONE).item())


def test_quality_focal() -> None:
    entropy = -0.7 * math.log(0.4) - 0.3 * math.log(0.6)
    assert losses.quality_focal(at(0.4), 0.7 * ONE, ONE, per="weight").item() == pytest.approx(0.3**2 * entropy)
    assert losses.quality_focal(at(0.7), 0.7 * ONE, ONE).item() == pytest.approx(0.0, abs=1e-12)


def test_sums_per_target_are_divided_by_the_positives_but_one_at_least() -> None:
    logits, target = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4)
    target[..., :2] = 1.0
    each = 0.25 * math.log(2.0)
    assert losses.quality_focal(logits, target, ONE).item() == pytest.approx(8 * each / 4)
    assert losses.quality_focal(logits, 0.0 * target, ONE).item() == pytest.approx(8 * each)


def test_soft_dice() -> None:
    target = torch.tensor([[[[1.0, 0.0], [0.5, 0.0]]]])
    exact = torch.logit(target.clamp(1e-7, 1.0 - 1e-7))
    assert losses.soft_dice(exact, target, ONE).item() == pytest.approx(0.0, abs=1e-6)
    half = losses.soft_dice(torch.zeros(1, 1, 2, 2), target, ONE, smooth=0.0).item()
    assert half == pytest.approx(1.0 - 2.0 * 0.75 / (1.0 + 1.25))
    empty = losses.soft_dice(torch.full((1, 1, 2, 2), -50.0), 0.0 * target, ONE).item()
    assert empty == pytest.approx(0.0, abs=1e-12)


def test_soft_dice_is_the_mean_over_channels() -> None:
    target = torch.zeros(2, 2, 4, 4)
    target[:, 0] = 1.0
    logits = torch.full((2, 2, 4, 4), 50.0)
    expected = 0.5 * (0.0 + 1.0 - 1.0 / 33.0)
    assert losses.soft_dice(logits, target, ONE).item() == pytest.approx(expected)


def test_cross_entropy_takes_any_class_where_nothing_is_known() -> None:
    logits = torch.tensor([2.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    target, weight = torch.tensor([[[0, 255]]]), torch.tensor([[[1.0, 0.0]]])
    expected = -math.log(math.exp(2.0) / (math.exp(2.0) + 2.0))
    assert losses.cross_entropy(logits, target, weight).item() == pytest.approx(expected)


def test_cross_entropy_is_torchs_own_in_value_and_gradient() -> None:
    generator = torch.Generator().manual_seed(5)
    size = torch.tensor([1.0, 30.0, 200.0]).view(3, 1, 1, 1)
    logits = (size * torch.randn(3, 4, 6, 8, generator=generator)).requires_grad_()
    target = torch.randint(0, 4, (3, 6, 8), generator=generator)
    weight = torch.rand(3, 6, 8, generator=generator)
    expected = (weight * torch.nn.functional.cross_entropy(logits, target, reduction="none")).sum() / weight.sum()
    found = losses.cross_entropy(logits, target, weight)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in (found, expected)))
    with pytest.raises(RuntimeError, match="out of bounds"):
        losses.cross_entropy(logits, target + 1, weight)


def test_cross_entropy_asks_nothing_of_torch_that_has_no_deterministic_kernel_on_a_gpu() -> None:
    logits = torch.randn(2, 4, 3, 3, requires_grad=True)
    steps, names = (
        [losses.cross_entropy(logits, torch.zeros(2, 3, 3, dtype=torch.int64), torch.ones(2, 3, 3)).grad_fn],
        set(),
    )
    while steps:
        step = steps.pop()
        if step is not None:
            names.add(step.name())
            steps += [following for following, _ in step.next_functions]
    assert "GatherBackward0" in names
    assert not any("Nll" in name for name in names)


ALL = (losses.binary_cross_entropy, losses.focal, losses.quality_focal, losses.soft_dice)


@pytest.mark.parametrize("loss", ALL)
def test_pixels_without_weight_do_not_count(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 4, 8, generator=generator)
    target = (torch.rand(2, 3, 4, 8, generator=generator) > 0.5).float()
    weight = torch.ones(2, 1, 4, 8)
    weight[..., 5:] = 0.0
    spoiled = torch.where(weight > 0, target, torch.nan)
    left = logits.clone().requires_grad_()
    value = loss(left, spoiled, weight)
    value.backward()
    assert value.item() == pytest.approx(loss(logits[..., :5], target[..., :5], weight[..., :5]).item(), rel=1e-6)
    assert left.grad is not None
    assert (left.grad[..., 5:] == 0.0).all()
    assert (left.grad[..., :5] != 0.0).all()


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("size", [200.0, -200.0])
def test_extreme_logits_and_empty_weights_leave_finite_gradients(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor], size: float
) -> None:
    for weight in (1.0, 0.0):
        for positive in (1.0, 0.0):
            logits = torch.full((1, 1, 2, 2), size, requires_grad=True)
            value = loss(logits, torch.full((1, 1, 2, 2), positive), torch.full((1, 1, 2, 2), weight))
            value.backward()
            assert logits.grad is not None
            assert torch.isfinite(value)
            assert torch.isfinite(logits.grad).all()
            if weight == 0.0:
                assert value.item() == 0.0


def test_half_precision_is_widened_and_shapes_must_agree() -> None:
    half = losses.binary_cross_entropy(at(0.8).half(), ONE, ONE)
    assert half.dtype == torch.float32
    with pytest.raises(ValueError, match="differ in shape"):
        losses.soft_dice(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2), ONE)
