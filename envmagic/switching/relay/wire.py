"""Messages as frames: telling what they are without unpacking them, and the relay's own ones.

A message on the wire (https://jupyter-client.readthedocs.io/en/stable/messaging.html) is: routing
identities, a delimiter, the signature, header, parent header, metadata, content, buffers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_client.session import Session

    Frames = list[bytes]
    """A message. On iopub, where it may be large, a list of `zmq.Frame`."""

__all__ = [
    "DELIMITER",
    "FRONT",
    "OURS",
    "PROTOCOL",
    "RELAY",
    "as_bytes",
    "as_frames",
    "changed",
    "concerns",
    "for_main_shell",
    "header",
    "kind_is",
    "pack",
    "packed",
    "unpack",
    "unpacked",
]

PROTOCOL = 1
DELIMITER = b"<IDS|MSG>"
FRONT = b"envmagic-front"
"""The identity of the relay's sockets towards a kernel; shell and stdin must have the same."""
RELAY = b"envmagic-relay"
"""In place of a client's identity: the relay itself is meant."""
OURS = b'"envmagic_'
"""Begins the type of messages between a kernel and its relay; no frontend ever sees them."""
_SUBSHELL = re.compile(rb'"subshell_id": ?"([^"]+)"')


def header(frames: Frames, offset: int = 0) -> bytes:
    """The header's bytes; with `offset` 1 the parent header's, 3 the content's. Empty if absent."""
    for index, frame in enumerate(frames):
        if len(frame) == len(DELIMITER) and bytes(frame) == DELIMITER:
            place = index + 2 + offset
            return bytes(frames[place]) if place < len(frames) else b""
    return b""


def kind_is(frames: Frames, kind: bytes) -> bool:
    """Whether the message is of the type `kind`; cheap enough to be asked for each."""
    return b'"' + kind + b'"' in header(frames)


def concerns(frames: Frames, session: bytes) -> bool:
    """Whether the message answers a request of the session with that id."""
    return session in header(frames, 1)


def as_bytes(parts: Sequence[Any]) -> Frames:
    """`parts` (bytes, memoryviews or `zmq.Frame`) as bytes."""
    return [bytes(part) for part in parts]


def as_frames(message: Frames) -> list[Any]:
    """`message` as a list of `zmq.Frame`, as ipykernel wants it."""
    import zmq

    return [zmq.Frame(part) for part in message]


def pack(session: Session, kind: str, content: dict[str, Any], *identities: bytes) -> Frames:
    """A message of the relay's own, signed."""
    return as_bytes(session.serialize(session.msg(kind, content), ident=list(identities)))


def unpack(session: Session, frames: Frames) -> dict[str, Any]:
    """The message in `frames`, its signature checked; raises `ValueError` when that is wrong."""
    _, parts = session.feed_identities(frames)
    message: dict[str, Any] = session.deserialize(parts)
    return message


def packed(messages: Sequence[Frames]) -> tuple[list[int], list[bytes]]:
    """Several messages as one list of buffers: how many frames each has, and all frames."""
    return [len(m) for m in messages], [part for m in messages for part in m]


def unpacked(sizes: Sequence[int], buffers: Sequence[Any]) -> list[Frames]:
    """What `packed` made of them, undone."""
    rest = iter(as_bytes(buffers))
    return [[next(rest) for _ in range(size)] for size in sizes]


def for_main_shell(session: Session, frames: Frames, known: set[str]) -> Frames:
    """The message without its subshell, when that is none of `known`.

    A frontend goes on using a subshell of the kernel it was made in; some kernels never answer
    what is addressed to one they do not have.
    """
    addressed = _SUBSHELL.search(header(frames))
    if addressed is None or addressed.group(1).decode() in known:
        return frames
    return changed(session, frames, lambda message: message["header"].pop("subshell_id", None))


def changed(session: Session, frames: Frames, change: Callable[[dict[str, Any]], Any]) -> Frames:
    """The message as `change` leaves it, for the same client; raises `ValueError` if unsigned."""
    identities, parts = session.feed_identities(frames)
    message: dict[str, Any] = session.deserialize(parts)
    change(message)
    fresh = session.serialize(message, ident=list(identities))
    return as_bytes([*fresh, *message["buffers"]])
