"""What a lock is made from: the lines of the record, and what the environment holds."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments import history, satisfaction
from envmagic.environments.backends.conda import metadata
from envmagic.environments.inventory import Inventory
from envmagic.requirements import Kind, RequirementLine

__all__ = ["Inputs", "notebooks_in"]


@dataclass(frozen=True)
class Inputs:
    """All that a lock hangs on."""

    there: Inventory
    file: Path | None
    """The requirements file that is locked as it is; None: `lines` are."""
    universal: bool = False
    """For all platforms and Pythons, not only for the ones here."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> the line that installs what is there."""
    lines: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """Constraints of the user's, where `lines` are locked."""
    conda: bool = False
    """What pip installed beside conda's packages, all of it and nothing that it needs."""

    @classmethod
    def of(
        cls, there: Inventory, file: Path, notebook: Path | None = None, *, universal: bool = False
    ) -> Inputs:
        """Those of the environment that holds what is `there` and the requirements in `file`, of
        `notebook` alone where one is named.

        Raises `EnvmagicError` where there is no such file, or something in it is not there.
        """
        if not file.is_file():
            raise WordsError(
                "no-file",
                f"There is no {file.name} in {display.user_path(file.parent)} to lock.",
                "To write it",
                command=("record",),
                subject=str(file),
            )
        asked = _asked(file, notebook)
        found = [line.requirement for line in asked if line.requirement and not line.constraint]
        lacking = satisfaction.missing(found, there.distributions, there.environment.version)
        if lacking:
            raise _not_installed(file, [normalized(each.name) for each in lacking], there)
        held = {k: v for k, v in history.lines_of(there).items() if k in there.distributions}
        flat = [line for line in asked if line.includes is None]
        lines = tuple(line.text for line in flat if not line.constraint)
        limits = tuple(line.text for line in flat if line.constraint)
        return cls(there, None if notebook else file, universal, held, lines, limits)

    @classmethod
    def beside_conda(cls, there: Inventory) -> Inputs:
        """Those of what pip installed into a conda environment."""
        found = there.distributions.items()
        own = {name for name, (_, info) in found if not metadata.by_conda(info)}
        held = {k: v for k, v in history.lines_of(there).items() if k in own}
        return cls(there, None, False, held, tuple(held.values()), conda=True)

    @property
    def pins(self) -> tuple[str, ...]:
        """The versions, as constraints."""
        return tuple(line for line in self.held.values() if not _is_elsewhere(line))

    @property
    def sources(self) -> tuple[str, ...]:
        """What came from no index, with its commit or directory."""
        return tuple(line for line in self.held.values() if _is_elsewhere(line))

    def asked(self, directory: Path) -> tuple[str, ...]:
        """The lines, which are in a file in `directory`, with where that came from which came from
        no index: for what takes no second line about the same."""
        lines = requirements.parse_lines("\n".join(self.lines), REQUIREMENTS)
        named = {
            line.name: sorted(line.requirement.extras) if line.requirement else []
            for line in lines
            if not line.is_editable and line.location and line.name in self.held
        }
        editable = {
            os.path.realpath(directory / (e.location or "")) for e in lines if e.is_editable
        }
        sources = [
            _with_extras(self.held[name], named.get(name, []))
            for name, line in self.held.items()
            if line in self.sources and os.path.realpath(line[3:]) not in editable
        ]
        kept = [e.text for e in lines if e.is_editable or not e.location or e.name not in named]
        return (*kept, *sources)

    @property
    def where(self) -> tuple[str, str]:
        """The Python and the platform that a lock is for which is for no others."""
        return self.there.environment.short_version, f"{sys.platform} {platform.machine().lower()}"

    def key(self, names: Collection[str]) -> str:
        """Text that is another when a lock that holds `names` is to be."""
        where = "universal" if self.universal else self.where
        held = {name: line for name, line in self.held.items() if name in names or self.conda}
        python = self.there.environment.version
        return json.dumps([sorted((*self.lines, *self.limits)), held, python, where])


def notebooks_in(file: Path) -> frozenset[str]:
    """The notebooks that are recorded in the requirements file, as it names them."""
    block = requirements.read(file).block
    return block.notebooks if block is not None else frozenset()


def _asked(file: Path, notebook: Path | None) -> tuple[RequirementLine, ...]:
    """The lines of `file`, without those that other notebooks than `notebook` need."""
    held = requirements.read(file)
    if notebook is None:
        return held.all_lines()
    name = Path(os.path.relpath(notebook, file.parent)).as_posix()
    if name not in notebooks_in(file):
        raise WordsError(
            "not-recorded",
            f"{name} is not recorded in {file.name}.",
            "To record it",
            command=("record", name),
            subject=str(notebook),
        )
    return (*held.user_lines(), *_recorded(held, name))


def _recorded(held: requirements.RequirementsFile, notebook: str) -> Iterator[RequirementLine]:
    for entry in held.block.entries if held.block is not None else ():
        named = any(mention.notebook == notebook for mention in entry.mentions)
        if named and entry.kind is Kind.REQUIREMENT:
            yield from requirements.parse_lines(entry.text, REQUIREMENTS)


def _not_installed(file: Path, names: Sequence[str], there: Inventory) -> EnvmagicError:
    """That `names`, which `file` asks for, are not `there`: what was recorded in another version
    than is installed now is to be recorded again, since to install it would take a change back."""
    held = requirements.read(file)
    recorded = {entry.name for entry in held.block.entries} if held.block is not None else set()
    recorded -= {line.name or "" for line in held.user_lines()}
    again = all(name in recorded and name in there.distributions for name in names)
    return EnvmagicError(
        "not-installed",
        f"{file.name} asks for {display.joined(list(names[:5]))}, which the environment"
        f" {'has' if again else 'lacks or has'} in another version.",
        "To record the one that is installed" if again else "To install it",
        command=("record",) if again else ("sync",),
        subject=names[0],
    )


def _is_elsewhere(line: str) -> bool:
    return line.startswith("-e ") or " @ " in line


def _with_extras(line: str, extras: Sequence[str]) -> str:
    name, at, where = line.partition(" @ ")
    return f"{name}[{','.join(extras)}]{at}{where}" if extras and at else line
