"""Inline script metadata (PEP 723) in a text: where its blocks are, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["blocks"]

# The form that the standard gives: a comment line of its own begins it, and one ends it.
_BEGIN = re.compile(r"# /// (?P<type>[a-zA-Z0-9-]+)[ \t]*$")
_END = "# ///"


def blocks(text: str) -> Iterable[tuple[int, str, list[str]]]:
    """The line that each block begins on, its type, and what its lines hold.

    The last `# ///` that a comment line follows directly ends it, as the standard has it.
    """
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        begin = _BEGIN.match(lines[number])
        number += 1
        if begin is None:
            continue
        end = number
        while end < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
            end += 1
        ends = [n for n in range(number, end) if lines[n].rstrip() == _END]
        if ends:
            yield number, begin["type"], [_content(line) for line in lines[number : ends[-1]]]
            number = ends[-1] + 1


def _content(line: str) -> str:
    return line[2:] if line.startswith("# ") else line[1:]
