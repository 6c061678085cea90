"""`install`, `uninstall` and `sync`: what changes in the environment the notebook runs in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment, Frontend, Place, Progress, Report
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import InstallData, ProjectData
from envmagic.core.verbs import InstallRequest, SyncRequest, UninstallRequest
from envmagic.environments import (
    backends,
    changing,
    clearing,
    projects,
    provisioning,
    registry,
    what_changed,
)
from envmagic.environments.backends.base import NOTHING, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects import Project
from envmagic.environments.projects import changes as project_changes
from envmagic.jupyter import kernelspecs
from envmagic.operations import (
    beside_jupyter,
    by_lock,
    first_look,
    jupyters_own,
    lock_beside,
    running_modules,
    still_needed,
    validation,
)
from envmagic.operations.handover import start_recording
from envmagic.operations.here import environment_of
from envmagic.operations.pins import as_found_beside, obeyed
from envmagic.planning import consent
from envmagic.planning.planner import plan_of
from envmagic.system import files

__all__ = ["install", "sync", "uninstall"]


def install(request: InstallRequest, place: Place, progress: Progress) -> Report[InstallData]:
    """Install requirements and record them."""
    if not request.requirements and not request.files:
        raise WordsError(
            "nothing-named",
            "Nothing to install was named.",
            "For example",
            command=("install", "pandas"),
        )
    files = tuple(validation.existing_file(f, place, ("install",)) for f in request.files)
    wanted = InstallPlan(
        request.requirements, files, directory=place.directory, upgrade=request.upgrade
    )
    environment = environment_of(place)
    if not request.here:
        words = (
            *(("-U",) if request.upgrade else ()),
            *(word for file in request.files for word in ("-r", file)),
        )
        asked = request.requirements
        own = ("create", *words, *(("--with", *asked) if asked else ()))
        jupyters_own.refuse(environment, place, ("install", "--here", *words, *asked), own)
    validation.check(wanted, backends.of(environment))
    project = projects.of(environment, place.directory)
    if project is None:  # a project says in its own file where its packages are found
        wanted = as_found_beside(wanted, place)
        _agree(environment, place, trust=request.trust)

    def work(there: Inventory) -> tuple[Inventory, list[str]]:
        if project is not None:
            return project_changes.add(project, there, wanted, progress)
        now, notes = changing.install_checked(there, wanted, progress)
        return now, [*notes, *obeyed(wanted, changed=now.versions != there.versions)]

    return _changing(
        "install",
        environment,
        place,
        work,
        progress,
        recorded=request.requirements,
        project=project,
    )


def uninstall(request: UninstallRequest, place: Place, progress: Progress) -> Report[InstallData]:
    """Take packages out; what the kernel needs to run stays, and what others need without `yes`."""
    environment = environment_of(place)
    again = ("uninstall", *(("--here",) if request.here else ()), *request.packages, "--yes")
    if place.frontend is Frontend.TERMINAL:  # else another environment is meant there
        again += ("--env", str(environment.prefix))
        again += ("--notebook", str(place.notebook)) if place.notebook else ()
    if not request.here:
        yes = ("--yes",) if request.yes else ()
        here = ("uninstall", "--here", *request.packages, *yes)
        jupyters_own.refuse(environment, place, here, ())
    packages = [normalized(package) for package in request.packages]
    project = projects.of(environment, place.directory)
    held = project.locked() | project.declared() if project is not None else frozenset()
    project = project if held.intersection(packages) else None

    def work(there: Inventory) -> tuple[Inventory, list[str]]:
        _refuse_needed(packages, there, held)
        if project is None and not request.yes:  # a project's tool looks itself
            still_needed.refuse(packages, there, again)
        if project is not None:
            return project_changes.remove(project, there, packages, progress)
        progress.step(f"Uninstalling {', '.join(packages)}")
        try:
            notes = changing.take_out(there, packages, progress)
        except BaseException:
            changing.put_back(there, progress)
            raise
        return changing.looked_again(environment), notes

    return _changing(
        "uninstall",
        environment,
        place,
        work,
        progress,
        removed=tuple(packages),
        project=project,
    )


def _refuse_needed(packages: Sequence[str], there: Inventory, held: Collection[str]) -> None:
    """Raise for a package that is neither there nor in what a project `held`, and for the Python
    that the kernel is."""
    for package in packages:
        if package == "python" and package in there.others:
            raise EnvmagicError(
                "needed",
                f"{package} stays: the notebook's kernel needs it.",
                subject=package,
            )
        if package not in there.versions and package not in held:
            raise WordsError(
                "not-installed",
                f"{package} is not installed in {display.user_path(there.environment.prefix)}.",
                subject=package,
            )


def sync(request: SyncRequest, place: Place, progress: Progress) -> Report[InstallData]:
    """Install what the files beside the notebook ask for and the environment lacks."""
    environment = environment_of(place)
    if not request.here:
        here = ("sync", "--here", *(("--trust",) if request.trust else ()))
        jupyters_own.refuse(environment, place, here, ("create",))
    if request.trust:
        consent.trust(plan_of(place.notebook, place.directory, place.cells).questions)
    lock = by_lock.beside(place, environment, insist=request.locked)
    files = () if request.locked else _beside(place, environment, needed=lock is None)
    _agree(environment, place, trust=request.trust)
    wanted = InstallPlan(files=files, directory=place.directory)
    validation.check(wanted, backends.of(environment))

    def work(there: Inventory) -> tuple[Inventory, list[str]]:
        if lock is not None:
            return by_lock.follow(lock, there, wanted, progress)
        return changing.install_checked(there, wanted, progress)

    report = _changing("sync", environment, place, work, progress)
    told = lock.problems if lock is not None else ()
    return replace(report, problems=(*report.problems, *told))


def _agree(environment: Environment, place: Place, *, trust: bool) -> None:
    """Raises where the directory leads the installer elsewhere and nobody has agreed to it."""
    if backends.of(environment).of_distributions:
        consent.agree(place.directory, trust=trust)


def _beside(place: Place, environment: Environment, *, needed: bool = True) -> tuple[Path, ...]:
    """The files beside the notebook that say what it needs. Raises when there is none, and one is
    `needed`."""
    beside = place.directory / REQUIREMENTS
    own = backends.of(environment).file_beside(place.directory)
    found: tuple[Path, ...] = (own,) if own is not None else ()
    if beside.is_file():
        found = (*found, beside)
    if not found and needed:
        raise WordsError(
            "no-file",
            f"There is no {REQUIREMENTS} in {display.user_path(place.directory)}.",
            "To write it",
            subject=str(beside),
            command=("record",),
        )
    return found


def _changing(
    verb: str,
    environment: Environment,
    place: Place,
    work: Callable[[Inventory], tuple[Inventory, list[str]]],
    progress: Progress,
    *,
    recorded: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    project: Project | None = None,
) -> Report[InstallData]:
    with clearing.locked(environment.prefix):
        before = backends.look(environment)
        modules = running_modules.loaded(before)
        said = files.read(project.file) if project is not None else b""
        there, notes = work(before)
        there = _renewed(there, environment, progress, notes)
    environment = there.environment
    changes = what_changed.changes(before.versions, there.versions)
    notes += running_modules.unseen(changes, there)
    data = InstallData(
        environment=registry.describe(environment, None, place),
        changes=changes,
        restart=running_modules.replaced(changes, modules),
        notes=notes,
    )
    if project is not None:
        data["project"] = ProjectData(
            tool=project.tool.name,
            file=str(project.file),
            changed=files.read(project.file) != said,
        )
    told = recorded or removed
    record = start_recording(place, environment, recorded, removed) if told else None
    data["record"] = record.data if record else None
    seen = first_look.of_environment(environment)
    added = {c["name"] for c in changes if c["action"] == "installed"}
    halves = beside_jupyter.lacking(added, there.distributions, place)
    kept = record.problems if record else ()
    problems = (*seen, *kept, *halves, *(lock_beside.behind(place, there) if changes else ()))
    changed = bool(changes) or ("project" in data and data["project"]["changed"])
    return Report(verb, data, changed=changed, problems=problems)


def _renewed(
    there: Inventory, before: Environment, progress: Progress, notes: list[str]
) -> Inventory:
    """What is there; conda may have put another Python there, which needs a kernel."""
    now = there.environment
    kernel = kernelspecs.of_prefix(now.prefix) if now.version != before.version else None
    if kernel is None:
        return there
    ready = provisioning.make_ready(there, kernel.name, NOTHING, progress)
    notes += [*ready.notes, f"Python is {now.version} now; restart the kernel."]
    return ready.there
