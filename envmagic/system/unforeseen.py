"""What becomes of an exception that nobody foresaw: one line, and a report that can be sent."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import traceback
from collections.abc import Iterator
from pathlib import Path

from envmagic._version import __version__
from envmagic.core.display import user_path, user_text
from envmagic.core.errors import EnvmagicError, UnforeseenError
from envmagic.system import directories, files, process

__all__ = ["logged", "report", "told"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_SHOWN = 200  # characters of what an exception says
_KEPT = 40  # lines at each end of a traceback; one of endless recursion has thousands
_last: list[str] = []
"""The last report of this process, where the disk took none."""


def told(error: Exception, verb: str) -> EnvmagicError:
    """What a person is told of `error`, which came out of the front end at `verb`.

    What the machine lacks has its own sentence; anything else is kept whole for `report`.
    """
    if isinstance(error, EnvmagicError):
        return error
    return next(_accidents(error), None) or _unforeseen(error, verb)


def logged(error: Exception, verb: str) -> str:
    """As `told`, in one line for a log, which is read in a terminal."""
    return told(error, verb).problem.line("envmagic")


def report() -> str:
    """The last unforeseen exception, as it can be sent to somebody; empty where there was none."""
    if _last:
        return _last[-1]
    try:
        return _file().read_text("utf-8", "replace")
    except (OSError, RuntimeError):
        return ""


def _accidents(error: Exception) -> Iterator[EnvmagicError]:
    """What is known to be wrong with the machine, not with us."""
    if isinstance(error, MemoryError):
        yield EnvmagicError("no-memory", "There is not enough memory.", "End what uses it first.")
    if isinstance(error, OSError):
        yield from _of_the_system(error)
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        if os.path.expanduser("~") == "~":
            yield EnvmagicError(
                "no-home",
                "This user has no home directory.",
                "Set HOME to a directory that can be written to.",
            )
        yield EnvmagicError(
            "bad-path", "A path begins with ~ and a name that no user of this machine has."
        )


def _of_the_system(error: OSError) -> Iterator[EnvmagicError]:
    named = error.filename if isinstance(error.filename, (str, bytes)) else ""
    path = os.fsdecode(named)
    shown = user_path(path) if path else "A file"
    if error.errno in _FULL:
        where = f" ({shown})" if path else ""
        yield EnvmagicError(
            "no-space", f"The disk is full{where}.", "Make room on it first.", subject=path
        )
    if error.errno in _FORBIDDEN:
        yield EnvmagicError(
            "not-writable",
            f"{shown} is not yours to read or write: {(error.strerror or '').lower()}.",
            subject=path,
        )
    if isinstance(error, FileNotFoundError) and not _stands():
        yield EnvmagicError(
            "no-directory",
            "The working directory is not there any more.",
            "Go to one that is first.",
        )


def _stands() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _unforeseen(error: Exception, verb: str) -> EnvmagicError:
    kind, said = type(error).__name__, _plain(str(error)) if _is_short(error) else ""
    if len(said) > _SHOWN:
        said = f"{said[:_SHOWN]}…"
    said = f"{kind}: {said}" if said else kind
    written = _written(error, verb)
    kept = _keep(written)
    return UnforeseenError(
        "unforeseen",
        f"envmagic did not foresee this: {said}{_place(error)}.",
        "What to send to its maintainers" if kept else "",
        command=("doctor", "--report") if kept else (),
        detail=written,
    )


def _is_short(error: Exception) -> bool:
    """Numbers of thousands of digits and the like cannot even be made into text."""
    with contextlib.suppress(Exception):
        return isinstance(str(error), str)
    return False


def _place(error: Exception) -> str:
    """The innermost line of ours that it went through."""
    package = str(directories.package())
    try:
        ours = [f for f in traceback.extract_tb(error.__traceback__) if package in f.filename]
    except Exception:
        return ""
    if not ours:
        return ""
    return f" ({os.path.relpath(ours[-1].filename, package)}, line {ours[-1].lineno})"


def _written(error: Exception, verb: str) -> str:
    """The report: which versions, at which verb, and the traceback without its middle."""
    try:
        rows = "".join(traceback.format_exception(error)).splitlines()
    except Exception:
        rows = [type(error).__name__]
    if len(rows) > 2 * _KEPT:
        rows = [*rows[:_KEPT], f"… {len(rows) - 2 * _KEPT} lines …", *rows[-_KEPT:]]
    head = [
        f"envmagic {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"at: {verb}",
    ]
    return _plain("\n".join([*head, *(row[: 10 * _SHOWN] for row in rows)])) + "\n"


def _plain(text: str) -> str:
    return process.redact(user_text(text))


def _keep(text: str) -> bool:
    """Whether `report` has it from now on, for another process as well."""
    _last[:] = [text]
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(file, text.encode("utf-8", "replace"), mode=0o600)
    except (OSError, RuntimeError, EnvmagicError):
        return False
    _last.clear()  # another process may have a newer one
    return True


def _file() -> Path:
    return directories.home() / "report.txt"
