"""A requirements file on disk: the user's text, kept byte for byte, around the block."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.requirements.block import Block
from envmagic.requirements.lines import RequirementLine, decode, parse_lines
from envmagic.requirements.marked import MarkedFile, rendered
from envmagic.requirements.pieces import Piece
from envmagic.requirements.reading import has_block, loaded, with_block_of
from envmagic.system import files, reading

__all__ = ["RequirementsFile", "lines_with_included", "read"]


class _Plain:
    """How a line of the block looks here: as pip reads it."""

    indent = ""

    def item(self, text: str) -> str | None:
        return text

    def shown(self, item: str) -> str:
        return item

    def is_fixed(self, item: str) -> bool:
        return False

    def check(self, path: Path, pieces: list[Piece]) -> None:
        pass  # any line can move


_PLAIN = _Plain()
_DEEPEST = 100  # files that include one another; of 2,000 uv is aborted by its stack


@dataclass(frozen=True)
class RequirementsFile(MarkedFile):
    """What a requirements file holds; `with_block` gives the bytes of a changed one."""

    def with_block(self, block: Block) -> bytes:
        """The file's bytes with `block` in the place of the old one, or at the end."""
        header, lines, footer = rendered(self, block, _PLAIN)
        file = self if self.block is not None else self._extended()
        return file.assembled(block, [header, *lines, footer])

    def is_current(self, block: Block) -> bool:
        """Whether the file on disk is what `with_block` gives; in format 1 it need only say it."""
        return (self.is_old and block == self.block) or self.raw == self.with_block(block)

    def user_lines(self) -> tuple[RequirementLine, ...]:
        """The user's own requirement lines, those of files included by `-r` and `-c` too.

        A line that pip would refuse is left out: it is the user's, and not the record's to judge.
        """
        return _lines_of(self.user_text, (self.path,), {self.path.resolve()})

    def all_lines(self) -> tuple[RequirementLine, ...]:
        """As `user_lines`, with those of the block in their places."""
        return _lines_of(decode(self.raw)[0], (self.path,), {self.path.resolve()})

    def _extended(self) -> RequirementsFile:
        before = self.ended(self.before)
        before += self.newline if before.strip() else ""
        return replace(self, before=before, after=self.newline)


def read(path: Path) -> RequirementsFile:
    """What `path` holds; an empty file where there is none.

    Raises `EnvmagicError` when it cannot be read (`unreadable`), a newer envmagic wrote its block
    (`newer-format`), or the block cannot be put right (`bad-block`, naming the line): a merge left
    its conflict in the file, or the block's lines are there without its first one.
    """
    try:
        raw = reading.content(path)
    except FileNotFoundError:
        return RequirementsFile(path)
    except OSError as error:
        raise files.unreadable(path, error) from error
    return _parsed(path, raw)


@lru_cache(maxsize=256)
def _parsed(path: Path, raw: bytes) -> RequirementsFile:
    """A record is looked at first without its lock, and mostly nothing changes meanwhile."""
    try:
        file, pieces = loaded(RequirementsFile(path), raw, _PLAIN)
    except UnicodeDecodeError as error:
        raise EnvmagicError(
            "unreadable",
            f"{user_path(path)} is not text: {error.reason} at byte {error.start}.",
            "Save it as UTF-8.",
            subject=str(path),
        ) from error
    return with_block_of(file, pieces, _PLAIN)[0] if has_block(path, pieces) else file


def lines_with_included(path: Path, text: str) -> tuple[RequirementLine, ...]:
    """The lines of `text`, which `path` holds, and those of the files that it includes by `-r` and
    `-c`. Raises `EnvmagicError` where these include each other without an end to be seen."""
    return _lines_of(text, (path,), {path.resolve()})


def _lines_of(text: str, chain: tuple[Path, ...], seen: set[Path]) -> tuple[RequirementLine, ...]:
    """`chain`: the file itself, behind those that include it."""
    path = chain[-1]
    if len(chain) > _DEEPEST:
        raise EnvmagicError(
            "bad-requirement",
            f"{user_path(chain[0])} includes more than {_DEEPEST} files one behind another.",
            "Put their lines into fewer files.",
            subject=str(chain[0]),
        )
    found: list[RequirementLine] = []
    for line in _tolerant(text, user_path(path)):
        found.append(line)
        if line.includes is not None and "://" not in line.includes:
            included = _included((*chain, path.parent / line.includes), seen)
            if line.is_constraint:
                included = tuple(replace(i, constraint=True) for i in included)
            found += included
    return tuple(found)


def _included(chain: tuple[Path, ...], seen: set[Path]) -> tuple[RequirementLine, ...]:
    path = chain[-1]
    try:
        real = path.resolve()
        if real in seen:
            return ()
        seen.add(real)
        text, _, _ = decode(reading.content(path))
    except (OSError, UnicodeDecodeError, ValueError):
        return ()  # pip will say so; the record works without it
    return _lines_of(text, chain, seen)


def _tolerant(text: str, source: str) -> tuple[RequirementLine, ...]:
    try:
        return parse_lines(text, source)
    except EnvmagicError:
        found: list[RequirementLine] = []
        for line in re.split(r"\r\n|\r|\n", text):
            try:
                found += parse_lines(line, source)
            except EnvmagicError:
                continue
        return tuple(found)
