"""What a kernel's name means in this session: inside an environment others may go by it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envmagic import server_api
from envmagic.model import Kernel

__all__ = ["kernel_named"]


def kernel_named(name: str, first: str) -> Kernel | None:
    """The kernel the server would start as `name`, else the one this session began with.

    In an environment `python3` would otherwise be the spec that ipykernel installed there. `first`
    is the name of what the session began with. None when neither knows it.
    """
    front = server_api.front()
    asked = server_api.session(front) if front is not None else None
    if asked is not None:
        server = asked[0]
        try:
            specs = server_api.call(server, "api/kernelspecs")["kernelspecs"]
            return _kernel(name, specs[name]["spec"], server)
        except (OSError, ValueError, KeyError, TypeError, server_api.Refused):
            return None
    # what the session began with may have got a second name: that of its environment's kernel
    if name == first or (front is not None and name == server_api.kernel_name(front)):
        return Kernel(first or name, Path(), name, ("python", "-m", "ipykernel_launcher"))
    return None


def _kernel(name: str, spec: Mapping[str, Any], server: server_api.Server) -> Kernel:
    kernel = Kernel(
        name=name,
        directory=Path(),
        display_name=str(spec.get("display_name") or name),
        argv=tuple(str(word) for word in spec["argv"]),
        language=str(spec.get("language") or ""),
        env={str(k): str(v) for k, v in (spec.get("env") or {}).items()},
        metadata=spec.get("metadata") or {},
    )
    if re.fullmatch(r"python(3(\.\d+)?)?", kernel.argv[0]):
        # jupyter_client puts the server's own interpreter for a bare `python`
        return replace(kernel, argv=(_interpreter(server), *kernel.argv[1:]))
    return kernel


def _interpreter(server: server_api.Server) -> str:
    """The server's Python, by the name it was started with: a venv's is a link to another."""
    try:
        words = Path("/proc", str(server.pid), "cmdline").read_bytes().split(b"\0")
        started = os.fsdecode(words[0])
    except OSError:
        return "python"
    return started if os.path.isabs(started) else "python"
