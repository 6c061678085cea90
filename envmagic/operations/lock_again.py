"""Locking again after a change, where the lock beside the notebook was what was there before."""

from __future__ import annotations

from envmagic.core.errors import EnvmagicError, Problem
from envmagic.core.model import Place, Progress
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments.inventory import Inventory
from envmagic.operations import lock_beside
from envmagic.record import lock as locking
from envmagic.system import files, locks

__all__ = ["again", "was_current"]


def was_current(place: Place, there: Inventory) -> bool:
    """Whether the lock beside the notebook is ours and of what is `there`."""
    file = lock_beside.file_of(place.directory, place.notebook)
    try:
        inputs = lock_beside.inputs_of(there, file, place.notebook) if file.is_file() else None
        return inputs is not None and locking.state(inputs, file) is locking.State.CURRENT
    except EnvmagicError:
        return False


def again(
    place: Place, there: Inventory, progress: Progress, *, current: bool
) -> tuple[list[str], tuple[Problem, ...]]:
    """The lock is made of what is `there` now, where it was `current`; else it is said to be
    behind. Returns notes and problems."""
    if not current:
        return [], lock_beside.behind(place, there)
    file = lock_beside.file_of(place.directory, place.notebook)
    try:
        with locks.lock(place.directory / REQUIREMENTS):
            inputs = lock_beside.inputs_of(there, file, place.notebook)
            made = locking.locked(inputs, file, progress)
            if made.changed:
                files.write_atomic(file, made.now.encode())
    except EnvmagicError:
        return [], lock_beside.behind(place, there)
    count = f"{len(made.names)} distribution{'' if len(made.names) == 1 else 's'}"
    return ([f"{file.name} was made anew: {count}."] if made.changed else []), ()
