"""Which notebook this kernel belongs to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.jupyter import connection, server_api
from envmagic.system import process

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.jupyter.connection import Connection
    from envmagic.jupyter.server_api import Server, Session

__all__ = ["Located", "at_start", "find"]

_FRESH = 2.0  # seconds; how long "Save as" may go unnoticed. A rename is noticed at once.
_EXECUTORS = {
    "nbconvert": "nbconvert",
    "jupyter-nbconvert": "nbconvert",
    "execute": "jupyter execute",
    "jupyter-execute": "jupyter execute",
    "nbclient": "jupyter execute",
    "papermill": "papermill",
}


@dataclass(frozen=True)
class Located:
    """Where this kernel's notebook is, and how that is known."""

    path: Path | None
    """Absolute; None when it is not known. The file need not have been saved yet."""
    how: str
    """`vscode`, `server`, `environment`, `command` or `unknown`."""
    directory: Path
    """Where the kernel was started, whatever `os.chdir` was called since."""
    executing: bool = False
    """A program runs the notebook from top to bottom: nbconvert, `jupyter execute`, papermill."""
    session: Session | None = None


def find(shell: InteractiveShell | None = None, *, fresh: bool = False) -> Located:
    """The notebook of the kernel that `shell` (default: this process's) is in.

    An answer is given again for two seconds, as long as the file it names is there; `fresh` asks
    anew. Never raises: what cannot be known is None.
    """
    global _last
    shell = shell if shell is not None else _shell()
    if not fresh and _last is not None and _holds(*_last):
        return _last[1]
    located = _find(shell)
    _last = (time.monotonic(), located)
    return located


_last: tuple[float, Located] | None = None


def _holds(when: float, located: Located) -> bool:
    return time.monotonic() - when < _FRESH and (located.path is None or located.path.exists())


def _find(shell: InteractiveShell | None) -> Located:
    directory = _start_directory(shell)
    front = connection.connection()
    told = shell.user_ns.get("__vsc_ipynb_file__") if shell is not None else None
    if isinstance(told, str) and told:
        return Located(Path(told).absolute(), "vscode", directory)
    if front is None:
        return Located(None, "unknown", directory)
    found = server_api.session(front)
    if found is not None:
        return _of_session(*found, directory)
    return _told(front, directory)


def at_start(connection_file: Path) -> Located:
    """The notebook of the kernel that is about to be started in this process.

    The server is asked last: it may be waiting for this very kernel.
    """
    front, directory = connection.of_file(connection_file), _working_directory()
    located = _told(front, directory)
    if located.path is not None or located.executing or front.kernel_id is None:
        return located
    found = server_api.session(front)
    return _of_session(*found, directory) if found is not None else located


def _told(front: Connection, directory: Path) -> Located:
    """What who started the kernel has told, by its command or by a variable."""
    executor = _executor(front)
    if executor is not None:
        path = _argument(*executor)
        return Located(path, "command" if path else "unknown", directory, executing=True)
    # Set for the kernels of a server only. nbconvert, started in a cell, inherits it: there the
    # connection file has another name. After a rename it is stale.
    named = os.environ.get("JPY_SESSION_NAME", "")
    if front.kernel_id is not None and named.endswith(".ipynb"):
        path = Path(directory, named)
        if path.exists():
            return Located(path, "environment", directory)
    return Located(None, "unknown", directory)


def _of_session(server: Server, session: Session, directory: Path) -> Located:
    if session.kind != "notebook" or not session.path.endswith(".ipynb"):
        return Located(None, "unknown", directory, session=session)
    # A drive (jupyter-collaboration: `RTC:`) comes before the path; only local files are files.
    local = session.path.split(":", 1)[1] if session.path.startswith("RTC:") else session.path
    path = server.root.expanduser().joinpath(*local.split("/"))
    return Located(path, "server", directory, session=session)


def _shell() -> InteractiveShell | None:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _start_directory(shell: InteractiveShell | None) -> Path:
    # IPython keeps the directory it was started in
    return Path(getattr(shell, "starting_dir", None) or _working_directory())


def _working_directory() -> Path:
    """Of this process; one that was deleted is said as `.`, for asking for it fails."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


@dataclass(frozen=True)
class _Command:
    words: tuple[str, ...]
    directory: Path


def _executor(front: Connection) -> tuple[str, _Command] | None:
    """The program that runs the notebook, if the kernel's parent is one, and its command."""
    if front.parent is None or front.kernel_id is not None:
        return None
    command = _command(front.parent)
    # `jupyter nbconvert`, `jupyter-nbconvert`, `python -m nbconvert`, `python -m jupyter execute`
    for word in command.words[:5]:
        name = Path(word).name.removesuffix(".exe")
        if name in _EXECUTORS:
            return _EXECUTORS[name], command
    return None


def _argument(executor: str, command: _Command) -> Path | None:
    """The notebook among the command's words; None when there are several to choose from."""
    named = [Path(command.directory, w) for w in command.words[1:] if w.endswith(".ipynb")]
    present = [path for path in dict.fromkeys(named) if path.exists()]
    if executor == "papermill":  # `papermill IN OUT`
        return present[0] if present else None
    return present[0] if len(present) == 1 else None


def _command(pid: int) -> _Command:
    process = Path("/proc", str(pid))
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")[:-1]
        return _Command(tuple(map(os.fsdecode, words)), (process / "cwd").readlink())
    except OSError:
        return _Command(_words_from_ps(pid), _working_directory())


def _words_from_ps(pid: int) -> tuple[str, ...]:
    """For systems without /proc; words with spaces in them are not recognised there."""
    if sys.platform == "win32":
        return ()
    try:
        said = process.run(["ps", "-o", "args=", "-p", str(pid)], timeout=2)
    except (process.CommandFailed, subprocess.SubprocessError):
        return ()
    return tuple(said.stdout.split())
