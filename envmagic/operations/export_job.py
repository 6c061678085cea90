"""What of a record goes to another tool: its lines or its lock, conda's part, the Python."""

from __future__ import annotations

from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Frontend, Place
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments import registry
from envmagic.record.export import Job, conda_file
from envmagic.record.export.wanted import Wanted

__all__ = ["conda_of", "left_out", "of_notebook", "secrets", "wanted_of"]

_SHOWN = 5


def conda_of(place: Place) -> conda_file.Listed | None:
    """conda's part of the record; None where there is none."""
    in_conda = place.prefix is not None and (place.prefix / "conda-meta").is_dir()
    return conda_file.listed(place.directory, in_conda=in_conda)


def wanted_of(
    place: Place, conda: conda_file.Listed | None, notebook: Path | None = None
) -> Wanted:
    """What is recorded beside the notebook, of `notebook` alone where one is named.

    Raises `EnvmagicError` (`no-file`) where nothing is.
    """
    directory = place.directory
    if conda is None and not (directory / REQUIREMENTS).is_file():
        raise WordsError(
            "no-file",
            f"There is no {REQUIREMENTS} in {display.user_path(directory)} to export.",
            "To write it",
            command=of_notebook("record", place),
            subject=str(directory / REQUIREMENTS),
        )
    return Wanted.of(directory, notebook).with_python(_python(place, conda))


def _python(place: Place, conda: conda_file.Listed | None) -> str | None:
    """The Python of the environment, for a record that names none."""
    if conda is not None and conda.python:
        return conda.python
    try:
        if place.prefix is not None:
            return registry.environment_at(place.prefix).short_version
    except EnvmagicError:
        pass  # it is broken, which says nothing of the record
    return None


def of_notebook(verb: str, place: Place) -> tuple[str, ...]:
    """The words that say `verb` of this notebook."""
    named = place.notebook is not None and place.frontend is Frontend.TERMINAL
    return (verb, str(place.notebook)) if named else (verb,)


def left_out(what: str, lines: list[str]) -> tuple[Problem, ...]:
    """That `what` has no place for `lines`."""
    if not lines:
        return ()
    shown = lines[:_SHOWN]
    more = len(lines) - len(shown)
    shown += [f"{more} more"] if more else []
    said = f"Not in it, as {what} has no place for that: {display.joined(shown)}."
    return (Problem("left-out", said, severity=Severity.WARNING, subject=lines[0]),)


def secrets(job: Job) -> tuple[Problem, ...]:
    """That lines of the record lost what nobody else may see."""
    lines = [*job.wanted.secrets, *(job.conda.secrets if job.conda is not None else ())]
    lines += [job.locked.file.name] if job.locked is not None and job.locked.had_secrets else []
    if not lines:
        return ()
    return (
        Problem(
            "secret-left-out",
            f"Without the user, password or token that stands there: {display.joined(lines)}.",
            "Whoever installs it tells pip or uv: netrc, a keyring, or ${NAME} in the line.",
            Severity.WARNING,
            lines[0],
        ),
    )
