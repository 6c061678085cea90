"""Which processes run in an environment: it must not be taken away from under them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from envmagic.environments import renamed

__all__ = ["notebook_of", "pids_in", "with_children"]


_KERNELS = ("ipykernel", "envmagic", "launcher.py")
"""What is in the words that start one."""


def pids_in(prefix: Path, *, kernels_only: bool = False) -> list[int]:
    """The ids of processes that the environment at `prefix` started, this one not among them."""
    import psutil  # comes with ipykernel

    places = (str(prefix), os.path.realpath(prefix), *renamed.places_of(prefix))
    inside = tuple(place + os.sep for place in places)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info.get("cmdline") or [""]
        is_kernel = any(mark in word for word in words[1:6] for mark in _KERNELS)
        counts = process.pid != os.getpid() and (is_kernel or not kernels_only)
        if counts and words[0].startswith(inside):
            found.append(process.pid)
    return found


def with_children(pids: Iterable[int]) -> set[int]:
    """`pids`, and the ids of all processes that those have started."""
    import psutil

    found = set(pids)
    for pid in tuple(found):
        with contextlib.suppress(psutil.Error):
            found |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return found


def notebook_of(pid: int) -> str:
    """The notebook whose kernel the process `pid` is, as its server has told it; else empty."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return os.path.basename(str(psutil.Process(pid).environ().get("JPY_SESSION_NAME", "")))
    return ""
