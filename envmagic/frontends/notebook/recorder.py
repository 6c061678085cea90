"""Live recording: after each cell, what it imported goes into the record, if that is on.

Imported while `%load_ext envmagic` runs, so this imports next to nothing; a cell that brings
nothing new costs a search and two file times, far below a millisecond.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.core.model import Place

__all__ = ["Session", "install", "session", "uninstall"]

_log = logging.getLogger(__name__)
# Nothing else in a cell can change the record.
_RELEVANT = re.compile(
    r"import|install|^[ \t]*%%?(?:env|load_ext|pylab|matplotlib|run|aimport)\b", re.M
)
_LINES = re.compile(r"^.*(?:import|install|%).*$", re.M)
_DOES = re.compile(
    r"^[ \t]*(?:[%!][^\n]*\binstall\b|%(?:run|load_ext|pylab)\b)(?:[^\n]*\\\n)*[^\n]*", re.M
)
_STATE = re.compile(rb"(?:^|[\r\n]|\xef\xbb\xbf)[ \t]*# >>> envmagic \d+ >>>([^\r\n]*)")
_FIND_AGAIN = 10.0  # seconds between two tries to find out which notebook this is
_PATIENCE = 2.0  # seconds that a cell of a subshell waits for another one's recording
_LAG = 0.02  # seconds that a file's time may lag behind the clock


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


@dataclass(frozen=True)
class Session:
    """What a shell ran, as far as the saved notebook does not tell."""

    cells: tuple[str, ...] = ()
    """Sources of the cells that ran after the notebook was saved."""
    failed: frozenset[str] = frozenset()
    """Dotted modules and names whose import failed and has not worked since."""
    saved_since_start: bool = True
    """The notebook was saved since recording began here."""


def session(shell: InteractiveShell, notebook: Path | None) -> Session:
    """What `shell` ran that `notebook` does not tell; nothing where no recorder is installed."""
    recorder = _recorders.get(shell)
    return Session() if recorder is None else recorder.session(_time_of(notebook))


@dataclass(frozen=True)
class _Ran:
    """A cell that was run."""

    source: str
    when: float
    key: object
    """The cell's id; running a cell again replaces what it ran before."""
    whole: bool = True
    """It ended well; else only what it did import counts."""


