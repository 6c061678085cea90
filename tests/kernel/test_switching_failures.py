"""Kernels that die or hang in the middle of a move: the notebook goes on, and no cell vanishes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from support.kernels import wait_until_taken
from support.processes import eventually, runs

WHO = "import os; print(os.getpid())"
# Answers `kernel_info`, so it is found to be up; the first code it is given finishes it.
FRAIL = """
import os, signal, sys, time
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

class Frail(IPythonKernel):
    async def do_execute(self, *args, **kwargs):
        {fate}

IPKernelApp.launch_instance(kernel_class=Frail)
"""
FATES = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "has ended"),
    "exits": ("os._exit(3)", "has ended"),
    "hangs": ("time.sleep(600)", "does not answer"),
    "stopped": ("os.kill(os.getpid(), signal.SIGSTOP)", "does not answer"),
}
LIMIT = {"ENVMAGIC_KERNEL_TIMEOUT": "12"}


def sent_at_once(kernel: Any, cells: Sequence[str]) -> list[tuple[str, str]]:
    """Status and text of each cell; AssertionError when one is not answered exactly once."""
    requests = [kernel.client.execute(cell) for cell in cells]
    said, idle = dict.fromkeys(requests, ""), dict.fromkeys(requests, 0)
    while not all(idle.values()):
        message = _heard(kernel)
        parent, content = message["parent_header"].get("msg_id"), message["content"]
        if parent in said:
            said[parent] += content.get("text", "")
            idle[parent] += content.get("execution_state") == "idle"
    replies = [kernel.client.get_shell_msg(timeout=60) for _ in requests]
    assert [reply["parent_header"]["msg_id"] for reply in replies] == requests
    assert set(idle.values()) == {1}
    statuses = [reply["content"]["status"] for reply in replies]
    if "error" in statuses:
        wait_until_taken(kernel.client)
    return list(zip(statuses, said.values(), strict=True))


def _heard(kernel: Any) -> dict[str, Any]:
    """The next message of iopub; `Empty` when the process that gives them has ended."""
    process, end = kernel.manager.provisioner.process, time.monotonic() + 60
    while True:
        ended = process.poll() is not None
        try:
            message: dict[str, Any] = kernel.client.get_iopub_msg(timeout=1)
        except Empty:
            if ended or time.monotonic() > end:
                raise
        else:
            return message


def moves_of(fate: str) -> list[str]:
    """Alone in its cell, and with a rest; what is silent is waited for, so once is enough."""
    alone, with_rest = f"%env use {fate}", f"%env use {fate}\nprint('never')"
    return {"hangs": [alone], "stopped": [with_rest]}.get(fate, [alone, with_rest])


@pytest.mark.parametrize(
    ("where", "fates"),
    [("python3", ["killed", "exits", "stopped"]), ("alpha", ["killed", "exits", "hangs"])],
)
def test_a_kernel_that_fails_when_the_cell_has_ended(
    switching: Any, specs: Any, isolated: Any, short_tmp: Path, where: str, fates: list[str]
) -> None:
    """The first cell that was meant for it says so, what is behind it is not run, nothing goes."""
    kernel = switching(env=LIMIT)
    kernel.run(f"%env use {where}")
    kernel.run("x = 5")
    before = kernel.run(WHO).stdout
    for fate in fates:
        program = isolated.work / f"{fate}.py"
        program.write_text(FRAIL.format(fate=FATES[fate][0]))
        specs(fate, sys.executable, str(program), "-f", "{connection_file}")
        for move in moves_of(fate):
            ran = sent_at_once(kernel, [move, "print('never')", "print('never')"])
            states = [status for status, _ in ran]
            # the rest of the cell, or the next one
            assert states[:1] == ["error" if "never" in move else "ok"]
            assert "error" in states and set(states[1:]) <= {"error", "aborted"}
            assert f"the kernel '{fate}' {FATES[fate][1]}" in ran[states.index("error")][1]
            assert not any("never" in text for _, text in ran)
            assert kernel.run(WHO).stdout == before and kernel.run("x").result == "5"
            kernel.client.control_channel.send(kernel.client.session.msg("kernel_info_request", {}))
            assert kernel.client.get_control_msg(timeout=60)["content"]["status"] == "ok"
    kernel.run("%env use beta")
    assert kernel.run(WHO).stdout != before
    eventually(lambda: len(list(short_tmp.glob("envmagic-relay-*"))) == 1 + (where == "alpha"))


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_sleeping_kernel_that_cannot_be_woken(switching: Any, number: int) -> None:
    """Stopped, it keeps its variables until it can; it is killed while the cell runs."""
    kernel = switching(env=LIMIT)
    kernel.run("x = 1\n%env use alpha")
    kernel.run("y = 2")
    alpha = int(kernel.run(WHO).stdout)
    kernel.run("%env use python3")
    kernel.run("x")
    if number == signal.SIGSTOP:
        os.kill(alpha, number)
        move = "%env use alpha"
    else:
        move = f"import os\nget_ipython().run_line_magic('env', 'use alpha'), os.kill({alpha}, 9)"
    ran = sent_at_once(kernel, [move, "print('never')"])
    assert ran[-1][0] in ("error", "aborted") and "never" not in ran[-1][1]
    assert "the kernel 'alpha'" in ran[-1][1] + ran[0][1]
    assert kernel.run("x").result == "1"
    if number == signal.SIGSTOP:
        os.kill(alpha, signal.SIGCONT)
        kernel.run("%env use alpha")
        assert kernel.run("y").result == "2"


def test_a_kernel_that_is_killed_while_it_starts(switching: Any, specs: Any) -> None:
    specs("slow", sys.executable, "-c", "import time; time.sleep(600)", "{connection_file}")
    kernel = switching()
    request = kernel.begin("x = 5\n%env use slow")
    starting = eventually(lambda: _running(kernel.pid, "time.sleep(600)"))
    os.kill(starting, signal.SIGKILL)
    assert kernel._reply(request)["status"] == "error"
    assert kernel.run("x").result == "5"


@pytest.mark.parametrize("milliseconds", [None, 0, 2, 5])
def test_a_kernel_that_dies_while_it_is_left(
    switching: Any, short_tmp: Path, milliseconds: int | None
) -> None:
    """Before it has handed back what was queued it dies as any kernel dies; after that it may."""
    kernel = switching()
    kernel.run("%env use alpha")
    kernel.run(
        "import os, time\nfrom envmagic.switching.by_relay import _Notes\nnote = _Notes._note\n"
        "def dying(self, kind, content, buffers=None):\n"
        f"  if kind == 'envmagic_returned' and {milliseconds} is None: os.kill(os.getpid(), 9)\n"
        "  note(self, kind, content, buffers)\n"
        "  if kind == 'envmagic_returned':\n"
        f"    time.sleep({(milliseconds or 0) / 1000}); os.kill(os.getpid(), 9)\n"
        "_Notes._note = dying"
    )
    process = kernel.manager.provisioner.process
    try:
        ran = sent_at_once(kernel, ["%env use beta", "print(1)", "print(2)"])
    except Empty:  # it did not get as far as to send it
        eventually(lambda: process.poll() is not None)
        assert process.returncode == -9
        eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))
    else:
        assert milliseconds is not None
        assert ran[1:] == [("ok", "1\n"), ("ok", "2\n")]


def test_a_kernel_that_dies_before_it_has_said_that_its_cell_is_over(switching: Any) -> None:
    """The relay says so in its place, once, and the queue goes on."""
    kernel = switching()
    kernel.run("%env use alpha")
    kernel.run(
        "import os, threading\nfrom envmagic.switching.by_relay import _Notes\n"
        "note = _Notes._note\n"
        "iopub = get_ipython().kernel.iopub_thread\n"
        "def dying(self, kind, content, buffers=None):\n"
        "  if kind == 'envmagic_leave': iopub.schedule(threading.Event().wait)\n"
        "  note(self, kind, content, buffers)\n"
        "  if kind == 'envmagic_returned':\n"
        "    import time; time.sleep(3); os.kill(os.getpid(), 9)\n"
        "_Notes._note = dying"
    )
    ran = sent_at_once(kernel, ["%env use beta", "print(1)", "print(2)"])
    assert ran[1:] == [("ok", "1\n"), ("ok", "2\n")]


def test_a_kernel_that_hangs_while_it_is_left_is_shut_down(switching: Any) -> None:
    """As one that hangs between two cells anywhere; what is queued waits for the restart."""
    kernel = switching()
    kernel.run("%env use alpha")
    kernel.run("import asyncio, time\nasync def hang(): time.sleep(600)")
    leave = "task = asyncio.get_running_loop().create_task(hang())\n%env use beta"
    left = kernel.client.execute(leave)
    kernel.client.execute("1")
    assert kernel._reply(left)["status"] == "ok"
    with pytest.raises(Empty):
        kernel.client.get_shell_msg(timeout=1)
    asked = kernel.client.session.msg("shutdown_request", {"restart": False})
    kernel.client.control_channel.send(asked)
    assert kernel.client.get_control_msg(timeout=60)["content"]["status"] == "ok"
    process = kernel.manager.provisioner.process
    eventually(lambda: process.poll() is not None)


def _running(parent: int, words: str) -> int | None:
    from support.processes import children

    for pid in children(parent):
        command = Path("/proc", str(pid), "cmdline").read_bytes().decode()
        if words in command and runs(pid):
            return pid
    return None
