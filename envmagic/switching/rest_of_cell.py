"""The rest of the running cell: what comes after the magic, to be run by the next kernel."""

from __future__ import annotations

import ast
import re
import sys
import threading
import warnings
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import WordsError
from envmagic.switching import shell_state

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Stopped", "Travelled", "put_off", "rest_of_cell", "stop"]

_PLAIN = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)
_LINE_END = re.compile(r"\r\n?|\n")  # Python's; `str.splitlines` ends lines at form feeds as well


class Travelled(BaseException):
    """Ends a cell whose rest goes on in another kernel; nobody sees it."""


class Stopped(Exception):
    """Ends a cell with one line, and what is queued behind it: it must not run here."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class _Place:
    """The statement of a cell that is running now."""

    source: str
    """The cell as Python, after IPython's transformations."""
    line: int


def rest_of_cell(shell: InteractiveShell) -> str:
    """The source after the statement that runs now, its line numbers kept; empty without any.

    What comes before it is commented out, except for what its `from __future__` lines say. Raises
    `WordsError` where a cell cannot be left: inside a block or a function, in a cell that another
    one runs, in a thread.
    """
    whole = put_off(shell)
    if whole:
        return whole
    place = _place(shell)
    body = ast.parse(place.source).body
    running = [n for n in body if _first_line(n) <= place.line <= _last_line(n)]
    if len(running) != 1 or not isinstance(running[0], _PLAIN):
        raise _refusal("inside a block")
    end, index = _last_line(running[0]), body.index(running[0])
    future, later = _future(body[:index]), body[index + 1 :]
    if not later:
        return ""
    if _first_line(later[0]) <= end:
        raise _refusal("a line with more code on it")
    # as it was typed, if possible: that is what is shown in tracebacks, and recorded
    for source in (_typed(shell), place.source):
        rest = _cut(source, end, future)
        if _means(shell, rest, future, later):
            return rest
    raise _refusal("this cell")


def put_off(shell: InteractiveShell) -> str:
    """The source of the running cell where another statement runs in its place; else empty."""
    kernel, whole = getattr(shell, "kernel", None), shell_state.of(shell).whole
    if kernel is None or whole is None:
        return ""
    request, source = whole
    running = kernel.get_parent("shell").get("header", {}).get("msg_id")
    return source if running == request else ""


def stop(shell: InteractiveShell) -> None:
    """End the running cell here, without an error; never returns."""
    previous = shell.custom_exceptions, shell.CustomTB

    def swallow(shell: Any, *_: Any, **__: Any) -> list[str]:
        shell.custom_exceptions, shell.CustomTB = previous
        return []

    shell.set_custom_exc((Travelled,), swallow)
    raise Travelled


def _place(shell: InteractiveShell) -> _Place:
    if threading.current_thread() is not threading.main_thread():
        raise _refusal("a thread")
    frame = _caller(shell)
    if frame is None:
        raise _refusal("inside a function")
    source = _transformed(frame)
    if not source:
        raise _refusal("code that is no cell")
    return _Place(source, frame.f_lineno)


def _transformed(cell: FrameType) -> str:
    """The source that the frame of a cell was compiled from; empty when it is not known.

    What IPython keeps for tracebacks, and `In`, are not it: the one has other line ends, the other
    is there only for cells that are numbered.
    """
    frame: FrameType | None = cell
    while frame is not None:
        if frame.f_code.co_name == "run_cell_async":
            return str(frame.f_locals.get("cell", ""))
        frame = frame.f_back
    return ""


def _caller(shell: InteractiveShell) -> FrameType | None:
    """The frame of the one cell that runs, when the magic was called at its top level."""
    frame: FrameType | None = sys._getframe()
    found, cells = None, 0
    while frame is not None:
        name = frame.f_code.co_name
        if name == "run_code" and isinstance(frame.f_locals.get("self"), type(shell)):
            cells += 1
        elif found is None and frame.f_locals is shell.user_ns:
            back = frame.f_back
            found = frame if back is not None and back.f_code.co_name == "run_code" else None
            if found is None:
                return None
        elif found is None and _is_users(frame):
            return None
        frame = frame.f_back
    return found if cells == 1 else None


def _is_users(frame: FrameType) -> bool:
    """A function that was defined in a cell, or elsewhere outside IPython and envmagic."""
    module = str(frame.f_globals.get("__name__", ""))
    return module.split(".")[0] not in (
        "IPython",
        "envmagic",
        "ipykernel",
        "decorator",
        "contextlib",
    )


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _future(body: list[ast.stmt]) -> str:
    """What the `from __future__` lines in `body` say, as one of them; empty without any."""
    names = [
        alias.name
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    return f"from __future__ import {', '.join(dict.fromkeys(names))}" if names else ""


def _cut(source: str, end: int, future: str) -> str:
    """`source` without its first `end` lines: they become comments, `future` in front of them."""
    lines = _LINE_END.split(source)
    above = []
    for line in lines[:end]:
        code = line.lstrip(" \t")
        # indented as before: IPython takes away what all lines have in common
        indent = line[: len(line) - len(code)]
        above.append(f"{indent}# {' '.join(code.splitlines())}".rstrip())
    if future and above:
        above[0] = above[0].replace("#", f"{future}  #", 1)
    return "\n".join([*above, *lines[end:]])


def _means(shell: InteractiveShell, source: str, future: str, later: list[ast.stmt]) -> bool:
    """Whether IPython runs exactly the statements `later` for `source`, on the same lines.

    Nothing but this makes sure that no statement runs twice, or not at all.
    """
    try:
        with warnings.catch_warnings():  # IPython's own were said when the cell began
            warnings.simplefilter("ignore")
            body = ast.parse(shell.transform_cell(source)).body
    except Exception:  # transformations of the user's are among them
        return False
    if future:
        first = body.pop(0) if body else None
        if first is None or ast.unparse(first) != future:
            return False
    return _dumped(body) == _dumped(later)


def _dumped(body: list[ast.stmt]) -> list[str]:
    return [ast.dump(node, include_attributes=True) for node in body]


def _typed(shell: InteractiveShell) -> str:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return ""
    code: str = kernel.get_parent("shell").get("content", {}).get("code", "")
    return code


def _refusal(where: str) -> WordsError:
    return WordsError(
        "not-top-level",
        f"The notebook cannot be moved from {where}: the rest of the cell could not come along.",
        "Put the line by itself at the top level of a cell.",
    )
