"""Kernels that clients keep busy, interrupted at the same random moments; and what that costs."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from support.load import Client, Load
from support.processes import runs

_INTERRUPTED = {
    "",
    "Interrupted.",
    "Interrupted when it was done.",
    "Interrupted; nothing was changed.",
}
"""What the error of an interrupted cell says: `KeyboardInterrupt` itself, and `%env`."""


_TRIES = 5
"""Of a cell that is left alone: interrupts that are under way still reach the first ones."""


class Ended(Exception):
    """The kernel's process is gone.

    ipykernel does that by itself: an interrupt in the few microseconds between a request's handler
    and the signal handler being set back ends its event loop.
    """


@dataclass
class Cost:
    """What came back of what was sent."""

    sent: int = 0
    lost: int = 0
    """Never answered: the interrupt came when ipykernel had the message and not a cell of it."""
    done: int = 0
    """How many of the cells came to their end."""
    faults: list[str] = field(default_factory=list)
    """What no interrupt explains. Order is not among it: a plain ipykernel 7.4 loses that too."""


class Busy:
    """A kernel with two clients that send all the time, and with `cells` one after another."""

    def __init__(self, connection_file: str, pid: int, cells: Sequence[str]) -> None:
        self.pid, self._cells = pid, cells
        self.over = False
        """Nothing is sent any more, so there is nothing to interrupt."""
        self.calm = False
        """Every third cell is left alone: it comes to its end, however slow the machine is."""
        self.clients = [Client(connection_file), Client(connection_file)]

    async def run(self) -> Cost:
        load = Load(self.clients, 0.04)
        cost = Cost()
        for number, cell in enumerate(self._cells):
            await asyncio.sleep(0.1 + random.random() * 0.2)
            self.calm = number % 3 == 2
            for _ in range(_TRIES if self.calm else 1):
                if await self._came(self.clients[number % 2], cell):
                    cost.done += 1
                    break
        self.calm = False
        await load.stop()
        self.over = True
        await self._quiet()
        for client in self.clients:
            _add(cost, client)
        return cost

    async def close(self) -> None:
        for client in self.clients:
            await client.close()

    async def _came(self, client: Client, cell: str) -> bool:
        """Whether it ended without an error; a later answer tells that its own is lost."""
        errors, end = len(client.errors), time.monotonic() + 60
        shell = client.channels["shell"]
        before = set(shell.sent)
        request = client.execute(cell)
        while before.issuperset(shell.answered):
            if not runs(self.pid):
                raise Ended
            assert time.monotonic() < end, f"no answer to {cell!r} nor to what was sent after it"
            await asyncio.sleep(0.005)
        return request in shell.answered and len(client.errors) == errors

    async def _quiet(self) -> None:
        """Until all is answered, or nothing for two seconds: then the rest never will be."""
        end = time.monotonic() + 60
        before, since = -1, 0.0
        while not all(c.complete for c in self.clients) and time.monotonic() < end:
            if sum(c.waiting for c in self.clients) != before:
                before, since = sum(c.waiting for c in self.clients), time.monotonic()
            elif time.monotonic() > since + 2.0:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)  # what would come twice
        if not runs(self.pid):
            raise Ended


async def under_interrupts(kernels: Sequence[Busy], seconds: float) -> list[Cost]:
    """Run them all at once; each interrupt, `seconds` apart on average, is sent to each.

    Raises `Ended` when one of them has come to its end.
    """
    await asyncio.sleep(0.5)  # until they are subscribed
    interrupting = asyncio.ensure_future(_interrupt(kernels, seconds))
    try:
        return list(await asyncio.gather(*(kernel.run() for kernel in kernels)))
    finally:
        interrupting.cancel()
        for kernel in kernels:
            await kernel.close()


async def _interrupt(kernels: Sequence[Busy], seconds: float) -> None:
    while True:
        await asyncio.sleep(random.expovariate(1 / seconds))
        way, number = random.choice(("message", "process", "group")), random.randrange(2)
        if any(kernel.calm for kernel in kernels):
            continue
        for kernel in kernels:
            if kernel.over:
                continue
            if way == "message":
                kernel.clients[number].send("control", "interrupt_request", {})
            elif way == "process":
                os.kill(kernel.pid, signal.SIGINT)
            else:
                os.killpg(kernel.pid, signal.SIGINT)


def _add(cost: Cost, client: Client) -> None:
    for name, channel in client.channels.items():
        answered = set(channel.answered)
        lost = [i for i in channel.sent if i not in answered]
        cost.sent += len(channel.sent)
        cost.lost += len(lost)
        if len(answered) < len(channel.answered):
            cost.faults.append(f"{name}: answered twice")
        if name == "control" and lost:
            cost.faults.append(f"control: {len(lost)} lost")
        for state in ("busy", "idle"):
            wrong = sum(client.states[i, state] != 1 for i in channel.sent)
            # an interrupt in the midst of sending makes one of two messages
            if wrong > 2 * len(client.garbled):
                cost.faults.append(f"{name}: {wrong} not exactly once {state}")
    said = [error.partition(": ")[2] for error in client.errors]
    cost.faults += sorted({error for error in said if error not in _INTERRUPTED})
