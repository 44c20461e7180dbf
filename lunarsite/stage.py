"""Stages: how a step from files to files is declared, called from the command line and reported.

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

Exit codes: 0 done; 1 an error of ours (with a traceback); 2 the command line or settings do not hold; 3 an input or
output breaks its contract; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import logging
import signal
import sys
import time
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunarsite.artefact.stamp import Origin, Stamp
    from lunarsite.settings import Section, Settings

_PACKAGE = Path(__file__).resolve().parent
EXIT_OK, EXIT_BUG, EXIT_USAGE, EXIT_ARTEFACT, EXIT_INTERRUPT, EXIT_TERMINATED = 0, 1, 2, 3, 130, 143


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

        return fingerprint(self.module, self.function)

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
                found[name] = StageRef(name, ".".join((_PACKAGE.name, *parts)), node.name, summary)
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
        many, optional = typing.get_origin(hint) is tuple, isinstance(hint, types.UnionType)
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

        commit, dirty = _git_state()
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    stages = discover()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(stages))  # noqa: T201 - the command line's own output
        return EXIT_OK if arguments else EXIT_USAGE
    if arguments[0] not in stages:
        print(f"lunarsite: there is no stage '{arguments[0]}'; see python -m lunarsite --help", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    return _run(stages[arguments[0]], arguments[1:])


def _overview(stages: Mapping[str, StageRef]) -> str:
    width = max((len(name) for name in stages), default=0)
    lines = [f"  {name:<{width}}  {ref.summary}" for name, ref in stages.items()]
    head = "usage: python -m lunarsite STAGE --in NAME=PATH ... --out NAME=PATH ... [--settings JSON] [--run NAME]"
    return "\n".join([head, "", "Runs one stage of the pipeline; snakemake calls these. Stages:", *lines])


def build_parser(ref: StageRef) -> argparse.ArgumentParser:
    """Return the command line that a stage's signature describes."""
    parser = argparse.ArgumentParser(
        prog=f"python -m lunarsite {ref.name}", description=ref.summary, allow_abbrev=False
    )
    parameters = ref.parameters()
    for flag, kind in (("--in", "in"), ("--out", "out")):
        names = [
            f"{p.name}{'...' if p.many else ''}{' (optional)' if p.optional else ''}"
            for p in parameters
            if p.kind == kind
        ]
        listing = ", ".join(names) or "none"
        parser.add_argument(
            flag, dest=f"{kind}_", nargs="+", action="extend", default=[], metavar="NAME=PATH", help=listing
        )
    sections = ", ".join(p.name for p in parameters if p.kind == "settings") or "none"
    parser.add_argument("--settings", default="{}", metavar="JSON", help=f"sections: {sections}; defaults where absent")
    parser.add_argument("--run", default="default", metavar="NAME", help="name of the run, for the stamp")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the log there too")
    for parameter in parameters:
        if parameter.kind == "value":
            parser.add_argument(f"--{parameter.name.replace('_', '-')}", type=parameter.type, required=True)
    return parser


def parse_call(ref: StageRef, arguments: Sequence[str]) -> tuple[dict[str, Any], argparse.Namespace]:
    """Return the stage's keyword arguments (paths, sections, values) and the parsed command line.

    Raises:
        StageError: An input or output is missing, unknown or given twice.
        lunarsite.settings.SettingsError: The settings do not hold.
    """
    options = build_parser(ref).parse_args(arguments)
    call: dict[str, Any] = {}
    for kind, given in (("in", options.in_), ("out", options.out_)):
        call |= _paths([p for p in ref.parameters() if p.kind == kind], given, ref.name)
    call |= _sections(ref, options.settings)
    call |= {p.name: getattr(options, p.name) for p in ref.parameters() if p.kind == "value"}
    return call, options


def _paths(parameters: list[Parameter], given: list[str], stage_name: str) -> dict[str, Any]:
    by_name: dict[str, list[Path]] = {}
    for item in given:
        name, separator, path = item.partition("=")
        if not separator or not path:
            raise StageError(f"{stage_name}: '{item}' is not NAME=PATH")
        by_name.setdefault(name, []).append(Path(path))
    unknown = sorted(set(by_name) - {p.name for p in parameters})
    if unknown:
        raise StageError(f"{stage_name}: unknown {unknown}; known are {[p.name for p in parameters]}")
    call: dict[str, Any] = {}
    for parameter in parameters:
        paths = by_name.get(parameter.name, [])
        if parameter.many:
            call[parameter.name] = tuple(paths)
        elif len(paths) > 1:
            raise StageError(f"{stage_name}: '{parameter.name}' takes one path, got {len(paths)}")
        elif not paths and parameter.optional:
            call[parameter.name] = None
        else:
            call[parameter.name] = paths[0] if paths else None
        if not paths and not parameter.optional:
            raise StageError(f"{stage_name}: '{parameter.name}=PATH' is missing")
    return call


