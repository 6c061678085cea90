"""What every file with a record is, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from envmagic.requirements.block import Block, Entry, Kind
from envmagic.requirements.lines import RequirementLine

__all__ = ["RecordFile", "settled"]

AnyRecordFile = TypeVar("AnyRecordFile", bound="RecordFile")


class RecordFile(Protocol):
    """A file with a record: the user's text, kept byte for byte, and the block of ours in it.

    `requirements.marked.MarkedFile` is most of one.
    """

    @property
    def path(self) -> Path: ...

    @property
    def block(self) -> Block | None:
        """What is recorded; None where there is no block."""
        ...

    @property
    def raw(self) -> bytes:
        """As it is on disk; empty where it is not there."""
        ...

    @property
    def user_text(self) -> str:
        """All that is not the block."""
        ...

    @property
    def doubtful(self) -> frozenset[tuple[Kind, str]]:
        """Kind and key of entries that may be lines of the user's."""
        ...

    def user_lines(self) -> tuple[RequirementLine, ...]:
        """What the user's text asks for."""
        ...

    def proven(self, block: Block, entries: Iterable[Entry]) -> Block:
        """`block` without the entries that may be lines of the user's and are not in `entries`."""
        ...

    def settled(self: AnyRecordFile, block: Block) -> AnyRecordFile:
        """The file with what may be the user's, and is not in `block`, being the user's; the very
        same where nothing changes."""
        ...

    def with_block(self, block: Block) -> bytes:
        """The file's bytes with `block` in the place of the old one, or where a new one goes."""
        ...

    def is_current(self, block: Block) -> bool:
        """Whether the file need not be written for `block`."""
        ...


class _Merged(Protocol):
    """What a file is to hold, and what became of it."""

    @property
    def block(self) -> Block: ...


Result = TypeVar("Result", bound=_Merged)


def settled(
    file: AnyRecordFile, merge: Callable[[AnyRecordFile], Result]
) -> tuple[AnyRecordFile, Result]:
    """What `merge` makes of `file`, and the file for which that is so: lines that turn out to be
    the user's win over what was to be written."""
    while True:
        merged = merge(file)
        now = file.settled(merged.block)
        if now is file:
            return file, merged
        file = now
