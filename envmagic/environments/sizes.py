"""How large environments are, remembered until something is installed: adding up takes seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from envmagic.environments import inspection
from envmagic.system import cache

__all__ = ["of"]

_FILE = "sizes.json"


def of(prefix: Path) -> int:
    """Bytes the files below `prefix` take, as they were when a package last came or went."""
    held = cache.load(_FILE, "")
    known: dict[str, Any] = held if isinstance(held, dict) else {}
    stamp = _stamp(prefix)
    entry = known.get(str(prefix))
    if isinstance(entry, list) and len(entry) == 2 and entry[0] == stamp:
        return int(str(entry[1]))
    size = inspection.size(prefix)
    cache.save(_FILE, "", {**known, str(prefix): [stamp, size]})
    return size


def _stamp(prefix: Path) -> str:
    """What changes with every package: the times of the directories where they are noted."""
    places = [prefix, prefix / "conda-meta", prefix / "bin", prefix / "Lib" / "site-packages"]
    places += sorted(prefix.glob("lib/python3*/site-packages"))
    return " ".join(str(os.stat(p).st_mtime_ns) for p in places if p.is_dir())
