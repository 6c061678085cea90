"""Where the kernels behind a relay ask it for something: to be moved away from, or what sleeps."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Asleep
from envmagic.switching.relay import wire
from envmagic.switching.relay.channel import run_on
from envmagic.switching.relay.kernel import kernel_from
from envmagic.switching.relay.move import Move

if TYPE_CHECKING:
    from envmagic.switching.relay.child_kernel import ChildKernel
    from envmagic.switching.relay.kernel import RelayedKernel
    from envmagic.switching.relay.relay import Relay
    from envmagic.switching.relay.wire import Frames

__all__ = ["SwitchRequests"]


@dataclass
class _Told:
    """`Progress` for a kernel that waits for another to start."""

    seat: ChildKernel
    request: str

    def step(self, message: str) -> None:
        self.seat.answer(self.request, step=message)

    def detail(self, message: str) -> None:
        self.seat.answer(self.request, detail=message)


@dataclass
class SwitchRequests:
    """Answers the questions; each comes over stdin, the channel on which a kernel asks."""

    relay: Relay
    agreed: dict[str, Move] = field(default_factory=dict)
    """Moves that happen when the cell that asked for them ends, by the question's id."""
    given_up: set[str] = field(default_factory=set)

    def asked(self, seat: ChildKernel, frames: Frames) -> None:
        """Take a question of the kernel in `seat`; on the control loop."""
        content = wire.unpack(seat.child.session, frames)["content"]
        request = str(content["id"])
        if content["ask"] == "prepare":
            threading.Thread(target=self._prepare, args=(seat, request, content)).start()
        elif content["ask"] == "cancel":
            self.given_up.add(request)
            self.stayed(request)
        elif content["ask"] == "asleep":
            seat.answer(request, asleep=[vars(a) for a in self.asleep()])
        else:
            seat.answer(request, error=f"{content['ask']!r} is not known here", hint="")

    def asleep(self) -> list[Asleep]:
        """The kernels that sleep now, home first."""
        relay = self.relay
        seats: list[RelayedKernel] = [relay.home, *list(relay.children.values())]
        return [
            Asleep(seat.name, seat.variables, seat.memory)
            for seat in seats
            if seat is not relay.current and seat.alive
        ]

    def _prepare(self, seat: ChildKernel, request: str, content: dict[str, Any]) -> None:
        try:
            kernel = kernel_from(content["kernel"])
            target = self.relay.prepare(
                kernel, _Told(seat, request), lambda: request not in self.given_up
            )
        except EnvmagicError as error:
            problem = error.problem
            seat.answer(request, error=problem.message, hint=problem.hint, code=problem.code)
            return
        except Exception as error:  # the kernel that asked waits for an answer, whatever happens
            seat.answer(request, error=f"The relay failed: {error!r}.", hint="", code="relay")
            return
        move = Move(seat, target, drop=content["drop"], variables=content["variables"])
        if request in self.given_up:
            self.relay.abandon(move)
            return
        self.agreed[request] = move
        seat.answer(request, ready=True, already=target is seat)

    def returned(self, seat: ChildKernel, content: dict[str, Any], taken: list[Frames]) -> None:
        """The cell that asked has ended, and these messages had been queued behind it."""
        move = self.agreed.pop(content["id"], None) or Move(seat, seat)
        move.taken, move.travels = taken, content["travels"]
        move.interrupted = bool(content.get("interrupted"))
        run_on(self.relay.loops["control"], lambda: self.relay.move(move, content["count"]))

    def stayed(self, request: str) -> None:
        """The cell that asked failed after all."""
        move = self.agreed.pop(request, None)
        if move is not None:
            self.relay.abandon(move)
