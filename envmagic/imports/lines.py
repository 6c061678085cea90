"""Logical lines of a cell that need not be Python: brackets, strings and continuations joined."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Statement", "is_escaped", "statements"]

_TOKEN = re.compile(r"(?P<triple>\"\"\"|''')|(?P<quote>[\"'])|(?P<open>[(\[{])|(?P<close>[)\]}])|#")
# So often each line is looked at where brackets that are never closed begin in many of them.
_PATIENCE = 5
_STRING_END = {q: re.compile(rf"(?:\\.|[^\\{q}])*{q}", re.DOTALL) for q in ('"', "'")}
# What starts a line that belongs to IPython and is not to be read as Python.
_ESCAPED = re.compile(r"[%!?]|[^\W\d][\w.,*\s\[\]'\"]*=\s*[%!](?!=)|\*\w[\w.,*\s\[\]]*=\s*[%!]")
# These keywords cannot stand inside brackets: a bracket before them was never closed.
_RESTART = re.compile(
    r"\s*(?:import\s+\w|from\s+[.\w]+\s+import\b|(?:def|class)\s+\w+.*:|try\s*:|with\s.*:\s*$)"
)


class Statement(NamedTuple):
    """A logical line: its physical lines from `start` up to, not including, `end` (from 0)."""

    start: int
    end: int
    escaped: bool = False
    """It starts as IPython's special lines do."""


def statements(lines: list[str]) -> list[Statement]:
    """The logical lines of `lines`, in order and without gaps."""
    found: list[Statement] = []
    number = 0
    patience = [_PATIENCE * len(lines) + 20_000]
    while number < len(lines):
        escaped = is_escaped(lines[number])
        end = _escaped_end(lines, number) if escaped else _python_end(lines, number, patience)
        found.append(Statement(number, end, escaped))
        number = end
    return found


def is_escaped(line: str) -> bool:
    """Whether `line` starts as IPython's special lines do."""
    return _ESCAPED.match(line.lstrip()) is not None


def _escaped_end(lines: list[str], number: int) -> int:
    while number < len(lines) and lines[number].rstrip().endswith("\\"):
        number += 1
    return min(number + 1, len(lines))


def _python_end(lines: list[str], start: int, patience: list[int]) -> int:
    """Where the statement at `start` ends; `patience` has the lines that may still be looked at."""
    depth, triple = 0, ""
    for number in range(start, min(len(lines), start + 1 + max(patience[0], 0))):
        patience[0] -= 1
        line = lines[number]
        if number > start and depth and not triple and _RESTART.match(line):
            return number
        depth, triple, joined = _lex(line, depth, triple)
        if depth <= 0 and not triple and not joined:
            return number + 1
    # never closed: as a whole it cannot be read, line by line some of it can
    return start + 1


def _lex(line: str, depth: int, triple: str) -> tuple[int, str, bool]:
    """Bracket depth and open triple quote after `line`, and whether a backslash continues it."""
    position = 0
    if triple:
        end = line.find(triple)
        if end < 0:
            return depth, triple, False
        position, triple = end + 3, ""
    while match := _TOKEN.search(line, position):
        position = match.end()
        if match["triple"]:
            end = line.find(match["triple"], position)
            if end < 0:
                return depth, match["triple"], False
            position = end + 3
        elif match["quote"]:
            closed = _STRING_END[match["quote"]].match(line, position)
            if closed is None:
                return depth, "", line.endswith("\\")
            position = closed.end()
        elif match["open"]:
            depth += 1
        elif match["close"]:
            depth = max(depth - 1, 0)
        else:
            return depth, "", False
    return depth, "", line.endswith("\\")
