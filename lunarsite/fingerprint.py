"""Fingerprints of code: which of the package's definitions a stage depends on, as one hash.

The closure is followed by symbols: a stage's function, the names its module defines and it uses, the package's
symbols that these import, and so on. Only syntax counts (docstrings, comments and layout do not), so a changed
comment reruns nothing and a changed kernel reruns exactly the stages that use it. A module imported whole counts
whole. Settings count through their values, not their code, and so does this machinery.
"""

from __future__ import annotations

import ast
import hashlib
from collections import deque
from functools import lru_cache
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
    found: dict[str, str] = {}
    queue: deque[Symbol] = deque([(module, function)])
    seen: set[Symbol] = set()
    while queue:
        symbol = queue.popleft()
        # A name of the package itself, such as its version, lies in no room.
        if symbol in seen or _PLUMBING.intersection(symbol[0].split(".")[1:2]):
            continue
        seen.add(symbol)
        path = _path(symbol[0], root)
        if path is None:
            continue
        parsed = _parsed(symbol[0], path, path.stat().st_mtime_ns)
        for key, node in parsed.select(symbol[1]):
            found[f"{symbol[0]}:{key}"] = ast.unparse(node)
            queue.extend(_needs(node, parsed, root))
        for template in sorted((path.parent / "templates").glob("*")):
            found[f"{symbol[0]}:{template.name}"] = hashlib.sha256(template.read_bytes()).hexdigest()
    if not any(name.startswith(f"{module}:{function}.") for name in found):
        raise LookupError(f"no function '{function}' in module '{module}' below {root}")
    return sorted(found.items())


class _Module:
    """A module's top-level statements by the names that they bind; docstrings are gone."""

    def __init__(self, name: str, tree: ast.Module, is_package: bool) -> None:
        self.name = name
        self.is_package = is_package
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

    def imports(self, node: ast.AST, root: Path) -> dict[str, Symbol]:
        """Return what of the package the import statements in `node` bind, by the name they bind it to."""
        found: dict[str, Symbol] = {}
        package = self.name.split(".")[0]
        for part in ast.walk(node):
            if isinstance(part, ast.ImportFrom):
                base = self._base(part)
                for alias in part.names:
                    whole = (f"{base}.{alias.name}", None)
                    if base.split(".")[0] != package:
                        continue
                    if alias.name == "*":
                        found["*"] = (base, None)
                    else:
                        is_module = _path(whole[0], root) is not None
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


def _needs(node: ast.stmt, parsed: _Module, root: Path) -> list[Symbol]:
    """Return the symbols that a statement uses: names of its own module, and what it imports from the package.

    Of a module that is imported whole only the attributes that are read count, unless it is used in another way.
    """
    imported: dict[str, Symbol] = {}
    for statements in parsed.named.values():
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imported.update(parsed.imports(statement, root))
    local = parsed.imports(node, root)
    needs = [symbol for symbol in local.values() if symbol[1] is not None]
    imported.update(local)
    read_by_attribute: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            module, symbol = imported.get(part.value.id, ("", ""))
            if symbol is None:
                read_by_attribute.add(id(part.value))
                needs.append((module, part.attr))
    for part in ast.walk(node):
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


def _path(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file() and base != root:
            return path
    return None


@lru_cache(maxsize=512)
def _parsed(module: str, path: Path, _changed_ns: int) -> _Module:
    tree = _WithoutDocstrings().visit(ast.parse(path.read_text(encoding="utf-8")))
    return _Module(module, tree, path.name == "__init__.py")


class _WithoutDocstrings(ast.NodeTransformer):
    """Drops bare strings: docstrings of modules, classes, functions and attributes."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Drop the statement if it is a bare string."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node
