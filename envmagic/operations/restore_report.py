"""What is told of a restored environment: from what it is, and what of it is otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Place
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import InsteadData, RestoreData, RestoredFrom
from envmagic.environments.inventory import Inventory
from envmagic.operations.restoring import Restoring
from envmagic.planning import other_locks
from envmagic.planning.past import Past
from envmagic.record import lock as locking

__all__ = ["against", "besides", "told", "unread"]


def told(job: Restoring, held: Mapping[str, str], other: list[InsteadData]) -> RestoreData:
    """What says what it had, and what is otherwise where those are `held`."""
    past, lock = job.past, job.locked
    if lock is not None and lock.other_python and not other:
        why = f"{lock.file.name} was made for it"
        other = [
            InsteadData(name="python", was=lock.other_python, taken=job.python.version, why=why)
        ]
    source = RestoredFrom(
        kind=past.how.value,
        file=str(past.file) if past.file is not None else None,
        date=past.until.isoformat() if past.until is not None else "",
        why=past.why,
    )
    return RestoreData(source=source, instead=[*other, *job.instead(held)], dry_run=False)


def unread(past: Past, place: Place) -> list[str]:
    """That another tool's lock does not count, and why."""
    return [
        f"{display.display(over.file, place.directory)} does not count: {over.reason}."
        for over in past.over
        if over.file.name in other_locks.NAMES
    ]


def besides(job: Restoring, place: Place, there: Inventory | None) -> list[str]:
    """That another tool's lock does not count, that a lock was edited, and that an environment
    which was there holds more than it."""
    notes = unread(job.past, place)
    if job.locked is None:
        return notes
    edited = locking.is_edited(job.locked.file)
    notes += [f"{job.locked.file.name} was edited by hand; it counts as it is."] if edited else []
    if there is None:
        return notes
    more = sorted(set(there.distributions) - job.locked.lines.keys() - {"pip"})
    if not more:
        return notes
    shown = display.joined(more[:5]) if len(more) <= 5 else f"{', '.join(more[:5])} and more"
    return [*notes, f"Besides what is locked it holds {shown}; that stayed."]


def against(job: Restoring, place: Place) -> list[Problem]:
    """A warning for each line of the requirements beside a lock that the lock contradicts."""
    file = place.directory / REQUIREMENTS
    if job.locked is None or not file.is_file():
        return []
    found = []
    held = requirements.read(file)
    recorded = {e.name: e.requirement for e in (held.block.entries if held.block else ())}
    for line in held.all_lines():
        asked, version = line.requirement, job.locked.pins.get(line.name or "")
        if asked and version and not asked.specifier.contains(version, prereleases=True):
            said = f"{file.name} asks for {asked}, and {job.locked.file.name} has {version}."
            hint, command = f"To follow {file.name}", ("sync",)
            if not _is_one(asked, recorded.get(line.name or "")):  # no installer would take both
                hint, command = "It asks for another below. To keep your line alone", ("record",)
            found.append(
                Problem(
                    "lock-behind",
                    said,
                    hint,
                    Severity.WARNING,
                    subject=line.name or "",
                    command=command,
                )
            )
    return found


def _is_one(line: Requirement, recorded: Requirement | None) -> bool:
    """Whether the version that is `recorded` is one that the `line` allows."""
    pins = [s.version for s in recorded.specifier if s.operator == "=="] if recorded else []
    return all(line.specifier.contains(pin, prereleases=True) for pin in pins)
