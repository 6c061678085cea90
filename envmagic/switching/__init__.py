"""Moving the live notebook to another kernel: which way works here, as a `model.Switch`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.model import Switch
from envmagic.switching.by_hand import ByHand

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["is_leaving", "kernel_name", "leave_cell", "leaves_cell", "put_off_cell", "strategy"]

_NEEDED = ("shell_stream", "control_stream", "iopub_thread", "stdin_socket", "session", "io_loop")


def strategy(shell: InteractiveShell) -> Switch:
    """The way that works for the kernel `shell` runs in, cheap to ask for at every verb."""
    from envmagic.switching import by_relay
    from envmagic.switching.relay.ipykernel_gate import gate_of

    kernel: Any = getattr(shell, "kernel", None)
    if kernel is None:
        return _in_terminal(shell)
    usual = all(getattr(kernel, name, None) is not None for name in _NEEDED)
    gate = gate_of(kernel) if usual else None
    if gate is None:
        return _by_server(shell)
    relay = by_relay.relay_file(kernel)
    return (
        by_relay.FromHome(shell, gate) if relay is None else by_relay.FromBehind(shell, gate, relay)
    )


def kernel_name(shell: InteractiveShell) -> str | None:
    """What the kernel that `shell` runs in is called; None for the one the session began with, as
    far as a restart has not put an environment's in its place."""
    from envmagic.jupyter import kernelspecs, launcher
    from envmagic.switching import by_relay

    kernel: Any = getattr(shell, "kernel", None)
    relay = None if kernel is None else by_relay.relay_file(kernel)
    if relay is not None:
        return str(relay["kernel"])
    started = kernelspecs.of_prefix(Path(sys.prefix)) if launcher.NAME in sys.modules else None
    return started.name if started is not None else None


def is_leaving(shell: InteractiveShell) -> bool:
    """Whether the notebook moves to another kernel when the running cell ends."""
    from envmagic.switching import shell_state

    return shell_state.of(shell).is_leaving


def leaves_cell(shell: InteractiveShell) -> bool:
    """Whether the running cell has to end here, since the notebook moves."""
    from envmagic.switching import shell_state

    state = shell_state.of(shell)
    departure = state.departure
    if state.is_leaving and departure is not None and departure.rest and not departure.travels:
        return True
    return state.leave is not None


def leave_cell(shell: InteractiveShell) -> None:
    """End the running cell: its rest runs in the kernel the notebook moves to, or not at all."""
    from envmagic.switching import by_relay, shell_state

    state = shell_state.of(shell)
    leave, state.leave = state.leave, None
    if leave is not None:
        leave()
    by_relay.leave_cell(shell)


def put_off_cell(shell: InteractiveShell, request: str, source: str) -> None:
    """The request with that id runs a statement in the place of its cell, which is `source`: all of
    it is to run in the kernel that the notebook moves to."""
    from envmagic.switching import shell_state

    shell_state.of(shell).whole = (request, source)


def _in_terminal(shell: InteractiveShell) -> Switch:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from envmagic.switching.by_exec import ByExec

    return ByExec(shell) if isinstance(shell, TerminalInteractiveShell) else ByHand(shell)


def _by_server(shell: InteractiveShell) -> Switch:
    from envmagic.jupyter import connection, server_api
    from envmagic.switching.by_session import BySession

    front = connection.connection()
    found = server_api.session(front) if front is not None else None
    return BySession(shell, *found) if found is not None else ByHand(shell)
