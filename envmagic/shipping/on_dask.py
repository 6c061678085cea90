"""What Dask's own processes have of us; sent by value, since envmagic is not there.

Only the standard library and distributed.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin

__all__ = ["Modules", "Part", "Variables", "off_path", "scratch"]


class Part(WorkerPlugin):  # type: ignore[misc]
    """Something that workers have as long as it is registered, those that join later too.

    Nothing is raised in a worker, whose log may be the notebook's: `failed` says what went wrong.
    """

    idempotent = False

    def __init__(self, name: str, home: tuple[str, int]) -> None:
        self.name = name
        self.home = home
        """The notebook's own process, where nothing is changed."""
        self.failed = ""
        self.settled = False
        self.raises = False
        """It does raise: for those who do not ask afterwards."""
        self.stays = False
        """What it has put there stays when it goes: another one builds upon it."""

    def __repr__(self) -> str:
        return f"<{self.name}>"

    async def setup(self, worker: Any) -> None:
        joins = getattr(getattr(worker, "status", None), "name", "") == "init"
        try:
            if self.home != (socket.gethostname(), os.getpid()):
                await self.put(worker)
        except Exception as error:
            self.failed = str(error) or type(error).__name__
        finally:
            self.settled = True
        if self.failed and joins:
            logging.getLogger("distributed.worker").error("%s: %s", self.name, self.failed)
        if self.failed and self.raises:
            raise RuntimeError(self.failed)

    def teardown(self, worker: Any) -> None:
        if not self.stays:
            self.take()

    async def put(self, server: Any) -> None:
        """Have it in this process, which is that of `server`."""

    def take(self) -> None:
        """Have it no more, also while it is being put there."""


class Variables(Part):
    """Variables of the environment."""

    def __init__(self, name: str, home: tuple[str, int], values: dict[str, str]) -> None:
        super().__init__(name, home)
        self.values = values
        self.before: dict[str, str | None] = {}

    async def put(self, server: Any) -> None:
        self.before = {key: os.environ.get(key) for key in self.values}
        os.environ.update(self.values)

    def take(self) -> None:
        for key, value in self.before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


class Modules(Part):
    """A module of the notebook's own: one file, or a package with all its files."""

    def __init__(
        self, name: str, home: tuple[str, int], module: str, files: dict[str, bytes]
    ) -> None:
        super().__init__(name, home)
        self.module = module
        self.files = files
        """Path from what is to be on `sys.path`, with `/` -> content."""
        self.place = ""

    async def put(self, server: Any) -> None:
        self.place = tempfile.mkdtemp(prefix="envmagic-", dir=scratch(server))
        for name, content in self.files.items():
            file = os.path.join(self.place, *name.split("/"))
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "wb") as opened:
                opened.write(content)
        sys.path.insert(0, self.place)
        _forget(lambda name, file: name == self.module)

    def take(self) -> None:
        if self.place:
            off_path(self.place)
            _forget(lambda name, file: file.startswith(self.place + os.sep))
            shutil.rmtree(self.place, ignore_errors=True)


def scratch(server: Any) -> str:
    """The directory that a worker, or a scheduler, has for itself."""
    place = str(getattr(server, "local_directory", "") or tempfile.gettempdir())
    os.makedirs(place, exist_ok=True)
    return place


def off_path(place: str) -> None:
    """Let nothing be imported from `place` any more."""
    while place in sys.path:
        sys.path.remove(place)
    importlib.invalidate_caches()


def _forget(wanted: Callable[[str, str], bool]) -> None:
    """Let modules be imported anew whose top-level name, or file, is wanted."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if wanted(name.partition(".")[0], getattr(module, "__file__", None) or ""):
            del sys.modules[name]
