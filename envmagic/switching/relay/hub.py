"""The frontend's side of a relay: its streams, and the loops that all its kernels share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from envmagic.switching.relay.channel import Channel, run_on
from envmagic.switching.relay.interrupts import Interrupts

if TYPE_CHECKING:
    from envmagic.switching.relay.wire import Frames

__all__ = ["Hub"]


class Hub:
    """What the frontend's messages come in by and go out by, whichever kernel runs."""

    def __init__(self, kernel: Any, urgent: Callable[[Frames], bool]) -> None:
        self.kernel = kernel
        """ipykernel's own of this process, whose sockets the frontend is connected to."""
        control_loop = kernel.control_stream.io_loop
        self.loops = {
            "main": kernel.io_loop,
            "shell": kernel.shell_stream.io_loop,
            "control": control_loop,
            "stdin": control_loop,
            "iopub": kernel.iopub_thread.io_loop,
        }
        self.shell = Channel(kernel.shell_stream)
        self.control = Channel(kernel.control_stream, urgent)
        self.interrupts = Interrupts(self.loops["iopub"])
        self._stdin: Any = None

    def hold_control(self) -> None:
        """The cell is answered: what is asked on control from now on is asked of the next kernel.

        In any thread; returns when it is so, since a frontend may ask as soon as it hears `idle`.
        """
        held = threading.Event()

        def hold() -> None:
            self.control.hold()
            held.set()

        run_on(self.loops["control"], hold)
        held.wait(0.5)

    def leaves(self) -> None:
        """The cell of a child is over, and the notebook goes elsewhere; on the shell loop."""
        self.shell.hold()
        self.interrupts.begin()
        run_on(self.loops["control"], self.control.hold)

    def point_stdin(self, taker: Callable[[Frames], None] | None) -> None:
        """Give what is typed to `taker`; without one it is the main thread's, as ipykernel has it.

        On the loop of stdin.
        """
        from zmq.eventloop.zmqstream import ZMQStream

        socket = self.kernel.stdin_socket
        if taker is not None:
            if self._stdin is None:
                self._stdin = ZMQStream(socket, self.loops["stdin"])
            self._stdin.on_recv(taker, copy=True)
        elif self._stdin is not None:
            self._stdin.stop_on_recv()
            self.loops["stdin"].remove_handler(socket)
            self._stdin = None

    def ask_front(self, frames: Frames) -> None:
        """Pass a question of the running kernel (`input`) on to the frontend; on the control
        loop."""
        if self._stdin is not None:
            self._stdin.send_multipart(frames)
