"""IPython in a terminal: it starts anew in the environment, in the same terminal."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from envmagic import process
from envmagic.errors import EnvmagicError
from envmagic.model import Asleep, Kernel, Progress, Switched

__all__ = ["Terminal"]


@dataclass
class Terminal:
    """A `model.Switch` that replaces the running IPython by the environment's own."""

    shell: Any

    def check(self) -> None:
        """Refuses where a process cannot take another's place in a terminal."""
        if sys.platform == "win32":
            raise EnvmagicError(
                "cannot-switch",
                "On Windows IPython cannot be replaced within its terminal.",
                "Start the environment's own: python -m IPython.",
            )

    def to(
        self, kernel: Kernel, progress: Progress, *, drop: bool, keep_saved_name: bool
    ) -> Switched:
        """Returns what is lost; IPython is replaced when the magic has said so (`leave`)."""
        from envmagic.switching.moving import variables

        try:
            process.run([kernel.argv[0], "-c", "import IPython"], timeout=60)
        except process.CommandFailed as error:
            raise EnvmagicError(
                "kernel-cannot-start",
                f"There is no IPython in {kernel.name!r}: {error.last_line}.",
                f"%env doctor {kernel.name}",
                subject=kernel.name,
            ) from error
        count = len(variables(self.shell))
        noun = "variable is" if count == 1 else "variables are"
        self.shell._envmagic_leave = partial(_leave, self.shell, kernel)
        message = f"IPython starts anew there; {count} {noun} lost." if count else ""
        return Switched("relay", kernel.name, message)

    def asleep(self) -> list[Asleep]:
        """None: nothing is kept."""
        return []

    def named(self, name: str) -> Kernel | None:
        """Nothing special."""
        return None


def _leave(shell: Any, kernel: Kernel) -> None:
    """Replace this process by IPython in the environment that was chosen; never returns."""
    words = [kernel.argv[0], "-m", "IPython"]
    if "--ext" in kernel.argv:
        words += ["--ext", "envmagic"]
    environment = process.clean_environment()
    for name, value in kernel.env.items():
        environment[name] = process.expanded(value, environment)
    shell.atexit_operations()  # the history is written
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(words[0], words, environment)
