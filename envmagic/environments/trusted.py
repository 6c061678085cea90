"""What the user has agreed to: that packages come from elsewhere than their own package index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from envmagic.system import directories, files

__all__ = ["add", "digest", "known"]

_NAME = "trusted.json"


def digest(text: str, means: str) -> str:
    """What an answer is remembered by: a line, and what it means on this machine."""
    return hashlib.sha256(f"{text}\n{means}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def known() -> set[str]:
    """The digests of all that was agreed to."""
    try:
        held = json.loads((directories.home() / _NAME).read_bytes())
        return {str(line) for line in held["lines"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def add(digests: Iterable[str]) -> None:
    """Remember that `digests` were agreed to. Raises `EnvmagicError` where it cannot be."""
    lines = sorted(known().union(digests))
    file = directories.home() / _NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"schema": 1, "lines": lines}, indent=1).encode() + b"\n"
    files.write_atomic(file, content)
