"""What is in front of the running kernel, by its connection file."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["RELAY", "Connection", "connection", "kernel_name", "of_file", "relay_of"]


RELAY = "ENVMAGIC_RELAY"
"""The variable that tells a kernel behind a relay what is in front of it, as JSON. Nobody else can
set it, and it lasts as long as the process does: a file in a shared directory would do neither."""


_KERNEL_FILE = re.compile(r"kernel-([0-9a-f-]{36})\.json")


@dataclass(frozen=True)
class Connection:
    """The connection that the frontend made, also when this kernel is behind a relay."""

    connection_file: Path
    parent: int | None
    """The process that started it: a server, nbconvert, a console."""

    @property
    def kernel_id(self) -> str | None:
        """The server's id of the kernel; None when it was not a server that started it."""
        found = _KERNEL_FILE.fullmatch(self.connection_file.name)
        return found.group(1) if found else None


def connection() -> Connection | None:
    """The frontend's connection; None when this process is no kernel."""
    module = sys.modules.get("ipykernel.kernelapp")
    application = getattr(module, "IPKernelApp", None)
    if application is None or not application.initialized():
        return None
    return of_file(Path(application.instance().abs_connection_file).absolute())


@functools.cache  # whatever becomes of the variables and of the parent
def of_file(connection_file: Path) -> Connection:
    """The frontend's connection of the kernel that is started with `connection_file`, an absolute
    path, in this process."""
    relay = relay_of(connection_file)
    if relay is not None:
        return Connection(Path(relay["connection_file"]), relay["parent"])
    parent = os.environ.get("JPY_PARENT_PID", "")
    return Connection(connection_file, int(parent) if parent.isdigit() else os.getppid())


@functools.cache
def relay_of(connection_file: Path) -> dict[str, Any] | None:
    """What the relay in front of the kernel with that connection file says of itself; None without
    one. The same for the whole life of the process.

    What a kernel starts inherits the variable: it is about the file that it names, and no other.
    """
    with contextlib.suppress(ValueError, KeyError, TypeError):
        relay: dict[str, Any] = json.loads(os.environ.get(RELAY, ""))
        if relay["kernel_connection_file"] == str(connection_file):
            return relay
    return None


def kernel_name(of: Connection) -> str:
    """The kernelspec the frontend was told to start, as its connection file has it; else empty."""
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(of.connection_file.read_text("utf-8")).get("kernel_name") or "")
    return ""
