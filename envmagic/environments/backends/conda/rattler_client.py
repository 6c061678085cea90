"""What needs the extra, asked of the Python that has it, for a kernel that has not.

A kernel in a conda environment holds envmagic but no rattler and no YAML reader; its kernelspec
names the Python that made the environment (`ENVMAGIC_RATTLER`: interpreter, then the directory
that envmagic is in). Requests and answers are one JSON object each; progress goes line by line to
standard error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.system import process

__all__ = ["VARIABLE", "ElsewhereEngine", "ask", "is_there"]

VARIABLE = "ENVMAGIC_RATTLER"
_START = """\
import sys
sys.path[:] = [sys.argv[1], *filter(None, sys.path)]  # not from where the notebook is
try:
    from envmagic.environments.backends.conda.rattler_server import main
except ModuleNotFoundError as error:  # an envmagic from before the modules had their folders
    if not str(error.name).startswith("envmagic"):
        raise
    from envmagic.backends.conda.worker import main
main()
"""
_SECONDS = 3600.0


class ElsewhereEngine:
    """rattler, run by the Python that has it."""

    name = "rattler"

    def apply(self, change: Transaction, progress: Progress) -> None:
        ask({"change": {**asdict(change), "prefix": str(change.prefix)}}, progress)


def is_there() -> bool:
    """Whether this kernel's spec names a Python with the extra, and it is still there."""
    python, _, source = os.environ.get(VARIABLE, "").partition(os.pathsep)
    return bool(source) and os.access(python, os.X_OK) and Path(source).is_dir()


def ask(request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """The answer to `request`. Raises what was raised there."""
    python, _, source = os.environ.get(VARIABLE, "").partition(os.pathsep)

    def show(line: str) -> None:
        kind, _, message = line.partition("\t")
        if kind == "step":
            progress.step(message)
        elif kind == "detail":
            progress.detail(message)

    settings = {k: v for k, v in os.environ.items() if k.startswith("CONDA_")}
    try:
        ran = process.run(
            [python, "-c", _START, source],
            input=json.dumps(request),
            env={**settings, "ENVMAGIC_CONDA": "rattler"},
            timeout=_SECONDS,
            on_line=show,
            on_wait=lambda _: progress.waiting(),
        )
        answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    except (process.CommandFailed, ValueError, IndexError) as error:
        said = error.last_line if isinstance(error, process.CommandFailed) else str(error)
        raise EnvmagicError("install-failed", f"rattler could not be run: {said}.") from error
    if "unknown" in answer:
        raise NotInChannels(answer["unknown"])
    if "problem" in answer:
        code, message, hint, subject = answer["problem"]
        command = tuple(answer.get("command", ()))
        raise EnvmagicError(code, message, hint, command=command, subject=subject)
    return answer
