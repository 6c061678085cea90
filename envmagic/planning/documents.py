"""Reading the files that people declare environments in: as text or TOML, or a clear refusal."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.runtimes import standards
from envmagic.planning.plan import Source
from envmagic.system import files, toml_files

__all__ = ["bad_declaration", "read", "standard", "toml"]

_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def read(path: Path) -> str:
    """The text of `path`. Raises `EnvmagicError` (`unreadable`), also for what is no plain file of
    sensible size."""
    try:
        return files.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is no UTF-8 at byte {error.start}"
    raise EnvmagicError(
        "unreadable", f"{display.user_path(path)} cannot be read: {reason}.", subject=str(path)
    )


def standard(part: str, file: Path | None) -> Any:
    """The module `part` of the packaging that reads `file`. Raises `EnvmagicError` where an
    environment's own, which goes first in its kernel, cannot do that yet, and no other is there."""
    try:
        return standards.packaging(part)
    except ImportError as error:
        raise EnvmagicError(
            "packaging-too-old",
            f"packaging {metadata.version('packaging')} in this kernel is too old to read"
            f" {display.user_path(file or 'the file')}.",
            "Say the same in a terminal, where a newer one reads it.",
            subject=str(file or ""),
        ) from error


def toml(text: str, source: Source) -> dict[str, Any]:
    """What `text`, found at `source`, says as TOML. Raises `EnvmagicError` naming the line."""
    try:
        return toml_files.parsed(text)
    except ValueError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else len(text.splitlines()) or 1
        reason = _PLACE.sub("", str(error)).strip()
        raise bad_declaration(source, f"no TOML: {reason}", line) from error


def bad_declaration(source: Source, what: str, line: int = 0) -> EnvmagicError:
    """That what stands at `source` is `what`; `line` counts from the one that `source` names."""
    number = line + max(source.line - 1, 0) if line else source.line
    at = Source(source.kind, source.file, source.cell, number)
    first = str(at)
    return EnvmagicError(
        "bad-declaration",
        f"{first[0].upper()}{first[1:]}: {what}.",
        "Mend it there.",
        subject=str(source.file or ""),
    )
