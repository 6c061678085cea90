"""The relay: the process that the frontend started passes its messages on to another kernel.

One per process. The kernel of the process itself is *home*; others run as its children. All of it
happens inside ipykernel's own event loops: shell messages on the loop of the shell stream, control
and stdin on that of the control stream, iopub on that of the iopub thread. docs/relay.md tells the
protocol message by message.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError
from envmagic.jupyter import connection, server_api
from envmagic.switching.kernel_names import spec_named, still_is
from envmagic.switching.refusal import refusal
from envmagic.switching.relay import child_process, exit_status, switch_requests, wire
from envmagic.switching.relay.channel import Channel, on_loop, run_on
from envmagic.switching.relay.child_kernel import ChildKernel
from envmagic.switching.relay.child_process import KernelProcess, sweep
from envmagic.switching.relay.home_kernel import HomeKernel
from envmagic.switching.relay.ipykernel_gate import error_output, gate_of
from envmagic.switching.relay.kernel import RelayedKernel
from envmagic.switching.relay.setting import LaunchSetting

if TYPE_CHECKING:
    from envmagic.core.model import Kernel, Progress
    from envmagic.switching.relay.departure import Left
    from envmagic.switching.relay.ipykernel_gate import Gate
    from envmagic.switching.relay.move import Move
    from envmagic.switching.relay.wire import Frames

__all__ = ["Relay"]

_log = logging.getLogger(__name__)
_ARRIVAL = 20.0  # seconds a kernel that was found answering may take to answer again
_A_MOMENT = 0.05  # seconds until a kernel that says what it runs does run it
_LAST_WORDS = 0.1  # seconds that what a kernel said before its end may be on its way
_STEP = 5.0  # seconds for a step of the move that waits for the user's own code


class Relay:
    """Which kernel runs, which sleep, and the way between them."""

    _only: Relay | None = None

    @classmethod
    def of(cls, kernel: Any) -> Relay | None:
        """The relay of this process; None where ipykernel is of a version that is not known."""
        gate = gate_of(kernel)
        if cls._only is None and gate is not None:
            cls._only = cls(gate)
        return cls._only

    def __init__(self, gate: Gate) -> None:
        from jupyter_client.session import Session

        kernel = gate.kernel
        self.gate, self.kernel = gate, kernel
        self.shell = Channel(kernel.shell_stream)
        self.control = Channel(kernel.control_stream, self._take_urgent)
        control_loop = kernel.control_stream.io_loop
        self.loops = {
            "main": kernel.io_loop,
            "shell": kernel.shell_stream.io_loop,
            "control": control_loop,
            "stdin": control_loop,
            "iopub": kernel.iopub_thread.io_loop,
        }
        self.setting = _setting(kernel)
        self.home = HomeKernel(gate, _home_name())
        self.current: RelayedKernel = self.home
        self.children: dict[str, ChildKernel] = {}
        self._going: set[ChildKernel] = set()
        """Those that are being ended."""
        self.desk = switch_requests.SwitchRequests(self)
        self._moving = False
        """What the kernel that is left has got is done, and no other has got anything."""
        self._refusal = ""
        """What takes the place of cells that were meant for a kernel that failed: of all that are
        queued, at least of the next one."""
        self._refused_one = False
        self._between = self._interrupted = False
        """A cell is over in one kernel and does not run in the next yet; and somebody wants to stop
        it."""
        self._interrupts = threading.RLock()
        """Held while one is passed on or remembered. Its handler may break into its own thread."""
        self._reader = Session(key=kernel.session.key)
        self._stdin: Any = None
        self._closing = False
        atexit.register(self._leave_nothing)
        threading.Thread(target=sweep, daemon=True).start()

    # -- before the running cell ends ----------------------------------------------------------

    def prepare(
        self, kernel: Kernel, progress: Progress, wanted: Callable[[], bool] = lambda: True
    ) -> RelayedKernel:
        """The seat of `kernel`, woken or started; raises `EnvmagicError` if it does not start.

        In any thread; nothing has moved yet when it returns.
        """
        if self.home.is_of(kernel):
            return self.home
        known = self.children.get(kernel.name)
        if known is not None and known.alive:
            if not kernel.argv or still_is(kernel, known.child):
                return known
            self._set_aside(known)
        if not kernel.argv and kernel.directory == Path():  # it could only have been woken
            raise EnvmagicError(
                "kernel-cannot-start", f"The kernel {kernel.name!r} does not sleep any more."
            )
        seat = ChildKernel(KernelProcess.start(kernel, self.setting, progress, wanted), self)
        self.children[kernel.name] = seat
        threading.Thread(target=self._watch, args=(seat,), daemon=True).start()
        return seat

    def _set_aside(self, seat: ChildKernel) -> None:
        """Its name means another environment by now: it ends, or gets another name when it holds
        variables. Raises `EnvmagicError` then, so that a person knows it."""
        if seat is not self.current and not seat.variables:
            self._end(seat)
            return
        name, other = seat.name, f"{seat.name}-old"
        while other in self.children:
            other += "-old"
        self.children[other] = self.children.pop(name)
        seat.name = other
        what = "runs here" if seat is self.current else "sleeps here"
        raise EnvmagicError(
            "environment-replaced",
            f"The environment {name!r} was replaced since its kernel started, which {what} with"
            f" its variables and is called {other!r} from now on.",
            f"%env use {name} moves to the new one, %env use {other} to the old one.",
            subject=name,
        )

    def abandon(self, move: Move) -> None:
        """The cell failed: a kernel that was started for it alone is ended again."""
        if isinstance(move.target, ChildKernel) and not move.target.used:
            self._end(move.target)

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

    def leave_home(self, move: Move, left: Left) -> None:
        """The cell in this process's kernel has ended; in the main thread, at its `idle`."""
        mark = wire.pack(self.kernel.session, "envmagic_mark", {})
        # Now: a GUI's event loop that is entered once more gives the main thread back only when a
        # message comes for home, and none does.
        self.home.sleep()

        def taken(frames: Frames) -> None:
            if wire.kind_is(frames, b"envmagic_mark"):
                self.gate.open()
                if left.rest:
                    move.taken.insert(0, left.rest)
                    move.travels = left.request
                run_on(self.loops["control"], lambda: self.move(move, left.count))
            else:
                move.taken.append(frames)

        self.gate.shut(taken)
        self.gate.mark_end(self.shell.hold, mark)

    # -- the move itself -----------------------------------------------------------------------

    async def move(self, move: Move, count: int) -> None:
        """Bring the target in front; on the control loop, the shell line being held.

        One that does not answer any more is not: then the source stays, which home always can.
        """
        source, target = move.source, move.target
        source.variables = move.variables
        self._moving = True
        self._begin()
        self.control.hold()
        await _at_most(2, source.control_done())
        await _at_most(5, source.all_said())
        seat: RelayedKernel = self.home
        for seat in (target, source, self.home):
            if (
                await _at_most(min(child_process.limit(), _ARRIVAL), seat.arrive(count))
                and seat.alive
            ):
                break
        self.current, seat.used, self._moving = seat, True, False
        if move.travels:
            seat.expect(move.travels, lambda: self.cell_runs(seat))
        else:
            self.cell_runs(seat)
        if seat is not target:
            self._refusal, self._refused_one = refusal(target.name, target.alive), False
            self.abandon(move)
        self._leave_behind(move, seat)  # the next cell may count on it
        for loop, step in (
            ("stdin", lambda: self._point_stdin(seat)),
            ("main", lambda: self._in_main_thread(seat)),
            ("shell", lambda: self._open_shell(seat, self._handed_over(move))),
            ("control", lambda: self.control.open(lambda f: self._take_control(seat, f))),
            ("main", lambda: self.home.wake() if seat is self.home else None),
        ):
            await _soon(on_loop(self.loops[loop], step))

    def leaves(self) -> None:
        """The cell of a child is over, and the notebook goes elsewhere; on the shell loop."""
        self.shell.hold()
        self._begin()
        run_on(self.loops["control"], self.control.hold)

    def _begin(self) -> None:
        with self._interrupts:
            if not self._between:
                self._interrupted = False
            self._between = True

    def cell_runs(self, seat: RelayedKernel) -> None:
        """The rest of the cell is in the hands of the kernel in `seat`: interrupts go there."""
        with self._interrupts:
            self._between = False
            interrupted, self._interrupted = self._interrupted, False
        if interrupted:
            # a moment later: ipykernel itself must not be hit
            loop = self.loops["iopub"]
            run_on(loop, lambda: loop.call_later(_A_MOMENT, seat.interrupt))

    def _handed_over(self, move: Move) -> list[Frames]:
        """What the next kernel gets first; the rest of a cell that was interrupted meanwhile is
        one that is interrupted."""
        with self._interrupts:
            interrupted = move.interrupted or self._interrupted
            if move.travels and interrupted:
                self._interrupted = False
                move.taken[0] = wire.changed(self._reader, move.taken[0], _interrupt)
        return move.taken

    async def _open_shell(self, target: RelayedKernel, first: list[Frames]) -> None:
        await self.shell.open(lambda frames: self._take_shell(target, frames), first)
        if self._refused_one:  # and with it all that had been queued
            self._refusal = ""
        if target is self.home:
            self.gate.listen()

    def _leave_behind(self, move: Move, target: RelayedKernel) -> None:
        """What is left behind without variables, or is not wanted any more, ends."""
        source = move.source
        if source is target:
            return
        if isinstance(source, ChildKernel):
            if move.drop or not move.variables:
                self._end(source)
        elif move.drop:
            run_on(self.loops["main"], self.home.forget)

    def _take_shell(self, target: RelayedKernel, frames: Frames) -> Awaitable[None] | None:
        if target is not self.home and wire.kind_is(frames, b"shutdown_request"):
            run_on(self.loops["control"], lambda: self._shut_down(frames))
            return None
        if self._refusal and wire.kind_is(frames, b"execute_request"):
            frames = self._refused(frames)
        return target.take_shell(frames)

    def _refused(self, frames: Frames) -> Frames:
        """The cell as one that fails and says why."""

        def change(message: dict[str, Any]) -> None:
            if not message["content"]["silent"]:
                message["content"]["code"], self._refused_one = self._refusal, True

        refused = wire.changed(self._reader, frames, change)
        if self._refused_one and not self.shell.held:
            self._refusal = ""
        return refused

    def _take_control(self, target: RelayedKernel, frames: Frames) -> Awaitable[None] | None:
        if wire.kind_is(frames, b"shutdown_request"):
            return self._shut_down(frames)
        return target.take_control(frames)

    def _take_urgent(self, frames: Frames) -> bool:
        """While control is held: a kernel that is being left may hang, as any kernel may between
        two cells, and is shut down all the same."""
        if wire.kind_is(frames, b"shutdown_request"):
            self._task = asyncio.ensure_future(self._shut_down(frames))
            return True
        return False

    def _in_main_thread(self, target: RelayedKernel) -> None:
        if target is self.home:
            self.home.put_back()
        signal.signal(signal.SIGINT, self._pass_interrupt_on)

    def _pass_interrupt_on(self, number: int, _frame: Any) -> None:
        # Children are in groups of their own: neither Jupyter's signal to our group nor one to
        # this process alone reaches them by itself. Home has a handler of its own while it runs
        # something, and otherwise ignores it.
        with self._interrupts:
            if self._between:
                self._interrupted = True
            elif isinstance(self.current, ChildKernel):
                self.current.interrupt()

    # -- questions of the running kernel (`input`) ---------------------------------------------

    def _point_stdin(self, target: RelayedKernel) -> None:
        """The stdin socket belongs to the main thread while home runs, else to a stream."""
        from zmq.eventloop.zmqstream import ZMQStream

        socket = self.kernel.stdin_socket
        if target is not self.home and self._stdin is None:
            self._stdin = ZMQStream(socket, self.loops["stdin"])
            self._stdin.on_recv(self._typed, copy=True)
        elif target is self.home and self._stdin is not None:
            self._stdin.stop_on_recv()
            self.loops["stdin"].remove_handler(socket)
            self._stdin = None

    def _typed(self, frames: Frames) -> None:
        if isinstance(self.current, ChildKernel):
            self.current.take_stdin(frames)

    def ask_front(self, frames: Frames) -> None:
        """Pass a question of the running kernel on to the frontend; on the control loop."""
        if self._stdin is not None:
            self._stdin.send_multipart(frames)

    # -- the end -------------------------------------------------------------------------------

    async def _shut_down(self, frames: Frames) -> None:
        """End the children as the frontend asked, then let this process's kernel answer."""
        self._closing = True
        restart = b'"restart": true' in wire.header(frames, 3)
        children = [*self.children.values(), *self._going]
        await asyncio.gather(*(child.shut_down(restart=restart) for child in children))
        answered = self.home.take_control(frames)
        if answered is not None:
            await answered

    def _end(self, seat: ChildKernel) -> None:
        """End a child that nobody needs any more, in the background; in any thread."""
        self._forget(seat)
        seat.ending = True
        self._going.add(seat)

        async def end() -> None:
            await seat.shut_down(restart=False)
            self._going.discard(seat)

        run_on(self.loops["control"], end)

    def _forget(self, seat: ChildKernel) -> None:
        if self.children.get(seat.name) is seat:
            del self.children[seat.name]

    def _watch(self, seat: ChildKernel) -> None:
        code = seat.child.process.wait()
        run_on(self.loops["control"], lambda: self._died(seat, code))

    async def _died(self, seat: ChildKernel, code: int) -> None:
        if self._closing or seat.ending:
            return
        if seat is not self.current or self._moving:
            self._forget(seat)
            await asyncio.sleep(_LAST_WORDS)
            await seat.close()
            return
        self._closing = True
        await asyncio.sleep(_LAST_WORDS)
        self._leave_nothing()
        exit_status.end_with(code, self.loops["main"])

    def _leave_nothing(self) -> None:
        self._closing = True
        for seat in [*self.children.values(), *self._going]:
            seat.child.kill()


