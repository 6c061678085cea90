"""What befalls a verb: it is killed or signalled before one of its calls, or at a moment of its
installer's life; or its disk, its index or eleven others like it are in its way."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import processes
from support.faults import surroundings
from support.faults.world import LIMIT, World
from support.terminal import Said

__all__ = ["QUIET", "Struck", "strike", "survivors"]

QUIET = "quiet"
"""In the place of a strike: nothing is killed."""
_MOMENT = re.compile(r"(installer|group)@(\d+)\+(\d+)")
_SIGNAL = re.compile(r"(SIG[A-Z]+)@(.+)")
_STEP = 0.002  # seconds between two looks


@dataclass(frozen=True)
class Struck:
    """What a verb said until it was killed, and how long each of its installers lived."""

    said: Said
    hit: bool
    """False when it was over before the blow, and where there was to be none."""
    lives: tuple[float, ...] = ()


def strike(
    world: World, words: tuple[str, ...], when: str, plan: Mapping[str, Any], *, copy: bool = False
) -> Struck:
    """Run a verb and kill it at `when`.

    That is a line of the hook's; `installer@2+137`, which kills the second installer alone 137 ms
    after it began; `group@2+137`, which kills the verb with it; or `QUIET`,
    where `copy` has the files copied and the installers watched, as the moments need it.
    `SIGINT@LINE` sends that signal there instead; the rest is what `surroundings` knows.
    """
    if surroundings.knows(when):
        with surroundings.changed(world, when) as others:
            process = world.start(words, plan, copy=copy)
            beside = [world.beside(number, words) for number in range(others)]
            said = world.finish(process)
            codes = [other.wait(LIMIT) for other in beside]
        worst = next(
            (world.said_beside(n, code) for n, code in enumerate(codes) if code not in (0, 1, 2)),
            said,
        )
        return Struck(worst, hit=True)
    signalled = _SIGNAL.fullmatch(when)
    if signalled is not None:
        number = signal.Signals[signalled[1]]
        said = world.run(*words, plan={**plan, "at": signalled[2], "signal": int(number)})
        return Struck(said, hit=signalled[2] in world.calls())
    moment = _MOMENT.fullmatch(when)
    if moment is not None:
        return _at_moment(world, words, plan, moment)
    if when == QUIET:
        process = world.start(words, plan, copy=copy)
        lives = _watched(process) if copy else ()
        return Struck(world.finish(process), hit=False, lives=lives)
    said = world.run(*words, plan={**plan, "at": when})
    return Struck(said, hit=said.code == -signal.SIGKILL)


def survivors(world: World) -> list[int]:
    """The processes that still work for the world: installers whose verb was killed."""
    return processes.working_in(world.root)


def _at_moment(
    world: World, words: tuple[str, ...], plan: Mapping[str, Any], moment: re.Match[str]
) -> Struck:
    process = world.start(words, plan, copy=True)
    installer = _installer(process, int(moment[2]))
    if installer is None:
        return Struck(world.finish(process), hit=False)
    time.sleep(int(moment[3]) / 1000)
    if moment[1] == "group":
        process.kill()
    hit = processes.runs(installer)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(installer, signal.SIGKILL)
    return Struck(world.finish(process), hit=hit)


def _installer(process: subprocess.Popen[str], number: int) -> int | None:
    """The process of the verb's how-many-th installer, once it is there."""
    seen: list[int] = []
    end = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < end:
        seen += [pid for pid in _installers(process.pid) if pid not in seen]
        if len(seen) >= number:
            return seen[number - 1]
        time.sleep(_STEP)
    return None


def _watched(process: subprocess.Popen[str]) -> tuple[float, ...]:
    """Seconds from the first to the last look at each installer of the verb."""
    seen: dict[int, tuple[float, float]] = {}
    end = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < end:
        now = time.monotonic()
        for pid in _installers(process.pid):
            seen[pid] = (seen.get(pid, (now, now))[0], now)
        time.sleep(_STEP)
    return tuple(last - first for first, last in seen.values())


def _installers(pid: int) -> list[int]:
    found = []
    for child in processes.children(pid):
        with contextlib.suppress(OSError):
            if (Path("/proc") / str(child) / "comm").read_text().strip() == "uv":
                found.append(child)
    return found
