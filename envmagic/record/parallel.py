"""Going through many notebooks, on all cores where that pays."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem
from envmagic.distributions import known
from envmagic.record.need import Needs, Surroundings
from envmagic.record.needs import needs_of

__all__ = ["scanned"]

_PARALLEL_FROM = 512 * 1024  # bytes of notebooks; below it starting a process costs more
_FEW = 16  # notebooks
_AT_ONCE = 4  # notebooks that a process takes

Sourced = Callable[[Path], Surroundings]
Scanned = Needs | Problem
Done = dict[int, list[Scanned]]  # by the number of the batch


def scanned(paths: Sequence[Path], sources: Sourced) -> dict[Path, Scanned]:
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


def _outcome(path: Path, sources: Sourced) -> Scanned:
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


def _in_parallel(paths: Sequence[Path], sources: Sourced) -> list[Scanned]:
    """Every core takes the next few notebooks until none are left; this process is one of them."""
    import packaging.requirements  # noqa: F401 - once, before there are several processes

    known()
    size = max(_AT_ONCE, -(-len(paths) // 256))
    batches = [paths[start : start + size] for start in range(0, len(paths), size)]
    queue, feed = os.pipe()  # a byte a batch: whoever reads it does it
    os.write(feed, bytes(range(len(batches))))
    os.close(feed)
    cores = len(os.sched_getaffinity(0))
    children = [_child(queue, batches, sources) for _ in range(1, cores)]
    done = _work(queue, batches, sources)
    for pid, pipe in children:
        done.update(_answer(pid, pipe))
    os.close(queue)
    for number, batch in enumerate(batches):
        if number not in done:  # a child was killed: its share is done here
            done[number] = [_outcome(path, sources) for path in batch]
    return [outcome for number in range(len(batches)) for outcome in done[number]]


def _work(queue: int, batches: Sequence[Sequence[Path]], sources: Sourced) -> Done:
    done: Done = {}
    while number := os.read(queue, 1):
        done[number[0]] = [_outcome(path, sources) for path in batches[number[0]]]
    return done


def _child(queue: int, batches: Sequence[Sequence[Path]], sources: Sourced) -> tuple[int, int]:
    """A fork that works, too; its process id and the pipe its answer comes from."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        import pickle

        os.close(reader)
        with open(writer, "wb") as pipe:
            pipe.write(pickle.dumps(_work(queue, batches, sources), -1))
    finally:
        os._exit(0)


def _answer(pid: int, pipe: int) -> Done:
    import pickle

    with open(pipe, "rb") as file:
        raw = file.read()
    os.waitpid(pid, 0)
    try:
        answer: Done = pickle.loads(raw)
    except (pickle.UnpicklingError, EOFError):
        return {}
    return answer
