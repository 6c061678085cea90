"""What a notebook needs, and what is known besides its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from envmagic.distributions import Index
from envmagic.imports import ImportSite, Where
from envmagic.record.environments import NotebookEnvironments

__all__ = ["Conditional", "Need", "Needs", "Surroundings", "Taken"]


@dataclass(frozen=True)
class Conditional:
    """What a notebook installs of a distribution where a marker holds."""

    marker: str
    specifier: str = ""
    extras: frozenset[str] = frozenset()
    url: str = ""


@dataclass(frozen=True)
class Need:
    """A distribution that a notebook needs, and why."""

    name: str
    """Normalised."""
    evidence: str
    optional: bool = False
    imported: bool = True
    """False: the notebook only installs it."""
    alternatives: tuple[str, ...] = ()
    sites: tuple[tuple[str, Where], ...] = ()
    """Module and place of each import."""
    extras: frozenset[str] = frozenset()
    specifier: str = ""
    """What its install lines come to."""
    url: str = ""
    named: bool = True
    """False: the name is the last part of `url`, a guess that only an import can confirm."""
    marker: str = ""
    """Where alone it is needed."""
    plain: bool = False
    """It is installed without a marker too."""
    conditional: tuple[Conditional, ...] = ()
    """What is installed with one; of each marker once."""
    overruled: tuple[str, ...] = ()
    """Ranges that a later install line of the notebook contradicts."""


@dataclass(frozen=True)
class Needs:
    """All that one notebook needs."""

    path: Path
    language: str
    needs: tuple[Need, ...] = ()
    local: tuple[str, ...] = ()
    provided: tuple[str, ...] = ()
    unresolved: tuple[tuple[str, Where], ...] = ()
    unparsed: tuple[Where, ...] = ()
    kernel: str | None = None
    removed: frozenset[str] = frozenset()
    """Distributions that were taken out again; only an import brings them back."""
    unconfirmed: tuple[tuple[str, Where], ...] = ()
    """Names that it installs and of which nothing says that there are such distributions."""
    is_partial: bool = False
    """It imports what it fetches and what is not there, so more may be needed than can be told."""
    imports: tuple[ImportSite, ...] = ()
    """Every import that is not of its own tree, with the names that it takes."""


@dataclass(frozen=True)
class Surroundings:
    """What is known besides the notebook file."""

    environments: NotebookEnvironments | None = None
    """Where notebooks run; None: what is installed does not count."""
    cells: tuple[str, ...] = ()
    """Cells run in this session after it was last saved."""
    failed: frozenset[str] = frozenset()
    """Dotted modules and names whose import failed in this session."""
    saved: bool = True
    """Whether the saved file counts; not when there is none."""
    installed: tuple[str, ...] = ()
    """Requirements that `install` and `create --with` were given."""
    removed: frozenset[str] = frozenset()
    """Distributions that `uninstall` was given."""
    listed: frozenset[str] = frozenset()
    """Distributions that the requirements file names; they can answer where nothing else can."""
    unknown: frozenset[str] = frozenset()
    """Modules that the requirements file lists as unresolved."""
    thorough: bool = True
    """Every cell is parsed, so that each that cannot be is reported."""
    target: Path | None = None
    """The requirements file that is written: `-r` of it is no evidence."""
    live: Path | None = None
    """The environment of the kernel that asks for its own notebook: what its lines installed is
    there. None: the notebook's file is all there is to tell."""

    def index_for(self, notebook: Path, kernel: str | None) -> Index | None:
        """The index of the environment that `notebook` runs in, given its kernel's name."""
        known = self.environments
        return known.index_for(notebook, kernel) if known is not None else None


@dataclass
class Taken:
    """What was found so far, while a notebook is gone through."""

    needs: dict[str, Need] = field(default_factory=dict)
    sites: dict[str, list[tuple[str, Where]]] = field(default_factory=dict)
    """Of the needs, by name, until all imports were seen."""
    provided: set[str] = field(default_factory=set)
    unresolved: dict[str, Where] = field(default_factory=dict)
    local: set[str] = field(default_factory=set)
    unconfirmed: dict[str, Where] = field(default_factory=dict)
