"""Notebooks that the record has and that are gone: which other one each of them has become.

One that the record does not know yet is the same notebook where it is called the same but for case
or directory, or where at least half of all that the two need is needed by both.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem
from envmagic.core.names import normalized
from envmagic.record.need import Needs, Surroundings
from envmagic.record.needs import needs_of
from envmagic.requirements import Block, Kind

__all__ = ["Succession", "stem", "succession"]

_ALIKE = 0.5
_LOOKED_INTO = 32  # of the notebooks beside a gone one, those whose files changed last
_SESSION = "(this session)"


@dataclass(frozen=True)
class Succession:
    """What became of the notebooks that are gone."""

    heirs: Mapping[str, str] = field(default_factory=dict)
    """Gone -> the notebook that is recorded now and has its entries from then on."""
    waiting: frozenset[str] = frozenset()
    """They keep their entries: a notebook that is not recorded now looks like them."""
    lost: frozenset[str] = frozenset()
    """Nobody has their entries."""

    def of(self, block: Block) -> Block:
        """`block` with the heirs in the place of what they were."""
        return block.renamed(self.heirs)


@dataclass(frozen=True)
class _Recorded:
    """What the record has of a notebook."""

    imported: frozenset[str]
    installed: frozenset[str]


def succession(
    blocks: Sequence[Block],
    group: Mapping[str, Needs | Problem],
    directory: Path,
    live: Collection[str],
    own: Collection[str],
) -> Succession:
    """What became of the notebooks in `blocks` that are gone.

    `group` is what is recorded now, by name from `directory`, where the record is; `live` are there
    whether or not they are saved, and `own` are the distributions in the user's lines, which no
    notebook is recorded for.
    """
    known = frozenset(name for block in blocks for name in block.notebooks)
    gone = {n for n in known if n not in live and not _is_there(n, directory, group)}
    if not gone:
        return Succession()
    recorded = {name: _recorded(name, blocks) for name in gone}
    new = {name: needs for name, needs in group.items() if name not in known}
    heirs = _heirs(recorded, new, own)
    left = gone - heirs.keys()
    others = _beside(left, group, known, directory)
    unknown = _read(
        others, directory, frozenset(own).union(*(b.imported for b in recorded.values()))
    )
    waiting = {g for g in left if any(_likeness(g, recorded[g], n, u, own) for n, u in unknown)}
    return Succession(heirs, frozenset(waiting), frozenset(left - waiting))


def stem(name: str) -> str:
    """What py-opencv and opencv-python have in common, or pytables and tables."""
    return re.sub(r"^(?:python-|py-?)(?=[a-z]{3})|-(?:python|py)(?:-headless)?$", "", name)


def _is_there(name: str, directory: Path, group: Collection[str]) -> bool:
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return False
    if name in group or name.casefold() not in {other.casefold() for other in group}:
        return True
    # where names differ by more than case only: this one may be another one's old name
    return os.path.basename(path) in os.listdir(os.path.dirname(path))


def _recorded(notebook: str, blocks: Iterable[Block]) -> _Recorded:
    imported: set[str] = set()
    installed: set[str] = set()
    for number, block in enumerate(blocks):
        for entry in block.entries:
            name = entry.name
            if number and entry.kind is Kind.REQUIREMENT:
                from envmagic.environments.backends.conda import specs

                name = normalized(specs.python_name(specs.conda_name(entry.text)))
            for mention in entry.mentions:
                if mention.notebook == notebook:
                    (installed if mention.installed else imported).add(name)
    return _Recorded(frozenset(imported), frozenset(installed))


def _heirs(
    recorded: Mapping[str, _Recorded], new: Mapping[str, Needs | Problem], own: Collection[str]
) -> dict[str, str]:
    """Each gone notebook goes to one new one and the other way round, best match first."""
    pairs = [
        (likeness, old, name)
        for old, entries in recorded.items()
        for name, needs in new.items()
        if (likeness := _likeness(old, entries, name, needs, own))
    ]
    heirs: dict[str, str] = {}
    for _, old, name in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if old not in heirs and name not in heirs.values():
            heirs[old] = name
    return heirs


def _likeness(
    old: str, recorded: _Recorded, name: str, needs: Needs | Problem, own: Collection[str]
) -> float:
    """How much the notebook `name` is `old`; 0 where it is another one."""
    named = _last(old) == _last(name) and old != _SESSION
    shared = 0.0
    if isinstance(needs, Needs):
        there = set(_names(needs, recorded.imported | recorded.installed, own))
        # what was installed by name need not be in the notebook
        wanted = {stem(n) for n in recorded.imported if n not in own}
        wanted |= {stem(n) for n in recorded.installed} & there
        shared = len(wanted & there) / max(len(wanted | there), 1)
    return named * _ALIKE + shared if named or shared >= _ALIKE else 0.0


def _last(name: str) -> str:
    return posixpath.basename(name).casefold()


def _names(needs: Needs, known: Collection[str], own: Collection[str]) -> Iterator[str]:
    """What the notebook needs, of several distributions the one that is in `known`; conda calls
    some almost so. An import that nothing explains tells something only if it is in `known`."""
    for need in needs.needs:
        name = next((n for n in (need.name, *need.alternatives) if n in known), need.name)
        if name not in own:
            yield stem(name)
    for module, _ in needs.unresolved:
        if module in known:
            yield stem(module)


def _beside(
    gone: Collection[str], group: Collection[str], known: Collection[str], directory: Path
) -> list[str]:
    """The notebooks that the record does not know, where gone ones were or recorded ones are."""
    suffixes = tuple({posixpath.splitext(name)[1] for name in gone} - {""})
    places = {posixpath.dirname(name) for name in (*gone, *group)} if suffixes else set()
    found: list[tuple[float, str]] = []
    for place in places:
        try:
            with os.scandir(os.path.join(directory, place)) as files:
                for file in files:
                    name = posixpath.join(place, file.name)
                    if name.endswith(suffixes) and name not in known and name not in group:
                        found.append((file.stat().st_ctime, name))
        except OSError:
            continue
    return [name for _, name in sorted(found, reverse=True)[:_LOOKED_INTO]]


def _read(names: Iterable[str], directory: Path, listed: frozenset[str]) -> list[tuple[str, Needs]]:
    """What those notebooks need, as far as it can be told without their environments."""
    found: list[tuple[str, Needs]] = []
    for name in names:
        path = Path(os.path.normpath(os.path.join(directory, name)))
        try:
            found.append((name, needs_of(path, Surroundings(listed=listed, thorough=False))))
        except EnvmagicError:
            continue
    return found
