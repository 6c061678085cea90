"""The Jupyter server that serves this kernel: who it is, and asking its REST API.

Standard library only, and never through a proxy: servers are found by the files they leave in the
runtime directory, and are on this machine.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import socket
import ssl
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envmagic.jupyter.connection import Connection
from envmagic.system import process

__all__ = ["Refused", "Server", "Session", "call", "servers", "session"]

_PROOF = os.urandom(16).hex()
_TIMEOUT = 5.0  # seconds; a server on this machine answers within 15 ms


@dataclass(frozen=True)
class Server:
    """A server as its `jpserver-PID.json` describes it."""

    url: str
    root: Path
    token: str = field(repr=False, default="")
    pid: int | None = None
    unix_socket: str = ""


@dataclass(frozen=True)
class Session:
    """A notebook (or console) and its kernel, as the server sees them now."""

    id: str
    path: str
    """Relative to the server's root, with `/`."""
    kind: str
    """`notebook`, `console`, …"""
    kernel_id: str
    kernel_name: str


class Refused(Exception):
    """The server answered with an error; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def servers(of: Connection) -> Iterator[Server]:
    """The servers that may have started the kernel: its parent first, then the newest.

    They get this user's tokens and are believed, so only those are named that this user runs.
    """
    directories = filter(_is_guarded, _runtime_directories(of))
    files = {f for d in directories for f in d.glob("jpserver-*.json")}
    for file in sorted(files, key=lambda f: (f.stem != f"jpserver-{of.parent}", -_changed(f))):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            server = _server(json.loads(_own_text(file)))
            if process.is_running(
                server.pid, ours=True
            ):  # the port of one that is gone may be anybody's
                yield server


def session(of: Connection) -> tuple[Server, Session] | None:
    """The server's session of this kernel; None without one, or when no server lets us ask.

    A notebook's session is preferred to that of a console on the same kernel.
    """
    if of.kernel_id is None:
        return None
    for server in servers(of):
        try:
            answer = call(server, "api/sessions")
        except (OSError, ValueError, Refused):
            continue
        found = [s for s in map(_session, answer) if s.kernel_id == of.kernel_id]
        if found:
            return server, min(found, key=lambda s: s.kind != "notebook")
    return None


def call(
    server: Server,
    path: str,
    method: str = "GET",
    body: object = None,
    *,
    timeout: float = _TIMEOUT,
) -> Any:
    """The server's decoded answer to `method path` (no leading slash), None when it is empty.

    Raises `Refused` with its status when it says no, `OSError` when it is not there.
    """
    request = urllib.request.Request(
        server.url.rstrip("/") + "/" + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    token = server.token or os.environ.get("JUPYTERHUB_API_TOKEN") or ""
    if token:
        request.add_header("Authorization", f"token {token}")
    elif method != "GET":
        # Without a token the server wants proof that no web page made this request: the same
        # value as a cookie and as a header (https://www.tornadoweb.org/en/stable/guide/security).
        request.add_header("Cookie", f"_xsrf={_PROOF}")
        request.add_header("X-XSRFToken", _PROOF)
    try:
        with _opener(server.unix_socket).open(request, timeout=timeout) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, _reason(error)) from error
    return json.loads(text) if text else None


@functools.cache
def _opener(unix_socket: str) -> urllib.request.OpenerDirector:
    # The servers' files are readable for their user only, so a self-signed certificate is enough.
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=unverified),
    ]
    if unix_socket:
        handlers.append(_UnixHandler(unix_socket))
    return urllib.request.build_opener(*handlers)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__("localhost", **kwargs)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if isinstance(self.timeout, float):
            self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixHandler(urllib.request.HTTPHandler):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        def connect(host: str, **kwargs: Any) -> _UnixConnection:
            return _UnixConnection(self._path, timeout=kwargs.get("timeout"))

        return self.do_open(connect, request)


def _server(info: dict[str, Any]) -> Server:
    unix_socket = str(info.get("sock") or "")
    base_url = str(info.get("base_url") or "/")
    return Server(
        url=f"http://localhost{base_url}" if unix_socket else str(info["url"]),
        root=Path(info.get("root_dir") or info["notebook_dir"]),
        token=str(info.get("token") or ""),
        pid=info.get("pid"),
        unix_socket=unix_socket,
    )


def _runtime_directories(of: Connection) -> set[Path]:
    directories = {of.connection_file.parent}
    with contextlib.suppress(ImportError):
        from jupyter_core.paths import jupyter_runtime_dir

        directories.add(Path(jupyter_runtime_dir()))
    return directories


def _is_guarded(directory: Path) -> bool:
    """Whether nobody but this user, those of its group and root can put files there."""
    if sys.platform == "win32":  # has no such modes; the directory is in the user's profile
        return True
    try:
        facts = directory.stat()
    except OSError:
        return False
    return facts.st_uid in (os.geteuid(), 0) and not facts.st_mode & stat.S_IWOTH


def _own_text(file: Path) -> str:
    """What a file holds that this user and nobody else may write; raises `OSError` for another."""
    # neither through a link nor waiting for the other end of a pipe
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(file, os.O_RDONLY | flags), encoding="utf-8") as opened:
        facts = os.fstat(opened.fileno())
        if sys.platform != "win32" and (
            facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise PermissionError(f"{file} may be another user's")
        return opened.read()


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _session(entry: dict[str, Any]) -> Session:
    kernel = entry.get("kernel") or {}
    return Session(
        id=str(entry["id"]),
        path=str(entry.get("path") or (entry.get("notebook") or {}).get("path") or ""),
        kind=str(entry.get("type") or ""),
        kernel_id=str(kernel.get("id") or ""),
        kernel_name=str(kernel.get("name") or ""),
    )


def _reason(error: urllib.error.HTTPError) -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        message = json.loads(error.read()).get("message")
        if message:
            return str(message)
    return str(error.reason)
