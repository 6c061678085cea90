"""Which environments are ours, and deleting them, which is the most dangerous thing we do.

An environment we made holds `envmagic.json`, which names its real path, device and inode. A copy
of it, a link to it or a spec that merely claims it therefore authorises nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envmagic import files, home
from envmagic.errors import EnvmagicError

__all__ = ["MARK", "delete", "identity", "is_owned", "mark", "refusal", "set_aside", "user_files"]

MARK = "envmagic.json"
_VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr", ".jj"}


def mark(prefix: Path, **facts: Any) -> None:
    """Write that `prefix` is ours, with `facts` about it, and tell git to ignore it all."""
    content = {"schema": 1, **identity(prefix), **facts}
    files.write_atomic(prefix / MARK, json.dumps(content, indent=1).encode() + b"\n")
    files.write_atomic(prefix / ".gitignore", b"*\n")


def is_owned(prefix: Path) -> bool:
    """Whether we made the environment at `prefix` and it still is that very directory."""
    try:
        claimed = json.loads((prefix / MARK).read_bytes())
        return all(claimed.get(key) == value for key, value in identity(prefix).items())
    except (OSError, ValueError, AttributeError):
        return False


def identity(prefix: Path) -> dict[str, Any]:
    """What tells the directory `prefix` from every other: real path, device, inode."""
    status = os.lstat(prefix)
    return {
        "prefix": os.path.realpath(prefix),
        "device": status.st_dev,
        "inode": status.st_ino,
    }


def refusal(prefix: Path) -> str:
    """Why `prefix` must not be deleted, as the rest of a sentence; empty when it may be."""
    if prefix.is_symlink():
        return "it is a link"
    if not is_owned(prefix):
        return "envmagic did not make it"
    if not (prefix / "pyvenv.cfg").is_file() and not (prefix / "conda-meta").is_dir():
        return "it is no environment any more (neither pyvenv.cfg nor conda-meta)"
    for path in user_files(prefix):
        return f"it holds {home.display(path, prefix)}"
    return ""


def delete(prefix: Path) -> None:
    """Delete the environment at `prefix`, which must be ours and hold nothing of the user's.

    Raises `EnvmagicError` (`not-deleted`) with the reason and leaves everything as it was.
    """
    reason = refusal(prefix)
    if reason:
        raise EnvmagicError(
            "not-deleted",
            f"{home.user_path(prefix)} is not deleted: {reason}.",
            subject=str(prefix),
        )
    shutil.rmtree(set_aside(prefix), ignore_errors=True)


def set_aside(prefix: Path) -> Path:
    """Rename `prefix` within its directory, so that it is gone at once; returns the new path."""
    try:
        aside = Path(tempfile.mkdtemp(prefix=".envmagic-trash-", dir=prefix.parent))
        os.rename(prefix, aside / prefix.name)
    except OSError as error:
        raise EnvmagicError(
            "not-deleted",
            f"{home.user_path(prefix)} cannot be moved away: {error.strerror}.",
            subject=str(prefix),
        ) from error
    return aside


def user_files(prefix: Path) -> Iterator[Path]:
    """Notebooks and version-control directories in `prefix`, which nobody wants deleted.

    What distributions brought along (in `site-packages` and `share`) does not count.
    """
    for directory, names, file_names in os.walk(prefix):
        for name in names:
            if name in _VERSION_CONTROL:
                yield Path(directory, name)
        names[:] = [n for n in names if n not in {"site-packages", "share", "__pycache__"}]
        yield from (Path(directory, n) for n in file_names if n.endswith(".ipynb"))
