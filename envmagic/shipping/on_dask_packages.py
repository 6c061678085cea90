"""Distributions in Dask's own processes; sent by value as `on_dask` is."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from typing import Any

import locket

from envmagic.shipping.on_dask import Part, off_path, scratch

__all__ = ["Packages", "installers"]

_ABOUT = "envmagic.json"
"""In a directory of ours: name -> digest of each wheel that was built for it."""
_FAILED = ".failed"
"""Behind the name of such a directory: why it could not be filled, for those that wait for it."""
_COLOURS = ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")  # a kernel sets them for its children
_LOUDLY = ("ERROR:", "error:", "×")
_AGAIN = 0.05  # seconds


class Packages(Part):
    """Distributions, in a directory that comes before what the process has.

    The environment that the workers were started in stays what it is: it may be shared, read-only
    or in use; and what a process has imported from there still goes with the rest of it.
    """

    def __init__(
        self,
        name: str,
        home: tuple[str, int],
        lines: dict[str, tuple[str, str]],
        wheels: dict[str, tuple[str, bytes]],
        index: str,
    ) -> None:
        super().__init__(name, home)
        self.lines = lines
        """Name -> version, and the requirement for it."""
        self.wheels = wheels
        """Name -> what the wheel's file is called, and its content: where no index has it."""
        self.index = index
        self.place = ""
        self.child: subprocess.Popen[str] | None = None
        self.given_up = False

    async def put(self, server: Any) -> None:
        lacking = [name for name in sorted(self.lines) if not self._is_there(name)]
        if not lacking:
            return
        above = os.path.join(os.path.dirname(scratch(server)), "envmagic")
        os.makedirs(above, exist_ok=True)
        place = os.path.join(above, self._digest(lacking))
        lock = locket.lock_file(place + ".lock", timeout=0)  # one installs for all on this host
        begun = time.time()
        while not _locked(lock):
            await asyncio.sleep(_AGAIN)
        try:
            if not os.path.isdir(place) and not self.given_up:
                _raise_failed(place, begun)
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, self._install, lacking, place)
        finally:
            lock.release()
        if not self.given_up:
            self.place = place
            sys.path.insert(_behind_uploads(server), place)
            importlib.invalidate_caches()

    def take(self) -> None:
        self.given_up = True
        if self.child is not None:
            _end(self.child)
        if self.place:
            off_path(self.place)

    def _is_there(self, name: str) -> bool:
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if found.version != self.lines[name][0] or name not in self.wheels:
            return found.version == self.lines[name][0]
        try:  # another wheel may have the same version
            with open(str(found.locate_file(_ABOUT)), encoding="utf-8") as opened:
                return bool(json.load(opened).get(name) == self._wheels_digest(name))
        except (OSError, ValueError):
            return False

    def _wheels_digest(self, name: str) -> str:
        return hashlib.sha256(self.wheels[name][1]).hexdigest()

    def _digest(self, lacking: list[str]) -> str:
        told = [str(sys.implementation.cache_tag), sysconfig.get_platform()]
        told += [self.lines[name][1] for name in lacking]
        told += [self._wheels_digest(name) for name in lacking if name in self.wheels]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:20]

    def _install(self, lacking: list[str], place: str) -> None:
        """Fill `place`, whole or not at all; by pip where the worker's uv cannot."""
        new = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(place))
        try:
            words = [self._word(name, new) for name in lacking]
            said = "there is neither uv nor pip"
            for command in installers():
                target = tempfile.mkdtemp(prefix="lib-", dir=new)
                said = self._run([*command, "--no-deps", "--target", target, *words])
                if not said and not self.given_up:
                    digests = {n: self._wheels_digest(n) for n in lacking if n in self.wheels}
                    with open(os.path.join(target, _ABOUT), "w", encoding="utf-8") as opened:
                        json.dump(digests, opened)
                    os.rename(target, place)
                if not said or self.given_up:
                    return
            with open(place + _FAILED, "w", encoding="utf-8") as opened:
                opened.write(said)
            raise RuntimeError(said)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _word(self, name: str, new: str) -> str:
        """What the installer is given for a distribution."""
        if name not in self.wheels:
            return self.lines[name][1]
        called, content = self.wheels[name]
        file = os.path.join(new, called)
        with open(file, "wb") as opened:
            opened.write(content)
        return file

    def _run(self, words: list[str]) -> str:
        """What the installer says where it fails; empty where it does not."""
        variables = {k: v for k, v in os.environ.items() if k not in _COLOURS} | {"NO_COLOR": "1"}
        if self.index:  # not among the words, which everybody on the machine sees
            variables |= {"PIP_INDEX_URL": self.index, "UV_DEFAULT_INDEX": self.index}
            for no in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
                variables.pop(no, None)
        self.child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=variables,
            start_new_session=os.name == "posix",
        )
        if self.given_up:  # meanwhile
            _end(self.child)
        said = self.child.communicate()[1]
        return _verdict(said) if self.child.returncode else ""


def installers() -> list[list[str]]:
    """The commands that install for this Python, the quickest first."""
    beside = os.path.dirname(sys.executable)
    uv = shutil.which("uv", path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))
    found = []
    if uv:
        found.append([uv, "pip", "install", "--quiet", "--python", sys.executable])
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
        found.append([*pip, "--disable-pip-version-check"])
    return found


def _verdict(said: str) -> str:
    """The line of what an installer says that tells why it failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(_LOUDLY)]
    return (told or lines or ["it said nothing"])[0]


def _raise_failed(place: str, since: float) -> None:
    """Raise what another process has raised meanwhile that did the same."""
    try:
        if os.stat(place + _FAILED).st_mtime >= since:
            with open(place + _FAILED, encoding="utf-8") as opened:
                raise RuntimeError(opened.read())
    except OSError:
        pass


def _end(child: subprocess.Popen[str]) -> None:
    try:
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)  # builds are its children
        else:
            child.kill()
    except OSError:  # it has ended
        pass


def _locked(lock: Any) -> bool:
    try:
        lock.acquire()
    except locket.LockError:
        return False
    return True


def _behind_uploads(server: Any) -> int:
    """Where those places end in `sys.path` that hold what was uploaded, which is the user's own."""
    own = scratch(server)
    return next((n for n, place in enumerate(sys.path) if not place.startswith(own)), 0)
