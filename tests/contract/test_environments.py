"""envs/*.yaml: pinned as in constraints.txt, and holding everything that their stages import."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from lunarsite.stage import StageRef, discover
from tests.workflow.checkout import REPOSITORY

from .test_imports import imports, modules

ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
PATHS = dict(modules())
PIN = re.compile(r"([A-Za-z0-9_.-]+)==([^\s;]+)(?:\s*;.*)?")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    assert all(pins), "constraints.txt holds nothing but name==version"
    return {normal(pin[1]): pin[2] for pin in pins if pin}


def pins_of(path: Path) -> dict[str, str]:
    packages = next(part["pip"] for part in yaml.safe_load(path.read_text())["dependencies"] if isinstance(part, dict))
    pins = [PIN.fullmatch(package) for package in packages]
    assert all(pins), f"{path.name} pins every package"
    return {normal(pin[1]): pin[2] for pin in pins if pin}


def stages_by_environment() -> dict[str, set[str]]:
    """Stages that run in each environment, read from the rules."""
    found: dict[str, set[str]] = {}
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^\s*rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            if "shell:" not in rule:
                continue  # it names targets, and calls nothing
            environment, stage = re.search(r"envs/(\w+)\.yaml", rule), re.search(r"-m lunarsite ([\w-]+) ", rule)
            assert environment, f"a rule of {path.name} names no environment"
            assert stage, f"a rule of {path.name} calls no stage"
            found.setdefault(environment[1], set()).add(stage[1])
    return found


def third_party(name: str) -> set[str]:
    """Top-level names from outside that a stage needs, with the modules it imports and all that these import in turn.

    Of the stage's own module that is what stands at its top and in its function: other stages of the room may run in
    other environments. Modules that it imports count whole.
    """
    ref = stages()[name]
    tree = ast.parse(PATHS[ref.module].read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name == ref.function]
    own = ast.unparse(tree)
    found = outside(own)
    queue = [*imports(own, ref.module, is_package=False), "lunarsite.command"]
    seen: set[str] = {ref.module}
    while queue:
        module = queue.pop()
        if module not in seen and module in PATHS:
            inside, beyond = needs(module)
            queue += inside
            found |= beyond
        seen.add(module)
    return found


@cache
def stages() -> dict[str, StageRef]:
    """The package's stages."""
    return discover()


@cache
def needs(module: str) -> tuple[set[str], set[str]]:
    """What a module imports of the package, and from outside."""
    source = PATHS[module].read_text(encoding="utf-8")
    return imports(source, module, PATHS[module].name == "__init__.py"), outside(source)


def outside(source: str) -> set[str]:
    """Top-level names that a source imports from outside, for more than typing."""
    tree = ast.parse(source)
    typing_only = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for part in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"lunarsite"}


def test_constraints_carry_no_local_versions() -> None:
    assert not [pin for pin in constraints().values() if "+" in pin]


def test_every_dependency_is_constrained() -> None:
    """Whatever is installed beside the package stands in constraints.txt, at that version, pip and setuptools aside."""
    pins = constraints()
    needed = closure_of("lunarsite")
    assert len(needed) > 50
    wrong = {name: version for name, version in needed.items() if pins.get(name) != version}
    assert not wrong


def closure_of(distribution: str) -> dict[str, str]:
    """Installed versions of what a distribution and its extras need, by the installed metadata."""
    found: dict[str, str] = {}
    queue = [distribution]
    while queue:
        name = queue.pop()
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            extras = ("workflow", "ml", "web", "dev") if name == distribution else ("",)
            wanted = requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in extras)
            if wanted and normal(requirement.name) not in found:
                found[normal(requirement.name)] = importlib.metadata.version(requirement.name).split("+")[0]
                queue.append(requirement.name)
    return found


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_is_pinned_as_constrained(path: Path) -> None:
    pins = pins_of(path)
    assert pins == {name: constraints()[name] for name in pins}


def test_environments_are_those_of_the_rules() -> None:
    assert {path.stem for path in ENVIRONMENTS} == set(stages_by_environment())


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_holds_what_its_stages_import(path: Path) -> None:
    distributions = importlib.metadata.packages_distributions()
    pins = pins_of(path)
    for stage in sorted(stages_by_environment()[path.stem]):
        names = third_party(stage)
        assert "pydantic" in names
        absent = [name for name in names if not {normal(d) for d in distributions[name]} & set(pins)]
        assert not absent, f"{path.name} lacks what {stage} imports"
