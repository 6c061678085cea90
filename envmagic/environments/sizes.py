"""How large environments are, remembered until something is installed: adding up takes seconds."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments import inspection
from envmagic.system import directories, files

__all__ = ["of"]


def of(prefix: Path) -> int:
    """Bytes the files below `prefix` take, as they were when a package last came or went."""
    remembered = directories.cache() / "sizes.json"
    known: dict[str, list[object]] = {}
    with contextlib.suppress(OSError, ValueError):
        held = json.loads(remembered.read_bytes())
        known = held if isinstance(held, dict) else {}
    stamp = _stamp(prefix)
    entry = known.get(str(prefix))
    if isinstance(entry, list) and len(entry) == 2 and entry[0] == stamp:
        return int(str(entry[1]))
    size = inspection.size(prefix)
    known[str(prefix)] = [stamp, size]
    with contextlib.suppress(OSError, EnvmagicError):
        remembered.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(remembered, json.dumps(known).encode())
    return size


def _stamp(prefix: Path) -> str:
    """What changes with every package: the times of the directories where they are noted."""
    places = [prefix, prefix / "conda-meta", prefix / "bin", prefix / "Lib" / "site-packages"]
    places += sorted(prefix.glob("lib/python3*/site-packages"))
    return " ".join(str(os.stat(p).st_mtime_ns) for p in places if p.is_dir())
