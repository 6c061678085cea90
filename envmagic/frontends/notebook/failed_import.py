"""Below the traceback of an import that failed: one line that says what installs it.

Loaded when an import has failed, not before.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from envmagic import operations
from envmagic.frontends import render
from envmagic.imports import ImportSite, Where
from envmagic.imports.scan import scan_source
from envmagic.record.missing_import import FailedImport, is_users

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["say"]

# What a cell's own `import_module`, `%run` and `%load_ext` go through.
_BETWEEN = ("importlib", "IPython", "ipykernel")


def say(shell: InteractiveShell, error: ModuleNotFoundError) -> None:
    """Print, to standard error, what helps with `error`, which ended a cell of `shell`."""
    directories = _directories(shell)
    failed = _failed(shell, error, directories)
    problem = operations.advise(failed, directories) if failed is not None else None
    if problem is not None:
        print(render.line(problem), file=sys.stderr)


def _failed(
    shell: InteractiveShell, error: ModuleNotFoundError, directories: list[Path]
) -> FailedImport | None:
    """What `error` says; None where it is not Python's own, which alone says the name."""
    if not error.name or str(error) != f"No module named {error.name!r}":
        return None
    for frame, line in _frames(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _BETWEEN:
            continue
        if _is_cell(frame, shell) or is_users(frame.f_code.co_filename, directories):
            return FailedImport(error.name, _sites(frame, line))
        return FailedImport(error.name, importer=module)
    return None


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """The frames that `traceback` went through, the innermost first, each with its line."""
    found = []
    while traceback is not None:
        found.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return reversed(found)


def _is_cell(frame: FrameType, shell: InteractiveShell) -> bool:
    return frame.f_globals is shell.user_ns or frame.f_globals is shell.user_global_ns


def _sites(frame: FrameType, line: int) -> tuple[ImportSite, ...]:
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    found = scan_source(source, Where()).imports if "import" in source else []
    return tuple(site for site in found if site.where.line == line)


def _directories(shell: InteractiveShell) -> list[Path]:
    """Where modules of the user's may be: the notebook's directory first, as far as it is known
    without asking a server."""
    namespace: dict[str, Any] = shell.user_ns
    told = namespace.get("__vsc_ipynb_file__")
    found = [Path(told).parent] if isinstance(told, str) and told else []
    found.append(Path(shell.starting_dir))
    with contextlib.suppress(OSError):  # it may have been deleted
        found.append(Path.cwd())
    return list(dict.fromkeys(found))
