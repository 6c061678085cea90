"""`upgrade`: the newest versions within what the user wrote, or another Python."""

from __future__ import annotations

from collections.abc import Callable

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Place, Progress, Report
from envmagic.core.names import normalized
from envmagic.core.schema import UpgradeData
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments import backends, changing, clearing, projects, satisfaction
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects import Project
from envmagic.environments.projects import changes as project_changes
from envmagic.operations import jupyters_own, lock_again, running_modules
from envmagic.operations.here import environment_of
from envmagic.operations.upgrading import asking, own_tools
from envmagic.operations.upgrading.another_python import on_another_python
from envmagic.operations.upgrading.answer import followed, said
from envmagic.operations.upgrading.outlook import Outlook
from envmagic.operations.upgrading.resolving import names_in
from envmagic.planning import consent

__all__ = ["upgrade"]

_Work = Callable[[Inventory], tuple[Inventory, list[str], Outlook | None]]


def upgrade(request: UpgradeRequest, place: Place, progress: Progress) -> Report[UpgradeData]:
    """Take the newest versions that what the user wrote allows, whole or not at all, the record and
    the lock along; with `dry_run` only say which. Raises `EnvmagicError`."""
    environment = environment_of(place)
    if not request.here:
        jupyters_own.refuse(environment, place, _words(request, "--here"), ())
    own_tools.refuse_conda(environment, request)
    project = projects.of(environment, place.directory)
    if project is not None:
        return _of_project(project, request, place, progress)
    consent.agree(place.directory, trust=request.trust)
    if request.python is not None:
        return on_another_python(request, environment, place, progress)

    def work(there: Inventory) -> tuple[Inventory, list[str], Outlook | None]:
        outlook = Outlook.of(asking.asked(request, there, place), progress)
        if request.dry_run or not outlook.changing:
            return there, [], outlook
        return (*_taken(outlook, progress), outlook)

    if request.dry_run:
        there = backends.look(environment)
        return said(request, place, progress, there, *work(there))
    return _changing(request, environment, place, work, progress)


def _changing(
    request: UpgradeRequest,
    environment: Environment,
    place: Place,
    work: _Work,
    progress: Progress,
) -> Report[UpgradeData]:
    with clearing.locked(environment.prefix):
        there = backends.look(environment)
        current = lock_again.was_current(place, there)
        loaded = running_modules.loaded(there)
        now, notes, outlook = work(there)
    report = said(request, place, progress, there, now, notes, outlook)
    changes = report.data["changes"]
    report.data["restart"] = running_modules.replaced(changes, loaded)
    return followed(report, place, now, progress, current=current) if changes else report


def _taken(outlook: Outlook, progress: Progress) -> tuple[Inventory, list[str]]:
    """Install what changes, in the very versions, and see that all goes together."""
    asked = outlook.asked
    lines = tuple(f"{name}=={version}" for name, version in sorted(outlook.changing.items()))
    plan = InstallPlan(lines, directory=asked.directory, alone=True, finding=asked.finding)
    before = _unmet(asked.there)

    def change() -> list[str]:
        notes = changing.install(asked.there, plan, progress)
        broken = sorted(_unmet(changing.looked_again(asked.there.environment)) - before)
        if broken:
            raise EnvmagicError(
                "install-failed",
                f"The new versions do not go together: {broken[0]}. Nothing was changed.",
                "Upgrade by name, for example",
                command=("upgrade", sorted(outlook.changing)[0]),
            )
        return notes

    return changing.checked(asked.there, change, progress, plan)


def _unmet(there: Inventory) -> set[str]:
    """What is there and does not have what it needs."""
    version = there.environment.version
    return {
        f"{name} needs {requirement}"
        for name in names_in(there)
        for requirement in satisfaction.missing(
            satisfaction.requirements_of(there.distributions[name][1], version),
            there.distributions,
            version,
        )
    }


def _of_project(
    project: Project, request: UpgradeRequest, place: Place, progress: Progress
) -> Report[UpgradeData]:
    """By the project's own tool, which knows what the project's file says."""
    own_tools.refuse_project(project, request)
    names = [normalized(word) for word in request.packages]

    def work(there: Inventory) -> tuple[Inventory, list[str], Outlook | None]:
        own_tools.refuse_undeclared(project, request, there)
        return (*project_changes.upgrade(project, there, names, progress), None)

    return _changing(request, project.environment, place, work, progress)


def _words(request: UpgradeRequest, *more: str) -> tuple[str, ...]:
    words = ["upgrade", *more, *request.packages]
    words += ["--python", request.python] if request.python is not None else []
    words += [flag for flag in ("--dry-run", "--audit", "--trust") if _is(request, flag)]
    return tuple(words)


def _is(request: UpgradeRequest, flag: str) -> bool:
    return bool(getattr(request, flag[2:].replace("-", "_")))
