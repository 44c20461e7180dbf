"""Fingerprints follow the symbols that a stage uses, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lunarsite.fingerprint import closure, fingerprint
from lunarsite.stage import discover

STAGES = '''
from lunarsite.room.kernels import mean, unused
from lunarsite.settings import Section
import numpy as np


@stage
def run(job):
    """Docstring."""
    from lunarsite.artefact import raster
    helper(1)
    return raster.write(mean(np.ones(3)))


def helper(x):
    return x + LIMIT


def other():
    return unused()


LIMIT = 3
'''
KERNELS = """
from . import deep


def mean(x):
    # a comment
    return deep.total(x) / len(x)


def unused():
    return 2
"""
RASTER = """
def write(x):
    return _inner(x)


def _inner(x):
    return x


def read():
    return 0
"""
FILES = {
    "room/__init__.py": "",
    "room/stages.py": STAGES,
    "room/kernels.py": KERNELS,
    "room/deep.py": "def total(x):\n    return sum(x)\n\n\ndef aside():\n    return 1\n",
    "artefact/__init__.py": "",
    "artefact/raster.py": RASTER,
    "settings.py": "class Section:\n    pass\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def code(package: Path) -> str:
    return fingerprint("lunarsite.room.stages", "run", package)


def changed(package: Path, name: str, old: str, new: str) -> bool:
    before = code(package)
    text = (package / name).read_text()
    assert old in text
    (package / name).write_text(text.replace(old, new))
    return code(package) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("room/stages.py", "helper(1)", "helper(2)"),
        ("room/stages.py", "x + LIMIT", "x - LIMIT"),
        ("room/stages.py", "LIMIT = 3", "LIMIT = 4"),
        ("room/kernels.py", "/ len(x)", "/ (len(x) - 1)"),
        ("room/deep.py", "sum(x)", "max(x)"),
        ("artefact/raster.py", "def _inner(x):\n    return x", "def _inner(x):\n    return -x"),
        ("room/stages.py", "import mean", "import unused as mean"),
    ],
)
def test_what_the_stage_uses_changes_it(package: Path, name: str, old: str, new: str) -> None:
    assert changed(package, name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("room/stages.py", '"""Docstring."""', '"""Another docstring."""'),
        ("room/kernels.py", "# a comment", "# another"),
        ("room/kernels.py", "return 2", "return 3"),
        ("room/stages.py", "return unused()", "return 7"),
        ("room/deep.py", "return 1", "return 5"),
        ("artefact/raster.py", "return 0", "return 9"),
        ("settings.py", "pass", "x = 1"),
        ("room/stages.py", "helper(1)", "helper( 1 )"),
    ],
)
def test_what_it_does_not_use_leaves_it(package: Path, name: str, old: str, new: str) -> None:
    assert not changed(package, name, old, new)


def test_a_loose_statement_counts(package: Path) -> None:
    assert changed(package, "room/kernels.py", "def unused", "register(mean)\n\n\ndef unused")


def test_templates_count(package: Path) -> None:
    before = code(package)
    (package / "room" / "templates").mkdir()
    (package / "room" / "templates" / "page.html").write_text("<p>")
    assert code(package) != before


def test_a_name_of_the_package_itself_may_be_used(package: Path) -> None:
    (package / "__init__.py").write_text('__version__ = "1"\n')
    text = FILES["room/stages.py"].replace("helper(1)", "helper(__version__)")
    (package / "room" / "stages.py").write_text(f"from lunarsite import __version__\n{text}")
    before = code(package)
    (package / "__init__.py").write_text('__version__ = "2"\n')
    assert code(package) == before, "a new version alone reruns nothing"


def test_a_function_that_is_not_there(package: Path) -> None:
    with pytest.raises(LookupError, match="no function 'gone'"):
        fingerprint("lunarsite.room.stages", "gone", package)


def test_every_stage_has_a_closure_beyond_its_module() -> None:
    for ref in discover().values():
        modules = {name.split(":")[0] for name, _ in closure(ref.module, ref.function, ref.root)}
        assert len(modules) > 1, ref.name
        assert any(name.startswith("lunarsite.artefact") for name in modules), ref.name
