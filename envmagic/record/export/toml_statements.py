"""Where in the text of a TOML file its tables, its keys and the items of its arrays are.

Only places are found here; what is written there is read by a TOML reader, piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from envmagic.system import toml_files

__all__ = ["Item", "Statement", "items_of", "statements"]

_BLANK = re.compile(r"[ \t\r\n]+|#[^\n]*")
_WORD = re.compile(r"[^\s#\"'\[\]{},=]+")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}|' + r"'''(?:[^']|'(?!''))*'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'",
    re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """A header of a table, or a key with its value."""

    start: int
    end: int
    """Behind its last character; what follows on the line is no part of it."""
    table: tuple[str, ...]
    """The table that it is in, or begins."""
    key: tuple[str, ...] = ()
    """Empty for a header."""
    value: int = 0
    """Where the value begins."""


@dataclass(frozen=True)
class Item:
    """One item of an array."""

    start: int
    end: int
    value: Any


def statements(text: str) -> list[Statement]:
    """The statements of `text`, which a TOML reader has read. Raises `ValueError` where they cannot
    be told apart."""
    found: list[Statement] = []
    table: tuple[str, ...] = ()
    at = _past_blanks(text, 1 if text.startswith("\ufeff") else 0)
    while at < len(text):
        end = _end(text, at)
        piece = text[at:end]
        if piece.startswith("["):
            table = _path(toml_files.parsed(piece + "\n"))
            found.append(Statement(at, end, table))
        else:
            equals = _equals(text, at)
            key = _path(toml_files.parsed(text[at:equals] + "=0\n"))
            found.append(Statement(at, end, table, key, _past_blanks(text, equals + 1)))
        at = _past_blanks(text, end)
    return found


def items_of(text: str, statement: Statement) -> list[Item] | None:
    """The items of the array that is the value of `statement`; None where it is none."""
    if text[statement.value] != "[":
        return None
    last = statement.end - 1
    found = []
    at = _past_blanks(text, statement.value + 1)
    while at < last:
        end = at
        depth = 0
        for here, length, sign in _signs(text, at):
            if here >= last or (sign == "," and not depth):
                break
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(sign, 0)
            end = here + length
        found.append(Item(at, end, toml_files.parsed(f"x = {text[at:end]}\n")["x"]))
        at = _past_blanks(text, end)
        if text[at] == ",":
            at = _past_blanks(text, at + 1)
    return found


def _end(text: str, at: int) -> int:
    """Behind the statement at `at`: all of the lines that its brackets and strings take."""
    end, depth = at, 0
    for here, length, sign in _signs(text, at):
        if not depth and "\n" in text[end:here]:
            break
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(sign, 0)
        end = here + length
    return end


def _equals(text: str, at: int) -> int:
    return next(here for here, _, sign in _signs(text, at) if sign == "=")


def _signs(text: str, at: int) -> Iterator[tuple[int, int, str]]:
    """What `text` has from `at` on but for blanks and comments: place, length, and the first
    character of a sign, a word or a whole string."""
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank is not None:
            at = blank.end()
            continue
        piece = _WORD.match(text, at) or _STRING.match(text, at)
        length = len(piece[0]) if piece is not None else 1
        yield at, length, text[at]
        at += length


def _past_blanks(text: str, at: int) -> int:
    while (blank := _BLANK.match(text, at)) is not None:
        at = blank.end()
    return at


def _path(document: Any) -> tuple[str, ...]:
    """The keys that lead into `document`, in which each table has one."""
    found: list[str] = []
    while isinstance(document, (dict, list)) and document:
        if isinstance(document, list):  # an array of tables
            document = document[0]
            continue
        ((key, document),) = document.items()
        found.append(key)
    return tuple(found)
