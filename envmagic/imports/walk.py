"""Syntax trees as import sites, and the few calls that matter besides."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from envmagic.imports.magics import Line
from envmagic.imports.sites import ImportSite, Where

__all__ = ["Found", "walk"]

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_VERSION_WORDS = {"version_info", "PY2", "PY3", "find_spec", "python_version", "version"}
_STANDARD = sys.stdlib_module_names


@dataclass
class Found:
    """What a tree holds."""

    imports: list[ImportSite] = field(default_factory=list)
    calls: list[ast.Call] = field(default_factory=list)
    """Only when asked for."""


def walk(tree: ast.Module, where: Where, *, calls: bool, optional: bool = False) -> Found:
    """The imports of `tree`, in source order; with `calls` also every call in it."""
    found = Found()
    # an explicit stack: code nested deeper than Python's recursion limit must not end the scan
    stack: list[tuple[ast.stmt, bool]] = [(s, optional) for s in reversed(tree.body)]
    while stack:
        statement, is_optional = stack.pop()
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found.imports += _sites(statement, where, optional=is_optional)
        else:
            stack += reversed(list(_children(statement, optional=is_optional)))
    if calls:
        found.calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        found.imports += _dynamic(found.calls, where)
    return found


def _sites(
    node: ast.Import | ast.ImportFrom, where: Where, *, optional: bool
) -> Iterator[ImportSite]:
    place = where.below(node.lineno)
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield ImportSite(alias.name, place, optional=optional)
    else:
        names = tuple(alias.name for alias in node.names)
        yield ImportSite(node.module or "", place, names, optional, node.level)


def _children(node: ast.stmt, *, optional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
        yield from _of_try(node, optional=optional)  # type: ignore[arg-type]
        return
    if isinstance(node, ast.If):
        yield from _of_if(node, optional=optional)
        return
    if isinstance(node, (ast.With, ast.AsyncWith)):
        optional = optional or any(_suppresses(item.context_expr) for item in node.items)
    for block in ("body", "orelse", "finalbody"):
        for child in getattr(node, block, ()):
            yield child, optional
    for case in getattr(node, "cases", ()):
        for child in case.body:
            yield child, optional


def _of_try(node: ast.Try, *, optional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    guarded = any(_catches(h.type) for h in node.handlers)
    # `try: import tomllib / except ImportError: import tomli`: the second is for older Pythons
    standard = guarded and _imports_standard(node.body)
    for child in node.body:
        yield child, optional or guarded
    for handler in node.handlers:
        for child in handler.body:
            yield child, optional or standard
    for child in node.orelse:
        yield child, optional or guarded
    for child in node.finalbody:
        yield child, optional


def _of_if(node: ast.If, *, optional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    words = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(node.test)
        if isinstance(n, (ast.Attribute, ast.Name))
    }
    never = isinstance(node.test, ast.Constant) and not node.test.value
    guarded = optional or bool(words & _VERSION_WORDS)
    if "TYPE_CHECKING" not in words and not never:
        yield from ((child, guarded) for child in node.body)
    yield from ((child, guarded) for child in node.orelse)


def _catches(node: ast.expr | None) -> bool:
    if node is None:
        return True
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    names = {n.attr if isinstance(n, ast.Attribute) else getattr(n, "id", "") for n in nodes}
    return bool(names & _IMPORT_ERRORS)


def _suppresses(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name == "suppress" and any(_catches(a) for a in node.args)


def _imports_standard(body: list[ast.stmt]) -> bool:
    modules: list[str] = []
    for node in body:
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.append(node.module or "")
    return bool(modules) and all(m.partition(".")[0] in _STANDARD for m in modules)


def _dynamic(calls: list[ast.Call], where: Where) -> Iterator[ImportSite]:
    """`import_module("x")` and `__import__("x")` with a literal."""
    for call in calls:
        if _name(call.func) not in ("import_module", "__import__") or not call.args:
            continue
        first = call.args[0]
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            continue
        place = where.below(call.lineno)
        dots = len(first.value) - len(first.value.lstrip("."))
        if all(part.isidentifier() for part in first.value[dots:].split(".")):
            yield ImportSite(first.value[dots:], place, level=dots)


def special_of(call: ast.Call) -> Line | None:
    """The line magic or shell command that a call of literals is: `get_ipython().system("…")`,
    `os.system("pip install x")`, `subprocess.run(["pip", "install", "x"])`; and what installs on
    Spark clusters: `sc.install_pypi_package("x")` (EMR), `dbutils.library.installPyPI("x", "1.0")`.
    """
    name = _name(call.func)
    words = [_literal(a) for a in call.args]
    if not words or words[0] is None:
        return None
    if name in ("system", "getoutput", "popen", "run", "call", "check_call", "check_output"):
        return Line("!", words[0], call.lineno)
    if name in ("install_pypi_package", "installPyPI"):
        version = f"=={words[1]}" if name == "installPyPI" and words[1:] and words[1] else ""
        return Line("pip", f'install "{words[0]}{version}"', call.lineno)
    if name in ("run_line_magic", "magic"):
        text = " ".join(w for w in words if w is not None)
        magic, _, rest = text.lstrip("%").partition(" ")
        return Line(magic, rest, call.lineno)
    return None


def _literal(node: ast.expr) -> str | None:
    """A string, or a list of strings as a command line (`sys.executable` is one too)."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, (ast.List, ast.Tuple)):
        words = ["python" if _name(e) == "executable" else _literal(e) or "{?}" for e in node.elts]
        return " ".join(f'"{w}"' if " " in w else w for w in words)
    return None


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
