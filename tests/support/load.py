"""Clients that send every kind of request every few milliseconds, and count what comes back."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient

_QUIET = {
    "silent": False,
    "store_history": True,
    "user_expressions": {},
    "allow_stdin": False,
    "stop_on_error": False,
}
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("execute_request", {"code": "x = 1", **_QUIET}),
    ("complete_request", {"code": "impor", "cursor_pos": 5}),
    ("inspect_request", {"code": "len", "cursor_pos": 3, "detail_level": 0}),
    ("kernel_info_request", {}),
    ("history_request", {"output": False, "raw": True, "hist_access_type": "tail", "n": 3}),
    ("is_complete_request", {"code": "a = 1"}),
    ("comm_info_request", {}),
)


@dataclass
class Channel:
    sent: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


class Client:
    """One frontend: sends, and keeps what was answered, in order."""

    def __init__(self, connection_file: str) -> None:
        self._client = BlockingKernelClient(connection_file=connection_file)
        self._client.load_connection_file()
        self._client.start_channels()
        self.channels = {"shell": Channel(), "control": Channel()}
        self.states: collections.Counter[tuple[str, str]] = collections.Counter()
        self.errors: list[str] = []
        self.garbled: list[str] = []
        """What came and was no message; a frontend passes over it, as here."""
        self._tasks = [
            asyncio.ensure_future(each)
            for each in (self._listen("shell"), self._listen("control"), self._listen_iopub())
        ]

    def send(self, channel: str, kind: str, content: dict[str, Any]) -> str:
        message = self._client.session.msg(kind, content)
        getattr(self._client, f"{channel}_channel").send(message)
        identity: str = message["header"]["msg_id"]
        self.channels[channel].sent.append(identity)
        return identity

    def execute(self, code: str) -> str:
        return self.send("shell", "execute_request", {"code": code, **_QUIET})

    async def answer(self, identity: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while identity not in self.channels["shell"].answered:
            assert time.monotonic() < end, f"no answer to {identity}"
            await asyncio.sleep(0.005)

    def faults(self) -> list[str]:
        """What is wrong: lost, doubled or out of order; empty when all is well."""
        found = []
        for name, channel in self.channels.items():
            counted = collections.Counter(channel.answered)
            lost = [i for i in channel.sent if not counted[i]]
            doubled = [i for i, n in counted.items() if n > 1]
            if lost or doubled:
                found.append(f"{name}: {len(lost)} lost, {len(doubled)} doubled")
            elif channel.answered != channel.sent:
                found.append(f"{name}: out of order")
            for state in ("busy", "idle"):
                wrong = [i for i in channel.sent if self.states[i, state] != 1]
                if wrong:
                    found.append(f"{name}: {len(wrong)} not exactly once {state}")
        ended = [str(t.exception()) for t in self._tasks if t.done()]
        return found + self.errors + self.garbled + ended

    @property
    def waiting(self) -> int:
        """How many of its requests have no answer yet."""
        return sum(len(c.sent) - len(c.answered) for c in self.channels.values())

    @property
    def complete(self) -> bool:
        return all(
            len(c.answered) >= len(c.sent) and all(self.states[i, "idle"] for i in c.sent)
            for c in self.channels.values()
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._client.stop_channels()

    async def _messages(self, channel: str) -> Any:
        socket = getattr(self._client, f"{channel}_channel").socket
        while True:
            # not zmq.asyncio: its sockets miss messages that arrive while they send
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                await asyncio.sleep(0.002)
                continue
            _, parts = self._client.session.feed_identities(frames)
            try:
                message = self._client.session.deserialize(parts)
            except ValueError as error:
                self.garbled.append(f"{channel}: {error}")
                continue
            yield message

    async def _listen(self, channel: str) -> None:
        async for message in self._messages(channel):
            self.channels[channel].answered.append(message["parent_header"]["msg_id"])
            content = message["content"]
            if content.get("status") == "error":
                self.errors.append(f"{message['msg_type']}: {content.get('evalue')}")

    async def _listen_iopub(self) -> None:
        async for message in self._messages("iopub"):
            if message["msg_type"] == "status":
                parent = message["parent_header"].get("msg_id", "")
                self.states[parent, message["content"]["execution_state"]] += 1


class Load:
    """Sends in the background, `period` seconds between two requests of each client.

    A kernel that is slower than that is given time: at most 100 requests of a client wait.
    """

    def __init__(self, clients: Sequence[Client], period: float) -> None:
        self._kinds: Iterator[tuple[str, dict[str, Any]]] = itertools.cycle(KINDS)
        self._on = True
        self._tasks = [asyncio.ensure_future(self._fire(c, period)) for c in clients]

    async def stop(self) -> None:
        self._on = False
        await asyncio.gather(*self._tasks)

    async def _fire(self, client: Client, period: float) -> None:
        due = time.monotonic()
        for number in itertools.count():
            if not self._on:
                return
            client.send("shell", *next(self._kinds))
            if number % 5 == 0:
                client.send("control", "kernel_info_request", {})
            while client.waiting > 100 and self._on:
                await asyncio.sleep(period)
            due = max(due + period, time.monotonic())
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def settled(clients: Sequence[Client], seconds: float = 60) -> None:
    """Wait until everything is answered, at most so long."""
    end = time.monotonic() + seconds
    while not all(c.complete for c in clients) and time.monotonic() < end:
        await asyncio.sleep(0.02)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.3)  # what would come twice
