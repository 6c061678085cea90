"""Reading a file with a block: its lines as they are, what cannot be put right, and the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.record_files import BEGIN, END
from envmagic.requirements import format1
from envmagic.requirements.block import Block, Pin
from envmagic.requirements.lines import decode
from envmagic.requirements.marked import AnyFile, header, with_pieces
from envmagic.requirements.pieces import (
    DIGITS,
    FORMAT,
    HEADER,
    Dialect,
    Piece,
    Role,
    between,
    lines_of,
    pieces_of,
    refuse_conflict,
)

__all__ = ["bad_block", "has_block", "loaded", "with_block_of"]


def loaded(file: AnyFile, raw: bytes, dialect: Dialect) -> tuple[AnyFile, list[Piece]]:
    """`file` with what `raw` says of its form, and the lines as they are.

    Raises `UnicodeDecodeError`, and `EnvmagicError` (`bad-block`) where a merge left its conflict.
    """
    text, encoding, mark = decode(raw)
    match = re.search(r"\r\n|\r|\n", text)
    newline = match[0] if match else "\n"
    lines = lines_of(text)
    refuse_conflict(lines, user_path(file.path), str(file.path))
    file = replace(file, encoding=encoding, mark=mark, newline=newline, raw=raw, before=text)
    return file, pieces_of(lines, dialect)


def has_block(path: Path, pieces: Sequence[Piece]) -> bool:
    """Whether there is a block in these lines of `path`.

    Raises `EnvmagicError`: `newer-format`, or `bad-block` where its lines are there and its header
    is not, where it is one of format 1 that is not whole, or of both formats.
    """
    headers = [(p, int(m["format"][:DIGITS])) for p in pieces if (m := _header(p)) is not None]
    for piece, number in headers:
        if number > FORMAT:
            raise EnvmagicError(
                "newer-format",
                f"Line {piece.number} of {user_path(path)} was written by a newer envmagic.",
                "Upgrade envmagic: pip install -U envmagic",
                subject=str(path),
            )
    if not headers:
        signed = next((p for p in pieces if p.is_ours and p.role is not Role.FOOTER), None)
        if signed is not None:
            raise bad_block(
                path,
                signed,
                "envmagic wrote this line, but the line that its block begins with is gone",
            )
    if not headers or any(number < FORMAT for _, number in headers):
        _check_old(path, pieces)
    return bool(headers)


def _check_old(path: Path, pieces: Sequence[Piece]) -> None:
    start = end = None
    for piece in pieces:
        if piece.role is Role.HEADER:
            if start is not None:
                raise bad_block(path, piece, "a second block begins")
            start = piece
        elif piece.role is Role.FOOTER:
            if start is None or end is not None:
                raise bad_block(path, piece, "a block ends that did not begin")
            end = piece
    if start is not None and end is None:
        raise bad_block(path, start, "the block that begins here has no end")


def bad_block(path: Path, piece: Piece, what: str, hint: str = "") -> EnvmagicError:
    """That `piece` is where it cannot be put right."""
    return EnvmagicError(
        "bad-block",
        f"Line {piece.number} of {user_path(path)}: {what}.",
        hint or f"Keep one '{BEGIN.strip()}' line and one '{END}' line after it.",
        subject=str(path),
    )


def with_block_of(
    file: AnyFile, pieces: list[Piece], dialect: Dialect
) -> tuple[AnyFile, list[Piece]]:
    """`file` with the block that `pieces` have, and those as they are taken; of two blocks the
    first one's state counts. Raises `EnvmagicError` as `dialect.check` does."""
    first = next(p for p in pieces if p.role is Role.HEADER)
    match = _header(first)
    assert match is not None
    state = _state(match["state"])
    # the block's own line ends, whatever lines come to stand before it
    file = replace(file, newline=first.line[len(first.text) :] or file.newline)
    is_old = False
    if int(match["format"][:DIGITS]) < FORMAT:
        pieces, whole = format1.claimed(pieces, list(between(pieces)), dialect, state.pin)
        is_old = whole and first.text == dialect.indent + header(state, 1)
    dialect.check(file.path, pieces)
    return replace(with_pieces(file, pieces, state), is_old=is_old), pieces


def _header(piece: Piece) -> re.Match[str] | None:
    return HEADER.match(piece.text.strip()) if piece.role is Role.HEADER else None


def _state(text: str) -> Block:
    python = re.search(r"python ([\d.]+)", text)
    pin = re.search(r"pin (\w+)", text)
    known = pin is not None and pin[1] in {p.value for p in Pin}
    return Block(
        python=python[1] if python else None,
        pin=Pin(pin[1]) if pin and known else Pin.EXACT,
        recording="recording off" not in text,
    )
