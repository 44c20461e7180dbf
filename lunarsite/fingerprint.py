"""Fingerprints of code: which of the package's definitions a stage depends on, as one hash.

The closure is followed by symbols: a stage's function, the names its module defines and it uses, the package's
symbols that these import, and so on. Only syntax counts (docstrings, comments and layout do not), so a changed
comment reruns nothing and a changed kernel reruns exactly the stages that use it. A module imported whole counts
whole. Settings count through their values, not their code, and so does this machinery.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections import deque
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent
# A stage's settings reach Snakemake as values (params.settings); how they are parsed, how the command line is read and
# how code is hashed changes no result.
_PLUMBING = frozenset({"settings", "config", "stage", "command", "fingerprint"})

Symbol = tuple[str, str | None]
"""A module's dotted name and one of its top-level names; None stands for the module whole."""


def fingerprint(module: str, function: str, root: Path = _ROOT) -> str:
    """Return a hash of the import closure of `function` in `module` (dotted name).

    Args:
        module: The module; its first part is the package whose symbols are followed.
        function: A top-level name of it.
        root: The package's folder.

    Raises:
        LookupError: The package has no such function.
    """
    sha = hashlib.sha256()
    for name, text in closure(module, function, root):
        sha.update(f"{name}\n{text}\n".encode())
    return sha.hexdigest()[:16]


def closure(module: str, function: str, root: Path = _ROOT) -> list[tuple[str, str]]:
    """Return (name, normalised syntax) of everything in the package that the function depends on, sorted."""
    package = _package(root)
    found: dict[str, str] = {}
    modules: dict[str, _Module] = {}
    queue: deque[Symbol] = deque([(module, function)])
    seen: set[Symbol] = set()
    while queue:
        symbol = queue.popleft()
        # A name of the package itself, such as its version, lies in no room.
        if symbol in seen or _PLUMBING.intersection(symbol[0].split(".")[1:2]):
            continue
        seen.add(symbol)
        path = package.paths.get(_below(symbol[0]))
        if path is None:
            continue
        parsed = modules.get(symbol[0])
        if parsed is None:
            parsed = modules[symbol[0]] = package.module(symbol[0], path)
            for template in sorted((path.parent / "templates").glob("*")):
                found[f"{symbol[0]}:{template.name}"] = hashlib.sha256(template.read_bytes()).hexdigest()
        for key, node in parsed.select(symbol[1]):
            text, needs = parsed.told(node)
            found[f"{symbol[0]}:{key}"] = text
            queue.extend(needs)
    if not any(name.startswith(f"{module}:{function}.") for name in found):
        raise LookupError(f"no function '{function}' in module '{module}' below {root}")
    return sorted(found.items())


class _Package:
    """The modules that a package's folder has. A run asks for the code of every stage, and most of it is shared."""

    def __init__(self, root: Path, files: frozenset[str]) -> None:
        self.root = root
        self.paths: dict[str, Path] = {}
        """By dotted name without the package's own."""
        # A module goes before a package of its name, as it is looked for.
        for file in sorted(files, key=lambda file: not file.endswith("__init__.py")):
            parts = Path(file).with_suffix("").parts
            self.paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = root / file
        self.paths.pop("", None)
        self._modules: dict[str, tuple[int, _Module]] = {}

    def module(self, name: str, path: Path) -> _Module:
        """Return a module, read again if its file has changed."""
        changed_ns = path.stat().st_mtime_ns
        kept = self._modules.get(name)
        if kept is None or kept[0] != changed_ns:
            tree = _WithoutDocstrings().visit(ast.parse(path.read_text(encoding="utf-8")))
            kept = self._modules[name] = (changed_ns, _Module(name, tree, path.name == "__init__.py", self))
        return kept[1]


