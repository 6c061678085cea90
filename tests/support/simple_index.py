"""A package index on loopback that tells when each wheel was uploaded, and gives parts of it."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

__all__ = ["serving"]

_JSON = "application/vnd.pypi.simple.v1+json"


class _Index(http.server.ThreadingHTTPServer):
    daemon_threads = True
    wheels: Path
    asked: list[str]
    halfway: Callable[[], None]


class _Answer(http.server.BaseHTTPRequestHandler):
    server: _Index
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, kind, name, *_ = [*self.path.split("/"), "", ""]
        if kind == "simple":
            self._send(200, _JSON, json.dumps(self._project(name)).encode())
        else:
            self._file(self.server.wheels / name)

    do_HEAD = do_GET

    def _project(self, name: str) -> dict[str, object]:
        files = [
            {
                "filename": wheel.name,
                "url": f"/files/{wheel.name}",
                "hashes": {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
                "size": wheel.stat().st_size,
                "yanked": wheel.with_name(f"{wheel.name}.yanked").exists(),
                "upload-time": datetime.fromtimestamp(wheel.stat().st_mtime, timezone.utc).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                ),
            }
            for wheel in sorted(self.server.wheels.glob("*.whl"))
            if re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower() == name
        ]
        return {"meta": {"api-version": "1.1"}, "name": name, "files": files, "versions": []}

    def _file(self, file: Path) -> None:
        raw = file.read_bytes()
        part = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if part is None:
            self._send(200, "application/octet-stream", raw)
            return
        start = int(part[1]) if part[1] else max(0, len(raw) - int(part[2]))
        end = min(int(part[2]) + 1, len(raw)) if part[1] and part[2] else len(raw)
        place = f"bytes {start}-{end - 1}/{len(raw)}"
        self._send(206, "application/octet-stream", raw[start:end], place)

    def _send(self, status: int, kind: str, body: bytes, place: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if place:
            self.send_header("Content-Range", place)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2])
            if kind != _JSON and not place:
                self.server.halfway()
            self.wfile.write(body[len(body) // 2 :])

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serving(
    wheels: Path, halfway: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, list[str]]]:
    """The address of an index of the files in `wheels`, and the paths that it was asked for.

    When a wheel was uploaded is when its file was last written; it is yanked where a file
    `NAME.whl.yanked` lies beside it. `halfway` is called when half of a whole file has been sent.
    """
    server = _Index(("127.0.0.1", 0), _Answer)
    server.wheels, server.asked, server.halfway = wheels, [], halfway
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/", server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
