"""What a person has bound in a kernel."""

from __future__ import annotations

import types
from typing import Any

__all__ = ["variables"]


def variables(shell: Any) -> list[str]:
    """The names a person has bound in `shell`; imported modules are none."""
    return [
        name
        for name, value in list(shell.user_ns.items())
        if not name.startswith("_")
        and name not in shell.user_ns_hidden
        and not isinstance(value, types.ModuleType)
    ]