class _Module:
    """A module's top-level statements by the names that they bind; docstrings are gone."""

    def __init__(self, name: str, tree: ast.Module, is_package: bool, package: _Package) -> None:
        self.name = name
        self.is_package = is_package
        self.package = package
        self._told: dict[int, tuple[str, list[Symbol]]] = {}
        self.named: dict[str, list[ast.stmt]] = {}
        self.loose: list[ast.stmt] = []
        for node in (part for statement in tree.body for part in _one_name_each(statement)):
            names = _bound(node)
            for bound in names:
                self.named.setdefault(bound, []).append(node)
            if not names and not _is_type_checking(node):
                self.loose.append(node)

    def select(self, symbol: str | None) -> list[tuple[str, ast.stmt]]:
        """Return what a symbol, or the module whole, stands for; loose statements run at import and always count."""
        names = list(self.named) if symbol is None else [symbol]
        chosen = [(f"{n}.{i}", node) for n in names for i, node in enumerate(self.named.get(n, []))]
        return chosen + [(f"loose.{i}", node) for i, node in enumerate(self.loose)]

    def told(self, node: ast.stmt) -> tuple[str, list[Symbol]]:
        """Return a statement's normalised syntax and the symbols that it uses."""
        # The module holds its statements, so an id stays theirs.
        if id(node) not in self._told:
            self._told[id(node)] = (ast.unparse(node), _needs(node, self))
        return self._told[id(node)]

    @cached_property
    def imported(self) -> dict[str, Symbol]:
        """What the module's own import statements bind; see `imports`."""
        found: dict[str, Symbol] = {}
        for statements in self.named.values():
            for statement in statements:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    found.update(self.imports([statement]))
        return found

    def imports(self, parts: Iterable[ast.AST]) -> dict[str, Symbol]:
        """Return what of the package the import statements among `parts` bind, by the name they bind it to."""
        found: dict[str, Symbol] = {}
        package = self.name.split(".")[0]
        for part in parts:
            if isinstance(part, ast.ImportFrom):
                base = self._base(part)
                for alias in part.names:
                    whole = (f"{base}.{alias.name}", None)
                    if base.split(".")[0] != package:
                        continue
                    if alias.name == "*":
                        found["*"] = (base, None)
                    else:
                        is_module = _below(whole[0]) in self.package.paths
                        found[alias.asname or alias.name] = whole if is_module else (base, alias.name)
            elif isinstance(part, ast.Import):
                for alias in part.names:
                    if alias.name.split(".")[0] == package:
                        found[alias.asname or alias.name.split(".")[0]] = (alias.name, None)
        return found

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        drop = node.level - (1 if self.is_package else 0)
        return ".".join([*parts[: len(parts) - drop], *([node.module] if node.module else [])])


def _needs(node: ast.stmt, parsed: _Module) -> list[Symbol]:
    """Return the symbols that a statement uses: names of its own module, and what it imports from the package.

    Of a module that is imported whole only the attributes that are read count, unless it is used in another way.
    """
    parts = list(ast.walk(node))
    local = parsed.imports(parts)
    needs = [symbol for symbol in local.values() if symbol[1] is not None]
    imported = {**parsed.imported, **local}
    read_by_attribute: set[int] = set()
    for part in parts:
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            module, symbol = imported.get(part.value.id, ("", ""))
            if symbol is None:
                read_by_attribute.add(id(part.value))
                needs.append((module, part.attr))
    for part in parts:
        if isinstance(part, ast.Name) and id(part) not in read_by_attribute:
            if part.id in imported:
                needs.append(imported[part.id])
            elif part.id in parsed.named:
                needs.append((parsed.name, part.id))
    return needs


def _one_name_each(node: ast.stmt) -> list[ast.stmt]:
    if isinstance(node, ast.ImportFrom):
        return [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
    return [node]


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return []


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _below(module: str) -> str:
    """Return a module's dotted name without the package's."""
    return module.partition(".")[2]


def _package(root: Path) -> _Package:
    files = (
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(".py")
    )
    return _package_of(root, frozenset(files))


@lru_cache(maxsize=8)
def _package_of(root: Path, files: frozenset[str]) -> _Package:
    # Which names are modules decides what an import means: other files, another package.
    return _Package(root, files)


class _WithoutDocstrings(ast.NodeTransformer):
    """Drops bare strings: docstrings of modules, classes, functions and attributes."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Drop the statement if it is a bare string."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node
