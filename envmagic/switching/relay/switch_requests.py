"""Where the kernels behind a relay ask it for something: to be moved away from, or what sleeps."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.switching.relay import wire
from envmagic.switching.relay.channel import run_on
from envmagic.switching.relay.kernel import Move, kernel_from

if TYPE_CHECKING:
    from envmagic.core.model import Asleep, Kernel, Progress
    from envmagic.switching.relay.child_kernel import ChildKernel
    from envmagic.switching.relay.hub import Hub
    from envmagic.switching.relay.kernel import RelayedKernel
    from envmagic.switching.relay.wire import Frames

__all__ = ["SwitchRequests"]


class _Mover(Protocol):
    """What does what was asked for."""

    def prepare(
        self, kernel: Kernel, progress: Progress, wanted: Callable[[], bool]
    ) -> RelayedKernel: ...

    def begin(self, kernel: Kernel) -> None: ...

    def give_up(self) -> None: ...

    def abandon(self, move: Move) -> None: ...

    async def move(self, move: Move, count: int) -> None: ...

    def asleep(self) -> list[Asleep]: ...

    def renamed(self, old: str, kernel: Kernel) -> None: ...


@dataclass
class _Told:
    """`Progress` for a kernel that waits for another to start."""

    child: ChildKernel
    request: str

    def step(self, message: str) -> None:
        self.child.answer(self.request, step=message)

    def detail(self, message: str) -> None:
        self.child.answer(self.request, detail=message)

    def waiting(self) -> None:
        """The kernel that waits sees the time itself: each step tells the seconds."""


@dataclass
class SwitchRequests:
    """Answers the questions; each comes over stdin, the channel on which a kernel asks."""

    mover: _Mover
    hub: Hub
    agreed: dict[str, Move] = field(default_factory=dict)
    """Moves that happen when the cell that asked for them ends, by the question's id."""
    given_up: set[str] = field(default_factory=set)

    def asked(self, child: ChildKernel, frames: Frames) -> None:
        """Take a question of the kernel `child`; on the control loop."""
        content = wire.unpack(child.running.session, frames)["content"]
        request = str(content["id"])
        if content["ask"] == "prepare":
            threading.Thread(target=self._prepare, args=(child, request, content)).start()
        elif content["ask"] == "begin":
            with contextlib.suppress(EnvmagicError):  # it is said when somebody moves there
                self.mover.begin(kernel_from(content["kernel"]))
        elif content["ask"] == "give-up":
            threading.Thread(target=self._give_up, args=(child, request)).start()
        elif content["ask"] == "cancel":
            self.given_up.add(request)
            self.stayed(request)
        elif content["ask"] == "renamed":
            with contextlib.suppress(EnvmagicError):
                self.mover.renamed(str(content["old"]), kernel_from(content["kernel"]))
            child.answer(request, ready=True)
        elif content["ask"] == "asleep":
            child.answer(request, asleep=[vars(a) for a in self.mover.asleep()])
        else:
            child.answer(request, error=f"{content['ask']!r} is not known here", hint="")

    def _prepare(self, child: ChildKernel, request: str, content: dict[str, Any]) -> None:
        try:
            kernel = kernel_from(content["kernel"])
            target = self.mover.prepare(
                kernel, _Told(child, request), lambda: request not in self.given_up
            )
        except EnvmagicError as error:
            problem = error.problem
            command = display.command_line(problem.command, "%env")
            child.answer(
                request,
                error=problem.message,
                code=problem.code,
                hint=display.remedy(problem.hint, command),  # a kernel of before knows no `words`
                words=problem.hint,
                command=problem.command,
            )
            return
        except Exception as error:  # the kernel that asked waits for an answer, whatever happens
            child.answer(request, error=f"The relay failed: {error!r}.", hint="", code="relay")
            return
        variables = content["variables"]
        empty = content.get("empty", not variables)  # a kernel of before says nothing of it
        move = Move(child, target, drop=content["drop"], variables=variables, empty=empty)
        if request in self.given_up:
            self.mover.abandon(move)
            return
        self.agreed[request] = move
        already = target is child
        there = 0 if already else target.variables
        child.answer(request, ready=True, already=already, fresh=not target.used, there=there)

    def _give_up(self, child: ChildKernel, request: str) -> None:
        self.mover.give_up()
        child.answer(request, ready=True)

    def returned(self, child: ChildKernel, content: dict[str, Any], taken: list[Frames]) -> None:
        """The cell that asked has ended, and these messages had been queued behind it."""
        move = self.agreed.pop(content["id"], None) or Move(child, child)
        move.taken, move.travels = taken, content["travels"]
        move.interrupted = bool(content.get("interrupted"))
        move.carried = str(content.get("carried", ""))
        run_on(self.hub.loops["control"], lambda: self.mover.move(move, content["count"]))

    def stayed(self, request: str) -> None:
        """The cell that asked failed after all."""
        move = self.agreed.pop(request, None)
        if move is not None:
            self.mover.abandon(move)
