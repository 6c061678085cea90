"""What switching keeps with a shell: how the running cell is left, and what was told for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from envmagic.switching.restart_target import Label

__all__ = ["Leaving", "ShellState", "of"]


class Leaving(Protocol):
    """A move by relay that waits for the end of the running cell."""

    rest: str
    """What of the cell is to run in the kernel that the notebook moves to."""
    travels: bool
    """That has begun."""

    @property
    def is_of_running_request(self) -> bool: ...

    def shield(self) -> None: ...

    def cancel(self) -> None: ...


@dataclass
class ShellState:
    """One shell's; the main thread's, as its cells are."""

    departure: Leaving | None = None
    """Of the last move by relay that was asked for; see `is_leaving`."""
    told: Label = field(default_factory=Label)
    """What the server was told a restart is to start, for that move."""
    leave: Callable[[], object] | None = None
    """Ends the running cell where the relay does not: by another program, or by an exception."""
    whole: tuple[str, str] | None = None
    """The id of a request whose cell was put off, and its source: all of it is its rest."""

    @property
    def is_leaving(self) -> bool:
        """Whether the notebook moves to another kernel when the running cell ends."""
        return self.departure is not None and self.departure.is_of_running_request


_states: weakref.WeakKeyDictionary[Any, ShellState] = weakref.WeakKeyDictionary()


def of(shell: Any) -> ShellState:
    """What is kept with `shell`; nothing of a shell that never moved."""
    return _states.setdefault(shell, ShellState())
