"""What is in a verb's way without touching it: a disk, an index, others that do the same."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from packaging.utils import canonicalize_name
from support.faults.world import World

__all__ = ["INDEXES", "can_mount", "changed", "disk", "knows", "needs_disk"]

INDEXES = ("trickle", "lie", "gone")
_KNOWN = re.compile(r"(full|inodes|readonly|index|beside)@(\w+)")
_ROOM = "size=512m,nr_inodes=200k"


def knows(when: str) -> bool:
    """Whether `when` is one of these: `full@90` (KB are left), `inodes@12`, `readonly@1`,
    `index@lie`, `beside@11` (so many others)."""
    return _KNOWN.fullmatch(when) is not None


@cache
def can_mount() -> bool:
    """Whether a small disk can be made here."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    place = Path(tempfile.mkdtemp())
    try:
        with disk(place / "disk"):
            return True
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        shutil.rmtree(place, ignore_errors=True)


def needs_disk(when: str) -> bool:
    """Whether the world has to lie on a disk of its own for that."""
    return when.startswith(("full@", "inodes@", "readonly@"))


@contextlib.contextmanager
def disk(place: Path) -> Iterator[None]:
    """A file system of its own at `place`, which is made."""
    place.mkdir()
    _mount("-t", "tmpfs", "-o", _ROOM, "envmagic-faults", str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        place.rmdir()


@contextlib.contextmanager
def changed(world: World, when: str) -> Iterator[int]:
    """The world is so meanwhile; gives how many others do the same at once."""
    match = _KNOWN.fullmatch(when)
    assert match is not None
    kind, value = match[1], match[2]
    if kind == "beside":
        yield int(value)
    elif kind == "index":
        with _index(world, value):
            yield 0
    else:
        held = os.statvfs(world.root)
        used = (held.f_blocks - held.f_bfree) * held.f_frsize // 1024
        limit = {
            "full": f"remount,size={used + int(value)}k" if kind == "full" else "",
            "inodes": f"remount,nr_inodes={held.f_files - held.f_ffree + int(value)}"
            if kind == "inodes"
            else "",
            "readonly": "remount,ro",
        }[kind]
        log = world.root.with_name(f"{world.root.name}-log")
        log.mkdir(exist_ok=True)
        world.elsewhere.append(log)  # what the tests themselves write has room
        _mount("-o", limit, str(world.root))
        try:
            yield 0
        finally:
            _mount("-o", f"remount,rw,{_ROOM}", str(world.root))
            world.elsewhere.clear()


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


class _Pages(http.server.BaseHTTPRequestHandler):
    """An index that trickles, lies about what is in a wheel, or goes away in the middle of it."""

    def __init__(self, wheels: Path, how: str, *args: object) -> None:
        self.wheels, self.how = wheels, how
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name = self.path.strip("/")
        file = self.wheels / Path(name).name
        if self.path.endswith("/"):
            every = self.wheels.glob("*.whl")
            own = [w for w in every if canonicalize_name(w.name.split("-")[0]) == name]
            links = (f'<a href="/{w.name}#sha256={self._digest(w)}">{w.name}</a>' for w in own)
            self._answer(200 if own else 404, "text/html", "\n".join(links).encode())
        else:
            with contextlib.suppress(ConnectionError):  # the installer was killed meanwhile
                self._answer(200, "application/octet-stream", file.read_bytes(), is_wheel=True)

    do_HEAD = do_GET

    def _digest(self, wheel: Path) -> str:
        right = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return right[::-1] if self.how == "lie" else right

    def _answer(self, status: int, kind: str, content: bytes, *, is_wheel: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if is_wheel and self.how == "gone":
            content = content[: len(content) // 2]
        step = max(1, len(content) // 20)
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if is_wheel and self.how == "trickle":
                time.sleep(0.02)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def _index(world: World, how: str) -> Iterator[None]:
    pages = partial(_Pages, world.wheels, how)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = world.home / "uv.toml"
    before = settings.read_text()
    address = f"http://127.0.0.1:{server.server_port}"
    settings.write_text(
        f'cache-dir = "{world.root / "cache"}"\n[[index]]\nurl = "{address}"\ndefault = true\n'
    )
    world.without.append("UV_CACHE_DIR")
    try:
        yield
    finally:
        world.without.clear()
        settings.write_text(before)
        server.shutdown()
        server.server_close()
