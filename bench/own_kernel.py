"""A notebook's own environment: its start beside the same kernel's, its plan, its first cell.

Prints medians; what is compared is taken in turn within each round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from _ground import home, spread, table
from support.kernels import RunningKernel

ROUNDS = 9
NOTEBOOKS = 1000
PLAN = """
import sys, time
from pathlib import Path
from envmagic.planning.planner import plan_of
notebook = Path(sys.argv[1])
begin = time.perf_counter()
plan_of(notebook, notebook.parent)
print(time.perf_counter() - begin)
"""


def main() -> None:
    with home() as place:
        (place / "requirements.txt").write_text("six\n")
        path = write(place / "report.ipynb", "import six")
        made = RunningKernel("envmagic", place, notebook=path)
        made.run("import six")
        made.stop()
        name = json.loads(said("status", "--env", str(place / ".venv"), "--json"))["data"]["kernel"]
        direct: list[float] = []
        own: list[float] = []
        first: list[float] = []
        first_own: list[float] = []
        for number in range(-1, ROUNDS):
            for kernel, starts, cells in ((name, direct, first), ("envmagic", own, first_own)):
                begin = time.perf_counter()
                running = RunningKernel(kernel, place, notebook=path)
                started = time.perf_counter()
                running.run("import six")
                ended = time.perf_counter()
                running.stop()
                if number >= 0:
                    starts.append(started - begin)
                    cells.append(ended - started)
        plans = [planned(place / "many") for _ in range(ROUNDS)]
        rows = [
            ["start until it answers", spread(direct), spread(own), "≤ +60 ms"],
            ["first cell", spread(first, "ms"), spread(first_own, "ms"), "no difference"],
            [f"plan beside {NOTEBOOKS} notebooks", "–", spread(plans, "ms"), "≤ 30 ms"],
        ]
    table("One kernel for every notebook", ["what", "its own kernel", "`envmagic`", "reach"], rows)


def write(path: Path, source: str) -> Path:
    cell = {"cell_type": "code", "id": "a", "source": source, "metadata": {}, "outputs": []}
    version = "{}.{}.{}".format(*sys.version_info[:3])
    metadata = {"language_info": {"name": "python", "version": version}}
    content = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    return path


def said(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "envmagic", *words], check=True, capture_output=True, text=True
    ).stdout


def planned(directory: Path) -> float:
    """Seconds for a plan, by a process that has made none."""
    if not directory.exists():
        directory.mkdir()
        for number in range(NOTEBOOKS):
            write(directory / f"{number}.ipynb", "import six")
    command = [sys.executable, "-c", PLAN, str(directory / "7.ipynb")]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
