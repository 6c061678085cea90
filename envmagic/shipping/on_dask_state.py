"""What Dask's own processes are told and asked; sent by value as `on_dask` is."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import pickle
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from distributed import SchedulerPlugin

from envmagic.shipping.on_dask import Part
from envmagic.shipping.on_dask_packages import Packages, installers

__all__ = ["OnScheduler", "keep", "put", "settled", "state", "take"]

_HELD = "envmagic_parts"
"""Where a scheduler has what of us is in it."""
_AGAIN = 0.02  # seconds
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class OnScheduler(SchedulerPlugin):  # type: ignore[misc]
    """A part in the scheduler, which reads what is sent to workers; of none that join later."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.name = part.name

    async def start(self, scheduler: Any) -> None:
        await _put(self.part, scheduler)


async def put(part: bytes, dask_scheduler: Any) -> None:
    """Have the pickled `part` in the scheduler."""
    await _put(pickle.loads(part), dask_scheduler)


async def _put(part: Part, scheduler: Any) -> None:
    held = vars(scheduler).setdefault(_HELD, {})
    if part.name in held:
        held.pop(part.name).teardown(scheduler)
    held[part.name] = part
    await part.setup(scheduler)


async def settled(names: list[str], dask_scheduler: Any) -> None:
    """Wait until the parts called `names` are in the scheduler, or are known not to come there."""
    held = vars(dask_scheduler).get(_HELD, {})
    while any(name in held and not held[name].settled for name in names):
        await asyncio.sleep(_AGAIN)


def take(names: list[str], dask_scheduler: Any) -> list[str]:
    """Have those parts called `names` in the scheduler no more; returns those of them that its
    workers have."""
    held = vars(dask_scheduler).get(_HELD, {})
    for name in names:
        if name in held:
            held.pop(name).teardown(dask_scheduler)
    return [name for name in names if name in dask_scheduler.worker_plugins]


def keep(names: list[str], dask_worker: Any) -> None:
    """Let what the parts called `names` have put there stay when they go."""
    for name, part in _ours(dask_worker).items():
        if name in names:
            part.stays = True


def state(
    look: Callable[[list[str], list[str]], dict[str, Any]],
    names: list[str],
    modules: list[str],
    dask_worker: Any,
) -> dict[str, Any]:
    """What a worker, or the scheduler, has: as `look` says, and what of ours failed there, or is
    not what it has imported before."""
    ours = _ours(dask_worker)
    places = [part.place for part in ours.values() if isinstance(part, Packages) and part.place]
    before = sorted(set(_imported_before(places)) & set(names))
    dask = _of_dask() if before else set()
    return {
        **look(names, modules),
        "process": (socket.gethostname(), os.getpid()),
        "installs": bool(installers()),
        "registered": sorted(getattr(dask_worker, "worker_plugins", {})),
        "failed": {name: part.failed for name, part in ours.items() if part.failed},
        "before": [name for name in before if name not in dask],
        "dasks": [name for name in before if name in dask],
    }


def _ours(server: Any) -> dict[str, Part]:
    parts = vars(server).get(_HELD) or server.plugins
    return {name: part for name, part in parts.items() if name.startswith("envmagic:")}


def _imported_before(places: list[str]) -> Iterator[str]:
    """The distributions in `places` of which this process has imported modules from elsewhere."""
    for place in places:
        for found in importlib.metadata.distributions(path=[place]):
            tops = {str(file).replace("\\", "/").partition("/")[0] for file in found.files or ()}
            loaded = (
                getattr(sys.modules.get(top.partition(".")[0]), "__file__", "") for top in tops
            )
            if any(file and not file.startswith(place + os.sep) for file in loaded):
                yield _normalized(found.metadata["Name"])


def _of_dask() -> set[str]:
    """Normalised names of what Dask itself consists of here."""
    found: set[str] = set()
    todo = ["distributed"]
    while todo:
        name = _normalized(todo.pop())
        if name not in found:
            found.add(name)
            try:
                lines = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
            todo += [_NAME.findall(line)[0] for line in lines if "extra ==" not in line]
    return found


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
