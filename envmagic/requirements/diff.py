"""What would change in a file, as people read it."""

from __future__ import annotations

import difflib
from pathlib import Path

from envmagic.core import display
from envmagic.requirements.lines import decode
from envmagic.requirements.pieces import lines_of

__all__ = ["unified"]


def unified(path: Path, before: bytes, after: bytes) -> str:
    """A unified diff of the file's content; where only line ends differ, lines are there twice."""
    name = display.user_path(path)
    old, new = (lines_of(decode(raw)[0]) for raw in (before, after))
    told = difflib.unified_diff(old, new, name, f"{name} (as it should be)")
    return "".join(line.rstrip("\r\n") + "\n" for line in told)
