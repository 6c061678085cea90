"""The commands and examples in the documentation, for tests that carry them out."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["blocks"]

_REPOSITORY = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in order."""
    text = (_REPOSITORY / page).read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)
    return [block for named, block in fenced if named == language]
