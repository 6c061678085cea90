"""What this process imports for itself, whatever lies in the directory that its user works in.

In a kernel that directory is on `sys.path` before what is installed, so a `packaging/` beside the
notebook is what `import packaging` finds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["installed", "installed_first", "working_directory_last"]

_SITES = ("site-packages", "dist-packages")
_NEEDED = frozenset("packaging psutil rattler ruamel tomli uv yaml".split())
"""What envmagic imports that a kernel may not have imported before the user did."""


def installed(module: str) -> ModuleSpec | None:
    """Where `module`, at the top, is installed; None where it is nowhere but in the directory that
    the user works in."""
    own = _working()
    found = PathFinder.find_spec(module, [place for place in sys.path if place not in own])
    return found if found is not None and found.origin is not None else None


def working_directory_last() -> None:
    """Have `sys.path` end with the working directory, in a process that is envmagic's alone."""
    own = _working()
    sys.path.sort(key=lambda place: place in own)


@contextlib.contextmanager
def installed_first() -> Iterator[None]:
    """Within the `with` block the working directory comes last, in a process of the user's.

    What was imported meanwhile and is called like a module of theirs is put aside afterwards, so
    that they import their own; and the other way round.
    """
    with _lock:
        _State.depth += 1
        outermost = _State.depth == 1
    if not outermost:  # within another one, or beside it
        try:
            yield
        finally:
            with _lock:
                _State.depth -= 1
        return
    own = _working()
    before = list(sys.path)
    working_directory_last()
    theirs = _taken(_by_name(_of_users(own)))
    sys.modules.update(_State.ours)
    known = set(sys.modules)
    try:
        yield
    finally:
        _State.ours |= _taken(_by_name(_hiding(own, set(sys.modules) - known)))
        _taken(set(_State.ours) & set(sys.modules))
        sys.modules.update(theirs)
        held = [place for place in before if place in sys.path]
        sys.path[:] = [*held, *(place for place in sys.path if place not in before)]
        with _lock:
            _State.depth -= 1


class _State:
    depth = 0
    ours: dict[str, ModuleType] = {}  # noqa: RUF012 - by name, those that are put aside


_lock = threading.Lock()


def _working() -> set[str]:
    """The entries of `sys.path` that mean the working directory."""
    try:
        here = os.getcwd()
    except OSError:  # it was deleted, and nothing lies there
        return set()
    if os.path.basename(here) in _SITES:
        return {""}
    return {place for place in sys.path if place in ("", here) or os.path.abspath(place) == here}


def _of_users(own: set[str]) -> Iterator[str]:
    """What envmagic needs and the user has imported from the working directory."""
    for name in _NEEDED & set(sys.modules):
        if _is_in(sys.modules[name], own):
            yield name


def _hiding(own: set[str], new: Iterable[str]) -> Iterator[str]:
    """Those of the `new` modules that would be taken for what lies in the working directory."""
    for name in {module.partition(".")[0] for module in new}:
        files = (os.path.join(place, name) for place in own)
        there = any(os.path.isfile(f"{f}.py") or os.path.isdir(f) for f in files)
        if there and name in sys.modules and not _is_in(sys.modules[name], own):
            yield name


def _is_in(module: ModuleType, own: set[str]) -> bool:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")
    if not own:
        return False
    above = os.path.dirname(os.path.abspath(str(file)))
    places = {os.path.abspath(place) for place in own}
    return bool(file) and (above in places or os.path.dirname(above) in places)


def _by_name(tops: Iterable[str]) -> set[str]:
    """Every loaded module that is one of `tops` or in it."""
    wanted = set(tops)
    if not wanted:
        return set()
    return {name for name in sys.modules if name.partition(".")[0] in wanted}


def _taken(names: Iterable[str]) -> dict[str, ModuleType]:
    """The modules called `names`, which are taken out."""
    return {name: sys.modules.pop(name) for name in list(names)}
