"""What a lock is made from: the lines of the record, and what the environment holds."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.environments import history, satisfaction
from envmagic.environments.inventory import Inventory

__all__ = ["Inputs"]


@dataclass(frozen=True)
class Inputs:
    """All that a lock hangs on."""

    there: Inventory
    file: Path
    """The requirements file whose lines are locked."""
    universal: bool = False
    """For all platforms and Pythons, not only for the ones here."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> the line that installs what is there."""
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, there: Inventory, file: Path, *, universal: bool = False) -> Inputs:
        """Those of the environment that holds what is `there` and the requirements in `file`.

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
        lines = requirements.read(file).all_lines()
        found = [line.requirement for line in lines if line.requirement and not line.constraint]
        lacking = satisfaction.missing(found, there.distributions, there.environment.version)
        if lacking:
            names = display.joined([each.name for each in lacking[:5]])
            raise EnvmagicError(
                "not-installed",
                f"{file.name} asks for {names}, which the environment has not as it is asked for.",
                "To install it",
                command=("sync",),
                subject=lacking[0].name,
            )
        held = {k: v for k, v in history.lines_of(there).items() if k in there.distributions}
        return cls(there, file, universal, held, tuple(line.text for line in lines))

    @property
    def pins(self) -> tuple[str, ...]:
        """The versions, as constraints."""
        return tuple(line for line in self.held.values() if not _is_elsewhere(line))

    @property
    def sources(self) -> tuple[str, ...]:
        """What came from no index, with its commit or directory."""
        return tuple(line for line in self.held.values() if _is_elsewhere(line))

    @property
    def key(self) -> str:
        """Text that is another when the lock is to be."""
        where = [self.universal] if self.universal else [sys.platform, platform.machine()]
        python = self.there.environment.version
        return json.dumps([sorted(self.lines), dict(self.held), python, where])


def _is_elsewhere(line: str) -> bool:
    return line.startswith("-e ") or " @ " in line
