"""The environments that notebooks run in, as far as a record needs them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Frontend, Place
from envmagic.distributions import Index, index_of
from envmagic.environments import registry
from envmagic.environments.registry import environment_of
from envmagic.jupyter import launcher, notebook_file
from envmagic.system import prefix_layout

__all__ = ["InstalledIndex", "NotebookEnvironments"]

_CELL = re.compile(r"\s*%%env(?:magic)?[ \t]+([^\s=-][^\s=]*)")


@dataclass(frozen=True)
class InstalledIndex:
    """What is installed in one environment."""

    index: Index
    python: str
    """`3.12`."""
    prefix: Path | None = None
    kernel_only: frozenset[str] = frozenset()
    """What can be imported here although the environment has it not: a kernel's own parts."""
    version: str = ""
    """The whole version of its Python, `3.12.4`; empty where only the short one is known."""

    @classmethod
    def of(cls, environment: Environment) -> InstalledIndex:
        """That of `environment`."""
        index = index_of(environment.site_packages, environment.prefix)
        short, version = environment.short_version, environment.version
        return cls(index, short, environment.prefix, version=version)

    @classmethod
    def here(cls) -> InstalledIndex:
        """That of this very process, whether or not it runs in an environment.

        What its kernel brings along can be imported, too, where the environment has it not.
        """
        named = {p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if _is_target(p)}
        sites = ("site-packages", "dist-packages")
        places = [Path(p) for p in sys.path if p.endswith(sites) or p in named]
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        whole = f"{version}.{sys.version_info.micro}"
        index, prefix = index_of(places, Path(sys.prefix)), Path(sys.prefix)
        behind = launcher.of_this_process()
        if behind is None:
            return cls(index, version, prefix, version=whole)
        held = index.distributions
        index = index_of([*places, behind / "info"], prefix)
        alone = frozenset(set(index.distributions) - set(held))
        return cls(index, version, prefix, alone, whole)


class NotebookEnvironments:
    """Which environment each notebook runs in: one for all, or by its kernel's name."""

    def __init__(
        self,
        known: Mapping[Path | None, InstalledIndex | None],
        *,
        search: bool = False,
        live: bool = False,
    ) -> None:
        self._known = dict(known)
        self._search = search
        self._live = live  # an unknown environment may well be this one
        self._prefixes: dict[Path, InstalledIndex | None] = {}

    @classmethod
    def chosen(cls, word: str | None, place: Place) -> NotebookEnvironments:
        """As `--env` says: `none`, a NAME or a PREFIX; without it, each notebook's own."""
        if word == "none":
            return cls({None: None})
        if word is not None:
            prefix = registry.existing(word, place).prefix
            return cls({None: InstalledIndex.of(registry.environment_at(prefix))})
        own: dict[Path | None, InstalledIndex | None] = {}
        if place.frontend is Frontend.NOTEBOOK:
            own[place.notebook] = InstalledIndex.here()
        return cls(own, search=True, live=place.frontend is Frontend.NOTEBOOK)

    def of(self, notebook: Path, kernel: str | None = None) -> InstalledIndex | None:
        """What is installed where `notebook` runs; `kernel` is its kernel's name, if known."""
        if notebook in self._known:
            return self._known[notebook]
        if not self._search:
            return self._known.get(None)
        if kernel is None:
            kernel = kernel_of(notebook)
        self._known[notebook] = self._at(environment_of(kernel, notebook.parent))
        return self._known[notebook]

    @classmethod
    def live(cls, place: Place, here: InstalledIndex) -> NotebookEnvironments:
        """The notebook at `place` runs in `here`; others in what they say."""
        return cls({place.notebook: here}, search=True, live=True)

    @classmethod
    def elsewhere(cls, place: Place) -> NotebookEnvironments:
        """The notebook at `place` runs, but not in the environment that its record is of."""
        return cls({place.notebook: None}, search=True, live=True)

    def share(self, notebook: Path, other: Path) -> bool:
        """Whether both run in one environment; a `%%env` cell says it before the kernel's name."""
        one, two = self._declared(notebook), self._declared(other)
        if one is two:
            return True
        return self._live if one is None or two is None else _same(one, two)

    def prefix_of(self, notebook: Path) -> Path | None:
        """Where `notebook` runs, if that is known."""
        declared = self._declared(notebook)
        return declared.prefix if declared is not None else None

    def kernel_prefix(self, notebook: Path, place: Place) -> Path | None:
        """Where `notebook` runs, if it is its own kernel that asks and no other environment was
        named."""
        asks_itself = (
            self._live and place.frontend is Frontend.NOTEBOOK and notebook == place.notebook
        )
        return self.prefix_of(notebook) if asks_itself else None

    def _declared(self, notebook: Path) -> InstalledIndex | None:
        if notebook not in self._known and self._search:
            named = _named_in(notebook)
            if named is not None:
                return self._at(named)
        return self.of(notebook)

    def index_for(self, notebook: Path, kernel: str | None) -> Index | None:
        """The index alone."""
        installed = self.of(notebook, kernel or "")
        return installed.index if installed is not None else None

    def _at(self, prefix: Path | None) -> InstalledIndex | None:
        if prefix is None:
            return None
        real = Path(os.path.realpath(prefix))
        if real not in self._prefixes:
            self._prefixes[real] = _inspected(prefix)
        return self._prefixes[real]


def _is_target(directory: str) -> bool:
    """Whether an installer has put distributions into `directory`; what lies there without their
    metadata is the user's own, which no record has."""
    return bool(directory) and any(Path(directory).glob("*.dist-info/RECORD"))


def _inspected(prefix: Path) -> InstalledIndex | None:
    try:
        return InstalledIndex.of(registry.environment_at(prefix))
    except EnvmagicError:
        return None  # gone or broken: `doctor` says so


def _same(one: InstalledIndex, other: InstalledIndex) -> bool:
    if one.prefix is None or other.prefix is None:
        return False
    return prefix_layout.same(one.prefix, other.prefix)


def _named_in(notebook: Path) -> Path | None:
    """The environment that a `%%env NAME` cell of `notebook` names, where it is there."""
    try:
        found = [m[1] for c in notebook_file.read(notebook).cells if (m := _CELL.match(c.source))]
        if not found:
            return None
        return registry.existing(found[-1], Place(Frontend.NOTEBOOK, notebook.parent)).prefix
    except EnvmagicError:
        return None


def kernel_of(notebook: Path) -> str | None:
    try:
        return notebook_file.read(notebook).kernel
    except EnvmagicError:
        return None
