"""Which environments are ours, and deleting them, which is the most dangerous thing we do.

An environment we made holds `envmagic.json`, which names its real path, device and inode. A copy
of it, a link to it or a spec that merely claims it therefore authorises nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.contents import MARK, Written, is_own_gitignore
from envmagic.system import files, scratch

__all__ = ["check", "delete", "identity", "is_owned", "mark", "refusal", "user_files"]

_VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr", ".jj"}


def mark(prefix: Path, **facts: Any) -> None:
    """Write that `prefix` is ours, with `facts` about it, and tell git to ignore it all."""
    content = {"schema": 1, **identity(prefix), **facts}
    ignore = prefix / ".gitignore"
    if is_own_gitignore(ignore):  # or none; one with rules of its own is somebody's
        files.write_atomic(ignore, b"*\n")
    files.write_atomic(prefix / MARK, json.dumps(content, indent=1).encode() + b"\n")


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


def refusal(prefix: Path, written: Written) -> str:
    """Why `prefix` must not be deleted, as the rest of a sentence; empty when it may be.

    `written` are the files in it that its tools wrote.
    """
    if prefix.is_symlink():
        return "it is a link"
    if not is_owned(prefix):
        return "envmagic did not make it"
    if not (prefix / "pyvenv.cfg").is_file() and not (prefix / "conda-meta").is_dir():
        return "it is no environment any more (neither pyvenv.cfg nor conda-meta)"
    for path in (*user_files(prefix), *written.added()):
        return f"it holds {display.display(path, prefix)}"
    return ""


def check(prefix: Path, written: Written) -> None:
    """Raise `EnvmagicError` (`not-deleted`) where `prefix` must not be deleted; see `refusal`."""
    reason = refusal(prefix, written)
    if reason:
        raise _not_deleted(prefix, reason)


def delete(prefix: Path, written: Written) -> None:
    """Delete the environment at `prefix`, which must be ours and hold nothing of the user's.

    It is gone at once, by a rename. Raises `EnvmagicError` (`not-deleted`) with the reason and
    leaves everything as it was.
    """
    check(prefix, written)
    with scratch.beside(prefix.parent) as aside:
        kept = aside / prefix.name
        try:
            aside.mkdir()
            prefix.rename(kept)
        except OSError as error:
            raise _not_deleted(prefix, f"it cannot be moved ({error.strerror})") from error
        for path in user_files(kept):  # saved while the others were looked at
            held = display.display(path, kept)
            raise _not_deleted(_put_back(kept, prefix), f"it holds {held}")


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


def _put_back(kept: Path, prefix: Path) -> Path:
    """Bring `kept` back to `prefix`, or beside it where there is something by now; where it is."""
    try:
        kept.rename(prefix)
    except OSError:
        beside = prefix.with_name(f"{prefix.name}-kept-{os.urandom(4).hex()}")
        kept.rename(beside)
        return beside
    return prefix


def _not_deleted(prefix: Path, reason: str) -> EnvmagicError:
    return EnvmagicError(
        "not-deleted",
        f"{display.user_path(prefix)} is not deleted: {reason}.",
        "Move that elsewhere and try again.",
        subject=str(prefix),
    )
