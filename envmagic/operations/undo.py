"""`undo`: the environment as it was before a change of its history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Place, Progress, Report
from envmagic.core.names import normalized
from envmagic.core.schema import UndoData
from envmagic.core.verbs import UndoRequest
from envmagic.environments import backends, changing, clearing, registry, what_changed
from envmagic.environments import history as kept
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.history import Entry
from envmagic.environments.inventory import Inventory
from envmagic.operations import jupyters_own, lock_again, running_modules
from envmagic.operations.handover import (
    Recorded,
    record_behind,
    recorded_state,
    start_recording,
)
from envmagic.operations.here import environment_of
from envmagic.operations.history import data_of

__all__ = ["undo"]


def undo(request: UndoRequest, place: Place, progress: Progress) -> Report[UndoData]:
    """Bring the environment back to what it held before a change, and the record along.

    What cannot be had again is told, and the rest is done. Raises `EnvmagicError` where there is
    nothing to take back.
    """
    environment = environment_of(place)
    if not request.here:
        number = () if request.number is None else (str(request.number),)
        jupyters_own.refuse(environment, place, ("undo", "--here", *number), ())
    with clearing.locked(environment.prefix):
        entries = kept.entries(environment.prefix)
        undone = _undone(entries, request.number, environment)
        stays = list(_stays(undone))
        if stays and not any(entry.before or entry.after for entry in undone):
            raise EnvmagicError(
                "nothing-to-undo",
                stays[0].message,
                stays[0].hint,
                command=stays[0].command,
                subject=str(environment.prefix),
            )
        target = kept.before(environment.prefix, undone[0].number)
        there = backends.look(environment)
        current = lock_again.was_current(place, there)
        loaded = running_modules.loaded(there)
        step = _Back(there, target, progress)
        now, _ = changing.checked(there, step, progress)
    changes = what_changed.changes(there.versions, now.versions)
    data = UndoData(
        environment=registry.describe(now.environment, None, place),
        undone=[data_of(entry) for entry in undone],
        changes=changes,
        restart=running_modules.replaced(changes, loaded),
        notes=running_modules.unseen(changes, now),
    )
    recorded = _recorded(place, now, step, undone)
    data["record"] = recorded.data
    notes, behind = lock_again.again(place, now, progress, current=current)
    data["notes"] += notes
    said = (*recorded.problems, *behind)
    problems = (*step.problems(now), *stays, *said)
    return Report("undo", data, changed=bool(changes), problems=problems)


def _undone(entries: Sequence[Entry], number: int | None, environment: Environment) -> list[Entry]:
    """The entries that are taken back. Raises `WordsError`."""
    name = display.user_path(environment.prefix)
    undone = [e for e in entries if number is None or e.number >= number]
    undone = undone[-1:] if number is None else undone
    if not undone:
        known = f"; the last is {entries[-1].number}" if entries else ""
        what = "Nothing has changed" if number is None else f"There is no change {number}"
        raise WordsError(
            "nothing-to-undo", f"{what} in {name}{known}.", "To see what did", command=("history",)
        )
    if number is not None and undone[0].number != number:
        raise WordsError(
            "nothing-to-undo",
            f"Change {number} of {name} is not kept any more; the first is {undone[0].number}.",
            "To see them",
            command=("history", "--all"),
        )
    first = undone[0]
    is_made = first.what.partition(" ")[0].lstrip("%") in _MAKING or first.what == "the first cell"
    if first.number == entries[0].number and not first.before and environment.owned and is_made:
        raise EnvmagicError(
            "nothing-to-undo",
            f"Change {first.number} made {name} itself.",
            "To take it away",
            command=("remove", str(environment.prefix)),
            subject=str(environment.prefix),
        )
    return undone


def _stays(undone: Sequence[Entry]) -> Iterator[Problem]:
    """What installing cannot take back, and what does."""
    traits: dict[str, tuple[str, str]] = {}
    for entry in undone:
        for name, (was, now) in entry.traits.items():
            traits[name] = (traits[name][0] if name in traits else was, now)
    for name, (was, now) in traits.items():
        if was != now and not (name == "directory" and "name" in traits):
            yield _STAYS[name](was, now)


def _python_stays(was: str, now: str) -> Problem:
    return Problem(
        "not-undone",
        f"It was on Python {was} before, and undo leaves it on {now}.",
        "To go back",
        Severity.WARNING,
        subject="python",
        command=("upgrade", "--python", ".".join(was.split(".")[:2])),
    )


def _name_stays(was: str, now: str) -> Problem:
    return Problem(
        "not-undone",
        f"{display.user_text(now)} was {display.user_text(was)}; undo leaves it so.",
        "To call it that again",
        Severity.WARNING,
        subject=now,
        command=("rename", now, was),
    )


_MAKING = ("create", "env", "clone", "restore")
_STAYS = {"python": _python_stays, "name": _name_stays, "directory": _name_stays}


@dataclass
class _Back:
    """Brings what is `there` to what `target` says."""

    there: Inventory
    target: Mapping[str, str]
    progress: Progress

    def __call__(self) -> list[str]:
        gone, back = self.gone, self.back
        if back:
            self.progress.step(f"Installing {', '.join(self._named(back))}")
            self._install(back)
        if gone:
            self.progress.step(f"Uninstalling {', '.join(gone)}")
            changing.take_out(self.there, gone, self.progress)
        return []

    @property
    def gone(self) -> list[str]:
        """What is there and was not."""
        return [name for name in kept.lines_of(self.there) if name not in self.target]

    @property
    def back(self) -> dict[str, str]:
        """What is not there, or otherwise."""
        now = kept.lines_of(self.there)
        return {name: line for name, line in self.target.items() if now.get(name) != line}

    def problems(self, now: Inventory) -> list[Problem]:
        """A warning for each that is `now` otherwise than it was."""
        held = kept.lines_of(now)
        return [
            Problem(
                "not-undone",
                f"{line} could not be had again; {held.get(name, 'none')} is there now.",
                severity=Severity.WARNING,
                subject=name,
            )
            for name, line in self.target.items()
            if held.get(name) != line
        ]

    def _install(self, lines: Mapping[str, str]) -> None:
        """All of `lines`, else as many as can be had. Raises `EnvmagicError` where none can."""
        environment = self.there.environment
        backend = backends.of(environment)
        try:
            backend.install(environment, _plan(lines.values()), self.progress)
        except EnvmagicError as error:
            if error.problem.code != "install-failed" or len(lines) == 1:
                raise
            done = [self._tried(line) for line in lines.values()]
            if not any(done):
                raise

    def _tried(self, line: str) -> bool:
        environment = self.there.environment
        try:
            backends.of(environment).install(environment, _plan([line]), self.progress)
        except EnvmagicError as error:
            if error.problem.code != "install-failed":
                raise
            return False
        return True

    @staticmethod
    def _named(lines: Mapping[str, str]) -> list[str]:
        names = list(lines)
        return names if len(names) <= 5 else [*names[:5], f"{len(names) - 5} more"]


def _plan(lines: Iterable[str]) -> InstallPlan:
    return InstallPlan(tuple(lines), alone=True)


def _recorded(place: Place, now: Inventory, step: _Back, undone: Sequence[Entry]) -> Recorded:
    """The record along: without what is gone, with what an `uninstall` that is taken back named."""
    state = recorded_state(place)
    if state is None or state["state"] != "on":
        return Recorded()
    if place.notebook is None or place.executing:
        return Recorded(problems=record_behind(place, now))
    named = {
        normalized(word)
        for entry in undone
        if entry.what.startswith("uninstall ")
        for word in entry.what.split()[1:]
    }
    return start_recording(place, now.environment, sorted(named & set(step.back)), step.gone)
