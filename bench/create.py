"""From nothing to the first answer of a new environment's kernel, and what that leaves on the disk.

Each way of ours is typed into a running notebook, which moves; the other is the same by hand: uv,
ipykernel, a kernelspec, a start. Medians of `ROUNDS` rounds, the ways taken in turn within each.
Packages come from disk; with `--online` from the package index, all caches warm, as at a person's
desk. `--only WORD` measures the rows with that word.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import uv
from _ground import home, ratio, spread, table
from support.kernels import RunningKernel
from support.processes import eventually

ROUNDS = 7
SMALL = ("six", "attrs", "tabulate")
LARGE = ("pandas", "matplotlib")
UV = uv.find_uv_bin()

Timed = Callable[[], RunningKernel]
"""What is timed; it returns the kernel that has answered."""


@dataclass(frozen=True)
class Row:
    """Ours and the bare way: each gets what it begins with, untimed, and gives what is timed."""

    name: str
    ours: Callable[[Path], Timed]
    bare: Callable[[Path], Timed]


def main() -> None:
    online = "--online" in sys.argv
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    with home(online=online, more=LARGE) as place:
        rows = [row for row in ROWS if only in row.name]
        timed = [measured(row, place) for row in rows]
        source = "the package index" if online else "disk"
        title = f"Until the first cell has answered, packages from {source} (median of {ROUNDS})"
        table(title, ["what", "envmagic", "by hand", "envmagic takes"], timed)
        if not only:
            show_starts(place)
            show_disk(place)


def measured(row: Row, place: Path) -> list[str]:
    """The first round warms the caches and is not counted."""
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(-1, ROUNDS):
        for kind, way in (("ours", row.ours), ("bare", row.bare)):
            at = place / f"{kind}{number + 1}-{ROWS.index(row)}"
            timed = way(at)
            wait_for_background()
            began = time.perf_counter()
            kernel = timed()
            if number >= 0:
                taken[kind].append(time.perf_counter() - began)
            kernel.stop()
    return [row.name, spread(taken["ours"]), spread(taken["bare"]), ratio(*taken.values())]


def wait_for_background() -> None:
    """Until a new runtime has been compiled: that takes nothing from the round it was made in."""

    def compiles(process: psutil.Process) -> bool:
        return any("import compileall" in word for word in process.info["cmdline"] or ())

    eventually(lambda: not any(map(compiles, psutil.process_iter(["cmdline"]))), 300)


# -- ours ------------------------------------------------------------------------------------------


def typed(cell: Callable[[Path], str]) -> Callable[[Path], Timed]:
    """In a notebook whose kernel runs already, as a person has it."""

    def way(at: Path) -> Timed:
        stock = notebook(at)

        def timed() -> RunningKernel:
            stock.run(cell(at))
            return answered(stock)

        return timed

    return way


def notebook(at: Path) -> RunningKernel:
    stock = RunningKernel("python3", at.parent)
    stock.run("%load_ext envmagic")
    return stock


def created(at: Path) -> str:
    return f"%env create {at.name} --bare"


def with_packages(*packages: str) -> Callable[[Path], str]:
    return lambda at: "\n".join([f"%%env {at.name}", *packages])


def attached(at: Path) -> Timed:
    made_before(at)
    return typed(lambda at: f"%env attach {at}")(at)


def first_of_all(at: Path) -> Timed:
    """Nothing of envmagic's is on the machine yet."""
    shutil.rmtree(Path(os.environ["ENVMAGIC_HOME"]), ignore_errors=True)
    shutil.rmtree(Path(os.environ["JUPYTER_DATA_DIR"], "kernels"), ignore_errors=True)
    return typed(created)(at)


# -- by hand ---------------------------------------------------------------------------------------


def by_hand(*packages: str) -> Callable[[Path], Timed]:
    def way(at: Path) -> Timed:
        def timed() -> RunningKernel:
            inside(at, *packages)
            return first_cell(at.name, at.parent)

        return timed

    return way


