"""What is being made or removed now, so that whatever ends half-way is recognised and settled.

One file for each environment: from before its directory is there until it is ready, and again from
before its kernel goes until its directory is gone. The directory holds a random token that the
entry knows. A path, a device and an inode are no identity: a directory that was removed and made
anew by its owner may get all three.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.contents import MARK
from envmagic.system import directories, files, process, scratch

__all__ = [
    "JournalEntry",
    "begin",
    "copying",
    "finish",
    "is_of",
    "moving",
    "removing",
    "unfinished",
    "unfinished_at",
]


@dataclass(frozen=True)
class JournalEntry:
    """An environment that is being made or removed, or where that was cut off."""

    prefix: str
    token: str
    made: tuple[str, ...] = ()
    """Directories that were made for it, innermost first; without it, an empty one was there."""
    removing: bool = False
    pid: int = 0
    """Of the process that is at it; an installer that it started may outlive it."""
    to: str = ""
    """Where it is being moved."""
    names: tuple[str, ...] = ()
    """What its kernel is called before and after that."""
    source: str = ""
    """The environment that is copied into it."""

    @property
    def running(self) -> bool:
        """Whether that process is alive (its number may have been given anew)."""
        return process.is_running(self.pid)


def begin(prefix: Path) -> JournalEntry:
    """Note that an environment is being made, and make its directory, with the mark in it.

    Raises `EnvmagicError` when the directory cannot be made or is not empty.
    """
    shared = (directories.envs(), *directories.envs().parents)  # another may be about to use them
    places = (path for path in (prefix, *prefix.parents) if path not in shared)
    missing = [path for path in places if not path.exists()]
    entry = JournalEntry(
        str(prefix), os.urandom(16).hex(), tuple(map(str, missing)), pid=os.getpid()
    )
    try:
        _note(entry)
        if missing:
            _make(prefix, entry)
        else:
            _mark(prefix, entry)
    except (OSError, EnvmagicError) as error:
        finish(entry)
        raise _not_made(prefix, error) from error
    return entry


def removing(prefix: Path) -> JournalEntry:
    """Note that the environment of ours at `prefix` is being removed, on somebody's word."""
    entry = JournalEntry(str(prefix), _marked(prefix), removing=True, pid=os.getpid())
    _note(entry)
    return entry


def moving(prefix: Path, to: Path, names: tuple[str, str]) -> JournalEntry:
    """Note that the environment of ours at `prefix` is being moved `to` another place."""
    token = _marked(prefix)
    entry = JournalEntry(str(prefix), token, pid=os.getpid(), to=str(to), names=names)
    for place in (to, prefix):
        _note(entry, place)
    return entry


def copying(source: Path, prefix: Path) -> None:
    """Note that what is being made at `prefix` gets files of the environment `source`."""
    entry = unfinished_at(prefix)
    if entry is not None:
        _note(replace(entry, source=str(source)))


def finish(entry: JournalEntry) -> None:
    """The environment is ready, or gone, or where it is to be."""
    for prefix in filter(None, (entry.prefix, entry.to)):
        with contextlib.suppress(OSError):
            _file(Path(prefix)).unlink()


def is_of(prefix: Path, entry: JournalEntry) -> bool:
    """Whether the directory at `prefix` is the very one that `entry` is about."""
    return not prefix.is_symlink() and bool(entry.token) and _token_in(prefix) == entry.token


def unfinished() -> Iterator[JournalEntry]:
    """Every entry of the journal: what is going on and what was cut off."""
    with contextlib.suppress(OSError):
        for file in sorted(directories.journal().glob("*.json")):
            entry = _read(file)
            if entry is not None:
                yield entry


def unfinished_at(prefix: Path) -> JournalEntry | None:
    """The entry for `prefix`; under its lock this means that something was cut off."""
    return _read(_file(prefix))


def _make(prefix: Path, entry: JournalEntry) -> None:
    """Make the directory, its mark inside from the first moment on."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with scratch.beside(prefix.parent) as new:
        new.mkdir()
        _mark(new, entry)
        new.rename(prefix)


def _mark(directory: Path, entry: JournalEntry) -> None:
    content = {"schema": 1, "token": entry.token, "unfinished": True}
    files.write_atomic(directory / MARK, json.dumps(content, indent=1).encode() + b"\n")


def _marked(prefix: Path) -> str:
    """The token in the environment of ours at `prefix`; one of an earlier version gets it now."""
    token = _token_in(prefix)
    if not token:
        token = os.urandom(16).hex()
        content = {**_content(prefix), "token": token}
        files.write_atomic(prefix / MARK, json.dumps(content, indent=1).encode() + b"\n")
    return token


def _token_in(prefix: Path) -> str:
    """The token in the directory `prefix`; empty where there is none."""
    return str(_content(prefix).get("token", ""))


def _content(prefix: Path) -> dict[str, Any]:
    try:
        content = json.loads((prefix / MARK).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _not_made(prefix: Path, error: OSError | EnvmagicError) -> EnvmagicError:
    if isinstance(error, EnvmagicError):
        return error
    return EnvmagicError(
        "not-writable",
        f"{display.user_path(prefix)} cannot be made: {(error.strerror or str(error)).lower()}.",
        subject=str(prefix),
    )


def _note(entry: JournalEntry, place: Path | None = None) -> None:
    directories.journal().mkdir(parents=True, exist_ok=True)
    files.write_atomic(_file(place or Path(entry.prefix)), json.dumps(asdict(entry)).encode())


def _file(prefix: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:32]
    return directories.journal() / f"{digest}.json"


def _read(file: Path) -> JournalEntry | None:
    """The entry in `file`; of an earlier version's, which had no token, the prefix alone."""
    try:
        held = json.loads(file.read_bytes())
        made = tuple(str(path) for path in held.get("made", ()))
        token, pid = str(held.get("token", "")), held.get("pid")
        pid = pid if isinstance(pid, int) else 0
        to, names = str(held.get("to", "")), tuple(map(str, held.get("names", ())))
        removing = bool(held.get("removing"))
        source = str(held.get("source", ""))
        return JournalEntry(str(held["prefix"]), token, made, removing, pid, to, names, source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
