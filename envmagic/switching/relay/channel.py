"""One channel between the frontend and the kernel that runs now, inside an event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zmq.eventloop.zmqstream import ZMQStream

    from envmagic.switching.relay.wire import Frames

__all__ = ["Channel", "on_loop", "pass_on", "run_on"]

_log = logging.getLogger(__name__)


class Channel:
    """Passes what comes from the frontend on to one taker, or keeps it while it is held.

    All its methods are called on the loop of `front`, the stream the frontend talks to.
    """

    def __init__(
        self, front: ZMQStream, urgent: Callable[[Frames], bool] = lambda frames: False
    ) -> None:
        self.front = front
        self._urgent = urgent
        """Takes what cannot wait while the channel is held, and says whether it did."""
        self._held: list[Frames] = []
        self._taker: Callable[[Frames], Any] | None = None

    @property
    def held(self) -> bool:
        """Whether what comes is kept, or what was kept is being given."""
        return self._taker is None

    def hold(self) -> None:
        """Keep what comes from now on."""
        self._taker = None
        self.front.on_recv(self._received, copy=True)

    async def open(
        self, taker: Callable[[Frames], Awaitable[None] | None], first: Sequence[Frames] = ()
    ) -> None:
        """Give `taker` the messages `first`, then what was kept, then what comes."""
        self._held[:0] = first
        while self._held:
            try:
                result = taker(self._held.pop(0))
                if result is not None:
                    await result
            except Exception:  # what follows it must not stay here
                _log.exception("A message could not be passed on.")
        # nothing can come in between: this runs on the loop that receives
        self._taker = taker

    def _received(self, frames: Frames) -> None:
        if self._taker is None:
            if not self._urgent(frames):
                self._held.append(frames)
            return
        result = self._taker(frames)
        if result is not None:
            self._task = asyncio.ensure_future(result)


def pass_on(stream: ZMQStream, frames: Frames) -> None:
    """Send `frames` at once if that is possible; on the loop of `stream`.

    The stream would send them in the loop's next turn. A socket says only once that it can be read,
    also to one who sends, so whether something came in meanwhile is looked at here.
    """
    import zmq

    if stream.closed():
        return
    if stream.sending():
        stream.send_multipart(frames)
        return
    try:
        stream.socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.Again:
        stream.send_multipart(frames)
    if stream.socket.EVENTS & zmq.POLLIN:
        stream.io_loop.add_callback(_receive, stream)


def _receive(stream: ZMQStream) -> None:
    import zmq

    if not stream.closed():
        stream.flush(zmq.POLLIN)


async def on_loop(loop: Any, action: Callable[[], Any]) -> Any:
    """What `action` (or the coroutine it makes) returns, run on another thread's tornado `loop`."""

    async def act() -> Any:
        result = action()
        return await result if asyncio.iscoroutine(result) else result

    if loop.asyncio_loop is asyncio.get_running_loop():
        return await act()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(act(), loop.asyncio_loop))


def run_on(loop: Any, action: Callable[[], Any]) -> None:
    """Have `action` done on another thread's tornado `loop`, without waiting for it."""
    loop.add_callback(action)
