"""`create` and `%%env`: a new environment, or the one that is there already."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from envmagic import requirements
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem
from envmagic.core.model import (
    Environment,
    EnvSpec,
    Frontend,
    Place,
    Progress,
    Report,
    Switch,
)
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import CreateData
from envmagic.core.verbs import CellRequest, CreateRequest
from envmagic.environments import backends, fulfilment, interpreters, provisioning, registry
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import Backend, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.provisioning import Ready
from envmagic.environments.registry import Target
from envmagic.jupyter import kernelspecs
from envmagic.operations import (
    anew,
    beside_jupyter,
    first_look,
    input_files,
    running_modules,
    validation,
)
from envmagic.operations.handover import Recorded, meanwhile, move, start_recording
from envmagic.operations.pins import as_found_beside, constrained, obeyed
from envmagic.planning import consent, pythons
from envmagic.system import directories, prefix_layout

__all__ = ["Maker", "cell", "create", "make", "provide"]

Maker = Callable[[EnvSpec, InstallPlan, Progress, Switch | None], Ready]
"""Makes an environment with what is wanted in it, and its kernel, as `provisioning.make` does."""


def make(spec: EnvSpec, wanted: InstallPlan, progress: Progress, switch: Switch | None) -> Ready:
    """As `provisioning.make`; raises the same."""
    return provisioning.make(spec, wanted, progress, switch=switch)


def create(request: CreateRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """`create`: a new environment with its kernel; an existing one is reused or attached."""
    request = input_files.with_file(request, place)
    at = registry.target(request.target, place)
    backend = _backend(request, at)
    files, notes = _files(request, place)
    wanted = InstallPlan(
        request.requirements, files, directory=place.directory, upgrade=request.upgrade
    )
    validation.check(wanted, backend)
    wanted = as_found_beside(wanted, place)
    notes += _called(request, at)
    return provide("create", request, at, wanted, place, progress, notes)


def cell(request: CellRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """`%%env`: this notebook needs at least what the body lists. With nothing to do, it is fast."""
    wish = input_files.with_file(request.create, place) if request.create.files else request.create
    at = registry.target(wish.target, place)
    backend = _backend(wish, at)
    lines = validation.body_lines(request.body, "the cell", backend)
    asked = (*wish.requirements, *lines)
    notes = [*_called(wish, at), *_twice(lines)]
    files = tuple(validation.existing_file(f, place, _said(wish)) for f in wish.files)
    wanted = InstallPlan(asked, files, directory=place.directory, upgrade=wish.upgrade)
    validation.check(wanted, backend)
    wanted = as_found_beside(wanted, place)
    return provide("%%env", wish, at, wanted, place, progress, notes)


def _called(request: CreateRequest, at: Target) -> list[str]:
    """That the environment is called otherwise than it was typed, where it is."""
    word = request.target
    if word is None or names.is_path(word) or word == at.name:
        return []
    return [f"{word} is called {at.name}: names are in lower case."]


def _twice(lines: Sequence[str]) -> list[str]:
    """That a name stands in more than one of the requirement `lines`, and in which."""
    found: dict[str, list[str]] = {}
    for line in lines:
        with contextlib.suppress(InvalidRequirement):
            found.setdefault(normalized(Requirement(line).name), []).append(line)
    return [
        f"{name} stands there {len(same)} times ({', '.join(same)}); all of it holds."
        for name, same in found.items()
        if len(same) > 1
    ]


def _backend(request: CreateRequest, at: Target) -> Backend:
    """What makes the environment that is asked for, or the one that is there already."""
    return backends.get(request.backend) if request.backend else backends.at(at.prefix)


def provide(
    verb: str,
    request: CreateRequest,
    at: Target,
    wanted: InstallPlan,
    place: Place,
    progress: Progress,
    notes: list[str],
    *,
    make: Maker = make,
    records: bool = True,
) -> Report[CreateData]:
    """Make or renew the environment `at` with `wanted` in it, and move the notebook there.

    `notes` are told first. With `records` the record of the notebook is kept from then on. Raises
    `EnvmagicError`.
    """
    started = time.monotonic()
    if request.use and place.switch is not None:
        place.switch.check()
    wanted, dropped = constrained(wanted, place)
    wanted, more = _backend(request, at).held_beside(place.directory, wanted)
    with meanwhile(request.use, at.prefix, place) as switch:
        with provisioning.locked(at.prefix) as kept:
            notes += [kept.message] if kept else []
            before: Mapping[str, str] = {}
            loaded: Mapping[str, set[str]] = {}
            seen: tuple[Problem, ...] = ()
            action = "created"
            if _is_vacant(at.prefix):
                spec = _spec(request, at)
                if wanted:
                    _agree(backends.choose(spec.backend), wanted, spec.prefix, request)
                if spec.python is None:
                    spec = replace(spec, python=_python(spec, wanted, place, notes))
                ready = make(spec, wanted, progress, switch)
                notes += [*ready.notes, *_tip()]
            elif request.python is not None and anew.has_lost_its_python(at.prefix):
                ready = _anew(_spec(request, at), wanted, progress, notes, switch, make)
            else:
                there = backends.look(_present(at.prefix, request))
                action = "reused" if there.environment.owned else "attached"
                before = there.versions
                if _lacking(there, wanted) or fulfilment.broken(there, wanted):
                    _agree(backends.of(there.environment), wanted, at.prefix, request)
                seen = first_look.of_environment(there.environment)
                ready, loaded = _renew(there, at.name, wanted, progress, notes, switch)
        environment, kernel = ready.there.environment, ready.kernel
        changes = provisioning.changes(before, ready.there.versions, wanted.requirements)
        notes += obeyed(wanted, changed=bool(changes))
        notes += running_modules.unseen(changes, ready.there)
        data = CreateData(
            environment=registry.describe(environment, kernel, place),
            action=action,
            changes=changes,
            notes=notes,
            restart=running_modules.replaced(changes, loaded),
        )
        goes = request.use or prefix_layout.same(environment.prefix, place.prefix)
        # the record of a notebook that stays where it is has nothing to do with this environment
        recorded = Recorded()
        if goes and records:
            recorded = start_recording(place, environment, wanted.requirements)
        data["record"] = recorded.data
        data["switch"] = move(
            request.use,
            kernel,
            environment.prefix,
            place,
            progress,
            keep_saved_name=verb == "%%env",
            carry=not request.leave,
        )
    data["seconds"] = round(time.monotonic() - started, 3)
    changed = action == "created" or bool(data["changes"]) or recorded.changed
    added = {change["name"] for change in data["changes"] if change["action"] == "installed"}
    halves = beside_jupyter.lacking(added, ready.there.distributions, place)
    problems = (*seen, *dropped, *more, *recorded.problems, *halves)
    return Report(verb, data, changed=changed, problems=problems)


def _python(spec: EnvSpec, wanted: InstallPlan, place: Place, notes: list[str]) -> str | None:
    """The version that is asked for around the notebook; None where ours, or the backend's own
    choice, will do."""
    asked, over = pythons.around(place.directory)
    if backends.choose(spec.backend).python(spec).executable == Path():  # it brings its own
        named = wanted.files or any(text.startswith("python") for text in wanted.requirements)
        return asked[0].text if asked and not named else None
    notes += [f"{display.user_path(p.file)} was passed over: {p.reason}." for p in over]
    ours = interpreters.running().version
    recorded = [
        (version, f"{display.user_path(file)} was recorded with it")
        for file in wanted.files
        if (version := _recorded_with(file))
    ]
    chosen, over = pythons.choose(asked, [*recorded, (ours, "")])
    notes += [f"{display.user_path(p.file)} was passed over: {p.reason}." for p in over]
    if chosen.version.split(".")[:2] == ours.split(".")[:2]:
        return None
    notes.append(f"Python {chosen.version} was taken: {chosen.why}.")
    return chosen.version


def _recorded_with(file: Path) -> str:
    """The version of Python in the record in `file`; empty without one."""
    try:
        block = requirements.read(file).block
    except EnvmagicError:
        return ""
    return (block.python or "") if block is not None else ""


def _tip() -> list[str]:
    """How the next one is made faster, said once on a machine."""
    said = directories.cache() / "said-uv-is-faster"
    if installers.find_uv() is not None or said.exists():
        return []
    said.parent.mkdir(parents=True, exist_ok=True)
    said.touch()
    return ["With uv this takes a fraction of the time: pip install uv"]


def _files(request: CreateRequest, place: Place) -> tuple[tuple[Path, ...], list[str]]:
    """The files to install: those named, or the one beside the notebook when nothing is."""
    if request.files or request.requirements or request.bare:
        installs = _said(request)
        return tuple(validation.existing_file(f, place, installs) for f in request.files), []
    beside = place.directory / REQUIREMENTS
    own = backends.get(request.backend).file_beside(place.directory) if request.backend else None
    if own is not None:
        beside = own
    elif not beside.is_file() or not validation.lines_of(beside):
        return (), []
    of_notebook = place.notebook is not None or place.frontend is Frontend.NOTEBOOK
    where = "beside the notebook" if of_notebook else "here"
    return (beside,), [f"Installed what {beside.name} {where} asks for."]


def _said(request: CreateRequest) -> tuple[str, ...]:
    """The words that a requirement is said behind."""
    return ("create", *([request.target] if request.target else ()), "--with")


def _spec(request: CreateRequest, at: Target) -> EnvSpec:
    name = kernelspecs.free_name(at.name, at.prefix)
    return EnvSpec(at.prefix, name, request.python, request.backend, request.channels)


def _anew(
    spec: EnvSpec,
    wanted: InstallPlan,
    progress: Progress,
    notes: list[str],
    switch: Switch | None,
    make: Maker,
) -> Ready:
    """The environment again, on another Python, with what it held besides what is `wanted`."""
    backends.choose(spec.backend).python(spec)  # before anything is touched
    held = anew.held_in(spec.prefix)
    notes.append("Its Python was gone, so it was made anew with what it held.")
    with anew.aside(spec.prefix):
        try:
            ready = make(spec, _with(wanted, held), progress, switch)
        except EnvmagicError as error:
            if error.problem.code != "install-failed" or not held:
                raise
            notes[-1] = "Its Python was gone, so it was made anew, with other versions."
            ready = make(spec, _with(wanted, anew.unpinned(held)), progress, switch)
    notes += ready.notes
    return ready


def _with(wanted: InstallPlan, held: tuple[str, ...]) -> InstallPlan:
    """`wanted`, and of what was `held` what it does not name itself."""
    parsed = filter(None, map(requirements.requirement, wanted.requirements))
    asked = {normalized(requirement.name) for requirement in parsed}
    kept = (line for line in held if normalized(re.split(r"[ =]", line)[0]) not in asked)
    return replace(wanted, requirements=(*wanted.requirements, *kept))


def _is_vacant(prefix: Path) -> bool:
    """Whether an environment can be made at `prefix`. Raises when something else is there."""
    shown = display.user_path(prefix)
    if prefix.is_symlink() and not backends.is_environment(prefix):
        raise EnvmagicError(
            "not-a-directory",
            f"{shown} is a link, and no environment is where it leads.",
            "Name the directory itself",
            subject=str(prefix),
            command=("create", str(prefix.resolve())),
        )
    if prefix.is_dir():
        if not any(prefix.iterdir()):
            return True
        if backends.is_environment(prefix):
            return False
        first = min(prefix.iterdir()).name
        raise EnvmagicError(
            "not-empty",
            f"{shown} is a directory with other things in it ({first}), not an environment.",
            "Choose another NAME or PATH.",
            subject=str(prefix),
        )
    if prefix.exists() or prefix.is_symlink():
        raise EnvmagicError(
            "not-a-directory",
            f"{shown} is a file.",
            "Choose another NAME or PATH.",
            subject=str(prefix),
        )
    return True


def _present(prefix: Path, request: CreateRequest) -> Environment:
    """The environment at `prefix`, if it is what the request asks for."""
    environment = registry.environment_at(prefix)
    away = ("remove", request.target or ".venv", "--yes") if environment.owned else ()
    hint = "To make it anew, take it away first" if away else "Choose another NAME or PATH."
    backend = backends.of(environment)
    if request.python is not None and not backend.has_python(environment, request.python):
        raise EnvmagicError(
            "other-python",
            f"{display.user_path(prefix)} has Python {environment.version}, not {request.python}.",
            hint,
            command=away,
            subject=str(prefix),
        )
    if request.backend is not None and request.backend is not environment.backend:
        raise EnvmagicError(
            "other-backend",
            f"{display.user_path(prefix)} was made with {environment.backend.value},"
            f" not {request.backend.value}.",
            hint,
            command=away,
            subject=str(prefix),
        )
    return environment


def _lacking(there: Inventory, wanted: InstallPlan) -> InstallPlan:
    """`wanted` without what is satisfied; files are left to the installer."""
    if wanted.upgrade:
        return wanted
    return backends.of(there.environment).lacking(there, wanted)


def _agree(backend: Backend, wanted: InstallPlan, prefix: Path, request: CreateRequest) -> None:
    """Raises where the directory leads the installer elsewhere and nobody has agreed to it."""
    if backend.of_distributions:
        consent.agree(wanted.directory or prefix, trust=request.trust)


def _renew(
    there: Inventory,
    name: str,
    wanted: InstallPlan,
    progress: Progress,
    notes: list[str],
    switch: Switch | None,
) -> tuple[Ready, Mapping[str, set[str]]]:
    """Install what is missing and see that the kernel is registered; with the modules that were
    loaded before, as far as that matters."""
    environment = there.environment
    if not environment.owned:
        notes.append(f"{display.user_path(environment.prefix)} was there already and was attached.")
    if not wanted.upgrade:
        there = _whole(there, wanted, progress, notes)
    wanted = _lacking(there, wanted)
    loaded = running_modules.loaded(there) if wanted else {}
    ready = provisioning.make_ready(there, name, wanted, progress, switch=switch)
    notes += ready.notes
    return ready, loaded


def _whole(
    there: Inventory, wanted: InstallPlan, progress: Progress, notes: list[str]
) -> Inventory:
    """What is there once what is asked for and lacks files is installed again."""
    broken = fulfilment.broken(there, wanted)
    if not broken:
        return there
    notes.append(f"Files of {display.joined(broken)} were missing; they are there again.")
    return provisioning.install_checked(there, provisioning.again(there, broken), progress)[0]
