"""The laws of the record with other examples each time, until the minutes are over.

`python run.py [MINUTES [NOTEBOOKS]]`: an hour without; of a directory of notebooks, their cells are
what install lines are put into. A failure says its example; `--hypothesis-seed` runs it again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = 500  # of each law in a round
_TESTS = Path(__file__).parents[2] / "unit" / "test_record_laws.py"


def main(words: Sequence[str]) -> int:
    """Run rounds; 1 as soon as one has found something."""
    minutes = float(words[0]) if words else 60.0
    variables = {**os.environ, "ENVMAGIC_LAWS": str(EXAMPLES)}
    if words[1:]:
        variables["ENVMAGIC_LAWS_NOTEBOOKS"] = os.path.abspath(words[1])
    start, rounds = time.monotonic(), 0
    while time.monotonic() - start < minutes * 60:
        rounds += 1
        seed = random.randrange(2**32)
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--timeout", "7200"]
        command += [f"--hypothesis-seed={seed}", str(_TESTS)]
        code = subprocess.run(command, env=variables).returncode
        print(f"round {rounds}, seed {seed}: {'wrong' if code else 'right'}", flush=True)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
