"""What creates environments and installs into them: one protocol and its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envmagic.errors import EnvmagicError
from envmagic.model import BackendName, Environment, EnvSpec, Progress

__all__ = ["Backend", "Wanted", "available", "choose", "for_environment", "get"]


@dataclass(frozen=True)
class Wanted:
    """What is to be installed, as the installers take it."""

    requirements: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    constraints: tuple[str, ...] = ()
    directory: Path | None = None
    """Where relative paths count from and uv looks for its settings; None: the environment."""
    reinstall: tuple[str, ...] = ()
    """Distributions to be installed again although they look installed."""
    upgrade: bool = False
    held: tuple[str, ...] = ()
    """Of conda's packages: versions that hold without being asked for (`numpy=1.26.4`)."""
    pip_only: bool = False
    """In a conda environment: nothing of conda's is touched."""

    def __bool__(self) -> bool:
        return bool(self.requirements or self.files)


class Backend(Protocol):
    """Creates environments and installs into them. Raises `EnvmagicError`; undoes nothing."""

    name: BackendName

    def missing(self) -> str:
        """Why this backend cannot be used here, as the rest of a sentence; empty when it can."""
        ...

    def create(self, spec: EnvSpec, python: Path, wanted: Wanted, progress: Progress) -> None:
        """Make an environment at `spec.prefix`, an existing empty directory.

        `wanted` is installed afterwards; a backend that solves puts it in at once.
        """
        ...

    def fill(self, environment: Environment, wanted: Wanted, progress: Progress) -> list[str]:
        """Install `wanted` into an environment that was just made and holds nothing yet. As
        `install`, and cut off at any moment it leaves only what a RECORD there explains."""
        ...

    def install(self, environment: Environment, wanted: Wanted, progress: Progress) -> list[str]:
        """Install `wanted`, leaving alone what satisfies it already. Returns notes for the person,
        one sentence each."""
        ...

    def uninstall(
        self, environment: Environment, packages: Sequence[str], progress: Progress
    ) -> None:
        """Take `packages` out."""
        ...


def get(name: BackendName) -> Backend:
    """The backend called `name`."""
    if name is BackendName.UV:
        from envmagic.backends.uv import UvBackend

        return UvBackend()
    if name is BackendName.VIRTUALENV:
        from envmagic.backends.virtualenv import VirtualenvBackend

        return VirtualenvBackend()
    if name is BackendName.VENV:
        from envmagic.backends.venv import VenvBackend

        return VenvBackend()
    from envmagic.backends.conda import CondaBackend

    return CondaBackend()


def available() -> list[BackendName]:
    """The backends that can be used here, best first."""
    order = (BackendName.UV, BackendName.VIRTUALENV, BackendName.VENV, BackendName.CONDA)
    return [name for name in order if not get(name).missing()]


def choose(name: BackendName | None) -> Backend:
    """The backend asked for, else uv where it is found, else venv.

    Raises `EnvmagicError` when the one asked for is not there.
    """
    if name is None:
        uv = get(BackendName.UV)
        return get(BackendName.VENV) if uv.missing() else uv
    backend = get(name)
    reason = backend.missing()
    if reason:
        raise EnvmagicError(
            "no-backend",
            f"The backend {name.value} cannot be used: {reason}.",
            f'Install it: pip install "envmagic[{name.value}]"',
            subject=name.value,
        )
    return backend


def for_environment(environment: Environment) -> Backend:
    """What installs into `environment`: for every kind of venv the same, whatever made it."""
    is_conda = environment.backend is BackendName.CONDA
    return get(BackendName.CONDA if is_conda else BackendName.VENV)
