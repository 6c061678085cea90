"""The lines of a file with a block, told apart: which envmagic wrote, and what the others are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from envmagic.core.errors import EnvmagicError
from envmagic.core.record_files import BEGIN, END
from envmagic.requirements import signs
from envmagic.requirements.block import Entry, Kind, Mention

__all__ = [
    "DIGITS",
    "FORMAT",
    "HEADER",
    "Dialect",
    "Piece",
    "Role",
    "behind",
    "between",
    "lines_of",
    "pieces_of",
    "refuse_conflict",
]

FORMAT = 2
DIGITS = 9
"""Of a format's number that are read: a longer one is newer all the same."""
HEADER = re.compile(BEGIN + r"(?P<format>\d+) >>>(?P<state>.*)")
_STATE = re.compile(r"python [\d.]|pin \w|recording o")
_BEHIND = re.compile(r"recording (?:on|off)\b[\s,]*(\S.*)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_COMMENT = re.compile(r"\s#.*$")
# What git leaves where two sides changed the same lines; `=======` stands between two of these.
_CONFLICT = re.compile(r"\s*(?:<{7}|>{7}|\|{7})(?:\s|$)")


class Role(Enum):
    """What a line is."""

    HEADER = "header"
    FOOTER = "footer"
    ENTRY = "entry"
    MENTION = "mention"
    FIXED = "fixed"
    """Ours, and no entry: what environment.yml needs besides."""
    BLANK = "blank"
    ABOVE = "comment"
    """Somebody's comment; it belongs to the line below."""
    BELOW = "indented comment"
    """Somebody's comment; it belongs to the line above."""
    OWN = "line"
    """Any other line that is not ours."""


OURS = frozenset({Role.HEADER, Role.FOOTER, Role.ENTRY, Role.MENTION, Role.FIXED})


class Dialect(Protocol):
    """How a line of the block looks in one kind of file."""

    @property
    def indent(self) -> str:
        """What stands before each line."""

    def item(self, text: str) -> str | None:
        """What the line `text` (no blanks around it, no sign) asks for; None where nothing."""

    def shown(self, item: str) -> str:
        """The line that asks for `item`, behind the indent."""

    def is_fixed(self, item: str) -> bool:
        """Whether `item` is one that the file needs besides the entries."""

    def check(self, path: Path, pieces: list[Piece]) -> None:
        """Raise `EnvmagicError` (`bad-block`) where a line of the user's cannot move."""


@dataclass(frozen=True)
class Piece:
    """One physical line."""

    role: Role
    line: str
    """With its line end."""
    number: int
    """Counting from 1."""
    entry: Entry | None = None
    """What an ENTRY says; whose a MENTION is. Of an OWN line: what it asks for."""
    mention: Mention | None = None
    doubtful: bool = False
    """An ENTRY of format 1 that may be somebody else's line."""

    @property
    def is_ours(self) -> bool:
        """envmagic wrote it."""
        return self.role in OURS

    @property
    def text(self) -> str:
        """The line without its end."""
        return self.line.rstrip("\r\n")


def lines_of(text: str) -> list[str]:
    """The physical lines of `text` with their ends, as pip and YAML divide them."""
    return [line for line in _LINE.findall(text) if line]


def pieces_of(lines: Sequence[str], dialect: Dialect) -> list[Piece]:
    """Each of `lines` as what its form and its sign say."""
    found = [_piece_of(line, number, dialect) for number, line in enumerate(lines, 1)]
    every = [p.entry for p in found if p.role is Role.ENTRY and p.entry is not None]
    every += [p.entry for p in found if p.role is Role.OWN and p.entry is not None]
    above: list[Entry] = []
    for index, piece in enumerate(found):
        if piece.role is Role.ENTRY and piece.entry is not None:
            above = [piece.entry]
        elif piece.role in (Role.ABOVE, Role.BELOW) and signs.split(piece.text):
            # mostly the one above; a sorter may have put it anywhere
            told = signs.mention_of(piece.text, above) or signs.mention_of(piece.text, every)
            if told is not None:
                found[index] = Piece(Role.MENTION, piece.line, piece.number, *told)
    return found


def _piece_of(line: str, number: int, dialect: Dialect) -> Piece:
    """The line as what it is alone: a mention is known only with the entries of its file."""
    bare = line.strip()
    if not bare:
        return Piece(Role.BLANK, line, number)
    if _is_header(bare):
        return Piece(Role.HEADER, line, number)
    if bare == END:
        return Piece(Role.FOOTER, line, number)
    told = signs.split(bare)
    if told is not None:
        signed = _signed(*told, dialect)
        if signed is not None:
            return Piece(signed[0], line, number, signed[1])
    if bare.startswith("#"):
        deeper = len(line) - len(line.lstrip(" \t")) > len(dialect.indent)
        return Piece(Role.BELOW if deeper else Role.ABOVE, line, number)
    item = dialect.item(_COMMENT.sub("", bare))
    return Piece(Role.OWN, line, number, Entry(Kind.REQUIREMENT, item) if item else None)


def _signed(text: str, sign: str, dialect: Dialect) -> tuple[Role, Entry | None] | None:
    item = text if text.startswith("#") else dialect.item(text)
    entry = signs.entry_of(item) if item else None
    if entry is not None and signs.of_entry(entry) == sign:
        return Role.ENTRY, entry
    if item and dialect.is_fixed(item) and signs.fixed(item) == sign:
        return Role.FIXED, None
    return None


def refuse_conflict(lines: Sequence[str], source: str, subject: str) -> None:
    """Raise `EnvmagicError` (`bad-block`) where a merge left both sides in `lines` of `source`.

    Anywhere in the file: pip reads none of it, and what is recorded is not settled.
    """
    for number, line in enumerate(lines, 1):
        if _CONFLICT.match(line):
            raise EnvmagicError(
                "bad-block",
                f"Line {number} of {source} is a conflict marker: a merge left both sides there.",
                "Keep one side and delete the marker lines; then",
                subject=subject,
                command=("record",),
            )


def between(pieces: Sequence[Piece]) -> Iterator[bool]:
    """For each piece, whether it is between a header and its footer.

    Where there is no footer behind a header, the last line of ours is the end.
    """
    last = max((i for i, piece in enumerate(pieces) if piece.is_ours), default=-1)
    closing = max((i for i, p in enumerate(pieces) if p.role is Role.FOOTER), default=-1)
    inside = False
    for index, piece in enumerate(pieces):
        if piece.role is Role.HEADER:
            inside = True
        elif piece.role is Role.FOOTER or (closing < index and index > last):
            inside = False
        yield inside


def behind(header: str) -> str:
    """What a person wrote behind the state in a header, as a comment; empty when there is none."""
    words = _BEHIND.search(header)
    return "" if words is None else words[1] if words[1].startswith("#") else f"# {words[1]}"


def _is_header(text: str) -> bool:
    """Whether a block begins here; a line that only begins so, and says no state, is somebody's."""
    match = HEADER.match(text)
    if match is None:
        return False
    state = match["state"].strip()
    return not state or int(match["format"][:DIGITS]) > FORMAT or _STATE.match(state) is not None
