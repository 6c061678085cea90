"""An interrupt in the moments between a cell's answer and the move: the notebook has a kernel."""

from __future__ import annotations

import queue
import time
from typing import Any

import pytest
from support.processes import children, eventually

# The signal itself, in the one moment that a test outside would hardly ever hit.
INTERRUPTED = """
import signal
from envmagic.switching.by_relay import _Notes
from envmagic.switching.relay.hub import Hub

def before(owner, name):
    usual = getattr(owner, name)
    def interrupted(*words):
        setattr(owner, name, usual)
        signal.raise_signal(signal.SIGINT)
        return usual(*words)
    setattr(owner, name, interrupted)

before(_Notes, "_note")
before(Hub, "hold_control")
"""


@pytest.mark.parametrize("rest", ["", "\nprint('rest')"], ids=["all", "rest"])
@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_an_interrupt_when_the_cell_is_answered(switching: Any, where: str, rest: str) -> None:
    kernel = switching()
    kernel.run(f"%env use {where}")
    kernel.run(INTERRUPTED)
    request = kernel.begin(f"%env use beta{rest}")
    reply = kernel._reply(request)
    # what is left of the cell is interrupted, where it runs
    assert reply.get("ename") == ("KeyboardInterrupt" if rest else None)
    assert kernel.run("6 * 7, 'before' in globals()", timeout=60).result == "(42, False)"
    kernel.run(f"y = 1\n%env use {where}", timeout=60)
    assert kernel.run("'before' in globals()").result == "True"


CUT = """
import signal, zmq
usual = zmq.Socket.send
def interrupted(socket, data, flags=0, **more):
    if socket is get_ipython().kernel.stdin_socket and b'"envmagic_ask"' in bytes(data):
        zmq.Socket.send = usual
        signal.raise_signal(signal.SIGINT)
    return usual(socket, data, flags, **more)
zmq.Socket.send = interrupted
"""


def test_an_interrupt_in_the_midst_of_a_question_to_the_relay(switching: Any) -> None:
    """It comes behind it: half a message would be the beginning of the next one."""
    kernel = switching()
    kernel.run("%env use alpha")
    kernel.run(CUT)
    stopped = kernel.run("%env use beta", check=False, timeout=60)
    assert "Interrupted" in stopped.text
    assert kernel.run("%env use beta\n6 * 7", timeout=60).result == "42"


LOST = """
import signal
from envmagic.switching.relay.departure import Departure
usual = Departure._reply
def interrupted(*words):
    Departure._reply = usual
    signal.raise_signal(signal.SIGINT)
    return usual(*words)
Departure._reply = interrupted
"""


@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_an_interrupt_that_hits_ipykernel_itself(switching: Any, where: str) -> None:
    """The answer is lost, as it is in a plain kernel then; the notebook stays as if not asked."""
    kernel = switching()
    kernel.run(f"%env use {where}")
    kernel.run(LOST)
    kernel.begin("%env use beta")
    assert kernel.run("6 * 7, 'usual' in globals()", timeout=60).result == "(42, True)"
    eventually(lambda: len(children(kernel.pid)) == (where == "alpha"))
    kernel.run("%env use beta")
    assert kernel.run("'usual' in globals()").result == "False"


@pytest.mark.parametrize("home", [True, False], ids=["to home", "to alpha"])
def test_an_interrupt_at_any_moment_stops_the_rest_of_the_cell(switching: Any, home: bool) -> None:
    """The cell behind it runs. An interrupt that hits ipykernel or IPython themselves costs the
    answer, or is passed over, as in a plain kernel (the soak compares how many): a person tries
    again."""
    missed = 0
    kernel = switching()
    kernel.run("x = 1\n%env use alpha")
    kernel.run("y = 1\n%env use python3" if not home else "y = 1")
    there, here = ("python3", "alpha") if home else ("alpha", "python3")
    for milliseconds in range(0, 60, 6):
        code = f"%env use {there}\nimport time\ntime.sleep(300)"
        request = kernel.begin(code)
        time.sleep(0.02 + milliseconds / 1000)
        kernel.interrupt()
        behind = kernel.begin("'behind'")
        replies: dict[str, str] = {}
        while behind not in replies:
            try:
                message = kernel.client.get_shell_msg(timeout=30)
            except queue.Empty:
                missed += 1
                assert missed <= 2
                kernel.interrupt()
                continue
            replies[message["parent_header"]["msg_id"]] = message["content"]["status"]
        assert replies[behind] == "ok"
        assert replies.get(request, "error") == "error"
        missed += request not in replies
        kernel.run(f"%env use {here}")
    assert missed <= 2
