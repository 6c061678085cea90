"""What an installer leaves that failed in the middle of a package, with no RECORD to tell of it.

On a disk that is full even undoing fails, and what is half there would be in the way ever after.
uv copies from packages that it keeps unpacked, so a file that is the same as in one of them is
known to be its own; anything else that has come meanwhile is somebody's and stays.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.environments.backends import commands, settings
from envmagic.environments.integrity import recorded
from envmagic.system import process

__all__ = ["clear", "entries"]

_ARCHIVES = "archive-v0"
_PART = ".tmp"  # what uv calls a file that it has not copied to its end
_OWN = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""What an installer writes into the metadata that it unpacks."""


def entries(environment: Environment) -> frozenset[Path]:
    """What lies at the top among the modules of `environment` itself."""
    return frozenset(path for site in _sites(environment) for path in _listed(site))


def clear(environment: Environment, before: frozenset[Path]) -> None:
    """Remove what uv has left since `entries` were those `before` and no RECORD tells of.

    Raises nothing.
    """
    new = entries(environment) - before
    if not new:
        return
    archives = _archives()
    for entry in sorted(new - _told(environment)):
        kept = [archive / entry.name for archive in archives if (archive / entry.name).exists()]
        for path in _files(entry):
            relative = path.relative_to(entry)
            if _is_copied(path, [place / relative for place in kept]):
                with contextlib.suppress(OSError):
                    path.unlink()
        for directory, _, _ in os.walk(entry, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)  # what is empty


def _is_copied(path: Path, sources: list[Path]) -> bool:
    """Whether `path` is as one of `sources`, or a part that uv or the full disk left of one."""
    if not sources:
        return False
    with contextlib.suppress(OSError):
        is_metadata = path.parent.suffix == ".dist-info" and path.name in _OWN
        if path.name.startswith(_PART) or is_metadata or not path.stat().st_size:
            return True
        return any(place.is_file() and filecmp.cmp(path, place, shallow=False) for place in sources)
    return False


def _archives() -> list[Path]:
    uv = commands.find_uv()
    if uv is None:
        return []
    with contextlib.suppress(process.CommandFailed, OSError), settings.told(None) as told:
        words = commands.uv_command(uv, "cache", "dir")
        return _listed(Path(process.run(words, env=told, timeout=60).stdout.strip()) / _ARCHIVES)
    return []


def _told(environment: Environment) -> set[Path]:
    """The entries that whole distributions have there."""
    found = set()
    for site in _sites(environment):
        for info in site.glob("*.dist-info"):
            if (info / "RECORD").is_file():
                found |= {site / path.partition("/")[0] for path in recorded(info)}
    return found


def _sites(environment: Environment) -> list[Path]:
    return [s for s in environment.site_packages if s.is_relative_to(environment.prefix)]


def _listed(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in os.listdir(directory)]
    except OSError:
        return []


def _files(entry: Path) -> Iterator[Path]:
    if entry.is_symlink() or not entry.is_dir():
        yield entry
        return
    for directory, _, names in os.walk(entry):
        yield from (Path(directory, name) for name in names)
