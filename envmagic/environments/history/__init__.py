"""Every change of an environment, kept: by whom, what it held before and what it held after.

Whatever changes an environment does so inside `watched`, which looks before and after. So what
another tool did in between is seen as well, and what was killed half-way is told as that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments import backends, renamed
from envmagic.environments.history import log
from envmagic.environments.history.held import lines_at, lines_of, stamp
from envmagic.environments.history.log import OTHER, Entry, Seen, entries, forget, move, prefixes
from envmagic.environments.inventory import Inventory
from envmagic.system import locks

__all__ = [
    "OTHER",
    "Doing",
    "Entry",
    "before",
    "changed",
    "doing",
    "entries",
    "forget",
    "lines_of",
    "look",
    "move",
    "prefixes",
    "saw",
    "sweep",
    "watched",
]


_NONE: Mapping[str, list[str]] = {}


@dataclass(frozen=True)
class Doing:
    """What is being done, in the words of the person, and from which notebook."""

    what: str
    notebook: str = ""


_looked_at: ContextVar[dict[Path, tuple[str, Inventory]] | None] = ContextVar(
    "looked_at", default=None
)
_current: ContextVar[Doing | None] = ContextVar("doing", default=None)
_traits: ContextVar[dict[str, tuple[str, dict[str, list[str]]]] | None] = ContextVar(
    "traits", default=None
)


@contextlib.contextmanager
def doing(what: str, notebook: Path | None) -> Iterator[None]:
    """What changes inside the `with` block is done by the words `what`."""
    token = _current.set(Doing(what, str(notebook or "")))
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def watched(prefix: Path) -> Iterator[None]:
    """Keep what changes in the environment at `prefix` inside the `with` block, which holds its
    lock. What is kept never makes a verb fail: a disk that is full loses an entry, no more."""
    first = None
    with contextlib.suppress(OSError, EnvmagicError):
        first = _begin(prefix)
    token = _looked_at.set({})
    traits = _traits.get()
    other = _traits.set({} if traits is None else traits)
    done = False
    try:
        yield
        done = True
    finally:
        with contextlib.suppress(OSError, EnvmagicError):
            _finish(prefix, first, done=done)
        _looked_at.reset(token)
        _traits.reset(other)


def changed(prefix: Path, what: str, **traits: tuple[str, str]) -> None:
    """Keep what else became of the environment at `prefix`, each trait from what to what, with what
    changes in the `watched` block; outside of one at once. `what` are the words that did it, where
    no others are known."""
    found = {name: list(values) for name, values in traits.items() if values[0] != values[1]}
    held = _traits.get()
    if held is not None:
        held[os.path.realpath(prefix)] = (what, found)
        with contextlib.suppress(OSError, EnvmagicError):
            log.also(prefix, found)
        return
    with contextlib.suppress(OSError, EnvmagicError):
        _keep(prefix, log.seen(prefix), Doing(what), traits=found)


def saw(there: Inventory) -> Inventory:
    """`there`, which was looked at after a change: `watched` need not look once more."""
    looked_at, prefix = _looked_at.get(), there.environment.prefix
    if looked_at is not None:
        looked_at[prefix] = (stamp(prefix), there)
    return there


def look(prefix: Path, what: str = OTHER, notebook: Path | None = None) -> None:
    """Keep what was done at `prefix` since it was last looked at, by the words `what`.

    Nothing happens where nothing of it is kept yet, or somebody changes it right now. A kernel may
    know it by the place where it was before.
    """
    prefix = renamed.now_at(prefix)
    if log.seen(prefix) is None:
        return
    with contextlib.suppress(OSError, EnvmagicError), locks.lock(prefix, timeout=0.0):
        started = log.begun(prefix)
        if started is None:
            _keep(prefix, log.seen(prefix), Doing(what, str(notebook or "")))
        else:
            _settle(prefix)


def sweep() -> None:
    """Tell in their histories of the changes that were killed, where nobody is at work."""
    for prefix in log.cut_off():
        with contextlib.suppress(OSError, EnvmagicError), locks.lock(prefix, timeout=0.0):
            if not backends.is_environment(prefix):
                forget(prefix)
            elif log.begun(prefix) is not None:
                _settle(prefix)


def before(prefix: Path, number: int) -> Mapping[str, str]:
    """What the environment at `prefix` held before its change `number`; see `held.lines_of`."""
    held = log.seen(prefix)
    lines = dict(held.lines) if held is not None else {}
    for entry in reversed(entries(prefix)):
        if entry.number < number:
            break
        for name in {*entry.after} - {*entry.before}:
            lines.pop(name, None)
        lines.update(entry.before)
    return dict(sorted(lines.items()))


def _begin(prefix: Path) -> Seen | None:
    """Settle what happened before; what is there, where nothing is kept of it yet."""
    if not backends.is_environment(prefix):
        return None
    if log.seen(prefix) is None and log.begun(prefix) is None:
        return Seen(stamp(prefix), lines_at(prefix))
    _settle(prefix)
    current = _current.get()
    if current is not None:
        log.begin(prefix, asdict(current))
    return None


def _settle(prefix: Path) -> None:
    """Keep what was killed half-way, or what another tool did."""
    started = log.begun(prefix)
    doing = Doing(**started) if started is not None else Doing(OTHER)
    traits = log.begun_traits(prefix)
    _keep(prefix, log.seen(prefix), doing, cut_off=started is not None, traits=traits)
    log.ended(prefix)


def _finish(prefix: Path, first: Seen | None, *, done: bool) -> None:
    """Keep what has changed; of one that was seen `first` now, only what came of it in the end."""
    if not backends.is_environment(prefix):
        forget(prefix)
        return
    if log.seen(prefix) is not None:
        first = None  # it came with the environment, which was moved here
    known = first or log.seen(prefix)
    what, traits = (_traits.get() or {}).pop(os.path.realpath(prefix), (OTHER, {}))
    if not done and not traits and (known is None or known.stamp == stamp(prefix)):
        log.ended(prefix)
        return
    _keep(prefix, known, _current.get() or Doing(what), traits=traits)
    if first is not None and first.stamp == stamp(prefix):
        log.note(prefix, first)
    log.ended(prefix)


def _keep(
    prefix: Path,
    known: Seen | None,
    what: Doing,
    *,
    cut_off: bool = False,
    traits: Mapping[str, list[str]] = _NONE,
) -> None:
    if known is not None and known.stamp == stamp(prefix) and not traits:
        return
    new = _lines_now(prefix)
    old = known.lines if known is not None else new if traits else {}
    if old != new or traits:
        if log.seen(prefix) is None:  # the changes are never without it
            log.note(prefix, known or Seen("", {}))
        kept = entries(prefix)
        gone = {name: line for name, line in old.items() if new.get(name) != line}
        came = {name: line for name, line in new.items() if old.get(name) != line}
        # one that was killed when it had just been kept
        last = (kept[-1].before, kept[-1].after, kept[-1].traits) if kept else None
        if last != (gone, came, traits):
            when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            number = kept[-1].number + 1 if kept else 1
            entry = Entry(number, when, what.what, what.notebook, gone, came, cut_off, traits)
            log.append(prefix, entry)
    _note(prefix, new)


def _lines_now(prefix: Path) -> Mapping[str, str]:
    then, there = (_looked_at.get() or {}).get(prefix, ("", None))
    return lines_of(there) if there is not None and then == stamp(prefix) else lines_at(prefix)


def _note(prefix: Path, lines: Mapping[str, str]) -> None:
    log.note(prefix, Seen(stamp(prefix), lines))
