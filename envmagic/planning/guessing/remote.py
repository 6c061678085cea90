"""What is in a wheel that the index has, read without downloading more of it than is needed."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import IO
from urllib.parse import unquote, urlsplit

from envmagic._version import __version__
from envmagic.planning.guessing.offers import Offer
from envmagic.planning.guessing.trees import Tree, WheelTree

__all__ = ["inside"]

_SECONDS = 30.0
_BLOCK = 256 * 1024  # bytes that are asked for at once
_WHOLE = 64 * 1024 * 1024  # bytes that are read where parts of a file are not given
_FAULTS = (OSError, zipfile.BadZipFile, ValueError, NotImplementedError)


@contextmanager
def inside(offer: Offer) -> Iterator[Tree | None]:
    """The files in a wheel; None where they cannot be read: another host asks who one is, say.

    Reading them later raises `OSError` where the network goes.
    """
    try:
        file = _opened(offer.url)
    except _FAULTS:
        yield None
        return
    with file:
        try:
            tree = WheelTree(file)
        except _FAULTS:
            yield None
            return
        yield tree


def _opened(url: str) -> IO[bytes]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return open(urllib.request.url2pathname(unquote(parts.path)), "rb")
    if parts.scheme not in ("http", "https"):
        raise ValueError(url)
    with _asked(url, {"Range": f"bytes=-{_BLOCK}"}) as answer:
        if answer.status == 206:
            length = int(answer.headers["Content-Range"].rpartition("/")[2])
            return io.BufferedReader(_Parts(url, length, answer.read()), _BLOCK)
        raw = answer.read(_WHOLE + 1)
        if len(raw) > _WHOLE:
            raise ValueError("too large")
        return io.BytesIO(raw)


def _asked(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": f"envmagic/{__version__}"})
    for name, value in headers.items():
        request.add_header(name, value)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=_SECONDS)
    return answer


class _Parts(io.RawIOBase):
    """A file behind a URL, of which a part is fetched when it is read; its end is known."""

    def __init__(self, url: str, length: int, end: bytes) -> None:
        self._url = url
        self._length = length
        self._end = end
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        raw = self._read(len(view))
        view[: len(raw)] = raw
        self._at += len(raw)
        return len(raw)

    def _read(self, size: int) -> bytes:
        if self._at >= self._length:
            return b""
        first = self._length - len(self._end)
        if self._at >= first:
            return self._end[self._at - first : self._at - first + size]
        last = min(self._at + size, self._length) - 1
        with _asked(self._url, {"Range": f"bytes={self._at}-{last}"}) as answer:
            return answer.read()
