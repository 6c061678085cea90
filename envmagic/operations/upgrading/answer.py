"""What is told of an upgrade, and the record and the lock that go along with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import UpgradeData
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments import registry, what_changed
from envmagic.environments.inventory import Inventory
from envmagic.operations import lock_again, running_modules
from envmagic.operations.handover import (
    Recorded,
    record_behind,
    recorded_state,
    start_recording,
)
from envmagic.operations.upgrading import vulnerabilities
from envmagic.operations.upgrading.outlook import Outlook
from envmagic.operations.upgrading.resolving import elsewhere, names_in

__all__ = ["followed", "said"]


def said(
    request: UpgradeRequest,
    place: Place,
    progress: Progress,
    before: Inventory,
    now: Inventory,
    notes: list[str],
    outlook: Outlook | None,
) -> Report[UpgradeData]:
    """The report on an environment that held what was there `before`, and holds what is `now`."""
    changes = what_changed.changes(before.versions, now.versions)
    rows, others = outlook.rows(now) if outlook is not None else ([], 0)
    data = UpgradeData(
        environment=registry.describe(now.environment, None, place),
        dry_run=request.dry_run,
        packages=rows,
        others=others,
        changes=changes,
        restart=[],
        record=None,
        notes=[*notes, *_kept(outlook), *running_modules.unseen(changes, now)],
    )
    problems: list[Problem] = []
    if request.audit:
        problems += _audited(data, now, progress)
    if outlook is not None and outlook.newer is not None and outlook.wants_newer:
        problems.append(_newer_python(outlook, outlook.newer.version))
    return Report("upgrade", data, changed=bool(changes), problems=tuple(problems))


def followed(
    report: Report[UpgradeData],
    place: Place,
    now: Inventory,
    progress: Progress,
    *,
    current: bool,
) -> Report[UpgradeData]:
    """The report once the record has gone along, and then the lock where it was `current`."""
    recorded = _recorded(place, now)
    report.data["record"] = recorded.data
    notes, behind = lock_again.again(place, now, progress, current=current)
    report.data["notes"] += notes
    problems = (*recorded.problems, *behind, *report.problems)
    return replace(report, problems=problems)


def _recorded(place: Place, now: Inventory) -> Recorded:
    state = recorded_state(place)
    if state is None or state["state"] != "on":
        return Recorded()
    if place.notebook is None or place.executing:
        return Recorded(problems=record_behind(place, now))
    return start_recording(place, now.environment)


def _kept(outlook: Outlook | None) -> list[str]:
    """A note about what comes from no index."""
    names = sorted(outlook.asked.sources) if outlook is not None else []
    if not names or (outlook is not None and outlook.asked.packages):
        return []
    comes, it = ("comes", "it stays") if len(names) == 1 else ("come", "they stay")
    return [f"{display.joined(names[:5])} {comes} from no index, so {it} as before."]


def _newer_python(outlook: Outlook, version: str) -> Problem:
    short = ".".join(version.split(".")[:2])
    names = outlook.wants_newer
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    have = "has" if len(names) == 1 else "have"
    return Problem(
        "newer-python",
        f"{', '.join(names[:3])}{more} {have} newer versions for Python {short}.",
        "To make the environment anew on it",
        Severity.INFO,
        command=("upgrade", "--python", short),
    )


def _audited(data: UpgradeData, now: Inventory, progress: Progress) -> Sequence[Problem]:
    environment, kept = now.environment, elsewhere(now)
    versions = {n: now.versions[n] for n in names_in(now) if n not in kept}
    try:
        found = vulnerabilities.found(environment.prefix, versions, environment.version, progress)
    except EnvmagicError as error:
        return [replace(error.problem, severity=Severity.WARNING)]
    data["vulnerabilities"] = found
    return []
