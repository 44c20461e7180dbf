"""Training: it learns, survives a kill bit by bit, stops in time, and shares the work among processes."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lunarsite.settings.learning import TrainingSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.training import CHECKPOINT, rate_factor, read_state, train
from tests.unit.vision.learn import endless

ROOT = Path(__file__).resolve().parents[4]
State = dict[str, Tensor]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "tests.unit.vision.learn.endless", *map(str, arguments)]
    # One thread each: the order of a sum depends on their number, and idle threads of many processes hinder each other.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, env=environment)


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_time(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


def test_training_learns_and_leaves_callers_state_alone(tmp_path: Path) -> None:
    steps: list[tuple[float, float]] = []
    import lunarsite.vision.learn.loop  # noqa: F401 - importing Lightning sets the level of its log

    levels = logging.getLogger("lightning.pytorch").level
    torch.manual_seed(77)
    endless.network()
    before = torch.get_rng_state()
    trained = endless.run(tmp_path, progress=lambda done, total, _: steps.append((done, total)))
    losses = [entry["validation_loss"] for entry in trained.history]
    assert losses[-1] < 0.95 * losses[0]
    assert trained.best_epoch == 1 + losses.index(min(losses))
    assert steps == [(done, 12) for done in range(1, 13)]
    assert not trained.network.training
    assert trained.seconds == pytest.approx(sum(entry["seconds"] for entry in trained.history))
    for entry in trained.history:
        assert entry["training_loss"] == pytest.approx(entry["training_entropy"] + 0.5 * entry["training_dice"])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert logging.getLogger("lightning.pytorch").level == levels
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_validation_loss_is_the_returned_networks(tmp_path: Path) -> None:
    trained = endless.run(tmp_path)
    items = [endless.Noise(5)[index] for index in range(5)]
    batches = [{name: torch.as_tensor(value)[None] for name, value in item.items()} for item in items]
    with torch.no_grad():
        entropy = [endless.loss(trained.network(batch["image"]), batch)[1]["entropy"].item() for batch in batches]
    # The last batch is smaller: the mean is over items.
    assert trained.history[trained.best_epoch - 1]["validation_entropy"] == pytest.approx(sum(entropy) / 5, rel=1e-5)


@pytest.mark.parametrize("step", [2, 8])  # within the first epoch, within the third
def test_killed_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    torch.set_num_threads(1)
    whole = endless.run(tmp_path / "whole")
    killed = in_a_process(tmp_path / "cut", tmp_path / "cut.pt", 1, 0, step)
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "cut.pt").exists()
    state = read_state(tmp_path / "cut" / CHECKPOINT)
    assert (0 if state is None else len(state["history"])) == (step - 1) // 3
    resumed = in_a_process(tmp_path / "cut", tmp_path / "cut.pt", 1, 0)
    assert resumed.returncode == 0, resumed.stderr
    history, best_epoch = json.loads((tmp_path / "cut.json").read_text(encoding="utf-8"))
    assert same(torch.load(tmp_path / "cut.pt", weights_only=True), whole.network.state_dict())
    assert without_time(history) == without_time(whole.history)
    assert best_epoch == whole.best_epoch


def test_finished_training_is_read_and_not_run(tmp_path: Path) -> None:
    first = endless.run(tmp_path)
    steps: list[float] = []
    second = endless.run(tmp_path, progress=lambda done, *_: steps.append(done), workers=1)
    assert steps == []
    assert same(first.network.state_dict(), second.network.state_dict())
    assert second.history == first.history


@pytest.mark.parametrize("change", [{"key": "other"}, {"learning_rate": 0.02}])
def test_checkpoint_of_another_training_is_not_gone_on_with(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    endless.run(tmp_path, epochs=1)
    with caplog.at_level(logging.INFO, "lunarsite.test"):
        again = endless.run(tmp_path, **{"epochs": 1} | change)
    assert "starting afresh" in caplog.text
    assert len(again.history) == 1
    fresh = endless.run(tmp_path / "fresh", **{"epochs": 1} | change)
    assert same(again.network.state_dict(), fresh.network.state_dict())


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    endless.run(tmp_path, epochs=1)
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(LearningError, match=r"last\.ckpt: is no readable checkpoint .*delete it"):
            endless.run(tmp_path, epochs=1)
    torch.save({"callbacks": {"lunarsite": Path("code")}}, path)
    with pytest.raises(LearningError, match="no readable checkpoint"):
        endless.run(tmp_path, epochs=1)


class Worse:
    """A validation loss that is lowest in the second epoch."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, found: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        if torch.is_grad_enabled():
            return found.square().mean(), {}
        self.calls += 1
        return found.new_tensor((self.calls - 2.0) ** 2), {}


def train_with(loss: Any, folder: Path, network: nn.Module | None = None, **changes: Any) -> Any:
    return train(
        network or endless.network(),
        loss,
        endless.Noise(10_000),
        endless.Noise(2),
        endless.settings(**changes),
        folder=folder,
        key="key",
        job_log=logging.getLogger("lunarsite.test"),
    )


