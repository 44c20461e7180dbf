"""The CycleGAN's loop: what is minimised, resume bit by bit, rates, and clear refusals."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lunarsite.settings import CycleSettings
from lunarsite.vision.enhance import cycle_loop
from lunarsite.vision.enhance.cycle_data import Drawn
from lunarsite.vision.enhance.cycle_loop import CHECKPOINT, Networks, Trained, generator_loss, rate_factor, train
from lunarsite.vision.enhance.cycle_losses import Likeness
from lunarsite.vision.enhance.cycle_networks import Norm
from lunarsite.vision.learn import LearningError

LOG = logging.getLogger("tests")
SETTINGS = CycleSettings(
    steps=6, crop_px=64, keep_every=2, generator_channels=4, generator_blocks=1, discriminator_channels=4,
    perceptual_weight=0.0, buffer=2, batch=2,
)  # fmt: skip


class Waves:
    """Waves along one axis for shadow, along the other for sunlight."""

    def __init__(self, bad: float | None = None) -> None:
        self.bad, self.steps = bad, list[int]()

    def draw(self, step: int) -> Drawn:
        self.steps.append(step)
        generator = torch.Generator().manual_seed(step)
        at, phase = torch.linspace(0.0, 12.0, 64), 6.0 * torch.rand(2, 1, 1, 1, generator=generator)
        shadowed = torch.sin(at[:, None] + phase).expand(2, 1, 64, 64)
        noise = 0.3 * torch.randn(2, 1, 64, 64, generator=generator)
        sunlit = 2.0 * torch.sin(at[None, :] + phase).expand(2, 1, 64, 64)
        if self.bad is not None:
            sunlit = sunlit * self.bad
        return Drawn(shadowed + noise, sunlit, {"shadowed": frozenset({"a"}), "sunlit": frozenset({"b"})})


class Killed(Exception):  # noqa: N818 - it stands for a signal
    pass


def run(folder: Path, settings: CycleSettings = SETTINGS, stop: int | None = None, **given: Any) -> Trained:
    def progress(done: float, total: float, what: str) -> None:
        assert (total, what) == (settings.steps, "training")
        if done == stop:
            raise Killed

    given = {"source": Waves(), "key": "key", **given}
    source = given.pop("source")
    return train(
        source, Likeness(settings, None), settings, folder=folder, job_log=LOG, progress=progress, **given
    )  # fmt: skip


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_killed_training_goes_on_bit_by_bit(tmp_path: Path, stop: int) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", stop=stop)
    source = Waves()
    resumed = run(tmp_path / "killed", source=source)
    assert source.steps[0] == stop // 2 * 2, "it goes on after the last checkpoint"
    assert same(whole.networks, resumed.networks)
    plain = [[{k: v for k, v in e.items() if k != "seconds"} for e in found.history] for found in (whole, resumed)]
    assert plain[0] == plain[1]
    assert [entry["step"] for entry in whole.history] == [2.0, 4.0, 6.0]
    # Everything that a step changes is in the file, which is read without running code.
    content = torch.load(tmp_path / "whole" / CHECKPOINT, weights_only=True)
    assert {"networks", "generators", "judges", "scaler", "buffers", "step", "history", "key"} == set(content)
    assert [len(images) for images in content["buffers"].values()] == [2, 2]
    # A training that is done is not done again.
    source = Waves()
    assert same(run(tmp_path / "whole", source=source).networks, whole.networks)
    assert source.steps == []


def test_the_checkpoint_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    first = run(tmp_path)
    source = Waves()
    assert not same(run(tmp_path, SETTINGS.model_copy(update={"seed": 2}), source=source).networks, first.networks)
    assert source.steps == list(range(6))
    source = Waves()
    run(tmp_path, source=source, key="other data")
    assert source.steps == list(range(6))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for damaged in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(LearningError, match=r"last.ckpt: is no readable checkpoint .* delete it to start afresh"):
            run(tmp_path)


def test_statistics_stay_from_half_time_on_and_the_rate_falls(tmp_path: Path) -> None:
    statistics: list[Tensor] = []

    def observe(step: int, networks: Networks) -> dict[str, float]:
        assert not networks.to_sunlit.training
        first = next(layer for layer in networks.to_sunlit.modules() if isinstance(layer, Norm))
        statistics.append(first.running_mean.clone())
        return {"looked": float(step)}

    settings = SETTINGS.model_copy(update={"steps": 8})
    found = run(tmp_path, settings, observe=observe)
    assert [entry["looked"] for entry in found.history] == [2.0, 4.0, 6.0, 8.0]
    assert not torch.equal(statistics[0], statistics[1])
    assert torch.equal(statistics[1], statistics[2])
    assert torch.equal(statistics[1], statistics[3])
    rates = [entry["learning_rate"] / settings.learning_rate for entry in found.history]
    assert rates == pytest.approx([1.0, 1.0, 0.5, 0.0])
    assert [rate_factor(step, 8) for step in (0, 4, 5, 7, 8)] == pytest.approx([1.0, 1.0, 0.75, 0.25, 0.0])
    assert not found.networks.training


def test_the_generators_minimise_the_terms_as_weighted() -> None:
    torch.manual_seed(1)
    networks = Networks(SETTINGS).eval().requires_grad_(False)
    likeness, drawn = Likeness(SETTINGS, None), Waves().draw(1)
    s, u = drawn.shadowed, drawn.sunlit
    total, terms, made = generator_loss(networks, s, u, likeness, SETTINGS)
    g, f = networks.to_sunlit, networks.to_shadowed
    judged = (networks.judge_sunlit(g(s)) - 1.0).square().mean()
    judged = judged + (networks.judge_shadowed(f(u)) - 1.0).square().mean()
    cycle = likeness(f(g(s)), s) + likeness(g(f(u)), u)
    identity = likeness(g(u), u) + likeness(f(s), s)
    for name, value in (("judged", judged), ("cycle", cycle), ("identity", identity)):
        assert float(terms[name]) == pytest.approx(float(value), rel=1e-4), name
    assert float(total) == pytest.approx(float(judged + 10.0 * cycle + 5.0 * identity), rel=1e-4)
    assert torch.allclose(made["sunlit"], g(s), atol=1e-5)
    assert torch.allclose(made["shadowed"], f(u), atol=1e-5)


def test_the_judges_are_shown_the_buffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the judges learn from comes out of the buffers, one for each generator."""
    asked: list[tuple[int, bool]] = []

    class Spy(cycle_loop.ImageBuffer):
        def exchange(self, fresh: Tensor, rng: Any) -> Tensor:
            asked.append((len(self.images), fresh.requires_grad))
            return torch.full_like(super().exchange(fresh, rng), 100.0)

    plain = run(tmp_path / "plain")
    monkeypatch.setattr(cycle_loop, "ImageBuffer", Spy)
    spied = run(tmp_path / "spied")
    assert len(asked) == 12
    assert max(held for held, _ in asked) == 2
    assert spied.history[0]["judge_sunlit"] != plain.history[0]["judge_sunlit"]
    assert not same(spied.networks.judge_shadowed, plain.networks.judge_shadowed)


