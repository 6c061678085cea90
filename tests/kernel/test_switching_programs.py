"""Kernels that another program than ipykernel starts end with the relay, as all others do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.processes import children, eventually, runs

WHO = "import os; print(os.getpid(), os.getppid())"


def below(pid: int) -> list[int]:
    """The processes that `pid` started, and what those started."""
    return [found for child in children(pid) for found in (child, *below(child))]


def nothing_is_left(pids: list[int], tmp: Path) -> None:
    eventually(lambda: not any(map(runs, pids)))
    eventually(lambda: not list(tmp.glob("envmagic-relay-*")))
    processes = Path("/proc")
    # what ends the others ends last
    eventually(lambda: not any(str(tmp).encode() in _words(p) for p in processes.glob("[0-9]*")))


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def wrap(specs: Any) -> str:
    """A kernel that a shell starts, and that does not look whether its parent is there."""
    launch = f'JPY_PARENT_PID=0 {sys.executable} -m ipykernel_launcher -f "$0"; true'
    return str(specs("wrap", "/bin/sh", "-c", launch, "{connection_file}"))


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_killed_relay_leaves_no_program(
    switching: Any, wrap: str, short_tmp: Path, sleeps: bool
) -> None:
    kernel = switching()
    kernel.run("x = 1\n%env use wrap")
    pids = [int(word) for word in kernel.run(f"y = 1\n{WHO}").stdout.split()]
    assert pids[1] in children(kernel.pid)
    if sleeps:
        kernel.run("%load_ext envmagic\n%env use python3")
    os.kill(kernel.pid, signal.SIGKILL)
    nothing_is_left(pids, short_tmp)


@pytest.mark.parametrize("number", [signal.SIGKILL, None], ids=["killed", "shut down"])
def test_a_relay_that_ends_while_a_program_starts(
    switching: Any, specs: Any, short_tmp: Path, number: int | None
) -> None:
    specs("never", "/bin/sh", "-c", "sleep 600; true", "{connection_file}")
    kernel = switching()
    kernel.run("x = 1\n%env use alpha\ny = 1")
    kernel.client.execute("%env use never")
    eventually(lambda: [p for p in below(kernel.pid) if b"sleep\0" in _words(Path(f"/proc/{p}"))])
    starting = below(kernel.pid)
    process = kernel.manager.provisioner.process
    if number is None:
        asked = kernel.client.session.msg("shutdown_request", {"restart": False})
        kernel.client.control_channel.send(asked)
    else:
        os.kill(kernel.pid, number)
    eventually(lambda: process.poll() is not None)
    nothing_is_left(starting, short_tmp)


def test_a_program_is_started_as_jupyter_starts_it(
    switching: Any, specs: Any, isolated: Any, short_tmp: Path
) -> None:
    """Its signals are what they are in any program, it has no child it does not know, and it is
    interrupted, shut down and ended as the kernel that it is."""
    program = isolated.work / "program.py"
    program.write_text(
        "import os, sys\nstatus = open('/proc/self/status').read()\n"
        "sys.found = status.split('SigIgn:')[1].split()[0], os.getpgrp(), os.getpid()\n"
        "from ipykernel.kernelapp import IPKernelApp\nIPKernelApp.launch_instance()\n"
    )
    specs("program", sys.executable, str(program), "-f", "{connection_file}")
    kernel = switching()
    kernel.run("%env use program")
    code = "import os, sys\nprint(*sys.found, os.getpid())"
    ignored, *told = kernel.run(code).stdout.split()
    assert len(set(told)) == 1 and int(told[0]) in children(kernel.pid)
    plain = [sys.executable, "-c", "print(open('/proc/self/status').read())"]
    status = subprocess.run(plain, capture_output=True, text=True, check=True).stdout
    assert ignored == status.split("SigIgn:")[1].split()[0]  # as where the tests run
    assert children(int(told[0])) == []
    request = kernel.begin_and_hear("import time; print('go', flush=True); time.sleep(600)", "go")
    kernel.interrupt()
    assert kernel._reply(request)["ename"] == "KeyboardInterrupt"
    kernel.client.execute("os._exit(7)")
    process = kernel.manager.provisioner.process
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 7
    nothing_is_left([int(told[0])], short_tmp)
