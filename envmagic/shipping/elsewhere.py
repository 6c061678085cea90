"""An engine in the environment's own Python, where envmagic runs in another one.

What an engine pickles its workers can read only if it is written in their Python, and the engine is
installed in the environment alone. envmagic goes behind that Python as it does for its kernel.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Frontend, Place, Progress
from envmagic.environments import backends, registry, runtimes
from envmagic.shipping import engine_called
from envmagic.shipping.engine import Asked, Shipped
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen
from envmagic.system import directories, prefix_layout, process

__all__ = ["Elsewhere", "answer_of", "is_elsewhere", "main", "read"]

_STEP = "step: "
_WAITS = 3600.0  # seconds: workers may build what they install


def is_elsewhere(environment: Environment) -> bool:
    """Whether `environment` is another one than this process runs in."""
    return not prefix_layout.same(environment.prefix, sys.prefix)


@dataclass(frozen=True)
class Elsewhere:
    """The engine `name`, by the Python of the payload's environment."""

    name: str

    def ship(self, asked: Asked, progress: Progress) -> Shipped:
        """As `Engine` has it."""
        return self._ran("ship", asked, progress)

    def check(self, asked: Asked, progress: Progress) -> Shipped:
        """As `Engine` has it."""
        return self._ran("check", asked, progress)

    def _ran(self, what: str, asked: Asked, progress: Progress) -> Shipped:
        environment, place = asked.payload.environment, asked.place
        words = _command(environment, progress)
        told = {
            "engine": self.name,
            "what": what,
            "prefix": str(environment.prefix),
            "directory": str(place.directory),
            "notebook": str(place.notebook) if place.notebook else None,
            "variables": sorted(asked.payload.variables),
            "target": asked.target,
            "to": asked.to,
            "index": asked.index,
        }

        def hear(line: str) -> None:
            (progress.step if line.startswith(_STEP) else progress.detail)(line.removeprefix(_STEP))

        try:
            ran = process.run(
                words,
                timeout=_WAITS,
                env=asked.payload.variables,
                cwd=place.directory,
                on_line=hear,
                on_wait=lambda _: progress.waiting(),
                input=json.dumps(told),
            )
        except process.CommandFailed as error:
            raise EnvmagicError(
                "kernel-cannot-start",
                f"envmagic does not run behind {environment.python}: {error.last_line}",
                "To look what is wrong with it",
                command=("doctor",),
                subject=str(environment.prefix),
                detail=error.stderr,
            ) from error
        return read(json.loads(ran.stdout.splitlines()[-1]))


def main() -> None:
    """Read what is asked from standard input, and write the answer as one line of JSON."""
    signal.signal(signal.SIGTERM, _interrupted)  # so that what was begun is undone
    asked = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):  # engines say much
        answer = _answer(asked)
    print(json.dumps(answer))


def _command(environment: Environment, progress: Progress) -> list[str | Path]:
    """What runs this module by the environment's Python. Raises `EnvmagicError`."""
    behind = runtimes.behind(runtimes.Host.of(environment), progress)
    if not behind.envmagic:
        raise EnvmagicError(
            "kernel-cannot-start",
            f"What is in {environment.prefix} is too old for envmagic.",
            "To make one with a newer Python",
            command=("create", "NAME", "--python", "3.12"),
            subject=str(environment.prefix),
        )
    places = directories.runtimes()
    start = [environment.python, places / "launcher.py", places]
    return [*start, "--behind", json.dumps(behind.answer), "-m", __name__]


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    directory = Path(asked["directory"])
    notebook = Path(asked["notebook"]) if asked["notebook"] else None
    prefix = Path(asked["prefix"])
    place = Place(Frontend.TERMINAL, directory, notebook, prefix)
    try:
        there = backends.look(registry.environment_at(prefix))
        payload = Payload.of(there, directory, notebook, variables=asked["variables"])
        wanted = Asked(payload, place, asked["target"], asked["to"], asked["index"])
        engine = engine_called(asked["engine"])
        done = (engine.check if asked["what"] == "check" else engine.ship)(wanted, _Said())
    except EnvmagicError as error:
        return {"problem": asdict(error.problem), "words": isinstance(error, WordsError)}
    return answer_of(done)


def answer_of(done: Shipped) -> dict[str, Any]:
    """`done` as JSON has it."""
    return {"shipped": {**asdict(done), "leaves": sorted(done.leaves)}}


def read(answer: dict[str, Any]) -> Shipped:
    """What the other process has answered. Raises what it raised."""
    if "problem" in answer:
        told = _problem(answer["problem"])
        raise (WordsError if answer["words"] else EnvmagicError)(
            told.code,
            told.message,
            told.hint,
            command=told.command,
            tool_command=told.tool_command,
            subject=told.subject,
            detail=told.detail,
        )
    held = answer["shipped"]
    return Shipped(
        **{
            **held,
            "sent": tuple(held["sent"]),
            "workers": tuple(Seen(**each) for each in held["workers"]),
            "notes": tuple(held["notes"]),
            "problems": tuple(_problem(each) for each in held["problems"]),
            "leaves": frozenset(held["leaves"]),
        }
    )


def _problem(held: dict[str, Any]) -> Problem:
    return Problem(
        **{
            **held,
            "severity": Severity(held["severity"]),
            "command": tuple(held["command"]),
            "tool_command": tuple(held["tool_command"]),
        }
    )


class _Said:
    """Progress as the other process hears it."""

    def step(self, message: str) -> None:
        print(f"{_STEP}{message}", file=sys.stderr, flush=True)

    def detail(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    def waiting(self) -> None: ...


def _interrupted(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
