"""What restoring from a lock costs, beside `uv venv` and `uv pip sync` by hand.

Prints medians of `ROUNDS` rounds; both take turns within each. Everything is in uv's cache.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import uv
from _ground import home, ratio, spread, table

from envmagic import operations
from envmagic.core.model import Frontend, Place, Silent
from envmagic.core.verbs import CreateRequest, LockRequest, Request, RestoreRequest

ROUNDS = 9
UV = uv.find_uv_bin()
SETS = {"6 distributions": ("tabulate", "humanize", "requests"), "90 distributions": ("notebook",)}


def main() -> None:
    with home() as place:
        say(CreateRequest("first"), place)
        rows = [measured(name, wanted, place) for name, wanted in SETS.items()]
    title = f"From a lock to the environment (median of {ROUNDS})"
    table(title, ["what", "restore", "uv venv + uv pip sync", "restore takes"], rows)


def measured(name: str, wanted: tuple[str, ...], place: Path) -> list[str]:
    """The first round warms the caches and is not counted."""
    work = place / name.partition(" ")[0]
    work.mkdir()
    (work / "requirements.txt").write_text("".join(f"{line}\n" for line in wanted))
    say(CreateRequest(".venv"), work)
    say(LockRequest(), work, work / ".venv")
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    ways: dict[str, Callable[[Path], object]] = {
        "ours": lambda at: say(RestoreRequest(target=str(at)), work),
        "bare": lambda at: by_hand(at, work / "pylock.toml"),
    }
    for number in range(-1, ROUNDS):
        for kind, way in ways.items():
            at = work / f"{kind}{number + 1}"
            began = time.perf_counter()
            way(at)
            if number >= 0:
                taken[kind].append(time.perf_counter() - began)
            shutil.rmtree(at)
    return [name, spread(taken["ours"]), spread(taken["bare"]), ratio(*taken.values())]


def by_hand(at: Path, lock: Path) -> None:
    for words in (("venv", str(at)), ("pip", "sync", "-p", str(at), str(lock))):
        subprocess.run([UV, "-q", *words], check=True, cwd=lock.parent)


def say(request: Request, work: Path, prefix: Path | None = None) -> None:
    place = Place(Frontend.TERMINAL, work, prefix=prefix)
    report = operations.run(request, place, Silent())
    assert report.ok, report.problems


if __name__ == "__main__":
    main()
