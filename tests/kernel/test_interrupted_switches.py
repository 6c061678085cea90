"""An interrupt in the moments between a cell's answer and the move: the notebook has a kernel."""

from __future__ import annotations

from typing import Any

import pytest

# The signal itself, in the one moment that a test outside would hardly ever hit.
INTERRUPTED = """
import signal
from envmagic.switching.moving import _Notes
from envmagic.switching.relay import Relay

def before(owner, name):
    usual = getattr(owner, name)
    def interrupted(*words):
        setattr(owner, name, usual)
        signal.raise_signal(signal.SIGINT)
        return usual(*words)
    setattr(owner, name, interrupted)

before(_Notes, "_note")
before(Relay, "hold_control")
"""


@pytest.mark.parametrize("rest", ["", "\nprint('rest')"], ids=["all", "rest"])
@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_an_interrupt_when_the_cell_is_answered(switching: Any, where: str, rest: str) -> None:
    kernel = switching()
    kernel.run(f"%env use {where}")
    kernel.run(INTERRUPTED)
    request = kernel.client.execute(f"%env use beta{rest}")
    assert kernel._reply(request, 20)["status"] == "ok"
    kernel.run("6 * 7", timeout=20)
    kernel.run(f"y = 1\n%env use {where}", timeout=20)
    assert kernel.run("'before' in globals()").result == "True"
