"""The training loop in Lightning's terms: the module, what keeps its state, and the processes of several devices.

Only `training` uses this; it is apart because importing Lightning takes seconds.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes
from torch.utils.data import DataLoader, Sampler

from lunarsite.artefact.atomic import replacing
from lunarsite.settings.learning import TrainingSettings
from lunarsite.vision.learn import LearningError
from lunarsite.vision.learn.torchvision_repair import ensure_torchvision
from lunarsite.vision.learn.training import Loss, Progress, Work, rate_factor

ensure_torchvision()

from lightning.fabric.plugins.environments.lightning import LightningEnvironment  # noqa: E402
from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402
from lightning.pytorch.plugins.io import TorchCheckpointIO  # noqa: E402

_COUNT = "count"
_LIGHTNING_LOGS = ("lightning.pytorch", "lightning.fabric", "lightning")


class EpochSampler(Sampler[int]):
    """Indices of an epoch's crops, those of one of `world` processes.

    Together the processes see, batch by batch, the crops that one process with a batch `world` times as
    large would see.
    """

    def __init__(self, count: int, rank: int = 0, world: int = 1) -> None:
        self.count, self.rank, self.world, self.epoch = count, rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, the first one after an interruption included."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield the indices."""
        first = self.epoch * self.count * self.world + self.rank
        return iter(range(first, first + self.count * self.world, self.world))

    def __len__(self) -> int:
        """Return the number of crops of this process in an epoch."""
        return self.count


