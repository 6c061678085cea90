"""What every engine for conda packages is: the protocol, and what an environment is to become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envmagic.core.model import Progress

__all__ = ["Engine", "NotInChannels", "Transaction"]


@dataclass(frozen=True)
class Transaction:
    """What the environment at `prefix` is to become."""

    prefix: Path
    channels: tuple[str, ...]
    """As written by the user or in files, first ones first; empty: as configured."""
    specs: tuple[str, ...] = ()
    """What is asked for now."""
    kept: tuple[str, ...] = ()
    """What was asked for earlier and holds still."""
    held: tuple[str, ...] = ()
    """What may not be violated, without asking for it: pins, the Python that is there."""
    remove: tuple[str, ...] = ()
    """Names to be taken out."""
    reinstall: tuple[str, ...] = ()
    """Names to be linked again although they look installed."""
    upgrade: bool = False


class NotInChannels(Exception):
    """Packages that are asked for and that no channel has."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


class Engine(Protocol):
    """Carries out a `Transaction`. Raises `EnvmagicError` with the solver's own words."""

    name: str

    def apply(self, change: Transaction, progress: Progress) -> None:
        """Solve, download and link. Raises `NotInChannels` before anything is changed."""
        ...
