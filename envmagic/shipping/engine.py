"""What each engine's module can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from envmagic.core.errors import Problem
from envmagic.core.model import Place, Progress
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen

__all__ = ["Asked", "Engine", "Shipped"]


@dataclass(frozen=True)
class Asked:
    """What `ship` was asked for."""

    payload: Payload
    place: Place
    target: str | None = None
    """The address, where one was given."""
    to: str | None = None
    index: str | None = None
    """The index that workers install from, by the user's own wish; else their own."""


@dataclass(frozen=True)
class Shipped:
    """What became of it."""

    address: str = ""
    """The cluster; empty where nothing is connected."""
    sent: tuple[str, ...] = ()
    """What went there this time: distributions and local modules; empty where all was there."""
    workers: tuple[Seen, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    """What is to be set for a session that is about to start, as the engine calls it."""
    variable: str = ""
    """The notebook's variable that holds `settings`, where one does."""
    file: str = ""
    """What was written."""
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    again: str = ""
    """What has workers that differ take the rest, where sending it again does not."""
    leaves: frozenset[str] = frozenset()
    """Distributions of the payload that the engine brings itself: not compared."""


class Engine(Protocol):
    """One of `core.verbs.ENGINES`. What raises `EnvmagicError` leaves the cluster as it was."""

    def ship(self, asked: Asked, progress: Progress) -> Shipped:
        """Give the payload to the cluster, and look what its workers have then."""

    def check(self, asked: Asked, progress: Progress) -> Shipped:
        """Look what the workers have; nothing is sent."""
