"""Which files of a directory were written by `ship`, as they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from envmagic.record.export import signed
from envmagic.system import reading

__all__ = ["NAME", "of", "text"]

NAME = ".envmagic-ship"


def of(directory: Path) -> dict[str, str]:
    """Path from `directory`, with `/` -> SHA-256 in hexadecimal, of what was written there; empty
    where nothing was, or somebody edited the list. Raises `OSError` where it cannot be read."""
    file = directory / NAME
    try:
        if not signed.is_ours(file):
            return {}
        lines = reading.content(file).decode("utf-8").splitlines()[1:]
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return {}
    parts = (line.partition("  ") for line in lines)
    return {path: digest for digest, _, path in parts if _is_below(path)}


def text(contents: Mapping[str, bytes]) -> bytes:
    """The list of the files with these `contents`."""
    digests = {path: hashlib.sha256(raw).hexdigest() for path, raw in contents.items()}
    return signed.signed("".join(f"{digests[path]}  {path}\n" for path in sorted(digests)))


def _is_below(path: str) -> bool:
    """Whether it stays in the directory: such a list may have come with somebody's repository."""
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
