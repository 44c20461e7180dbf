"""Stages: how a step from files to files is declared, found and told what it runs on.

A stage is a function in a room's `stages.py`, marked with `@stage`. Its signature is its only declaration:

    @stage
    def slope(
        job: Job,
        terrain: TerrainSettings,                       # a section of the settings
        dem: Annotated[Path, Input(contracts.DEM)],     # an artefact, checked before the stage starts
        slope: Annotated[Path, Output(contracts.SLOPE)],  # an artefact, checked after it ends
        shard: int,                                     # a number from the rule's wildcards
    ) -> None:

The stage's name is '<room>-<function>', here 'terrain-slope', and its command line follows:

    python -m lunarsite terrain-slope --in dem=PATH --out slope=PATH --settings '{"terrain": {...}}' --shard 3

Nothing is registered by importing: the stages are found by reading the syntax of the `stages.py` files, and a stage's
heavy imports stand inside its function, so that the list of commands costs no import.

This module declares; `lunarsite.command` calls.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import time
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunarsite.artefact.stamp import Origin, Stamp
    from lunarsite.settings import Settings

_PACKAGE = Path(__file__).resolve().parent


class StageError(ValueError):
    """A stage that is declared or called wrongly."""


@dataclass(frozen=True)
class Input:
    """Marks a path that a stage reads under a contract. None marks a file that is not ours: the stage checks it."""

    spec: Any = None


@dataclass(frozen=True)
class Output:
    """Marks a path that a stage writes under a contract. None marks a file without one (a figure, an HTML page)."""

    spec: Any = None


def stage(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a function of a room's `stages.py` as a stage. The mark does nothing; the syntax is what is found."""
    return function


@dataclass(frozen=True)
class Parameter:
    """One parameter of a stage as its signature declares it."""

    name: str
    kind: str
    """'in', 'out', 'settings' or 'value'."""
    type: Any
    spec: Any
    many: bool
    optional: bool


@dataclass(frozen=True)
class StageRef:
    """A stage found by syntax, not imported yet."""

    name: str
    module: str
    function: str
    summary: str
    root: Path
    """Folder of the package that the module belongs to."""

    def load(self) -> Callable[..., None]:
        """Import the stage's module and return its function."""
        loaded: Callable[..., None] = getattr(importlib.import_module(self.module), self.function)
        return loaded

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the stage's parameters but for the job, in order."""
        return _parameters(self)

    def code(self) -> str:
        """Return the fingerprint of the stage's import closure."""
        from lunarsite.fingerprint import fingerprint

        return fingerprint(self.module, self.function, self.root)

    def settings_json(self, settings: Settings) -> str:
        """Return the sections that the stage reads, as its command line takes them."""
        from lunarsite.artefact.stamp import canonical_json
        from lunarsite.settings import at, section_path

        sections = {p.name: at(settings, section_path(p.type)) for p in self.parameters() if p.kind == "settings"}
        return canonical_json({name: section.model_dump(mode="json") for name, section in sections.items()})


def discover(package: Path = _PACKAGE) -> dict[str, StageRef]:
    """Return every stage of the package by name, read from the syntax of the rooms' `stages.py` files."""
    found: dict[str, StageRef] = {}
    for path in sorted(package.rglob("stages.py")):
        parts = path.relative_to(package).with_suffix("").parts
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(mark, ast.Name) and mark.id == "stage" for mark in node.decorator_list
            ):
                name = f"{parts[-2]}-{node.name}".replace("_", "-")
                summary = (ast.get_docstring(node) or "").split("\n")[0]
                if name in found:
                    raise StageError(f"stage '{name}' is declared twice, in {found[name].module} and {path}")
                found[name] = StageRef(name, ".".join((package.name, *parts)), node.name, summary, package)
    return found


def get(name: str) -> StageRef:
    """Return one stage by name.

    Raises:
        StageError: There is none; the message lists those that exist.
    """
    stages = discover()
    if name not in stages:
        raise StageError(f"there is no stage '{name}'; stages are: {', '.join(stages)}")
    return stages[name]


