"""Reading files of other people's: none of them hangs the reader or fills its memory."""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["LIMIT", "beginning", "content"]

LIMIT = 16 * 1024 * 1024
"""Bytes; what people write by hand, and the locks that tools write, have far fewer."""
# Opening a pipe would wait for whoever writes into it.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def content(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """The bytes of the regular file `path`, where a link may lead to it.

    Raises `OSError`, whose `strerror` says why it cannot be read, also for what is no regular file
    or has more than `limit` bytes.
    """
    found = beginning(path, limit + 1)
    if len(found) > limit:
        raise OSError(errno.EFBIG, f"It is larger than {limit >> 20} MB", os.fspath(path))
    return found


def beginning(path: str | os.PathLike[str], size: int) -> bytes:
    """The first `size` bytes of the regular file `path`. Raises `OSError` as `content` does."""
    handle = os.open(path, _FLAGS)
    try:
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "It is no regular file", os.fspath(path))
        parts: list[bytes] = []
        # one byte more shows that nothing follows; the size of a file of the kernel's is 0
        while size > 0 and (part := os.read(handle, min(size, max(facts.st_size + 1, 4096)))):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(handle)
