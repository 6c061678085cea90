"""Blocks of format 1, which had no signs: which of their lines are envmagic's all the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from envmagic.requirements import signs
from envmagic.requirements.block import Entry, Kind, Mention, Pin
from envmagic.requirements.pieces import Dialect, Piece, Role

__all__ = ["claimed"]

_MENTION = re.compile(
    r"# (?P<mention>(?:.+\.(?:ipynb|py|md|qmd|rmd)|.*\(this session\))(?: \(installed\))?)", re.I
)
_NAME = re.compile(r"[\w.-]+")
_COMMENT = re.compile(r"\s#")


@dataclass
class _Group:
    """A line that may be an entry, with the notebooks under it."""

    index: int
    entry: Entry
    mentions: dict[int, Mention] = field(default_factory=dict)


def claimed(
    pieces: Sequence[Piece], inside: Sequence[bool], dialect: Dialect, pin: Pin
) -> tuple[list[Piece], bool]:
    """`pieces` with those of the block that are ours, and whether it is as it was written.

    As it was written, every line with a notebook under it is ours if its version is written as
    `pin` says. Otherwise such a line is doubtful: who writes the file has to find that it is what
    belongs there. Where somebody sorted or edited the block, the ones that `pin` says are doubtful,
    and the others are not ours.
    """
    found = list(pieces)
    for index, piece in enumerate(found):
        # by their form; a comment of that form is as good as none
        item = piece.entry.text if inside[index] and piece.entry and not piece.is_ours else None
        if item and dialect.is_fixed(item):
            found[index] = replace(piece, role=Role.FIXED, entry=None)
    groups = _groups(found, inside, dialect)
    whole = _is_whole(found, inside, groups, dialect)
    for group in groups:
        if not group.mentions:
            continue  # somebody else's
        fits = group.entry.kind is not Kind.REQUIREMENT or pin.wrote(group.entry.text)
        if whole or fits:
            ours = replace(found[group.index], role=Role.ENTRY, entry=group.entry)
            found[group.index] = replace(ours, doubtful=not (whole and fits))
        for index, mention in group.mentions.items():
            ours = replace(found[index], role=Role.MENTION, entry=group.entry)
            found[index] = replace(ours, mention=mention)
    remarks = any(p.role is Role.BELOW for p, is_in in zip(found, inside, strict=True) if is_in)
    return found, whole and not remarks


def _groups(pieces: Sequence[Piece], inside: Sequence[bool], dialect: Dialect) -> list[_Group]:
    groups: list[_Group] = []
    current: _Group | None = None
    for index, (piece, is_in) in enumerate(zip(pieces, inside, strict=True)):
        if not is_in:
            current = None
            continue
        entry = _entry(piece, dialect)
        mention = _MENTION.fullmatch(piece.text.strip()) if piece.role is Role.BELOW else None
        if entry is not None:
            current = _Group(index, entry)
            groups.append(current)
        elif mention is not None and current is not None:
            current.mentions[index] = signs.decoded(mention["mention"])
        elif piece.role not in (Role.BELOW, Role.BLANK):
            current = None
    return groups


def _entry(piece: Piece, dialect: Dialect) -> Entry | None:
    if piece.role is Role.ABOVE:
        entry = signs.entry_of(piece.text.strip())
        # with more words behind the name it is what a person made of it
        return entry if entry is not None and _NAME.fullmatch(entry.text) else None
    if piece.role is not Role.OWN or piece.entry is None:
        return None
    text = piece.text[len(dialect.indent) :]
    if not piece.line.startswith(dialect.indent) or text[:1].isspace():
        return None
    if _COMMENT.search(text):
        return None  # ours have none
    item = dialect.item(text.strip())
    if item is None or (item.startswith("-") and not item.startswith("-e ")):
        return None
    return Entry(Kind.REQUIREMENT, item)


def _is_whole(
    pieces: Sequence[Piece], inside: Sequence[bool], groups: Sequence[_Group], dialect: Dialect
) -> bool:
    """Whether the block has the lines that format 1 would write, in its order; comments that
    people put under a line do not count."""
    once = {(group.entry.kind, group.entry.key) for group in groups if group.mentions}
    if len(once) < len(groups):
        return False  # twice, or with no notebook under it: what belongs to which is not known
    outside = (piece for piece, is_in in zip(pieces, inside, strict=True) if not is_in)
    if any(p.role is Role.BELOW and _MENTION.fullmatch(p.text.strip()) for p in outside):
        return False  # a sorter moved notebooks out of it, and perhaps other lines under them
    wanted: list[str] = []
    for group in sorted(groups, key=lambda g: g.entry.order):
        comment = group.entry.kind is not Kind.REQUIREMENT
        line = f"# {group.entry.kind.value}: {group.entry.text}"
        wanted.append(dialect.indent + (line if comment else dialect.shown(group.entry.text)))
        mentions = sorted(group.mentions.values())
        wanted += [f"{dialect.indent}    # {signs.encoded(mention)}" for mention in mentions]
    taken = {i for g in groups for i in (g.index, *g.mentions)}
    skipped = (Role.HEADER, Role.FIXED, Role.BELOW)
    there: list[str] = []
    for index, (piece, is_in) in enumerate(zip(pieces, inside, strict=True)):
        if not is_in or (piece.role in skipped and index not in taken):
            continue
        there.append(piece.text)
        if index not in taken:
            wanted.append(piece.text)  # what others wrote stood behind the entries
    return there == wanted
