"""What every backend is: the protocol, and what it is told to install."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envmagic.core.model import BackendName, Environment, EnvSpec, Progress

__all__ = ["Backend", "InstallPlan"]


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

    def create(self, spec: EnvSpec, python: Path, wanted: InstallPlan, progress: Progress) -> None:
        """Make an environment at `spec.prefix`, an existing empty directory.

        `wanted` is installed afterwards; a backend that solves puts it in at once.
        """
        ...

    def fill(self, environment: Environment, wanted: InstallPlan, progress: Progress) -> list[str]:
        """Install `wanted` into an environment that was just made and holds nothing yet. As
        `install`, and cut off at any moment it leaves only what a RECORD there explains."""
        ...

    def install(
        self, environment: Environment, wanted: InstallPlan, progress: Progress
    ) -> list[str]:
        """Install `wanted`, leaving alone what satisfies it already. Returns notes for the person,
        one sentence each."""
        ...

    def uninstall(
        self, environment: Environment, packages: Sequence[str], progress: Progress
    ) -> None:
        """Take `packages` out."""
        ...
