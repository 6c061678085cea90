"""What the words of a person were found to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from envmagic.core.verb_names import VERBS

if TYPE_CHECKING:
    from envmagic.core.verbs import Request

__all__ = ["Help", "ParsedCommand", "meant", "nearest", "prefix"]


class ParsedCommand(NamedTuple):
    """What was asked, and how the answer is wanted."""

    request: Request
    json: bool = False
    notebook: str | None = None
    """`--notebook`, in a terminal only."""
    env: str | None = None
    """`--env`, in a terminal only (`record` has its own)."""


class Help(NamedTuple):
    """Help was asked for: of one verb, of `%%env`, or of everything."""

    verb: str = ""
    cell: bool = False


def prefix(*, terminal: bool) -> str:
    """What is typed before a verb."""
    return "envmagic" if terminal else "%env"


def nearest(word: str, among: Iterable[str], *, closeness: float = 0.6) -> tuple[str, ...]:
    """Those of `among` that `word` may have been meant to be, the nearest first, two at most."""
    from difflib import get_close_matches

    return tuple(get_close_matches(word.lower(), list(among), 2, closeness))


def meant(word: str, *, closeness: float = 0.6) -> tuple[str, ...]:
    """The verbs that `word` may have been meant to be: mistyped, or what other tools call it."""
    other = _OTHER_WORDS.get(word.lower())
    if other is not None:
        return (other,)
    return nearest(word, VERBS, closeness=closeness) if len(word) > 2 else ()


_OTHER_WORDS = {
    "rm": "remove",
    "delete": "remove",
    "activate": "use",
    "switch": "use",
    "deactivate": "use python3",
}
