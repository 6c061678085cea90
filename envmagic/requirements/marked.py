"""A file with a block between two markers: the user's text, kept byte for byte, around ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from envmagic.core.record_files import BEGIN, END
from envmagic.requirements import signs
from envmagic.requirements.arrangement import Arrangement, Remarks, Same
from envmagic.requirements.block import Block, Entry, Kind, joined
from envmagic.requirements.lines import encode
from envmagic.requirements.pieces import FORMAT, Dialect, Piece, Role, lines_of

__all__ = ["AnyFile", "MarkedFile", "header", "rendered", "with_pieces"]

AnyFile = TypeVar("AnyFile", bound="MarkedFile")


@dataclass(frozen=True)
class MarkedFile:
    """What a file with a block holds."""

    path: Path
    block: Block | None = None
    before: str = ""
    """The user's text before the block; all of it where there is none."""
    after: str = ""
    remarks: tuple[tuple[Same, Remarks], ...] = ()
    """By kind and key of their entry."""
    encoding: str = "utf-8"
    mark: bytes = field(default=b"", repr=False)
    newline: str = "\n"
    raw: bytes = field(default=b"", repr=False)
    """As it is on disk."""
    is_old: bool = False
    """The block is one of format 1, as it was written: right as it is if it says what it should."""
    claims: tuple[Piece, ...] = field(default=(), repr=False)
    """All lines, where of some it is not settled whether they are ours."""

    @property
    def user_text(self) -> str:
        """All that is not the block."""
        return self.before + self.after

    @property
    def doubtful(self) -> frozenset[Same]:
        """Kind and key of entries that may be lines of the user's."""
        return frozenset((p.entry.kind, p.entry.key) for p in self.claims if p.doubtful and p.entry)

    def proven(self, block: Block, entries: Iterable[Entry]) -> Block:
        """`block` without the doubtful entries that are not among `entries`: that a line is there
        does not prove that it is ours."""
        doubtful = self.doubtful - {(entry.kind, entry.key) for entry in entries}
        kept = tuple(e for e in block.entries if (e.kind, e.key) not in doubtful)
        return replace(block, entries=kept) if doubtful else block

    def settled(self: AnyFile, block: Block) -> AnyFile:
        """The file with the doubtful lines that `block` does not have being the user's.

        One that repeats what another line of the user's asks for goes. The very same file where
        nothing changes.
        """
        written = {(entry.kind, entry.text) for entry in block.entries}
        lost = [p for p in self.claims if p.doubtful and p.entry and _text(p.entry) not in written]
        if not lost:
            return self
        # with another marker it is no repeat
        own = {p.entry.key for p in self.claims if p.role is Role.OWN and p.entry is not None}
        pieces: list[Piece] = []
        for piece in self.claims:
            if piece in lost and piece.entry is not None:
                role = Role.OWN if piece.entry.kind is Kind.REQUIREMENT else Role.ABOVE
                if role is Role.OWN and piece.entry.key in own:
                    continue
                own |= {piece.entry.key} if role is Role.OWN else set()
                piece = replace(piece, role=role, doubtful=False)
            pieces.append(piece)
        assert self.block is not None
        return replace(with_pieces(self, pieces, self.block), is_old=False)

    def assembled(self, block: Block, lines: Iterable[str]) -> bytes:
        """The file's bytes with `lines` (of `block`) in the place of the old ones; what people said
        of an entry that `block` does not have stands above them."""
        there = {(entry.kind, entry.key) for entry in block.entries}
        loose = [x for same, r in self.remarks if same not in there for x in (*r.above, *r.below)]
        before = _unsigned(self.before, block)
        for line in loose:
            before = self.ended(before) + _unsigned(line, block)
        text = "".join(x if x.endswith(("\n", "\r")) else x + self.newline for x in lines)
        after = _unsigned(self.after, block)
        whole = self.ended(before) + text.removesuffix(self.newline) + after
        return self.mark + encode(whole, self.encoding)

    def ended(self, text: str) -> str:
        """`text` with a line end, unless it is empty."""
        return text if not text or text.endswith(("\n", "\r")) else text + self.newline


def _text(entry: Entry) -> tuple[Kind, str]:
    return (entry.kind, entry.text)


def _unsigned(text: str, block: Block) -> str:
    """`text` without the mentions of entries that `block` has: those are ours, though the entry's
    line was not there when the file was read."""
    if " #" not in text:
        return text
    found = (x for x in lines_of(text) if signs.mention_of(x, block.entries) is None)
    return "".join(found)


def with_pieces(file: AnyFile, pieces: Sequence[Piece], state: Block) -> AnyFile:
    """`file` with the text, the comments and the entries that `pieces` say; `state` is the
    header's.

    What is the user's between the markers stands above them then.
    """
    arranged = Arrangement(pieces)
    after = "".join(arranged.after)
    end = arranged.end
    if end is None or (after and not end):
        end = file.newline
    block = replace(state, entries=joined(arranged.entries(), state.pin))
    # the last line of a file may have no end, and is no longer the last
    before = "".join(file.ended(line) for line in (*arranged.before, *arranged.moved))
    return replace(
        file,
        block=block,
        before=before,
        after=end + after,
        remarks=tuple(arranged.told()),
        claims=tuple(pieces) if any(p.doubtful for p in pieces) else (),
    )


def rendered(file: MarkedFile, block: Block, dialect: Dialect) -> tuple[str, list[str], str]:
    """The header, the lines of the entries and the footer; people's lines with their ends, ours
    without."""
    remarks = dict(file.remarks)
    lines: list[str] = []
    for entry in sorted(block.entries, key=lambda e: e.order):
        told = remarks.get((entry.kind, entry.key), Remarks())
        comment = f"# {entry.kind.value}: {entry.text}"
        text = dialect.shown(entry.text) if entry.kind is Kind.REQUIREMENT else comment
        lines += [line for line in told.above if _unsigned(line, block)]
        lines.append(f"{dialect.indent}{text} #{signs.of_entry(entry)}")
        lines += [line for line in told.below if _unsigned(line, block)]
        for mention in sorted(entry.mentions):
            sign = signs.of_mention(entry, mention)
            lines.append(f"{dialect.indent}    # {signs.encoded(mention)} #{sign}")
    return dialect.indent + header(block), lines, dialect.indent + END


def header(block: Block, number: int = FORMAT) -> str:
    """The first line of a block, which holds its state."""
    python = f"python {block.python}, " if block.python else ""
    state = "on" if block.recording else "off"
    return f"{BEGIN}{number} >>> {python}pin {block.pin.value}, recording {state}"