class _Recorder:
    """What one shell ran, and when it was last written down."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = weakref.ref(shell)
        self._ran: dict[object, _Ran] = {}
        self._failed: set[str] = set()
        self._busy = threading.Lock()
        self._place: Place | None = None
        self._tried = 0.0
        self._notebook_time: float | None = None
        self._file_time: float | None = None
        self._on = False
        self._known: set[str] = set()
        self._pending: set[str] = set()
        self._said: set[str] = set()
        self._started = time.time()
        self._backfill(shell)

    def after_cell(self, result: Any) -> None:
        """IPython's `post_run_cell`: never raises into the user's cell."""
        try:
            info = result.info
            if info is not None and not info.silent and self._busy.acquire(timeout=_PATIENCE):
                try:
                    self._after(info.raw_cell or "", getattr(info, "cell_id", None), result)
                finally:
                    self._busy.release()
        except Exception:
            _log.debug("recording failed", exc_info=True)

    def session(self, saved: float | None) -> Session:
        """What counts besides a notebook saved at the time `saved` (None: there is no file)."""
        limit = -1.0 if saved is None else saved - _LAG
        found = [ran for ran in self._ran.values() if ran.when > limit]
        return Session(
            tuple(ran.source if ran.whole else _loaded_part(ran.source) for ran in found),
            frozenset(name for name in self._failed if not _is_there(name)),
            saved is not None and saved > self._started,
        )

    def _after(self, source: str, cell_id: object, result: Any) -> None:
        news = self._take(source, cell_id, result)
        if self._place is None and not (news and self._find()):
            return
        assert self._place is not None and self._place.notebook is not None
        saved = _time_of(self._place.notebook)
        if saved != self._notebook_time:
            self._notebook_time = saved
            self._forget_saved(saved)
            news = True
        if self._is_on(self._place.notebook) and news and not self._is_leaving():
            self._write()

    def _take(self, source: str, cell_id: object, result: Any) -> bool:
        """Remember the cell; whether the record may be another one for it."""
        before = self._ran.get(cell_id) if cell_id is not None else None
        relevant = _RELEVANT.search(source) is not None
        if (before is None and not relevant) or result.error_before_exec is not None:
            return False
        error = result.error_in_exec
        if isinstance(error, ImportError) and error.name:
            self._failed.add(_missing(error))
        key = cell_id if cell_id is not None else source
        self._ran[key] = _Ran(source, time.time(), key, whole=error is None)
        if error is not None or (before is not None and before.source != source):
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
        """Whether the file beside the notebook says `recording on`; read when it has changed."""
        file = notebook.parent / "requirements.txt"
        when = _time_of(file)
        if when != self._file_time:
            self._file_time = when
            self._on = when is not None and _says_on(file)
        return self._on

    def _is_leaving(self) -> bool:
        """The cell moves the notebook: the verb has recorded it with the environment it goes to."""
        from envmagic import switching

        shell = self._shell()
        return shell is not None and switching.is_leaving(shell)

    def _write(self) -> None:
        from envmagic import operations
        from envmagic.core.errors import Severity

        here = self._here()
        if here is None or here.notebook is None or here.executing:
            self._place = None
            return
        self._place = here
        for problem in operations.keep_record(here):
            if problem.severity is Severity.ERROR and problem.code not in self._said:
                self._said.add(problem.code)
                print(f"Not recorded: {problem.line()}", file=sys.stderr)
            elif problem.code == "record-conflict" and problem.message not in self._said:
                self._said.add(problem.message)
                print(problem.line(), file=sys.stderr)
        self._known |= self._pending
        self._pending.clear()
        self._file_time = None

    def _forget_saved(self, saved: float | None) -> None:
        """What ran before the save is in the file, or was taken out of it."""
        self._known.clear()
        if saved is not None:
            self._ran = {key: ran for key, ran in self._ran.items() if ran.when > saved - _LAG}

    def _backfill(self, shell: InteractiveShell) -> None:
        """The cells of this session that ran before we came; whether they ended well is unknown."""
        history = getattr(shell.history_manager, "input_hist_raw", ())
        now = time.time()
        for number, source in enumerate(list(history)):
            if source and _RELEVANT.search(source):
                self._ran[number] = _Ran(source, now, number, whole=False)


_recorders: weakref.WeakKeyDictionary[InteractiveShell, _Recorder] = weakref.WeakKeyDictionary()


def _time_of(path: Path | None) -> float | None:
    try:
        return None if path is None else os.stat(path).st_mtime
    except OSError:
        return None


def _says_on(file: Path) -> bool:
    try:
        raw = file.read_bytes()
    except OSError:
        return False
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw.decode("utf-16", "replace").encode()
    first = _STATE.search(raw)  # of two the first one counts, as where the file is written
    return first is not None and b"recording off" not in first[1]


def _missing(error: ImportError) -> str:
    """What could not be imported, dotted: `azure.identity`, or the name that a module lacks."""
    lacking = re.match(r"cannot import name '(\w+)'", str(error))
    return f"{error.name}.{lacking[1]}" if lacking else str(error.name)


def _is_there(dotted: str) -> bool:
    """Whether the module, or the name in a module, was imported."""
    above, _, name = dotted.rpartition(".")
    return dotted in sys.modules or hasattr(sys.modules.get(above), name)


def _loaded_part(source: str) -> str:
    """Of a cell that failed, or may have: the imports whose modules are there now, and every line
    that installs, loads or runs something (whether it did is seen where that matters)."""
    from envmagic.imports import Where, scan_cell

    lines = _DOES.findall(source)
    for site in scan_cell(source, Where()).imports:
        if site.level or site.extension or site.module not in sys.modules:
            continue
        names = [n for n in site.names if n == "*" or _is_there(f"{site.module}.{n}")]
        if names:
            lines.append(f"from {site.module} import {', '.join(names)}")
        elif not site.names:
            lines.append(f"import {site.module}")
    return "\n".join(lines)
