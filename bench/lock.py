"""What locking and taking back cost, beside uv by hand and beside installing.

Prints medians of `ROUNDS` rounds; what is compared takes turns within each round. An environment of
`MANY` distributions, whose index is a process of its own on loopback.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uv
from _ground import home, ratio, spread, table
from support import wheels

from envmagic import operations
from envmagic.core.model import Frontend, Place, Silent
from envmagic.core.verbs import (
    CreateRequest,
    HistoryRequest,
    InstallRequest,
    LockRequest,
    Request,
    UndoRequest,
)
from envmagic.environments.history import Entry, log
from envmagic.frontends import render

ROUNDS = 9
MANY = 100
UV = uv.find_uv_bin()
_SERVE = """
import sys, time
from pathlib import Path
from support.simple_index import serving
with serving(Path(sys.argv[1])) as (address, _):
    print(address, flush=True)
    time.sleep(1e9)
"""


def main() -> None:
    with home() as place, index(place / "wheels") as address:
        say(CreateRequest("first"))  # what kernels consist of is not in that index
        Path(os.environ["UV_CONFIG_FILE"]).write_text(f'index-url = "{address}"\n')
        os.environ["UV_CACHE_DIR"] = str(place / "uv-cache")
        (place / "work").mkdir()
        os.chdir(place / "work")
        rows = [*locking(), *taking_back(), telling()]
    table(f"Locks and history (medians of {ROUNDS})", ["what", "measured", "beside", "reach"], rows)


@contextmanager
def index(directory: Path) -> Iterator[str]:
    """The address of an index with `MANY` distributions, in chains of ten, and `one`."""
    for number in range(MANY):
        needs = [f"part-{number + 1:03}"] if number % 10 != 9 else []
        wheels.build(directory, f"part-{number:03}", requires=needs)
    wheels.build(directory, "one")
    support = str(Path(wheels.__file__).parents[1])
    words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {support!r})\n{_SERVE}"]
    server = subprocess.Popen([*words, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def say(request: Request, prefix: Path | None = None) -> str:
    """Carry `request` out, and what is said of it."""
    place = Place(Frontend.TERMINAL, Path.cwd(), prefix=prefix)
    return render.text(operations.run(request, place, Silent()), Frontend.TERMINAL)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def locking() -> list[list[str]]:
    asked = [f"part-{number:03}" for number in range(0, MANY, 10)]
    Path("requirements.txt").write_text("".join(f"{name}\n" for name in asked))
    say(CreateRequest(".venv"))
    prefix, lock = Path(".venv").absolute(), Path("pylock.toml")
    Path("pins.txt").write_text("".join(f"part-{n:03}==1.0\n" for n in range(MANY)))
    words = [UV, "pip", "compile", "--format", "pylock.toml", "-q", "--no-header"]
    words += ["-p", ".venv/bin/python", "requirements.txt", "-c", "pins.txt"]
    bare: list[float] = []
    ours: list[float] = []
    same: list[float] = []
    check: list[float] = []
    for number in range(-1, ROUNDS):
        lock.unlink(missing_ok=True)
        taken = timed(lambda: subprocess.run(words, check=True, capture_output=True))
        first = timed(lambda: say(LockRequest(), prefix))
        again = timed(lambda: say(LockRequest(), prefix))
        checked = timed(lambda: say(LockRequest(check=True), prefix))
        if number >= 0:  # the first one fills the caches
            for kept, one in ((bare, taken), (ours, first), (same, again), (check, checked)):
                kept.append(one)
    assert lock.read_text().count("[[packages]]") == MANY
    return [
        [f"`lock` of {MANY} distributions", spread(ours, "ms"), ratio(ours, bare), "1.15 ×"],
        ["the same by `uv pip compile`", spread(bare, "ms"), "", ""],
        ["`lock` when nothing has changed", spread(same, "ms"), "", "100 ms"],
        ["`lock --check`, the same", spread(check, "ms"), "", "100 ms"],
    ]


def taking_back() -> list[list[str]]:
    prefix = Path(".venv").absolute()
    Path("pylock.toml").unlink()
    installed, undone = [], []
    for number in range(-1, ROUNDS):
        one = timed(lambda: say(InstallRequest(("one",)), prefix))
        other = timed(lambda: say(UndoRequest(), prefix))
        back = timed(lambda: say(UndoRequest(), prefix))  # installs it
        say(UndoRequest(), prefix)
        if number >= 0:
            installed.append(one)
            undone.append(max(other, back))
    return [
        ["`install` of one package", spread(installed, "ms"), "", ""],
        ["`undo` of one package", spread(undone, "ms"), ratio(undone, installed), "1.2 ×"],
    ]


def telling() -> list[str]:
    prefix = Path(".venv").absolute()
    entries = log.entries(prefix)
    for number in range(len(entries) + 1, log.MOST + 1):
        lines = {"one": f"one=={number}"}
        entry = Entry(number, "2026-01-01T00:00:00Z", f"install one=={number}", "", {}, lines)
        log.append(prefix, entry)
    taken = [timed(lambda: say(HistoryRequest(), prefix)) for _ in range(ROUNDS)]
    assert len(log.entries(prefix)) == log.MOST
    return [f"`history` with {log.MOST:,} changes", spread(taken, "ms"), "", "30 ms"]


if __name__ == "__main__":
    main()
