"""The plan of a notebook, as a value: which environment it runs in, and what says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from envmagic.core import display
from envmagic.core.model import BackendName
from envmagic.environments.backends.base import InstallPlan

__all__ = [
    "ChosenPython",
    "Declaration",
    "Kind",
    "PassedOver",
    "Plan",
    "Question",
    "Source",
    "State",
    "WantedPython",
]


class Kind(str, Enum):
    """What can say which environment a notebook runs in; of those in one place the first counts."""

    CELL = "cell"
    """`%%env`, `%env create`, `use` or `attach` in the notebook."""
    SCRIPT = "script"
    """A block of inline script metadata (PEP 723) in a cell."""
    ENVIRONMENT = "environment"
    """One that is there, of any tool."""
    LOCK = "lock"
    """`pylock.toml` (PEP 751)."""
    REQUIREMENTS = "requirements"
    PROJECT = "project"
    """`pyproject.toml`."""
    CONDA = "environment-file"
    """`environment.yml`."""
    IMPORTS = "imports"
    """Nothing says so but what the notebook imports."""


class State(str, Enum):
    """What is there of the environment."""

    READY = "ready"
    LACKING = "lacking"
    """It is there, and not all that is asked for is in it."""
    MISSING = "missing"
    BROKEN = "broken"
    """It is there and cannot run."""


@dataclass(frozen=True)
class Source:
    """Where something is said: a file and a line, or a cell of the notebook and a line there."""

    kind: Kind
    file: Path | None = None
    cell: int = 0
    """Counting all cells from 1; 0 outside a notebook."""
    line: int = 0
    """Counting from 1; 0: no line in particular."""

    def __str__(self) -> str:
        name = display.user_path(self.file) if self.file else "this session"
        where = f"cell {self.cell} of {name}" if self.cell else name
        return f"line {self.line} of {where}" if self.line else where


@dataclass(frozen=True)
class WantedPython:
    """What is said of the Python: a version (`3.12`), or a specifier (`>=3.11`)."""

    text: str
    source: Source


@dataclass(frozen=True)
class ChosenPython:
    """The Python of the environment, or that it will be made from."""

    version: str
    """`3.12.4`, or `3.12` where its place tells no more."""
    why: str
    """A clause: `.python-version asks for 3.12`."""
    executable: Path | None = None
    """None: that of the environment, which is there."""


@dataclass(frozen=True)
class PassedOver:
    """A file that looks like a declaration and does not count, and why."""

    file: Path
    reason: str
    """A clause, with `it` for the file."""


@dataclass(frozen=True)
class Question:
    """A line that installs from elsewhere than the user's own package index."""

    line: str
    """Without credentials."""
    source: Source
    reason: str
    """A clause: `it is installed from a URL`."""
    digest: str
    """What an answer is remembered by."""


@dataclass(frozen=True)
class Declaration:
    """What one source asks for."""

    source: Source
    prefix: Path | None = None
    """Where its environment is or would be; None: one of ours, called after the notebook."""
    name: str = ""
    """What the environment is called, where the source says it."""
    wanted: InstallPlan = field(default_factory=InstallPlan)
    pythons: tuple[WantedPython, ...] = ()
    preferred: tuple[tuple[str, str], ...] = ()
    """Versions of Python that are taken where they are there, and a clause why."""
    unresolved: tuple[str, ...] = ()
    """Modules of which nobody knows the distribution."""
    backend: BackendName | None = None
    as_it_is: bool = False
    """An environment of the user's: nothing is installed into it."""
    by_cell: bool = False
    """The cell makes the environment, when it is run."""
    pinned: Path | None = None
    """Another tool's lock beside it, whose versions are the constraints of `wanted`."""
    recorded: bool = False
    """A record that is kept of this notebook, in the environment that it runs in."""


@dataclass(frozen=True)
class Plan:
    """Which environment a notebook runs in, from what, and what that still takes."""

    notebook: Path | None
    declaration: Declaration
    prefix: Path
    name: str
    """What the environment and its kernel are called."""
    state: State
    python: ChosenPython
    lacking: tuple[str, ...] = ()
    """Requirements that are not satisfied, as they are written; all of them while it is missing."""
    questions: tuple[Question, ...] = ()
    """What is to be asked before anything is installed."""
    passed_over: tuple[PassedOver, ...] = ()
    problem: str = ""
    """Why a broken one cannot run: a sentence."""

    @property
    def source(self) -> Source:
        return self.declaration.source
