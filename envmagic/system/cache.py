"""What took long to find out, remembered in files: each holds one JSON value and its stamp.

A cache that cannot be read or written is made again; nothing is said about it.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.system import directories, files

__all__ = ["load", "save"]


def load(name: str, stamp: str) -> Any:
    """The value that was saved as `name` with the same `stamp`; None when there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads((directories.cache() / name).read_bytes())
        if held["stamp"] == stamp:
            return held["content"]
    return None


def save(name: str, stamp: str, content: Any) -> None:
    """Remember `content` as `name` for as long as its `stamp` is the same."""
    held = {"stamp": stamp, "content": content}
    file = directories.cache() / name
    with contextlib.suppress(OSError, EnvmagicError):
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(file, json.dumps(held, separators=(",", ":")).encode())
