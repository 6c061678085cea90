"""TOML of people's and other programs', whatever is in it."""

from __future__ import annotations

import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from envmagic.system import reading

__all__ = ["Settings", "parsed"]

_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){100}")


def parsed(text: str) -> dict[str, Any]:
    """What `text` says. Raises `ValueError`, also for what is nested too deeply to be read."""
    if sys.version_info >= (3, 11):  # most have no such files
        import tomllib
    else:
        import tomli as tomllib
    # the reader walks through each part of a dotted key for each part of it
    if _KEY.search(text):
        raise ValueError("a key in it has too many parts")
    try:
        document: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff"))
        return document
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


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
            return parsed(reading.content(self._file).decode("utf-8", "replace"))
        except (OSError, ValueError):
            return {}