def _interrupt(message: dict[str, Any]) -> None:
    message["content"]["code"] = "raise KeyboardInterrupt"


async def _at_most(seconds: float, waiting: Awaitable[None]) -> bool:
    """Whether it was done in time: no kernel may keep the notebook from moving."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except asyncio.TimeoutError:
        _log.warning("A kernel did not say in time that it was done.")
    except Exception:
        _log.exception("A kernel could not be asked.")
    else:
        return True
    return False


async def _soon(step: Coroutine[Any, Any, Any]) -> None:
    """Until a step is done; one whose loop the user's code holds up is done when that ends."""
    task = asyncio.ensure_future(step)
    await asyncio.wait([task], timeout=_STEP)
    if task.done() and task.exception() is not None:
        _log.error("A step of the move failed.", exc_info=task.exception())


def _setting(kernel: Any) -> LaunchSetting:
    import zmq

    front = connection.connection()
    if front is None:
        raise EnvmagicError("no-kernel", "This process is not a kernel.")
    first = _home_name()
    return LaunchSetting(
        key=kernel.session.key,
        signature_scheme=kernel.session.signature_scheme,
        session=kernel.session.session,
        directory=Path(kernel.shell.starting_dir),
        environment=_initial_environment(),
        first=spec_named(first),
        relay={
            "protocol": wire.PROTOCOL,
            "pid": os.getpid(),
            "connection_file": str(front.connection_file),
            "parent": front.parent,
            "first": first,
        },
        context=zmq.Context(),
        error_output=error_output(),
    )


def _home_name() -> str:
    """The kernelspec this process was started from.

    After a restart in another environment the connection file still has the first name.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    for name, found in KernelSpecManager().get_all_specs().items():
        entry = found["spec"].get("metadata", {}).get("envmagic")
        prefix = entry.get("prefix") if isinstance(entry, dict) else None
        if isinstance(prefix, str) and os.path.realpath(prefix) == os.path.realpath(sys.prefix):
            return str(name)
    front = connection.connection()
    if front is None:
        return ""
    asked = server_api.session(front)
    return asked[1].kernel_name if asked is not None else connection.kernel_name(front)


def _initial_environment() -> dict[str, str]:
    """The variables this process was started with, whatever was set since (Linux; else: now)."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition(b"=") for entry in entries)
    return {os.fsdecode(name): os.fsdecode(value) for name, sign, value in pairs if sign}
