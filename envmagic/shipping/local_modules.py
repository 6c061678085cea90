"""The notebook's own modules, as they are given to workers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.record.needs import local_places
from envmagic.shipping.on_worker import digest_of

__all__ = ["LARGEST", "LocalModule", "local_modules"]

LARGEST = 100 * 1024 * 1024
"""Bytes of one module that are still sent; more is data."""
_COMPILED = (".so", ".pyd", ".dylib")


@dataclass(frozen=True)
class LocalModule:
    """A module that lies beside the notebook, or in its tree: one file or a package."""

    name: str
    """As it is imported."""
    path: Path
    """The file, or the package's directory."""
    digest: str
    """As `on_worker.digest_of`."""
    size: int
    """Bytes, without byte code."""
    compiled: tuple[Path, ...] = ()
    """Files in it that are for one platform and one Python."""

    @property
    def root(self) -> Path:
        """What has to be on the path so that it can be imported."""
        return self.path.parent

    @property
    def is_package(self) -> bool:
        return self.path.is_dir()

    def files(self) -> Iterator[Path]:
        """All its files without byte code, in the order of their names."""
        return _files(self.path)


def local_modules(notebook: Path, cells: Sequence[str] = ()) -> tuple[LocalModule, ...]:
    """Those that `notebook` imports or runs, and `cells` that are not saved in it yet; by name.

    Raises `EnvmagicError` (`module-too-large`) for one of more than `LARGEST` bytes.
    """
    places = local_places(notebook, cells)
    return tuple(_module(name, Path(place)) for name, place in sorted(places.items()))


def _module(name: str, path: Path) -> LocalModule:
    files = list(_files(path))
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        raise EnvmagicError(
            "module-too-large",
            f"The module {name} ({display.user_path(path)}) has {size // 1024**2} MB; up to"
            f" {LARGEST // 1024**2} MB are sent to workers.",
            "Move the data out of it, to where workers read it themselves.",
            subject=str(path),
        )
    compiled = tuple(file for file in files if file.suffix in _COMPILED)
    return LocalModule(name, path, digest_of(str(path)), size, compiled)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for above, directories, names in os.walk(path):
        directories[:] = sorted(each for each in directories if each != "__pycache__")
        for name in sorted(names):
            if not name.endswith((".pyc", ".pyo")):
                yield Path(above, name)
