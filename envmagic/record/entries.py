"""What a notebook needs, as entries of the block: versions, what stays, what is the user's."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.distributions import Distribution, Index
from envmagic.imports import Where
from envmagic.imports.follow import tree_of
from envmagic.record.held import RecordContext, name_of
from envmagic.record.name_overrides import quoted_key
from envmagic.record.need import Need, Needs
from envmagic.requirements import Entry, Kind, Mention, Pin

__all__ = ["entries_of", "lines_of", "site_name", "text_of"]

_EXTRAS = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s*\[[^\]]*\])?")


def entries_of(
    needs: Needs, context: RecordContext
) -> tuple[list[Entry], dict[str, str], list[Problem]]:
    """The entries for a notebook, the line of each need by its name, and warnings: `unresolved`,
    `record-conflict`."""
    entries: list[Entry] = []
    lines: dict[str, str] = {}
    problems: list[Problem] = []
    for need in needs.needs:
        line = context.users.get(need.name)
        if line is not None and not line.constraint:
            continue  # the user's line wins
        entries.append(_entry(need, context, problems))
        lines[need.name] = entries[-1].text
    kept = _staying(entries, context, needs.removed, unknown=bool(needs.unresolved))
    entries += kept
    for module, where in needs.unresolved:
        # without the environment, one of the entries that stay may hold it
        if kept and context.index is None and not context.held.lists(module, context.notebook):
            continue
        entries.append(Entry(Kind.UNRESOLVED, module, (Mention(context.notebook),)))
        problems.append(_unresolved(module, context.notebook, where))
    return entries, lines, problems


def text_of(need: Need, index: Index | None, pin: Pin, directory: Path | None = None) -> str:
    """The requirement line for `need`, from the environment and the notebook alone."""
    base = need.name + (f"[{','.join(sorted(need.extras))}]" if need.extras else "")
    marker = f" ; {need.marker}" if need.marker and not need.imported else ""
    installed = index.distributions.get(need.name) if index is not None else None
    if installed is None:
        if need.url:
            return f"{base} @ {need.url}{marker}" if need.named else need.url
        return base + need.specifier + marker
    if installed.editable and directory is not None:
        inside = _inside(installed.editable, directory)
        if inside is not None:
            return f"-e {inside}"
    if installed.url:
        return f"{base} @ {installed.url}{marker}"
    # an unpinned line still says what the notebook itself asks for
    return base + (pin.specifier(installed.version) or need.specifier) + marker


def _entry(need: Need, context: RecordContext, problems: list[Problem]) -> Entry:
    mention = Mention(context.notebook, installed=not need.imported)
    held = context.held.requirement(need.name)
    there = context.index is not None and need.name in context.index.distributions
    if need.optional and not there:
        mentioned = held is not None and any(m.notebook == mention.notebook for m in held.mentions)
        if context.index is not None or not mentioned:
            return Entry(Kind.OPTIONAL, need.name, (mention,))
    if need.name in context.users:  # only a constraint is left: it says the version
        return Entry(Kind.REQUIREMENT, text_of(need, None, Pin.NONE), (mention,))
    text = text_of(need, context.index, context.pin, context.directory)
    if held is not None:
        text = _kept(text, held, need, context, problems)
    return Entry(Kind.REQUIREMENT, text, (mention,))


def _kept(
    text: str, held: Entry, need: Need, context: RecordContext, problems: list[Problem]
) -> str:
    """`text`, or the line that the block has, where that one has to stay."""
    installed = context.index.distributions.get(need.name) if context.index else None
    if installed is None and held.text.startswith("-e "):
        return held.text
    if held.is_bare:
        return text
    old = held.requirement
    if old is None:
        return text
    others = {m.notebook: None for m in held.mentions if m.notebook != context.notebook}
    if not old.specifier and not old.url:
        if installed is None and not need.specifier and not need.url:
            return _with_extras(held.text, old.extras, need.extras)
        # without a version too, the extras are those of all
        return _with_extras(text, need.extras, old.extras) if others else text
    if installed is None:
        return _with_extras(held.text, old.extras, need.extras)
    if not others:
        return text
    if text.startswith("-e "):
        pass  # a pin that others hold is not what is here
    elif old.url is None and old.specifier.contains(installed.version, prereleases=True):
        return _with_extras(held.text, old.extras, need.extras)
    if all(context.same_environment(other) for other in others):
        return text
    problems.append(
        Problem(
            "record-conflict",
            f"{context.notebook}{_in(context.environment)} has {_here(text, installed)}, but"
            f" {held.text} stays in the record for"
            f" {', '.join(o + _in(context.environment_of(o)) for o in others)}.",
            "Keep the notebooks in directories of their own, or take the recorded one here",
            Severity.WARNING,
            need.name,
            command=("install", held.text),
        )
    )
    return held.text


def _here(text: str, installed: Distribution) -> str:
    return text if text.startswith("-e ") else f"{installed.name} {installed.version}"


def _in(prefix: Path | None) -> str:
    return f" ({user_path(prefix)})" if prefix is not None else ""


def _with_extras(text: str, has: Collection[str], more: Collection[str]) -> str:
    """The requirement `text`, which has the extras `has`, with `more`; otherwise as it is."""
    if set(more) <= set(has):
        return text
    extras = ",".join(sorted({*has, *more}))
    return _EXTRAS.sub(rf"\1[{extras}]", text, count=1)


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
        if name in found or name in context.users or not context.held.is_sure(entry):
            continue
        for mention in entry.mentions:
            there = context.index is None or name in context.index.distributions
            guess = context.index is None and unknown
            if mention.notebook == context.notebook and (
                context.keep or guess or (mention.installed and there)
            ):
                stay.append(replace(entry, mentions=(mention,)))
    return stay


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
