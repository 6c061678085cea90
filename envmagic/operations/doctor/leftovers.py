"""What was being made or removed when its process ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import Severity
from envmagic.core.model import Progress
from envmagic.environments import (
    backends,
    clearing,
    history,
    journal,
    ownership,
    provisioning,
    registry,
)
from envmagic.environments.backends.base import NOTHING
from envmagic.jupyter import kernelspecs
from envmagic.operations.doctor.finding import Finding, problem
from envmagic.system import directories, locks

__all__ = ["of_leftovers"]

_FEW = 3


def of_leftovers(progress: Progress) -> Iterator[Finding]:
    """What was being made or removed when its process ended.

    One that is alive and holds its lock is at work; an installer that goes on alone is waited for.
    What is to be done is decided under the lock, by what is there then: the entry may be another
    one, or none.
    """
    for entry in {(entry.prefix, entry.to): entry for entry in journal.unfinished()}.values():
        prefix = Path(entry.prefix)
        if not locks.is_free(prefix) and entry.running:
            continue
        if entry.to:
            yield _moving(prefix, Path(entry.to))
            continue

        def settle(prefix: Path = prefix) -> str:
            with clearing.locked(prefix) as kept:
                if ownership.is_owned(prefix):  # only its kernel was lacking
                    name = names.kernel_name_of(prefix)
                    now = registry.environment_at(prefix)
                    provisioning.make_ready(backends.look(now), name, NOTHING, progress)
                return kept.message if kept else ""

        code, message, hint = "half-made", "was never finished", "Make it again, or clear it away"
        if entry.removing:
            code, message, hint = "half-deleted", "is only half removed", "To clear it away"
        shown = f"{display.user_path(prefix)} {message}."
        said = problem(code, shown, hint, entry.prefix, command=("doctor", "--fix"))
        yield Finding(said, settle)
    yield from _histories()
    for left in _of_earlier_versions():

        def delete(left: Path = left) -> None:
            shutil.rmtree(left)

        yield Finding(
            problem(
                "half-deleted",
                f"{display.user_path(left)} was left by a command that was cut off.",
                "",
                str(left),
                Severity.WARNING,
                command=("doctor", "--fix"),
            ),
            delete,
        )


def _moving(prefix: Path, to: Path) -> Finding:
    """A rename that the beginning of this verb could not bring to its end."""

    def settle() -> None:
        with clearing.both_locked(prefix, to):
            pass

    said = f"The move of {display.user_path(prefix)} to {display.user_path(to)} was cut off."
    hint = "To bring it to its end"
    return Finding(
        problem("half-made", said, hint, str(prefix), command=("doctor", "--fix")), settle
    )


def _histories() -> Iterator[Finding]:
    """What is kept of environments that are gone; a place that cannot be reached may come back, and
    where a kernel is left that is what is told first."""
    known = {os.path.realpath(k.prefix) for k in kernelspecs.every() if k.prefix is not None}
    gone = [
        prefix
        for prefix in history.prefixes()
        if prefix.parent.is_dir()
        and not backends.is_environment(prefix)
        and os.path.realpath(prefix) not in known
    ]
    if not gone:
        return

    def clear() -> None:
        for prefix in gone:
            with clearing.locked(prefix):  # which forgets what is not there
                pass

    shown = [display.user_path(prefix) for prefix in gone[:_FEW]]
    more = [f"{len(gone) - _FEW} more"] if len(gone) > _FEW else []
    said = f"The history of {display.joined([*shown, *more])} is kept, which"
    is_are = "is" if len(gone) == 1 else "are"
    yield Finding(
        problem(
            "gone-history",
            f"{said} {is_are} not there any more.",
            "",
            str(gone[0]),
            Severity.WARNING,
            command=("doctor", "--fix"),
        ),
        clear,
    )


def _of_earlier_versions() -> list[Path]:
    """What versions that kept no note of it left of environments and kernels."""
    found = [*directories.envs().glob(".envmagic-trash-*")]
    for kind in ("new", "old"):
        found += kernelspecs.directory().glob(f".envmagic-{kind}-*")
    return sorted(found)
