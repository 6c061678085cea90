"""Whether anything but verbs and imports ran in a kernel: only then nothing is lost with it."""

from __future__ import annotations

import ast
from typing import Any

from envmagic.core.verb_names import RESERVED_VERBS, VERBS
from envmagic.switching.variables import variables

__all__ = ["is_empty"]

_MAGICS = ("run_line_magic", "run_cell_magic")


def is_empty(shell: Any, rest: str) -> bool:
    """Whether `shell` ran only verbs and imports, in the running cell up to its `rest`.

    A module that was given state, a thread or an open file is no variable, and yet is lost with
    the kernel. What came along when it started is not: the kernel that it came from has it.
    """
    cells = [cell for cell in shell.history_manager.input_hist_parsed if cell]
    bound: set[str] = set(getattr(shell, "_envmagic_carried", ()))
    for number, cell in enumerate(cells, 1):
        body = _statements(cell)
        if body is not None and number == len(cells) and rest:
            body = _without(body, shell, rest)
        if body is None or not all(map(_is_harmless, body)):
            return False
        bound |= _imported(body)
    # what a frontend ran without a number in the history
    return "*" in bound or bound.issuperset(variables(shell))


def _statements(cell: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(cell).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without(body: list[ast.stmt], shell: Any, rest: str) -> list[ast.stmt] | None:
    """The statements of the running cell that come before its `rest`, whose lines have the same
    numbers; all where that cell is not the last that the history has."""
    request = shell.kernel.get_parent("shell").get("content", {})
    if not request.get("store_history", True):
        return body
    later = _statements(shell.transform_cell(rest))
    lines = [node.lineno for node in later or () if not _is_future(node)]
    return [node for node in body if not lines or node.lineno < min(lines)]


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_harmless(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.Pass)):
        return True
    if not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value, ast.Constant) or _is_verb(node.value)


def _is_verb(node: ast.expr) -> bool:
    """Whether it is what IPython makes of `%env VERB …`, `%%env`, `%load_ext envmagic`, `%pip`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    words = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    if node.func.attr not in _MAGICS or len(words) < 2 or len(words) != len(node.args):
        return False
    name, line = str(words[0]), str(words[1]).split()
    if name == "env" and node.func.attr == "run_line_magic":
        return bool(line) and line[0] in (*VERBS, *RESERVED_VERBS)
    return name in ("env", "envmagic", "pip") or (name == "load_ext" and line == ["envmagic"])


def _imported(body: list[ast.stmt]) -> set[str]:
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
