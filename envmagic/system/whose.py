"""Whose a file is, and what it is besides its content."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from envmagic.core.display import user_path

__all__ = ["followed", "make_alike", "must_stay"]

_LINKS = 40  # as Linux has it


def followed(path: Path) -> Path:
    """Where `path` leads: absolute, without links; what is not there yet as it is called.

    Raises `OSError` for a link of somebody else's in a directory that everybody may write to: who
    made it would choose what is written over.
    """
    if not hasattr(os, "geteuid"):
        return path.resolve()
    first, *parts = Path(os.path.join(os.getcwd(), path)).parts
    found, waiting, links = Path(first), parts[::-1], 0
    while waiting:
        part = waiting.pop()
        step = found.parent if part == ".." else found / part
        if part == ".." or not step.is_symlink():
            found = step
            continue
        if _is_everybodys(found) and step.lstat().st_uid not in (os.geteuid(), _owner(found)):
            raise OSError(errno.EACCES, f"{user_path(step)} is somebody else's link")
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = Path(os.readlink(step))
        found = Path(target.anchor) if target.is_absolute() else found
        waiting += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return found


def must_stay(path: Path, facts: os.stat_result) -> bool:
    """Whether the file at `path` has other names, which a new one would not have.

    Raises `OSError` in a directory that everybody may write to: there anybody may have given a file
    of yours another name.
    """
    if facts.st_nlink < 2:
        return False
    if _is_everybodys(path.parent):
        raise OSError(errno.EACCES, "It has other names, and everybody may write to its directory")
    return True


def make_alike(new: Path, old: Path, facts: os.stat_result) -> None:
    """Give `new` the owner, the group, the mode and the extended attributes of `old`. Raises
    `PermissionError` where it may not have one of them."""
    made = new.stat()
    if (made.st_uid, made.st_gid) != (facts.st_uid, facts.st_gid):
        os.chown(new, facts.st_uid, facts.st_gid)
    new.chmod(stat.S_IMODE(facts.st_mode))
    wanted, there = _attributes(old), _attributes(new)
    for name in there.keys() - wanted.keys():
        os.removexattr(new, name)
    for name, value in wanted.items():
        if there.get(name) != value:
            os.setxattr(new, name, value)


def _attributes(path: Path) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise


def _is_everybodys(directory: Path) -> bool:
    return bool(directory.stat().st_mode & stat.S_IWOTH) and hasattr(os, "geteuid")


def _owner(path: Path) -> int:
    return path.stat().st_uid
