"""Whether the lock beside a notebook is still what its environment holds, after a change."""

from __future__ import annotations

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Place
from envmagic.core.record_files import LOCK, REQUIREMENTS
from envmagic.environments.inventory import Inventory
from envmagic.record import lock as locking

__all__ = ["behind"]


def behind(place: Place, there: Inventory) -> tuple[Problem, ...]:
    """A note where `pylock.toml` beside the notebook, written by us, is not of what is `there`."""
    file = place.directory / LOCK
    if not file.is_file():
        return ()
    try:
        universal = locking.is_universal(file)
        inputs = locking.Inputs.of(there, place.directory / REQUIREMENTS, universal=universal)
        why = locking.state(inputs, file)
    except EnvmagicError as error:
        why = error.problem.message.rstrip(".") if locking.is_ours(file) else ""
    if not why:
        return ()
    said = f"{LOCK} is behind: {why}."
    return (Problem("lock-behind", said, "To lock again", Severity.INFO, command=("lock",)),)
