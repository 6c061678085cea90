"""What helps, as each frontend has it typed."""

from __future__ import annotations

from collections.abc import Sequence

from envmagic.core import display
from envmagic.core.errors import Problem
from envmagic.core.model import Frontend
from envmagic.frontends.grammar.asked import prefix

__all__ = ["command_line", "hint_of", "remedy"]


def hint_of(problem: Problem, frontend: Frontend | None) -> str:
    """What helps with `problem`, apart from a command of ours, as it is typed at `frontend`.

    A cell has `!` before another program's command, and pip as a magic: `!pip` may be that of
    another Python.
    """
    line = display.shell_line(problem.tool_command)
    if line and frontend is not Frontend.TERMINAL:
        line = f"%{line}" if problem.tool_command[0] == "pip" else f"!{line}"
    return display.remedy(problem.hint, line)


def command_line(words: Sequence[str], frontend: Frontend | None) -> str:
    """The words of a command of ours as they are typed at `frontend` (None: a notebook).

    `use` is typed in a notebook always: a terminal can move none.
    """
    terminal = frontend is Frontend.TERMINAL and not _moves(words)
    return display.command_line(words, prefix(terminal=terminal))


def remedy(hint: str, words: Sequence[str], frontend: Frontend | None) -> str:
    """What to do next, as a person reads it at `frontend`: in words, then the command."""
    if frontend is Frontend.TERMINAL and _moves(words):
        hint = f"{hint} in the notebook" if hint else "In the notebook"
    return display.remedy(hint, command_line(words, frontend))


def _moves(words: Sequence[str]) -> bool:
    return words[:1] == ("use",)
