"""One grammar for every frontend: words in, a request out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envmagic.frontends.grammar.asked import Help, ParsedCommand

if TYPE_CHECKING:
    from envmagic.core.model import Frontend

__all__ = ["parse", "parse_cell", "split"]


def parse(words: Sequence[str], frontend: Frontend) -> ParsedCommand | Help:
    """The request that `words` make, the verb first. Raises `WordsError` naming what is wrong."""
    from envmagic.frontends.grammar import parsing

    return parsing.parse(words, frontend)


def parse_cell(words: Sequence[str], body: str) -> ParsedCommand | Help:
    """The request of a `%%env` cell: create's words in the line, requirement lines as `body`."""
    from envmagic.frontends.grammar import parsing

    return parsing.parse_cell(words, body)


def split(line: str) -> tuple[str, ...]:
    """The words of `line`, quotes and comments taken out. Raises `WordsError` on an open quote."""
    from envmagic.frontends.grammar import words

    return words.split(line)
