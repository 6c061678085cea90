"""Switching under load: each request answered exactly once and in order, and nothing grows.

Interrupts are judged by a plain kernel beside it: ipykernel loses some requests by itself then.

Short by default, at full length with `--soak`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.interrupts import Busy, Cost, Ended, under_interrupts
from support.load import Client, Load, settled
from support.processes import children, eventually

pytestmark = pytest.mark.soak


@pytest.mark.timeout(1800)
def test_every_request_is_answered_once_and_in_order(switching: Any, full_soak: bool) -> None:
    """Two clients send every kind of request while the notebook moves on and on."""
    kernel = switching()
    kernel.run("x = 1")
    moves, period = (20, 0.01) if full_soak else (6, 0.05)
    faults, hops = asyncio.run(_under_load(kernel.manager.connection_file, moves, period))
    assert faults == []
    assert hops == moves


async def _under_load(connection_file: str, moves: int, period: float) -> tuple[list[str], int]:
    clients = [Client(connection_file), Client(connection_file)]
    await asyncio.sleep(0.5)
    load = Load(clients, period)
    order = itertools.cycle(["alpha", "python3", "beta", "alpha", "beta", "python3"])
    done = 0
    for number, name in zip(range(moves), order, strict=False):
        await asyncio.sleep(0.2 + random.random() * 0.3)
        rest = "\nrest = 1" if number % 3 == 2 else ""
        client = clients[number % 2]
        await client.answer(client.execute(f"%env use {name}{rest}"), 300)
        done += 1
    await load.stop()
    await settled(clients, 300)
    faults = [fault for client in clients for fault in client.faults()]
    for client in clients:
        await client.close()
    return faults, done


@pytest.mark.timeout(1800)
def test_interrupts_cost_no_more_than_in_a_plain_kernel(
    switching: Callable[..., Any], kernel: Callable[..., Any], full_soak: bool
) -> None:
    """The same load and the same interrupts, at any moment of a switch too."""
    pair = _pair(kernel, switching)
    names = itertools.cycle(["alpha", "python3", "beta", "alpha", "beta", "python3"])
    cells = [f"%env use {next(names)}" + "\nrest = 1" * (n % 3 == 2) for n in range(9)]
    for _ in range(20 if full_soak else 1):
        for _ in range(4):
            try:
                usual, cost = asyncio.run(_at_once(pair, cells))
                break
            except Ended:  # and so does a plain kernel, now and then; what must not be is to hang
                pair = _pair(kernel, switching)
        else:
            pytest.fail("one of the kernels ended each time")
        assert cost.faults == []
        assert cost.done >= len(cells) // 3  # those that were left alone
        # Two counts of rare things differ by chance: four of their standard deviations are allowed.
        # Without any loss of the plain kernel's that is 16 requests, of some two hundred.
        assert cost.lost - usual.lost <= 4 * math.sqrt(cost.lost + usual.lost)
        for one in pair:
            assert one.run("6 * 7", timeout=60).result == "42"
        for name in ("python3", "alpha"):
            pair[1].run(f"%env use {name}")
            for way in ("message", "group"):
                assert _times_interrupted(pair[1], way) == 1


def _pair(kernel: Callable[..., Any], switching: Callable[..., Any]) -> tuple[Any, Any]:
    """A plain kernel, and one whose notebook has been in every environment."""
    plain, moving = kernel(), switching()
    _warm(plain)
    for name in ("alpha", "beta", "python3"):
        moving.run(f"%env use {name}")
        _warm(moving)
    return plain, moving


def _warm(kernel: Any) -> None:
    """What is long only the first time would be interrupted each time."""
    kernel.run("x = 1")
    for request in (kernel.client.complete("impor"), kernel.client.inspect("len")):
        kernel._reply(request)


async def _at_once(pair: tuple[Any, Any], cells: Sequence[str]) -> list[Cost]:
    """What `cells` cost in the second kernel, and as many plain ones in the first."""
    busy = [
        Busy(kernel.manager.connection_file, kernel.pid, what)
        for kernel, what in zip(pair, (["y = 1"] * len(cells), cells), strict=True)
    ]
    return await under_interrupts(busy, 0.15)


def _times_interrupted(kernel: Any, way: str) -> int:
    request = kernel.client.execute(
        "import time\nn = 0\nfor seconds in (30, 0.3):\n"
        "  try:\n    print('go', flush=True)\n    time.sleep(seconds)\n"
        "  except KeyboardInterrupt:\n    n += 1\nprint('caught', n)"
    )
    said = ""
    while "caught" not in said:
        message = kernel.client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        said += message["content"].get("text", "")
        if said == "go\n" and message["msg_type"] == "stream":
            time.sleep(0.1)
            if way == "group":
                os.killpg(kernel.pid, signal.SIGINT)
            else:
                kernel.client.control_channel.send(
                    kernel.client.session.msg("interrupt_request", {})
                )
    assert kernel._reply(request)["status"] == "ok"
    return int(said.split()[-1])


@pytest.mark.timeout(1800)
def test_run_all_with_several_switches(switching: Any, full_soak: bool) -> None:
    """Twenty cells sent at once, five of which move: every output right, again and again."""
    kernel = switching()
    names = ["alpha", "beta", "python3", "alpha", "python3"]
    kernel.run("keep = 'python3'")
    for name in names:
        kernel.run(f"%env use {name}")
        kernel.run(f"keep = {name!r}")
    cells, expected = [], []
    for name in names:
        cells += [f"%env use {name}", "print(keep)", "here = keep", "print(here * 2)"]
        expected += ["", name, "", name * 2]
    for _ in range(50 if full_soak else 5):
        assert _printed(kernel, cells) == expected


def _printed(kernel: Any, cells: Sequence[str]) -> list[str]:
    requests = [kernel.client.execute(cell) for cell in cells]
    said = dict.fromkeys(requests, "")
    idle = 0
    while idle < len(requests):
        message = kernel.client.get_iopub_msg(timeout=60)
        parent = message["parent_header"].get("msg_id")
        if parent in said and message["msg_type"] == "stream":
            said[parent] += message["content"]["text"]
        idle += parent in said and message["content"].get("execution_state") == "idle"
    for _ in requests:
        assert kernel.client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    return [said[request].strip() for request in requests]


@pytest.mark.timeout(1800)
def test_nothing_grows(switching: Any, short_tmp: Path, full_soak: bool) -> None:
    """Descriptors, threads, processes and directories, after many switches as after a few."""
    kernel = switching()
    kernel.run("x = 1")

    def held() -> tuple[int, int]:
        process = Path("/proc", str(kernel.pid))
        descriptors, threads = (len(list((process / of).iterdir())) for of in ("fd", "task"))
        return descriptors, threads

    def rounds(count: int) -> None:
        for _ in range(count):
            kernel.run("%env use alpha")  # holds nothing, so it is ended each time
            kernel.run("%env use beta")
            kernel.run("y = 1")
            kernel.run("%env use python3")
        eventually(lambda: len(children(kernel.pid)) == 1)
        eventually(lambda: len(list(short_tmp.glob("envmagic-relay-*"))) == 1)

    rounds(3)
    descriptors, threads = held()
    rounds(66 if full_soak else 6)
    # sockets that are being closed come and go
    eventually(lambda: held()[0] <= descriptors + 1 and held()[1] <= threads)