def test_training_stops_when_nothing_gets_better_and_returns_the_best(tmp_path: Path) -> None:
    trained = train_with(Worse(), tmp_path / "a", epochs=20, patience=3)
    assert len(trained.history) == 5
    assert trained.best_epoch == 2
    assert read_state(tmp_path / "a" / CHECKPOINT)["finished"]  # type: ignore[index]
    calls = Worse()
    assert len(train_with(calls, tmp_path / "a", epochs=20, patience=3).history) == 5
    assert calls.calls == 0


def test_average_of_the_weights_is_what_is_kept(tmp_path: Path) -> None:
    rate, decays = 0.1, [min(0.9, (n + 1) / (n + 20)) for n in range(1, 3)]

    class Number(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.zeros(()))

        def forward(self, image: Tensor) -> Tensor:
            return self.value

    # AdamW with a constant gradient moves a weight by the learning rate: 0, then -rate, then -2 rate (no decay of
    # weights: it is no matrix; the rate of the second step is cos^2(pi / 4) of the first).
    trained = train_with(
        lambda found, _: (found, {}),
        tmp_path,
        Number(),
        epochs=1,
        steps_per_epoch=2,
        learning_rate=rate,
        warmup_fraction=0.0,
        averaging=0.9,
    )
    values = [-rate, -rate - 0.5 * rate]
    average = 0.0
    for decay, value in zip(decays, values, strict=True):
        average = decay * average + (1.0 - decay) * value
    assert trained.network.value.item() == pytest.approx(average, rel=1e-5)
    plain = train_with(
        lambda found, _: (found, {}), tmp_path / "b", Number(), epochs=1, steps_per_epoch=2, learning_rate=rate,
        warmup_fraction=0.0, averaging=0.0,
    )  # fmt: skip
    assert plain.network.value.item() == pytest.approx(values[-1], rel=1e-5)


def test_gradients_are_clipped(tmp_path: Path) -> None:
    seen: list[float] = []

    class Watched(nn.Linear):
        def forward(self, image: Tensor) -> Tensor:
            if self.weight.grad is not None:
                seen.append(float(self.weight.grad.norm()))
            return super().forward(image)

    train_with(lambda found, _: (1e6 * found.sum(), {}), tmp_path, Watched(32, 1, bias=False), epochs=1, clip_norm=0.5)
    assert seen
    assert max(seen) <= 0.5 + 1e-5


def test_divergence_and_what_cannot_be_run_are_errors(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match=r"diverged: training_loss is nan in epoch 1; lower"):
        train_with(lambda found, _: (found.sum() * torch.nan, {}), tmp_path)
    with pytest.raises(LearningError, match="validation set is empty"):
        endless.run(tmp_path, validation=0)
    if not torch.cuda.is_available():
        with pytest.raises(LearningError, match="needs a GPU"):
            endless.run(tmp_path, precision="bf16-mixed")


def test_learning_rate_rises_and_falls() -> None:
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert factors[10] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.5 * (1.0 + math.cos(math.pi * 89 / 90)))
    assert rate_factor(0, 1, 0.0) == 1.0


def test_processes_share_out_the_crops_of_larger_batches() -> None:
    from lunarsite.vision.learn.loop import EpochSampler

    def batches(sampler: EpochSampler, size: int) -> list[list[int]]:
        order = list(sampler)
        assert len(order) == len(sampler)
        return [order[at : at + size] for at in range(0, len(order), size)]

    one, two = EpochSampler(24), [EpochSampler(12, rank, 2) for rank in range(2)]
    for sampler in (one, *two):
        sampler.set_epoch(3)
    together = [sorted(a + b) for a, b in zip(batches(two[0], 4), batches(two[1], 4), strict=True)]
    assert together == batches(one, 8)
    assert together[0][0] == 72


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    done = in_a_process(tmp_path / "two", tmp_path / "two.pt", 2, 1)
    assert done.returncode == 0, done.stderr
    history, best_epoch = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    found = endless.network()
    found.load_state_dict(torch.load(tmp_path / "two.pt", weights_only=True))
    found.eval()
    counters = [value.item() for name, value in found.state_dict().items() if name.endswith("num_batches_tracked")]
    assert set(counters) == {3 * best_epoch}  # were the weights shared, both processes would have counted
    items = [endless.Noise(5)[index] for index in range(5)]
    batches = [{name: torch.as_tensor(value)[None] for name, value in item.items()} for item in items]
    with torch.no_grad():
        entropy = [endless.loss(found(batch["image"]), batch)[1]["entropy"].item() for batch in batches]
    assert history[best_epoch - 1]["validation_entropy"] == pytest.approx(sum(entropy) / 5, rel=1e-5)


def test_settings_name_no_processor_s_half_precision_by_default() -> None:
    assert TrainingSettings().precision == "32-true"
