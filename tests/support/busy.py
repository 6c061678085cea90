"""Run tests again and again on a machine that is kept busy: whose verdict depends on its speed?

`python busy.py [--times N] [--loops N] WORDS`: the words go to pytest. Beside each run as many
busy processes as `--loops` says are there for each core. Exits with 1 when a test failed once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """That many processes that only compute; each ends with its parent, whatever ends that."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def failed_in(report: Path) -> list[tuple[str, str]]:
    """Each failed test of a JUnit report and the first line of what it said."""
    found = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        for kind in ("failure", "error"):
            if (said := case.find(kind)) is not None:
                name = f"{case.get('classname')}::{case.get('name')}"
                found.append((name, said.get("message", "").strip().split("\n")[0]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--loops", type=int, default=2)
    options, words = parser.parse_known_args()
    counts: Counter[str] = Counter()
    said: dict[str, str] = {}
    broken = 0
    with tempfile.TemporaryDirectory() as place, busy_loops(options.loops * (os.cpu_count() or 1)):
        for number in range(1, options.times + 1):
            report = Path(place, f"{number}.xml")
            command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *words]
            broken = subprocess.run(command).returncode
            if broken not in (0, 1):  # not "all passed", not "some failed": nothing ran
                break
            broken = 0
            failed = failed_in(report)
            counts.update(name for name, _ in failed)
            said.update(failed)
            print(f"{number} of {options.times}: {len(failed)} failed", flush=True)
    for name, times in counts.most_common():
        print(f"{times:3} of {options.times}  {name}\n     {said[name]}")
    return broken or int(bool(counts))


if __name__ == "__main__":
    sys.exit(main())
