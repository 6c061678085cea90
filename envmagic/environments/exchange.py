"""Putting an environment in the place of another: the old one is there until the new one counts.

What is cut off half-way is brought to an end by the next verb. The new one counts from the moment
on in which it is marked as ours at that place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments import ownership
from envmagic.system import directories, files, locks, scratch

__all__ = ["exchanged", "settle"]

_TOKEN = ".envmagic-exchange"  # in the new environment, until the old one is gone


@contextlib.contextmanager
def exchanged(prefix: Path, new: Path) -> Iterator[None]:
    """The environment `new`, which lies on the same disk, is at `prefix` inside the `with` block,
    which has to mark it as ours; afterwards the old one is gone. When the block fails the old one
    is back, and the new one too. The caller holds the lock of `prefix`.

    Raises `EnvmagicError` where one of them cannot be moved.
    """
    old = prefix.with_name(f".envmagic-old-{os.urandom(8).hex()}")
    note = _file(prefix)
    note.parent.mkdir(parents=True, exist_ok=True)
    token = os.urandom(16).hex()
    held = {"prefix": str(prefix), "old": str(old), "token": token}
    (new / _TOKEN).write_text(token)
    files.write_atomic(note, json.dumps(held).encode())
    try:
        _moved(prefix, old)
        try:
            _moved(new, prefix)
            yield
        except BaseException:
            if os.path.lexists(prefix):
                prefix.rename(new)
            old.rename(prefix)
            raise
        _removed(old)
        (prefix / _TOKEN).unlink(missing_ok=True)
    finally:
        if not os.path.lexists(old):
            note.unlink(missing_ok=True)


def settle() -> None:
    """Bring what was cut off to an end: the new environment stays where it counts already, else the
    old one is put back. One that somebody is at is left alone; nothing is raised."""
    try:
        notes = sorted(directories.exchanges().glob("*.json"))
    except OSError:
        return
    for note in notes:
        with contextlib.suppress(OSError, EnvmagicError, ValueError, KeyError, TypeError):
            held = json.loads(note.read_bytes())
            prefix, old = Path(held["prefix"]), Path(held["old"])
            with locks.lock(prefix, timeout=0.0):
                _settled(prefix, old, str(held["token"]))
                note.unlink(missing_ok=True)


def _settled(prefix: Path, old: Path, token: str) -> None:
    """Raises `FileExistsError` where somebody has put something else there since: it stays, and the
    old environment beside it."""
    if os.path.lexists(prefix) and os.path.lexists(old):
        if not _is_new(prefix, token):
            raise FileExistsError(prefix)
        _removed(old if ownership.is_owned(prefix) else prefix)
    if os.path.lexists(old):
        old.rename(prefix)
    elif _is_new(prefix, token):
        (prefix / _TOKEN).unlink()


def _is_new(prefix: Path, token: str) -> bool:
    try:
        return (prefix / _TOKEN).read_text() == token
    except (OSError, ValueError):
        return False


def _removed(directory: Path) -> None:
    """Gone at once, by a rename; what a kill leaves of it is swept away."""
    with scratch.beside(directory.parent) as away:
        directory.rename(away)


def _moved(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise EnvmagicError(
            "not-writable",
            f"{display.user_path(source)} cannot be moved: {(error.strerror or '').lower()}.",
            subject=str(source),
        ) from error


def _file(prefix: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:32]
    return directories.exchanges() / f"{digest}.json"
