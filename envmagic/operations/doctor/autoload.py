"""What is wrong with the file that has IPython load envmagic at its start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from envmagic.core.display import user_path
from envmagic.core.errors import Severity
from envmagic.jupyter import startup_file
from envmagic.jupyter.startup_file import Standing, StartupFile
from envmagic.operations.doctor.finding import Finding, problem

__all__ = ["of_startup_files"]


def of_startup_files() -> Iterator[Finding]:
    """Files of another version, which are ours to write anew, and those that somebody edited."""
    for file in startup_file.every():
        if file.standing is Standing.STALE:
            yield _stale(file)
        elif file.standing is Standing.EDITED:
            yield _edited(file)


def _stale(file: StartupFile) -> Finding:
    said = problem(
        "old-autoload",
        f"{user_path(file.path)} was written by another version of envmagic.",
        "",
        str(file.path),
        Severity.WARNING,
        command=("doctor", "--fix"),
    )
    return Finding(said, partial(startup_file.write, file))


def _edited(file: StartupFile) -> Finding:
    said = problem(
        "edited-autoload",
        f"{user_path(file.path)} was edited, so `autoload` leaves it as it is.",
        "To have envmagic's own, take it away, then",
        str(file.path),
        Severity.INFO,
        command=("autoload", "on"),
    )
    return Finding(said)
