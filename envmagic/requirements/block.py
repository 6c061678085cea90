"""The block of a requirements file that envmagic keeps: its lines as values, and back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from envmagic.errors import EnvmagicError
from envmagic.requirements.lines import normalized

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "FOOTER",
    "HEADER",
    "Block",
    "Entry",
    "Kind",
    "Mention",
    "Pin",
    "parse_block",
    "refuse_conflict",
]

HEADER = re.compile(r"# >>> envmagic (?P<schema>\d+) >>>(?P<state>.*)")
FOOTER = re.compile(r"# <<< envmagic <<<\s*")
_SCHEMA = 1
_INSTALLED = " (installed)"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMENTED = re.compile(r"# (unresolved|optional): (\S.*)")
# What git leaves where two sides changed the same lines; `=======` stands between two of these.
_CONFLICT = re.compile(r"\s*(?:<{7}|>{7}|\|{7})(?:\s|$)")


class Pin(str, Enum):
    """How a version that is installed is written."""

    EXACT = "exact"
    COMPATIBLE = "compatible"
    MINIMUM = "minimum"
    NONE = "none"

    def specifier(self, version: str) -> str:
        """The specifier for `version`, local part cut: `==2.3.3`, `~=2.3.3`, `>=2.3.3` or ``."""
        public = version.partition("+")[0]
        if self is Pin.NONE:
            return ""
        if self is Pin.COMPATIBLE:
            # ~= needs two release segments at least
            return f"~={public}" if re.match(r"(\d+!)?\d+\.\d", public) else f">={public}"
        return f"=={public}" if self is Pin.EXACT else f">={public}"


class Kind(str, Enum):
    """What an entry of the block is."""

    REQUIREMENT = "requirement"
    OPTIONAL = "optional"
    """Imported only where it is there (`try`), and not installed: a comment."""
    UNRESOLVED = "unresolved"
    """An import that no distribution is known for: a comment."""
    NOTE = "note"
    """A line that somebody else wrote into the block: kept as it is."""


@dataclass(frozen=True, order=True)
class Mention:
    """One notebook under an entry."""

    notebook: str
    """Path from the requirements file's directory, with `/`."""
    installed: bool = False
    """It is there because the notebook installs it, not because it imports it."""


@dataclass(frozen=True)
class Entry:
    """One requirement (or comment) of the block with the notebooks that need it."""

    kind: Kind
    text: str
    """The requirement line, the optional distribution or the unresolved module."""
    mentions: tuple[Mention, ...] = ()

    @property
    def requirement(self) -> Requirement | None:
        """Its parsed line; None for comments, URLs and paths."""
        if self.kind is not Kind.REQUIREMENT:
            return None
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            return Requirement(self.text)
        except InvalidRequirement:
            return None

    @property
    def is_bare(self) -> bool:
        """It is a name and nothing else."""
        return _NAME.fullmatch(self.text) is not None

    @cached_property
    def key(self) -> str:
        """What makes two entries the same: the normalised name, or the text where there is none."""
        match = _NAME.match(self.text)
        # a URL's or a drive's colon is no end of a name
        if self.kind in (Kind.REQUIREMENT, Kind.OPTIONAL) and match:
            rest = self.text[match.end() :]
            if not rest.startswith((":", "+", "/", "\\")):
                marker = rest.partition(";")[2].strip() if " @ " not in rest else ""
                return normalized(match[0]) + (f";{marker}" if marker else "")
        return self.text


@dataclass(frozen=True)
class Block:
    """Everything between the markers; the header holds the state."""

    python: str | None = None
    pin: Pin = Pin.EXACT
    recording: bool = True
    entries: tuple[Entry, ...] = ()

    def replaced(self, new: Mapping[str, Iterable[Entry]]) -> Block:
        """The block with what each notebook in `new` needs being exactly those entries.

        They carry its mention. An entry that no notebook needs any more goes; one that no notebook
        ever was under (written by hand) stays.
        """
        kept: list[Entry] = []
        for entry in self.entries:
            others = tuple(m for m in entry.mentions if m.notebook not in new)
            if others or not entry.mentions:
                kept.append(replace(entry, mentions=others))
        added = [entry for entries in new.values() for entry in entries]
        return replace(self, entries=_joined([*kept, *added]))

    def without_missing(self, exists: Callable[[str], bool]) -> Block:
        """The block without the notebooks for which `exists` is false."""
        gone = {m.notebook for e in self.entries for m in e.mentions if not exists(m.notebook)}
        return self.replaced(dict.fromkeys(gone, ())) if gone else self

    def with_lines(self, texts: Mapping[str, str]) -> Block:
        """The block with the line in `texts` for each distribution (normalised name) in it."""
        told = [e.kind is Kind.REQUIREMENT and e.key in texts for e in self.entries]
        if not any(told):
            return self
        entries = zip(self.entries, told, strict=True)
        return replace(
            self,
            entries=_joined(
                replace(e, text=texts[e.key]) if is_told else e for e, is_told in entries
            ),
        )

    def render(self) -> list[str]:
        """Its lines, markers included, without line ends."""
        python = f"python {self.python}, " if self.python else ""
        state = "on" if self.recording else "off"
        lines = [f"# >>> envmagic {_SCHEMA} >>> {python}pin {self.pin.value}, recording {state}"]
        for entry in sorted(self.entries, key=_order):
            comment = entry.kind in (Kind.OPTIONAL, Kind.UNRESOLVED)
            lines.append(f"# {entry.kind.value}: {entry.text}" if comment else entry.text)
            lines += [f"    # {_encoded(m)}" for m in sorted(entry.mentions)]
        return [*lines, "# <<< envmagic <<<"]


