"""The lock beside a notebook: which file it is, and whether it is still of what is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import BackendName, Place
from envmagic.core.record_files import LOCK, REQUIREMENTS, lock_of
from envmagic.environments import backends, registry
from envmagic.environments.backends.conda.explicit import explicit
from envmagic.environments.inventory import Inventory
from envmagic.record import lock as locking
from envmagic.system import files

__all__ = ["behind", "behind_here", "file_of", "inputs_of"]


def behind(place: Place, there: Inventory) -> tuple[Problem, ...]:
    """A note where the lock beside the notebook, written by us, is not of what is `there`."""
    file = file_of(place.directory, place.notebook)
    try:
        if there.environment.backend is BackendName.CONDA:
            listed = explicit(there.environment.prefix)
            beside = place.directory / listed.name
            if beside.is_file() and files.read(beside) != listed.text.encode():
                return (_problem(beside.name, _CHANGED),)
        if not file.is_file() or not locking.is_ours(file):
            return ()
        why = locking.why_behind(inputs_of(there, file, place.notebook), file)
    except EnvmagicError as error:  # locking again would end in the same
        first = _problem(file.name, error.problem.message.rstrip("."))
        return (replace(first, hint=error.problem.hint, command=error.problem.command),)
    return (_problem(file.name, why),) if why else ()


def behind_here(place: Place) -> tuple[Problem, ...]:
    """As `behind`, of the environment that the notebook at `place` runs in; nothing where it is
    not known. No engine runs, and no index is asked."""
    if place.prefix is None or not _is_locked(place):
        return ()
    try:
        return behind(place, backends.look(registry.environment_at(place.prefix)))
    except EnvmagicError:
        return ()


def file_of(directory: Path, notebook: Path | None) -> Path:
    """The lock that counts for `notebook` in `directory`: one of its own, where there is one."""
    own = lock_of(notebook) if notebook is not None else None
    return own if own is not None and own.is_file() else directory / LOCK


def inputs_of(
    there: Inventory, file: Path, notebook: Path | None, *, universal: bool = False
) -> locking.Inputs:
    """What the lock in `file` is made from; of `notebook` alone where it is its own."""
    if there.environment.backend is BackendName.CONDA:
        return locking.Inputs.beside_conda(there)
    own = notebook if notebook is not None and file == lock_of(notebook) else None
    universal = universal or (file.exists() and locking.is_universal(file))
    return locking.Inputs.of(there, file.parent / REQUIREMENTS, own, universal=universal)


def _is_locked(place: Place) -> bool:
    file = file_of(place.directory, place.notebook)
    return file.is_file() or any(place.directory.glob("conda-*.lock"))


def _problem(name: str, why: str) -> Problem:
    said = f"{name} is behind: {why}."
    return Problem("lock-behind", said, "To lock again", Severity.INFO, command=("lock",))


_CHANGED = "what is installed has changed since"
