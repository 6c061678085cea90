"""What is known of distributions without any environment: small text files in `data/`."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from envmagic.core.names import normalized
from envmagic.system import directories

__all__ = ["Known", "KnownName", "known"]


class KnownName(NamedTuple):
    """What `table.txt` says of a dotted name."""

    distribution: str | None
    """None: the name is a namespace, or means nothing on its own."""
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Known:
    """The table and the names; `distribution_of` asks both."""

    table: dict[str, KnownName]
    families: dict[str, str]
    """Dotted namespace -> how the distributions below it are called: `google-cloud-*`."""
    names: frozenset[str]
    """Normalised names of distributions."""
    evidence: dict[str, str]
    """Module -> distribution, from evidence.txt."""
    above: frozenset[str]
    """What stands above the dotted names of the table: `google.cloud` of `google.cloud.storage`."""
    general: dict[str, frozenset[str]]
    """Names too general to mean a distribution -> the dotted names whose import is evidence."""

    @functools.lru_cache(maxsize=65536)  # noqa: B019 - there is one, for good
    def distribution_of(self, dotted: str) -> tuple[KnownName, str] | None:
        """What holds the module `dotted`, by its longest prefix that says something.

        With `table` or `identity` as the reason. None when nothing is known.
        """
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            row = self.table.get(name)
            if row is not None:
                return (row, "table") if row.distribution else None
            member = self._member(name)
            if member is not None:
                return KnownName(member), "table"
            if name in self.evidence:
                held = self.evidence[name]
                return KnownName(held), "identity" if held == normalized(name) else "table"
            if length == 1:
                same = normalized(name)
                return (KnownName(same), "identity") if same in self.names else self._dashed(parts)
        return None

    def _dashed(self, parts: list[str]) -> tuple[KnownName, str] | None:
        """`ml4t.engineer` of `ml4t-engineer`: a namespace that no table lists."""
        for length in range(len(parts), 1, -1):
            name = normalized("-".join(parts[:length]))
            if name in self.names:
                return KnownName(name), "identity"
        return None

    @functools.cached_property
    def distributions(self) -> frozenset[str]:
        """Every distribution that is known, normalised."""
        of_table = {row.distribution for row in self.table.values() if row.distribution}
        return self.names | of_table | frozenset(self.evidence.values())

    @functools.cached_property
    def extended(self) -> frozenset[str]:
        """Packages of one distribution that another adds modules to: `mujoco`, by `mujoco.mjx`."""
        rows = ((name.rpartition(".")[0], row.distribution) for name, row in self.table.items())
        return frozenset(
            above for above, adding in rows if above and adding and self._is_of_other(above, adding)
        )

    def _is_of_other(self, package: str, adding: str) -> bool:
        if package in self.families or package in self.table or "." in package:
            return False
        own = normalized(package)
        return own in self.names and own != adding

    def added(self, dotted: str) -> str | None:
        """The module of an add-on that `dotted` is in: `mujoco.mjx` of `mujoco.mjx.put_model`."""
        top, _, below = dotted.partition(".")
        name = f"{top}.{below.partition('.')[0]}"
        return name if top in self.extended and name in self.table else None

    def is_namespace(self, dotted: str) -> bool:
        """Whether several distributions share `dotted`, so that what is below it decides."""
        row = self.table.get(dotted)
        return dotted in self.families or (row is not None and row.distribution is None)

    def is_meant(self, top: str, imported: Collection[str]) -> bool:
        """Whether importing `top`, one of `general`, means the distribution that is known for it:
        only what else is `imported` tells, dotted names and those above them."""
        return not self.general[top].isdisjoint(imported)

    def _member(self, name: str) -> str | None:
        """The distribution that is called like the dotted path, for known families."""
        parent = name
        while "." in parent:
            parent = parent.rpartition(".")[0]
            pattern = self.families.get(parent)
            if pattern is None:
                continue
            # google.cloud.language_v1 is the same distribution's versioned interface
            below = re.sub(r"_v\d\w*$", "", name[len(parent) + 1 :])
            if not pattern.endswith("*"):  # the last part alone names it
                below = below.rpartition(".")[2]
            wanted = normalized(pattern.replace("*", below))
            if wanted in self.names:
                return wanted
            # google.cloud.secretmanager of google-cloud-secret-manager
            if pattern.endswith("*"):
                same = _squashed(pattern[:-1]).get(wanted.replace("-", ""))
                if same is not None:
                    return same
        return None


@functools.cache
def _squashed(prefix: str) -> dict[str, str]:
    """The names that begin with `prefix`, by themselves without dashes."""
    # a search for a literal takes a tenth of the time of going through all names
    names: list[str] = re.findall(rf" ({re.escape(prefix)}\S+)", _all_names())
    return {name.replace("-", ""): name for name in names}


@functools.cache
def _all_names() -> str:
    return " ".join(["", *_words("names.txt"), *_words("found.txt")])


@functools.cache
def known() -> Known:
    """What the data files say; read once."""
    table: dict[str, KnownName] = {}
    families: dict[str, str] = {}
    for words in _lines("table.txt"):
        if words[0].endswith(".*"):
            families[words[0][:-2]] = words[1]
        else:
            distribution = None if words[1] == "-" else words[1]
            table[words[0]] = KnownName(distribution, tuple(words[2:]))
    evidence = dict(_lines("evidence.txt"))
    names = frozenset(_words("names.txt") + _words("found.txt"))
    above: set[str] = set()
    for name in (*table, *families):
        while "." in name:
            name = name.rpartition(".")[0]
            above.add(name)
    general = {words[0]: frozenset(_meanings(*words)) for words in _lines("general.txt")}
    return Known(table, families, names, evidence, frozenset(above), general)


def _meanings(module: str, *words: str) -> Iterator[str]:
    return (f"{module}.{word[1:]}" if word.startswith(":") else word for word in words)


def _lines(name: str) -> list[list[str]]:
    return [line.split() for line in _text(name).splitlines() if line and line[0] != "#"]


def _words(name: str) -> list[str]:
    """All words of a file whose comment is at its head."""
    text = _text(name)
    start = 0
    while text.startswith("#", start):
        start = text.index("\n", start) + 1
    return text[start:].split()


def _text(name: str) -> str:
    return (directories.package() / "distributions" / "data" / name).read_text("utf-8")
