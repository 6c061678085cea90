"""How far the files around a notebook go that are its own."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

__all__ = ["tree_of", "up_from"]


def tree_of(directory: Path) -> Path:
    """How far following goes: the version-controlled tree around `directory`, else itself."""
    return Path(_top(str(directory)) or directory)


def up_from(directory: Path) -> list[Path]:
    """`directory` and those above it, as far as `tree_of` goes."""
    top = tree_of(directory)
    return [directory, *(place for place in directory.parents if place.is_relative_to(top))]


@lru_cache(maxsize=4096)
def _top(directory: str) -> str | None:
    if os.path.exists(os.path.join(directory, ".git")):
        return directory
    parent = os.path.dirname(directory)
    return _top(parent) if parent != directory else None
