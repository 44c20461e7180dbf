"""Generators and judges: shapes, fields of view, attention, dropout, and the statistics that freeze."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lunarsite.vision.enhance.cycle_networks import (
    FIELD_PX,
    Generator,
    GeneratorSpec,
    Judge,
    Reflect,
    keeps,
    norms,
)
from lunarsite.vision.learn import LearningError

SPEC = GeneratorSpec(channels=4, blocks=2)


def generator(spec: GeneratorSpec = SPEC, seed: int = 1) -> Generator:
    torch.manual_seed(seed)
    made = Generator(spec)
    with torch.no_grad():  # as far from the identity as after a training
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5.0)
    return made


def support(network: nn.Module, image: Tensor, row: int, col: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column of the image that one number of the result depends on."""
    image = image.clone().requires_grad_()
    network(image)[0, 0, row, col].backward()
    assert image.grad is not None
    rows, cols = (image.grad[0, 0].abs().sum(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    return (int(rows.min()), int(rows.max())), (int(cols.min()), int(cols.max()))


def test_a_judge_sees_70_pixels() -> None:
    torch.manual_seed(1)
    judge = Judge(4).double()
    # A normalisation by the whole image's statistics hides the field of view of the convolutions.
    for index, layer in enumerate(judge.layers):
        if isinstance(layer, nn.InstanceNorm2d):
            judge.layers[index] = nn.Identity()
    rows, cols = support(judge, torch.randn(1, 1, 192, 192, dtype=torch.float64), 10, 12)
    assert [last - first + 1 for first, last in (rows, cols)] == [FIELD_PX, FIELD_PX] == [70, 70]
    assert judge(torch.zeros(1, 1, 192, 128, dtype=torch.float64)).shape == (1, 1, 22, 14)


@pytest.mark.parametrize("attention", [False, True])
def test_a_generator_keeps_shape_and_starts_near_the_identity(attention: bool) -> None:
    torch.manual_seed(3)
    made = Generator(SPEC.model_copy(update={"attention": attention}))
    image = torch.randn(2, 1, 64, 96)
    found = made(image)
    assert found.shape == image.shape
    assert 0.0 < (found - image).abs().mean() < 0.2
    found.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in made.parameters())


def test_images_of_other_shapes_are_refused() -> None:
    for shape in ((1, 1, 66, 64), (1, 2, 64, 64), (1, 64, 64)):
        with pytest.raises(LearningError, match="multiples of 4"):
            generator()(torch.zeros(shape))


def test_reflection_is_that_of_torch() -> None:
    image = torch.randn(2, 3, 9, 7)
    assert torch.equal(Reflect(3)(image), nn.functional.pad(image, (3, 3, 3, 3), mode="reflect"))


def test_attention_reaches_the_whole_image_once_it_has_a_gain() -> None:
    made = generator(SPEC.model_copy(update={"attention": True})).eval()
    image = torch.randn(1, 1, 160, 160)
    local, _ = support(made, image, 80, 80)
    assert local[0] > 0
    assert made.attention is not None
    with torch.no_grad():
        made.attention.gain.fill_(1.0)
    assert support(made, image, 80, 80) == ((0, 159), (0, 159))


def test_frozen_statistics_make_tiles_fit_together() -> None:
    made = generator()
    bright = torch.randn(1, 1, 192, 192)
    bright[:, :, 128:] += 3.0
    for _ in range(30):
        made(bright)
    tile, inner = bright[:, :, :128], slice(32, 64)
    # In training an image's own statistics are used: what lies far away has a say.
    assert (made(bright)[:, :, inner, inner] - made(tile)[:, :, inner, inner]).abs().max() > 1e-3
    made.freeze()
    before = [norm.running_mean.clone() for norm in norms(made) if norm.running_mean is not None]
    made.train()
    whole, part = (made(image)[:, :, inner, inner] for image in (bright, tile))
    # Dropout still draws in training; in evaluation nothing does.
    assert not torch.allclose(whole, part)
    made.eval()
    assert torch.allclose(made(bright)[:, :, inner, inner], made(tile)[:, :, inner, inner], atol=1e-5)
    after = [norm.running_mean for norm in norms(made)]
    assert before
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True) if b is not None)


def test_channels_are_kept_by_seed_and_with_mean_one() -> None:
    spec = GeneratorSpec(channels=64, blocks=4, dropout=0.2)
    drawn = keeps(spec, 8, 5)
    assert drawn.shape == (8, 4, 256)
    assert torch.equal(drawn, keeps(spec, 8, 5))
    assert not torch.equal(drawn, keeps(spec, 8, 6))
    assert set(drawn.unique().tolist()) == {0.0, 1.25}
    assert float(drawn.mean()) == pytest.approx(1.0, abs=0.02)
    # Kept channels are those of a pass with dropout: all of them are the pass without.
    made, image = generator().eval(), torch.randn(1, 1, 32, 32)
    assert torch.equal(made(image, torch.ones(2, 16)), made(image))
    assert not torch.equal(made(image, keeps(SPEC, 1, 1)[0]), made(image))
