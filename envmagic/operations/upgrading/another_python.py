"""`upgrade --python`: the environment on another Python, with its record, its lock and the
notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Severity
from envmagic.core.model import Environment, How, Kernel, Place, Progress, Report
from envmagic.core.schema import UpgradeData
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments import backends, changing, clearing, registry
from envmagic.environments.inventory import Inventory
from envmagic.operations import lock_again
from envmagic.operations.handover import move
from envmagic.operations.upgrading import rebuilding
from envmagic.operations.upgrading.answer import followed, said
from envmagic.operations.upgrading.asking import asked as asked_of
from envmagic.operations.upgrading.limits import Limits
from envmagic.operations.upgrading.resolving import Asked

__all__ = ["on_another_python"]


def on_another_python(
    request: UpgradeRequest, environment: Environment, place: Place, progress: Progress
) -> Report[UpgradeData]:
    """Make the environment anew on the Python that is asked for, and move along with it; with
    `dry_run` only say what would come of it. Raises `EnvmagicError`, with everything as it was."""
    wanted = str(request.python)
    python = rebuilding.python_of(environment, wanted)
    rebuilding.check(environment, wanted, place)

    def asked(there: Inventory) -> Asked:
        same = asked_of(request, there, place)
        return replace(
            same,
            limits=Limits.of(place, python.version),
            python=python.executable,
            version=python.version,
            others_stay=True,
            sources={n: line for n, line in same.sources.items() if "==" not in line},
        )

    if request.dry_run:
        there = backends.look(environment)
        outlook = rebuilding.looked(asked(there), progress)
        report = said(request, place, progress, there, there, [], outlook)
        report.data["python"] = python.version
        return report
    if place.switch is not None:
        place.switch.check()
    with clearing.locked(environment.prefix):
        there = backends.look(environment)
        current = lock_again.was_current(place, there)
        done = rebuilding.rebuilt(asked(there), wanted, place, progress)
        now = changing.looked_again(done.there.environment)
    notes = list(done.notes)
    report = said(request, place, progress, there, now, notes, done.outlook)
    report.data["environment"] = registry.describe(now.environment, done.kernel, place)
    report.data["python"] = now.environment.version
    report = followed(report, place, now, progress, current=current)
    if registry.is_this_process(environment.prefix):
        report = _moved(report, done.kernel, place, progress)
    return replace(report, changed=True)


def _moved(
    report: Report[UpgradeData], kernel: Kernel, place: Place, progress: Progress
) -> Report[UpgradeData]:
    """The notebook goes along, from the kernel that still runs on the old Python."""
    prefix = Path(report.data["environment"]["prefix"])
    try:
        try:
            switch = move(True, kernel, prefix, place, progress)
        except EnvmagicError as error:
            if error.problem.code != "environment-replaced":
                raise
            # the old kernel has another name now, by which one goes back to its variables
            switch = move(True, kernel, prefix, place, progress)
    except EnvmagicError as error:  # what was asked for is done
        behind = replace(error.problem, severity=Severity.WARNING)
        return replace(report, problems=(*report.problems, behind))
    report.data["switch"] = switch
    if switch["how"] in (How.ALREADY.value, How.NONE.value):
        report.data["notes"].append(f"Restart the kernel to run on Python {report.data['python']}.")
    return report
