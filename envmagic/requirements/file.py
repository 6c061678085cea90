"""A requirements file on disk: the user's text, kept byte for byte, around the block."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from envmagic.errors import EnvmagicError
from envmagic.home import user_path
from envmagic.requirements.block import FOOTER, HEADER, Block, parse_block, refuse_conflict
from envmagic.requirements.lines import RequirementLine, decode, encode, parse_lines

__all__ = ["RequirementsFile", "read", "user_lines"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


@dataclass(frozen=True)
class RequirementsFile:
    """What a requirements file holds; `with_block` gives the bytes of a changed one."""

    path: Path
    block: Block | None = None
    before: str = ""
    """The user's text before the block; all of it where there is none."""
    after: str = ""
    encoding: str = "utf-8"
    mark: bytes = field(default=b"", repr=False)
    newline: str = "\n"

    @property
    def user_text(self) -> str:
        """All that is not the block."""
        return self.before + self.after

    def with_block(self, block: Block) -> bytes:
        """The file's bytes with `block` in the place of the old one, or at the end."""
        text = self.newline.join(block.render())
        before, after = self.before, self.after
        if self.block is None:
            if before and not before.endswith(("\n", "\r")):
                before += self.newline
            before += self.newline if before.strip() else ""
            after = self.newline
        return self.mark + encode(before + text + after, self.encoding)


def read(path: Path) -> RequirementsFile:
    """What `path` holds; an empty file where there is none.

    Raises `EnvmagicError` when it cannot be read (`unreadable`), or its block has no end, there are
    two, or a merge left its conflict in the file (`bad-block`), naming the line.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return RequirementsFile(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EnvmagicError(
            "unreadable", f"{user_path(path)} cannot be read: {reason}.", subject=str(path)
        ) from error
    return _parsed(path, raw)


def user_lines(file: RequirementsFile) -> tuple[RequirementLine, ...]:
    """The user's own requirement lines, those of files included by `-r` and `-c` too.

    A line that pip would refuse is left out: it is the user's, and not the record's to judge.
    """
    return _lines_of(file.user_text, file.path, {file.path.resolve()})


def _parsed(path: Path, raw: bytes) -> RequirementsFile:
    try:
        text, encoding, mark = decode(raw)
    except UnicodeDecodeError as error:
        raise EnvmagicError(
            "unreadable",
            f"{user_path(path)} is not text: {error.reason} at byte {error.start}.",
            "Save it as UTF-8.",
            subject=str(path),
        ) from error
    newline = _newline(text)
    lines = [m for m in _LINE.findall(text) if m]
    refuse_conflict(lines, user_path(path), str(path))
    start, end = _markers(path, lines)
    if start is None:
        return RequirementsFile(path, None, text, "", encoding, mark, newline)
    content = [line.rstrip("\r\n") for line in lines[start : end + 1]]
    # the line end after the footer is the user's
    tail = lines[end][len(content[-1]) :]
    return RequirementsFile(
        path,
        parse_block(content, start + 1, user_path(path)),
        "".join(lines[:start]),
        tail + "".join(lines[end + 1 :]),
        encoding,
        mark,
        newline,
    )


def _newline(text: str) -> str:
    match = re.search(r"\r\n|\r|\n", text)
    return match[0] if match else "\n"


def _markers(path: Path, lines: list[str]) -> tuple[int | None, int]:
    start: int | None = None
    end: int | None = None
    for number, line in enumerate(lines):
        if HEADER.match(line):
            if start is not None:
                raise _bad_block(path, number, "a second block begins")
            start = number
        elif FOOTER.fullmatch(line):
            if start is None or end is not None:
                raise _bad_block(path, number, "a block ends that did not begin")
            end = number
    if start is not None and end is None:
        raise _bad_block(path, start, "the block that begins here has no end")
    return start, end if end is not None else 0


def _bad_block(path: Path, index: int, what: str) -> EnvmagicError:
    return EnvmagicError(
        "bad-block",
        f"Line {index + 1} of {user_path(path)}: {what}.",
        "Keep one '# >>> envmagic' line and one '# <<< envmagic <<<' line after it.",
        subject=str(path),
    )


def _lines_of(text: str, path: Path, seen: set[Path]) -> tuple[RequirementLine, ...]:
    found: list[RequirementLine] = []
    for line in _tolerant(text, user_path(path)):
        found.append(line)
        if line.includes is not None and "://" not in line.includes:
            included = _included(path.parent / line.includes, seen)
            if line.is_constraint:
                included = tuple(replace(i, constraint=True) for i in included)
            found += included
    return tuple(found)


def _included(path: Path, seen: set[Path]) -> tuple[RequirementLine, ...]:
    try:
        real = path.resolve()
        if real in seen:
            return ()
        seen.add(real)
        text, _, _ = decode(path.read_bytes())
    except (OSError, UnicodeDecodeError, ValueError):
        return ()  # pip will say so; the record works without it
    return _lines_of(text, path, seen)


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
