"""The directories that code puts on `sys.path`, as far as literals tell."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

__all__ = ["extended"]

_SAME = {
    "abspath", "realpath", "normpath", "expanduser", "str", "Path", "PurePath", "resolve",
    "absolute", "expandvars", "fspath", "as_posix", "PosixPath", "WindowsPath",
}  # fmt: skip
_HERE = {"getcwd", "cwd"}


def extended(tree: ast.Module, names: dict[str, str], here: str) -> Iterator[str]:
    """Paths that `tree` adds to `sys.path` or changes into; `here` is the notebook's directory.

    `names` holds the string variables known so far and is added to.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            yield from _assigned(node.targets[0], node.value, names, here)
        elif isinstance(node, ast.AugAssign) and _is_sys_path(node.target):
            yield from _each(node.value, names, here)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if _is_sys_path(node.func.value):
                yield from _each(node.args[-1], names, here)
            elif node.func.attr in ("chdir", "addsitedir"):
                yield from _each(node.args[0], names, here)


def _assigned(target: ast.expr, value: ast.expr, names: dict[str, str], here: str) -> Iterator[str]:
    if _is_sys_path(target):
        yield from _each(value, names, here)
    elif isinstance(target, ast.Name):
        text = _value(value, names, here, 0)
        if text is not None:
            names[target.id] = text


def _each(node: ast.expr, names: dict[str, str], here: str) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts: list[ast.expr] = [node.left, node.right]
    else:
        parts = list(node.elts) if isinstance(node, (ast.List, ast.Tuple)) else [node]
    texts = [_value(part, names, here, 0) for part in parts]
    if len(parts) == 2 and isinstance(node, ast.BinOp) and None not in texts:
        texts = [_value(node, names, here, 0)]
    for text in texts:
        if text is not None and "\0" not in text:
            yield os.path.normpath(os.path.join(here, text))


def _is_sys_path(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "path"
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    )


def _value(node: ast.expr, names: dict[str, str], here: str, depth: int) -> str | None:
    """The string that `node` is, when literals and path functions alone make it."""
    if depth > 20:
        return None
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.BinOp):
        left = _value(node.left, names, here, depth + 1)
        right = _value(node.right, names, here, depth + 1)
        if left is None or right is None:
            return None
        return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
    if isinstance(node, ast.Attribute):
        return _attribute(node, names, here, depth)
    return _call(node, names, here, depth) if isinstance(node, ast.Call) else None


def _attribute(node: ast.Attribute, names: dict[str, str], here: str, depth: int) -> str | None:
    constants = {"pardir": "..", "curdir": ".", "sep": "/"}
    if node.attr in constants:
        return constants[node.attr]
    if node.attr == "parent":
        inner = _value(node.value, names, here, depth + 1)
        return None if inner is None else os.path.dirname(os.path.join(here, inner))
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
    return os.path.dirname(os.path.join(here, texts[0])) if name == "dirname" else None
