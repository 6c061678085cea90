"""Going through many notebooks, on all cores where that pays."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from envmagic.distributions import known
from envmagic.errors import EnvmagicError, Problem
from envmagic.operations.needs import Needs, Sources, needs_of

__all__ = ["scanned"]

_PARALLEL_FROM = 512 * 1024  # bytes of notebooks; below it starting a process costs more
_FEW = 16  # notebooks

Sourced = Callable[[Path], Sources]
Outcome = Needs | Problem


def scanned(paths: Sequence[Path], sources: Sourced) -> dict[Path, Outcome]:
    """What each notebook needs, or why it could not be read."""
    with _without_collecting():
        if _pays(paths):
            return dict(zip(paths, _in_parallel(paths, sources), strict=True))
        return {path: _outcome(path, sources) for path in paths}


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Syntax trees hold no cycles; looking for some takes a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _outcome(path: Path, sources: Sourced) -> Outcome:
    try:
        return needs_of(path, sources(path))
    except EnvmagicError as error:
        return error.problem


def _pays(paths: Sequence[Path]) -> bool:
    """Forking is safe without other threads only; a kernel has many, and few notebooks."""
    if len(paths) < _FEW or not sys.platform.startswith("linux"):
        return False
    if threading.active_count() > 1 or len(os.sched_getaffinity(0)) < 2:
        return False
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:
            continue
        if total > _PARALLEL_FROM:
            return True
    return False


def _in_parallel(paths: Sequence[Path], sources: Sourced) -> list[Outcome]:
    """Every core takes a share; this process does one of them."""
    import packaging.requirements  # noqa: F401 - once, before there are several processes

    known()
    shares = len(os.sched_getaffinity(0))
    children = [_child(paths[number::shares], sources) for number in range(1, shares)]
    parts = [[_outcome(path, sources) for path in paths[::shares]]]
    parts += [_answer(pid, pipe) for pid, pipe in children]
    found: list[Outcome | None] = [None] * len(paths)
    for number, part in enumerate(parts):
        if len(part) != len(paths[number::shares]):  # a child was killed: its share is done here
            part = [_outcome(path, sources) for path in paths[number::shares]]
        found[number::shares] = part
    return [outcome for outcome in found if outcome is not None]


def _child(paths: Sequence[Path], sources: Sourced) -> tuple[int, int]:
    """A fork that goes through `paths`; its process id and the pipe its answer comes from."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        import pickle

        os.close(reader)
        with open(writer, "wb") as pipe:
            marshalled = pickle.dumps([_outcome(path, sources) for path in paths], -1)
            pipe.write(marshalled)
    finally:
        os._exit(0)


def _answer(pid: int, pipe: int) -> list[Outcome]:
    import pickle

    with open(pipe, "rb") as file:
        raw = file.read()
    os.waitpid(pid, 0)
    try:
        answer: list[Outcome] = pickle.loads(raw)
    except (pickle.UnpicklingError, EOFError):
        return []
    return answer
