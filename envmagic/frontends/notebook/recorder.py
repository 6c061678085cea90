"""Live recording: after each cell, what it imported goes into the record, if that is on.

Imported while `%load_ext envmagic` runs, so this imports next to nothing; a cell that brings
nothing new costs a search and two file times, far below a millisecond.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import Severity
from envmagic.core.record_files import BEGIN, REQUIREMENTS
from envmagic.frontends.notebook import session
from envmagic.system import import_path

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.core.model import Place

__all__ = ["install", "uninstall"]

_log = logging.getLogger(__name__)
_LINES = re.compile(r"^.*(?:import|install|%).*$", re.M)
_INSTALLS = re.compile(
    r"^[ \t]*[!%]{1,2}[ \t]*(?:python3?[ \t]+-m[ \t]+)?(?:pip3?|uv|conda|mamba)[ \t].*$", re.M
)
_STATE = re.compile(rb"(?:^|[\r\n]|\xef\xbb\xbf)[ \t]*" + BEGIN.encode() + rb"\d+ >>>([^\r\n]*)")
_QUIET = ("kernel-only", "lock-behind", "record-of-another")
_FIND_AGAIN = 10.0  # seconds between two tries to find out which notebook this is
_PATIENCE = 2.0  # seconds that a cell of a subshell waits for another one's recording


def install(shell: InteractiveShell) -> None:
    """Record in `shell` from now on, the cells it has run already included; twice is once."""
    if shell not in _recorders:
        recorder = _recorders[shell] = _Recorder(shell)
        shell.events.register("post_run_cell", recorder.after_cell)


def uninstall(shell: InteractiveShell) -> None:
    """Stop recording in `shell`; what is written stays."""
    recorder = _recorders.pop(shell, None)
    if recorder is not None:
        shell.events.unregister("post_run_cell", recorder.after_cell)
        session.forget(shell)


class _Recorder:
    """Writes down what one shell runs."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = weakref.ref(shell)
        self._cells = session.follow(shell)
        self._busy = threading.Lock()
        self._place: Place | None = None
        self._tried = 0.0
        self._notebook_time: float | None = None
        self._file_time: float | None = None
        self._on = False
        self._known: set[str] = set()
        self._pending: set[str] = set()
        self._said = session.said(shell)

    def after_cell(self, result: Any) -> None:
        """IPython's `post_run_cell`: never raises into the user's cell."""
        try:
            info = result.info
            if info is not None and not info.silent and self._busy.acquire(timeout=_PATIENCE):
                try:
                    self._after(info.raw_cell or "", getattr(info, "cell_id", None), result)
                    self._keep_history(info.raw_cell or "")
                finally:
                    self._busy.release()
        except Exception as error:
            _log.debug("recording failed", exc_info=True)
            self._say_unforeseen(error)

    def _say_unforeseen(self, error: Exception) -> None:
        """What nobody foresaw, each kind once in a session."""
        kind = f"{type(error).__name__}"
        with contextlib.suppress(Exception):
            from envmagic.frontends import render
            from envmagic.system import unforeseen

            if kind not in self._said:
                self._said.add(kind)
                told = unforeseen.told(error, "recording")
                print(f"Not recorded: {render.line(told.problem)}", file=sys.stderr)

    def _after(self, source: str, cell_id: object, result: Any) -> None:
        news = self._take(source, cell_id, result)
        if self._place is None and not (news and self._find()):
            return
        assert self._place is not None and self._place.notebook is not None
        saved = session.time_of(self._place.notebook)
        if saved != self._notebook_time:
            self._notebook_time = saved
            self._known.clear()
            self._cells.forget(saved)
            news = True
        if self._is_on(self._place.notebook) and news and not self._is_leaving():
            with import_path.installed_first():
                self._write()

    def _keep_history(self, source: str) -> None:
        """What `%pip` and its like changed goes into the history of this kernel's environment."""
        line = _INSTALLS.search(source)
        if line is None:
            return
        with import_path.installed_first():
            from envmagic.core import display
            from envmagic.environments import history

            place = self._place or self._here()
            notebook = place.notebook if place is not None else None
            history.look(Path(sys.prefix), display.shortened(line[0]), notebook)

    def _take(self, source: str, cell_id: object, result: Any) -> bool:
        """Remember the cell; whether the record may be another one for it."""
        ran = self._cells.add(source, cell_id, result)
        if ran is None:
            return False
        if not ran.whole or ran.edited:
            return True
        # the same import once more; lines that go on below are not compared
        lines = set(_LINES.findall(source))
        old = lines <= self._known and not any(x.rstrip()[-1:] in "(\\" for x in lines)
        self._pending |= lines
        return not old

    def _find(self) -> bool:
        """Which notebook this is; asked rarely, because a server has to be asked."""
        now = time.monotonic()
        if self._tried and now - self._tried < _FIND_AGAIN:
            return False
        self._tried = now
        with import_path.installed_first():
            found = self._here()
        # what a program runs from top to bottom is recorded when a cell says so
        if found is None or found.notebook is None or found.executing:
            return False
        self._place = found
        return True

    def _here(self) -> Place | None:
        from envmagic.frontends.notebook import place

        shell = self._shell()
        return place.of_notebook(shell) if shell is not None else None

    def _is_on(self, notebook: Path) -> bool:
        """Whether the file beside the notebook says `recording on`, or did so before it was
        deleted; read when it has changed."""
        file = notebook.parent / REQUIREMENTS
        when = session.time_of(file)
        if when != self._file_time:
            self._file_time = when
            if when is not None:
                self._on = self._reads_on(file)
        return self._on

    def _reads_on(self, file: Path) -> bool:
        """Whether `file` says it; where its block was taken out that is said once."""
        says = _says_on(file)
        if says is None and self._on:
            print(f"Recording stopped: {file.name} has no lines of envmagic's any more.")
            print("To record on: %env record on")
        return says is True

    def _is_leaving(self) -> bool:
        """The cell moves the notebook: the verb has recorded it with the environment it goes to."""
        from envmagic import switching

        shell = self._shell()
        return shell is not None and switching.is_leaving(shell)

    def _write(self) -> None:
        from envmagic import operations
        from envmagic.frontends import render

        here = self._here()
        if here is None or here.notebook is None or here.executing:
            self._place = None
            return
        self._place = here
        for problem in operations.keep_record(here, was_on=self._on):
            if problem.severity is Severity.ERROR and problem.code not in self._said:
                self._said.add(problem.code)
                print(f"Not recorded: {render.line(problem)}", file=sys.stderr)
            elif problem.code == "record-conflict" and problem.message not in self._said:
                self._said.add(problem.message)
                print(render.line(problem), file=sys.stderr)
            elif problem.code in _QUIET and problem.message not in self._said:
                self._said.add(problem.message)
                print(render.line(problem))  # nothing is wrong
        self._known |= self._pending
        self._pending.clear()
        self._file_time = None


_recorders: weakref.WeakKeyDictionary[InteractiveShell, _Recorder] = weakref.WeakKeyDictionary()


def _says_on(file: Path) -> bool | None:
    """Whether recording is on in `file`; None where it says nothing of it."""
    from envmagic.system import reading

    try:
        raw = reading.content(file)
    except OSError:
        return None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw.decode("utf-16", "replace").encode()
    first = _STATE.search(raw)  # of two the first one counts, as where the file is written
    return b"recording off" not in first[1] if first is not None else None
