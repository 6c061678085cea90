"""Environments that lie in a directory, whoever made them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.environments import backends
from envmagic.planning.plan import PassedOver
from envmagic.system import reading

__all__ = ["in_directory", "looked_for"]

_VENV = ".venv"
_LISTED = ".python-envs"
_PIXI = Path(".pixi", "envs", "default")


def in_directory(directory: Path) -> tuple[Path | None, list[PassedOver]]:
    """The prefix of the environment that belongs to `directory`, and what only looks like one.

    In this order: `.venv`, which may be a file with the path of the environment (PEP 832); the
    first that `.python-envs` lists and that is there, as PDM writes it for drafts of that PEP;
    pixi's default one; the one conda prefix in there.
    """
    over: list[PassedOver] = []
    for found in (_venv(directory, over), _listed(directory, over), _pixi(directory)):
        if found is not None:
            return found, over
    conda = list(_conda(directory))
    if len(conda) > 1:
        reason = f"there is another conda environment beside it ({conda[1].name})"
        over.append(PassedOver(conda[0], reason))
    return (conda[0] if len(conda) == 1 else None), over


def looked_for(directory: Path) -> list[Path]:
    """What `in_directory` looks for without listing or reading anything."""
    places = [directory / _VENV, directory / _PIXI]
    within = [marker for place in places for marker in backends.markers(place)]
    return [places[0], directory / _LISTED, *within]


def _venv(directory: Path, over: list[PassedOver]) -> Path | None:
    place = directory / _VENV
    if not os.path.lexists(place):
        return None
    if place.is_file():
        return _redirected(place, over)
    if backends.is_environment(place):
        return place
    over.append(PassedOver(place, _why_none(place)))
    return None


def _why_none(place: Path) -> str:
    if place.is_symlink() and not place.exists():
        return "it is a link that leads nowhere"
    return "it has no pyvenv.cfg"


def _redirected(file: Path, over: list[PassedOver]) -> Path | None:
    lines = _lines(file)
    prefix = Path(os.path.normpath(file.parent / lines[0])) if len(lines) == 1 else None
    if prefix is not None and backends.is_environment(prefix):
        return prefix
    where = f"in {display.user_path(prefix)} is none" if prefix else "it holds no path"
    over.append(PassedOver(file, f"it is a file and not an environment, and {where}"))
    return None


def _listed(directory: Path, over: list[PassedOver]) -> Path | None:
    file = directory / _LISTED
    if not file.is_file():
        return None
    for line in _lines(file):
        prefix = Path(os.path.normpath(directory / line))
        if backends.is_environment(prefix):
            return prefix
    over.append(PassedOver(file, "no environment that it lists is there"))
    return None


def _lines(file: Path) -> list[str]:
    """The lines of a small text file that hold something; none where it is no text."""
    try:
        text = reading.beginning(file, 65536).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line for line in map(str.strip, text.splitlines()) if line and "\0" not in line]


def _pixi(directory: Path) -> Path | None:
    place = directory / _PIXI
    return place if backends.is_environment(place) else None


def _conda(directory: Path) -> Iterator[Path]:
    """The conda prefixes directly in `directory`."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir() and os.path.isfile(Path(entry.path, "conda-meta", "history")):
                yield Path(entry.path)
        except OSError:
            continue