def _parameters(ref: StageRef) -> tuple[Parameter, ...]:
    from pydantic import BaseModel

    function = ref.load()
    hints = typing.get_type_hints(function, include_extras=True)
    names = list(inspect.signature(function).parameters)
    if names[:1] != ["job"]:
        raise StageError(f"{ref.name}: the first parameter of a stage is 'job: Job'")
    found = []
    for name in names[1:]:
        hint, mark = hints[name], None
        if typing.get_origin(hint) is typing.Annotated:
            hint, *marks = typing.get_args(hint)
            mark = next((m for m in marks if isinstance(m, Input | Output)), None)
        optional = isinstance(hint, types.UnionType)
        many = tuple in {typing.get_origin(part) for part in (typing.get_args(hint) if optional else (hint,))}
        if mark is not None:
            kind = "in" if isinstance(mark, Input) else "out"
            found.append(Parameter(name, kind, hint, mark.spec, many, optional))
        elif isinstance(hint, type) and issubclass(hint, BaseModel):
            found.append(Parameter(name, "settings", hint, None, many=False, optional=False))
        elif hint in (int, str, float):
            found.append(Parameter(name, "value", hint, None, many=False, optional=False))
        else:
            raise StageError(f"{ref.name}: parameter '{name}' is no Input, Output, settings section, int, float or str")
    return tuple(found)


@dataclass
class Job:
    """What a running stage is told and reports to: its stamp, log and progress."""

    stage: str
    run: str
    code: str
    settings_hash: str
    inputs: dict[str, str] = field(default_factory=dict)
    input_stamps: list[Stamp] = field(default_factory=list)
    seed: int | None = None
    """Set by a stage that draws random numbers, before it writes."""
    origin: Origin | None = None
    """Set by the source stages; every other stage inherits it from its inputs."""
    git: tuple[str | None, bool | None] = field(default_factory=lambda: _git_state())  # noqa: PLW0108 - defined below
    """Commit and dirty flag of the code, read when the job starts: files may change while it runs."""
    _last_report: float = 0.0

    @property
    def log(self) -> logging.Logger:
        """The stage's log."""
        return logging.getLogger(f"lunarsite.{self.stage}")

    @property
    def synthetic(self) -> bool:
        """Whether any input goes back to the synthetic Moon."""
        return self._origin() == "synthetic"

    def stamp(self, spec: Any) -> Stamp:
        """Return the stamp of one output, given its contract."""
        from lunarsite.artefact.stamp import Stamp

        commit, dirty = self.git
        return Stamp(
            artefact=spec.name,
            stage=self.stage,
            run=self.run,
            settings_hash=self.settings_hash,
            code=self.code,
            inputs=self.inputs,
            git_commit=commit,
            git_dirty=dirty,
            seed=self.seed,
            origin=self._origin(),
        )

    def progress(self, done: float, total: float, what: str = "") -> None:
        """Log how far the stage is, at most every five seconds and at the end."""
        now = time.monotonic()
        if done >= total or now - self._last_report >= 5.0:
            self._last_report = now
            self.log.info("%s %d of %d (%.0f %%)", what or "progress", done, total, 100.0 * done / max(total, 1e-12))

    def _origin(self) -> Origin:
        from lunarsite.artefact.stamp import merged_origin

        origin = self.origin or merged_origin(self.input_stamps)
        if origin is None:
            raise StageError(f"{self.stage}: no input carries an origin; a source stage must set job.origin")
        return origin


def _git_state() -> tuple[str | None, bool | None]:
    """Return the commit and whether tracked files differ from it; (None, None) outside a checkout or without git."""
    import subprocess

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(_PACKAGE.parent), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    changed = git("status", "--porcelain", "--untracked-files=no")
    return commit, None if changed is None else bool(changed)
