"""Which environment the record of each notebook is of, remembered on this machine.

One small file for each notebook; a file that cannot be read counts as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments import renamed
from envmagic.system import directories, files, prefix_layout

__all__ = ["is_of", "note", "sweep"]

_MANY = 500  # files; from there those of notebooks that are gone are taken away


def is_of(notebook: Path, prefix: Path) -> bool | None:
    """Whether the record of `notebook` is of the environment at `prefix`; None where it was never
    written on this machine, or the environment is gone that it was written with."""
    before = _prefix(_file(notebook))
    if before is None:
        return None
    if prefix_layout.same(before, prefix) or renamed.was_at(prefix, before):
        return True
    return False if before.is_dir() else None


def note(notebook: Path, prefix: Path) -> None:
    """Remember that the record of `notebook` is of the environment at `prefix` from now on; what
    cannot be remembered is asked for again."""
    file = _file(notebook)
    if prefix_layout.same(_prefix(file), prefix):
        return
    with contextlib.suppress(OSError, EnvmagicError):
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"schema": 1, "notebook": str(notebook), "prefix": str(prefix)}
        files.write_atomic(file, json.dumps(content, indent=1).encode() + b"\n")
        if len(list(file.parent.glob("*.json"))) > _MANY:
            sweep()


def sweep() -> None:
    """Forget what is of no use any more: notebooks and environments that are gone. Where the place
    of one cannot be reached, it may come back."""
    for file in directories.records().glob("*.json"):
        held = _read(file)
        prefix = held.get("prefix", "")
        moved = renamed.is_elsewhere(Path(prefix))
        if _is_gone(held.get("notebook", "")) or (_is_gone(prefix) and not moved):
            with contextlib.suppress(OSError):
                file.unlink()


def _is_gone(path: str) -> bool:
    return not os.path.exists(path) and os.path.isdir(os.path.dirname(path))


def _prefix(file: Path) -> Path | None:
    held = _read(file).get("prefix")
    return Path(held) if held else None


def _read(file: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        held = json.loads(file.read_bytes())
        if isinstance(held, dict):
            return {str(key): str(value) for key, value in held.items()}
    return {}


def _file(notebook: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(notebook))).hexdigest()[:24]
    return directories.records() / f"{name}.json"
