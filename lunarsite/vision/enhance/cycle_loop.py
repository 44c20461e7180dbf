"""Training of the CycleGAN: a loop that a kill does not set back by more than `keep_every` steps.

Crops, dropout and the buffers' draws at a step depend on the seed and on the step's number alone; the checkpoint holds
the networks, the optimisers, the buffers and the history. So a training that goes on from it ends with the weights
that it would have had, bit by bit.
"""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lunarsite.artefact.atomic import replacing
from lunarsite.settings.enhance import CycleSettings
from lunarsite.vision.enhance.cycle_buffer import ImageBuffer
from lunarsite.vision.enhance.cycle_data import Drawn
from lunarsite.vision.enhance.cycle_losses import Likeness, adversarial
from lunarsite.vision.enhance.cycle_networks import Generator, GeneratorSpec, Judge, trainable
from lunarsite.vision.learn import LearningError

CHECKPOINT = "last.ckpt"
_BETAS = (0.5, 0.999)
_TERMS = ("judged", "cycle", "identity", "judge_sunlit", "judge_shadowed")

Progress = Callable[[float, float, str], None]
Observe = Callable[[int, "Networks"], dict[str, float]]
"""Told the steps done and the networks at every checkpoint; what it measures goes into the history."""


class Source(Protocol):
    """Where crops come from."""

    def draw(self, step: int) -> Drawn:
        """Return the crops of a step, a function of its number."""


class Networks(nn.Module):
    """Both generators and their judges."""

    def __init__(self, settings: CycleSettings) -> None:
        super().__init__()
        spec = generator_spec(settings)
        self.to_sunlit, self.to_shadowed = Generator(spec), Generator(spec)
        self.judge_sunlit = Judge(settings.discriminator_channels)
        self.judge_shadowed = Judge(settings.discriminator_channels)

    @property
    def generators(self) -> list[nn.Module]:
        """Both generators."""
        return [self.to_sunlit, self.to_shadowed]

    @property
    def judges(self) -> list[nn.Module]:
        """Both judges."""
        return [self.judge_sunlit, self.judge_shadowed]


@dataclass
class State:
    """All that a step changes."""

    networks: Networks
    generators: torch.optim.Adam
    judges: torch.optim.Adam
    scaler: torch.amp.GradScaler
    buffers: dict[str, ImageBuffer]
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    networks: Networks
    """On the CPU, in evaluation mode."""
    history: list[dict[str, float]]
    """An entry every `keep_every` steps: 'step', 'seconds', 'learning_rate', means of the losses since the one before,
    and what was observed."""

    @property
    def seconds(self) -> float:
        """Time spent, that before an interruption included, what was lost to it not."""
        return sum(entry["seconds"] for entry in self.history)


def generator_spec(settings: CycleSettings) -> GeneratorSpec:
    """Return what the generators of these settings are built from."""
    return GeneratorSpec(
        channels=settings.generator_channels, blocks=settings.generator_blocks, attention=settings.attention
    )


def train(
    source: Source,
    likeness: Likeness,
    settings: CycleSettings,
    *,
    folder: Path,
    key: str,
    job_log: logging.Logger,
    progress: Progress | None = None,
    observe: Observe | None = None,
) -> Trained:
    """Train both generators, or go on with the training whose checkpoint lies in `folder`.

    Args:
        source: Crops by step.
        likeness: What the cycle and identity terms are made of.
        settings: How long, with what weights.
        folder: Where the checkpoint lies; whoever trains removes it when the result is safe.
        key: Stands for all else that the result depends on; a checkpoint of another key is not gone on with.
        job_log: Told a line at every checkpoint.
        progress: Told (steps done, steps in all, 'training').
        observe: Measures at every checkpoint.

    Raises:
        LearningError: There is no GPU for the precision asked for, the training diverges, or the checkpoint is damaged.
    """
    device = _device(settings)
    whole_key = json.dumps([key, settings.model_dump(mode="json")], sort_keys=True)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / CHECKPOINT
    with _deterministic(), torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        state = _start(settings, device)
        likeness = likeness.to(device)
        _resume(state, checkpoint, whole_key, settings, job_log)
        sums, since = dict.fromkeys(_TERMS, 0.0), state.step
        started = time.monotonic()
        while state.step < settings.steps:
            terms = _step(state, source.draw(state.step), likeness, settings, device)
            state.step += 1
            _check_finite(terms, state.step)
            sums = {name: sums[name] + terms[name] for name in _TERMS}
            if progress is not None:
                progress(state.step, settings.steps, "training")
            if state.step % settings.keep_every == 0 or state.step == settings.steps:
                entry = {name: value / (state.step - since) for name, value in sums.items()}
                seconds = time.monotonic() - started
                _keep(state, entry, seconds, settings, checkpoint, whole_key, observe, job_log)
                sums, since, started = dict.fromkeys(_TERMS, 0.0), state.step, time.monotonic()
    return Trained(state.networks.to("cpu").eval(), state.history)


