"""The relay: which kernel gets what the frontend says, and the way from one to the next.

One per process. The kernel of the process itself is *home*; others run as its children. All of it
happens inside ipykernel's own event loops: shell messages on the loop of the shell stream, control
and stdin on that of the control stream, iopub on that of the iopub thread. docs/relay.md tells the
protocol message by message.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Asleep
from envmagic.switching.kernel_names import still_is
from envmagic.switching.refusal import refusal
from envmagic.switching.relay import child_process, exit_status, switch_requests, wire
from envmagic.switching.relay.channel import on_loop, run_on
from envmagic.switching.relay.child_kernel import ChildKernel
from envmagic.switching.relay.child_process import KernelProcess, sweep
from envmagic.switching.relay.early_start import EarlyStart
from envmagic.switching.relay.home_kernel import HomeKernel
from envmagic.switching.relay.hub import Hub
from envmagic.switching.relay.ipykernel_gate import gate_of
from envmagic.switching.relay.setting import home_name, setting_of

if TYPE_CHECKING:
    from envmagic.core.model import Kernel, Progress
    from envmagic.switching.relay.departure import Left
    from envmagic.switching.relay.ipykernel_gate import Gate
    from envmagic.switching.relay.kernel import Move, RelayedKernel
    from envmagic.switching.relay.wire import Frames

__all__ = ["Relay"]

_log = logging.getLogger(__name__)
_ARRIVAL = 20.0  # seconds a kernel that was found answering may take to answer again
_LAST_WORDS = 0.1  # seconds that what a kernel said before its end may be on its way
_STEP = 5.0  # seconds for a step of the move that waits for the user's own code


class Relay:
    """Which kernel runs, which sleep, and the way between them."""

    _only: Relay | None = None

    @classmethod
    def of(cls, kernel: Any) -> Relay | None:
        """The relay of this process; None where ipykernel is of a version that is not known.

        In the thread of the cell that asks first; it is made then.
        """
        gate = gate_of(kernel)
        if cls._only is None and gate is not None:
            cls._only = cls(gate)
        return cls._only

    def __init__(self, gate: Gate) -> None:
        from jupyter_client.session import Session

        kernel = gate.kernel
        self.gate, self.kernel = gate, kernel
        self.hub = Hub(kernel, self._take_urgent)
        self.setting = setting_of(kernel)
        self.home = HomeKernel(gate, home_name())
        self.current: RelayedKernel = self.home
        self.children: dict[str, ChildKernel] = {}
        self._going: set[ChildKernel] = set()
        """Those that are being ended."""
        self.requests = switch_requests.SwitchRequests(self, self.hub)
        self._early: EarlyStart | None = None
        self._moving = False
        """What the kernel that is left has got is done, and no other has got anything."""
        self._refusal = ""
        """What takes the place of cells that were meant for a kernel that failed: of all that are
        queued, at least of the next one."""
        self._refused_one = False
        self._reader = Session(key=kernel.session.key)
        self._closing = False
        atexit.register(self._leave_nothing)
        threading.Thread(target=sweep, daemon=True).start()

    # -- before the running cell ends ----------------------------------------------------------

    def begin(self, kernel: Kernel) -> None:
        """Start `kernel` in the background, unless it runs; in any thread. Raises nothing."""
        self.give_up()
        if not self.home.is_of(kernel) and kernel.name not in self.children:
            self._early = EarlyStart(kernel, self.setting)
            self._early.begin()

    def give_up(self) -> None:
        """End what was begun and not taken, and wait for its end; in any thread."""
        if self._early is not None:
            self._early.give_up()
            self._early = None

    def prepare(
        self, kernel: Kernel, progress: Progress, wanted: Callable[[], bool] = lambda: True
    ) -> RelayedKernel:
        """What `kernel` means here, woken or started; raises `EnvmagicError` if it does not start.

        In any thread; nothing has moved yet when it returns.
        """
        if self.home.is_of(kernel):
            return self.home
        known = self.children.get(kernel.name)
        if known is not None and known.alive:
            if not kernel.argv or still_is(
                kernel, known.running.kernel, known.running.connection_file
            ):
                return known
            self._set_aside(known)
        if not kernel.argv and kernel.directory == Path():  # it could only have been woken
            raise EnvmagicError(
                "kernel-cannot-start", f"The kernel {kernel.name!r} does not sleep any more."
            )
        running = self._early.taken(kernel, progress, wanted) if self._early is not None else None
        self._early = None
        if running is None:
            running = KernelProcess.start(kernel, self.setting, progress, wanted)
        child = ChildKernel(running, self.hub, self.requests)
        self.children[kernel.name] = child
        threading.Thread(target=self._watch, args=(child,), daemon=True).start()
        return child

    def _set_aside(self, child: ChildKernel) -> None:
        """Its name means another environment by now: it ends, or gets another name when it holds
        variables. Raises `EnvmagicError` then, so that a person knows it; in the thread of
        `prepare`."""
        if child is not self.current and child.empty:
            self._end(child)
            return
        name, other = child.name, f"{child.name}-old"
        while other in self.children:
            other += "-old"
        self.children[other] = self.children.pop(name)
        child.name = other
        what = "runs here" if child is self.current else "sleeps here"
        raise EnvmagicError(
            "environment-replaced",
            f"The environment {name!r} was replaced since its kernel started, which {what} with"
            f" its variables and is called {other!r} from now on.",
            "To move to the new one",
            subject=name,
            command=("use", name),
        )

    def asleep(self) -> list[Asleep]:
        """The kernels that sleep now, home first if it holds anything; in any thread."""
        known: list[RelayedKernel] = [self.home, *self.children.values()]
        return [
            Asleep(kernel.name, kernel.variables, kernel.memory)
            for kernel in known
            if kernel is not self.current and kernel.alive and not kernel.empty
        ]

    def renamed(self, old: str, kernel: Kernel) -> None:
        """The kernel called `old` is found as `kernel` from now on; in any thread."""
        child = self.children.pop(old, None)
        if child is not None:
            child.name, child.running.kernel = kernel.name, kernel
            self.children[kernel.name] = child
        if self.home.name == old:
            self.home.name = kernel.name

    def abandon(self, move: Move) -> None:
        """The cell failed: a kernel that was started for it alone is ended again; in any thread."""
        if isinstance(move.target, ChildKernel) and not move.target.used:
            self._end(move.target)

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
                run_on(self.hub.loops["control"], lambda: self.move(move, left.count))
            else:
                move.taken.append(frames)

        self.gate.shut(taken)
        self.gate.mark_end(self.hub.shell.hold, mark)

    # -- the move itself -----------------------------------------------------------------------

    async def move(self, move: Move, count: int) -> None:
        """Bring the target in front; on the control loop, the shell channel being held.

        One that does not answer any more is not: then the source stays, which home always can.
        """
        source, target = move.source, move.target
        source.variables, source.empty = move.variables, move.empty
        self._moving = True
        self.hub.interrupts.begin()
        self.hub.control.hold()
        await _at_most(2, source.control_done())
        await _at_most(5, source.all_said())
        arrived: RelayedKernel = self.home
        for arrived in (target, source, self.home):
            carried = "" if arrived.used else move.carried
            arrives = arrived.arrive(count, carried)
            if await _at_most(min(child_process.limit(), _ARRIVAL), arrives) and arrived.alive:
                break
        self.current, arrived.used, self._moving = arrived, True, False
        if move.travels:
            arrived.expect(move.travels, lambda: self.hub.interrupts.cell_runs(arrived))
        else:
            self.hub.interrupts.cell_runs(arrived)
        if arrived is not target:
            self._refusal, self._refused_one = refusal(target.name, target.alive), False
            self.abandon(move)
        self._leave_behind(move, arrived)  # the next cell may count on it
        for loop, step in (
            ("stdin", lambda: self._point_stdin(arrived)),
            ("main", lambda: self._in_main_thread(arrived)),
            ("shell", lambda: self._open_shell(arrived, self._handed_over(move))),
            ("control", lambda: self.hub.control.open(lambda f: self._take_control(arrived, f))),
            ("main", lambda: self.home.wake() if arrived is self.home else None),
        ):
            await _soon(on_loop(self.hub.loops[loop], step))

    def _handed_over(self, move: Move) -> list[Frames]:
        """What the next kernel gets first; the rest of a cell that was interrupted meanwhile is
        one that is interrupted. On the shell loop."""
        if move.travels and (self.hub.interrupts.take() or move.interrupted):
            move.taken[0] = wire.changed(self._reader, move.taken[0], _interrupt)
        return move.taken

    async def _open_shell(self, target: RelayedKernel, first: list[Frames]) -> None:
        """Let the shell channel lead to `target`, `first` before all else; on the shell loop."""
        await self.hub.shell.open(lambda frames: self._take_shell(target, frames), first)
        if self._refused_one:  # and with it all that had been queued
            self._refusal = ""
        if target is self.home:
            self.gate.listen()

    def _leave_behind(self, move: Move, target: RelayedKernel) -> None:
        """What is left behind empty, or is not wanted any more, ends; on the control loop."""
        source = move.source
        if source is target:
            return
        if isinstance(source, ChildKernel):
            if move.drop or move.empty:
                self._end(source)
        elif move.drop:
            run_on(self.hub.loops["main"], self.home.forget)

    def _point_stdin(self, target: RelayedKernel) -> None:
        """Give what a person types to `target`; on the loop that stdin has."""
        self.hub.point_stdin(target.take_stdin if isinstance(target, ChildKernel) else None)

    def _take_shell(self, target: RelayedKernel, frames: Frames) -> Awaitable[None] | None:
        """Pass a request on to `target`; on the shell loop, for each that comes there."""
        if target is not self.home and wire.kind_is(frames, b"shutdown_request"):
            run_on(self.hub.loops["control"], lambda: self._shut_down(frames))
            return None
        if self._refusal and wire.kind_is(frames, b"execute_request"):
            frames = self._refused(frames)
        return target.take_shell(frames)

    def _refused(self, frames: Frames) -> Frames:
        """The cell as one that fails and says why; on the shell loop."""

        def change(message: dict[str, Any]) -> None:
            if not message["content"]["silent"]:
                message["content"]["code"], self._refused_one = self._refusal, True

        refused = wire.changed(self._reader, frames, change)
        if self._refused_one and not self.hub.shell.held:
            self._refusal = ""
        return refused

    def _take_control(self, target: RelayedKernel, frames: Frames) -> Awaitable[None] | None:
        """Pass a request on to `target`; on the control loop, for each that comes there."""
        if wire.kind_is(frames, b"shutdown_request"):
            return self._shut_down(frames)
        return target.take_control(frames)

    def _take_urgent(self, frames: Frames) -> bool:
        """While control is held: a kernel that is being left may hang, as any kernel may between
        two cells, and is shut down all the same. On the control loop; whether it was such a one."""
        if wire.kind_is(frames, b"shutdown_request"):
            self._task = asyncio.ensure_future(self._shut_down(frames))
            return True
        return False

    def _in_main_thread(self, target: RelayedKernel) -> None:
        """Only there signal handlers are set, and home's own thread is its again."""
        if target is self.home:
            self.home.put_back()
        signal.signal(signal.SIGINT, lambda *_: self.hub.interrupts.came(self._pass_interrupt_on))

    def _pass_interrupt_on(self) -> None:
        """Interrupt the kernel in front; in the main thread, from the handler of SIGINT."""
        self.current.pass_interrupt_on()

    # -- the end -------------------------------------------------------------------------------

    async def _shut_down(self, frames: Frames) -> None:
        """End the children as the frontend asked, then let this process's kernel answer.

        On the control loop.
        """
        self._closing = True
        restart = b'"restart": true' in wire.header(frames, 3)
        children = [*self.children.values(), *self._going]
        await asyncio.gather(*(child.shut_down(restart=restart) for child in children))
        answered = self.home.take_control(frames)
        if answered is not None:
            await answered

    def _end(self, child: ChildKernel) -> None:
        """End a child that nobody needs any more, in the background; in any thread."""
        self._forget(child)
        child.ending = True
        self._going.add(child)

        async def end() -> None:
            await child.shut_down(restart=False)
            self._going.discard(child)

        run_on(self.hub.loops["control"], end)

    def _forget(self, child: ChildKernel) -> None:
        """No switch finds it any more; in any thread."""
        if self.children.get(child.name) is child:
            del self.children[child.name]

    def _watch(self, child: ChildKernel) -> None:
        """Wait for the end of its process, in a thread of its own for each child."""
        code = child.running.process.wait()
        run_on(self.hub.loops["control"], lambda: self._died(child, code))

    async def _died(self, child: ChildKernel, code: int) -> None:
        """Its process has ended unasked: with it this one, if it was in front. On the control
        loop."""
        if self._closing or child.ending:
            return
        if child is not self.current or self._moving:
            self._forget(child)
            await asyncio.sleep(_LAST_WORDS)
            await child.close()
            return
        self._closing = True
        await asyncio.sleep(_LAST_WORDS)
        self._leave_nothing()
        exit_status.end_with(code, self.hub.loops["main"])

    def _leave_nothing(self) -> None:
        """End every child now; on the control loop, or at the end of the process."""
        self._closing = True
        self.give_up()
        for child in [*self.children.values(), *self._going]:
            child.running.kill()


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
