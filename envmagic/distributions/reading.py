"""Files of an environment, read so that none stops anything, and what an `__init__.py` says."""

from __future__ import annotations

import os
import re

from envmagic.system import reading

__all__ = ["MODULE", "declares_namespace", "is_empty", "read"]

MODULE = re.compile(r"([^\W\d]\w*)\.(?:py|pyd|so|(?:cpython|cp|abi|pypy|cython)[^/]*\.(?:so|pyd))")
# Bytes of an `__init__.py` that only declares a namespace, a licence in it included.
_SHORTEST, _LONGEST = 40, 2048
_MOST = 64 * 1024 * 1024  # bytes of a RECORD or the like
# What stands around such a declaration: comments, a docstring, `try: import pkg_resources`, …
_AROUND = re.compile(
    r'\A(?:\s|\#.*(?:\n|\Z))*[rR]?(?:"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\')'
    r"|^[ \t]*\#.*$"
    r"|^.*\b(?:extend_path|declare_namespace|pkgutil|pkg_resources|__future__|typing)\b.*$"
    r"|^[ \t]*(?:try|else|except\b.*|pass)[ \t]*:?[ \t]*(?:\#.*)?$",
    re.MULTILINE,
)


def declares_namespace(init: str, size: int | None = None) -> bool:
    """Whether the `__init__.py` at `init` only declares a namespace, for `pkgutil` and the like.

    Its `size` in bytes spares reading it, where it can.
    """
    if size is not None and not _SHORTEST <= size <= _LONGEST:
        return False
    content = _short(init)
    declares = b"extend_path" in content or b"declare_namespace" in content
    return declares and not _rest(content)


def is_empty(init: str, size: int | None = None) -> bool:
    """Whether nothing but comments is in the `__init__.py` at `init`."""
    if size is not None and (size == 0 or size > _LONGEST):
        return size == 0
    return os.path.exists(init) and not _rest(_short(init))


def _short(path: str) -> bytes:
    """The content of a file that is not long; of others, something."""
    try:
        content = reading.beginning(path, _LONGEST + 1)
    except OSError:
        return b""
    return content if len(content) <= _LONGEST else b"..."


def _rest(content: bytes) -> str:
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return _AROUND.sub("", text).strip()


def read(path: str, size: int = -1) -> str:
    """The text of a file, or of its first `size` bytes; empty when it cannot be read."""
    try:
        raw = reading.content(path, _MOST) if size < 0 else reading.beginning(path, size)
        return raw.decode("utf-8", "replace")
    except OSError:
        return ""