class LearnerModule(LightningModule):
    """A network and its loss."""

    def __init__(self, network: nn.Module, loss: Loss, settings: TrainingSettings, image: str = "image") -> None:
        super().__init__()
        # Convolutions on the CPU and on tensor cores are faster with the channels last (136 -> 117 ms, U-Net r34).
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss, self.settings, self.image = loss, settings, image
        self.sums: dict[str, dict[str, Tensor]] = {}

    def training_step(self, batch: Mapping[str, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        return self._loss(batch, "training")

    def validation_step(self, batch: Mapping[str, Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        return self._loss(batch, "validation")

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make dropout and the like depend on the step, not on what was drawn before.

        The hook of an epoch's start would not do: Lightning leaves it out in the first epoch after an interruption.
        """
        torch.manual_seed(
            self.settings.seed + 1_000_003 * (self.global_step * self.trainer.world_size + self.global_rank)
        )

    def take_means(self) -> dict[str, float]:
        """Return the means of the losses and their parts over the epoch's items, of all processes, and forget them.

        Lightning's own means over processes are wrong where the processes have different numbers of items: it divides
        by the integer part of their mean number.
        """
        means: dict[str, float] = {}
        for sums in self.sums.values():
            values = self.trainer.strategy.reduce(torch.stack(list(sums.values())), reduce_op="sum")
            totals = dict(zip(sums, torch.as_tensor(values).tolist(), strict=True))
            count = totals.pop(_COUNT)
            means |= {name: value / count for name, value in totals.items()}
        self.sums = {}
        return means

    def configure_optimizers(self) -> Any:
        """Return AdamW without decay of biases and of normalisation, and a learning rate that changes every step."""
        weights = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.settings.learning_rate)
        steps = self.settings.epochs * self.settings.steps_per_epoch
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: rate_factor(step, steps, self.settings.warmup_fraction)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _loss(self, batch: Mapping[str, Tensor], phase: str) -> Tensor:
        images = batch[self.image].contiguous(memory_format=torch.channels_last)
        total, parts = self.loss(self.network(images), batch)
        sums = self.sums.setdefault(phase, {})
        named = {f"{phase}_loss": total, **{f"{phase}_{name}": value for name, value in parts.items()}}
        for name, value in {**named, _COUNT: torch.ones_like(total)}.items():
            sums[name] = sums.get(name, 0.0) + value.detach().double() * len(images)
        return total


class Keeper(Callback):
    """Averages the weights, validates with the average, writes the history and the checkpoint, and stops in time.

    The average after n steps decays with min(averaging, (n + 1) / (n + 20)), so that it forgets the first weights soon.
    Statistics of batch normalisation are averaged as weights are; counters are copied.
    """

    def __init__(
        self, settings: TrainingSettings, checkpoint: Path, key: str, log: logging.Logger, progress: Progress | None
    ) -> None:
        self.settings, self.checkpoint, self.job_log, self.progress = settings, checkpoint, log, progress
        self.state: dict[str, Any] = {
            "key": key,
            "history": [],
            "best": {},
            "best_epoch": 0,
            "average": {},
            "finished": False,
        }
        self.current: dict[str, Tensor] = {}
        self.started = 0.0

    @property
    def state_key(self) -> str:
        """Where the state lies in a checkpoint."""
        return "lunarsite"

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of this."""
        return self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.state = state_dict

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the average start where the weights do, on their device."""
        average = self.state["average"] or _copied(_network(pl_module).state_dict())
        self.state["average"] = {name: value.to(pl_module.device) for name, value in average.items()}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the clock."""
        if batch_idx == 0:
            self.started = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Move the average towards the weights."""
        steps = trainer.global_step
        decay = min(self.settings.averaging, (steps + 1) / (steps + 20))
        with torch.no_grad():
            for name, value in _network(pl_module).state_dict().items():
                average = self.state["average"][name]
                if average.is_floating_point():
                    average.lerp_(value, 1.0 - decay)
                else:
                    average.copy_(value)
        if self.progress is not None:
            self.progress(steps, self.settings.epochs * self.settings.steps_per_epoch, "training")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in the place of the weights."""
        network = _network(pl_module)
        self.current = _copied(network.state_dict())
        network.load_state_dict(self.state["average"])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights back."""
        _network(pl_module).load_state_dict(self.current)
        self.current = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the epoch, keep the best average, decide whether to go on, and write it all."""
        state, epoch = self.state, trainer.current_epoch + 1
        entry = {"epoch": float(epoch), "seconds": time.monotonic() - self.started}
        entry["learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        assert isinstance(pl_module, LearnerModule)
        entry |= pl_module.take_means()
        bad = [name for name in ("training_loss", "validation_loss") if not math.isfinite(entry[name])]
        if bad:
            raise LearningError(
                f"the training diverged: {bad[0]} is {entry[bad[0]]} in epoch {epoch}; "
                "lower training.learning_rate, or look for data that is not finite"
            )
        state["history"].append(entry)
        best = min(state["history"], key=lambda other: other["validation_loss"])
        if best is entry:
            state["best_epoch"], state["best"] = epoch, _copied(state["average"])
        state["finished"] = epoch >= self.settings.epochs or epoch - state["best_epoch"] >= self.settings.patience
        trainer.should_stop = state["finished"]
        self.job_log.info(
            "epoch %d of %d: loss %.5g in training, %.5g in validation%s; %.1f s",
            epoch,
            self.settings.epochs,
            entry["training_loss"],
            entry["validation_loss"],
            " (best so far)" if best is entry else "",
            entry["seconds"],
        )
        trainer.save_checkpoint(self.checkpoint)  # called by every process, written by the first


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are replaced in one step, and read without running what they contain."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint."""
        with replacing(Path(path)) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Return a checkpoint."""
        loaded: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return loaded


def fit(work: Work, job_log: logging.Logger, progress: Progress | None) -> None:
    """Train until the checkpoint says 'finished'. With several devices the other processes start from here."""
    if work.settings.devices == 1:
        _fit(work, 0, job_log, progress)
        return
    # The first process is this one, so that it logs. Lightning's own launchers either start the whole command again or
    # import Lightning first, which a CPU build of torch does not survive (see torchvision_repair).
    rendezvous = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    # No daemons: those may not start the processes that prepare crops.
    others = start_processes(_other, (rendezvous, work), work.settings.devices - 1, join=False)  # type: ignore[no-untyped-call]
    try:
        with _environment({**rendezvous, "LOCAL_RANK": "0"}):
            _fit(work, 0, job_log, progress)
        while not others.join():
            pass
    except RuntimeError:
        others.join(timeout=5.0)  # where another process failed first, the cause is its error, which this raises
        raise
    finally:
        for process in others.processes:
            process.kill()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _other(index: int, rendezvous: dict[str, str], work: Work) -> None:
    rank = index + 1
    # Tensors reach another process as shared memory: without a copy all processes would move the same weights.
    work = replace(work, network=deepcopy(work.network))
    with _environment({**rendezvous, "LOCAL_RANK": str(rank)}):
        _fit(work, rank, logging.getLogger(f"lunarsite.process_{rank}"), None)
    torch.distributed.destroy_process_group()


def _fit(work: Work, rank: int, log: logging.Logger, progress: Progress | None) -> None:
    settings, checkpoint, world = work.settings, work.checkpoint, work.settings.devices
    gpu = torch.cuda.is_available()
    options: dict[str, Any] = {
        "batch_size": settings.batch,
        "num_workers": settings.workers,
        "persistent_workers": settings.workers > 0,
        "pin_memory": gpu,
    }
    crops = EpochSampler(settings.steps_per_epoch * settings.batch, rank, world)
    own = range(rank, len(work.validation), world)
    with _quiet(), _deterministic(), torch.random.fork_rng():
        trainer = Trainer(
            accelerator="gpu" if gpu else "cpu",
            devices=world,
            strategy="ddp" if world > 1 else "auto",
            precision=settings.precision,
            max_epochs=settings.epochs,
            gradient_clip_val=settings.clip_norm,
            callbacks=[Keeper(settings, checkpoint, work.key, log, progress)],
            # Named, lest Lightning takes a Slurm job for one that Slurm has started a process per device of.
            plugins=[LightningEnvironment(), AtomicCheckpoints()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=checkpoint.parent,
        )
        trainer.fit(
            LearnerModule(work.network.train(), work.loss, settings, work.image),
            DataLoader(cast(Any, work.training), sampler=crops, **options),
            DataLoader(cast(Any, work.validation), sampler=own, **options),
            ckpt_path=checkpoint if checkpoint.exists() else None,
            weights_only=True,
        )


def _network(module: LightningModule) -> nn.Module:
    assert isinstance(module, LearnerModule)
    return cast(nn.Module, module.network)


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's greetings out of the log, and two warnings that nobody could act on."""
    logs = [logging.getLogger(name) for name in _LIGHTNING_LOGS]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # How many processes prepare crops is training.workers; more than one gains nothing on a few cores.
            warnings.filterwarnings("ignore", message=r".*does not have many workers")
            # Lightning 2.6 builds its tree of loaders with a class that torch 2.13 has renamed.
            warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec", category=FutureWarning)
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let torch refuse operations whose results vary from run to run, by an error that names them."""
    deterministic: Any = torch.utils.deterministic
    enabled, filled = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False  # guards code that reads what it never wrote; costs time
    torch.backends.cudnn.benchmark = False
    try:
        with _environment({"CUBLAS_WORKSPACE_CONFIG": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8")}):
            yield
    finally:
        torch.use_deterministic_algorithms(enabled)
        deterministic.fill_uninitialized_memory = filled
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