def attached_by_hand(at: Path) -> Timed:
    made_before(at)

    def timed() -> RunningKernel:
        python = at / "bin" / "python"
        run(UV, "pip", "install", "-q", "-p", python, "ipykernel")
        run(python, "-m", "ipykernel", "install", "--user", "--name", at.name)
        return first_cell(at.name, at.parent)

    return timed


def inside(at: Path, *packages: str) -> None:
    """An environment with ipykernel in it, and its kernelspec."""
    run(UV, "venv", "-q", "-p", sys.executable, at)
    python = at / "bin" / "python"
    run(UV, "pip", "install", "-q", "-p", python, "pip", "ipykernel", *packages)
    registered(at.name, python, at.parent)


def registered(name: str, python: Path, place: Path) -> None:
    """The least that jupyter_client needs to start it; takes no time worth measuring."""
    directory = place / "jupyter" / "kernels" / name
    directory.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (directory / "kernel.json").write_text(json.dumps(spec))


def made_before(at: Path) -> None:
    run(UV, "venv", "-q", "-p", sys.executable, at)
    run(UV, "pip", "install", "-q", "-p", at / "bin" / "python", *SMALL)


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


def first_cell(name: str, place: Path) -> RunningKernel:
    return answered(RunningKernel(name, place))


def answered(kernel: RunningKernel) -> RunningKernel:
    """Run one cell; ending the kernel is left to the caller, out of the time."""
    assert kernel.run("6 * 7").result == "42"
    return kernel


ROWS = [
    Row("`%env create`", typed(created), by_hand()),
    Row("`%%env` with three small packages", typed(with_packages(*SMALL)), by_hand(*SMALL)),
    Row("`%%env` with pandas and matplotlib", typed(with_packages(*LARGE)), by_hand(*LARGE)),
    Row("`%env attach`", attached, attached_by_hand),
    Row("`%env create`, the first on a machine", first_of_all, by_hand()),
]


# -- afterwards ------------------------------------------------------------------------------------


def show_starts(place: Path) -> None:
    stock = notebook(place / "started")
    stock.run("%env create started --bare --no-use")
    stock.stop()
    inside(place / "started-inside")
    taken: dict[str, list[float]] = {"started": [], "started-inside": []}
    wait_for_background()
    for number in range(-2, 3 * ROUNDS):
        for name, times in taken.items():
            began = time.perf_counter()
            kernel = first_cell(name, place)
            if number >= 0:
                times.append(time.perf_counter() - began)
            kernel.stop()
    ours, theirs = taken.values()
    more = 1000 * (statistics.median(ours) - statistics.median(theirs))
    title = f"A start until the first cell has answered (median of {3 * ROUNDS})"
    rows = [["envmagic", spread(ours)], ["ipykernel inside", spread(theirs)]]
    table(title, ["kernel", "time"], [*rows, ["more", f"{more:+.0f} ms"]])


def show_disk(place: Path) -> None:
    """What the tenth environment takes: by itself, and where the other nine are counted first."""
    stock = notebook(place)
    names = [f"tenth{number}" for number in range(10)]
    for name in names:
        stock.run(f"%env create {name} --bare --no-use")
    stock.stop()
    root = place / "envmagic" / "envs"
    made = [root / name for name in names]
    beside = megabytes(place / "envmagic" / "runtimes", *made)[-1]
    inside(place / "disk-inside")
    rows = [
        ["the tenth environment", *(f"{n:.1f} MB" for n in (megabytes(made[-1])[0], beside))],
        ["with ipykernel inside", f"{megabytes(place / 'disk-inside')[0]:.1f} MB", ""],
    ]
    table("Disk, without packages (du)", ["what", "by itself", "beside the others"], rows)


def megabytes(*places: Path) -> Sequence[float]:
    """As du counts them one after the other: what is linked more than once, once."""
    shown = subprocess.run(["du", "-sk", *places], check=True, capture_output=True, text=True)
    return [int(line.split()[0]) * 1024 / 1e6 for line in shown.stdout.splitlines()]


if __name__ == "__main__":
    main()