def _sections(ref: StageRef, text: str) -> dict[str, Section]:
    import json

    from lunarsite.settings import SettingsError, parse_section

    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"--settings is not JSON: {error}") from error
    wanted = {p.name: p.type for p in ref.parameters() if p.kind == "settings"}
    if not isinstance(values, dict) or set(values) - set(wanted):
        raise SettingsError(f"--settings takes the sections {sorted(wanted)}, got {text[:200]}")
    return {name: parse_section(kind, json.dumps(values.get(name, {}))) for name, kind in wanted.items()}


def _run(ref: StageRef, arguments: Sequence[str]) -> int:
    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.grid import GridError
    from lunarsite.settings import SettingsError

    signal.signal(signal.SIGTERM, _terminated)
    log = logging.getLogger(f"lunarsite.{ref.name}")
    try:
        call, options = parse_call(ref, arguments)
        _start_log(options.log)
        _execute(ref, call, options, log)
    except (SettingsError, StageError) as error:
        _report(log, error)
        return EXIT_USAGE
    except (ArtefactError, GridError) as error:
        _report(log, error)
        return EXIT_ARTEFACT
    except KeyboardInterrupt:
        _report(log, "interrupted; nothing was replaced")
        return EXIT_INTERRUPT
    except Exception:
        log.exception("%s: failed by an error of the program, please report it", ref.name)
        return EXIT_BUG
    return EXIT_OK


def _execute(ref: StageRef, call: dict[str, Any], options: argparse.Namespace, log: logging.Logger) -> None:
    start = time.monotonic()
    parameters = ref.parameters()
    job = _job(ref, call, options)
    log.info("starts: run '%s', code %s", job.run, job.code)
    ref.load()(job, **call)
    for parameter, path in _files(parameters, call, "out"):
        if not path.exists():
            raise StageError(f"{ref.name}: did not write its output '{parameter.name}' ({path})")
        if parameter.spec is not None:
            _kind(parameter.spec).validate(path, parameter.spec)
    log.info("done in %.1f s, peak memory %.0f MiB", time.monotonic() - start, _peak_memory_mib())


def _job(ref: StageRef, call: dict[str, Any], options: argparse.Namespace) -> Job:
    import hashlib

    from lunarsite.artefact.stamp import ArtefactError, canonical_json, digest

    sections = {p.name: call[p.name].model_dump(mode="json") for p in ref.parameters() if p.kind == "settings"}
    job = Job(ref.name, options.run, ref.code(), hashlib.sha256(canonical_json(sections).encode()).hexdigest())
    for parameter, path in _files(ref.parameters(), call, "in"):
        if not path.is_file():
            raise ArtefactError(f"{path}: input '{parameter.name}' does not exist; run the stage that writes it first")
        index = len([name for name in job.inputs if name.split("[")[0] == parameter.name])
        job.inputs[f"{parameter.name}[{index}]" if parameter.many else parameter.name] = digest(path)
        if parameter.spec is not None:
            stamp = _kind(parameter.spec).read_stamp(path)
            if stamp.run != job.run:
                raise ArtefactError(
                    f"{path}: belongs to run '{stamp.run}', this is run '{job.run}'; check the paths given"
                )
            job.input_stamps.append(stamp)
    return job


def _files(parameters: Sequence[Parameter], call: Mapping[str, Any], kind: str) -> Iterator[tuple[Parameter, Path]]:
    for parameter in parameters:
        if parameter.kind == kind and call[parameter.name] is not None:
            value = call[parameter.name]
            for path in value if parameter.many else (value,):
                yield parameter, path


def _kind(spec: Any) -> Any:
    """Return the artefact module that reads and validates files under a contract of this type."""
    modules = {
        "RasterSpec": "raster",
        "TableSpec": "table",
        "TilesSpec": "tiles",
        "ModelSpec": "model",
        "RecordSpec": "record",
    }
    return importlib.import_module(f"lunarsite.artefact.{modules[type(spec).__name__]}")


def _start_log(path: Path | None) -> None:
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)


def _report(log: logging.Logger, message: object) -> None:
    if not logging.getLogger().handlers:
        _start_log(None)
    log.error("%s", message)


def _terminated(_signal: int, _frame: types.FrameType | None) -> None:
    raise SystemExit(EXIT_TERMINATED)


def _peak_memory_mib() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


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
