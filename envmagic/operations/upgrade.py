"""`upgrade`: the newest versions within what the user wrote, or another Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, How, Kernel, Place, Progress, Report
from envmagic.core.names import normalized
from envmagic.core.schema import UpgradeData
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments import (
    backends,
    changing,
    clearing,
    projects,
    registry,
    satisfaction,
    what_changed,
)
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects import Project
from envmagic.environments.projects import changes as project_changes
from envmagic.operations import jupyters_own, lock_again, running_modules
from envmagic.operations.handover import (
    Recorded,
    move,
    record_behind,
    recorded_state,
    start_recording,
)
from envmagic.operations.here import environment_of
from envmagic.operations.pins import as_found_beside
from envmagic.operations.upgrading import rebuilding, vulnerabilities
from envmagic.operations.upgrading.limits import Limits
from envmagic.operations.upgrading.outlook import Outlook
from envmagic.operations.upgrading.resolving import Asked, elsewhere, names_in
from envmagic.planning import consent

__all__ = ["upgrade"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_Work = Callable[[Inventory], tuple[Inventory, list[str], Outlook | None]]


def upgrade(request: UpgradeRequest, place: Place, progress: Progress) -> Report[UpgradeData]:
    """Take the newest versions that what the user wrote allows, whole or not at all, the record and
    the lock along; with `dry_run` only say which. Raises `EnvmagicError`."""
    environment = environment_of(place)
    if not request.here:
        jupyters_own.refuse(environment, place, _words(request, "--here"), ())
    _refuse_conda(environment, request)
    project = projects.of(environment, place.directory)
    if project is not None:
        return _of_project(project, request, place, progress)
    consent.agree(place.directory, trust=request.trust)
    if request.python is not None:
        return _on_another_python(request, environment, place, progress)

    def work(there: Inventory) -> tuple[Inventory, list[str], Outlook | None]:
        outlook = Outlook.of(_asked(request, there, place), progress)
        if request.dry_run or not outlook.changing:
            return there, [], outlook
        return (*_taken(outlook, progress), outlook)

    if request.dry_run:
        there = backends.look(environment)
        return _said(request, place, progress, there, *work(there))
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
    report = _said(request, place, progress, there, now, notes, outlook)
    changes = report.data["changes"]
    report.data["restart"] = running_modules.replaced(changes, loaded)
    return _followed(report, place, now, progress, current=current) if changes else report


def _said(
    request: UpgradeRequest,
    place: Place,
    progress: Progress,
    before: Inventory,
    now: Inventory,
    notes: list[str],
    outlook: Outlook | None,
) -> Report[UpgradeData]:
    """What is to be told of an environment that held what was there `before`."""
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


def _followed(
    report: Report[UpgradeData],
    place: Place,
    now: Inventory,
    progress: Progress,
    *,
    current: bool,
) -> Report[UpgradeData]:
    """The record goes along, and then the lock."""
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


def _asked(request: UpgradeRequest, there: Inventory, place: Place) -> Asked:
    """Raises `WordsError` where a word is no name of what is there."""
    sources = elsewhere(there)
    for word in request.packages:
        _check(word, there, sources.get(normalized(word), ""))
    environment = there.environment
    wanted = InstallPlan(tuple(names_in(there)), directory=place.directory)
    return Asked(
        there,
        Limits.of(place, environment.version),
        place.directory,
        environment.python,
        environment.version,
        frozenset(map(normalized, request.packages)),
        as_found_beside(wanted, place).finding,
        sources=sources,
    )


def _check(word: str, there: Inventory, source: str) -> None:
    shown = display.quoted(word)
    where = display.user_path(there.environment.prefix)
    if not _NAME.fullmatch(word):
        raise WordsError(
            "bad-requirement",
            f"upgrade takes names of packages, and {shown} is none.",
            "To install a certain version",
            command=("install", word),
            subject=word,
        )
    if normalized(word) not in names_in(there):
        raise WordsError(
            "not-installed",
            f"{word} is not installed in {where}.",
            "To install it",
            command=("install", word),
            subject=word,
        )
    if source:
        line = word if "+" in source.rpartition("==")[2] else source
        raise WordsError(
            "not-from-index",
            f"{word} comes from no index ({display.shortened(source)}), so it stays as it is.",
            "To install it anew",
            command=("install", "-U", line),
            subject=word,
        )


def _refuse_conda(environment: Environment, request: UpgradeRequest) -> None:
    if backends.of(environment).of_distributions:
        return
    prefix = environment.prefix
    command: tuple[str, ...] = ("install", "-U", *request.packages)
    if request.python is not None:
        command = ("install", f"python={request.python}")
    ours = bool(request.packages) or request.python is not None
    raise EnvmagicError(
        "own-tool",
        f"{display.user_path(prefix)} is conda's, whose solver upgrades it.",
        "To have that done",
        command=command if ours else (),
        tool_command=() if ours else ("conda", "update", "--all", "--prefix", str(prefix)),
        subject=str(prefix),
    )


def _of_project(
    project: Project, request: UpgradeRequest, place: Place, progress: Progress
) -> Report[UpgradeData]:
    """By the project's own tool, which knows what the project's file says."""
    environment, tool = project.environment, project.tool
    names = [normalized(word) for word in request.packages]
    if request.python is not None or request.dry_run:
        words = (*tool.upgrade(project, names)[0], "--dry-run")
        hint = f"To see what it would take, in {display.user_path(project.directory)}"
        if request.python is not None:
            words, hint = (), f"Say it in {display.user_path(project.file)}, and have it synced."
        raise EnvmagicError(
            "own-tool",
            f"{display.user_path(environment.prefix)} belongs to a project that {tool.title}"
            " manages.",
            hint,
            tool_command=(tool.name, *words) if words else (),
            subject=str(project.root),
        )

    def work(there: Inventory) -> tuple[Inventory, list[str], Outlook | None]:
        held = project.locked() | project.declared()
        for name, word in zip(names, request.packages, strict=True):
            if name not in held:
                _check(word, there, "")
                raise EnvmagicError(
                    "not-declared",
                    f"{word} is not in what {tool.title} keeps.",
                    "To take a newer version",
                    command=("install", "-U", word),
                    subject=word,
                )
        return (*project_changes.upgrade(project, there, names, progress), None)

    return _changing(request, environment, place, work, progress)


def _on_another_python(
    request: UpgradeRequest, environment: Environment, place: Place, progress: Progress
) -> Report[UpgradeData]:
    wanted = str(request.python)
    python = rebuilding.python_of(environment, wanted)
    rebuilding.check(environment, wanted, place)

    def asked(there: Inventory) -> Asked:
        same = _asked(request, there, place)
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
        report = _said(request, place, progress, there, there, [], outlook)
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
    report = _said(request, place, progress, there, now, notes, done.outlook)
    report.data["environment"] = registry.describe(now.environment, done.kernel, place)
    report.data["python"] = now.environment.version
    report = _followed(report, place, now, progress, current=current)
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


def _words(request: UpgradeRequest, *more: str) -> tuple[str, ...]:
    words = ["upgrade", *more, *request.packages]
    words += ["--python", request.python] if request.python is not None else []
    words += [flag for flag in ("--dry-run", "--audit", "--trust") if _is(request, flag)]
    return tuple(words)


def _is(request: UpgradeRequest, flag: str) -> bool:
    return bool(getattr(request, flag[2:].replace("-", "_")))
