"""The cells that a shell ran, and what of them the saved notebook does not tell.

Imported while `%load_ext envmagic` runs, so this imports next to nothing.
"""

from __future__ import annotations

import os
import re
import sys
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "CellLog",
    "Cells",
    "Pending",
    "Ran",
    "follow",
    "forget",
    "forget_pending",
    "log",
    "pending",
    "put_off",
    "said",
    "time_of",
]

# Nothing else in a cell can change the record.
_RELEVANT = re.compile(
    r"import|install|^[ \t]*%%?(?:env|load_ext|pylab|matplotlib|run|aimport)\b", re.M
)
_DOES = re.compile(
    r"^[ \t]*(?:[%!][^\n]*\binstall\b|%(?:run|load_ext|pylab)\b)(?:[^\n]*\\\n)*[^\n]*", re.M
)
_said: weakref.WeakKeyDictionary[InteractiveShell, set[str]] = weakref.WeakKeyDictionary()
_pending: weakref.WeakKeyDictionary[InteractiveShell, Pending] = weakref.WeakKeyDictionary()
_LAG = 0.02  # seconds that a file's time may lag behind the clock


def said(shell: InteractiveShell) -> set[str]:
    """The messages that a session says once, as far as it has said them; for adding to."""
    return _said.setdefault(shell, set())


@dataclass
class Pending:
    """What a notebook whose environment is not ready has to do before its first cell."""

    cell: str = ""
    """The source of the cell that was put off last."""
    request: str = ""
    """The id of its request."""
    failed: dict[str, Any] = field(default_factory=dict)
    """What went wrong so far, by plan."""


def pending(shell: InteractiveShell) -> Pending | None:
    """What is to be done before the first cell of a session; None where nothing is."""
    return _pending.get(shell)


def put_off(shell: InteractiveShell, what: Pending) -> None:
    """Have `what` done before the first cell."""
    _pending[shell] = what


def forget_pending(shell: InteractiveShell) -> None:
    """Nothing is to be done before the first cell after all."""
    _pending.pop(shell, None)


class CellLog(NamedTuple):
    """What a shell ran, as far as the saved notebook does not tell."""

    cells: tuple[str, ...] = ()
    """Sources of the cells that ran after the notebook was saved."""
    failed: frozenset[str] = frozenset()
    """Dotted modules and names whose import failed and has not worked since."""
    saved_since_start: bool = True
    """The notebook was saved since recording began here."""


class Ran(NamedTuple):
    """A cell that was run."""

    source: str
    when: float
    """Seconds since the epoch."""
    whole: bool = True
    """It ended well; else only what it did import counts."""
    edited: bool = False
    """The same cell ran before, with another source."""


class Cells:
    """The cells that one shell ran and that can matter to the record."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._ran: dict[object, Ran] = {}
        """By the cell's id; running a cell again replaces what it ran before."""
        self._failed: set[str] = set()
        self._started = time.time()
        self._backfill(shell)

    def add(self, source: str, cell_id: object, result: Any) -> Ran | None:
        """Remember that the cell ran, with IPython's `ExecutionResult`; None when it cannot change
        the record."""
        before = self._ran.get(cell_id) if cell_id is not None else None
        relevant = _RELEVANT.search(source) is not None
        if (before is None and not relevant) or result.error_before_exec is not None:
            return None
        error = result.error_in_exec
        if isinstance(error, ImportError) and error.name:
            self._failed.add(_missing(error))
        edited = before is not None and before.source != source
        ran = Ran(source, time.time(), whole=error is None, edited=edited)
        self._ran[cell_id if cell_id is not None else source] = ran
        return ran

    def log(self, saved: float | None) -> CellLog:
        """What counts besides a notebook saved at the time `saved` (None: there is no file)."""
        limit = -1.0 if saved is None else saved - _LAG
        found = [ran for ran in self._ran.values() if ran.when > limit]
        return CellLog(
            tuple(ran.source if ran.whole else _loaded_part(ran.source) for ran in found),
            frozenset(name for name in self._failed if not _is_there(name)),
            saved is not None and saved > self._started,
        )

    def forget(self, saved: float | None) -> None:
        """What ran before the save is in the file, or was taken out of it."""
        if saved is not None:
            self._ran = {key: ran for key, ran in self._ran.items() if ran.when > saved - _LAG}

    def _backfill(self, shell: InteractiveShell) -> None:
        """The cells of this session that ran before we came; whether they ended well is unknown."""
        history = getattr(shell.history_manager, "input_hist_raw", ())
        now = time.time()
        for number, source in enumerate(list(history)):
            if source and _RELEVANT.search(source):
                self._ran[number] = Ran(source, now, whole=False)


_followed: weakref.WeakKeyDictionary[InteractiveShell, Cells] = weakref.WeakKeyDictionary()


def follow(shell: InteractiveShell) -> Cells:
    """The cells of `shell` from now on, those it has run already included."""
    return _followed.setdefault(shell, Cells(shell))


def forget(shell: InteractiveShell) -> None:
    """Follow `shell` no longer."""
    _followed.pop(shell, None)


def log(shell: InteractiveShell, notebook: Path | None) -> CellLog:
    """What `shell` ran that `notebook` does not tell; nothing of a shell that is not followed."""
    cells = _followed.get(shell)
    return CellLog() if cells is None else cells.log(time_of(notebook))


def time_of(path: Path | None) -> float | None:
    """When the file was last written, in seconds since the epoch; None where there is none."""
    try:
        return None if path is None else os.stat(path).st_mtime
    except OSError:
        return None


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
