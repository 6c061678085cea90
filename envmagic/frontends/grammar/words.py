"""A line of text as words: quotes, backslashes and comments, the same on every system."""

from __future__ import annotations

import os
import re

from envmagic.core.display import shortened
from envmagic.core.errors import WordsError

__all__ = ["split"]

# On Windows a backslash separates directories, so it escapes nothing there.
_ESCAPE = "" if os.name == "nt" else r"|\\."
_WORD = re.compile(rf"""\s*(#.*|(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"{_ESCAPE}|\\)+)""", re.DOTALL)
_PIECE = re.compile(rf"""'([^']*)'|"((?:[^"\\]|\\.)*)"{_ESCAPE}|[^'"\\]+|\\""", re.DOTALL)


def split(line: str) -> tuple[str, ...]:
    """The words of `line`; a word that starts with `#` begins a comment.

    A `#` inside a word stays (`git+https://host/x#egg=y`). Raises `WordsError` on an open quote.
    """
    words = []
    position = 0
    end = len(line.rstrip())
    while position < end:
        match = _WORD.match(line, position, end)
        if match is None:
            raise WordsError(
                "open-quote",
                f"A quote is never closed: {shortened(line[position:end])}",
                "Close it.",
            )
        if match[1].startswith("#"):
            break
        words.append("".join(_plain(piece) for piece in _PIECE.finditer(match[1])))
        position = match.end()
    return tuple(words)


def _plain(piece: re.Match[str]) -> str:
    if piece[1] is not None:
        return piece[1]
    if piece[2] is not None:
        return re.sub(r'\\(["\\])', r"\1", piece[2]) if _ESCAPE else piece[2]
    text = piece[0]
    return text[1:] if _ESCAPE and len(text) == 2 and text[0] == "\\" else text
