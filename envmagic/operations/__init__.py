"""What the verbs do: one function each, request -> `Report`, the same for every frontend."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core import verbs
from envmagic.core.display import joined
from envmagic.core.errors import EnvmagicError, Problem
from envmagic.core.model import Place, Progress, Report
from envmagic.core.record_files import REQUIREMENTS
from envmagic.system import directories, scratch

if TYPE_CHECKING:
    from envmagic.operations.footprint import Footprint
    from envmagic.record.missing_import import FailedImport

__all__ = ["Operation", "advise", "keep_record", "run"]

Operation = Callable[[Any, Place, Progress], Report[Any]]
"""What carries out one verb, found by its request; raises `EnvmagicError`."""


_ONLY_SHOW = (
    verbs.ListRequest,
    verbs.StatusRequest,
    verbs.PlanRequest,
    verbs.UseRequest,
    verbs.HistoryRequest,
)
# They write files and change no environment; the history would be most of what they import.
_ONLY_FILES = (verbs.RecordRequest, verbs.AutoloadRequest)


def run(
    request: verbs.Request | verbs.CarryOutRequest, place: Place, progress: Progress
) -> Report[Any]:
    """Carry out `request` at `place`. Raises `EnvmagicError` when it could not be done.

    What an earlier one left that was killed is cleared away first. Where it fails, or is
    interrupted (`KeyboardInterrupt`), it is looked what has changed all the same, and that is said.
    """
    scratch.sweep(progress.step)
    _finish()
    module, _, name = request.operation.partition(".")
    operation: Operation = getattr(import_module(f"{__name__}.{module}"), name)
    if isinstance(request, _ONLY_SHOW):
        return operation(request, place, progress)
    from envmagic.operations import footprint

    before = footprint.take(request, place)
    try:
        with _in_the_name_of(request, place):
            return operation(request, place, progress)
    except EnvmagicError as error:
        changed = before.changed()
        if not changed:
            raise
        raise error.saying(f"All the same, {joined(changed)}.") from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(_interrupted(before)) from error


def _finish() -> None:
    """Bring to an end what was cut off; nothing where nothing was: the directories tell."""
    if any(d.is_dir() and any(d.iterdir()) for d in (directories.journal(), directories.renamed())):
        from envmagic.operations import cut_off

        cut_off.finish_renames()
    if directories.exchanges().is_dir():
        from envmagic.environments import exchange

        exchange.settle()
    if any(directories.history().glob("*.doing")):  # last: it looks at what is in its place now
        from envmagic.environments import history

        history.sweep()


def _in_the_name_of(
    request: verbs.Request | verbs.CarryOutRequest, place: Place
) -> contextlib.AbstractContextManager[None]:
    """What environments change meanwhile is kept in their histories with the words of `request`."""
    if isinstance(request, _ONLY_FILES):
        return contextlib.nullcontext()
    from envmagic.environments import history
    from envmagic.operations import words

    return history.doing(words.of(request), place.notebook)


def _interrupted(before: Footprint) -> str:
    try:
        return f"Interrupted; {joined(before.changed()) or 'nothing was changed'}."
    except KeyboardInterrupt:  # once more, while it is looked
        return "Interrupted."


def advise(failed: FailedImport, directories: Sequence[Path]) -> Problem | None:
    """What helps with an import that has `failed` in this process; None where nothing is certain.

    `directories` are those in or above which modules of the user's may lie, the notebook's first.
    """
    from envmagic.operations.import_advice import advice

    return advice(failed, directories)


def keep_record(place: Place, *, was_on: bool = False) -> tuple[Problem, ...]:
    """Bring the record of the notebook at `place` up to date after a cell; returns what is wrong,
    and whether the lock beside it is behind then.

    Only while its file says `recording on`, or is gone and said so as long as it `was_on`.
    """
    from envmagic.record.of_notebook import OF_ANOTHER, keep

    before = _written(place)
    problems = keep(place, was_on=was_on)
    if _written(place) == before or any(p.code == OF_ANOTHER for p in problems):
        return problems
    from envmagic.operations.lock_beside import behind_here

    return (*problems, *behind_here(place))


def _written(place: Place) -> int | None:
    """When the record was last written."""
    with contextlib.suppress(OSError):
        return (place.directory / REQUIREMENTS).stat().st_mtime_ns
    return None
