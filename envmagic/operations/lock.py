"""`lock`: `pylock.toml` beside the record, in the versions that are installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import BackendName, Place, Progress, Report
from envmagic.core.record_files import LOCK, REQUIREMENTS, lock_of
from envmagic.core.schema import LockData, LockedFile
from envmagic.core.verbs import LockRequest
from envmagic.environments import backends, registry
from envmagic.environments.backends.conda.explicit import explicit
from envmagic.environments.inventory import Inventory
from envmagic.operations import lock_beside
from envmagic.operations.here import environment_of
from envmagic.record import lock as locking
from envmagic.record.environments import NotebookEnvironments
from envmagic.requirements.diff import unified
from envmagic.system import files, locks

__all__ = ["lock"]

_NAME = re.compile(r"pylock(?:\.[^.]+)?\.toml")


@dataclass(frozen=True)
class _Target:
    """One record that is meant, and where its lock goes."""

    directory: Path
    notebook: Path | None
    file: Path
    own: bool = False
    """The lock is of the notebook alone."""


def lock(request: LockRequest, place: Place, progress: Progress) -> Report[LockData]:
    """Write, or with `--check` compare, the lock beside each record that is meant.

    A file that would hold the same is not touched. Raises `EnvmagicError`.
    """
    done = [
        found
        for target in _meant(request, place)
        for found in _locked(request, target, place, progress)
    ]
    behind = [each for each in done if each["changed"]] if request.check else []
    problems = tuple(_behind(each, request, place) for each in behind)
    changed = not request.check and any(each["changed"] for each in done)
    data = LockData(locks=done)
    return Report("lock", data, changed=changed, problems=problems, failed=bool(behind))


def _behind(each: LockedFile, request: LockRequest, place: Place) -> Problem:
    name, why = display.display(Path(each["file"]), place.directory), each.get("why", "")
    said = f"{name} is not what is installed and asked for."
    return Problem(
        "lock-elsewhere" if why else "lock-behind",
        f"{name} is not checked: {why}." if why else said,
        "To lock what is here" if why else "Write it",
        Severity.ERROR,
        subject=each["file"],
        command=_without_check(request),
    )


def _without_check(request: LockRequest) -> tuple[str, ...]:
    to = ["--to", request.to] if request.to else []
    return ("lock", *request.paths, *to)


def _locked(
    request: LockRequest, target: _Target, place: Place, progress: Progress
) -> Iterator[LockedFile]:
    there = backends.look(registry.environment_at(_prefix(target, place)))
    is_conda = there.environment.backend is BackendName.CONDA
    with locks.lock(target.directory / REQUIREMENTS):
        if is_conda:
            _refuse_universal(request)
            listed = explicit(there.environment.prefix)
            beside = target.file.parent / listed.name
            was = files.read(beside) if beside.is_file() else b""
            yield _written(request, beside, was, listed.text.encode(), listed.packages)
        inputs = _inputs(request, target, there)
        if is_conda and not inputs.held and not locking.is_ours(target.file):
            return
        if request.check and locking.state(inputs, target.file) is locking.State.ELSEWHERE:
            why = locking.why_behind(inputs, target.file)
            yield LockedFile(file=str(target.file), distributions=0, changed=True, diff="", why=why)
            return
        made = locking.locked(inputs, target.file, progress)
        was, now = (made.was or "").encode(), made.now.encode()
        if request.check:
            was, now = (text.encode() for text in made.bodies)
        yield _written(request, target.file, was, now, len(made.names))


def _written(request: LockRequest, file: Path, was: bytes, now: bytes, count: int) -> LockedFile:
    if was != now and not request.check:
        files.write_atomic(file, now)
    diff = unified(file, was, now) if request.check and was != now else ""
    return LockedFile(file=str(file), distributions=count, changed=was != now, diff=diff)


def _inputs(request: LockRequest, target: _Target, there: Inventory) -> locking.Inputs:
    if request.to is None or there.environment.backend is BackendName.CONDA:
        return lock_beside.inputs_of(
            there, target.file, target.notebook, universal=request.universal
        )
    universal = request.universal or (target.file.exists() and locking.is_universal(target.file))
    own = target.notebook if target.own else None
    return locking.Inputs.of(there, target.directory / REQUIREMENTS, own, universal=universal)


def _refuse_universal(request: LockRequest) -> None:
    if request.universal:
        raise WordsError(
            "one-platform",
            "--universal is not for conda's environments: their list is for one platform.",
            "Without it",
            command=("lock", *request.paths),
        )


def _meant(request: LockRequest, place: Place) -> list[_Target]:
    """The records that are meant, each once."""
    words = request.paths or ("",)
    found = [_target(request, word, place) for word in words]
    return list({target.file: target for target in found}.values())


def _target(request: LockRequest, word: str, place: Place) -> _Target:
    directory, notebook = _place_of(word, place)
    shared = len(locking.notebooks_in(directory / REQUIREMENTS)) > 1
    own = bool(word) and notebook is not None and shared
    if request.to is not None:
        return _Target(directory, notebook, _file(request.to, place), own)
    if own and notebook is not None:
        return _Target(directory, notebook, lock_of(notebook), own)
    file = lock_beside.file_of(directory, notebook)
    return _Target(directory, notebook, file, file.name != LOCK)


def _place_of(word: str, place: Place) -> tuple[Path, Path | None]:
    """The directory and the notebook that `word` means; an empty one means what is here."""
    if not word:
        return place.directory, place.notebook
    path = Path(os.path.abspath(place.directory / Path(word).expanduser()))
    if path.is_dir():
        return path, None
    if path.is_file() and path.suffix == ".ipynb":
        return path.parent, path
    raise WordsError(
        "no-notebook",
        f"{display.shortened(word)} is no notebook and no directory.",
        "To lock what is here",
        command=("lock",),
        subject=word,
    )


def _file(to: str, place: Place) -> Path:
    """The file that `to` names. Raises `WordsError` for a name that PEP 751 does not know."""
    file = Path(os.path.abspath(place.directory / Path(to).expanduser()))
    if _NAME.fullmatch(file.name):
        return file
    raise WordsError(
        "bad-lock-name",
        f"{display.shortened(file.name)} is no name that installers know a lock by.",
        "For example",
        command=("lock", "--to", str(Path(to).with_name(f"pylock.{_stem(file)}.toml"))),
        subject=str(file),
    )


def _stem(file: Path) -> str:
    return re.sub(r"[^\w-]+", "-", file.name.partition(".")[0]) or "other"


def _prefix(target: _Target, place: Place) -> Path:
    """The environment of the record that is meant. Raises `EnvmagicError` where none is known."""
    directory, notebook = target.directory, target.notebook
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
