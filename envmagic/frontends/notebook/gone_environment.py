"""In a kernel that stands for one that could not be started again: its first cell says why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError, Problem
from envmagic.environments import registry
from envmagic.frontends import render
from envmagic.frontends.notebook import magic
from envmagic.jupyter.restart_fallback import GONE

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load envmagic, whose verbs mend it, and say above the first cell what has happened."""
    magic.load(shell)
    said = os.environ.pop(GONE, "")
    if said:
        shell.events.register("pre_run_cell", _FirstCell(shell, json.loads(said)))


class _FirstCell:
    def __init__(self, shell: InteractiveShell, said: dict[str, str]) -> None:
        self._shell, self._said = shell, said

    def __call__(self, info: Any) -> None:
        if info.silent or not info.store_history:
            return
        self._shell.events.unregister("pre_run_cell", self)
        name = self._said["kernel"]
        print(f"The kernel {name!r} could not be started again, so this notebook is back here.")
        print(render.line(_what_is_wrong(self._said)))


def _what_is_wrong(said: dict[str, str]) -> Problem:
    prefix = said["prefix"]
    if not prefix:
        remove = ("jupyter", "kernelspec", "remove", "-f", said["kernel"])
        missing = f"{said['program']} is missing."
        return Problem("kernel-cannot-start", missing, "To take it away", tool_command=remove)
    try:
        registry.environment_at(Path(prefix))
    except EnvmagicError as error:
        return error.problem
    return Problem(
        "kernel-cannot-start",
        "Its environment is there, but its kernel is not.",
        "To have it again",
        command=("attach", prefix),
    )
