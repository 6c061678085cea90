"""Settings of other programs, in files of TOML."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["Settings"]


class Settings:
    """What `file` says; nothing where it is not there, cannot be read, or is no TOML."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def value(self, *keys: str) -> object:
        """What the dotted key has; None where it is not there."""
        found: Any = self._document
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def text(self, *keys: str) -> str:
        """`value` where that is a string, else an empty one."""
        found = self.value(*keys)
        return found if isinstance(found, str) else ""

    @cached_property
    def _document(self) -> dict[str, Any]:
        try:
            text = self._file.read_text("utf-8", errors="replace")
        except OSError:
            return {}
        # most have no such files
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            document: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            return {}
        return document
