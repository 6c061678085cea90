"""What a notebook needs, as entries of the block: versions, what stays, what is the user's."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import Problem, Severity
from envmagic.distributions import Index, known, meant_by
from envmagic.imports import Where
from envmagic.imports.trees import tree_of
from envmagic.record import own_lines
from envmagic.record.agreement import kept
from envmagic.record.conditions import lines_for
from envmagic.record.held import RecordContext, name_of
from envmagic.record.name_overrides import quoted_key
from envmagic.record.need import Need, Needs
from envmagic.requirements import Entry, Kind, Mention, Pin

if TYPE_CHECKING:
    pass

__all__ = ["entries_of", "lines_of", "site_name", "text_of"]


def entries_of(
    needs: Needs, context: RecordContext
) -> tuple[list[Entry], dict[str, str], list[Problem]]:
    """The entries for a notebook, the line of each need by its name, and warnings: `unresolved`,
    `record-conflict`."""
    entries: list[Entry] = []
    lines: dict[str, str] = {}
    problems: list[Problem] = []
    for need in needs.needs:
        problems += _overruled(need, context)
        if _is_users(need, context):
            problems += own_lines.lacking(need, context)
            continue
        own = context.partial.get(need.name, ())
        for line, here in lines_for(need, own, context.python):
            entry = _entry(line, context, context.index if here else None, problems)
            lines[need.name] = entry.text
            entries.append(entry)
    partial = needs.is_partial and context.index is None
    unknown = partial or bool(needs.unresolved)
    removed = needs.removed | _mistaken(needs) if partial else needs.removed
    stay = _staying(entries, context, removed, unknown=unknown)
    entries += stay
    if partial:  # the files that are not there may import what nothing explained when they were
        told = {module for module, _ in needs.unresolved} | {
            m.partition(".")[0] for m in needs.local
        }
        for module in sorted(context.held.unresolved_of(context.notebook) - told):
            entries.append(Entry(Kind.UNRESOLVED, module, (Mention(context.notebook),)))
    for module, where in needs.unresolved:
        # without the environment, one of the entries that stay may hold it
        if stay and context.index is None and not context.held.lists(module, context.notebook):
            continue
        entries.append(Entry(Kind.UNRESOLVED, module, (Mention(context.notebook),)))
        problems.append(_unresolved(module, context.notebook, where))
    return entries, lines, problems


def text_of(need: Need, index: Index | None, pin: Pin, directory: Path | None = None) -> str:
    """The requirement line for `need`, from the environment and the notebook alone."""
    base = need.name + (f"[{','.join(sorted(need.extras))}]" if need.extras else "")
    marker = f" ; {need.marker}" if need.marker else ""
    installed = index.distributions.get(need.name) if index is not None else None
    asked = base + need.specifier + marker
    if need.url:
        asked = f"{base} @ {need.url}{marker}" if need.named else need.url
    if installed is None:
        return asked
    if installed.editable and directory is not None:
        inside = _inside(installed.editable, directory)
        if inside is not None:
            return f"-e {inside}"
    if installed.url:
        return f"{base} @ {installed.url}{marker}"
    # an unpinned line still says what the notebook itself asks for
    pinned = pin.specifier(installed.version)
    return base + pinned + marker if pinned else asked


def _is_users(need: Need, context: RecordContext) -> bool:
    """Whether a line of the user's is all there is to be for `need`.

    One whose marker is not true is so only as long as nothing else says that it is needed here: it
    may be for other machines alone.
    """
    if need.name in context.partial:
        if context.index is not None:
            return need.name not in context.index.distributions
        return not _is_recorded(need.name, context)
    line = context.users.get(need.name)
    return line is not None and not line.constraint


def _is_recorded(name: str, context: RecordContext) -> bool:
    """Whether the block has `name` for the notebook."""
    mine = context.held.of(context.notebook)
    return any(name_of(entry, context.directory) == name for entry in mine)


def _overruled(need: Need, context: RecordContext) -> Iterator[Problem]:
    if not need.overruled or (context.index and need.name in context.index.distributions):
        return
    last = need.specifier or next(c.specifier for c in reversed(need.conditional) if c.specifier)
    yield Problem(
        "record-conflict",
        f"{context.notebook} installs {need.name}{need.overruled[-1]} and then {need.name}{last},"
        " and no version is both; the last one counts.",
        "Leave one of the two lines out.",
        Severity.WARNING,
        need.name,
    )


def _entry(
    need: Need, context: RecordContext, index: Index | None, problems: list[Problem]
) -> Entry:
    mention = Mention(context.notebook, installed=not need.imported)
    held = context.held.requirement(need.name, need.marker)
    if held is None and not need.conditional and not need.marker:
        held = context.held.unmarked(need.name, context.notebook)
    there = index is not None and need.name in index.distributions
    comment = need.optional and not there and not need.conditional
    if comment and (context.index is not None or not _is_recorded(need.name, context)):
        return Entry(Kind.OPTIONAL, need.name, (mention,))
    if need.name in context.users and need.name not in context.partial:
        # only a constraint is left: it says the version
        return Entry(Kind.REQUIREMENT, text_of(need, None, Pin.NONE), (mention,))
    text = text_of(need, index, context.pin, context.directory)
    if held is not None:
        installed = index.distributions.get(need.name) if index is not None else None
        text = kept(text, held, need, installed, context, problems)
    return Entry(Kind.REQUIREMENT, text, (mention,))


def _staying(
    entries: list[Entry], context: RecordContext, removed: frozenset[str], *, unknown: bool
) -> list[Entry]:
    """Entries of this notebook that nothing in it explains and that stay all the same.

    What was installed by name, while it is there; and without the environment whatever may hold an
    import that is `unknown` here.
    """
    found = removed | {name_of(entry, context.directory) for entry in entries}
    stay: list[Entry] = []
    for entry in context.held.of(context.notebook):
        name = name_of(entry, context.directory)
        users = name in context.users and name not in context.partial
        if name in found or users or not context.held.is_sure(entry):
            continue
        for mention in entry.mentions:
            there = context.index is None or name in context.index.distributions
            guess = context.index is None and unknown
            if mention.notebook == context.notebook and (
                context.keep or guess or (mention.installed and there)
            ):
                stay.append(replace(entry, mentions=(mention,)))
    return stay


def _mistaken(needs: Needs) -> set[str]:
    """The distributions that are called like modules of the notebook's own."""
    rows = (known().distribution_of(module) for module in needs.local)
    return {row[0].distribution for row in rows if row is not None and row[0].distribution}


