"""Verbs called in this process, with the progress they report kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from envmagic import operations
from envmagic.core import verbs
from envmagic.core.model import BackendName, Frontend, Place, Report


@dataclass
class Heard:
    """A `Progress` that remembers."""

    steps: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    waits: int = 0

    def step(self, message: str) -> None:
        self.steps.append(message)

    def detail(self, message: str) -> None:
        self.details.append(message)

    def waiting(self) -> None:
        self.waits += 1


@dataclass
class Operator:
    """Says verbs in the directory `work`, as a terminal there would."""

    work: Path
    heard: Heard = field(default_factory=Heard)

    def place(self, prefix: Path | None = None, notebook: Path | None = None) -> Place:
        return Place(Frontend.TERMINAL, self.work, prefix=prefix, notebook=notebook)

    def __call__(self, request: verbs.Request, prefix: Path | None = None) -> Report[Any]:
        return operations.run(request, self.place(prefix), self.heard)

    def create(self, target: str | None, *requirements: str, **options: object) -> Report[Any]:
        request = verbs.CreateRequest(target, requirements)
        return self(replace(request, **options))  # type: ignore[arg-type]

    def cell(self, target: str | None, body: str, **options: object) -> Report[Any]:
        create = replace(verbs.CreateRequest(target), **options)  # type: ignore[arg-type]
        return self(verbs.CellRequest(create, body))


def prefix_of(report: Report[Any]) -> Path:
    return Path(report.data["environment"]["prefix"])


BACKENDS = tuple(BackendName)