def parse_block(lines: list[str], first: int, source: str) -> Block:
    """The block whose header is `lines[0]` and whose footer is the last of `lines`.

    `first` is the header's line number. Raises `EnvmagicError` for a newer format.
    """
    header = HEADER.match(lines[0])
    assert header is not None
    if int(header["schema"]) > _SCHEMA:
        raise EnvmagicError(
            "newer-format",
            f"Line {first} of {source} was written by a newer envmagic.",
            "Upgrade envmagic: pip install -U envmagic",
            subject=source,
        )
    entries: list[Entry] = []
    for line in lines[1:-1]:
        mention = re.match(r"[ \t]+# (.+)", line)
        if mention and entries and entries[-1].kind is not Kind.NOTE:
            added = (*entries[-1].mentions, _decoded(mention[1].rstrip()))
            entries[-1] = replace(entries[-1], mentions=added)
        elif line.strip():
            entries.append(_entry(line))
    return _state(header["state"], _joined(entries))


def refuse_conflict(lines: Iterable[str], source: str, subject: str) -> None:
    """Raise `EnvmagicError` (`bad-block`) where a merge left both sides in `lines` of `source`.

    Anywhere in the file: pip reads none of it, and what is recorded is not settled.
    """
    for number, line in enumerate(lines, 1):
        if _CONFLICT.match(line):
            raise EnvmagicError(
                "bad-block",
                f"Line {number} of {source} is a conflict marker: a merge left both sides there.",
                "Keep one side and delete the marker lines; then: %env record",
                subject=subject,
            )


def _entry(line: str) -> Entry:
    commented = _COMMENTED.fullmatch(line.rstrip())
    if commented:
        return Entry(Kind(commented[1]), commented[2])
    if line.lstrip().startswith(("#", "-")) and not line.startswith("-e "):
        return Entry(Kind.NOTE, line)
    return Entry(Kind.REQUIREMENT, line.strip())


def _state(text: str, entries: tuple[Entry, ...]) -> Block:
    python = re.search(r"python ([\d.]+)", text)
    pin = re.search(r"pin (\w+)", text)
    known = pin is not None and pin[1] in {p.value for p in Pin}
    return Block(
        python=python[1] if python else None,
        pin=Pin(pin[1]) if pin and known else Pin.EXACT,
        recording="recording off" not in text,
        entries=entries,
    )


def _joined(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries of the same kind and key as one; the text of the last wins, mentions add up."""
    texts: dict[tuple[Kind, str], str] = {}
    mentions: dict[tuple[Kind, str], dict[str, Mention]] = {}
    for entry in entries:
        same = (entry.kind, entry.key)
        texts[same] = entry.text
        mentions.setdefault(same, {}).update((m.notebook, m) for m in entry.mentions)
    joined = (
        Entry(same[0], text, tuple(m for _, m in sorted(mentions[same].items())))
        for same, text in texts.items()
    )
    return tuple(sorted(joined, key=_order))


def _order(entry: Entry) -> tuple[int, str, str]:
    rank = {Kind.REQUIREMENT: 0, Kind.OPTIONAL: 1, Kind.UNRESOLVED: 2, Kind.NOTE: 3}[entry.kind]
    # notes keep their order: nothing is known about them
    return (rank, "", "") if entry.kind is Kind.NOTE else (rank, entry.key, entry.text)


def _encoded(mention: Mention) -> str:
    name = mention.notebook
    encoded = "".join(c if _plain(c) else _percent(c) for c in name)
    if encoded != encoded.strip():  # spaces at the ends would be cut by editors
        inner = encoded.strip()
        start = encoded.index(inner) if inner else 0
        encoded = "%20" * start + inner + "%20" * (len(encoded) - start - len(inner))
    if encoded.endswith(_INSTALLED):
        encoded = encoded[: -len("(installed)")] + "%28installed)"
    return encoded + (_INSTALLED if mention.installed else "")


def _plain(character: str) -> bool:
    return character != "%" and (character == " " or character.isprintable())


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))


def _decoded(text: str) -> Mention:
    installed = text.endswith(_INSTALLED)
    name = text.removesuffix(_INSTALLED) if installed else text
    if "%" in name:
        from urllib.parse import unquote_to_bytes

        name = os.fsdecode(unquote_to_bytes(name))
    return Mention(name, installed)
