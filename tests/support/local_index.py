"""A package index on this machine, for tools that take no directory of wheels for one."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name


class _Pages(http.server.BaseHTTPRequestHandler):
    """`/NAME/` lists the wheels of a distribution, as the "simple" API has it; `/FILE` is one."""

    def __init__(self, wheels: Path, *args: object) -> None:
        self.wheels = wheels
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name = self.path.strip("/")
        wheel = self.wheels / Path(name).name
        if self.path.endswith("/"):
            found = (w.name for w in self.wheels.glob("*.whl"))
            own = [w for w in found if canonicalize_name(w.split("-")[0]) == name]
            page = "".join(f'<a href="/{w}">{w}</a>\n' for w in own).encode()
            self._answer(200 if own else 404, "text/html", page)
        elif wheel.is_file():
            self._answer(200, "application/octet-stream", wheel.read_bytes())
        else:
            self._answer(404, "text/plain", b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving(wheels: Path) -> Iterator[str]:
    """The URL of an index with the wheels in the directory `wheels`, within the `with` block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, wheels))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
