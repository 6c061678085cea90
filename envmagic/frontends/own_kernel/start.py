"""Starts the kernel `envmagic`: becomes the kernel of the notebook's environment where that is
ready; else starts an ordinary one, whose first cell makes it so.

Every start waits for this, so it imports next to nothing as long as nothing has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from string import Template

from envmagic.frontends.own_kernel import remembered

__all__ = ["main"]

_OF_A_SERVER = re.compile(r"kernel-([0-9a-f-]{36})\.json")


def main(arguments: Sequence[str]) -> None:
    """Run the kernel with `arguments`, which are ipykernel's: `-f CONNECTION_FILE` among them."""
    python = ""
    if os.name == "posix":  # elsewhere no process can become another one
        file = os.path.abspath(arguments[arguments.index("-f") + 1])
        _become_again(file)
        python = _become_planned(file)
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([*arguments, "--ext", "envmagic.frontends.own_kernel.first_cell"])
    if python:  # frontends save this in the notebook, and ask for it before its first cell
        app.kernel.language_info = {**app.kernel.language_info, "version": python}
    app.start()


def _become_again(connection_file: str) -> None:
    """Run the kernel that the notebook had last; returns where that may have to be another."""
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    if not _OF_A_SERVER.fullmatch(os.path.basename(connection_file)):
        return  # the variable is of the kernel in a cell of which this was started
    from envmagic.system import directories

    notebook = os.path.join(os.getcwd(), notebook)
    found = remembered.recall(str(directories.home()), notebook)
    if found is not None:
        with contextlib.suppress(OSError):  # then it is planned anew, and said if need be
            _become(*found, connection_file)


def _become_planned(connection_file: str) -> str:
    """Run the kernel of the notebook's environment; returns where it is not ready, with the version
    of Python that it will have, if that is known.

    Whatever is wrong is told by the first cell, where a person can read it.
    """
    import logging
    from pathlib import Path

    from envmagic.core.errors import EnvmagicError
    from envmagic.jupyter import live_notebook
    from envmagic.operations.own_kernel import ready_kernel
    from envmagic.system import directories

    looks = remembered.Looks()
    try:
        located = live_notebook.at_start(Path(connection_file))
        directory = located.path.parent if located.path is not None else located.directory
        with looks.at_all():
            found = ready_kernel(located.path, directory)
        if not found.words:
            return found.python
        if located.path is not None:
            home, notebook = str(directories.home()), str(located.path)
            what = (found.words, found.variables, found.shows)
            looks.looked_for.update(map(str, found.looked_for))
            with contextlib.suppress(OSError, ValueError):  # it is found out anew each time
                remembered.remember(home, notebook, looks, *what, everything=found.guessed)
        _become(found.words, found.variables, found.shows, connection_file)
    except EnvmagicError:
        pass
    except Exception as error:
        from envmagic.system import unforeseen

        logging.warning("%s", unforeseen.logged(error, "the start of a kernel"))
    return ""


def _become(
    words: Sequence[str], variables: Mapping[str, str], shows: str, connection_file: str
) -> None:
    """Become the program of a kernelspec, as Jupyter would start it. Raises `OSError`."""
    _leave_note(connection_file, shows)
    command = [connection_file if word == "{connection_file}" else word for word in words]
    expanded = {n: Template(text).safe_substitute(os.environ) for n, text in variables.items()}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, {**os.environ, **expanded})


def _leave_note(connection_file: str, shows: str) -> None:
    """Let the server's extension know what to show instead of this kernel's name: the environment.

    Asking it would take longer than all the rest.
    """
    directory, name = os.path.split(connection_file)
    served = _OF_A_SERVER.fullmatch(name)
    if served is None:
        return
    note = os.path.join(directory, f"envmagic-restart-{served[1]}.json")
    part = f"{note}.{os.getpid()}"
    with contextlib.suppress(OSError):
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump({"kernel_id": served[1], "shows": shows}, opened)
        os.replace(part, note)
