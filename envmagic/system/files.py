"""The user's files: read so that none can stop us, written so that nobody sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.system import reading, scratch, whose

__all__ = [
    "is_writable_directory",
    "move_over",
    "read",
    "unreadable",
    "unwritable",
    "write_atomic",
    "write_over",
]

_MOST = 1 << 30  # bytes of what is compared before it is written


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
    return EnvmagicError(
        "unreadable",
        f"{user_path(path)} cannot be read: {_reason(error)}.",
        subject=str(path),
    )


def write_atomic(path: Path, content: bytes, *, mode: int | None = None) -> bool:
    """Make `path` hold `content`; returns False when it already did and nothing was written.

    An existing file stays what it is: a link, its owner, group and mode, its other names and
    extended attributes; where a new one in its place could not have them, it is written itself. New
    files get `mode` (default: as the umask says). Raises `EnvmagicError` when the file or its
    directory is not writable for the user.
    """
    return _replace(path, content, mode, lambda real: True)


def write_over(path: Path, before: bytes, content: bytes) -> bool:
    """`write_atomic` where `path` still holds `before` (empty: or is not there); whether it did.

    It is looked at last of all, so that what somebody saves meanwhile is not lost.
    """

    def unchanged(real: Path) -> bool:
        try:
            return reading.content(real, _MOST) == before
        except FileNotFoundError:
            return not before

    return _replace(path, content, None, unchanged)


def move_over(made: Path, path: Path) -> None:
    """Put the finished file `made`, which lies beside `path`, in its place, with the mode that new
    files have. Raises `EnvmagicError` where that cannot be."""
    try:
        made.chmod(0o666 & ~_umask())
        made.replace(whose.followed(path))
    except OSError as error:
        raise unwritable(path, error) from error


def _replace(
    path: Path, content: bytes, mode: int | None, is_wanted: Callable[[Path], bool]
) -> bool:
    try:
        real = whose.followed(path)
        if not os.path.lexists(real):
            mode = mode if mode is not None else 0o666 & ~_umask()
            return _exchange(real, is_wanted, lambda new: _write(new, content, mode))
        before, facts = reading.content(real, _MOST), real.stat()
        if before == content:
            return False
        # os.replace would happily replace a read-only file
        if not os.access(real, os.W_OK):
            raise PermissionError("it is read-only")
        if not whose.must_stay(real, facts):
            with contextlib.suppress(_Other):
                return _exchange(real, is_wanted, lambda new: _alike(new, content, real, facts))
        return is_wanted(real) and _overwrite(real, facts, before, content)
    except OSError as error:
        raise unwritable(path, error) from error


class _Other(Exception):
    """A new file cannot be all that the old one is."""


def _exchange(real: Path, is_wanted: Callable[[Path], bool], make: Callable[[Path], None]) -> bool:
    """Put what `make` makes into the place of `real`, if that is wanted; whether it was."""
    with scratch.beside(real.parent) as temporary:
        make(temporary)
        if not is_wanted(real):
            return False
        temporary.replace(real)
    return True


def _alike(new: Path, content: bytes, old: Path, facts: os.stat_result) -> None:
    """Make `new` as `old` is but with `content`. Raises `_Other` where that cannot be."""
    try:
        _write(new, content, 0o600)
        whose.make_alike(new, old, facts)
    except PermissionError as error:
        raise _Other from error


def _overwrite(path: Path, facts: os.stat_result, before: bytes, content: bytes) -> bool:
    """Write `content` into the file itself, for what another one in its place would lose.

    One call writes all of it; what is shorter than before ends in empty lines until the file is cut
    to its length.
    """
    handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "r+b", buffering=0) as file:
        if not os.path.samestat(os.fstat(handle), facts):
            raise OSError(errno.ESTALE, "Another one has taken its place")
        try:
            _put(handle, content.ljust(len(before), b"\n"))
            os.ftruncate(handle, len(content))
        except OSError:
            _put(handle, before)
            os.ftruncate(handle, len(before))
            raise
        os.fsync(file.fileno())
    return True


def _put(handle: int, content: bytes) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    while content:
        content = content[os.write(handle, content) :]


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


def unwritable(path: Path, error: OSError) -> EnvmagicError:
    """That `path` could not be written, for the reason in `error`."""
    return EnvmagicError(
        "not-writable",
        f"{user_path(path)} cannot be written: {_reason(error)}.",
        subject=str(path),
    )


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason[:1].lower()}{reason[1:]}"
