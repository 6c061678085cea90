"""`clone`: another environment with the very same in it, and a kernel of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import BackendName, Environment, EnvSpec, Place, Progress, Report
from envmagic.core.schema import CloneData
from envmagic.core.verbs import CloneRequest
from envmagic.environments import (
    backends,
    clearing,
    copying,
    history,
    interpreters,
    journal,
    provisioning,
    registry,
)
from envmagic.environments.backends.base import NOTHING, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.jupyter import kernelspecs
from envmagic.operations import at_prefix
from envmagic.operations.handover import meanwhile, move
from envmagic.system import prefix_layout

__all__ = ["clone"]


def clone(request: CloneRequest, place: Place, progress: Progress) -> Report[CloneData]:
    """Make the environment `target` with what `source` holds: versions, editable installations,
    what came from version control. Raises `EnvmagicError`, with nothing made then."""
    started = time.monotonic()
    source = registry.existing(request.source, place)
    at = registry.target(request.target, place)
    registry.environment_at(source.prefix)  # before anything waits
    if prefix_layout.same(source.prefix, at.prefix):
        raise WordsError(
            "in-the-way",
            f"{display.quoted(request.target)} is that environment itself.",
            "Choose another NAME or PATH.",
            subject=request.target,
        )
    if request.use and place.switch is not None:
        place.switch.check()
    half = journal.unfinished_at(at.prefix)
    with meanwhile(request.use, at.prefix, place) as switch:
        with clearing.both_locked(source.prefix, at.prefix):
            there = backends.look(registry.environment_at(source.prefix))
            way = _way(there, progress)
            name = kernelspecs.free_name(at.name, at.prefix)
            if at_prefix.is_vacant(at.prefix):
                spec = EnvSpec(at.prefix, name, way.python, way.backend, way.channels)
                ready = provisioning.make(spec, way.wanted, progress, switch, fill=way.fill)
            elif half is not None and half.source == str(source.prefix):  # but for its kernel
                copied = backends.look(registry.environment_at(at.prefix))
                ready = provisioning.make_ready(copied, name, NOTHING, progress)
            else:
                raise _taken(at.prefix, request)
        environment, kernel = ready.there.environment, ready.kernel
        data = CloneData(
            environment=registry.describe(environment, kernel, place),
            source=str(source.prefix),
            distributions=len(ready.there.versions),
            notes=[*way.notes, *ready.notes],
            switch=move(request.use, kernel, environment.prefix, place, progress),
        )
    data["seconds"] = round(time.monotonic() - started, 3)
    return Report("clone", data, True, tuple(_others(there, ready.there)))


@dataclass(frozen=True)
class _Way:
    """How what an environment holds comes into another."""

    wanted: InstallPlan
    fill: Callable[[Environment], object]
    python: str | None
    backend: BackendName | None
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _way(there: Inventory, progress: Progress) -> _Way:
    environment = there.environment
    backend = backends.of(environment)
    if not backend.of_distributions:
        plan, channels = backend.again(environment)

        def add(target: Environment) -> None:
            lines = _of_index(there)
            if lines:
                progress.step(f"Installing {len(lines)} more from the package index")
                more = InstallPlan(tuple(lines.values()), alone=True)
                backends.of(target).add(target, more, progress)

        return _Way(plan, add, None, environment.backend, channels)

    def fill(target: Environment) -> None:
        progress.step(f"Copying {display.user_path(environment.prefix)}")
        copying.copy(environment, target)

    python = str(interpreters.base_of(environment.python))
    missing = backend.missing()
    notes = (f"{environment.backend.value} cannot be used: {missing}.",) if missing else ()
    return _Way(NOTHING, fill, python, None if missing else environment.backend, notes=notes)


def _of_index(there: Inventory) -> Mapping[str, str]:
    """The lines of what is not the backend's own."""
    return {
        name: line for name, line in history.lines_of(there).items() if name not in there.others
    }


def _taken(prefix: Path, request: CloneRequest) -> EnvmagicError:
    return EnvmagicError(
        "in-the-way",
        f"{display.user_path(prefix)} is an environment already.",
        "Choose another NAME or PATH, or take it away first",
        subject=str(prefix),
        command=("remove", request.target, "--yes"),
    )


def _others(source: Inventory, now: Inventory) -> list[Problem]:
    """A warning for each that the copy has otherwise."""
    held = history.lines_of(now)
    return [
        Problem(
            "not-cloned",
            f"{line} could not be had again; {held.get(name, 'none')} is there.",
            severity=Severity.WARNING,
            subject=name,
        )
        for name, line in history.lines_of(source).items()
        if held.get(name) != line
    ]
