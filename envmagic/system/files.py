"""The user's files: read so that none can stop us, written so that nobody sees half of one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.system import reading, scratch

__all__ = ["is_writable_directory", "read", "unreadable", "write_atomic", "write_over"]


def read(path: Path, limit: int = reading.LIMIT) -> bytes:
    """The bytes of the user's file `path`.

    Raises `EnvmagicError` (`unreadable`) where it is not there or cannot be read, also for what is
    no regular file or has more than `limit` bytes.
    """
    try:
        return reading.content(path, limit)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> EnvmagicError:
    """That `path` could not be read, for the reason in `error`."""
    reason = error.strerror or str(error)
    return EnvmagicError(
        "unreadable",
        f"{user_path(path)} cannot be read: {reason[:1].lower()}{reason[1:]}.",
        subject=str(path),
    )


def write_atomic(path: Path, content: bytes, *, mode: int | None = None) -> bool:
    """Make `path` hold `content`; returns False when it already did and nothing was written.

    A symlink stays a symlink and an existing mode stays; new files get `mode` (default: as the
    umask says). Raises `EnvmagicError` when the file or its directory is not writable for the user.
    """
    return _replace(path, content, mode, lambda real: True)


def write_over(path: Path, before: bytes, content: bytes) -> bool:
    """`write_atomic` where `path` still holds `before` (empty: or is not there); whether it did.

    It is looked at last of all, so that what somebody saves meanwhile is not lost.
    """

    def unchanged(real: Path) -> bool:
        try:
            return real.read_bytes() == before
        except FileNotFoundError:
            return not before

    return _replace(path, content, None, unchanged)


def _replace(
    path: Path, content: bytes, mode: int | None, is_wanted: Callable[[Path], bool]
) -> bool:
    real = path.resolve()
    try:
        facts = real.stat().st_mode
        if not stat.S_ISREG(facts):
            raise OSError(0, "it is no regular file")
        if real.read_bytes() == content:
            return False
        mode = stat.S_IMODE(facts)
    except FileNotFoundError:
        mode = mode if mode is not None else 0o666 & ~_umask()
    except OSError as error:
        raise _unwritable(path, error) from error
    # os.replace would happily replace a read-only file
    if real.exists() and not os.access(real, os.W_OK):
        raise _unwritable(path, PermissionError("it is read-only"))
    with scratch.beside(real.parent) as temporary:
        try:
            _write(temporary, content, mode)
            if not is_wanted(real):
                return False
            temporary.replace(real)
        except OSError as error:
            raise _unwritable(path, error) from error
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    """Make the new file `path`, whose content is on the disk when this returns."""
    # private until it has its mode: the content may be that of a private file
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


def is_writable_directory(directory: Path) -> bool:
    """Whether the user may create files in `directory`, or in its nearest parent that exists."""
    while not directory.exists():
        if directory.parent == directory:
            return False
        directory = directory.parent
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> EnvmagicError:
    reason = error.strerror or str(error)
    return EnvmagicError(
        "not-writable",
        f"{user_path(path)} cannot be written: {reason.lower()}.",
        subject=str(path),
    )
