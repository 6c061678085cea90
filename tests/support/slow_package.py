"""A package whose installation waits until it is told to go on."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.kernels import RunningKernel
from support.processes import children, eventually

__all__ = ["Slow", "is_kernel"]

BACKEND = """
import os, time
from pathlib import Path

HERE = Path(__file__).parent

def build_wheel(directory, config_settings=None, metadata_directory=None):
    parent = os.getppid()
    (HERE / "waiting").touch()
    while not (HERE / "go").exists():
        if os.getppid() != parent:
            raise SystemExit("given up")
        time.sleep(0.01)
    wheel = next(HERE.glob("*.whl"))
    (Path(directory) / wheel.name).write_bytes(wheel.read_bytes())
    return wheel.name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
"""


class Slow:
    """A directory with a package whose installation waits until it is told to go on."""

    def __init__(self, place: Path, wheel: Path) -> None:
        self.place = place
        place.mkdir()
        shutil.copy(wheel, place)
        name, version, *_ = wheel.name.split("-")
        (place / "backend.py").write_text(BACKEND)
        (place / "pyproject.toml").write_text(PROJECT.format(name=name, version=version))

    def begun(self, running: RunningKernel) -> int:
        """The process of the kernel that `running` has started while this is being installed."""
        eventually((self.place / "waiting").exists)
        (child,) = eventually(lambda: [p for p in children(running.pid) if is_kernel(p)])
        return int(child)

    def go_on(self) -> None:
        (self.place / "go").touch()


def is_kernel(process: int) -> bool:
    """Whether it is a kernel of an environment of ours."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"-f" in words and any(word.endswith(b"launcher.py") for word in words)