def rate_factor(step: int, steps: int) -> float:
    """Return the learning rate of a step over the first one: 1 for half of the steps, then falling linearly to 0."""
    return min(1.0, 2.0 * (1.0 - step / steps))


def generator_loss(
    networks: Networks, shadowed: Tensor, sunlit: Tensor, likeness: Likeness, settings: CycleSettings
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return what the generators minimise, its terms, and what the judges are to be shown.

    A generator gets what it must translate and what is already there in one batch; its normalisation takes every image
    by itself.
    """
    count = len(shadowed)
    made_sunlit, same_sunlit = networks.to_sunlit(torch.cat((shadowed, sunlit))).split(count)
    made_shadowed, same_shadowed = networks.to_shadowed(torch.cat((sunlit, shadowed))).split(count)
    back_sunlit, back_shadowed = networks.to_sunlit(made_shadowed), networks.to_shadowed(made_sunlit)
    terms = {
        "judged": adversarial(networks.judge_sunlit(made_sunlit), True, settings.adversarial)
        + adversarial(networks.judge_shadowed(made_shadowed), True, settings.adversarial),
        "cycle": likeness(back_sunlit, sunlit) + likeness(back_shadowed, shadowed),
        "identity": likeness(same_sunlit, sunlit) + likeness(same_shadowed, shadowed),
    }
    total = terms["judged"] + settings.cycle_weight * terms["cycle"] + settings.identity_weight * terms["identity"]
    return total, terms, {"sunlit": made_sunlit, "shadowed": made_shadowed}


def _step(
    state: State, drawn: Drawn, likeness: Likeness, settings: CycleSettings, device: torch.device
) -> dict[str, float]:
    """Move generators, then judges, once; return the terms of the losses."""
    torch.manual_seed(settings.seed + 1_000_003 * (state.step + 1))
    networks, factor = state.networks.train(), rate_factor(state.step, settings.steps)
    networks.to_sunlit.follow(state.step, settings.steps)
    networks.to_shadowed.follow(state.step, settings.steps)
    for group in (*state.generators.param_groups, *state.judges.param_groups):
        group["lr"] = settings.learning_rate * factor
    real = {"sunlit": drawn.sunlit.to(device), "shadowed": drawn.shadowed.to(device)}
    mixed = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(settings.precision)

    def arithmetic() -> torch.autocast:
        return torch.autocast(device.type, dtype=mixed or torch.bfloat16, enabled=mixed is not None)

    for judge in networks.judges:
        judge.requires_grad_(False)
    with arithmetic():
        total, terms, made = generator_loss(networks, real["shadowed"], real["sunlit"], likeness, settings)
    _move(state.scaler, state.generators, total, trainable(networks.generators), settings.clip_norm)

    rng = np.random.default_rng([settings.seed, 1, state.step])
    shown = {side: state.buffers[side].exchange(made[side].float(), rng) for side in sorted(made)}
    judges = {"sunlit": networks.judge_sunlit, "shadowed": networks.judge_shadowed}
    with arithmetic():
        for side, judge in judges.items():
            judge.requires_grad_(True)
            terms[f"judge_{side}"] = 0.5 * (
                adversarial(judge(real[side]), True, settings.adversarial)
                + adversarial(judge(shown[side]), False, settings.adversarial)
            )
    both = terms["judge_sunlit"] + terms["judge_shadowed"]
    _move(state.scaler, state.judges, both, trainable(networks.judges), settings.clip_norm)
    state.scaler.update()
    return {name: float(value.detach()) for name, value in terms.items()}


def _move(
    scaler: torch.amp.GradScaler, optimiser: torch.optim.Adam, loss: Tensor, weights: list[nn.Parameter], clip: float
) -> None:
    optimiser.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    scaler.unscale_(optimiser)
    nn.utils.clip_grad_norm_(weights, clip)
    scaler.step(optimiser)


def _start(settings: CycleSettings, device: torch.device) -> State:
    networks = Networks(settings).to(device)
    generators, judges = (
        torch.optim.Adam(trainable(part), lr=settings.learning_rate, betas=_BETAS)
        for part in (networks.generators, networks.judges)
    )
    # 16 bits alone are too narrow for gradients; bfloat16 has the range of 32.
    scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "16-mixed")
    buffers = {side: ImageBuffer(settings.buffer) for side in ("sunlit", "shadowed")}
    return State(networks, generators, judges, scaler, buffers)


def _keep(
    state: State,
    entry: dict[str, float],
    seconds: float,
    settings: CycleSettings,
    checkpoint: Path,
    key: str,
    observe: Observe | None,
    job_log: logging.Logger,
) -> None:
    """Measure, note and write where the training is."""
    entry = {"step": float(state.step), "seconds": seconds, **entry}
    entry["learning_rate"] = settings.learning_rate * rate_factor(state.step, settings.steps)
    if observe is not None:
        state.networks.eval()
        with torch.inference_mode():
            entry |= observe(state.step, state.networks)
        state.networks.train()
    state.history.append(entry)
    job_log.info(
        "step %d of %d: judged %.3g, cycle %.3g, identity %.3g, judges %.3g and %.3g; %.1f s",
        *(state.step, settings.steps, entry["judged"], entry["cycle"], entry["identity"]),
        *(entry["judge_sunlit"], entry["judge_shadowed"], seconds),
    )
    content = {
        "key": key,
        "step": state.step,
        "history": state.history,
        "networks": state.networks.state_dict(),
        "generators": state.generators.state_dict(),
        "judges": state.judges.state_dict(),
        "scaler": state.scaler.state_dict(),
        "buffers": {side: buffer.state() for side, buffer in state.buffers.items()},
    }
    with replacing(checkpoint) as partial:
        torch.save(content, partial)


def _resume(state: State, checkpoint: Path, key: str, settings: CycleSettings, job_log: logging.Logger) -> None:
    """Go on from a checkpoint, if there is one of this training. No code in it is run.

    Raises:
        LearningError: It is damaged.
    """
    if not checkpoint.exists():
        return
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if content["key"] != key:
            job_log.info("%s belongs to another training (settings, data or code differ): starting afresh", checkpoint)
            checkpoint.unlink()
            return
        state.networks.load_state_dict(content["networks"])
        state.generators.load_state_dict(content["generators"])
        state.judges.load_state_dict(content["judges"])
        state.scaler.load_state_dict(content["scaler"])
        device = next(state.networks.parameters()).device
        for side, buffer in state.buffers.items():
            buffer.restore(content["buffers"][side], device)
        state.step, state.history = int(content["step"]), list(content["history"])
    except (RuntimeError, KeyError, TypeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        what = next(iter(str(error).splitlines()), type(error).__name__)  # torch goes on with advice to take risks
        raise LearningError(f"{checkpoint}: is no readable checkpoint ({what}); delete it to start afresh") from error
    job_log.info("going on after step %d of %d, from %s", state.step, settings.steps, checkpoint)


def _check_finite(terms: dict[str, float], step: int) -> None:
    bad = [name for name, value in terms.items() if not math.isfinite(value)]
    if bad:
        raise LearningError(
            f"the training diverged: {bad[0]} is {terms[bad[0]]} at step {step}; lower enhance.cycle.learning_rate, or"
            " look for data that is not finite"
        )


def _device(settings: CycleSettings) -> torch.device:
    gpu = torch.cuda.is_available()
    if settings.precision != "32-true" and not gpu:
        # Some processors announce bfloat16 and die of an illegal instruction when it is used, without a message.
        raise LearningError(
            f"enhance.cycle.precision: '{settings.precision}' needs a GPU and there is none; set '32-true'"
        )
    return torch.device("cuda" if gpu else "cpu")


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let torch refuse operations whose results vary from run to run, by an error that names them."""
    utils: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), utils.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    utils.fill_uninitialized_memory = False  # guards code that reads what it never wrote; costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        utils.fill_uninitialized_memory = before[1]
