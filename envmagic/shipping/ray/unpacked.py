"""What is installed from a directory, as modules that Ray takes to its workers.

Ray takes wheels too, but knows one by its name alone, so that it would send a changed one of the
same version no more, and installs with it whatever it asks for in the newest version.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from envmagic.core.model import Environment, Progress
from envmagic.shipping import wheels
from envmagic.shipping.payload import Payload, Pin
from envmagic.system import directories, scratch

__all__ = ["modules_of"]

_INSTALLED = ("purelib", "platlib")


def modules_of(payload: Payload, progress: Progress) -> list[Path]:
    """The files and directories that workers need on their path: the notebook's own modules, and
    what wheels hold that are made of directories here; they stay as long as they are up to date.

    Raises `EnvmagicError` where a wheel cannot be built.
    """
    found = [module.path for module in payload.modules]
    for pin in payload.pins:
        if pin.directory is not None:
            place = _unpacked(pin, payload.environment, progress)
            found += sorted(place.iterdir())
    return found


def _unpacked(pin: Pin, environment: Environment, progress: Progress) -> Path:
    all_of_them = directories.cache() / "shipped"
    stamp = f"{environment.python}\0{pin.directory}\0{pin.stamp}"
    digest = hashlib.sha256(stamp.encode()).hexdigest()[:16]
    place = all_of_them / f"{pin.name}-{pin.version}-{digest}"
    if not place.is_dir():
        all_of_them.mkdir(parents=True, exist_ok=True)
        with scratch.beside(all_of_them) as building:
            wheel = wheels.built([pin], environment, building, progress)[pin.name]
            unpacked = building / "unpacked"
            _unpack(wheel, unpacked)
            _forget(all_of_them, pin.name)
            os.replace(unpacked, place)
    return place


def _unpack(wheel: Path, into: Path) -> None:
    """What the installation of `wheel` would put among the modules."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(into)
    for data in list(into.glob("*.data")):
        for part in _INSTALLED:
            if (data / part).is_dir():
                shutil.copytree(data / part, into, dirs_exist_ok=True)
        shutil.rmtree(data)


def _forget(all_of_them: Path, name: str) -> None:
    for earlier in all_of_them.glob(f"{name}-*"):
        if earlier.name.count("-") == name.count("-") + 2:
            shutil.rmtree(earlier, ignore_errors=True)
