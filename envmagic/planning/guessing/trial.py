"""Trying a notebook's imports in its environment, in a process of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.planning.guessing.guess import Asked, dotted
from envmagic.system import process

__all__ = ["Failure", "tried"]

_SECONDS = 300.0
_MARK = "\x1eenvmagic "  # before each answer: what is imported prints, too
_CODE = r"""
import json, sys, warnings
warnings.simplefilter("ignore")
for number, line in enumerate(json.loads(sys.argv[1])):
    print(sys.argv[2] + json.dumps([number]), flush=True)
    try:
        exec(line, {})
        answer = None
    except BaseException as error:
        name = error.name if isinstance(error, ModuleNotFoundError) else None
        answer = [type(error).__name__, str(error), name or ""]
    print("\n" + sys.argv[2] + json.dumps([number, answer]), flush=True)
"""
_VARIABLES = {"MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONNOUSERSITE": "1"}
_NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_LIBRARY = re.compile(r"(?<!\S)(\S+): cannot open shared object file")


@dataclass(frozen=True)
class Failure:
    """An import that did not work."""

    asked: Asked
    kind: str
    """The exception's class."""
    message: str
    module: str = ""
    """What could not be found, where it was a module."""

    @property
    def name(self) -> tuple[str, str] | None:
        """The module and what it lacks, where it was a name."""
        match = _NO_NAME.search(self.message)
        if match is not None:
            return match[2], match[1]
        match = _NO_ATTRIBUTE.search(self.message)
        return (match[1], match[2]) if match is not None else None

    @property
    def is_of_itself(self) -> bool:
        """Whether what is asked for is what is not there, and not something that it needs."""
        wanted = (self.asked.module, *dotted(self.asked))
        gone = self.module or ".".join(self.name or ())
        return any(one == gone or one.startswith(f"{gone}.") for one in wanted if gone)

    @property
    def library(self) -> str:
        """The library of the system that is missing, or an empty string."""
        match = _LIBRARY.search(self.message)
        return match[1] if match is not None and ".so" in match[1] else ""

    def __str__(self) -> str:
        said = re.sub(r"\s+", " ", self.message.strip())[:200]
        return f"{self.asked.statement} does not work: {self.kind}: {said}"


def tried(python: Path, directory: Path, imports: Sequence[Asked]) -> tuple[Failure, ...]:
    """Those of `imports` that do not work with the interpreter `python`, run in `directory`.

    One that ends the process hides what is behind it, so the rest is tried again.
    """
    failures: list[Failure] = []
    left = list(imports)
    while left:
        said = _said(python, directory, left)
        answered = {row[0]: row[1] for row in said if len(row) == 2}
        for number, item in enumerate(left):
            answer = answered.get(number)
            if answer is not None:
                kind, message, module = answer
                failures.append(Failure(item, kind, message, module))
        begun = max((row[0] for row in said), default=0)
        if begun in answered and len(answered) == len(left):
            break
        failures.append(Failure(left[begun], "SystemError", "Python ended or did not answer"))
        left = left[begun + 1 :]
    return tuple(failures)


def _said(python: Path, directory: Path, imports: Sequence[Asked]) -> list[list[Any]]:
    lines = json.dumps([item.statement for item in imports])
    try:
        ran = process.run(
            [python, "-I", "-c", _CODE, lines, _MARK],
            env=_VARIABLES,
            cwd=directory,
            check=False,
            timeout=_SECONDS,
        ).stdout
    except process.CommandFailed:
        return []
    rows = (line.partition(_MARK)[2] for line in ran.split("\n") if _MARK in line)
    return [json.loads(row) for row in rows]
