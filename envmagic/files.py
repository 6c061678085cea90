"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from envmagic.errors import EnvmagicError
from envmagic.home import user_path

__all__ = ["is_writable_directory", "write_atomic", "write_atomic_directory"]


def write_atomic(path: Path, content: bytes, *, mode: int | None = None) -> bool:
    """Make `path` hold `content`; returns False when it already did and nothing was written.

    A symlink stays a symlink and an existing mode stays; new files get `mode` (default: as the
    umask says). Raises `EnvmagicError` when the file or its directory is not writable for the user.
    """
    import tempfile

    real = path.resolve()
    try:
        if real.read_bytes() == content:
            return False
        mode = stat.S_IMODE(real.stat().st_mode)
    except FileNotFoundError:
        mode = mode if mode is not None else 0o666 & ~_umask()
    except OSError as error:
        raise _unwritable(path, error) from error
    # os.replace would happily replace a read-only file
    if real.exists() and not os.access(real, os.W_OK):
        raise _unwritable(path, PermissionError("it is read-only"))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(real)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise
    return True


def write_atomic_directory(directory: Path, contents: dict[str, bytes]) -> None:
    """Make `directory` hold exactly `contents` (file name -> bytes), old content out first.

    The new directory appears by one rename; for an instant between two renames there is none.
    Raises `OSError`; the old directory is back then.
    """
    import tempfile

    directory.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".envmagic-new-", dir=directory.parent))
    old: Path | None = None
    try:
        new.chmod(0o777 & ~_umask())
        for name, content in contents.items():
            (new / name).write_bytes(content)
        if directory.exists():
            old = Path(tempfile.mkdtemp(prefix=".envmagic-old-", dir=directory.parent))
            directory.rename(old / "kept")
        try:
            new.rename(directory)
        except OSError:
            if old is not None:
                (old / "kept").rename(directory)
            raise
    finally:
        for leftover in (new, old):
            if leftover is not None:
                _remove_tree(leftover)


def is_writable_directory(directory: Path) -> bool:
    """Whether the user may create files in `directory`, or in its nearest parent that exists."""
    while not directory.exists():
        if directory.parent == directory:
            return False
        directory = directory.parent
    return directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)


def _remove_tree(path: Path) -> None:
    import shutil

    shutil.rmtree(path, ignore_errors=True)


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
