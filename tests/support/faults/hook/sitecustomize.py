"""Watches one envmagic process: logs each call that changes the file system, strikes before one.

It is found through `PYTHONPATH`, which the children of a verb do not inherit. What it does is in
`FAULTS`, a JSON object: `log`, the file that gets one line for each call; `at`, the line before
which the process is sent `signal`, or killed; `directory` and `files`, which a person saves as soon
as that directory is there, or, where it was there and empty, as soon as something is in it; seen
from the process at its next call.

A line is `EVENT@FUNCTION,CALLER,…#N`: the audit event, our functions from the innermost out, and
the how-many-th such call it is. It holds no line numbers, so it outlives most edits.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

SAVED = "saved"
"""The line for the moment in which the person's files were put there."""
ANY = "any"
"""In `at` instead of the functions: whichever call of that event."""
_DEPTH = 4
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = frozenset(
    """
    os.rename os.remove os.rmdir os.mkdir os.link os.symlink os.truncate os.chmod os.chown os.utime
    os.setxattr shutil.rmtree subprocess.Popen fcntl.flock
    """.split()
)


class Watch:
    """One process's calls so far, and what is to happen at which."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._counts: dict[str, int] = {}
        self._busy = threading.local()
        self._saved = not plan.get("files")
        self._expected_empty = _entries(plan.get("directory", "")) == []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not _is_change(event, args) or getattr(self._busy, "here", False):
            return
        functions = _functions(sys._getframe(1))
        if not functions:
            return
        self._busy.here = True
        try:
            self._save()
            # By any function too, for those who do not know which it is.
            each = [self._numbered(f"{event}@{by}") for by in (",".join(functions), ANY)]
            self._log(each[0])
            if self._plan.get("at") in each:
                os.kill(os.getpid(), self._plan.get("signal", signal.SIGKILL))
        finally:
            self._busy.here = False

    def _numbered(self, place: str) -> str:
        self._counts[place] = self._counts.get(place, 0) + 1
        return f"{place}#{self._counts[place]}"

    def _save(self) -> None:
        directory = self._plan.get("directory", "")
        entries = _entries(directory)
        if self._saved or entries is None or (self._expected_empty and not entries):
            return
        self._saved = True
        for name, text in self._plan["files"].items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self._log(SAVED)

    def _log(self, line: str) -> None:
        with open(self._plan["log"], "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _entries(directory: str) -> list[str] | None:
    try:
        return os.listdir(directory)
    except OSError:
        return None


def _is_change(event: str, args: tuple[Any, ...]) -> bool:
    if event != "open":
        return event in _CHANGES
    path, _, flags = args
    if isinstance(path, int) or not isinstance(flags, int):
        return False
    return bool(flags & _WRITING) and os.fsdecode(path) != os.devnull


def _functions(frame: FrameType | None) -> list[str]:
    """Our functions that wait for this call, the innermost first; none when it is an import's."""
    found: list[str] = []
    while frame is not None and len(found) < _DEPTH:
        code = frame.f_code
        if not found and code.co_filename.startswith("<frozen importlib"):
            return []  # a module's bytecode is written
        package, _, module = str(frame.f_globals.get("__name__")).partition(".")
        if package == "envmagic":
            found.append(f"{module or package}.{code.co_name.strip('<>')}")
        frame = frame.f_back
    return found


if "FAULTS" in os.environ and "envmagic" in sys.orig_argv:
    sys.addaudithook(Watch(json.loads(os.environ["FAULTS"])))
