"""Which module belongs to which distribution of an environment, read from its files and cached."""

from __future__ import annotations

import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from envmagic import home
from envmagic.distributions.installed import Found, conda_packages, found_in

__all__ = ["Distribution", "Index", "index_of"]

_FORMAT = 1
_T = TypeVar("_T")
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
    declared: dict[str, str] = field(default_factory=dict)
    """Dotted module -> name, by `Import-Name` metadata (PEP 794)."""

    def owners(self, dotted: str) -> tuple[str, ...]:
        """The distributions that hold `dotted`, by its longest prefix that is known."""
        return _longest(self.modules, dotted) or ()

    def declared_owner(self, dotted: str) -> str | None:
        """The distribution whose metadata claims `dotted` or a prefix of it."""
        return _longest(self.declared, dotted)


def _longest(table: dict[str, _T], dotted: str) -> _T | None:
    while dotted:
        found = table.get(dotted)
        if found is not None:
            return found
        dotted = dotted.rpartition(".")[0]
    return None


def index_of(site_packages: Iterable[Path], prefix: Path | None = None) -> Index:
    """The index of the environment whose distributions lie in `site_packages`.

    `prefix` adds conda packages without `dist-info`. Cached in this process and under
    `home.cache()`, by the directories' modification times, which change with every installation.
    """
    directories = [os.fspath(p) for p in site_packages]
    meta = os.path.join(prefix, "conda-meta") if prefix is not None else ""
    key = (*directories, meta)
    stamp = " ".join(_stamp(path) for path in key)
    held = _memory.get(key)
    if held is not None and held[0] == stamp:
        return held[1]
    # crc32, because importing hashlib takes longer than all the rest; the file says whose it is
    whose = "\0".join(key)
    file = home.cache() / f"index-{zlib.crc32(os.fsencode(whose)):08x}"
    index = _load(file, f"{whose} {stamp}")
    if index is None:
        index = _built(directories, meta)
        _save(file, f"{whose} {stamp}", index)
    _memory[key] = (stamp, index)
    return index


def _stamp(path: str) -> str:
    try:
        return str(os.stat(path).st_mtime_ns)
    except OSError:
        return "-"


def _built(directories: list[str], meta: str) -> Index:
    found: dict[str, Found] = {}
    for directory in directories:
        for item in found_in(directory):
            found.setdefault(item.name, item)
    for item in conda_packages(meta, set(found)):
        found.setdefault(item.name, item)
    index = Index()
    for item in found.values():
        index.distributions[item.name] = Distribution(
            item.name, item.version, item.url, item.editable
        )
        index.declared.update(dict.fromkeys(item.declared, item.name))
    index.modules.update(_modules(list(found.values())))
    return index


def _modules(found: list[Found]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every top-level module; where several distributions share one, the modules below it too."""
    owners: dict[str, list[Found]] = defaultdict(list)
    for item in found:
        for module in item.modules:
            owners[module].append(item)
    todo = list(owners.items())
    while todo:
        module, items = todo.pop()
        yield module, tuple(sorted(item.name for item in items))
        if len(items) == 1 and not items[0].is_namespace(module):
            continue
        if module.count(".") >= 6:
            continue
        below: dict[str, list[Found]] = defaultdict(list)
        for item in items:
            for child in item.children(module):
                below[child].append(item)
        todo += below.items()


def _load(file: Path, stamp: str) -> Index | None:
    try:
        raw = json.loads(file.read_bytes())
        if raw["format"] != _FORMAT or raw["stamp"] != stamp:
            return None
        distributions = [Distribution(*row) for row in raw["distributions"]]
        names = [d.name for d in distributions]
        return Index(
            dict(zip(names, distributions, strict=True)),
            {m: tuple([names[i] for i in owners]) for m, owners in raw["modules"].items()},
            raw["declared"],
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _save(file: Path, stamp: str, index: Index) -> None:
    number = {name: i for i, name in enumerate(index.distributions)}
    content = {
        "format": _FORMAT,
        "stamp": stamp,
        "distributions": [
            [d.name, d.version, d.url, d.editable] for d in index.distributions.values()
        ],
        "modules": {m: [number[n] for n in names] for m, names in index.modules.items()},
        "declared": index.declared,
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(content, separators=(",", ":")), "utf-8")
        temporary.replace(file)
    except OSError:
        return  # a cache that cannot be written is made again
