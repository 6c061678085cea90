"""envmagic: one cell gives the open notebook its own environment, kernel and requirements.txt.

`%load_ext envmagic` in a notebook; `envmagic --help` in a terminal.
"""

from __future__ import annotations

from envmagic._version import __version__

TYPE_CHECKING = False  # of no module: `python -m envmagic` looks where it is run first
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Put the magics and the completion into `shell` (`%load_ext envmagic`)."""
    from envmagic.frontends.notebook.magic import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything out of `shell` again; the built-in `%env` is back as it was."""
    from envmagic.frontends.notebook.magic import unload

    unload(shell)
