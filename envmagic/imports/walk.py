"""Syntax trees as import sites."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from envmagic.imports.calls import name_of, special_of
from envmagic.imports.nodes import nodes_of
from envmagic.imports.sites import ImportSite, Where

__all__ = ["imports_in"]

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_VERSION_WORDS = {"version_info", "PY2", "PY3", "find_spec", "python_version", "sys.version"}
_STANDARD = sys.stdlib_module_names


def imports_in(
    tree: ast.Module,
    where: Where,
    *,
    optional: bool = False,
    installs: frozenset[int] = frozenset(),
) -> list[ImportSite]:
    """The imports of `tree`, in source order.

    `installs` are lines that were commands to install something.
    """
    found: list[ImportSite] = []
    # an explicit stack: code nested deeper than Python's recursion limit must not end the scan
    stack: list[tuple[ast.stmt, bool]] = [(s, optional) for s in reversed(tree.body)]
    while stack:
        statement, is_optional = stack.pop()
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found += _sites(statement, where, optional=is_optional)
        else:
            children = _children(statement, optional=is_optional, installs=installs)
            stack += reversed(list(children))
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


def _children(
    node: ast.stmt, *, optional: bool, installs: frozenset[int]
) -> Iterator[tuple[ast.stmt, bool]]:
    if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
        yield from _of_try(node, optional, installs)  # type: ignore[arg-type]
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


def _of_try(
    node: ast.Try, optional: bool, installs: frozenset[int]
) -> Iterator[tuple[ast.stmt, bool]]:
    guarded = any(_catches(h.type) and _goes_on(h, installs) for h in node.handlers)
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


def _goes_on(handler: ast.ExceptHandler, installs: frozenset[int]) -> bool:
    """Whether the code goes on without what could not be imported: the handler neither ends it
    nor installs what is missing."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise):
        return False
    call = last.value if isinstance(last, ast.Expr) else None
    if isinstance(call, ast.Call) and name_of(call.func) in ("exit", "_exit", "quit"):
        return False
    if any(handler.lineno <= line <= (handler.end_lineno or 0) for line in installs):
        return False
    commands = (special_of(n) for n in nodes_of(handler) if isinstance(n, ast.Call))
    return not any(c is not None and "install" in c.rest for c in commands)


def _of_if(node: ast.If, *, optional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    names = [n for n in nodes_of(node.test) if isinstance(n, (ast.Attribute, ast.Name))]
    words = {"sys.version" if _is_sys_version(n) else name_of(n) for n in names}
    never = isinstance(node.test, ast.Constant) and not node.test.value
    denied = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
    guarded = optional or bool(words & _VERSION_WORDS)
    if ("TYPE_CHECKING" not in words or denied) and not never:
        yield from ((child, guarded) for child in node.body)
    yield from ((child, guarded) for child in node.orelse)


def _is_sys_version(node: ast.Attribute | ast.Name) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "version"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    )


def _catches(node: ast.expr | None) -> bool:
    if node is None:
        return True
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    return bool({name_of(n) for n in nodes} & _IMPORT_ERRORS)


def _suppresses(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return name_of(node.func) == "suppress" and any(_catches(a) for a in node.args)


def _imports_standard(body: list[ast.stmt]) -> bool:
    modules: list[str] = []
    for node in body:
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.append(node.module or "")
    return bool(modules) and all(m.partition(".")[0] in _STANDARD for m in modules)
