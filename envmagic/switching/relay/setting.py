"""What all kernels behind one relay have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.jupyter import connection, server_api
from envmagic.switching.carried import initial_environment
from envmagic.switching.kernel_names import spec_named
from envmagic.switching.relay import wire
from envmagic.switching.relay.ipykernel_gate import error_output
from envmagic.system import prefix_layout

__all__ = ["LaunchSetting", "home_name", "setting_of"]


@dataclass(frozen=True)
class LaunchSetting:
    """What all kernels behind one relay have in common."""

    key: bytes
    signature_scheme: str
    session: str
    """What the first kernel's messages say of their sender. JupyterLab passes over what it has not
    yet handled as soon as a message says another."""
    directory: Path
    """Where they are started: where the first kernel was."""
    environment: Mapping[str, str]
    """The variables the first kernel was started with."""
    first: Mapping[str, Any]
    """Its kernelspec, as the file says it; empty when it is not known."""
    relay: Mapping[str, Any]
    """What `connection.RELAY` says to the kernel: what is in front of it."""
    context: Any
    error_output: int | None
    """Where their error output goes on to, once they run."""


def setting_of(kernel: Any) -> LaunchSetting:
    """The setting of the relay in the process of `kernel`, which is ipykernel's.

    Raises `EnvmagicError` where the process is no kernel.
    """
    import zmq

    front = connection.connection()
    if front is None:
        raise EnvmagicError("no-kernel", "This process is not a kernel.")
    first = home_name()
    return LaunchSetting(
        key=kernel.session.key,
        signature_scheme=kernel.session.signature_scheme,
        session=kernel.session.session,
        directory=Path(kernel.shell.starting_dir),
        environment=initial_environment(),
        first=spec_named(first),
        relay={
            "protocol": wire.PROTOCOL,
            "pid": os.getpid(),
            "connection_file": str(front.connection_file),
            "parent": front.parent,
            "first": first,
        },
        context=zmq.Context(),
        error_output=error_output(),
    )


def home_name() -> str:
    """The kernelspec this process was started from.

    After a restart in another environment the connection file still has the first name.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    for name, found in KernelSpecManager().get_all_specs().items():
        entry = found["spec"].get("metadata", {}).get("envmagic")
        prefix = entry.get("prefix") if isinstance(entry, dict) else None
        if isinstance(prefix, str) and prefix_layout.same(prefix, sys.prefix):
            return str(name)
    front = connection.connection()
    if front is None:
        return ""
    asked = server_api.session(front)
    return asked[1].kernel_name if asked is not None else connection.kernel_name(front)
