"""Which encoding a text says it is in."""

from __future__ import annotations

import codecs

__all__ = ["by_mark"]

# The order matters: UTF-32's little-endian mark starts with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def by_mark(raw: bytes) -> tuple[str, bytes]:
    """The encoding that the byte-order mark at the beginning of `raw` tells, and the mark; both
    empty where there is none."""
    return next(((name, mark) for mark, name in _MARKS if raw.startswith(mark)), ("", b""))
