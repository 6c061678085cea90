"""From nothing to the first answer of a new environment's kernel: `%env create` and the bare steps.

Prints medians of `ROUNDS` rounds, the ways taken in turn within each round. Packages come from
disk; with `--online` from the package index, all caches warm, as at a person's desk.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from _ground import home, ratio, spread, table
from support.kernels import RunningKernel

ROUNDS = 5


def main() -> None:
    online = "--online" in sys.argv
    with home(online=online) as place:
        stock = RunningKernel("python3", place)
        stock.run("%load_ext envmagic")
        ways: dict[str, Callable[[Path], RunningKernel]] = {
            "`%env create`, first cell": lambda at: created(stock, at),
            "`uv venv`, `uv pip install pip ipykernel`, start, first cell": bare_uv,
            "`python -m venv`, `pip install ipykernel`, `ipykernel install`, start, first cell": (
                stock_steps
            ),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(-1, ROUNDS):  # the first round warms the caches and is not counted
            for name, way in ways.items():
                at = place / f"round{number + 1}-{len(name)}"
                began = time.perf_counter()
                kernel = way(at)
                if number >= 0:
                    taken[name].append(time.perf_counter() - began)
                kernel.stop()
        stock.stop()
    show(taken, "the package index" if online else "disk")


def show(taken: dict[str, list[float]], source: str) -> None:
    ours, *_ = taken.values()
    rows = [[name, spread(times), ratio(ours, times)] for name, times in taken.items()]
    title = f"Create until the first cell has answered, packages from {source} (median of {ROUNDS})"
    table(title, ["way", "time", "envmagic takes"], rows)


def created(stock: RunningKernel, at: Path) -> RunningKernel:
    """In a live kernel, without moving it, so that each round starts from the same one."""
    name = at.name
    stock.run(f"%env create {name} --bare --no-use")
    return first_cell(name, at.parent)


def bare_uv(at: Path) -> RunningKernel:
    import uv

    command = uv.find_uv_bin()
    subprocess.run([command, "venv", "-q", "-p", sys.executable, at], check=True)
    python = at / "bin" / "python"
    install: list[str | Path] = [command, "pip", "install", "-q", "-p", python, "pip", "ipykernel"]
    subprocess.run(install, check=True)
    register(at.name, python, at.parent)
    return first_cell(at.name, at.parent)


def stock_steps(at: Path) -> RunningKernel:
    subprocess.run([sys.executable, "-m", "venv", at], check=True)
    python = at / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "ipykernel"], check=True)
    install: list[str | Path] = [python, "-m", "ipykernel", "install", "--user", "--name", at.name]
    subprocess.run(install, check=True, capture_output=True)
    return first_cell(at.name, at.parent)


def register(name: str, python: Path, place: Path) -> None:
    """The least that jupyter_client needs to start it; takes no time worth measuring."""
    directory = place / "jupyter" / "kernels" / name
    directory.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (directory / "kernel.json").write_text(json.dumps(spec))


def first_cell(name: str, place: Path) -> RunningKernel:
    """Start the kernel and run one cell; ending it is left to the caller, out of the time."""
    kernel = RunningKernel(name, place)
    assert kernel.run("6 * 7").result == "42"
    return kernel


if __name__ == "__main__":
    main()
