"""What every backend is: the protocol, what it is told to install, what it finds wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from envmagic.core.errors import Problem
from envmagic.core.model import BackendName, Environment, EnvSpec, Progress
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.jupyter.kernelspecs import Launch

__all__ = ["NOTHING", "Backend", "Fault", "InstallPlan"]


@dataclass(frozen=True)
class InstallPlan:
    """What is to be installed, as the installers take it."""

    requirements: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    constraints: tuple[str, ...] = ()
    directory: Path | None = None
    """Where relative paths count from and uv looks for its settings; None: the environment."""
    reinstall: tuple[str, ...] = ()
    """Distributions to be installed again although they look installed."""
    upgrade: bool = False
    alone: bool = False
    """Nothing that they require besides: it is there, or is left to the rest of the plan."""
    finding: tuple[str, ...] = ()
    """Lines of options that hold besides: where packages are found, which of them are taken."""
    lock: Path | None = None
    """A `pylock.toml` that says what `requirements` says, for installers that read it: they take
    the very files that it names."""
    until: datetime | None = None
    """Nothing that was uploaded later is taken."""
    exempt: tuple[str, ...] = ()
    """Distributions for which `until` does not count."""

    def __bool__(self) -> bool:
        """Something is to be installed: options of the installer alone are nothing."""
        return bool(self.files) or not all(map(_is_option, self.requirements))


def _is_option(text: str) -> bool:
    installs = ("-e", "--editable", "-r", "--requirement")
    return text.startswith("-") and not text.startswith(installs)


NOTHING = InstallPlan()
"""What is asked for where only a kernel is wanted."""


@dataclass(frozen=True)
class Fault:
    """Something wrong inside an environment."""

    problem: Problem
    plan: InstallPlan | None = None
    """Installing this mends it; None: nothing of ours does."""
    beside: bool = False
    """By `Backend.add`, not by `install`."""


class Backend(Protocol):
    """One kind of environment: how it is told, made, filled and started.

    Methods raise `EnvmagicError` and undo nothing. What all kinds of venv have in common, and what
    most others will, is in `pyvenv.PyvenvBackend`.
    """

    name: BackendName
    of_distributions: bool
    """It holds Python's distributions alone: what those declare binds, and what a directory tells
    uv leads its installer."""

    def missing(self) -> str:
        """Why this backend cannot be used here, as the rest of a sentence; empty when it can."""
        ...

    # -- what is there -------------------------------------------------------------------------

    def inspect(self, prefix: Path, *, owned: bool) -> Environment:
        """The environment at `prefix`, as its files describe it; the table has told its kind.

        Raises `EnvmagicError` when it cannot run.
        """
        ...

    def packages(self, environment: Environment) -> dict[str, str]:
        """Normalised name -> version of what is installed and is no Python distribution."""
        ...

    def lacking(self, there: Inventory, plan: InstallPlan) -> InstallPlan:
        """`plan` without the requirements that what is `there` satisfies for certain."""
        ...

    def has_python(self, environment: Environment, wanted: str) -> bool:
        """Whether its Python is what `wanted` (a version, a specifier, a path) asks for."""
        ...

    def faults(self, environment: Environment) -> Iterator[Fault]:
        """What is wrong inside, besides what RECORDs tell of every environment."""
        ...

    def written(self, prefix: Path, *, cut_off: bool) -> Mapping[str, str | None]:
        """The files below `prefix` that its tools wrote, besides what RECORDs tell: path from
        `prefix`, with `/`, to the SHA-256 in hexadecimal, or None where it need not be the same."""
        ...

    # -- what is asked for ---------------------------------------------------------------------

    def lines(self, text: str, source: str) -> tuple[str, ...]:
        """The requirements in `text`, one a line, comments cut; a malformed one is named with its
        number in `source`."""
        ...

    def understands(self, text: str) -> bool:
        """Whether `text` is a requirement that only this backend's own tools read."""
        ...

    def reads(self, file: Path) -> bool:
        """Whether `file` is one of this backend's own, that pip cannot install from."""
        ...

    def check_file(self, file: Path) -> None:
        """Refuse one of its own files that cannot be read."""
        ...

    def file_beside(self, directory: Path) -> Path | None:
        """Its own file in `directory` that says what is needed there."""
        ...

    def is_recorded_in(self, file: Path) -> bool:
        """Whether a record of ours is kept in one of its own files."""
        ...

    def name_in(self, file: Path) -> str | None:
        """What one of its own files calls the environment."""
        ...

    def held_beside(
        self, directory: Path, plan: InstallPlan
    ) -> tuple[InstallPlan, tuple[Problem, ...]]:
        """`plan` held to the versions that its own file in `directory` says, and a warning for each
        that contradicts it."""
        ...

    def as_requirements(self, texts: Sequence[str]) -> tuple[str, ...]:
        """`texts`, requirements that were installed, as pip would write them."""
        ...

    # -- making and changing -------------------------------------------------------------------

    def python(self, spec: EnvSpec) -> Python:
        """The interpreter to make `spec` from; without a path where the backend brings its own."""
        ...

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        """Make an environment at `spec.prefix`, an existing empty directory.

        `plan` is installed afterwards, by `fill`; a backend that solves puts it in at once, and
        returns the names that it did not find.
        """
        ...

    def fill(
        self,
        environment: Environment,
        plan: InstallPlan,
        left: tuple[str, ...],
        progress: Progress,
    ) -> list[str]:
        """Install `plan` into an environment that `create` has made, which returned `left`. As
        `install`, and cut off at any moment it leaves only what a RECORD there explains."""
        ...

    def again(self, environment: Environment) -> tuple[InstallPlan, tuple[str, ...]]:
        """What `create` is to be told for another environment with the very packages that no RECORD
        tells of in `environment`, and the channels that they are from."""
        ...

    def created(self, environment: Environment) -> None:
        """Called when a new environment is whole."""
        ...

    def install(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        """Install `plan`, leaving alone what satisfies it already. Returns notes for the person,
        one sentence each."""
        ...

    def add(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        """As `install`, from the package index only: nothing that another tool manages changes."""
        ...

    def uninstall(
        self, environment: Environment, names: Sequence[str], progress: Progress
    ) -> list[str]:
        """Take packages out. Returns notes for the person."""
        ...

    # -- its kernel ----------------------------------------------------------------------------

    def launch(self, environment: Environment) -> Launch:
        """What its kernelspec says besides the interpreter."""
        ...
