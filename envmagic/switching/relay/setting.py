"""What all kernels behind one relay have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

__all__ = ["LaunchSetting"]


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
    """What `server_api.RELAY` says to the kernel: what is in front of it."""
    context: Any
    error_output: int | None
    """Where their error output goes on to, once they run."""
