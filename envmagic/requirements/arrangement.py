"""Where the lines of a file with a block belong: to the block, before it or behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from envmagic.requirements.block import Entry, Kind
from envmagic.requirements.pieces import Piece, Role, behind, between

__all__ = ["Arrangement", "Remarks", "Same"]

Same = tuple[Kind, str]
"""Kind and key of an entry."""


@dataclass(frozen=True)
class Remarks:
    """Comments that people wrote into the block: they stay with their entry, with its line ends."""

    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Arrangement:
    """Pieces by where they belong: what is the user's between the markers goes above them."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.before: list[str] = []
        self.moved: list[str] = []
        self.after: list[str] = []
        self.end: str | None = None
        """The line end of the footer that closes the first block."""
        self._pieces = pieces
        self._above: dict[Same, list[str]] = {}
        self._below: dict[Same, list[str]] = {}
        self._pending: list[str] = []
        self._last: Same | None = None
        begun = False
        for piece, inside in zip(pieces, between(pieces), strict=True):
            begun = begun or piece.role is Role.HEADER
            if inside and piece.role is not Role.HEADER:
                self._take(piece)
                continue
            self._flush()
            if piece.role is Role.HEADER and behind(piece.text):
                self.moved.append(behind(piece.text) + piece.line[len(piece.text) :])
            if piece.role is Role.FOOTER and begun and self.end is None:
                self.end = piece.line[len(piece.text) :]
            if not piece.is_ours:
                (self.after if begun else self.before).append(piece.line)
        self._flush()

    def entries(self) -> list[Entry]:
        """The entries with their mentions, repeated where their lines are."""
        found = [p.entry for p in self._pieces if p.role is Role.ENTRY and p.entry is not None]
        mentions: dict[Same, list[Piece]] = {}
        for piece in self._pieces:
            if piece.mention is not None and piece.entry is not None:
                mentions.setdefault((piece.entry.kind, piece.entry.key), []).append(piece)
        return [
            replace(
                e, mentions=tuple(p.mention for p in mentions.get((e.kind, e.key), ()) if p.mention)
            )
            for e in found
        ]

    def told(self) -> Iterator[tuple[Same, Remarks]]:
        """What people wrote to each entry."""
        for same in {**self._above, **self._below}:
            above, below = self._above.get(same, ()), self._below.get(same, ())
            yield same, Remarks(tuple(above), tuple(below))

    def _take(self, piece: Piece) -> None:
        same = (piece.entry.kind, piece.entry.key) if piece.entry and piece.is_ours else None
        if piece.role is Role.ABOVE:
            self._pending.append(piece.line)
            self._last = None
        elif piece.role is Role.BELOW and self._last is not None:
            self._below.setdefault(self._last, []).append(piece.line)
        elif piece.role is Role.ENTRY and same is not None:
            self._above.setdefault(same, []).extend(self._pending)
            self._pending = []
            self._last = same
        else:
            self._flush()
            self._last = same if piece.role is Role.MENTION else None
            if piece.role in (Role.OWN, Role.BELOW):
                self.moved.append(piece.line)

    def _flush(self) -> None:
        self.moved += self._pending
        self._pending = []
        self._last = None
