"""Which processes run, ending those of a test, and waiting for something to become true."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(place.name))
    return found


def working_in(directory: Path) -> list[int]:
    """The processes that run and in whose words something below `directory` is named."""
    inside = os.fsencode(str(directory) + os.sep)
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if inside in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return [pid for pid in found if runs(pid)]


def end_in(directory: Path) -> None:
    """Kill what still works there, as the compiling of a runtime that nobody will use."""
    while found := working_in(directory):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def eventually(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What `condition` gives once it is true; AssertionError when it does not become true."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
