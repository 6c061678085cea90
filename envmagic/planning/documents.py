"""Reading the files that people declare environments in: as text or TOML, or a clear refusal."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.planning.plan import Source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["bad_declaration", "read", "standards", "toml"]

_LIMIT = 16 * 1024 * 1024
_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def read(path: Path) -> str:
    """The text of `path`. Raises `EnvmagicError` (`unreadable`), also for what is no plain file of
    sensible size."""
    try:
        if not path.is_file():
            raise OSError("it is no file")
        if path.stat().st_size > _LIMIT:
            raise OSError(f"it is larger than {_LIMIT >> 20} MB")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is no UTF-8 at byte {error.start}"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    raise EnvmagicError(
        "unreadable", f"{display.user_path(path)} cannot be read: {reason}.", subject=str(path)
    )


@contextlib.contextmanager
def standards(file: Path | None) -> Iterator[None]:
    """What is imported inside reads `file`. Raises `EnvmagicError` where an environment's own
    packaging, which goes before ours in its kernel, cannot do that yet."""
    try:
        yield
    except ImportError as error:
        raise EnvmagicError(
            "packaging-too-old",
            f"packaging {metadata.version('packaging')} in this kernel is too old to read"
            f" {display.user_path(file or 'the file')}.",
            "In a terminal it can be read: envmagic plan",
            subject=str(file or ""),
        ) from error


def toml(text: str, source: Source) -> dict[str, Any]:
    """What `text`, found at `source`, says as TOML. Raises `EnvmagicError` naming the line."""
    try:
        said: dict[str, Any] = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits as well
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else len(text.splitlines()) or 1
        reason = _PLACE.sub("", str(error)).strip()
        raise bad_declaration(source, f"no TOML: {reason}", line) from error
    except RecursionError:
        raise bad_declaration(source, "nested too deeply") from None
    return said


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
