"""A notebook that is open on a server, without a page: its kernel is spoken to directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from support.kernels import wait_until_ready
from support.lab import Server

ASK = """
from envmagic.jupyter import live_notebook as _n
_f = _n.find(fresh=True)
print(_f.path, _f.how, _f.executing, _f.directory, sep="|")
"""


class Opened:
    """A notebook opened through a server, as a frontend does; `find` asks in its kernel."""

    def __init__(self, server: Server, runtime: Path, path: str, kernel: str = "") -> None:
        self.server = server
        body = {
            "path": path,
            "name": Path(path).name,
            "type": "notebook",
            "kernel": {"name": kernel},
        }
        self._runtime = runtime
        self.session = server.api("api/sessions", "POST", {**body, "kernel": {"name": kernel}})
        self._connect()

    def _connect(self) -> None:
        file = self._runtime / f"kernel-{self.session['kernel']['id']}.json"
        self.client = BlockingKernelClient(connection_file=str(file))
        self.client.load_connection_file()
        self.client.start_channels()
        wait_until_ready(self.client)

    def run(self, code: str) -> str:
        said: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text") or "\n".join(content.get("traceback", [])))
            said.append(content.get("data", {}).get("text/plain", ""))

        self.client.execute_interactive(code, timeout=120, output_hook=hook)
        return "".join(said).strip()

    def find(self) -> list[str]:
        return self.run(ASK).split("|")

    def renamed(self, path: str) -> None:
        """Say to the server that the notebook is at `path` now, as a frontend does."""
        self.server.api(f"api/sessions/{self.session['id']}", "PATCH", {"path": path})

    def restart(self) -> None:
        """Have the server start the kernel again."""
        self.close()
        self.server.api(f"api/kernels/{self.session['kernel']['id']}/restart", "POST")
        self._connect()

    def close(self) -> None:
        self.client.stop_channels()
