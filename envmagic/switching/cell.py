"""The rest of the running cell: what comes after the magic, to be run by the next kernel."""

from __future__ import annotations

import ast
import linecache
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from envmagic.errors import WordsError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Stopped", "Travelled", "rest_of_cell", "stop"]

_PLAIN = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)


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

    What comes before it is commented out. Raises `WordsError` where a cell cannot be left: inside
    a block or a function, in a cell that another one runs, in a thread.
    """
    place = _place(shell)
    tree = ast.parse(place.source)
    running = [n for n in tree.body if _first_line(n) <= place.line <= (n.end_lineno or n.lineno)]
    if len(running) != 1 or not isinstance(running[0], _PLAIN):
        raise _refusal("inside a block")
    end = running[0].end_lineno or running[0].lineno
    if not any(_first_line(node) > end for node in tree.body):
        return ""
    lines = _lines(shell, place.source)
    return "\n".join([f"# {line}".rstrip() for line in lines[:end]] + lines[end:])


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
        raise _refusal("in a thread")
    frame = _caller(shell)
    if frame is None:
        raise _refusal("inside a function")
    # IPython keeps each cell's transformed source for tracebacks
    source = "".join(linecache.getlines(frame.f_code.co_filename))
    if not source:
        raise _refusal("in code that is no cell")
    return _Place(source, frame.f_lineno)


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


def _lines(shell: InteractiveShell, source: str) -> list[str]:
    """The cell's lines as they were typed, where they stand for the same lines as Python."""
    transformed = source.splitlines()
    typed = _typed(shell).splitlines()
    return typed if len(typed) == len(transformed) else transformed


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
