"""The kernel of the relay's own process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from envmagic.switching.relay import wire
from envmagic.switching.relay.channel import on_loop
from envmagic.switching.relay.child_process import memory_of
from envmagic.switching.relay.departure import arrive
from envmagic.switching.relay.ipykernel_gate import set_eventloop
from envmagic.switching.relay.kernel import ARRIVE
from envmagic.system import prefix_layout

if TYPE_CHECKING:
    from envmagic.core.model import Kernel
    from envmagic.switching.relay.ipykernel_gate import Gate
    from envmagic.switching.relay.wire import Frames

__all__ = ["HomeKernel"]


class HomeKernel:
    """The kernel of the relay's own process."""

    used = True
    alive = True

    def __init__(self, gate: Gate, name: str) -> None:
        self.gate, self.kernel, self.name = gate, gate.kernel, name
        self.empty, self.variables = False, 0
        self._eventloop: Any = None

    @property
    def memory(self) -> int:
        return memory_of(os.getpid())

    def is_of(self, kernel: Kernel) -> bool:
        """Whether `kernel` is what this process runs."""
        if kernel.prefix is not None:
            return prefix_layout.same(kernel.prefix, sys.prefix)
        return kernel.name == self.name

    def take_shell(self, frames: Frames) -> Awaitable[None] | None:
        return self.gate.feed(frames)

    def take_control(self, frames: Frames) -> Awaitable[None] | None:
        dispatch = self.kernel.dispatch_control
        result: Awaitable[None] | None = dispatch(wire.as_frames(frames))
        return result

    async def control_done(self) -> None:
        await self.gate.control_done()

    async def all_said(self) -> None:
        said = threading.Event()
        self.kernel.iopub_thread.schedule(said.set)
        while not said.is_set():
            await asyncio.sleep(0.001)

    async def arrive(self, count: int, carried: str = "") -> None:
        # nothing comes along: it is the kernel that the session began with
        facts = {"shell": self.kernel.shell, "count": count, "notebook": None}
        await on_loop(self.kernel.io_loop, lambda: exec(ARRIVE, facts))

    def expect(self, request: str, runs: Callable[[], None]) -> None:
        arrive(self.kernel.session, request, runs)

    def interrupt(self) -> None:
        if sys.platform == "win32":
            signal.raise_signal(signal.SIGINT)
        else:  # another thread that got it would not wake the main one
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def pass_interrupt_on(self) -> None:
        """Nothing: while it runs something it has a handler of its own, else it ignores it."""

    def sleep(self) -> None:
        """In the main thread: a GUI's event loop must not keep this one from turning."""
        self._eventloop, self.kernel.eventloop = self.kernel.eventloop, None

    def put_back(self) -> None:
        """In the main thread: the loop is there again for `%gui`, and not yet entered."""
        set_eventloop(self.kernel, self._eventloop)

    def wake(self) -> None:
        """In the main thread, when what was queued is handed over: as before."""
        loop, self._eventloop = self._eventloop, None
        if loop is not None and self.kernel.eventloop is loop:
            self.kernel.io_loop.add_callback(self.kernel.enter_eventloop)

    def forget(self) -> None:
        """In the main thread: drop every variable. The process stays, it is the relay."""
        self.kernel.shell.reset(new_session=False, aggressive=False)
        self.variables = 0
        gc.collect()
