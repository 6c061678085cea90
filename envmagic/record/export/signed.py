"""Whether a file is one that an export wrote, as it was written, or a person's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from envmagic.system import reading

__all__ = ["is_ours", "signed"]

_FIRST = re.compile(rb"# exported by envmagic, content ([0-9a-f]{16})\n")


def signed(text: str) -> bytes:
    """`text` below a comment that tells whether it is edited later."""
    raw = text.encode()
    return b"# exported by envmagic, content " + _digest(raw) + b"\n" + raw


def is_ours(path: Path) -> bool:
    """Whether an export wrote all that is in `path`. Raises `OSError` where it cannot be read."""
    raw = reading.content(path)
    first = _FIRST.match(raw)
    return first is not None and first[1] == _digest(raw[first.end() :])


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).hexdigest()[:16].encode()
