"""Where the relay cannot work the server moves the notebook: no cell runs in the wrong place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from support.kernels import wait_until_ready, wait_until_taken
from support.lab import Server, write_notebook
from support.processes import eventually

REPOSITORY = Path(__file__).parents[2]
WHICH = "import os; print('runs in', os.environ['WHICH'])"
KEY = "import os; os.environ['KEY'] = 'of-mine'"
HELD = """
import asyncio
from pathlib import Path
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

class Held(AsyncMappingKernelManager):
    # starts alpha when the file `go` is there
    async def start_kernel(self, *, kernel_name=None, **kw):
        while kernel_name == "alpha" and not Path({go!r}).exists():
            await asyncio.sleep(0.05)
        return await super().start_kernel(kernel_name=kernel_name, **kw)
"""


class Session:
    """A notebook open on a server; its kernel is spoken to directly."""

    def __init__(self, server: Server, runtime: Path, kernel: str) -> None:
        self.server, self.runtime = server, runtime
        body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": kernel}}
        self.session = server.api("api/sessions", "POST", body)
        self.id: str = self.session["kernel"]["id"]
        self.client = self.connect(self.id)

    def connect(self, kernel_id: str) -> BlockingKernelClient:
        client = BlockingKernelClient(
            connection_file=str(self.runtime / f"kernel-{kernel_id}.json")
        )
        client.load_connection_file()
        client.start_channels()
        wait_until_ready(client)
        return client

    @property
    def kernel(self) -> tuple[str, str]:
        """Name and id of the kernel that the server says the notebook has."""
        found = self.server.api(f"api/sessions/{self.session['id']}")["kernel"]
        return found["name"], found["id"]

    def run(self, *cells: str, client: Any = None) -> list[tuple[str, str]]:
        """Send the cells at once; status and text of each."""
        client = client or self.client
        requests = [client.execute(cell, allow_stdin=False) for cell in cells]
        said, idle = dict.fromkeys(requests, ""), 0
        while idle < len(requests):
            message = client.get_iopub_msg(timeout=30)
            parent, content = message["parent_header"].get("msg_id"), message["content"]
            if parent in said:
                said[parent] += content.get("text", "") + "".join(content.get("traceback", []))
                said[parent] += content.get("data", {}).get("text/plain", "")
                idle += content.get("execution_state") == "idle"
        replies: dict[str, str] = {}
        while not replies.keys() >= said.keys():
            reply = client.get_shell_msg(timeout=30)
            replies[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
        if "error" in replies.values():
            wait_until_taken(client)
        return [(replies[request], said[request]) for request in requests]


@pytest.fixture
def opened(
    isolated: Any, specs: Any, bare_venv: Any, short_tmp: Path
) -> Iterator[Callable[[Server], Session]]:
    """A notebook whose ipykernel is one that the relay does not know."""
    python = bare_venv(isolated.work / "old", "ipykernel==7.0.1")
    specs("old", python=python, env={"WHICH": "old", "PYTHONPATH": str(REPOSITORY)})
    specs("alpha", env={"WHICH": "alpha"})
    write_notebook(isolated.work / "root" / "a.ipynb", [])
    made: list[Session] = []

    def open_(server: Server) -> Session:
        made.append(Session(server, isolated.runtime, "old"))
        return made[-1]

    yield open_
    for one in made:
        one.client.stop_channels()


def test_the_server_starts_the_other_kernel(isolated: Any, opened: Any) -> None:
    go = isolated.work / "go"
    (isolated.work / "held.py").write_text(HELD.format(go=str(go)))
    held = "--ServerApp.kernel_manager_class=held.Held"
    path = {"PYTHONPATH": str(isolated.work)}
    with Server(isolated.work / "root", options=[held], env=path) as server:
        here = opened(server)
        ran = here.run(f"x = 1; {KEY}", f"%env use alpha\n{WHICH}", WHICH, WHICH)
        assert "1 variable and 1 environment variable come along, other variables" in ran[1][1]
        assert [status for status, _ in ran] == ["ok", "error", "aborted", "aborted"]
        assert "The notebook moves to alpha. Run the cells below again" in ran[1][1]
        # sent before the other kernel is there
        ((status, said),) = here.run(WHICH)
        assert status == "error" and "Not run: the notebook moves to alpha." in said
        assert not any("runs in" in text for _, text in [*ran, (status, said)])
        go.touch()
        eventually(lambda: here.kernel[1] != here.id)
        name, there = here.kernel
        assert name == "alpha"
        client = here.connect(there)
        # what came along was there before the notebook was
        more = "print(x, os.environ['KEY'], os.environ['JPY_SESSION_NAME'])"
        ((status, said),) = here.run(f"{WHICH}\n{more}", client=client)
        assert said.startswith("runs in alpha\n1 of-mine ") and said.endswith("root/a\n")
        client.stop_channels()
        eventually(lambda: [k["name"] for k in server.api("api/kernels")] == ["alpha"])


def test_a_server_that_cannot_start_it(isolated: Any, opened: Any, specs: Any) -> None:
    """The cells were stopped for nothing; it is said, and they run here again."""
    specs("broken", str(isolated.work / "gone"), "-f", "{connection_file}")
    with Server(isolated.work / "root") as server:
        here = opened(server)
        ((status, _),) = here.run("x = 1\n%env use broken")
        assert status == "error"
        said = ""
        while "\n" not in said:
            said += here.client.get_iopub_msg(timeout=30)["content"].get("text", "")
        assert said.startswith("The notebook stays here: the server answered ")
        assert "Choose the kernel 'broken' in the kernel menu" in said
        assert here.kernel == ("old", here.id)
        assert here.run(WHICH, "print(x)") == [("ok", "runs in old\n"), ("ok", "1\n")]
        server.api(f"api/sessions/{here.session['id']}", "DELETE")
        server.process.kill()  # it would wait for the kernel that never was


def test_a_kernel_that_the_server_does_not_know(isolated: Any, opened: Any, specs: Any) -> None:
    with Server(isolated.work / "root") as server:
        here = opened(server)
        hidden = isolated.work / "hidden" / "kernels"
        (isolated.kernels / "alpha").rename(_made(hidden) / "alpha")
        look = f"import os; os.environ['JUPYTER_PATH'] = {str(hidden.parent)!r}"
        ran = here.run(look, f"%env use alpha\n{WHICH}", WHICH)
        assert [status for status, _ in ran] == ["ok", "error", "aborted"]
        assert "The server does not know the kernel 'alpha'." in ran[1][1]
        assert here.run(WHICH) == [("ok", "runs in old\n")]


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_server_that_does_not_let_us_ask(isolated: Any, opened: Any, token: str) -> None:
    """One line names the kernel to choose, and the cells below wait for it."""
    with Server(isolated.work / "root") as server:
        here = opened(server)
        for file in isolated.runtime.glob("jpserver-*.json"):
            file.write_text(json.dumps({**json.loads(file.read_text()), "token": token}))
        ran = here.run(f"%env use alpha\n{WHICH}", WHICH)
        assert [status for status, _ in ran] == ["error", "aborted"], ran
        assert "Choose the kernel 'alpha' in the kernel menu" in ran[0][1]
        assert "runs in old" not in ran[0][1]
        time.sleep(0.5)
        assert here.run(WHICH) == [("ok", "runs in old\n")]
        assert here.kernel == ("old", here.id)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory
