"""A kernel's name means what the frontend would start by it, also when that has changed."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from support.kernels import wait_until_ready
from support.lab import Server, install_extensions, write_notebook
from support.processes import eventually, runs
from support.specs import register, venv

WHO = "import os; print(os.getpid())"
PREFIX = "import sys; print(sys.prefix)"


class Open:
    """A notebook that is open on a server."""

    def __init__(self, server: Server, runtime: Path) -> None:
        write_notebook(server.root / "a.ipynb", [])
        body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "python3"}}
        self.server, self.runtime = server, runtime
        self.id = server.api("api/sessions", "POST", body)["kernel"]["id"]
        self.connect()

    def connect(self) -> None:
        file = self.runtime / f"kernel-{self.id}.json"
        self.client = BlockingKernelClient(connection_file=str(file))
        self.client.load_connection_file()
        self.client.start_channels()
        wait_until_ready(self.client)

    def restart(self) -> None:
        self.client.stop_channels()
        self.server.api(f"api/kernels/{self.id}/restart", "POST")
        self.connect()

    def run(self, code: str) -> str:
        said: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            shown = content.get("data", {}).get("text/plain", "")
            said.append(content.get("text") or shown or content.get("evalue", ""))

        self.client.execute_interactive(code, timeout=60, output_hook=hook)
        return "".join(said).strip()


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="wants a venv of its own")
def test_names_on_a_server_that_was_started_by_name(
    isolated: Any, specs: Any, short_tmp: Path, request: Any
) -> None:
    """`python3` is the server's own Python, also after a restart elsewhere; and a kernelspec may
    speak of where it lies and of the server's prefix."""
    install_extensions()
    specs("other", python=venv(isolated.work / "other"))
    script = "import sys; sys.told = sys.argv[1]; sys.argv[1:2] = []\n"
    script += "from ipykernel.kernelapp import IPKernelApp; IPKernelApp.launch_instance()\n"
    words = ("{resource_dir}/launch.py", "{prefix}", "-f", "{connection_file}")
    specs("beside", sys.executable, *words)
    (isolated.kernels / "beside" / "launch.py").write_text(script)
    (isolated.work / "root").mkdir()
    start = isolated.work / "start"  # for the words `-m jupyter_server`
    start.write_text('#!/bin/sh\nshift 2\nexec python -m jupyter_server "$@"\n')
    start.chmod(0o755)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Server(isolated.work / "root", python=start, env={"PATH": path}) as server:
        notebook = Open(server, isolated.runtime)
        request.addfinalizer(lambda: notebook.client.stop_channels())
        command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        assert command.startswith(b"python\0-m\0jupyter_server\0")
        notebook.run("%load_ext envmagic\n%env use other")
        assert notebook.run(PREFIX) == str(isolated.work / "other")
        notebook.restart()
        assert notebook.run(PREFIX) == str(isolated.work / "other")
        notebook.run("%env use python3")
        assert notebook.run(PREFIX) == sys.prefix
        notebook.run("%load_ext envmagic\n%env use beside")
        assert notebook.run("import sys; print(sys.told)") == sys.prefix


def test_what_cannot_be_told_is_refused(
    isolated: Any, specs: Any, kernel: Any, short_tmp: Path
) -> None:
    """The frontend is no Python here, and the session began in an environment."""
    specs("bare", "python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    specs("prefix", sys.executable, "-c", "pass", "{prefix}", "{connection_file}")
    running = kernel(specs("alpha"))
    running.run("import os; os.environ['JPY_PARENT_PID'] = '1'; x = 5")  # as if it were init
    for name in ("bare", "prefix"):
        refused = running.run(f"%env use {name}", check=False)
        assert "which Python Jupyter itself runs in is not known" in refused.text
    assert running.run("x").result == "5"
    assert not list(short_tmp.glob("envmagic-relay-*"))


@pytest.mark.parametrize("where", ["elsewhere", "same place"])
def test_an_environment_that_was_replaced_while_its_kernel_sleeps(
    switching: Any, specs: Any, isolated: Any, where: str
) -> None:
    """The name means the new one; the old one keeps its variables, and is told apart."""
    first = isolated.work / "v1"
    second = first if where == "same place" else isolated.work / "v2"
    venv(first, "old")
    register(specs, "ve", first)
    kernel = switching()
    kernel.run("x = 1\n%env use ve\nimport generation; y = 1")
    kernel.run("%env use python3")
    shutil.rmtree(first)
    time.sleep(0.01)  # file systems may count time in so large steps
    venv(second, "new")
    register(specs, "ve", second)
    told = kernel.run("%env use ve\nprint('never')", check=False)
    assert "'ve' was replaced" in told.text and "'ve-old'" in told.text
    assert "never" not in told.text and kernel.run("x").result == "1"
    assert "%env use ve-old" in kernel.run("%env status").text
    kernel.run("%env use ve\nimport generation; z = 1")
    assert kernel.run("generation.name, 'y' in globals()").result == "('new', False)"
    kernel.run("%env use ve-old")
    assert kernel.run("generation.name, y").result == "('old', 1)"
    kernel.run("%env use ve")
    assert kernel.run("generation.name, z").result == "('new', 1)"
    assert "This notebook runs in ve" in kernel.run("%env use ve").text
    kernel.run("%env use python3\n%env use ve")
    assert kernel.run("z").result == "1"


def test_what_sleeps_wakes_by_its_name_when_its_environment_is_gone(
    switching: Any, specs: Any, isolated: Any
) -> None:
    venv(isolated.work / "ve")
    register(specs, "ve", isolated.work / "ve")
    kernel = switching()
    kernel.run("x = 1\n%env use ve\ny = 2")
    kernel.run("%env use python3")
    shutil.rmtree(isolated.work / "ve")
    kernel.run("%env use ve")
    assert kernel.run("y").result == "2"
    shutil.rmtree(isolated.kernels / "ve")
    kernel.run("%env use alpha")
    kernel.run("z = 3\n%env use ve")
    pid = int(kernel.run(f"assert y == 2\n{WHO}").stdout)
    kernel.run("%env use python3 --drop")
    eventually(lambda: not runs(pid))
    refused = kernel.run("%env use ve", check=False)
    assert "No environment is called 've'" in refused.text
