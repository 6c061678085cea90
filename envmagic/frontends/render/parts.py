"""What a report is made of, before it becomes text or HTML."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

__all__ = ["Code", "Fact", "Facts", "Line", "Part", "Row", "Table", "Tone"]


class Tone(str, Enum):
    """How a line is meant; text shows the mark, HTML the mark in its colour."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    INFO = "info"
    PLAIN = "plain"


@dataclass(frozen=True)
class Line:
    """One sentence, and what to type next."""

    text: str
    hint: str = ""
    tone: Tone = Tone.PLAIN
    command: tuple[str, ...] = ()
    """Words of ours, the verb first; each frontend has them typed its own way."""


class Fact(NamedTuple):
    """A name with its value."""

    name: str
    value: str
    below: str = ""
    """A second line, said less loudly."""
    folded: str = ""
    """What HTML unfolds on a click, and text leaves out."""


@dataclass(frozen=True)
class Facts:
    """Names with their values, one a row."""

    rows: tuple[Fact, ...]


@dataclass(frozen=True)
class Row:
    cells: tuple[str, ...]
    current: bool = False
    dim: bool = False


@dataclass(frozen=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    code: tuple[int, ...] = ()
    """Columns set in a fixed-width face: paths, requirements, commands."""
    right: tuple[int, ...] = ()
    """Columns of numbers."""


@dataclass(frozen=True)
class Code:
    """Text to be shown as it is."""

    text: str


Part = Line | Facts | Table | Code
