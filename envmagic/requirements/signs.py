"""The sign at the end of each line that envmagic writes: by it such a line is told from others.

` #` and four hex digits of a hash over what the line says. Whoever changes the line makes it theirs
without knowing it: the sign is wrong then. A mention's sign says which entry it belongs to, so it
finds that one wherever a sorter has put it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from envmagic.requirements.block import Entry, Kind, Mention

__all__ = [
    "decoded",
    "encoded",
    "entry_of",
    "fixed",
    "mention_of",
    "of_entry",
    "of_mention",
    "split",
]

_SIGNED = re.compile(r"(?P<text>.*\S)[ \t]+#(?P<sign>[0-9a-f]{4})")
_COMMENTED = re.compile(r"# (unresolved|optional): (\S.*)")
_INSTALLED = " (installed)"


def of_entry(entry: Entry) -> str:
    """The sign of an entry's own line."""
    return _sign(entry.kind.value, entry.text)


def of_mention(entry: Entry, mention: Mention) -> str:
    """The sign of a notebook under `entry`; it stays the same when the version changes."""
    return _sign("mention", entry.kind.value, entry.key, encoded(mention))


def fixed(text: str) -> str:
    """The sign of a line that stands for no entry: what environment.yml needs besides."""
    return _sign("fixed", text)


def entry_of(text: str) -> Entry | None:
    """The entry in `text` (`NAME==1`, `# unresolved: MODULE`), whoever wrote it; None for other
    comments."""
    commented = _COMMENTED.fullmatch(text)
    if commented:
        return Entry(Kind(commented[1]), commented[2])
    return None if text.startswith("#") else Entry(Kind.REQUIREMENT, text)


def split(line: str) -> tuple[str, str] | None:
    """A line's text and its sign; None where there is none. Whether it fits is not looked at."""
    signed = _SIGNED.fullmatch(line.strip())
    return (signed["text"], signed["sign"]) if signed else None


def mention_of(line: str, entries: Iterable[Entry]) -> tuple[Entry, Mention] | None:
    """The first of `entries` that the mention in `line` was written under."""
    told = split(line)
    if told is None or not told[0].startswith("# "):
        return None
    mention = decoded(told[0][2:])
    for entry in entries:
        if of_mention(entry, mention) == told[1]:
            return entry, mention
    return None


def encoded(mention: Mention) -> str:
    """A mention as it is written: `a.ipynb (installed)`, what cannot be read back percent-coded."""
    name = mention.notebook
    text = name
    if "%" in name or not name.isprintable():
        text = "".join(c if _plain(c) else _percent(c) for c in name)
    if text != text.strip():  # spaces at the ends would be cut by editors
        inner = text.strip()
        start = text.index(inner) if inner else 0
        text = "%20" * start + inner + "%20" * (len(text) - start - len(inner))
    if text.endswith(_INSTALLED):
        text = text[: -len("(installed)")] + "%28installed)"
    return text + (_INSTALLED if mention.installed else "")


def decoded(text: str) -> Mention:
    """The mention that `encoded` wrote."""
    installed = text.endswith(_INSTALLED)
    name = text.removesuffix(_INSTALLED) if installed else text
    if "%" in name:
        from urllib.parse import unquote_to_bytes

        name = os.fsdecode(unquote_to_bytes(name.encode("utf-8", "surrogateescape")))
    return Mention(name, installed)


def _sign(*parts: str) -> str:
    import hashlib

    # no part has a line end, so what is signed can be read in one way only
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:4]


def _plain(character: str) -> bool:
    return character != "%" and (character == " " or character.isprintable())


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))
