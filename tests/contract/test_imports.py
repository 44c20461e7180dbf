"""The dependency law: who may import whom within the package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "lunarsite"
# Lower ranks know nothing of higher ones. Members of one rank never import each other: working rooms meet in files.
LAW = (
    ("settings", "grid", "gradient", "sky", "swath"),
    ("artefact",),
    ("stage",),
    ("source", "terrain", "illumination", "vision", "site"),
    ("validate",),
    ("publish",),
    ("web",),
)
# The settings, the files made of them and the cost they foretell are one room; so is what declares stages, calls them
# and hashes their code.
ALIASES = {"config": "settings", "plan": "settings", "fingerprint": "stage", "command": "stage", "__main__": "stage"}
RANK = {room: rank for rank, rooms in enumerate(LAW) for room in rooms}


def room_of(module: str) -> str:
    name = module.split(".")[1]
    return ALIASES.get(name, name)


def imports(source: str, module: str, is_package: bool) -> set[str]:
    """Modules and symbols of the package that a source imports anywhere, functions and TYPE_CHECKING included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = ".".join(parts[: len(parts) - node.level + is_package]) if node.level else ""
            whole = ".".join(part for part in (base, node.module) if part)
            found |= {whole, *(f"{whole}.{alias.name}" for alias in node.names)}
    found.discard("lunarsite.__version__")  # of the package, and of no room
    return {name for name in found if name.startswith("lunarsite.")}


def breaches(source: str, module: str, is_package: bool = False) -> list[str]:
    own = room_of(module)
    others = {room_of(name) for name in imports(source, module, is_package)} - {own}
    return [f"{module} ({own}) imports {other}" for other in sorted(others) if RANK[other] >= RANK[own]]


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("lunarsite", *path.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "lunarsite":
            found.append((name, path))
    return found


def test_rooms_are_known() -> None:
    assert {room_of(name) for name, _ in modules()} <= set(RANK)


def test_law_holds() -> None:
    found = [
        breach
        for name, path in modules()
        for breach in breaches(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")
    ]
    assert not found


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import lunarsite.illumination.horizon", "lunarsite.site.cells"),
        ("from lunarsite import site", "lunarsite.terrain.slope"),
        ("def f():\n    from lunarsite.publish.maps import draw", "lunarsite.validate.artemis"),
        ("from ..stage import Job", "lunarsite.artefact.raster"),
        ("from lunarsite.grid import Grid", "lunarsite.settings"),
    ],
)
def test_breaches_are_seen(source: str, module: str) -> None:
    assert breaches(source, module)


def test_lawful_imports_pass() -> None:
    assert not breaches(
        "from lunarsite.artefact import raster\nfrom .horizon import x", "lunarsite.illumination.stages"
    )
