"""What an environment of any kind holds, read from its files without running its interpreter."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.core.names import normalized

__all__ = [
    "Distributions",
    "distributions",
    "distributions_in",
    "plain_version",
    "site_packages",
    "size",
    "version_of_directories",
]

_PYTHON_DIRECTORY = re.compile(r"(?:python|pypy)3\.\d+t?$")


Distributions = Mapping[str, tuple[str, Path]]
"""Normalised name -> (version, its `dist-info` or `egg-info`)."""


def distributions(environment: Environment) -> dict[str, tuple[str, Path]]:
    """What is installed in `environment`, as `Distributions`; the first on its path counts."""
    return distributions_in(environment.site_packages)


def distributions_in(directories: Iterable[Path]) -> dict[str, tuple[str, Path]]:
    """What has its metadata in `directories`, as `Distributions`; the first of a name counts."""
    found: dict[str, tuple[str, Path]] = {}
    for directory in directories:
        for name, version, info in _infos(directory):
            found.setdefault(normalized(name), (version, info))
    return found


def size(prefix: Path) -> int:
    """Bytes the files below `prefix` take; links are not followed."""
    total = 0
    for directory, _, files in os.walk(prefix):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def plain_version(text: str) -> str:
    """The `3.12.4` that `text` begins with; else empty."""
    match = re.match(r"\d+\.\d+(?:\.\d+)?", text)
    return match[0] if match else ""


def version_of_directories(prefix: Path) -> str:
    """The `3.12` in the path of its site-packages; else empty."""
    for directory in site_packages(prefix):
        match = re.search(r"3\.\d+", directory.parent.name)
        if match:
            return match[0]
    return ""


def site_packages(prefix: Path) -> tuple[Path, ...]:
    """The directories below `prefix` that its Python installs into."""
    if sys.platform == "win32":
        return (prefix / "Lib" / "site-packages",)
    found = []
    for lib in ("lib", "lib64"):
        directory = prefix / lib
        if directory.is_symlink() or not directory.is_dir():
            continue
        for python in sorted(directory.iterdir()):
            site = python / "site-packages"
            if _PYTHON_DIRECTORY.match(python.name) and site.is_dir():
                found.append(site)
    return tuple(found)


def _infos(directory: Path) -> Iterator[tuple[str, str, Path]]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in sorted(names):
        stem, dot, kind = name.rpartition(".")
        if dot and kind in {"dist-info", "egg-info"} and not name.startswith("~"):
            distribution, _, version = stem.partition("-")
            yield distribution, version.split("-py3")[0], directory / name
