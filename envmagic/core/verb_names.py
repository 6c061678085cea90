"""The words that are verbs, alone: `%load_ext envmagic` knows them, and is to be quick."""

from __future__ import annotations

__all__ = ["RESERVED_VERBS", "VERBS"]

VERBS = (
    "create",
    "attach",
    "use",
    "install",
    "uninstall",
    "sync",
    "record",
    "list",
    "status",
    "plan",
    "remove",
    "doctor",
    "autoload",
    "lock",
    "history",
    "undo",
    "restore",
    "export",
    "clone",
    "rename",
    "upgrade",
    "ship",
)
"""Those of the requests in `core.verbs`; a test compares them."""
RESERVED_VERBS = (
    "help",
    "version",
)
"""For later versions."""
