"""Generators and judges: shapes, fields of view, attention, dropout, and the statistics that freeze."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from lunarsite.vision.enhance.cycle_networks import (
    FIELD_PX,
    Generator,
    GeneratorSpec,
    Judge,
    Norm,
    Reflect,
    keeps,
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
def test_a_generator_keeps_shape_and_starts_near_a_smoothed_copy(attention: bool) -> None:
    torch.manual_seed(3)
    made = Generator(SPEC.model_copy(update={"attention": attention}))
    image = torch.randn(2, 1, 64, 96)
    found = made(image)
    assert found.shape == image.shape
    copy = torch.from_numpy(ndimage.gaussian_filter(image.numpy(), (0, 0, 1.5, 1.5), mode="mirror", truncate=3.4))
    assert torch.allclose(made.smoothed(image), copy, atol=1e-4)
    assert 0.0 < (found - copy).abs().mean() < 0.2
    # Noise that stands alone is cut to 1 / (2 sigma sqrt(pi)), brightness stays.
    assert float(made.smoothed(image).std() / image.std()) == pytest.approx(0.188, abs=0.02)
    assert torch.allclose(made.smoothed(torch.full((1, 1, 32, 32), 3.0)), torch.full((1, 1, 32, 32), 3.0), atol=1e-5)
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


def test_statistics_fade_into_fixed_ones_so_that_tiles_fit_together() -> None:
    made = generator(SPEC.model_copy(update={"dropout": 0.0}))
    bright = torch.randn(1, 1, 192, 192)
    bright[:, :, 128:] += 3.0
    tile, inner = bright[:, :, :128], slice(32, 64)

    def apart(step: int) -> float:
        made.follow(step, 200)
        with torch.no_grad():
            return float((made(bright)[:, :, inner, inner] - made(tile)[:, :, inner, inner]).abs().max())

    # An image's own statistics let what lies far away have a say: the less, the more of them are fixed.
    early, late = apart(0), [apart(step) for step in (80, 95, 100, 199)]
    assert early > 0.01
    assert early > late[0] > late[1] > late[2]
    assert max(late[2:]) < 1e-5
    # From half of the steps on, training and evaluation are the same function, and statistics stay.
    fixed = {name: value.clone() for name, value in made.state_dict().items()}
    trained = made.train()(tile)
    assert torch.equal(trained, made.eval()(tile))
    assert all(torch.equal(value, fixed[name]) for name, value in made.state_dict().items())


def test_normalisation_is_that_of_instances_and_of_their_mean() -> None:
    norm, image = Norm(3), 2.0 * torch.randn(4, 3, 16, 16) + 1.0
    expected = nn.functional.instance_norm(image)
    assert torch.allclose(norm(image), expected, atol=1e-5)
    norm = Norm(3)
    images = [torch.randn(2, 3, 16, 16) + k for k in range(5)]
    for step, values in enumerate(images):
        norm.follow(step, 1_000)
        norm(values)
    whole = torch.cat(images)
    variance, mean = torch.var_mean(whole, dim=(2, 3), correction=0)
    assert torch.allclose(norm.running_mean, mean.mean(dim=0), atol=1e-5)
    assert torch.allclose(norm.running_var, variance.mean(dim=0), atol=1e-5)
    norm.eval()
    by_hand = (image - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
    assert torch.allclose(norm(image), by_hand, atol=1e-5)


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
