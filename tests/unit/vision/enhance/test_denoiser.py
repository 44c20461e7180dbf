"""The ensemble and its loss: what they must be by definition, and files that hold another network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor, nn

from lunarsite.artefact import ArtefactError
from lunarsite.artefact.contracts import DENOISER_MODEL
from lunarsite.artefact.model import Card
from lunarsite.settings.enhance import SensorSettings
from lunarsite.stage import Job
from lunarsite.vision.enhance.denoiser import (
    INPUTS,
    OUTPUTS,
    Ensemble,
    EnsembleSpec,
    Member,
    build_ensemble,
    denoiser_loss,
    even,
    flattened,
    folded_spec,
)
from lunarsite.vision.enhance.enhancer import load_denoiser
from lunarsite.vision.enhance.training import measure
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.saved import rounded, save
from tests.unit.vision.enhance.made_scenes import VALIDATION, write_scenes

SPEC = folded_spec(4, 2)


def ensemble(members: int = 2, factor: float = 1.0) -> Ensemble:
    torch.manual_seed(1)
    made = Ensemble(EnsembleSpec(network=SPEC, contrast="square root", members=members, variance_factor=factor))
    for member in made.members:
        nn.init.normal_(member.body.last.weight, std=0.2)  # type: ignore[union-attr,arg-type]
    return made.eval()


class Fixed(nn.Module):
    """A member that says the same everywhere."""

    def __init__(self, mean: float, variance: float) -> None:
        super().__init__()
        self.mean, self.variance = mean, variance

    def judged(self, views: Tensor, roughness: Tensor) -> Tensor:
        del views
        told = (torch.full_like(roughness, value) for value in (self.mean, np.log(self.variance)))
        return torch.cat(tuple(told), dim=1)


def test_a_new_member_blends_what_it_sees_evenly() -> None:
    member, image = Member(SPEC).eval(), torch.zeros(1, 1, 96, 96)
    image[0, 0, 48, 48] = 0.01
    found = member(image)
    assert torch.allclose(found[:, 1], torch.zeros(1, 96, 96), atol=1e-5)
    # Blurs and flattened versions keep the sum; the image, four blurs and three of those have an eighth each.
    assert found[0, 0].sum().item() == pytest.approx(0.01, rel=1e-3)
    flat = flattened(image, (0.12, 0.3, 0.7))[0, :, 48, 48]
    peaks = [0.01, *(0.01 / (2.0 * np.pi * sigma**2) for sigma in (0.8, 1.6, 3.2, 6.4)), *flat.tolist()]
    assert found[0, 0, 48, 48].item() == pytest.approx(np.mean(peaks), rel=0.01)


def test_noise_of_photons_is_as_strong_in_what_is_bright() -> None:
    """In the standard scale it is a tenth of what it is in the dark."""
    rng = np.random.default_rng(3)
    dark, bright = (torch.from_numpy((rng.poisson(level, 20_000) - 4.0) / 2.0).float() for level in (4.0, 400.0))
    assert 0.6 < (even(bright).std() / even(dark).std()).item() < 1.6
    assert (torch.asinh(bright).std() / torch.asinh(dark).std()).item() < 0.1
    values = torch.linspace(-50.0, 50.0, 1001)
    assert (even(values).diff() > 0.0).all()
    assert torch.allclose(even(-values), -even(values))
    assert even(torch.tensor(1e-3)).item() == pytest.approx(1e-3, rel=1e-3)


def test_radiances_are_blended_not_their_logarithms() -> None:
    image = torch.full((1, 1, 64, 64), -2.0)
    image[..., ::2] = 2.0
    found = Member(SPEC).eval()(image)[0, 0, 20:44, 20:44]
    assert torch.sinh(found).mean().item() == pytest.approx(0.0, abs=0.02)
    image = torch.zeros(1, 1, 64, 64)
    image[..., ::2] = 3.0
    found = Member(SPEC).eval()(image)[0, 0, 20:44, 20:44]
    assert torch.sinh(found).mean().item() > 0.8 * 0.5 * np.sinh(3.0)


def test_flattening_is_that_of_the_library() -> None:
    image = torch.randn(1, 1, 48, 48, generator=torch.Generator().manual_seed(8)) * 0.2
    image[..., 20:] += 2.0
    expected = denoise_tv_chambolle(image[0, 0].numpy(), weight=0.12, eps=0.0, max_num_iter=40)
    assert np.abs(flattened(image, (0.12,))[0, 0].numpy() - expected).max() < 1e-3


def test_a_bright_pixel_does_not_fill_its_surroundings() -> None:
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 32, 32] = 8.0
    other = image.clamp(max=5.0)
    far = torch.ones(64, 64, dtype=torch.bool)
    far[32, 32] = False
    member = Member(SPEC).eval()
    assert torch.equal(member(image)[0, 0][far], member(other)[0, 0][far])


@pytest.mark.parametrize("level", [3.0, -4.0])
def test_even_ground_stays_even_up_to_its_borders(level: float) -> None:
    found = Member(SPEC).eval()(torch.full((2, 1, 32, 96), level))
    assert found.shape == (2, 2, 32, 96)
    assert torch.allclose(found[:, 0], torch.tensor(level), atol=1e-4)


def test_what_a_member_says_depends_on_no_pixel_out_of_reach() -> None:
    made = ensemble(1)
    image = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(3))
    other = image.clone()
    other[..., 64:] += 1.0
    off = (made(image) - made(other)).abs()
    assert off[..., :8].max() < 1e-5
    assert off[..., 60:].max() > 0.1


def test_the_ensemble_is_the_mixture_of_its_members() -> None:
    members = [Fixed(1.0, 0.5), Fixed(2.0, 0.7), Fixed(6.0, 0.3)]
    mixture = Ensemble(EnsembleSpec(network=SPEC, contrast="square root", members=3, variance_factor=2.0), members)  # type: ignore[arg-type]
    found = mixture(torch.zeros(1, 1, 4, 4))
    assert found.shape == (1, 2, 4, 4)
    # Of radiances, not of their logarithms.
    assert found[0, 0].unique().item() == pytest.approx(np.arcsinh(np.sinh([1.0, 2.0, 6.0]).mean()), rel=1e-5)
    assert found[0, 1, 0, 0].item() == pytest.approx(2.0 * (0.5 + np.var([1.0, 2.0, 6.0])), rel=1e-5)
    with pytest.raises(LearningError, match="2 members was given 3"):
        Ensemble(EnsembleSpec(network=SPEC, contrast="square root", members=2), members)  # type: ignore[arg-type]


def test_the_likelihood_is_lowest_at_the_true_variance() -> None:
    target = torch.asinh(torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.5)
    batch = {"target": target, "weight": torch.ones_like(target)}
    losses = {}
    for variance in (0.15, 0.2, 0.25, 0.3, 0.35):
        raw = torch.cat((torch.zeros_like(target), torch.full_like(target, np.log(variance))), dim=1)
        losses[variance] = float(denoiser_loss(raw, batch)[1]["likelihood"])
    assert min(losses, key=losses.__getitem__) == 0.25


def test_noisy_images_count_no_more_than_clear_ones() -> None:
    raw = torch.zeros(2, 2, 4, 4, requires_grad=True)
    radiance = torch.ones(2, 1, 4, 4)
    radiance[1] *= 10.0
    denoiser_loss(raw, {"target": torch.asinh(radiance), "weight": torch.ones_like(radiance)})[0].backward()
    assert raw.grad is not None
    # The mean's gradient times its error is the same for both: a share of the error, not of its square.
    pull = -(raw.grad[:, :1] * radiance).sum(dim=(1, 2, 3))
    assert pull.tolist() == pytest.approx([0.5, 0.5], rel=1e-3)


def test_the_likelihood_does_not_move_the_mean() -> None:
    raw = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(2)).requires_grad_()
    batch = {"target": torch.zeros(2, 1, 8, 8), "weight": torch.ones(2, 1, 8, 8)}
    denoiser_loss(raw, batch)[1]["likelihood"].backward()
    assert raw.grad is not None
    assert not raw.grad[:, 0].any()
    assert raw.grad[:, 1].all()


def test_pixels_without_a_weight_do_not_count() -> None:
    raw = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    target, weight = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    weight[..., :4] = 1.0
    first = denoiser_loss(raw, {"target": target, "weight": weight})[0]
    spoiled = torch.where(weight > 0.0, target, 1e3)
    assert denoiser_loss(raw, {"target": spoiled, "weight": weight})[0] == first
    # An item without any weight is as if it were not there.
    weight[1] = 0.0
    alone = denoiser_loss(raw[:1], {"target": target[:1], "weight": weight[:1]})[0]
    assert denoiser_loss(raw, {"target": spoiled, "weight": weight})[0] == alone
    assert denoiser_loss(raw, {"target": target, "weight": torch.zeros_like(weight)})[0] == 0.0


def written(path: Path, network: Ensemble, **spec: object) -> Path:
    card = Card(spec={**network.spec.to_json(), **spec}, inputs=INPUTS, classes=OUTPUTS)  # type: ignore[dict-item]
    stamp = Job("enhance-train", "default", "code", "settings", origin="synthetic", git=(None, None)).stamp(
        DENOISER_MODEL
    )
    save(path, DENOISER_MODEL, rounded(network), card, stamp)
    return path


def test_a_file_gives_the_same_ensemble_back(tmp_path: Path) -> None:
    made = ensemble(factor=1.7)
    enhancer = load_denoiser(written(tmp_path / "model.safetensors", made))
    image = torch.randn(1, 1, 64, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.equal(enhancer.network(image), made(image))
        assert torch.equal(enhancer.network(image), enhancer.network(image))


def test_a_file_with_another_number_of_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"lacks weights: members\.2"):
        load_denoiser(written(tmp_path / "model.safetensors", ensemble(), members=3))
    with pytest.raises(ArtefactError, match=r"has unknown weights: members\.1"):
        load_denoiser(written(tmp_path / "model.safetensors", ensemble(), members=1))


@pytest.mark.parametrize("change", [{"members": 0}, {"variance_factor": -1.0}, {"network": 3}, {"more": 1}])
def test_a_spec_of_something_else_is_refused(change: dict[str, object]) -> None:
    spec = {**EnsembleSpec(network=SPEC, contrast="square root", members=2).to_json(), **change}
    with pytest.raises(LearningError, match="not one of an ensemble"):
        build_ensemble(spec)  # type: ignore[arg-type]


def test_networks_that_see_otherwise_are_refused() -> None:
    """Their weights would fit, and mean something else."""
    spec = EnsembleSpec(network=SPEC, contrast="square root", members=2).to_json()
    del spec["contrast"]
    with pytest.raises(LearningError, match="see radiances in another scale"):
        build_ensemble(spec)
    network = SPEC.model_copy(update={"inputs": SPEC.inputs - 4})
    with pytest.raises(LearningError, match="is not one of this version"):
        build_ensemble(EnsembleSpec(network=network, contrast="square root", members=2).to_json())


def test_the_factor_makes_errors_true(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes.h5", [VALIDATION] * 4)
    sensor, numbers = SensorSettings(least_electrons=10.0, most_electrons=10.0), [0, 1, 2, 3]
    raw = ensemble()
    found = measure(raw, tmp_path / "scenes.h5", numbers, sensor)
    assert found["within_one"] == pytest.approx(0.6827, abs=1e-3)
    scaled = Ensemble(raw.spec.model_copy(update={"variance_factor": found["factor"] ** 2}), list(raw.members)).eval()  # type: ignore[arg-type]
    assert measure(scaled, tmp_path / "scenes.h5", numbers, sensor)["factor"] == pytest.approx(1.0, rel=1e-3)
    # One signal: all scenes are of one half of the range.
    assert {"square_raw_low", "square_raw_high"} - found.keys()
