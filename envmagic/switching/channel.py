"""A socket towards a kernel behind the relay, inside an event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envmagic.switching.wire import Frames

__all__ = ["Channel"]

_log = logging.getLogger(__name__)
_AT_ONCE = 100  # messages taken in one turn of the loop, which has other things to do too
_LARGE = 1 << 16  # bytes from which a message is sent without being copied


class Channel:
    """Hands on what comes in the turn of the loop that sees it, and sends at once.

    A ZMQStream would spend more on a message than the relay itself: it queues what is sent, takes
    one message per turn and computes anew each time what it waits for. None of it is needed here,
    since a child's sockets have no high-water mark and so never make a sender wait.
    Everything but making one happens on `loop`, a tornado loop.
    """

    def __init__(self, socket: Any, loop: Any, taken: Callable[[Frames], None], *, copy: bool):
        """With `copy` messages are lists of bytes, else of `zmq.Frame`."""
        import zmq

        self._socket, self._loop, self._taken, self._copy = socket, loop, taken, copy
        self._now, self._readable, self._nothing = zmq.NOBLOCK, zmq.POLLIN, zmq.Again
        self._failed = zmq.ZMQError
        self._open = False

    def open(self) -> None:
        """Begin to receive, with what came before."""
        self._open = True
        self._loop.add_handler(self._socket, self._woken, self._loop.READ)
        self._receive()

    def send(self, frames: Frames) -> None:
        """Send a message of bytes; of a kernel that has ended it is dropped."""
        if not self._open:
            return
        small = sum(map(len, frames)) < _LARGE
        try:
            self._socket.send_multipart(frames, self._now, copy=small)
            # its descriptor says only once that something has come, also to one who sends
            if self._socket.EVENTS & self._readable:
                self._loop.add_callback(self._receive)
        except self._failed:
            if not self._socket.closed:  # whoever ends the kernel closes it, in any thread
                raise

    def close(self) -> None:
        """Let go of the socket, and of what it has not sent."""
        if self._open:
            self._open = False
            self._loop.remove_handler(self._socket)
            self._socket.close(linger=0)

    def _woken(self, socket: Any, events: int) -> None:
        self._receive()

    def _receive(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._open:
                return
            try:
                frames = self._socket.recv_multipart(self._now, copy=self._copy)
            except self._nothing:
                return
            except self._failed:
                if self._socket.closed:
                    return
                raise
            try:
                self._taken(frames)
            except Exception:  # what follows it must not stay here
                _log.exception("A message could not be passed on.")
        self._loop.add_callback(self._receive)
