"""The only place that touches what ipykernel keeps private: taking its queued messages out.

Two lines of ipykernel are known: 6 (from 6.29) keeps a queue on the main loop, 7 (from 7.1) hands
messages from a shell channel thread to the main one. `gate_of` knows no other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from envmagic.switching.relay import wire

if TYPE_CHECKING:
    from envmagic.switching.relay.wire import Frames

__all__ = ["Gate", "error_output", "gate_of", "keep_interrupt_handler", "set_eventloop"]


class Gate(Protocol):
    """Between a kernel's shell channel and its handlers; open until it is shut."""

    kernel: Any

    def shut(self, taken: Callable[[Frames], None]) -> None:
        """From now on the main shell handles no message: each goes to `taken`, in order.

        Called in the main thread at the end of a request. What had been queued comes first.
        """
        ...

    def open(self) -> None:
        """Back to normal; in the main thread."""
        ...

    def mark_end(self, hold: Callable[[], None], mark: Frames) -> None:
        """Call `hold` on the shell channel's loop, then send `mark` behind all that was received.

        `hold` makes the channel's new messages go elsewhere, so `mark` is the last one taken.
        """
        ...

    async def feed(self, frames: Frames) -> None:
        """Give the kernel a message as if it had just come in; on the shell channel's loop."""
        ...

    def listen(self) -> None:
        """Let the kernel receive its shell messages itself again; on the shell channel's loop."""
        ...

    async def control_done(self) -> None:
        """Until the control messages received so far are answered; on the control loop."""
        ...


def gate_of(kernel: Any) -> Gate | None:
    """The gate for `kernel`; None when its ipykernel is of a version nobody has looked into."""
    import ipykernel

    version = tuple(ipykernel.version_info[:2])
    if (6, 29) <= version < (7, 0):
        return _QueueGate(kernel)
    if (7, 1) <= version < (8, 0) and getattr(kernel, "shell_channel_thread", None) is not None:
        return _ThreadGate(kernel)
    return None


def error_output() -> int | None:
    """The descriptor that standard error had before ipykernel began to show it in the notebook."""
    stream = getattr(sys.stderr, "_original_stdstream_copy", None)
    if isinstance(stream, int):
        return stream
    with contextlib.suppress(OSError):
        return os.dup(2)
    return None


def keep_interrupt_handler(kernel: Any) -> None:
    """Let SIGINT have the handler that it has now when the running request has ended, too."""
    kernel.saved_sigint_handler = signal.getsignal(signal.SIGINT)


def set_eventloop(kernel: Any, loop: Any) -> None:
    """Give `kernel` its GUI's event loop without entering it, as setting the trait does."""
    kernel._trait_values["eventloop"] = loop


class _QueueGate:
    """ipykernel 6: `msg_queue` is emptied by a task of the main loop, one message after another."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def shut(self, taken: Callable[[Frames], None]) -> None:
        stream, queue = self.kernel.shell_stream, self.kernel.msg_queue
        self._taken = taken
        kept = []
        while queue.qsize():
            entry = queue.get_nowait()
            if entry[1] == self.kernel.dispatch_shell:
                taken(wire.as_bytes(entry[2][0]))
            else:
                kept.append(entry)
        for entry in kept:
            queue.put_nowait(entry)
        stream.on_recv(taken, copy=True)

    def open(self) -> None: ...

    def mark_end(self, hold: Callable[[], None], mark: Frames) -> None:
        hold()
        self._taken(mark)

    async def feed(self, frames: Frames) -> None:
        self.kernel.schedule_dispatch(self.kernel.dispatch_shell, wire.as_frames(frames))

    def listen(self) -> None:
        receive = partial(self.kernel.schedule_dispatch, self.kernel.dispatch_shell)
        self.kernel.shell_stream.on_recv(receive, copy=False)

    async def control_done(self) -> None:
        if not hasattr(self.kernel, "control_queue"):
            return await _control_lock(self.kernel)
        # until 6.29 a queue of its own, in which a future marks a place
        reached: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.kernel.control_queue.put_nowait(reached)
        await asyncio.wrap_future(reached)


class _ThreadGate:
    """ipykernel 7: each message of the main shell ends in `dispatch_shell`, in the main thread."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel

    def shut(self, taken: Callable[[Frames], None]) -> None:
        usual = self.kernel.dispatch_shell

        async def dispatch(
            frames: list[Any], /, subshell_id: str | None = None, **options: Any
        ) -> None:
            # a single frame is ipykernel's note to itself that it may stop aborting
            if subshell_id is not None or len(frames) == 1:
                await usual(frames, subshell_id=subshell_id, **options)
            else:
                taken(wire.as_bytes(frames))

        self.kernel.dispatch_shell = dispatch

    def open(self) -> None:
        self.kernel.__dict__.pop("dispatch_shell", None)

    def mark_end(self, hold: Callable[[], None], mark: Frames) -> None:
        def last() -> None:
            hold()
            # tasks run in the order they were made: those of messages already read are before it
            self._task = asyncio.ensure_future(self.feed(mark))

        self.kernel.shell_stream.io_loop.add_callback(last)

    async def feed(self, frames: Frames) -> None:
        await self.kernel.shell_channel_thread_main(wire.as_frames(frames))

    def listen(self) -> None:
        self.kernel.shell_stream.on_recv(self.kernel.shell_channel_thread_main, copy=False)

    async def control_done(self) -> None:
        await _control_lock(self.kernel)


async def _control_lock(kernel: Any) -> None:
    lock = getattr(kernel, "_control_lock", None)
    if lock is None:  # 6.30.0: each is a task of its own
        await asyncio.sleep(0)
        return
    async with lock:  # taken in the order of arrival
        pass
