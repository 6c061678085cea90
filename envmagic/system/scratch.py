"""What is written for a moment, so that a process that is killed leaves nothing behind for long.

Each such file or directory is called `.envmagic-TOKEN`. A note under `ENVMAGIC_HOME` with the same
token says where it is, and its maker keeps the note locked as long as it lives, and as long as an
installer does that it has started. What nobody holds is cleared away by `sweep`, which the next
verb calls. A name that no note knows is nobody's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from envmagic.system import directories, locks

__all__ = ["beside", "sweep"]

_NOTE = re.compile(r"[0-9a-f]{16}\.json")


@contextlib.contextmanager
def beside(directory: Path) -> Iterator[Path]:
    """A path in `directory` that is not there yet; what is there at the end is removed.

    Where no note can be written it is used without one. Raises nothing of its own.
    """
    path, note = _noted(directory)
    try:
        yield path
    finally:
        gone = False
        try:
            gone = _remove(path)
        finally:  # interrupted, it is left to the next sweep
            if note is not None:
                locks.give_back(note)
        if note is not None and gone:
            with contextlib.suppress(OSError):
                os.unlink(note.name)


def sweep(say: Callable[[str], object] = lambda message: None) -> None:
    """Remove what was written for a moment by processes that have ended since.

    `say` hears what is done where that may take long.
    """
    try:
        notes = os.listdir(directories.scratch())
    except OSError:
        return
    for name in filter(_NOTE.fullmatch, notes):
        with contextlib.suppress(OSError):
            _clear(directories.scratch() / name, say)


def _noted(directory: Path) -> tuple[Path, IO[bytes] | None]:
    """A new path in `directory`, and the note for it, locked; None where that cannot be."""
    while True:
        token = os.urandom(8).hex()
        path = directory / f".envmagic-{token}"
        try:
            note = _written(directories.scratch() / f"{token}.json", path)
        except OSError:
            return path, None
        if note is not None:
            return path, note


def _written(file: Path, path: Path) -> IO[bytes] | None:
    """The note `file` for `path`, open and locked; None when it was swept away in that instant.

    Raises `OSError` where none can be written or nothing can be locked.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    note = file.open("x+b")
    try:
        if locks.take(note) and file.exists():
            note.write(json.dumps({"path": os.path.abspath(path)}).encode())
            note.flush()
            return note
    except OSError:
        locks.give_back(note)
        file.unlink(missing_ok=True)
        raise
    locks.give_back(note)
    return None


def _clear(note: Path, say: Callable[[str], object]) -> None:
    with note.open("r+b") as file:
        if not locks.try_lock(file):
            return
        path = _path_in(file.read(), note.stem)
        if path is not None and path.is_dir():
            say("Clearing away what a command left that was cut off")
        if path is not None and not _remove(path):
            return  # tried again by the next one
    note.unlink(missing_ok=True)


def _path_in(raw: bytes, token: str) -> Path | None:
    """The path that a note names, if it is one of ours and of this very note."""
    try:
        path = Path(json.loads(raw)["path"])
    except (ValueError, KeyError, TypeError):
        return None  # cut off before there was anything to clear away
    return path if path.name == f".envmagic-{token}" else None


def _remove(path: Path) -> bool:
    """Remove the file or directory `path`, following no link; whether it is gone."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)
