"""Starts the kernel `envmagic`: becomes the kernel of the notebook's environment where that is
ready; else starts an ordinary one, whose first cell makes it so."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from envmagic.core.errors import EnvmagicError

__all__ = ["main"]

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> None:
    """Run the kernel with `arguments`, which are ipykernel's: `-f CONNECTION_FILE` among them."""
    if os.name == "posix":  # elsewhere no process can become another one
        _become_kernel(Path(arguments[arguments.index("-f") + 1]).absolute())
    from ipykernel.kernelapp import IPKernelApp

    extension = "envmagic.frontends.own_kernel.first_cell"
    IPKernelApp.launch_instance(argv=[*arguments, "--ext", extension])


def _become_kernel(connection_file: Path) -> None:
    """Run the kernel of the notebook's environment in this process; returns where it is not ready.

    Whatever is wrong is told by the first cell, where a person can read it.
    """
    from envmagic.jupyter import live_notebook
    from envmagic.operations.own_kernel import ready_kernel

    try:
        located = live_notebook.at_start(connection_file)
        directory = located.path.parent if located.path is not None else located.directory
        command = ready_kernel(located.path, directory, connection_file)
        if command is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os.execve(command.words[0], command.words, dict(command.variables))
    except EnvmagicError:
        pass
    except Exception:
        _log.warning("The notebook's environment could not be looked for.", exc_info=True)
