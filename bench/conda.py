"""conda: from nothing to the first answer on a channel on disk, and listing 100 environments.

Prints medians of `ROUNDS` rounds, the ways taken in turn within each round. The channel holds a
Python and ipykernel with all it needs, packed from wheels.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from _ground import home, ratio, spread, table
from create import first_cell, registered
from support import condachannel, wheelhouse
from support.kernels import RunningKernel

ROUNDS = 5
MANY = 100
PACKAGES = 200
"""Records in each of the environments that are listed, as an ordinary one has."""


def main() -> None:
    with home() as place:
        os.environ |= {"ENVMAGIC_CONDA": "rattler", "RATTLER_CACHE_DIR": str(place / "rattler")}
        channel = condachannel.build(place / "channel")
        for wheel in condachannel.wheels_of(wheelhouse.directory(), "ipykernel", "pip"):
            channel.add_wheel(wheel)
        channel.index()
        creating(place, channel)
        listing(place)


def creating(place: Path, channel: condachannel.Channel) -> None:
    """`%env create --backend conda` beside rattler and uv called directly."""
    stock = RunningKernel("python3", place)
    stock.run("%load_ext envmagic")
    ways: dict[str, Callable[[Path], RunningKernel]] = {
        "`%env create --backend conda`, first cell": lambda at: created(stock, channel, at),
        "rattler `solve` and `install`, `uv pip install`, kernel.json, start, first cell": (
            lambda at: bare(channel, at)
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
    ours, *_ = taken.values()
    rows = [[name, spread(times), ratio(ours, times)] for name, times in taken.items()]
    title = f"Create with conda until the first cell has answered (median of {ROUNDS})"
    table(title, ["way", "time", "envmagic takes"], rows)


def created(stock: RunningKernel, channel: condachannel.Channel, at: Path) -> RunningKernel:
    """In a live kernel, without moving it, so that each round starts from the same one."""
    options = f"--backend conda --channel {channel.url} --with tiny --with humanize --no-use"
    stock.run(f"%env create {at.name} {options}")
    return first_cell(at.name, at.parent)


def bare(channel: condachannel.Channel, at: Path) -> RunningKernel:
    """What a script would do: conda's packages by rattler, the one conda lacks by uv."""
    import uv

    cache = Path(os.environ["RATTLER_CACHE_DIR"])
    condachannel.create(at, channel, ["python", "pip", "ipykernel", "tiny"], cache)
    python = at / "bin" / "python"
    install: list[str | Path] = [uv.find_uv_bin(), "pip", "install", "-q", "-p", python, "humanize"]
    subprocess.run(install, check=True)
    registered(at.name, python, at.parent)
    return first_cell(at.name, at.parent)


def listing(place: Path) -> None:
    """`list` in a process that has done it once, and the whole command."""
    for number in range(MANY):
        _environment(place / "miniforge3" / "envs" / f"bio{number}")
    code = (
        "import time\n"
        "from pathlib import Path\n"
        "from envmagic.operations.overview import list_all\n"
        "from envmagic.core.verbs import ListRequest\n"
        "from envmagic.core.model import Frontend, Place, Silent\n"
        "began = time.perf_counter()\n"
        "report = list_all(ListRequest(), Place(Frontend.TERMINAL, Path.cwd()), Silent())\n"
        "print(len(report.data['environments']), time.perf_counter() - began)\n"
    )
    first: list[float] = []
    whole: list[float] = []
    for _ in range(ROUNDS):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        count, seconds = ran.stdout.split()
        assert int(count) >= MANY, ran.stdout + ran.stderr
        first.append(float(seconds))
        began = time.perf_counter()
        command = [sys.executable, "-m", "envmagic", "list"]
        subprocess.run(command, capture_output=True, check=True)
        whole.append(time.perf_counter() - began)
    rows = [["the first `list` of a process", spread(first, "ms")]]
    rows += [["`envmagic list`, Python's start included", spread(whole, "ms")]]
    table(f"`list` with {MANY} conda environments", ["what", "time"], rows)


def _environment(prefix: Path) -> None:
    """As much of an environment as `list` looks at, with as many records as one has."""
    short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "lib" / short / "site-packages").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "conda-meta" / "history").touch()
    version = ".".join(str(part) for part in sys.version_info[:3])
    (prefix / "conda-meta" / f"python-{version}-h0_0.json").write_text("{}")
    for number in range(PACKAGES):
        (prefix / "conda-meta" / f"package{number}-1.0-0.json").write_text("{}")


if __name__ == "__main__":
    main()
