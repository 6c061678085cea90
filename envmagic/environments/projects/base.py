"""What a tool of projects is: the protocol, the project it keeps, what it is told to add."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envmagic.core.model import Environment
from envmagic.environments.projects import manifest
from envmagic.requirements import RequirementLine

__all__ = ["PYPROJECT", "Project", "Tool", "Wanted", "places"]

PYPROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Project:
    """A project whose tool keeps `environment` in step with the project's own files."""

    tool: Tool
    root: Path
    """Where the lock lies."""
    file: Path
    """Its `pyproject.toml` or `pixi.toml`; in a workspace that of the member meant."""
    environment: Environment

    @property
    def directory(self) -> Path:
        """Where the tool is run."""
        return self.file.parent

    @property
    def files(self) -> tuple[Path, ...]:
        """What the tool may change when it adds or removes something."""
        written = (self.file, self.root / self.tool.lock, self.root / PYPROJECT)
        return tuple(dict.fromkeys(file for file in written if file.is_file()))

    def locked(self) -> frozenset[str]:
        """The normalised names of all that the lock holds."""
        return manifest.locked(self.root / self.tool.lock)

    def declared(self) -> frozenset[str]:
        """The normalised names of what its file asks for itself, in whichever part of it."""
        return manifest.declared(manifest.read(self.file))


@dataclass(frozen=True)
class Wanted:
    """What is to be added."""

    lines: tuple[RequirementLine, ...] = ()
    """Paths in them count from the project's directory."""
    files: tuple[Path, ...] = ()
    """Requirements files that the tool reads itself."""
    upgrade: bool = False

    @property
    def plain(self) -> list[str]:
        """What is not to be editable."""
        return [line.text for line in self.lines if not line.is_editable]

    @property
    def editable(self) -> list[str]:
        """The paths and URLs of what is to be editable."""
        return [line.location or "" for line in self.lines if line.is_editable]

    @property
    def names(self) -> list[str]:
        """The normalised names of those that have one."""
        return [line.name for line in self.lines if line.name is not None]


class Tool(Protocol):
    """One of the tools; commands are the words behind the program's name, one list for each run."""

    name: str
    """Of its program."""
    title: str
    """As its makers write it."""
    lock: str
    """What its lock is called."""
    reads_files: bool
    """It takes `-r FILE`."""

    def find(self, environment: Environment, directory: Path) -> Project | None:
        """The project that keeps `environment` for sure, for a notebook in `directory`.

        Raises `EnvmagicError` where its files cannot be read.
        """
        ...

    def program(self) -> Path | None:
        """Where the tool is; None where it is not."""
        ...

    def check(self, project: Project) -> None:
        """Refuse what would make the tool work on another environment, or make this one anew."""
        ...

    def variables(self, project: Project) -> Mapping[str, str]:
        """What is added to the variables of its process, so that it works on the environment."""
        ...

    def options(self, project: Project, verb: str) -> list[str]:
        """What stands at the end of its command `verb` when we run it, and no person types."""
        ...

    def add(self, project: Project, wanted: Wanted) -> list[list[str]]:
        """The commands that add `wanted`."""
        ...

    def remove(self, project: Project, names: list[str]) -> list[list[str]]:
        """The commands that remove the packages `names`."""
        ...

    def upgrade(self, project: Project, names: list[str]) -> list[list[str]]:
        """The commands that take newer versions of the packages `names`; of all, without any."""
        ...

    def reason(self, said: str) -> str:
        """Why it failed, out of what it `said` on standard error; empty where that does not say."""
        ...


def places(environment: Environment, directory: Path, *names: str) -> Iterator[Path]:
    """The directories that hold files `names` and may be the root of a project of `environment`:
    that around it, `directory`, and those above."""
    prefix = environment.prefix
    around = [prefix.parent, *prefix.parents[2:3]]  # .venv, .pixi/envs/NAME
    for place in dict.fromkeys((*around, directory, *directory.parents)):
        if all(os.path.isfile(place / name) for name in names):
            yield place
