"""A Jupyter server's limits for output hold behind the relay; a cell over one does no harm.

Spoken to through the server's websocket, as a page does: the limits are kept there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import websocket
from support.lab import Server, write_notebook

LIMITS = ("iopub_msg_rate_limit=100", "iopub_data_rate_limit=200000", "rate_limit_window=1")
OVER = {
    "IOPub message rate exceeded": "for i in range(400):\n  print(i, flush=True)",
    "IOPub data rate exceeded": "print('x' * 300_000)",
}


class Tab:
    """A page's connection to a kernel."""

    def __init__(self, server: Server, kernel: str) -> None:
        self._session = uuid.uuid4().hex
        address = f"{server.url}api/kernels/{kernel}/channels?session_id={self._session}"
        self._socket = websocket.create_connection(
            address.replace("http", "ws", 1),
            header=[f"Authorization: token {server.token}"],
            timeout=60,
        )

    def run(self, code: str) -> str:
        """What the page shows below the cell; returns when it is answered and idle."""
        request, said = uuid.uuid4().hex, ""
        self._send(request, code)
        missing = {"execute_reply", "idle"}
        while missing:
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") == request:
                kind, content = message["msg_type"], message["content"]
                missing -= {kind, content.get("execution_state", "")}
                said += content.get("text", "") + content.get("data", {}).get("text/plain", "")
                assert content.get("status", "ok") == "ok", content
        return said

    def close(self) -> None:
        self._socket.close()

    def _send(self, request: str, code: str) -> None:
        header = {
            "msg_id": request,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.3",
            "date": "",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self._socket.send(json.dumps({**message, "channel": "shell", "buffers": []}))


@pytest.fixture
def tab(isolated: Any, specs: Any, short_tmp: Any) -> Iterator[Tab]:
    """A page on `first`, on a server with limits that are soon reached; `alpha` is beside it."""
    for name in ("first", "alpha"):
        specs(name, env={"WHICH": name})
    root = isolated.work / "root"
    write_notebook(root / "a.ipynb", [])
    options = [f"--ZMQChannelsWebsocketConnection.{limit}" for limit in LIMITS]
    with Server(root, options=options) as server:
        body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "first"}}
        session = server.api("api/sessions", "POST", body)
        opened = Tab(server, session["kernel"]["id"])
        yield opened
        opened.close()


def test_a_cell_over_a_limit_is_cut_short_and_nothing_else(tab: Tab) -> None:
    for where in ("first", "alpha", "first"):
        tab.run(f"%env use {where}\nx = 1")
        for word, code in OVER.items():
            said = tab.run(code)
            assert word in said and len(said) < 2_000
            assert _which(tab) == where
    # what it says before or after a move is cut short; the move is not
    word, flood = next(iter(OVER.items()))
    for where, code in (
        ("alpha", f"{flood}\n%env use alpha"),
        ("first", f"%env use first\n{flood}"),
    ):
        assert word in tab.run(code)
        assert _which(tab) == where
        assert tab.run("print(*range(20), sep='\\n')").split() == [str(n) for n in range(20)]


def _which(tab: Tab) -> str:
    return tab.run("import os; print(os.environ['WHICH'])").strip()
