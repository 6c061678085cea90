"""Telling the server what a restart is to start, and the person when nobody can be told."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Kernel
from envmagic.jupyter import connection, kernelspecs, server_api
from envmagic.system import files

__all__ = ["Label", "restart_in", "take_back"]

_PATIENCE = 1.5  # seconds for the server to follow a note; it looks twice a second


@dataclass(frozen=True)
class Label:
    """What became of the wish."""

    hint: str = ""
    """What a restart will do, when that is not what the person may expect."""
    name: str = ""
    """The kernel that a restart will start; empty when nobody could be told."""


def restart_in(kernel: Kernel, *, keep_name: bool, first: str) -> Label:
    """Have a restart of this notebook's kernel start `kernel`; never raises.

    `first`: the kernel that it starts otherwise, and the one that is told where `kernel` sleeps and
    could not start any more. Under nbconvert and the like there is no server and no restart, so
    nothing is said; nor where the notebook keeps the kernel that finds its environment by itself,
    which is what a restart starts then.
    """
    front = connection.connection()
    if front is None or front.kernel_id is None:
        return Label()
    if keep_name and first == kernelspecs.OWN:
        wish = {"name": first, "keep_name": True, "shows": kernel.display_name}
        return Label(name=first if _tell(front, wish) else "")
    gone = not kernel.argv or (os.path.isabs(kernel.argv[0]) and not os.path.exists(kernel.argv[0]))
    name = first if gone else kernel.name
    told = bool(name) and _tell(front, {"name": name, "keep_name": keep_name})
    if gone and name != kernel.name:
        where = f"A restart comes up in {first or 'the first kernel'}"
        return Label(f"{where}: the environment of {kernel.name} is gone.", name if told else "")
    if told:
        return Label(name=name)
    if kernel.name == first:
        return Label()
    if keep_name:
        return Label(hint=f"A restart comes up in {first or 'the first kernel'} again.")
    return Label(
        hint=f"A restart goes back to {first or 'the first kernel'}; to make it last, choose"
        f" {kernel.display_name!r} in the kernel menu."
    )


def take_back(told: Label) -> None:
    """Take `restart_in` back: the notebook did not move after all."""
    front = connection.connection()
    if told.name and front is not None and front.kernel_id is not None:
        _tell(front, {"undo": told.name})


def _tell(front: connection.Connection, body: Mapping[str, object]) -> bool:
    """Tell the server of this kernel; whether it heard."""
    for server in server_api.servers(front):
        try:
            server_api.call(server, f"envmagic/kernels/{front.kernel_id}", "PUT", body)
        except server_api.Refused as error:
            if error.status in (401, 403) and _by_note(front, body):
                return True
        except (OSError, ValueError):
            continue
        else:
            return True
    return False


def _by_note(front: connection.Connection, body: Mapping[str, object]) -> bool:
    """Leave a note for a server that lets us not ask; whether it was followed."""
    note = front.connection_file.parent / f"envmagic-restart-{front.kernel_id}.json"
    content = json.dumps({"kernel_id": front.kernel_id, **body}).encode()
    try:
        files.write_atomic(note, content, mode=0o600)
    except EnvmagicError:
        return False
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if not note.exists():
            return True
        time.sleep(0.02)
    with contextlib.suppress(OSError):
        Path(note).unlink()
    return False
