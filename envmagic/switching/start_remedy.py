"""What helps where a kernel does not start: the doctor knows ours alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from envmagic.core.model import Kernel

__all__ = ["StartRemedy", "start_remedy"]


class StartRemedy(NamedTuple):
    """As `core.errors.Problem` has it."""

    hint: str = ""
    command: tuple[str, ...] = ()
    tool_command: tuple[str, ...] = ()


def start_remedy(kernel: Kernel) -> StartRemedy:
    """Somebody else's Python kernel can be had from its environment, which has parts of ours put
    behind it then; another one can only be taken away."""
    if kernel.ours:
        return StartRemedy(command=("doctor",))
    program = kernel.argv[0] if kernel.argv else ""
    prefix = Path(program).parent.parent
    is_environment = (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir()
    if os.path.isabs(program) and "ipykernel_launcher" in kernel.argv and is_environment:
        return StartRemedy("To run its environment all the same", ("attach", str(prefix)))
    remove = ("jupyter", "kernelspec", "remove", "-f", kernel.name)
    return StartRemedy("It is not envmagic's; to take it away", tool_command=remove)
