"""A kernel in a child process, behind the relay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from envmagic.switching.carried import UNPACK
from envmagic.switching.relay import wire
from envmagic.switching.relay.channel import on_loop, pass_on, run_on
from envmagic.switching.relay.child_process import KernelProcess
from envmagic.switching.relay.kernel import ARRIVE
from envmagic.system import process

if TYPE_CHECKING:
    from envmagic.switching.relay.hub import Hub
    from envmagic.switching.relay.wire import Frames

__all__ = ["ChildKernel"]

_PATIENCE = 1.5  # seconds a child may take to shut down; Jupyter gives us 2.5 before it kills


class _Requests(Protocol):
    """Where the kernel asks the relay for something."""

    def asked(self, child: ChildKernel, frames: Frames) -> None:
        """A question; on the control loop."""
        ...

    def returned(self, child: ChildKernel, content: dict[str, Any], taken: list[Frames]) -> None:
        """The cell that asked to move has ended, with all that was queued; on the shell loop."""
        ...

    def stayed(self, request: str) -> None:
        """The cell that asked to move failed after all; on the shell loop."""
        ...


class ChildKernel:
    """A running kernel and the streams to it, on the loops of the frontend's channels."""

    empty = False
    variables = 0

    def __init__(self, running: KernelProcess, hub: Hub, requests: _Requests) -> None:
        self.running = running
        self._hub, self._requests = hub, requests
        self._session = running.session
        self.name = running.kernel.name
        self.used = self.ending = False
        self._mine = running.session.session.encode()
        self._streams: dict[str, Any] = {}
        self._left = asyncio.Event()
        self._answered = {"shell": asyncio.Event(), "control": asyncio.Event()}
        """The relay's own last request on that channel."""
        self._closed: asyncio.Future[None] | None = None
        self._subshells: set[str] = set()
        self._travels = b""
        self._runs: Callable[[], None] = lambda: None
        self._ended: dict[str, Any] = {}
        """The header of the request whose cell is over here, when the notebook goes elsewhere."""
        self._awaited = self._idle = ""
        """The id of that request: after its word on iopub that it leaves, and after its `idle`."""

    @property
    def alive(self) -> bool:
        return self.running.alive and not self.ending

    @property
    def memory(self) -> int:
        return self.running.memory

    async def _connect(self) -> None:
        """Put the sockets into the event loops; from then on what the kernel says goes in front."""
        from zmq.eventloop.zmqstream import ZMQStream

        if self._streams:
            return
        heard = {
            "shell": self._on_shell,
            "control": self._on_control,
            "stdin": self._on_stdin,
            "iopub": self._on_iopub,
        }
        for name, listen in heard.items():

            def connect(name: str = name, listen: Any = listen) -> None:
                stream = ZMQStream(self.running.sockets[name], self._hub.loops[name])
                stream.on_recv(listen, copy=name != "iopub")
                self._streams[name] = stream

            await on_loop(self._hub.loops[name], connect)

    def take_shell(self, frames: Frames) -> None:
        self._give("shell", wire.for_main_shell(self._session, frames, self._subshells))

    def take_control(self, frames: Frames) -> None:
        self._give("control", frames)

    def take_stdin(self, frames: Frames) -> None:
        """What was typed in front; on the control loop."""
        self._give("stdin", frames)

    def _give(self, channel: str, frames: Frames) -> None:
        stream = self._streams.get(channel)
        if stream is not None:  # it has ended otherwise
            pass_on(stream, frames)

    def interrupt(self) -> None:
        """A signal to its whole group."""
        process.signal_group(self.running.process, signal.SIGINT)

    def pass_interrupt_on(self) -> None:
        # It is in a group of its own: neither Jupyter's signal to the relay's group nor one to the
        # relay alone reaches it by itself.
        self.interrupt()

    async def control_done(self) -> None:
        self._answered["control"].clear()
        self.take_control(wire.pack(self._session, "kernel_info_request", {}, wire.RELAY))
        await self._answered["control"].wait()

    async def all_said(self) -> None:
        await self._left.wait()
        self._left.clear()
        if self._closed is not None:
            await asyncio.shield(self._closed)  # who waits may give up
            self._say_idle()

    def _say_idle(self) -> None:
        """In its place, when it ended before it had said that its cell is over: a frontend waits
        for that."""
        ended, self._ended = self._ended, {}
        if ended and ended["msg_id"] != self._idle:
            kernel = self._hub.kernel
            idle = {"execution_state": "idle"}
            kernel.session.send(kernel.iopub_socket, "status", idle, parent={"header": ended})

    async def arrive(self, count: int, carried: str = "") -> None:
        await self._connect()
        notebook = self._hub.kernel.shell.user_ns.get("__vsc_ipynb_file__")
        facts = {"count": count, "notebook": notebook if isinstance(notebook, str) else None}
        facts["carried"] = carried
        content = {
            "code": f"exec({ARRIVE + UNPACK!r}, {{'shell': get_ipython(), **{facts!r}}})",
            "silent": True,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        request = wire.pack(self._session, "execute_request", content, wire.RELAY)
        self._answered["shell"].clear()
        await on_loop(self._hub.loops["shell"], lambda: self.take_shell(request))
        await self._answered["shell"].wait()

    def expect(self, request: str, runs: Callable[[], None]) -> None:
        self._travels, self._runs = request.encode(), runs

    async def shut_down(self, *, restart: bool) -> None:
        """End it as a frontend would, on the control loop; what does not end in time is killed."""
        self.ending = True
        if self._streams and self.running.alive:
            content = {"restart": restart}
            request = wire.pack(self._session, "shutdown_request", content, wire.RELAY)
            self.take_control(request)
            end = time.monotonic() + _PATIENCE
            while self.running.alive and time.monotonic() < end:
                await asyncio.sleep(0.01)
        await self.close()

    async def close(self) -> None:
        """Let go of everything it had; kills it if it still runs. On the control loop."""
        if self._closed is None:
            self._closed = asyncio.ensure_future(self._close())
        await self._closed

    async def _close(self) -> None:
        self.ending = True
        for waited_for in (self._left, *self._answered.values()):
            waited_for.set()
        self.running.end()  # a loop may be held up by a cell
        streams, self._streams = self._streams, {}
        for name, stream in streams.items():
            await on_loop(self._hub.loops[name], partial(stream.close, linger=0))
        self.running.kill()

    # -- what the kernel says ------------------------------------------------------------------

    def _on_shell(self, frames: Frames) -> None:
        if _is_for_relay(frames):
            self._on_note(frames)
        else:
            pass_on(self._hub.kernel.shell_stream, frames)

    def _on_control(self, frames: Frames) -> None:
        if _is_for_relay(frames):
            self._answered["control"].set()
            return
        if wire.kind_is(frames, b"create_subshell_reply"):
            with contextlib.suppress(ValueError):
                made = json.loads(wire.header(frames, 3)).get("subshell_id")
                self._subshells.add(str(made))
        pass_on(self._hub.kernel.control_stream, frames)

    def _on_iopub(self, frames: Frames) -> None:
        if wire.concerns(frames, self._mine):
            return
        kind = wire.header(frames)
        if wire.OURS in kind:
            if b'"envmagic_left"' in kind:
                run_on(self._hub.loops["control"], self._left.set)
            elif b'"envmagic_leaving"' in kind:
                self._awaited = json.loads(wire.header(frames, 1)).get("msg_id", "")
                self._hub.hold_control()
            return
        if b'"iopub_welcome"' in kind:  # greets the relay's own subscription
            return
        if self._travels and self._travels in wire.header(frames, 1):
            if b'"busy"' in wire.header(frames, 3) and b'"status"' in kind:
                return
            self._travels = b""
            self._runs()
            if b'"execute_input"' in kind:
                return
        if self._awaited and self._is_awaited(frames):
            self._awaited, self._idle = "", self._awaited
        self._hub.kernel.iopub_thread.socket.send_multipart(frames, copy=False)

    def _is_awaited(self, frames: Frames) -> bool:
        """Whether that is the `idle` of the cell after which the notebook goes elsewhere."""
        is_idle = wire.kind_is(frames, b"status") and b'"idle"' in wire.header(frames, 3)
        return is_idle and self._awaited.encode() in wire.header(frames, 1)

    def _on_stdin(self, frames: Frames) -> None:
        if _is_for_relay(frames):
            self._requests.asked(self, frames)
        else:
            self._hub.ask_front(frames)

    def answer(self, request: str, **content: Any) -> None:
        """Answer a question that the kernel asked the relay; from any thread."""
        frames = wire.pack(self._session, "envmagic_answer", {"id": request, **content}, wire.RELAY)

        run_on(self._hub.loops["control"], lambda: self.take_stdin(frames))

    def _on_note(self, frames: Frames) -> None:
        """On the shell loop: the kernel says that its cell ended, and what is to become of it."""
        kind = wire.header(frames)
        if b'"envmagic_leave"' in kind:
            self._ended = wire.unpack(self._session, frames)["parent_header"]
            self._hub.leaves()
            self.take_shell(wire.pack(self._session, "envmagic_mark", {}, wire.RELAY))
        elif b'"envmagic_returned"' in kind:
            message = wire.unpack(self._session, frames)
            content = message["content"]
            taken = wire.unpacked(content["sizes"], message["buffers"])
            if content["travels"]:
                self._ended = {}  # the rest of its cell says `idle`
            self._requests.returned(self, content, taken)
        elif b'"envmagic_stay"' in kind:
            self._requests.stayed(wire.unpack(self._session, frames)["content"]["id"])
        else:
            run_on(self._hub.loops["control"], self._answered["shell"].set)


def _is_for_relay(frames: Frames) -> bool:
    return frames[0] == wire.RELAY
