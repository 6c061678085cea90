"""Whether what is installed is whole: its RECORD against the disk."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from envmagic.environments.inspection import Distributions

__all__ = ["broken_distributions", "recorded", "unlisted_distributions"]


def broken_distributions(
    there: Distributions, names: set[str] | None = None, base: Path | None = None
) -> list[str]:
    """Those of `there` whose RECORD names files that are not on disk, of `names` (default: all).

    The files lie below `base`, by default where the metadata is.

    An installer that was killed while it linked files leaves such ones, and itself says they are
    fine. Compiled files do not count. Returns normalised names.
    """
    present = _Present()
    return sorted(
        name
        for name, (_, info) in there.items()
        if (names is None or name in names) and not _is_whole(info, base or info.parent, present)
    )


def unlisted_distributions(there: Distributions, names: set[str]) -> list[str]:
    """Those of `names` that no installer can take out, for there is no RECORD of their files.

    Packages of conda's do not count: it has lists of its own. Returns normalised names.
    """
    return sorted(
        name
        for name in names & set(there)
        if (info := there[name][1]).suffix == ".dist-info"
        and _installer(info) != "conda"
        and not (info / "RECORD").exists()
    )


_DRIVES = sys.platform == "win32"


def _is_whole(info: Path, base: Path, present: _Present) -> bool:
    if _installer(info) == "conda":
        return True  # conda-meta tells, and its packages' RECORDs name files of the build
    try:
        text = (info / "RECORD").read_text("utf-8")
    except OSError:
        # eggs and distributions of other packagers have none; an installer writes it last, and
        # takes it out after METADATA
        by_others = not (info / "INSTALLER").exists() and (info / "METADATA").exists()
        return info.suffix == ".egg-info" or by_others
    for path in _recorded(text):
        if path.startswith(("..", "/")) or (_DRIVES and os.path.isabs(path)):
            if not os.path.exists(os.path.join(base, path)):
                return False
        elif path not in present(str(info.parent if path.startswith(info.name) else base)):
            return False
    return True


def recorded(info: Path) -> list[str]:
    """The files that the distribution with metadata in `info` says it has, from where it lies;
    compiled ones left out. Empty where it does not say."""
    try:
        return list(_recorded((info / "RECORD").read_text("utf-8")))
    except OSError:
        return []


def _recorded(text: str) -> Iterator[str]:
    """The paths in a RECORD, without compiled files."""
    # the csv module is needed only where a path is quoted
    rows = (
        csv.reader(text.splitlines())
        if '"' in text
        else (x.split(",", 1) for x in text.split("\n"))
    )
    for row in rows:
        if row and row[0] and not row[0].endswith((".pyc", ".pyo")):
            yield row[0].rstrip("\r")


class _Present:
    """The files below site-packages, listed a directory at a time: thousands of single questions
    take several times as long."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def __call__(self, base: str) -> _Present:
        self._base = base
        return self

    def __contains__(self, path: str) -> bool:
        directory, _, name = path.rpartition("/")
        place = f"{self._base}/{directory}"
        names = self._names.get(place)
        if names is None:
            try:
                names = set(os.listdir(place))
            except OSError:
                names = set()
            self._names[place] = names
        return name in names


def _installer(info: Path) -> str:
    try:
        return (info / "INSTALLER").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
