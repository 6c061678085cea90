"""Where the programs of projects' tools are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["find"]

# Where their installers, pipx and uv put them; what a desktop starts often has no PATH with it.
_PLACES = (".local/bin", ".pixi/bin")


def find(name: str) -> Path | None:
    """The program `name` on PATH, else where people have it besides; None where it is not."""
    places = [os.environ.get("PATH", os.defpath), *(str(Path.home() / p) for p in _PLACES)]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None
