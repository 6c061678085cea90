"""Settling what was cut off: an environment that was being made, or being removed.

An environment that was never finished is cleared away file by file. Only what its tools wrote goes,
which they tell themselves; what a person has put there meanwhile stays, and is named.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments import backends, history, journal, moving, ownership
from envmagic.environments.contents import DIRECTORIES, MARK, NOBODYS, Written
from envmagic.environments.running import pids_in
from envmagic.jupyter import kernelspecs
from envmagic.system import locks, prefix_layout, scratch

__all__ = ["Kept", "both_locked", "clear", "locked", "settle", "written_in"]


@dataclass(frozen=True)
class Kept:
    """What was left in a directory that was cleared, because no tool of ours wrote it."""

    prefix: Path
    files: tuple[Path, ...] = ()
    why: str = "envmagic did not write that"

    def __bool__(self) -> bool:
        return bool(self.files)

    @property
    def message(self) -> str:
        """One sentence for a person."""
        tops = sorted({path.relative_to(self.prefix).parts[0] for path in self.files})
        more = f" and {len(tops) - 3} more" if len(tops) > 3 else ""
        names = ", ".join(tops[:3])
        return f"{display.user_path(self.prefix)} keeps {names}{more}: {self.why}."


@contextlib.contextmanager
def locked(prefix: Path) -> Iterator[Kept | None]:
    """The lock under which the environment at `prefix` is made, changed or removed.

    What was cut off there is settled first; gives what that had to leave. What changes goes into
    its history.
    """
    with locks.lock(prefix):
        kept = settle(prefix)
        with history.watched(prefix):
            yield kept


@contextlib.contextmanager
def both_locked(one: Path, other: Path) -> Iterator[None]:
    """As `locked`, of two different environments; whoever wants both takes the same one first."""
    first, second = sorted((one, other), key=prefix_layout.identity)
    with locked(first), locked(second):
        yield


def settle(prefix: Path) -> Kept | None:
    """Bring to an end what was cut off at `prefix`; None when nothing was.

    The caller holds the lock of `prefix`. What was complete and only not noted down stays.
    """
    entry = journal.unfinished_at(prefix)
    if entry is None:
        return None
    scratch.sweep()
    if entry.to:
        moving.finish(entry)
        return Kept(prefix)
    if entry.removing:
        return _remove(prefix, entry)
    if ownership.is_owned(prefix):
        journal.finish(entry)
        return Kept(prefix)
    return clear(entry)


def clear(entry: journal.JournalEntry) -> Kept:
    """Take away what was made so far for `entry`, and nothing else.

    Nothing goes where the directory is not the one that the entry knows.
    """
    prefix = Path(entry.prefix)
    kept: tuple[Path, ...] = ()
    if journal.is_of(prefix, entry):
        written = written_in(prefix, cut_off=True)
        foreign = list(written.foreign())
        known = journal.unfinished_at(prefix) or entry
        copied = [path for path in foreign if known.source and _is_copy(path, prefix, known.source)]
        _unlink([*(path for path in written.own() if path.name != MARK), *copied], prefix)
        kept = tuple(p for p in foreign if p.name not in NOBODYS and os.path.lexists(p))
        # last: without it nothing more could be taken away
        with contextlib.suppress(OSError):
            (prefix / MARK).unlink()
    for directory in entry.made:  # only what is empty goes
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    journal.finish(entry)
    return Kept(prefix, kept)


def _is_copy(path: Path, prefix: Path, source: str) -> bool:
    """Whether the environment `source` has the very same file, so that nothing is lost with it."""
    other = Path(source, path.relative_to(prefix))
    try:
        return path.is_file() and filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def written_in(prefix: Path, *, cut_off: bool = False) -> Written:
    """The files below `prefix` that an installer, another tool of a backend or we wrote."""
    return Written(prefix, backends.written(prefix, cut_off=cut_off))


def _remove(prefix: Path, entry: journal.JournalEntry) -> Kept:
    """Go on with a removal that somebody had asked for, where nothing speaks against it by now.

    While the kernel is there nothing was done yet, and it may have been used again since.
    """
    kept = Kept(prefix)
    begun = kernelspecs.of_prefix(prefix) is None and not pids_in(prefix)
    if begun and journal.is_of(prefix, entry):
        try:
            ownership.delete(prefix, written_in(prefix))
        except EnvmagicError as error:
            kept = Kept(prefix, (prefix / MARK,), error.problem.message.rstrip("."))
    journal.finish(entry)
    return kept


def _unlink(paths: Iterable[Path], prefix: Path) -> None:
    """Remove files, and of an environment's own directories those that are empty then."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
    for top in (prefix / name for name in DIRECTORIES):
        if top.is_symlink():
            continue  # what it leads to is none of ours
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