def _inside(path: str, directory: Path) -> str | None:
    """`path` from `directory`, where both are in one tree: the repository, else `directory`."""
    places = ((path, str(directory)), (os.path.realpath(path), os.path.realpath(directory)))
    for place, here in places:
        top = str(tree_of(Path(here)))
        if place == top or place.startswith(top.rstrip(os.sep) + os.sep):
            relative = os.path.relpath(place, here).replace(os.sep, "/")
            return relative if relative.startswith(".") else f"./{relative}"
    return None


def _unresolved(module: str, notebook: str, where: Where) -> Problem:
    place = site_name(notebook, where)
    place += f", cell {where.cell}" if where.cell else ""
    meant = meant_by(module)
    if meant is not None:
        return Problem(
            "unresolved",
            f"{module} ({place}) is no module: did you mean import {meant}?",
            "Correct the import.",
            Severity.WARNING,
            module,
        )
    return Problem(
        "unresolved",
        f"{module} ({place}) belongs to no distribution that is known.",
        f'Say its name in pyproject.toml ([tool.envmagic.names] {quoted_key(module)} = "NAME"),'
        " or install it",
        Severity.WARNING,
        module,
        command=("install", "NAME"),
    )


def site_name(notebook: str, where: Where) -> str:
    """The file that `where` is in, seen from where `notebook` is: a followed one has its own."""
    if not where.file:
        return notebook
    return posixpath.normpath(posixpath.join(posixpath.dirname(notebook), where.file))


def lines_of(entries: list[Entry]) -> Iterator[str]:
    """The requirement lines alone."""
    return (entry.text for entry in entries if entry.kind is Kind.REQUIREMENT)
