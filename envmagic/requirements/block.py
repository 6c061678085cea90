"""The block of a requirements file that envmagic keeps, as values: entries and who needs them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from envmagic.core.names import normalized

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

__all__ = ["Block", "Entry", "Kind", "Mention", "Pin", "joined"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# One version behind a name and its extras, perhaps a marker behind that: what a pin looks like.
_PINNED = re.compile(
    r"(?P<name>(?:[^\s:]+::)?[A-Za-z0-9_][\w.-]*(?:\[[^\]]*\])?)(?P<operator>==?|~=|>=)"
    r"(?P<version>\d[^\s,;*=]*)(?P<marker>\s*(?:;.*)?)"
)


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

    def wrote(self, text: str) -> bool:
        """Whether the version in `text` is written like this; True where there is none."""
        pinned = _PINNED.fullmatch(text)
        if pinned is not None:
            return pinned["operator"] in _OPERATORS[self]
        return not re.search(r"[<>=!~]=|[<>]", text.partition(";")[0].partition(" @ ")[0])

    def rewritten(self, text: str, old: Pin, exact: str = "==") -> str:
        """`text` with the version that `old` wrote there written like this; `exact` is what stands
        before an exact one. Without such a version, as it is."""
        pinned = _PINNED.fullmatch(text)
        if pinned is None or pinned["operator"] not in _OPERATORS[old]:
            return text
        version = pinned["version"]
        specifier = exact + version if self is Pin.EXACT else self.specifier(version)
        return pinned["name"] + specifier + pinned["marker"]


_OPERATORS = {
    Pin.EXACT: ("==", "="),
    Pin.COMPATIBLE: ("~=", ">="),
    Pin.MINIMUM: (">=",),
    Pin.NONE: (),
}


class Kind(str, Enum):
    """What an entry of the block is."""

    REQUIREMENT = "requirement"
    OPTIONAL = "optional"
    """Imported only where it is there (`try`), and not installed: a comment."""
    UNRESOLVED = "unresolved"
    """An import that no distribution is known for: a comment."""


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

    @property
    def name(self) -> str:
        """`key` without a marker."""
        return self.key.partition(";")[0]

    @property
    def order(self) -> tuple[int, str, str]:
        """Where it stands in the block."""
        return (_RANKS[self.kind], self.key, self.text)


_RANKS = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True)
class Block:
    """Everything between the markers; the header holds the state."""

    python: str | None = None
    pin: Pin = Pin.EXACT
    recording: bool = True
    entries: tuple[Entry, ...] = ()

    @property
    def notebooks(self) -> frozenset[str]:
        """All that are mentioned."""
        return frozenset(m.notebook for entry in self.entries for m in entry.mentions)

    def replaced(self, new: Mapping[str, Iterable[Entry]]) -> Block:
        """The block with what each notebook in `new` needs being exactly those entries.

        They carry its mention. An entry that no notebook needs any more goes.
        """
        kept: list[Entry] = []
        for entry in self.entries:
            others = tuple(m for m in entry.mentions if m.notebook not in new)
            if others or not entry.mentions:
                kept.append(replace(entry, mentions=others))
        added = [entry for entries in new.values() for entry in entries]
        return replace(self, entries=joined([*kept, *added]))

    def without(self, notebooks: Iterable[str]) -> Block:
        """The block without `notebooks`, and what nobody else needs."""
        gone = self.notebooks.intersection(notebooks)
        return self.replaced(dict.fromkeys(gone, ())) if gone else self

    def renamed(self, names: Mapping[str, str]) -> Block:
        """The block with the notebooks in `names` called what they are called there."""
        if self.notebooks.isdisjoint(names):
            return self
        entries = (
            replace(
                e,
                mentions=tuple(
                    Mention(names.get(m.notebook, m.notebook), m.installed) for m in e.mentions
                ),
            )
            for e in self.entries
        )
        return replace(self, entries=joined(entries))

    def restyled(self, pin: Pin, exact: str = "==") -> Block:
        """The block with its versions written as `pin` says, as far as its own style wrote them."""
        if pin is self.pin:
            return self
        entries = (
            replace(e, text=pin.rewritten(e.text, self.pin, exact))
            if e.kind is Kind.REQUIREMENT
            else e
            for e in self.entries
        )
        return replace(self, pin=pin, entries=joined(entries))

    def without_names(self, names: Collection[str]) -> Block:
        """The block without the distributions `names` (normalised): other lines ask for them."""
        entries = tuple(e for e in self.entries if e.kind is Kind.UNRESOLVED or e.name not in names)
        return self if len(entries) == len(self.entries) else replace(self, entries=entries)

    def with_lines(self, texts: Mapping[str, str]) -> Block:
        """The block with the line in `texts` for each distribution (normalised name) in it."""
        told = [e.kind is Kind.REQUIREMENT and e.key in texts for e in self.entries]
        if not any(told):
            return self
        entries = zip(self.entries, told, strict=True)
        return replace(
            self,
            entries=joined(
                replace(e, text=texts[e.key]) if is_told else e for e, is_told in entries
            ),
        )


def joined(entries: Iterable[Entry], pin: Pin | None = None) -> tuple[Entry, ...]:
    """Entries of the same kind and key as one; mentions add up.

    The text of the last wins; with the `pin` of a block that lists one thing twice, the higher
    version does, and extras add up.
    """
    texts: dict[tuple[Kind, str], list[str]] = {}
    mentions: dict[tuple[Kind, str], dict[str, Mention]] = {}
    for entry in entries:
        same = (entry.kind, entry.key)
        texts.setdefault(same, []).append(entry.text)
        held = mentions.setdefault(same, {})
        for mention in entry.mentions:
            # an import says more than an install line
            if mention.notebook not in held or not mention.installed:
                held[mention.notebook] = mention
    found = (
        Entry(
            same[0],
            _highest(told, pin) if pin is not None and len(set(told)) > 1 else told[-1],
            tuple(mention for _, mention in sorted(mentions[same].items())),
        )
        for same, told in texts.items()
    )
    return tuple(sorted(found, key=lambda entry: entry.order))


def _highest(texts: list[str], pin: Pin) -> str:
    """Of lines for one distribution: a URL, else the higher version, with the extras of all."""

    def rank(text: str) -> tuple[bool, Version, bool, str]:
        from packaging.version import InvalidVersion, Version

        pinned = _PINNED.fullmatch(text)
        try:
            version = Version(pinned["version"] if pinned else "0")
        except InvalidVersion:
            version = Version("0")
        return ("@" in text, version, pin.wrote(text), text)

    best = max(texts, key=rank)
    extras = {x.strip() for text in texts for x in _extras(text).split(",")} - {""}
    match = _NAME.match(best)
    if match is None or not extras:
        return best
    rest = best[match.end() :].removeprefix(f"[{_extras(best)}]")
    return f"{match[0]}[{','.join(sorted(extras))}]{rest}"


def _extras(text: str) -> str:
    match = _NAME.match(text)
    found = re.match(r"\[([^\]]*)\]", text[match.end() :]) if match else None
    return found[1] if found else ""
