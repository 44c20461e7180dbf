"""Every artefact of a run carries a stamp that tells what made it, from what."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lunarsite.artefact.stamp import canonical_json, digest
from lunarsite.command import parse_call
from lunarsite.stage import StageRef, discover
from tests.workflow.checkout import Checkout

from .test_command_line import commands

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tiny")]


def jobs(tiny: Checkout) -> Iterator[tuple[StageRef, dict[str, Any]]]:
    """Each job of the run: its stage, and the paths and sections that it was given."""
    for name, *arguments in commands(tiny.snakemake("--dry-run", "--forceall").stdout):
        ref = discover()[name]
        yield ref, parse_call(ref, arguments)[0]


def paths(value: Path | tuple[Path, ...] | None) -> list[Path]:
    return [] if value is None else list(value) if isinstance(value, tuple) else [value]


def test_every_output_is_stamped(tiny: Checkout) -> None:
    seen = set()
    for ref, call in jobs(tiny):
        parameters = ref.parameters()
        inputs = {
            f"{p.name}[{i}]" if p.many else p.name: digest(tiny.root / path)
            for p in parameters
            if p.kind == "in"
            for i, path in enumerate(paths(call[p.name]))
        }
        sections = {p.name: call[p.name].model_dump(mode="json") for p in parameters if p.kind == "settings"}
        for output in (p for p in parameters if p.kind == "out" and p.spec is not None and call[p.name] is not None):
            path = tiny.root / call[output.name]
            stamp = importlib.import_module(type(output.spec).__module__).read_stamp(path)
            assert (stamp.artefact, stamp.stage, stamp.run) == (output.spec.name, ref.name, "tiny"), path
            assert stamp.inputs == inputs, path
            assert stamp.code == ref.code(), path
            assert stamp.settings_hash == hashlib.sha256(canonical_json(sections).encode()).hexdigest(), path
            assert stamp.origin == "synthetic", path
            seen.add(output.spec.name)
    assert {"dem", "craters", "slope", "illumination_partial", "psr", "cells", "scores", "scorer", "artemis"} <= seen


def test_no_artefact_is_unclaimed(tiny: Checkout) -> None:
    """Whatever lies in the results was declared by a rule."""
    declared = {
        (tiny.root / path).resolve()
        for ref, call in jobs(tiny)
        for p in ref.parameters()
        if p.kind == "out"
        for path in paths(call[p.name])
    }
    beside = {"log", "benchmark"}
    for path in (path for path in tiny.results.rglob("*") if path.is_file()):
        in_declared_folder = any(folder in declared for folder in path.resolve().parents)
        assert path.resolve() in declared or in_declared_folder or path.relative_to(tiny.results).parts[0] in beside
    assert all(path.exists() for path in declared)
