"""Bringing a rename to its end that was killed: the next verb does it, whichever it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments import clearing, journal, renamed
from envmagic.planning import memory
from envmagic.system import locks, prefix_layout

__all__ = ["finish_renames"]


def finish_renames() -> None:
    """Finish what was cut off, and take away the links that nobody needs any more."""
    for entry in list(journal.unfinished()):
        old, new = Path(entry.prefix), Path(entry.to)
        if entry.to and not prefix_layout.same(old, new) and locks.is_free(old):
            with contextlib.suppress(EnvmagicError):
                with clearing.both_locked(old, new):
                    pass  # which settles it
                if not old.exists() and new.exists():
                    memory.moved(old, new)
    renamed.clear_links()
