"""`%gui`: a loop sleeps with its kernel, and does not keep the notebook from moving."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.processes import eventually

# Made as ipykernel says one is to be made. As Tk's and Qt's it returns when a message comes for the
# kernel, and otherwise late: a plain ipykernel 7.4 sometimes gives it the main thread although it
# has a message in its hands, and Tk's would keep it then.
WAITING = """
import select, zmq
from ipykernel import eventloops

@eventloops.register_integration("waiting")
def wait(kernel):
    seven = hasattr(eventloops, "get_shell_stream")
    stream = eventloops.get_shell_stream(kernel) if seven else kernel.shell_stream
    if not stream.flush(limit=1):
        select.select([stream.getsockopt(zmq.FD)], [], [], 8)
"""
# ipykernel says on its log when it gives the main thread to the loop
COUNTED = """
import logging, time
given = []
class Count(logging.Handler):
    def emit(self, record):
        if record.msg.startswith("Advancing eventloop"):
            given.append(time.time())
log = get_ipython().kernel.log
log.setLevel(logging.DEBUG)
log.handlers[:] = [Count()]
log.propagate = False
"""


@pytest.mark.parametrize("loop", ["asyncio", "waiting"])
def test_a_gui_loop_sleeps_and_wakes_with_its_kernel(switching: Any, loop: str) -> None:
    """It is on in both kernels; every cell is answered, and an interrupt comes through."""
    kernel = switching()
    for where in ("python3", "alpha"):
        _run(kernel, f"%env use {where}")
        _run(kernel, WAITING + COUNTED)
        _run(kernel, f"%gui {loop}")
        _turns(kernel)
    _interrupts(kernel)
    arrived = time.time()
    _turns(kernel)
    left = time.time()
    for where, slept in (("python3", f"{arrived} < at < {left}"), ("alpha", "False")):
        _run(kernel, f"%env use {where}")
        assert _run(kernel, f"[at for at in given if {slept}]").result == "[]"
        _turns(kernel)
        _interrupts(kernel)
    _run(kernel, "%env use python3\n%gui")
    assert _run(kernel, "get_ipython().kernel.eventloop is None").result == "True"


def _run(kernel: Any, code: str) -> Any:
    time.sleep(0.1)  # as a person: the loop has the main thread again
    return kernel.run(code)


def _turns(kernel: Any) -> None:
    """The loop of the kernel that runs gets the main thread between two cells."""
    before = int(_run(kernel, "len(given)").result)
    eventually(lambda: int(_run(kernel, "len(given)").result) > before)


def _interrupts(kernel: Any) -> None:
    time.sleep(0.1)
    request = kernel.begin_and_hear("import time; print('go', flush=True); time.sleep(300)", "go")
    time.sleep(0.1)
    kernel.interrupt()
    assert kernel._reply(request)["ename"] == "KeyboardInterrupt"
