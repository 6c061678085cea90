"""Files of packages to read modules from: in the directories of an environment, or in a wheel."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Protocol

from envmagic.system import reading

__all__ = ["DirectoryTree", "Tree", "WheelTree"]

_MOST = 4 * 1024 * 1024  # bytes of a module that is read


class Tree(Protocol):
    """Directories and files by their paths from where modules are found, with `/`."""

    def listing(self, path: str) -> frozenset[str]:
        """The names in the directory `path`, of which "" is the top; empty when there is none."""
        ...

    def text(self, path: str) -> str | None:
        """The source in the file `path`; None when it cannot be read."""
        ...


class DirectoryTree:
    """What lies in the directories of an environment's packages, the first first."""

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = [os.fspath(d) for d in directories]
        self._listings: dict[str, frozenset[str]] = {}

    def listing(self, path: str) -> frozenset[str]:
        found = self._listings.get(path)
        if found is None:
            found = frozenset().union(*(_names(os.path.join(d, path)) for d in self._directories))
            self._listings[path] = found
        return found

    def text(self, path: str) -> str | None:
        for directory in self._directories:
            try:
                return _decoded(reading.beginning(os.path.join(directory, path), _MOST + 1))
            except OSError:
                continue
        return None


class WheelTree:
    """What a wheel would install, read from the archive `file`, which stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(file)
        self._members: dict[str, str] = {}
        self._listings: dict[str, set[str]] = {}
        for member in self._archive.namelist():
            path = _installed(member)
            self._members[path] = member
            while path:
                path, _, name = path.rpartition("/")
                self._listings.setdefault(path, set()).add(name)

    def listing(self, path: str) -> frozenset[str]:
        return frozenset(self._listings.get(path, ()))

    def text(self, path: str) -> str | None:
        member = self._members.get(path)
        if member is None:
            return None
        try:
            with self._archive.open(member) as file:
                return _decoded(file.read(_MOST + 1))
        except (OSError, zipfile.BadZipFile, NotImplementedError):
            return None


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (OSError, ValueError):
        return []


def _decoded(raw: bytes) -> str | None:
    return raw.decode("utf-8", "replace").removeprefix("\ufeff") if len(raw) <= _MOST else None


def _installed(member: str) -> str:
    """Where a member of a wheel lands: `x.data/purelib/a.py` is `a.py` in site-packages."""
    parts = member.rstrip("/").split("/")
    if len(parts) > 2 and parts[0].endswith(".data") and parts[1] in ("purelib", "platlib"):
        return "/".join(parts[2:])
    return "/".join(parts)
