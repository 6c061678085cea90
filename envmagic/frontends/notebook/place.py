"""Where a magic was said: what "here" and "this notebook" mean in a notebook."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic import switching
from envmagic.core.model import Frontend, Place
from envmagic.frontends.notebook import session
from envmagic.jupyter import connection, live_notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


__all__ = ["of_notebook"]


def of_notebook(shell: InteractiveShell) -> Place:
    """The place of a magic said in `shell`.

    Without a notebook, relative paths count from where the session started: `os.chdir` in a cell
    does not move it.
    """
    located = live_notebook.find(shell)
    server = located.session
    ran = session.log(shell, located.path)
    return Place(
        frontend=Frontend.NOTEBOOK,
        directory=located.path.parent if located.path else located.directory,
        notebook=located.path,
        prefix=Path(sys.prefix),
        kernel=switching.kernel_name(shell) or (server.kernel_name if server else _started_as()),
        switch=switching.strategy(shell),
        cells=ran.cells,
        saved_since_start=ran.saved_since_start,
        failed=ran.failed,
        values=shell.user_ns,
        executing=located.executing,
    )


def _started_as() -> str | None:
    """The kernel that a program without a server was told to start: nbconvert and the like."""
    front = connection.connection()
    return (connection.kernel_name(front) or None) if front is not None else None
