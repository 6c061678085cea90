"""A Dask cluster: what its workers and its scheduler have, and what is registered with it."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
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
_SOON = 10.0  # seconds


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
        registering = _Registering(self._client, self._there, parts)
        try:
            with answers(self._client):
                registering.wait(self._progress)
            return self.look()
        except BaseException:
            names = [part.name for part in parts]
            registering.stop()
            self.take(names)  # which ends what it waits for
            registering.join(_SOON)
            self.take(names)
            raise

    def take(self, names: Iterable[str]) -> None:
        """Register those called `names` no more, and have nothing there of what they have put."""
        if self._client.status != "running":  # it would be waited for
            return
        with contextlib.suppress(Exception):  # an undoing has no one to tell
            for name in self._client.run_on_scheduler(self._there.take, list(names)):
                self._client.unregister_worker_plugin(name)

    def supersede(self, names: Sequence[str]) -> None:
        """Register those called `names` no more; what newer ones build upon stays there."""
        if names:
            self._client.run_on_scheduler(self._there.keep, names)
            self._client.run(self._there.keep, names)
            self.take(names)


class _Registering(threading.Thread):
    """Registers parts beside the main thread, which tells of it and can be interrupted."""

    def __init__(self, client: Any, there: Any, parts: Sequence[Any]) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._there = there
        self._parts = parts
        self._stopped = False
        self._raised: Exception | None = None

    def wait(self, progress: Progress) -> None:
        """Do it, and raise what it raises."""
        self.start()
        self.join(_SECOND)
        while self.is_alive():
            progress.waiting()
            self.join(_SECOND)
        if self._raised is not None:
            raise self._raised

    def stop(self) -> None:
        """Begin with no further part."""
        self._stopped = True

    def run(self) -> None:
        """What the thread does."""
        try:
            self._register()
        except Exception as error:
            self._raised = error

    def _register(self) -> None:
        import cloudpickle

        for part in self._parts:  # beside the workers: it may be another machine
            if dask_parts.is_for_scheduler(part) and not self._stopped:
                pickled = cloudpickle.dumps(part)
                self._client.run_on_scheduler(self._there.put, pickled, wait=False)
        for part in self._parts:
            if not self._stopped:
                self._client.register_plugin(part, name=part.name)
        names = [part.name for part in self._parts]
        self._client.run_on_scheduler(self._there.settled, names)
