"""`lock`: `pylock.toml` beside the record, in the versions that are installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Place, Progress, Report
from envmagic.core.record_files import LOCK, REQUIREMENTS
from envmagic.core.schema import LockData, LockedFile
from envmagic.core.verbs import LockRequest
from envmagic.environments import backends, registry
from envmagic.operations.here import environment_of
from envmagic.record import lock as locking
from envmagic.record.environments import NotebookEnvironments
from envmagic.requirements.diff import unified
from envmagic.system import files, locks

__all__ = ["lock"]

_NAME = re.compile(r"pylock(?:\.[^.]+)?\.toml")


def lock(request: LockRequest, place: Place, progress: Progress) -> Report[LockData]:
    """Write, or with `--check` compare, the lock beside each record that is meant.

    A file that would hold the same is not touched. Raises `EnvmagicError`.
    """
    done = [
        _locked(request, directory, notebook, place, progress)
        for directory, notebook in _meant(request, place).items()
    ]
    behind = [each for each in done if each["changed"]] if request.check else []
    problems = tuple(
        Problem(
            "lock-behind",
            f"{display.display(Path(each['file']), place.directory)} is not what is installed and"
            " asked for.",
            "Write it",
            Severity.ERROR,
            subject=each["file"],
            command=("lock", *request.paths),
        )
        for each in behind
    )
    changed = not request.check and any(each["changed"] for each in done)
    data = LockData(locks=done)
    return Report("lock", data, changed=changed, problems=problems, failed=bool(behind))


def _locked(
    request: LockRequest,
    directory: Path,
    notebook: Path | None,
    place: Place,
    progress: Progress,
) -> LockedFile:
    file = _file(request, directory, place)
    universal = request.universal or (file.exists() and locking.is_universal(file))
    there = backends.look(registry.environment_at(_prefix(directory, notebook, place)))
    beside = directory / REQUIREMENTS
    with locks.lock(beside):
        inputs = locking.Inputs.of(there, beside, universal=universal)
        made = locking.locked(inputs, file, progress)
        if made.changed and not request.check:
            files.write_atomic(file, made.now.encode())
    differs = request.check and made.changed
    diff = unified(file, (made.was or "").encode(), made.now.encode()) if differs else ""
    return LockedFile(
        file=str(file), distributions=len(made.names), changed=made.changed, diff=diff
    )


def _meant(request: LockRequest, place: Place) -> dict[Path, Path | None]:
    """The directories whose records are meant, each with a notebook that was named there."""
    if not request.paths:
        return {place.directory: place.notebook}
    found: dict[Path, Path | None] = {}
    for word in request.paths:
        path = Path(os.path.abspath(place.directory / Path(word).expanduser()))
        if path.is_dir():
            found.setdefault(path, None)
        elif path.is_file() and path.suffix == ".ipynb":
            found[path.parent] = path
        else:
            raise WordsError(
                "no-notebook",
                f"{display.shortened(word)} is no notebook and no directory.",
                "To lock what is here",
                command=("lock",),
                subject=word,
            )
    return found


def _file(request: LockRequest, directory: Path, place: Place) -> Path:
    """Where the lock belongs. Raises `WordsError` for a name that PEP 751 does not know."""
    if request.to is None:
        return directory / LOCK
    file = Path(os.path.abspath(place.directory / Path(request.to).expanduser()))
    if _NAME.fullmatch(file.name):
        return file
    raise WordsError(
        "bad-lock-name",
        f"{display.shortened(file.name)} is no name that installers know a lock by.",
        "For example",
        command=("lock", "--to", str(Path(request.to).with_name(f"pylock.{_stem(file)}.toml"))),
        subject=str(file),
    )


def _stem(file: Path) -> str:
    return re.sub(r"[^\w-]+", "-", file.name.partition(".")[0]) or "other"


def _prefix(directory: Path, notebook: Path | None, place: Place) -> Path:
    """The environment of the record in `directory`. Raises `EnvmagicError` where none is known."""
    if notebook == place.notebook and directory == place.directory:
        return environment_of(place).prefix
    for prefix in _candidates(directory, notebook, place):
        if backends.is_environment(prefix):
            return prefix
    shown = display.user_path(directory)
    raise EnvmagicError(
        "no-environment",
        f"It is not known in which environment the notebooks of {shown} run.",
        "Name it with --env NAME|PREFIX.",
        subject=str(directory),
    )


def _candidates(directory: Path, notebook: Path | None, place: Place) -> Iterator[Path]:
    if place.prefix is not None and place.notebook is None:
        yield place.prefix
    if notebook is not None:
        prefix = NotebookEnvironments.chosen(None, place).prefix_of(notebook)
        if prefix is not None:
            yield prefix
    yield directory / ".venv"
