"""The directories that code puts on `sys.path`, as far as literals tell."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator

from envmagic.imports.nodes import nodes_of

__all__ = ["bound", "extended", "value_of"]

_SAME = {
    "abspath", "realpath", "normpath", "expanduser", "str", "Path", "PurePath", "resolve",
    "absolute", "expandvars", "fspath", "as_posix", "PosixPath", "WindowsPath",
}  # fmt: skip
_HERE = {"getcwd", "cwd"}
_MOST = 50  # values of a loop that are gone through
_NODES = 100_000  # of a loop, for all of them together
# What modules and functions that decide where is looked are called, as names holds it: `sys()` is
# none that a variable can have.
_CALLED = {
    ("sys", "path"): "sys.path",
    ("site", "addsitedir"): "addsitedir",
    ("os", "chdir"): "chdir",
}


def extended(nodes: Iterable[ast.AST], names: dict[str, str], here: str) -> Iterator[str]:
    """Paths that a tree with these `nodes` adds to `sys.path` or changes into; `here` is the
    notebook's directory.

    `names` holds the string variables known so far and is added to.
    """
    for node, known in bound(nodes, names, here):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Subscript):  # `sys.path[:0] = […]`
                target = target.value
            if _is_sys_path(target, known):
                yield from _each(node.value, known, here)
        elif isinstance(node, ast.AugAssign) and _is_sys_path(node.target, known):
            yield from _each(node.value, known, here)
        elif isinstance(node, ast.Call) and node.args:
            if isinstance(node.func, ast.Attribute) and _is_sys_path(node.func.value, known):
                yield from _each(node.args[-1], known, here)
            elif _name(node.func, known) in ("chdir", "addsitedir"):
                yield from _each(node.args[0], known, here)


def bound(
    nodes: Iterable[ast.AST], names: dict[str, str], here: str
) -> Iterator[tuple[ast.AST, dict[str, str]]]:
    """Every one of `nodes` with the string variables that are known there; what a loop over
    literals holds comes once more for each of them. `names` is added to."""
    loops: list[ast.For] = []
    for node in nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, text = node.targets[0], value_of(node.value, names, here)
            if isinstance(target, ast.Name) and text is not None:
                names[target.id] = text
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            _note_names(node, names)
        elif isinstance(node, ast.For):
            loops.append(node)
        yield node, names
    for loop in loops:
        if isinstance(loop.target, ast.Name) and isinstance(loop.iter, (ast.List, ast.Tuple)):
            inner = nodes_of(loop)
            for element in loop.iter.elts[: min(_MOST, _NODES // len(inner))]:
                text = value_of(element, names, here)
                if text is not None:
                    known = {**names, loop.target.id: text}
                    yield from ((node, known) for node in inner)


def value_of(node: ast.expr, names: dict[str, str], here: str) -> str | None:
    """The string that `node` is, when literals and path functions alone make it."""
    return _value(node, names, here, 0)


def _note_names(node: ast.Import | ast.ImportFrom, names: dict[str, str]) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            meant = "sys" if alias.name == "sys" and alias.asname else None
        else:
            meant = _CALLED.get((node.module or "", alias.name))
        if meant is not None:
            names[f"{alias.asname or alias.name}()"] = meant


def _name(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(f"{node.id}()", "")
    return node.attr if isinstance(node, ast.Attribute) else ""


def _each(node: ast.expr, names: dict[str, str], here: str) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts: list[ast.expr] = [node.left, node.right]
    else:
        parts = list(node.elts) if isinstance(node, (ast.List, ast.Tuple)) else [node]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        whole = value_of(node, names, here)
        if whole is None:  # `[…] + sys.path`
            for part in parts:
                if isinstance(part, (ast.List, ast.Tuple, ast.BinOp)):
                    yield from _each(part, names, here)
            return
        texts: list[str | None] = [whole]
    else:
        texts = [value_of(part, names, here) for part in parts]
    for text in texts:
        if text is not None and "\0" not in text:
            yield os.path.normpath(os.path.join(here, os.path.expanduser(text)))


def _is_sys_path(node: ast.expr, names: dict[str, str]) -> bool:
    if isinstance(node, ast.Name):
        return names.get(f"{node.id}()") == "sys.path"
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "path"
        and isinstance(node.value, ast.Name)
        and (node.value.id == "sys" or names.get(f"{node.value.id}()") == "sys")
    )


def _value(node: ast.expr, names: dict[str, str], here: str, depth: int) -> str | None:
    if depth > 20:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.JoinedStr):
        parts = [_value(part, names, here, depth + 1) for part in node.values]
        return None if None in parts else "".join(p for p in parts if p is not None)
    if isinstance(node, ast.FormattedValue):
        plain = node.format_spec is None and node.conversion == -1
        return _value(node.value, names, here, depth + 1) if plain else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Div)):
        left = _value(node.left, names, here, depth + 1)
        right = _value(node.right, names, here, depth + 1)
        if left is None or right is None:
            return None
        return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
    if isinstance(node, ast.Attribute):
        return _attribute(node, names, here, depth)
    if isinstance(node, ast.Subscript):
        return _item(node, names, here, depth)
    return _call(node, names, here, depth) if isinstance(node, ast.Call) else None


def _item(node: ast.Subscript, names: dict[str, str], here: str, depth: int) -> str | None:
    """`Path.cwd().parents[1]`, and what has the notebook's directory: `sys.path[0]`, `_dh[0]`."""
    inner, count = node.value, node.slice
    number = count.value if isinstance(count, ast.Constant) else None
    if number == 0 and (_is_history(inner) or _is_sys_path(inner, names)):
        return here
    if not (isinstance(inner, ast.Attribute) and inner.attr == "parents"):
        return None
    path = _value(inner.value, names, here, depth + 1)
    if not isinstance(number, int) or not 0 <= number < _MOST:
        return None
    for _ in range(number + 1):
        path = _above(path, here) if path is not None else None
    return path


def _is_history(node: ast.expr) -> bool:
    """`_dh` or `globals()["_dh"]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value == "_dh"
    return isinstance(node, ast.Name) and node.id == "_dh"


def _attribute(node: ast.Attribute, names: dict[str, str], here: str, depth: int) -> str | None:
    constants = {"pardir": "..", "curdir": ".", "sep": "/"}
    if node.attr in constants:
        return constants[node.attr]
    if node.attr == "parent":
        inner = _value(node.value, names, here, depth + 1)
        return None if inner is None else _above(inner, here)
    return None


def _call(node: ast.Call, names: dict[str, str], here: str, depth: int) -> str | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _HERE:
        return here
    values = [_value(a, names, here, depth + 1) for a in node.args]
    if not values and name in _SAME and isinstance(node.func, ast.Attribute):
        return _value(node.func.value, names, here, depth + 1)  # Path("x").resolve()
    if not values or None in values:
        return here if name in _SAME and not node.args else None
    texts = [v for v in values if v is not None]
    if name in ("join", "joinpath", *_SAME):
        if name == "joinpath" and isinstance(node.func, ast.Attribute):
            base = _value(node.func.value, names, here, depth + 1)
            return None if base is None else os.path.join(base, *texts)
        return os.path.join(*texts)
    return _above(texts[0], here) if name == "dirname" else None


def _above(path: str, here: str) -> str:
    return os.path.dirname(os.path.normpath(os.path.join(here, path)))
