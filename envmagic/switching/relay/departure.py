"""The end of the request that moves the notebook: answered once, and nothing after it runs here."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envmagic.switching.relay import wire
from envmagic.switching.relay.ipykernel_gate import keep_interrupt_handler

if TYPE_CHECKING:
    from envmagic.switching.relay.ipykernel_gate import Gate
    from envmagic.switching.relay.wire import Frames

__all__ = ["Departure", "Left", "arrive"]


@dataclass(frozen=True)
class Left:
    """What the kernel that is left hands over."""

    count: int
    """The prompt number of the next cell; of this one when it goes on elsewhere."""
    rest: Frames | None
    """The same request with the rest of its cell, which the next kernel answers."""
    request: str
    """The id of that request."""


def arrive(session: Any, request: str, runs: Callable[[], None]) -> None:
    """A request comes whose beginning was said elsewhere: `session` does not say it again.

    `runs` is called when it would have said what runs.
    """
    send = session.send

    def without_beginning(
        stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *a: Any, **k: Any
    ) -> Any:
        if isinstance(parent, dict) and parent.get("header", parent).get("msg_id") == request:
            if msg_or_type == "status" and content == {"execution_state": "busy"}:
                return None
            del session.send
            runs()
            if msg_or_type == "execute_input":
                return None
        return send(stream, msg_or_type, content, parent, *a, **k)

    session.send = without_beginning


class Departure:
    """Watches one running request until its `idle`, through `Session.send` (jupyter_client).

    `replied(stream)` is called after its reply went out on `stream`, `left(Left)` after its idle,
    `stayed(stream)` instead of both when the cell failed; the stream is None when it was not even
    answered. All in the main thread.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        rest: str,
        replied: Callable[[Any], None],
        left: Callable[[Left], None],
        stayed: Callable[[Any | None], None],
        interrupted: Callable[[], None],
    ) -> None:
        self.rest = rest
        """Source of the cell that is still to be run."""
        self.travels = False
        """It runs elsewhere, as this very request, which therefore is not answered here."""
        self._gate, self._kernel = gate, gate.kernel
        self._replied, self._left, self._stayed = replied, left, stayed
        self._interrupted = interrupted
        self._parent: dict[str, Any] = self._kernel.get_parent("shell")
        self._request: str = self._parent["header"]["msg_id"]
        self._count = 0
        self._identities: list[bytes] = []
        self._answered = False
        self._thread = threading.current_thread()
        self._send = self._kernel.session.send
        self._kernel.session.send = self._watch

    @property
    def is_of_running_request(self) -> bool:
        """Whether the request it watches is the one that runs now."""
        running: str = self._kernel.get_parent("shell")["header"]["msg_id"]
        return running == self._request

    def shield(self) -> None:
        """From now on an interrupt is remembered (`interrupted` is called) and breaks nothing: half
        of what follows would leave the notebook between two kernels. In the main thread."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._remember)

    def _remember(self, number: int, frame: Any) -> None:
        self._interrupted()

    def cancel(self) -> None:
        """Watch no longer; nothing of what was agreed happens."""
        with contextlib.suppress(AttributeError):
            del self._kernel.session.send

    def _watch(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._is_ours(msg_or_type, parent):
            if msg_or_type == "execute_reply":
                return self._reply(stream, content, parent, ident, args, kwargs)
            if msg_or_type == "status" and _is_idle(content):
                self.cancel()
                if not self._answered:  # an interrupt has hit ipykernel itself
                    self._stayed(None)
                    return self._send(stream, msg_or_type, content, parent, ident, *args, **kwargs)
                if not self.travels:
                    self._send(stream, msg_or_type, content, parent, ident, *args, **kwargs)
                self._left(Left(self._next_count(), self._rest_request(), self._request))
                return None
        return self._send(stream, msg_or_type, content, parent, ident, *args, **kwargs)

    def _is_ours(self, kind: Any, parent: Any) -> bool:
        if not isinstance(kind, str) or not isinstance(parent, dict):
            return False
        request = parent.get("header", parent).get("msg_id")
        return request == self._request and threading.current_thread() is self._thread

    def _reply(
        self, stream: Any, content: Any, parent: Any, ident: Any, args: Any, kwargs: Any
    ) -> Any:
        self.shield()
        if not self.travels and content.get("status") != "ok":
            self.cancel()
            self._stayed(stream)
            return self._send(stream, "execute_reply", content, parent, ident, *args, **kwargs)
        self._answered = True
        keep_interrupt_handler(self._kernel)  # until the move is done
        self._count = content.get("execution_count") or 0
        self._identities = [ident] if isinstance(ident, bytes) else list(ident or [])
        if self.travels:
            # ipykernel looks at the status to see whether to abort what is queued
            self._replied(stream)
            return {"content": {**content, "status": "ok"}}
        sent = self._send(stream, "execute_reply", content, parent, ident, *args, **kwargs)
        self._replied(stream)
        return sent

    def _next_count(self) -> int:
        # The reply says the number of this cell; IPython versions differ in when they count on.
        count: int = self._kernel.shell.execution_count
        numbered = self._parent["content"].get("store_history", True)
        return self._count if self.travels and numbered and self._count else count

    def _rest_request(self) -> Frames | None:
        if not self.travels:
            return None
        message = {
            "header": self._parent["header"],
            "parent_header": self._parent.get("parent_header") or {},
            "metadata": self._parent.get("metadata") or {},
            "content": {**self._parent["content"], "code": self.rest},
        }
        session = self._kernel.session
        # behind a relay the first identity is the relay's own, which it puts there again
        identities = [i for i in self._identities if i != wire.FRONT]
        return wire.as_bytes(session.serialize(message, ident=identities))


def _is_idle(content: Any) -> bool:
    return isinstance(content, dict) and content.get("execution_state") == "idle"
