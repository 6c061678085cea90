"""One lock per path, between processes and threads, that dies with its holder."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.system import directories

__all__ = ["give_back", "inherited", "is_free", "lock", "take", "try_lock"]

_POLL = 0.02  # seconds between two tries
_held: set[int] = set()


@contextlib.contextmanager
def lock(path: Path, *, timeout: float = 600.0) -> Iterator[None]:
    """Hold the lock of `path` (which need not exist) for the length of a `with` block.

    Waits up to `timeout` seconds, then raises `EnvmagicError` (`locked`). Not re-entrant. The lock
    file stays behind, empty: removing it would let two holders in.
    """
    with _opened(path) as file:
        end = time.monotonic() + timeout
        while not try_lock(file):
            if time.monotonic() > end:
                raise EnvmagicError(
                    "locked",
                    f"Another envmagic is at work on {display.user_path(path)}"
                    f" and did not finish within {timeout:.0f} s.",
                    "Try again when it is done.",
                    subject=str(path),
                )
            time.sleep(_POLL)
        _held.add(file.fileno())
        try:
            yield
        finally:
            _held.discard(file.fileno())
            _unlock(file)


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock of `path` now: neither we nor another process."""
    try:
        with lock(path, timeout=0):
            return True
    except EnvmagicError:
        return False


def take(file: IO[bytes]) -> bool:
    """Lock an open file as `try_lock` does, for children to inherit, until `give_back`."""
    if not try_lock(file):
        return False
    _held.add(file.fileno())
    return True


def give_back(file: IO[bytes]) -> None:
    """Unlock and close a file that `take` has locked."""
    _held.discard(file.fileno())
    with contextlib.suppress(OSError):
        _unlock(file)
    file.close()


@contextlib.contextmanager
def inherited() -> Iterator[tuple[int, ...]]:
    """Descriptors of the locks this process holds, for a child that is started in the `with` block
    to inherit; copies, since another thread may give its lock back meanwhile.

    A lock then lasts until the children have ended too: an installer goes on writing when the
    process that started it is killed.
    """
    copies: list[int] = []
    try:
        for descriptor in tuple(_held):
            with contextlib.suppress(OSError):
                copies.append(os.dup(descriptor))
        yield tuple(copies)
    finally:
        for copy in copies:
            os.close(copy)


def _opened(path: Path) -> IO[bytes]:
    """The lock file of `path`. Raises `EnvmagicError` where there can be none."""
    # hashed, so that any path fits in a file name; real, so that two ways to it are one lock
    real = os.path.normcase(os.path.realpath(path))
    directory = directories.locks()
    import hashlib

    name = f"{hashlib.sha256(os.fsencode(real)).hexdigest()[:32]}.lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return (directory / name).open("a+b")
    except OSError as error:
        raise EnvmagicError(
            "not-writable",
            f"{display.user_path(directory)} cannot be written: {error.strerror}.",
            "Set ENVMAGIC_HOME to a directory you can write to.",
            subject=str(directory),
        ) from error


if sys.platform == "win32":
    import msvcrt

    def try_lock(file: IO[bytes]) -> bool:
        """Lock an open file without waiting; whether it is locked now. Raises `OSError` where there
        are no locks."""
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(file: IO[bytes]) -> bool:
        """Lock an open file without waiting; whether it is locked now. Raises `OSError` where there
        are no locks."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
