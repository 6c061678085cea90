"""A Dask cluster: what its workers and its scheduler have, and what is registered with it."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envmagic.core.model import Progress
from envmagic.shipping import dask_parts, workers
from envmagic.shipping.dask_client import answers
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen

__all__ = ["Cluster", "Looked", "Member"]

_SCHEDULER = "scheduler"
_SECOND = 1.0


@dataclass(frozen=True)
class Member:
    """A worker, or the scheduler, which reads what is sent to workers."""

    seen: Seen
    said: Mapping[str, Any]
    """As `on_dask_state.state`."""

    @property
    def installs(self) -> bool:
        """uv or pip is there."""
        return bool(self.said["installs"])

    @property
    def failed(self) -> Mapping[str, str]:
        """What was registered and could not be had there -> why."""
        return dict(self.said["failed"])


@dataclass(frozen=True)
class Looked:
    """What there was when it was looked at."""

    members: tuple[Member, ...]
    """Those in the notebook's own process left out: they have what it has."""
    registered: frozenset[str]
    """The names of ours."""
    within: bool
    """Workers run in the notebook's own process."""


class Cluster:
    """The cluster of a client, for one payload."""

    def __init__(self, client: Any, payload: Payload, progress: Progress) -> None:
        self._client = client
        self._payload = payload
        self._progress = progress
        self._there = dask_parts.by_value()

    def pythons(self) -> Mapping[str, str]:
        """The version of Python of each member: asked in words that each of them understands."""
        with answers(self._client):
            ask = platform.python_version
            return {_SCHEDULER: self._client.run_on_scheduler(ask), **self._client.run(ask)}

    def look(self) -> Looked:
        """What its members have, where they are of this minor version of Python."""
        with answers(self._client):
            return self._looked()

    def _looked(self) -> Looked:
        asked = workers.look(), [*self._payload.names, *dask_parts.LEAVES]
        words = (*asked, self._payload.module_names)
        scheduler = self._client.run_on_scheduler(self._there.state, *words)
        said = {_SCHEDULER: scheduler, **self._client.run(self._there.state, *words)}
        mine = (socket.gethostname(), os.getpid())
        near = {name for name, answer in said.items() if tuple(answer["process"]) == mine}
        return Looked(
            tuple(Member(Seen.of(n, a), a) for n, a in said.items() if n not in near),
            frozenset(scheduler["registered"]),
            bool(near - {_SCHEDULER}),
        )

    def put(self, parts: Sequence[Any]) -> Looked:
        """Register `parts`, and look what that came to; where it is broken off, they go again."""
        names = [part.name for part in parts]
        try:
            with answers(self._client):
                self._patiently(lambda: self._register(parts))
            return self.look()
        except BaseException:
            self.take(names)
            raise

    def _register(self, parts: Sequence[Any]) -> None:
        import cloudpickle

        for part in parts:  # beside the workers: it may be another machine
            if dask_parts.is_for_scheduler(part):
                pickled = cloudpickle.dumps(part)
                self._client.run_on_scheduler(self._there.put, pickled, wait=False)
        for part in parts:
            self._client.register_plugin(part, name=part.name)
        self._client.run_on_scheduler(self._there.settled, [part.name for part in parts])

    def take(self, names: Iterable[str]) -> None:
        """Register those called `names` no more, and have nothing there of what they have put."""
        names = list(names)
        with contextlib.suppress(Exception):  # an undoing has no one to tell
            self._client.run_on_scheduler(self._there.take, names)
        for name in names:
            with contextlib.suppress(Exception):
                self._client.unregister_worker_plugin(name)

    def supersede(self, names: Sequence[str]) -> None:
        """Register those called `names` no more; what newer ones build upon stays there."""
        if names:
            self._client.run_on_scheduler(self._there.keep, names)
            self._client.run(self._there.keep, names)
            self.take(names)

    def _patiently(self, call: Callable[[], None]) -> None:
        """Do `call` beside this thread, which tells that it goes on, and can be interrupted."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(_SECOND)
        while thread.is_alive():
            self._progress.waiting()
            thread.join(_SECOND)
        if raised:
            raise raised[0]
