"""Moving by relay: from the kernel of the process itself, or from one behind a relay."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Asleep, How, Kernel, Progress, Switch, Switched
from envmagic.jupyter import connection
from envmagic.switching import rest_of_cell, restart_target, shell_state
from envmagic.switching.carried import NOTHING, Carried, taken_from
from envmagic.switching.kernel_names import is_newer, kernel_named
from envmagic.switching.relay import wire
from envmagic.switching.relay.departure import Departure, Left
from envmagic.switching.variables import variables
from envmagic.switching.what_ran import is_empty

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.switching.relay.ipykernel_gate import Gate
    from envmagic.switching.relay.wire import Frames

__all__ = ["FromBehind", "FromHome", "leave_cell", "relay_file"]

_WAIT = 5.0  # seconds for a relay to say what sleeps
_SILENCE = 60.0  # seconds without a sign of life from one that starts a kernel; it gives one each 5


def relay_file(kernel: Any) -> dict[str, Any] | None:
    """What the relay in front of `kernel` says of itself; None without one."""
    if kernel.parent is None or connection.connection() is None:
        return None
    return connection.relay_of(Path(kernel.parent.abs_connection_file).absolute())


def leave_cell(shell: InteractiveShell) -> None:
    """See `switching.leave_cell`; to be called when there is something left of the cell."""
    departure = shell_state.of(shell).departure
    assert departure is not None
    departure.travels = True
    departure.shield()
    rest_of_cell.stop(shell)


@dataclass
class FromHome(Switch):
    """A `model.Switch` from the kernel of this process."""

    shell: Any
    gate: Gate

    def check(self) -> None:
        """Refuses where the cell cannot be left."""
        rest_of_cell.rest_of_cell(self.shell)

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        """See `model.Switch.to`; the move happens when the running cell ends."""
        from envmagic.switching.relay.kernel import Move
        from envmagic.switching.relay.relay import Relay

        relay = Relay.of(self.gate.kernel)
        assert relay is not None
        if relay.home.is_of(kernel):
            return Switched(How.ALREADY, kernel.name)
        rest = rest_of_cell.rest_of_cell(self.shell)
        _cancel_previous(self.shell)
        names, here = variables(self.shell), relay.home.name
        target = relay.prepare(kernel, progress)
        takes = carry and not target.used and kernel.language == "python"
        along = taken_from(self.shell) if takes else NOTHING
        empty = is_empty(self.shell, "" if rest_of_cell.put_off(self.shell) else rest)
        move = Move(
            relay.home,
            target,
            drop=drop,
            variables=len(names),
            empty=empty,
            carried=along.packed,
        )

        def stayed(stream: Any | None) -> None:
            relay.abandon(move)
            restart_target.take_back(told)

        departure = Departure(
            self.gate,
            rest=rest,
            replied=lambda stream: relay.hub.hold_control(),
            left=lambda left: relay.leave_home(move, left),
            stayed=stayed,
            interrupted=move.interrupt,
        )
        told = restart_target.restart_in(kernel, keep_name=keep_saved_name, first=here)
        left = [] if drop or empty else names
        return _moved(
            self.shell,
            departure,
            kernel,
            told,
            _said(here, left, along, kernel.name, target.variables),
        )

    def begin(self, kernel: Kernel) -> None:
        """See `model.Switch.begin`."""
        from envmagic.switching.relay.relay import Relay

        with contextlib.suppress(Exception):  # what is wrong is said when the notebook moves
            relay = Relay.of(self.gate.kernel)
            if relay is not None:
                relay.begin(kernel)

    def give_up(self) -> None:
        """See `model.Switch.give_up`."""
        from envmagic.switching.relay.relay import Relay

        if Relay._only is not None:
            Relay._only.give_up()

    def asleep(self) -> list[Asleep]:
        """The kernels that sleep behind this one."""
        from envmagic.switching.relay.relay import Relay

        relay = Relay._only
        return relay.asleep() if relay is not None else []

    def processes(self) -> list[int]:
        """This one; those behind it are its children."""
        return [os.getpid()]

    def renamed(self, old: str, kernel: Kernel, *, current: bool) -> str:
        """See `model.Switch.renamed`."""
        from envmagic.switching.relay.relay import Relay

        if Relay._only is not None:
            Relay._only.renamed(old, kernel)
        if not current:
            return ""
        return restart_target.restart_in(kernel, keep_name=False, first=old).hint

    def named(self, name: str) -> Kernel | None:
        """What the server would start by that name."""
        return kernel_named(name, "", self.asleep)


@dataclass
class FromBehind(Switch):
    """A `model.Switch` from a kernel behind a relay, which does the work."""

    shell: Any
    gate: Gate
    relay: dict[str, Any]

    def check(self) -> None:
        """Refuses where the cell cannot be left, or where the relay is of another protocol."""
        if self.relay.get("protocol") != wire.PROTOCOL:
            raise EnvmagicError(
                "protocol",
                "The relay in front of this kernel is of another version of envmagic.",
                "Restart the kernel.",
            )
        rest_of_cell.rest_of_cell(self.shell)

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        """See `model.Switch.to`; the move happens when the running cell ends."""
        rest = rest_of_cell.rest_of_cell(self.shell)
        _cancel_previous(self.shell)
        names = variables(self.shell)
        request = uuid.uuid4().hex
        empty = is_empty(self.shell, rest)
        question = {
            "kernel": _content(kernel),
            "drop": drop,
            "variables": len(names),
            "empty": empty,
        }
        answer = self._ask("prepare", request, question, progress)
        if answer.get("already"):
            return Switched(How.ALREADY, kernel.name)
        takes = carry and answer.get("fresh") and kernel.language == "python"
        along = taken_from(self.shell) if takes else NOTHING
        notes = _Notes(self.gate, request, lambda: self._send("cancel", request, {}), along.packed)
        departure = Departure(
            self.gate,
            rest=rest,
            replied=notes.replied,
            left=notes.left,
            stayed=notes.stayed,
            interrupted=notes.interrupt,
        )
        here, first = str(self.relay.get("kernel", "")), str(self.relay.get("first", ""))
        notes.told = told = restart_target.restart_in(
            kernel, keep_name=keep_saved_name, first=first
        )
        left = [] if drop or empty else names
        there = int(answer.get("there", 0))
        said = _said(here, left, along, kernel.name, there)
        return _moved(self.shell, departure, kernel, told, said)

    def begin(self, kernel: Kernel) -> None:
        """See `model.Switch.begin`; a relay of before does not know it, and starts it later."""
        self._send("begin", uuid.uuid4().hex, {"kernel": _content(kernel)})

    def give_up(self) -> None:
        """See `model.Switch.give_up`."""
        with contextlib.suppress(EnvmagicError):
            self._ask("give-up", uuid.uuid4().hex, {}, None)

    def asleep(self) -> list[Asleep]:
        """The kernels that sleep behind the same relay."""
        answer = self._ask("asleep", uuid.uuid4().hex, {}, None)
        return [Asleep(**entry) for entry in answer["asleep"]]

    def processes(self) -> list[int]:
        """The relay; this one and those that sleep are its children."""
        return [int(self.relay["pid"])]

    def renamed(self, old: str, kernel: Kernel, *, current: bool) -> str:
        """See `model.Switch.renamed`; a relay of before knows the old name only."""
        with contextlib.suppress(EnvmagicError):
            self._ask("renamed", uuid.uuid4().hex, {"old": old, "kernel": _content(kernel)}, None)
        if not current:
            return ""
        self.relay["kernel"] = kernel.name
        first = str(self.relay.get("first", ""))
        return restart_target.restart_in(kernel, keep_name=False, first=first).hint

    def is_current(self, kernel: Kernel) -> bool:
        """Whether its environment is older than the running kernel."""
        return not is_newer(kernel, Path(self.relay["kernel_connection_file"]))

    def named(self, name: str) -> Kernel | None:
        """What the server would start by that name, or the kernel this session began with."""
        return kernel_named(name, str(self.relay.get("first", "")), self.asleep)

    def _ask(
        self, ask: str, request: str, content: dict[str, Any], progress: Progress | None
    ) -> dict[str, Any]:
        """The relay's answer; an interrupt is passed on to it. On stdin, as `input` does.

        Raises `EnvmagicError` when it refuses, and when it is silent for too long.
        """
        self._send(ask, request, content)
        patience = _SILENCE if ask == "prepare" else _WAIT
        heard = time.monotonic()
        try:
            while True:
                answer = self._answer(request, 0.05)
                if answer is None:
                    if time.monotonic() > heard + patience:
                        raise EnvmagicError(
                            "relay", "The relay does not answer.", "Restart the kernel."
                        )
                    continue
                heard = time.monotonic()
                if "step" in answer and progress is not None:
                    progress.step(answer["step"])
                elif "detail" in answer and progress is not None:
                    progress.detail(answer["detail"])
                elif "error" in answer:
                    hint = answer.get("words", answer.get("hint", ""))
                    command = tuple(answer.get("command", ()))
                    code = answer.get("code", "relay")
                    raise EnvmagicError(code, answer["error"], hint, command=command)
                else:
                    return answer
        except BaseException:
            self._send("cancel", request, {})
            raise

    def _send(self, ask: str, request: str, content: dict[str, Any]) -> None:
        kernel = self.gate.kernel
        with _whole():
            kernel.session.send(
                kernel.stdin_socket,
                "envmagic_ask",
                {"ask": ask, "id": request, **content},
                ident=[wire.FRONT, wire.RELAY],
            )

    def _answer(self, request: str, seconds: float) -> dict[str, Any] | None:
        kernel = self.gate.kernel
        if not kernel.stdin_socket.poll(seconds * 1000):
            return None
        with _whole():
            try:
                _, message = kernel.session.recv(kernel.stdin_socket)
            except ValueError:  # of somebody who does not belong here: not signed, or no message
                return None
        if message is None or message["header"]["msg_type"] != "envmagic_answer":
            return None
        content: dict[str, Any] = message["content"]
        return content if content["id"] == request else None


def _content(kernel: Kernel) -> dict[str, Any]:
    """`kernel` in a message, as `kernel_from` reads it."""
    words = {"argv": list(kernel.argv), "directory": str(kernel.directory)}
    return {**asdict(kernel), **words}


@dataclass
class _Notes:
    """What a kernel behind a relay tells it when the cell that asked for a move has ended."""

    gate: Gate
    request: str
    cancel: Callable[[], None]
    """Takes the request back, where there is no stream for a note."""
    carried: str = ""
    """What comes along; see `switching.carried`."""
    stream: Any = None
    told: restart_target.Label = field(default_factory=restart_target.Label)
    interrupted: bool = False

    def interrupt(self) -> None:
        self.interrupted = True

    def replied(self, stream: Any) -> None:
        self.stream = stream
        self._note("envmagic_leave", {"id": self.request})
        # the idle that follows may overtake the note, and a frontend asks when it has heard that
        kernel = self.gate.kernel
        kernel.session.send(
            kernel.iopub_socket, "envmagic_leaving", {"id": self.request}, parent=self._cell()
        )

    def stayed(self, stream: Any | None) -> None:
        self.stream = stream
        if stream is None:
            self.cancel()
        else:
            self._note("envmagic_stay", {"id": self.request})
        restart_target.take_back(self.told)

    def left(self, left: Left) -> None:
        """Everything up to the relay's mark goes back to it: it was queued behind the cell."""
        kernel = self.gate.kernel
        kernel.session.send(kernel.iopub_socket, "envmagic_left", {"id": self.request})
        messages: list[Frames] = [left.rest] if left.rest else []

        def taken(frames: Frames) -> None:
            if not wire.kind_is(frames, b"envmagic_mark"):
                messages.append(frames[1:])  # without the relay's own identity
                return
            self.gate.open()
            sizes, buffers = wire.packed(messages)
            content = {
                "id": self.request,
                "count": left.count,
                "sizes": sizes,
                "travels": left.request if left.rest else "",
                "interrupted": self.interrupted,
                "carried": self.carried,
            }
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as ipykernel has it between requests
            self._note("envmagic_returned", content, buffers)
            kernel.shell_stream.io_loop.add_callback(self.gate.listen)

        self.gate.shut(taken)

    def _note(self, kind: str, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.gate.kernel.session.send(
            self.stream,
            kind,
            content,
            parent=self._cell(),
            ident=[wire.FRONT, wire.RELAY],
            buffers=buffers,
        )

    def _cell(self) -> dict[str, Any]:
        """The request whose cell asked."""
        parent: dict[str, Any] = self.gate.kernel.get_parent("shell")
        return parent


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    """An interrupt waits for the end of what is inside: half a message would spoil the next."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _cancel_previous(shell: Any) -> None:
    """Only the last magic of a cell counts."""
    state = shell_state.of(shell)
    if state.is_leaving and state.departure is not None:
        state.departure.cancel()
        restart_target.take_back(state.told)
    state.departure = None


def _moved(
    shell: Any,
    departure: Departure,
    kernel: Kernel,
    told: restart_target.Label,
    message: str,
) -> Switched:
    state = shell_state.of(shell)
    state.departure, state.told = departure, told
    return Switched(How.RELAY, kernel.name, message, told.hint)


def _said(here: str, names: list[str], along: Carried, to: str, there: int) -> str:
    """What became of the variables `names` of the kernel `here`; `to` has as many as `there`."""
    stay = len([name for name in names if name not in along.values])
    noun, them = ("variable stays", "it") if stay == 1 else ("variables stay", "them")
    sentences = [
        along.said,
        f"{stay} {noun} in {here}; %env use {here} goes back to {them}." if stay else "",
        f"{to} has its {'variable' if there == 1 else f'{there} variables'} again."
        if there
        else "",
    ]
    return " ".join(filter(None, sentences))
