"""What is being made now, so that whatever ends half-way is recognised and cleared away.

One file for each environment, from before its directory is filled until it is ready. The entry
holds the directory's identity, so that only the very directory we made is ever taken away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from envmagic import files, home
from envmagic.errors import EnvmagicError

__all__ = ["Entry", "begin", "finish", "undo", "unfinished", "unfinished_at"]


@dataclass(frozen=True)
class Entry:
    """An environment that is being made, or whose making was cut off."""

    prefix: str
    device: int
    inode: int
    made_directory: bool
    """False when an empty directory was there before."""
    pid: int

    @property
    def running(self) -> bool:
        """Whether the process that makes it is alive (its number may have been given anew)."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def begin(prefix: Path) -> Entry:
    """Make the empty directory `prefix` and note that it is being filled.

    Raises `EnvmagicError` when the directory cannot be made or is not empty.
    """
    made = not prefix.exists()
    try:
        prefix.mkdir(parents=True, exist_ok=True)
        home.journal().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvmagicError(
            "not-writable",
            f"{home.user_path(prefix)} cannot be made: {(error.strerror or str(error)).lower()}.",
            subject=str(prefix),
        ) from error
    status = os.lstat(prefix)
    entry = Entry(str(prefix), status.st_dev, status.st_ino, made, os.getpid())
    files.write_atomic(_file(prefix), json.dumps(asdict(entry)).encode())
    return entry


def finish(entry: Entry) -> None:
    """The environment is ready (or gone again)."""
    with contextlib.suppress(OSError):
        _file(Path(entry.prefix)).unlink()


def undo(entry: Entry) -> None:
    """Take away what was made so far, if it still is the directory we made."""
    prefix = Path(entry.prefix)
    with contextlib.suppress(OSError):
        status = os.lstat(prefix)
        if (status.st_dev, status.st_ino) == (entry.device, entry.inode):
            shutil.rmtree(prefix, ignore_errors=True)
            if not entry.made_directory:
                prefix.mkdir(exist_ok=True)
    finish(entry)


def unfinished() -> Iterator[Entry]:
    """Every entry of the journal: environments being made and those cut off."""
    with contextlib.suppress(OSError):
        for file in sorted(home.journal().glob("*.json")):
            entry = _read(file)
            if entry is not None:
                yield entry


def unfinished_at(prefix: Path) -> Entry | None:
    """The entry for `prefix`; under its lock this means that the making was cut off."""
    return _read(_file(prefix))


def _file(prefix: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:32]
    return home.journal() / f"{digest}.json"


def _read(file: Path) -> Entry | None:
    try:
        return Entry(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
