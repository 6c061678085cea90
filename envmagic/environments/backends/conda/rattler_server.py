"""What `rattler_client` asks for, carried out by the Python that has the extra."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Silent
from envmagic.environments.backends.conda import edits, environment_file
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.system import process

__all__ = ["main"]


def main() -> NoReturn:
    """Carry out the request on standard input, print its answer and end the process."""
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = _carried_out(request)
    except NotInChannels as error:
        answer = {"unknown": list(error.names)}
    except EnvmagicError as error:
        problem = error.problem
        answer = {
            "problem": [problem.code, problem.message, problem.hint, problem.subject],
            "command": problem.command,
        }
    print(json.dumps(answer))
    process.leave(0)


def _carried_out(request: Mapping[str, Any]) -> dict[str, Any]:
    if "change" in request:
        from envmagic.environments.backends.conda.rattler_engine import RattlerEngine

        held: dict[str, Any] = dict(request["change"])
        lists = {k: tuple(v) for k, v in held.items() if isinstance(v, list)}
        change = Transaction(**{**held, **lists, "prefix": Path(held["prefix"])})
        RattlerEngine().apply(change, _Spoken(lambda text: print(text, file=sys.stderr)))
        return {}
    if "texts" in request:
        read = [edits.meaning_of(text.encode("latin-1")) for text in request["texts"]]
        return {"meanings": [asdict(meaning) for meaning in read]}
    file = environment_file.read(Path(request["file"]))
    return {**asdict(file), "path": str(file.path)}


class _Spoken(Silent):
    """Progress as lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def step(self, message: str) -> None:
        self._say(f"step\t{message}")

    def detail(self, message: str) -> None:
        self._say(f"detail\t{message}")
