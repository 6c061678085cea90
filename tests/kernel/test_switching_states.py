"""Switching with a debugger, subshells, comms, encryption, ipc, threads, autoreload, GUI loops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ipykernel
import pytest
from jupyter_client.manager import KernelManager
from support.kernels import wait_until_ready
from support.processes import eventually

WHO = "import os; print(os.getpid())"
SEVEN = ipykernel.version_info[:2] >= (7, 1)


@pytest.fixture
def managed(specs: Any, isolated: Any, short_tmp: Path) -> Iterator[Callable[..., Any]]:
    """A kernel whose manager gets options: transport, encryption."""
    from support.kernels import RunningKernel

    started = []

    class Managed(RunningKernel):
        def __init__(self, name: str, **options: Any) -> None:
            self.stopped = False
            self.manager = KernelManager(kernel_name=name, **options)
            self.manager.start_kernel(cwd=str(isolated.work))
            self.client = self.manager.client()
            self.client.start_channels()
            wait_until_ready(self.client)

    def start(name: str, **options: Any) -> Any:
        started.append(Managed(name, **options))
        return started[-1]

    yield start
    for kernel in started:
        kernel.stop()


def control(kernel: Any, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    message = kernel.client.session.msg(kind, content)
    kernel.client.control_channel.send(message)
    while True:
        answer = kernel.client.get_control_msg(timeout=60)
        if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            found: dict[str, Any] = answer["content"]
            return found


def there_and_back(kernel: Any) -> None:
    kernel.run("x = 5\n%env use alpha")
    assert int(kernel.run(WHO).stdout) != kernel.pid
    kernel.run("%env use first")
    assert kernel.run("x").result == "5"


def test_ipc_in_front(managed: Any, specs: Any, short_tmp: Path) -> None:
    specs("first"), specs("alpha")
    there_and_back(managed("first", transport="ipc", ip=str(short_tmp / "front")))


@pytest.mark.skipif(
    ipykernel.version_info[:2] < (7, 4) or not hasattr(KernelManager, "transport_encryption"),
    reason=f"no encryption in ipykernel {ipykernel.__version__}, {version('jupyter_client')}",
)
def test_an_encrypted_connection(managed: Any, specs: Any) -> None:
    specs("first", metadata={"supported_encryption": ["curve"]})
    specs("alpha")
    there_and_back(managed("first", transport_encryption="required"))


def _debug(kernel: Any, command: str, **arguments: Any) -> dict[str, Any]:
    request = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
    return control(kernel, "debug_request", request)


def _attach(kernel: Any) -> bool:
    begun = _debug(
        kernel, "initialize", clientID="t", adapterID="python", pathFormat="path",
        linesStartAt1=True, columnsStartAt1=True, supportsVariableType=True, locale="en",
    )  # fmt: skip
    attached = _debug(kernel, "attach", justMyCode=False)
    return bool(begun.get("success") and attached.get("success"))


def test_the_debugger_attaches_before_and_after(switching: Any) -> None:
    kernel = switching()
    assert _attach(kernel)
    kernel.run("x = 1\n%env use alpha")
    assert not _debug(kernel, "debugInfo")["body"]["isStarted"]
    assert _attach(kernel)
    assert _debug(kernel, "debugInfo")["body"]["isStarted"]
    kernel.run("y = 1\n%env use beta")
    assert not _debug(kernel, "debugInfo")["body"]["isStarted"]
    kernel.run("%env use alpha")
    assert kernel.run("y").result == "1"


def test_what_is_asked_after_the_idle_of_a_cell_is_asked_of_the_next_kernel(switching: Any) -> None:
    """Control is held before a frontend can hear that the cell is over, however slow shell is."""
    kernel = switching()
    kernel.run(
        "import time\n"
        "from envmagic.switching.relay.hub import Hub\n"
        "def slow(self, leaves=Hub.leaves):\n"
        "    time.sleep(1)\n"
        "    leaves(self)\n"
        "Hub.leaves = slow"
    )
    kernel.run("x = 1\n%env use alpha")
    assert _attach(kernel)
    kernel.run("y = 1\n%env use beta")
    assert not _debug(kernel, "debugInfo")["body"]["isStarted"]


@pytest.mark.skipif(not SEVEN, reason="subshells came with ipykernel 7")
def test_subshells(switching: Any) -> None:
    """A switch from one is refused; what is addressed to one that stayed behind is answered."""
    kernel = switching()

    def run_in(subshell: str, code: str) -> dict[str, Any]:
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        message = kernel.client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = subshell
        kernel.client.shell_channel.send(message)
        found: dict[str, Any] = kernel._reply(message["header"]["msg_id"])
        return found

    first = control(kernel, "create_subshell_request", {})["subshell_id"]
    assert run_in(first, "1")["status"] == "ok"
    assert run_in(first, "%env use alpha")["status"] == "error"
    kernel.run("x = 1\n%env use alpha")
    assert run_in(first, "1")["status"] == "ok"
    second = control(kernel, "create_subshell_request", {})["subshell_id"]
    assert run_in(second, "z = 2")["status"] == "ok"
    assert kernel.run("z").result == "2"


def test_comms_of_a_sleeping_kernel_are_ignored_until_it_wakes(switching: Any) -> None:
    kernel = switching()
    kernel.run("from comm import create_comm\nc = create_comm('t')\nheard = []")
    kernel.run("c.on_msg(lambda m: heard.append(m['content']['data']))")
    comm = kernel.run("print(c.comm_id)").stdout.strip()

    def send(value: int) -> None:
        content = {"comm_id": comm, "data": {"value": value}}
        kernel.client.shell_channel.send(kernel.client.session.msg("comm_msg", content))

    send(1)
    assert kernel.run("heard").result == "[{'value': 1}]"
    kernel.run("%env use alpha")
    send(2)
    assert kernel.run("6 * 7").result == "42"
    request = kernel.client.comm_info()
    assert kernel._reply(request)["comms"] == {}
    kernel.run("%env use python3")
    send(3)
    assert kernel.run("heard").result == "[{'value': 1}, {'value': 3}]"


def test_threads_of_a_sleeping_kernel_go_on_printing(switching: Any) -> None:
    kernel = switching()
    started = kernel.client.execute(
        "import threading, time\ndef tell():\n  for i in range(100):\n"
        "    print('tick', i, flush=True)\n    time.sleep(0.05)\n"
        "t = threading.Thread(target=tell, daemon=True); t.start()"
    )
    kernel._reply(started)
    moved = kernel.client.execute("%env use alpha")
    kernel._reply(moved)
    end = time.monotonic() + 60
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        assert time.monotonic() < end
        if "tick 99" in message["content"].get("text", ""):
            break
    assert int(kernel.run(WHO).stdout) != kernel.pid


def test_autoreload_and_inline_figures_in_both(switching: Any, isolated: Any) -> None:
    kernel = switching()
    (isolated.work / "mod.py").write_text("value = 1\n")
    for where in ("python3", "alpha"):
        kernel.run(f"%env use {where}")
        kernel.run("%load_ext autoreload\n%autoreload 2\nimport mod")
        (isolated.work / "mod.py").write_text("value = 22\n")
        assert kernel.run("mod.value").result == "22"
        (isolated.work / "mod.py").write_text("value = 1\n")


@pytest.mark.skipif(not SEVEN, reason="tried with ipykernel 7")
def test_a_breakpoint_behind_the_relay(switching: Any) -> None:
    """The debugger stops a cell of the running child and lets it go on; then the notebook moves."""
    kernel = switching()
    kernel.run("x = 1\n%env use alpha")
    assert _attach(kernel)
    code = "a = 1\nb = a + 1\nprint('end', b)"
    path = _debug(kernel, "dumpCell", code=code)["body"]["sourcePath"]
    _debug(kernel, "setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}], lines=[2])
    assert _debug(kernel, "configurationDone")["success"]
    request = kernel.client.execute(code)
    while True:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "debug_event" and message["content"]["event"] == "stopped":
            break
    thread = message["content"]["body"]["threadId"]
    assert _debug(kernel, "continue", threadId=thread)["success"]
    assert "end 2" in kernel._listen(request, time.monotonic() + 60).stdout
    kernel.run("%env use python3")
    assert kernel.run("x").result == "1"


def test_a_gui_event_loop_sleeps_with_its_kernel(switching: Any) -> None:
    """An event loop of the kind `%gui` installs: it holds the main thread while it runs."""
    kernel = switching()
    kernel.run(
        "import time\nturns = 0\n"
        "def loop(kernel):\n  global turns\n  turns += 1\n  time.sleep(0.01)\n"
        "get_ipython().kernel.eventloop = loop"
    )
    time.sleep(0.3)
    kernel.run("%env use alpha")
    assert int(kernel.run(WHO).stdout) != kernel.pid
    kernel.run("%env use python3\nslept = turns")
    eventually(lambda: int(kernel.run("turns - slept").result) > 0)
