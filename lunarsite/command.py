"""The command line of the stages: `python -m lunarsite STAGE ...`, as their signatures describe it.

Beside the stages there are words that people call and no workflow does, such as `sources`.

Exit codes: 0 done; 1 an error of the program (with a traceback); 2 the command line or settings do not hold; 3 an
input or output breaks its contract; 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunarsite.stage import Job, Parameter, StageError, StageRef, discover

if TYPE_CHECKING:
    import types

    from lunarsite.settings import Section

WORDS = {
    "sources": (
        "lunarsite.source.listing",
        "List the published products, and what a run would fetch and cost.",
    ),
    "enhance": ("lunarsite.vision.enhance.one_image", "Enhance one image of shadowed ground."),
    "rocks": ("lunarsite.vision.rock.one_folder", "Find rocks, ground and sky in a folder of pictures."),
    "rocks-export": ("lunarsite.vision.rock.export_model", "Write the model that finds rocks as ONNX."),
}
"""What people call beside the stages: the module whose `main` does it, and a line about it."""
EXIT_OK, EXIT_BUG, EXIT_USAGE, EXIT_ARTEFACT, EXIT_INTERRUPT, EXIT_TERMINATED = 0, 1, 2, 3, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    stages = discover()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(stages))  # noqa: T201 - the command line's own output
        return EXIT_OK if arguments else EXIT_USAGE
    if arguments[0] in WORDS:
        return _say(*arguments)
    if arguments[0] not in stages:
        print(f"lunarsite: there is no stage '{arguments[0]}'; see python -m lunarsite --help", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    return _run(stages[arguments[0]], arguments[1:])


def _overview(stages: Mapping[str, StageRef]) -> str:
    width = max((len(name) for name in stages), default=0)
    lines = [f"  {name:<{width}}  {ref.summary}" for name, ref in stages.items()]
    words = [f"  {name:<{width}}  {summary}" for name, (_, summary) in WORDS.items()]
    head = "usage: python -m lunarsite STAGE --in NAME=PATH ... --out NAME=PATH ... [--settings JSON] [--run NAME]"
    about = "Runs one stage of the pipeline; snakemake calls these. Stages:"
    return "\n".join([head, "", about, *lines, "", "For people:", *words])


def _say(word: str, *arguments: str) -> int:
    from lunarsite.artefact.stamp import ArtefactError
    from lunarsite.settings import SettingsError

    signal.signal(signal.SIGTERM, _terminated)
    try:
        code: int = importlib.import_module(WORDS[word][0]).main(arguments)
        sys.stdout.flush()
    except SettingsError as error:
        print(f"lunarsite {word}: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        return EXIT_USAGE
    except ArtefactError as error:
        print(f"lunarsite {word}: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_ARTEFACT
    except KeyboardInterrupt:
        print(f"lunarsite {word}: interrupted; nothing was replaced", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPT
    except BrokenPipeError:
        # Whoever reads has seen enough; Python would complain at its end that the rest has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return code


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
    key_compiled_kernels(ref.root)
    parameters = ref.parameters()
    job = _job(ref, call, options)
    log.info("starts: run '%s', code %s", job.run, job.code)
    ref.load()(job, **call)
    for parameter, path in _files(parameters, call, "out"):
        if not path.exists():
            raise StageError(f"{ref.name}: did not write its output '{parameter.name}' ({path})")
        if parameter.spec is not None:
            _kind(parameter.spec).validate(path, parameter.spec)
    log.info("done in %.1f s, peak memory %.0f MiB", time.monotonic() - start, peak_memory_mib())


def key_compiled_kernels(package: Path) -> None:
    """Keep numba's compiled kernels in a folder of their own for each state of the code.

    Numba compiles a kernel again when its own module changes, but not when a module changes whose kernels it calls, and
    would go on running what was compiled from the old one. A user's own NUMBA_CACHE_DIR is left alone.
    """
    import hashlib

    sha = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        sha.update(path.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(home / "lunarsite" / "numba" / sha.hexdigest()[:16]))


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
            if stamp.run != job.run and not getattr(parameter.spec, "portable", False):
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
    """Return the artefact module that defines a contract's type: it reads and validates files under it."""
    return importlib.import_module(type(spec).__module__)


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


def peak_memory_mib() -> float:
    """Return the largest memory of this process so far, MiB.

    On Linux ru_maxrss begins with the peak of the process that started this one (it outlives exec), so the kernel's
    high-water mark of this program's own memory is read instead.
    """
    import resource

    if sys.platform.startswith("linux"):
        own_kib = high_water_kib(Path("/proc/self/status").read_text(encoding="utf-8", errors="replace"))
        if own_kib is not None:
            return own_kib / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def high_water_kib(status: str) -> int | None:
    """Return VmHWM of the text of /proc/<pid>/status, KiB; None where the kernel does not tell it."""
    import re

    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return None if found is None else int(found[1])