def test_generators_learn_what_tells_the_domains_apart(tmp_path: Path) -> None:
    class Brighter(Waves):
        """Sunlit waves that are those of shadow, brighter by 1."""

        def draw(self, step: int) -> Drawn:
            shadowed = super().draw(step).shadowed
            return Drawn(shadowed, super().draw(step + 1_000).shadowed + 1.0, {})

    settings = SETTINGS.model_copy(
        update={"steps": 40, "keep_every": 40, "learning_rate": 4e-3, "cycle_weight": 0.1, "identity_weight": 0.0}
    )
    found = run(tmp_path, settings, source=Brighter())
    drawn = Brighter().draw(99)
    with torch.no_grad():
        brighter = float((found.networks.to_sunlit(drawn.shadowed) - drawn.shadowed).mean())
        darker = float((found.networks.to_shadowed(drawn.sunlit) - drawn.sunlit).mean())
    assert brighter > 0.2
    assert darker < -0.2


def test_mixed_precision_without_a_gpu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for precision in ("bf16-mixed", "16-mixed"):
        with pytest.raises(LearningError, match=rf"precision: '{precision}' needs a GPU"):
            run(tmp_path, SETTINGS.model_copy(update={"precision": precision}))


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match=r"diverged: .* at step 1; lower enhance.cycle.learning_rate"):
        run(tmp_path, source=Waves(bad=float("nan")))
    assert not (tmp_path / CHECKPOINT).exists()
