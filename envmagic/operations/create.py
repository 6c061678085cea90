"""`create` and `%%env`: a new environment, or the one that is there already."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.errors import Problem
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import CreateData
from envmagic.core.verbs import CellRequest, CreateRequest
from envmagic.environments import (
    backends,
    clearing,
    fulfilment,
    provisioning,
    registry,
    what_changed,
)
from envmagic.environments.backends import commands
from envmagic.environments.backends.base import Backend, InstallPlan
from envmagic.environments.provisioning import Maker
from envmagic.environments.registry import Target
from envmagic.operations import (
    anew,
    at_prefix,
    beside_jupyter,
    first_look,
    input_files,
    lock_beside,
    renewal,
    running_modules,
    validation,
    wishes,
)
from envmagic.operations.handover import Recorded, meanwhile, move, start_recording
from envmagic.operations.pins import as_found_beside, constrained, obeyed
from envmagic.planning import consent
from envmagic.system import directories, prefix_layout

__all__ = ["cell", "create", "provide"]


def create(request: CreateRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """`create`: a new environment with its kernel; an existing one is reused or attached."""
    request = input_files.with_file(request, place)
    at = registry.target(request.target, place)
    backend = wishes.backend_of(request, at)
    files, notes = wishes.files_of(request, place)
    wanted = InstallPlan(
        request.requirements, files, directory=place.directory, upgrade=request.upgrade
    )
    validation.check(wanted, backend)
    wanted = as_found_beside(wanted, place)
    notes += wishes.called(request, at)
    return provide("create", request, at, wanted, place, progress, notes)


def cell(request: CellRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """`%%env`: this notebook needs at least what the body lists. With nothing to do, it is fast."""
    wish = input_files.with_file(request.create, place) if request.create.files else request.create
    at = registry.declared(wish.target, place)
    backend = wishes.backend_of(wish, at)
    lines = validation.body_lines(request.body, "the cell", backend)
    asked = (*wish.requirements, *lines)
    notes = [*wishes.called(wish, at), *wishes.twice(lines)]
    files = tuple(validation.existing_file(f, place, wishes.said(wish)) for f in wish.files)
    wanted = InstallPlan(asked, files, directory=place.directory, upgrade=wish.upgrade)
    validation.check(wanted, backend)
    wanted = as_found_beside(wanted, place)
    return provide("%%env", wish, at, wanted, place, progress, notes)


def provide(
    verb: str,
    request: CreateRequest,
    at: Target,
    wanted: InstallPlan,
    place: Place,
    progress: Progress,
    notes: list[str],
    *,
    make: Maker = provisioning.make,
    records: bool = True,
    held: bool = True,
) -> Report[CreateData]:
    """Make or renew the environment `at` with `wanted` in it, and move the notebook there.

    `notes` are told first. With `records` the record of the notebook is kept from then on, with
    `held` the versions in it hold. Raises `EnvmagicError`.
    """
    started = time.monotonic()
    if request.use and place.switch is not None:
        place.switch.check()
    dropped: Sequence[Problem] = ()
    more: Sequence[Problem] = ()
    if held:
        wanted, dropped = constrained(wanted, place)
        wanted, more = wishes.backend_of(request, at).held_beside(place.directory, wanted)
    with meanwhile(request.use, at.prefix, place) as switch:
        with clearing.locked(at.prefix) as kept:
            notes += [kept.message] if kept else []
            before: Mapping[str, str] = {}
            loaded: Mapping[str, set[str]] = {}
            seen: tuple[Problem, ...] = ()
            action = "created"
            if at_prefix.is_vacant(at.prefix):
                spec = wishes.spec_of(request, at)
                if wanted:
                    _agree(backends.choose(spec.backend), wanted, spec.prefix, request)
                if spec.python is None:
                    spec = replace(spec, python=wishes.python_for(spec, wanted, place, notes))
                ready = make(spec, wanted, progress, switch)
                notes += [*ready.notes, *_tip()]
            elif request.python is not None and anew.has_lost_its_python(at.prefix):
                ready = anew.make_anew(
                    wishes.spec_of(request, at), wanted, progress, notes, switch, make
                )
            else:
                there = backends.look(at_prefix.present(at.prefix, request))
                action = "reused" if there.environment.owned else "attached"
                before = there.versions
                if renewal.lacking(there, wanted) or fulfilment.broken(there, wanted):
                    _agree(backends.of(there.environment), wanted, at.prefix, request)
                seen = first_look.of_environment(there.environment)
                ready, loaded = renewal.renew(there, at.name, wanted, progress, notes, switch)
        environment, kernel = ready.there.environment, ready.kernel
        changes = what_changed.changes(before, ready.there.versions, wanted.requirements)
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
    moved_on = goes and bool(changes or recorded.changed)
    stale = lock_beside.behind(place, ready.there) if moved_on else ()
    problems = (*seen, *dropped, *more, *recorded.problems, *halves, *stale)
    return Report(verb, data, changed=changed, problems=problems)


def _tip() -> list[str]:
    """How the next one is made faster, said once on a machine."""
    said = directories.cache() / "said-uv-is-faster"
    if commands.find_uv() is not None or said.exists():
        return []
    said.parent.mkdir(parents=True, exist_ok=True)
    said.touch()
    return ["With uv this takes a fraction of the time: pip install uv"]


def _agree(backend: Backend, wanted: InstallPlan, prefix: Path, request: CreateRequest) -> None:
    """Raises where the directory leads the installer elsewhere and nobody has agreed to it."""
    if backend.of_distributions:
        consent.agree(wanted.directory or prefix, trust=request.trust)
