"""What a launcher asks, of another Python, when it finds nothing to put behind its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Silent
from envmagic.environments import runtimes
from envmagic.environments.runtimes import Host

__all__ = ["main"]


def main() -> None:
    """Read a question from standard input, and write the answer as one line of JSON."""
    asked = json.load(sys.stdin)
    os.environ["ENVMAGIC_HOME"] = str(Path(asked["runtimes"]).parent)
    host = Host(
        Path(asked["prefix"]),
        Path(asked["python"]),
        asked["version"],
        asked["kind"],
        tuple(Path(place) for place in asked["directories"]),
    )
    try:
        answer = runtimes.behind(host, Silent(), doubted=asked["doubted"]).answer
    except EnvmagicError as error:
        problem = error.problem
        answer = {"reason": f"{problem.message} {problem.hint}".strip()}
    except Exception as error:  # a kernel that cannot start says why
        answer = {"reason": f"What a kernel consists of cannot be made: {error}"}
    print(json.dumps(answer))
