"""The private directory of a kernel behind a relay: made, and cleared away when its relay is gone.

Whether a relay lives is told by a lock that it holds and that ends with it. A process id would say
it to the processes of the same host and pid namespace only, and temporary directories are shared
between containers, and between hosts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.system.locks import try_lock

__all__ = ["make", "sweep", "unusable"]

_PREFIX = "envmagic-relay-"
_LOCK = "lock"


def make() -> tuple[Path, IO[bytes]]:
    """A new directory that only this user can read, and its lock, which lasts until it is closed.

    Raises `OSError`.
    """
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        file = directory / _LOCK
        try:
            lock = file.open("x+b")
            if _locked(lock) and file.exists():
                return directory, lock
        except FileNotFoundError:
            continue  # as below
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        lock.close()  # it was swept away in that instant


def _locked(lock: IO[bytes]) -> bool:
    try:
        return try_lock(lock)
    except OSError:  # a file system without locks: nobody else can have it either
        return True


def sweep() -> None:
    """Remove the directories of relays that are gone, of this user."""
    with contextlib.suppress(OSError):
        for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_ours(directory):
                    _clear(directory)


def _is_ours(directory: Path) -> bool:
    facts = directory.lstat()
    return stat.S_ISDIR(facts.st_mode) and (
        not hasattr(os, "getuid") or facts.st_uid == os.getuid()
    )


def _clear(directory: Path) -> None:
    """Remove it if nobody holds its lock; raises `OSError` when it has none."""
    with (directory / _LOCK).open("r+b") as lock:
        if not try_lock(lock):
            return
        shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)  # Windows keeps what is open


def unusable(kernel: str, error: OSError) -> EnvmagicError:
    """What to tell of `kernel` when no directory can be made or written for it."""
    import errno

    place = tempfile.tempdir  # None when there is none that can be used at all
    where = (
        f"the temporary directory {display.user_path(place)}" if place else "a temporary directory"
    )
    start = f"The kernel {kernel!r} does not start: "
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        message = f"{start}there is no space left in {where}."
        return EnvmagicError("no-space", message, "Make room there.", subject=kernel)
    if place and not Path(place).is_dir():
        message = f"{start}{where} is not there any more."
        hint = f"Make it again: !mkdir {'' if os.name == 'nt' else '-p '}{display.typed(place)}"
        return EnvmagicError("not-writable", message, hint, subject=kernel)
    message = f"{start}{where} cannot be written ({(error.strerror or str(error)).lower()})."
    hint = "Start Jupyter with TMPDIR set to a directory you can write to."
    return EnvmagicError("not-writable", message, hint, subject=kernel)
