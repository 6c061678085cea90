"""Which module belongs to which distribution of an environment, read from its files and cached."""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.distributions.editables import is_standing, stamp
from envmagic.distributions.installed import FoundDistribution, conda_packages, found_in
from envmagic.distributions.known import known
from envmagic.system import cache

__all__ = ["Distribution", "Index", "index_of"]

_FORMAT = 4
_memory: dict[tuple[str, ...], tuple[str, Index]] = {}


@dataclass(frozen=True)
class Distribution:
    """An installed distribution, as a requirement needs it."""

    name: str
    """Normalised."""
    version: str
    url: str | None = None
    """`git+https://…@commit` of an installation from version control, credentials removed."""
    editable: str | None = None
    """The directory of an editable installation."""


@dataclass(frozen=True)
class Index:
    """The modules of an environment."""

    distributions: dict[str, Distribution] = field(default_factory=dict)
    modules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Dotted module -> names of the distributions that hold it."""
    namespaces: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Dotted namespace -> names of the distributions that have something below it."""
    declared: dict[str, str] = field(default_factory=dict)
    """Dotted module -> name, by `Import-Name` metadata (PEP 794)."""
    watched: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Directories outside of site-packages that it was read from, each with how it stood."""

    def owners(self, dotted: str) -> tuple[str, ...]:
        """The distributions that hold `dotted`, by its longest prefix that is known.

        None when that is a namespace: it holds nothing but what is below it.
        """
        return self.modules.get(_longest(dotted, self.modules, self.namespaces), ())

    def lacks(self, dotted: str) -> bool:
        """Whether the package above `dotted` is there, what is in it is known, and that is not."""
        above = dotted.rpartition(".")[0]
        if above not in self.modules or dotted in self.modules or dotted in self.namespaces:
            return False
        return any(module.startswith(f"{above}.") for module in self.modules)

    def is_shared(self, dotted: str) -> bool:
        """Whether `dotted` is a namespace, or several distributions hold it."""
        return dotted in self.namespaces or len(self.modules.get(dotted, ())) > 1

    def declared_owner(self, dotted: str) -> str | None:
        """The distribution whose metadata claims `dotted` or a prefix of it.

        None when the files of others say more of `dotted`.
        """
        claimed = _longest(dotted, self.declared)
        if not claimed:
            return None
        held = _longest(dotted, self.modules, self.namespaces)
        name = self.declared[claimed]
        there = (*self.modules.get(held, ()), *self.namespaces.get(held, ()))
        return name if len(claimed) > len(held) or name in there else None


def _longest(dotted: str, *tables: Mapping[str, object]) -> str:
    """The longest prefix of `dotted` in any of `tables`, or an empty one."""
    while dotted and not any(dotted in table for table in tables):
        dotted = dotted.rpartition(".")[0]
    return dotted


def index_of(site_packages: Iterable[Path], prefix: Path | None = None) -> Index:
    """The index of the environment whose distributions lie in `site_packages`.

    `prefix` adds conda packages without `dist-info`. Cached in this process and under
    `directories.cache()`, by the directories' modification times, which change with every
    installation, and by what lies in the directories that editable installations add.
    """
    places = [os.fspath(p) for p in site_packages]
    meta = os.path.join(prefix, "conda-meta") if prefix is not None else ""
    key = (*places, meta)
    now = " ".join(stamp(path) for path in key)
    held = _memory.get(key)
    if held is not None and held[0] == now and _is_current(held[1]):
        return held[1]
    # crc32, because importing hashlib takes longer than all the rest; the file says whose it is
    whose = "\0".join(key)
    file = f"index-{zlib.crc32(os.fsencode(whose)):08x}"
    index = _load(file, f"{_FORMAT} {whose} {now}")
    if index is None or not _is_current(index):
        index = _built(places, meta)
        _save(file, f"{_FORMAT} {whose} {now}", index)
    _memory[key] = (now, index)
    return index


def _is_current(index: Index) -> bool:
    return all(is_standing(path, before) for path, before in index.watched.items())


def _built(places: list[str], meta: str) -> Index:
    found: dict[str, FoundDistribution] = {}
    for directory in places:
        for item in found_in(directory):
            found.setdefault(item.name, item)
    for item in conda_packages(meta, set(found)):
        found.setdefault(item.name, item)
    index = Index()
    for item in found.values():
        index.distributions[item.name] = Distribution(
            item.name, item.version, item.url, item.editable
        )
        index.watched.update(item.watched)
    _add_modules(index, list(found.values()))
    claims: dict[str, list[str]] = defaultdict(list)
    for item in found.values():
        for module in item.declared:
            claims[module].append(item.name)
    for module, names in claims.items():
        # it means to be the only one; where others are there too, the files are believed
        if len(names) == 1 and not _is_shared(module, index.namespaces.get(module, ())):
            index.declared[module] = names[0]
    return index


def _add_modules(index: Index, found: list[FoundDistribution]) -> None:
    """Every top-level module; where it is a namespace or shared, the modules below it too."""
    holders: dict[str, list[FoundDistribution]] = defaultdict(list)
    for item in found:
        for module in item.modules:
            holders[module].append(item)
    todo = [(module, items, True) for module, items in holders.items()]
    while todo:
        module, items, free = todo.pop()
        # an empty `__init__.py` makes a package, unless it is one of several in a shared place
        shared = free and _is_shared(module, items)
        own = [item for item in items if not item.is_namespace(module, shared=shared)]
        names = tuple(sorted(item.name for item in own or items))
        (index.modules if own else index.namespaces)[module] = names
        alone = own and len(items) == 1 and module not in known().extended
        if alone or module.count(".") >= 6:
            continue
        below: dict[str, list[FoundDistribution]] = defaultdict(list)
        for item in items:
            for child in item.children(module):
                below[child].append(item)
        todo += ((child, below[child], not own) for child in below)


def _is_shared(module: str, holders: Sequence[object]) -> bool:
    """Whether `module` is common to several distributions, here or by what is known."""
    return len(holders) > 1 or module in known().families or module in known().above


def _load(file: str, stamp: str) -> Index | None:
    raw = cache.load(file, stamp)
    if raw is None:
        return None
    try:
        distributions = [Distribution(*row) for row in raw["distributions"]]
        names = [d.name for d in distributions]
        modules, namespaces = (
            {m: tuple([names[i] for i in held]) for m, held in raw[part].items()}
            for part in ("modules", "namespaces")
        )
        watched = {path: (time, entries) for path, (time, entries) in raw["watched"].items()}
        of_names = dict(zip(names, distributions, strict=True))
        return Index(of_names, modules, namespaces, raw["declared"], watched)
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def _save(file: str, stamp: str, index: Index) -> None:
    number = {name: i for i, name in enumerate(index.distributions)}
    content = {
        "distributions": [
            [d.name, d.version, d.url, d.editable] for d in index.distributions.values()
        ],
        "modules": {m: [number[n] for n in names] for m, names in index.modules.items()},
        "namespaces": {m: [number[n] for n in names] for m, names in index.namespaces.items()},
        "declared": index.declared,
        "watched": index.watched,
    }
    cache.save(file, stamp, content)
