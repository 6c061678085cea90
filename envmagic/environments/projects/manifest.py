"""What a project's own files say: `pyproject.toml` or `pixi.toml`, and the lock beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.system import files, reading, toml_files

__all__ = ["declared", "locked", "read", "table"]

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_LOCKED = re.compile(
    # a package of uv, Poetry and PDM
    r'^name = "([^"]+)"'
    # one of pixi's: from conda's channels the name is that of a file, from the index it is said
    r"|^[ \t]*(?:- *)?conda: \S*?/([^/\s]+)-[^-/\s]+-[^-/\s]+\.(?:conda|tar\.bz2)[ \t\r]*$"
    r"|^[ \t]+name: (\S+)",
    re.MULTILINE,
)


def read(file: Path) -> dict[str, Any]:
    """What the TOML `file` says. Raises `EnvmagicError` where it cannot be read, or is no TOML."""
    try:
        return toml_files.parsed(files.read(file).decode())
    except ValueError as error:  # it is no UTF-8, or no TOML
        raise EnvmagicError(
            "unreadable", f"{user_path(file)} cannot be read: {error}.", subject=str(file)
        ) from error


def table(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The table below `keys` in `document`; empty where there is none."""
    found: object = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def declared(document: Mapping[str, Any]) -> frozenset[str]:
    """The normalised names of what the manifest `document` asks for, groups and extras included.

    The names of those are among them: nobody can tell them from packages in every tool's tables.
    """
    return frozenset(map(normalized, _names(document, inside=False)))


def _names(value: object, *, inside: bool) -> Iterator[str]:
    if isinstance(value, str) and inside:
        match = _NAME.match(value)
        yield from [match[1]] if match else ()
    elif isinstance(value, list):
        for item in value:
            yield from _names(item, inside=inside and isinstance(item, str))
    elif isinstance(value, Mapping):
        for key, below in value.items():
            asks = key.endswith("dependencies") or key == "dependency-groups"
            if inside:
                yield key
            lists = inside and isinstance(below, list)
            yield from _names(below, inside=asks or lists)


def locked(file: Path) -> frozenset[str]:
    """The normalised names in the lock `file`; none where it cannot be read."""
    try:
        text = reading.content(file).decode("utf-8", "replace")
    except OSError:
        return frozenset()
    found = (match[1] or match[2] or match[3] for match in _LOCKED.finditer(text))
    return frozenset(normalized(name.strip("\"'")) for name in found)
