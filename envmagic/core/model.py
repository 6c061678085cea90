"""The values that flow between the rooms: what is asked, what exists, what is reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from envmagic.core.errors import Problem, Severity

__all__ = [
    "Asleep",
    "BackendName",
    "EnvSpec",
    "Environment",
    "Frontend",
    "How",
    "Kernel",
    "Place",
    "Progress",
    "Report",
    "Silent",
    "Switch",
    "Switched",
]


class BackendName(str, Enum):
    """What creates environments and installs into them."""

    UV = "uv"
    VENV = "venv"
    VIRTUALENV = "virtualenv"
    CONDA = "conda"


class Frontend(str, Enum):
    """Where the words were said."""

    NOTEBOOK = "notebook"
    TERMINAL = "terminal"


@dataclass(frozen=True)
class EnvSpec:
    """An environment as it is asked for."""

    prefix: Path
    name: str
    """What the kernel is called: readable, already validated (`names.validate`)."""
    python: str | None = None
    """A version (`3.12`, `3.12.4`), a specifier or an interpreter's path; None: ours."""
    backend: BackendName | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Environment:
    """An environment as it exists, read from its files without running it."""

    prefix: Path
    python: Path
    """Its interpreter, inside the prefix; never resolved through symlinks."""
    version: str
    """Full Python version, `3.12.4`."""
    backend: BackendName
    """What made it, as far as its files tell (`virtualenv` and `uv` sign `pyvenv.cfg`)."""
    owned: bool
    """envmagic made it and may delete it."""
    site_packages: tuple[Path, ...] = ()
    """Where its distributions lie, purelib first; system ones included when it sees them."""

    @property
    def short_version(self) -> str:
        """`3.12` of `3.12.4`."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class Kernel:
    """A kernelspec on disk."""

    name: str
    directory: Path
    display_name: str
    argv: tuple[str, ...]
    language: str = "python"
    env: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """envmagic registered it, under this name: a copy under another one is somebody's."""
        entry = self.metadata.get("envmagic")
        return isinstance(entry, Mapping) and entry.get("name", self.name) == self.name

    @property
    def prefix(self) -> Path | None:
        """The environment it was registered for, when it is ours."""
        entry = self.metadata.get("envmagic")
        prefix = entry.get("prefix") if isinstance(entry, Mapping) else None
        return Path(prefix) if isinstance(prefix, str) else None


class Progress(Protocol):
    """Where an operation says what it is doing; the frontend decides how that looks."""

    def step(self, message: str) -> None:
        """The work has reached `message` (present participle, no full stop)."""
        ...

    def detail(self, message: str) -> None:
        """One line of the running step's own words, to be shown small or not at all."""
        ...

    def waiting(self) -> None:
        """The step goes on and says nothing; called about once a second."""
        ...


class Silent:
    """A `Progress` that shows nothing."""

    def step(self, message: str) -> None: ...

    def detail(self, message: str) -> None: ...

    def waiting(self) -> None: ...


class How(str, Enum):
    """What became of a request to move the notebook."""

    RELAY = "relay"
    """It runs there now."""
    SESSION = "session"
    """The server was asked to move it."""
    PICK = "pick"
    """The person has to choose the kernel."""
    ALREADY = "already"
    """It was there."""
    NONE = "none"
    """Not asked for."""


@dataclass(frozen=True)
class Switched:
    """A move of the notebook, as the person is told of it."""

    how: How
    kernel: str
    message: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Asleep:
    """A kernel the notebook has moved away from, with its variables."""

    kernel: str
    variables: int
    memory: int
    """Bytes resident."""


class Switch(ABC):
    """A way to move the live notebook to another kernel; what is not overridden keeps nothing."""

    @abstractmethod
    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        """Move the notebook to `kernel`; the kernel left behind ends at once with `drop`.

        `carry`: plain values and variables of the environment come along to one that just started.

        `keep_saved_name`: the notebook file keeps its kernel name; only a restart changes.
        Raises `EnvmagicError` with the notebook where it was.
        """

    def check(self) -> None:  # noqa: B027 - most ways never refuse
        """Raise `EnvmagicError` if this notebook cannot be moved now (before anything is made)."""

    def begin(self, kernel: Kernel) -> None:  # noqa: B027 - most ways start none themselves
        """Start `kernel` in the background while its environment is filled; `to` takes it then.

        Only one is started so. Raises nothing: where it does not start, `to` starts it anew.
        """

    def give_up(self) -> None:  # noqa: B027
        """End what was begun and not taken, if anything."""

    def is_current(self, kernel: Kernel) -> bool:
        """Whether `kernel`, of the environment the notebook runs in, is the one it runs on; not
        when the environment was made anew since."""
        return True

    def processes(self) -> Sequence[int]:
        """The ids of the processes that the kernels of this notebook are or began in."""
        return ()

    def renamed(self, old: str, kernel: Kernel, *, current: bool) -> str:
        """The kernel `old` is called as `kernel` from now on, also where it sleeps; `current`: this
        notebook runs on it. Returns what a restart will do, where one may expect otherwise."""
        return ""

    def asleep(self) -> Sequence[Asleep]:
        """The kernels that sleep behind this notebook. Raises `EnvmagicError` if none can say."""
        return ()

    def named(self, name: str) -> Kernel | None:
        """What a kernel's name means in this session; None when it means nothing special."""
        return None


@dataclass(frozen=True)
class Place:
    """Where a verb was said: what "here" and "this notebook" mean."""

    frontend: Frontend
    directory: Path
    """Relative PATHs count from here: the notebook's directory, the kernel's start directory, or
    the terminal's working directory."""
    notebook: Path | None = None
    prefix: Path | None = None
    """The environment the notebook runs in; None in a terminal that names none."""
    kernel: str | None = None
    """The kernelspec this session runs on, as far as known."""
    switch: Switch | None = None
    """None in a terminal."""
    cells: tuple[str, ...] = ()
    """Raw source of the cells run in this session after the notebook was last saved."""
    saved_since_start: bool = True
    """The notebook was saved since this session began; until then nothing leaves its record, for
    the kernel before this one may have run what is not in the file yet."""
    failed: frozenset[str] = frozenset()
    """Dotted modules and names whose import failed in this session, and has not worked since."""
    values: MutableMapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What is named in the notebook; empty in a terminal."""
    executing: bool = False
    """A program runs the notebook from top to bottom (nbconvert, papermill): no record is kept
    unless a cell asks for it."""


Data = TypeVar("Data", bound=Mapping[str, object], covariant=True)


@dataclass(frozen=True)
class Report(Generic[Data]):
    """What a verb did. `data`, of its shape in `core.schema`, is JSON-serialisable."""

    verb: str
    data: Data
    changed: bool = False
    problems: tuple[Problem, ...] = ()
    failed: bool = False
    """The verb ran and its answer is no (`record --check` differs, `remove` without `--yes`)."""

    @property
    def ok(self) -> bool:
        return not self.failed and all(p.severity is not Severity.ERROR for p in self.problems)

    @property
    def exit_code(self) -> int:
        return 0 if self.ok else 1
