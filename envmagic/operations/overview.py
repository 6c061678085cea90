"""`list` and `status`: what there is, and what this notebook has."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Frontend, Kernel, Place, Progress, Report
from envmagic.core.record_files import END, REQUIREMENTS
from envmagic.core.schema import (
    EnvironmentData,
    KernelData,
    ListData,
    RuntimeData,
    SleepingData,
    SourceData,
    StatusData,
    VulnerabilityData,
)
from envmagic.core.verbs import ListRequest, StatusRequest
from envmagic.environments import backends, discovery, inspection, registry, sizes
from envmagic.environments.contents import MARK
from envmagic.environments.other_tools import Found
from envmagic.environments.runtimes import store
from envmagic.jupyter import kernelspecs
from envmagic.operations import first_look, jupyters_own, lock_beside
from envmagic.operations.handover import record_behind, recorded_state
from envmagic.operations.upgrading import vulnerabilities
from envmagic.planning import memory
from envmagic.record import recorded_with
from envmagic.system import prefix_layout

__all__ = ["list_all", "status"]


def list_all(request: ListRequest, place: Place, progress: Progress) -> Report[ListData]:
    """`list`: all environments, also those merely found, and the kernels that belong to none."""
    every = kernelspecs.every()
    environments = _environments(request, kernelspecs.by_prefix(every), place)
    shown = {e["kernel"] for e in environments}
    others = [
        KernelData(
            name=kernel.name,
            display_name=kernel.display_name,
            language=kernel.language,
            directory=str(kernel.directory),
            ours=kernel.ours,
            prefix=str(kernel.prefix) if kernel.prefix else None,
        )
        for kernel in every
        if kernel.name not in shown and not _is_own_spec(kernel, environments)
    ]
    runtimes = [
        RuntimeData(
            python=runtime.python,
            shared=runtime.shared,
            used=runtime.used,
            size=sizes.of(runtime.place),
            directory=str(runtime.place),
        )
        for runtime in store.every()
    ]
    data = ListData(environments=environments, kernels=others, runtimes=runtimes, all=request.all)
    return Report("list", data)


def _environments(
    request: ListRequest, registered: Mapping[str, Kernel], place: Place
) -> list[EnvironmentData]:
    """Those that are known, then the others that are found and whole, of this project first."""
    found = discovery.found(place.directory)
    environments = []
    for prefix in registry.known_prefixes(place):
        data = _environment_data(prefix, registered, place, size=request.size)
        each = found.pop(prefix_layout.identity(prefix), Found(prefix, "", here=False))
        known = memory.of_prefix(prefix)
        data["notebooks"] = list(known.notebooks) if known is not None else []
        environments.append(_with_origin(data, each))
    for each in found.values():
        with contextlib.suppress(EnvmagicError):
            data = registry.describe(_inspected(each.prefix), None, place)
            if request.size and (each.here or request.all):
                data["size"] = sizes.of(each.prefix)
            data["notebooks"] = []
            environments.append(_with_origin(data, each))
    environments.sort(key=_order)
    return environments


def _order(data: EnvironmentData) -> tuple[bool, bool, bool, str]:
    """By name; what is merely found comes last, in the order in which it was, the nearest first."""
    merely = bool(data["found"])
    return not data["current"], merely, merely and not data["here"], "" if merely else data["name"]


def _inspected(prefix: Path) -> Environment:
    # there can be hundreds, and what is not marked we neither made nor are making
    ours = (prefix / MARK).exists()
    return registry.environment_at(prefix) if ours else backends.inspect(prefix)


def _with_origin(data: EnvironmentData, each: Found) -> EnvironmentData:
    """`data`, and whether the environment is merely found, whose it is then and what for."""
    merely = not (data["kernel"] or data["owned"] or data["problem"])
    data["found"] = (each.tool or data["backend"]) if merely else ""
    data["here"] = merely and each.here
    return data


def _is_own_spec(kernel: Kernel, environments: list[EnvironmentData]) -> bool:
    """Whether `kernel` is what ipykernel put into a registered environment: seen from inside, it
    hides the kernel of the same name that the server would start."""
    return any(
        e["kernel"] and kernel.directory.is_relative_to(Path(e["prefix"])) for e in environments
    )


def status(request: StatusRequest, place: Place, progress: Progress) -> Report[StatusData]:
    """`status`: this notebook, its kernel, its environment and its record."""
    if place.frontend is Frontend.TERMINAL and place.prefix is None and place.notebook is None:
        raise WordsError(
            "no-environment",
            "No environment was named and there is no .venv here.",
            "Name one with --env NAME; to see them all",
            command=("list",),
        )
    environment = None
    problems: tuple[Problem, ...] = ()
    if not registry.outside_environment(place):
        assert place.prefix is not None
        registered = kernelspecs.by_prefix(kernelspecs.every())
        environment = _environment_data(place.prefix, registered, place, size=False)
        environment["packages"] = _packages(place.prefix)
        if environment["problem"]:
            problems = (
                Problem(
                    "broken", environment["problem"], "", Severity.WARNING, command=("doctor",)
                ),
            )
        else:
            problems = first_look.of_environment(registry.environment_at(place.prefix))
    elif place.prefix is not None and not place.prefix.exists():
        said = f"The environment {display.user_path(place.prefix)} is not there any more."
        again = ("create", str(place.prefix))
        problems = (
            Problem("environment-gone", said, "Make it again", Severity.WARNING, command=again),
        )
    problems += _of_record(place) or (_differing(place) if environment else ())
    found = _vulnerable(place.prefix) if environment and not environment["problem"] else []
    problems += _told(found)
    data = StatusData(
        notebook=str(place.notebook) if place.notebook else None,
        kernel=place.kernel or (environment["kernel"] if environment else None),
        environment=environment,
        record=recorded_state(place),
        asleep=[],
        declared=_declared(place.prefix) if environment else None,
        vulnerabilities=found,
    )
    try:
        asleep = place.switch.asleep() if place.switch is not None else ()
    except EnvmagicError as error:  # the rest of the answer is as good without it
        problems += (replace(error.problem, severity=Severity.WARNING),)
        asleep = ()
    data["asleep"] = [
        SleepingData(kernel=a.kernel, variables=a.variables, memory=a.memory) for a in asleep
    ]
    return Report("status", data, problems=problems)


def _differing(place: Place) -> tuple[Problem, ...]:
    """That the record, or else the lock, is not of what is installed, where it is of this
    environment."""
    notebook, prefix = place.notebook, place.prefix
    if prefix is None:
        return ()
    known = recorded_with.is_of(notebook, prefix) if notebook is not None else None
    with contextlib.suppress(EnvmagicError):
        there = backends.look(registry.environment_at(prefix))
        own = place.frontend is not Frontend.NOTEBOOK or not jupyters_own.is_jupyters_own(
            prefix, (place.directory,), there.distributions
        )
        if known or (known is None and own):
            recorded = recorded_state(place) is not None
            behind = record_behind(place, there) if recorded else ()
            return behind or lock_beside.behind(place, there)
    return ()


def _of_record(place: Place) -> tuple[Problem, ...]:
    """What is wrong with the file beside the notebook, where it has a block."""
    directory = place.notebook.parent if place.notebook is not None else place.directory
    try:
        file = requirements.read(directory / REQUIREMENTS)
    except EnvmagicError as error:
        return (replace(error.problem, severity=Severity.WARNING),)
    if file.block is None or END in requirements.decode(file.raw)[0]:
        return ()
    what = f"The block in {display.user_path(file.path)} has no line {END!r} any more."
    hint = "To have it written again"
    return (
        Problem("bad-block", what, hint, Severity.WARNING, str(file.path), command=("record",)),
    )


def _vulnerable(prefix: Path | None) -> list[VulnerabilityData]:
    """What an audit of the last day found in the environment at `prefix`; nothing is asked for."""
    if prefix is None:
        return []
    there = inspection.distributions(registry.environment_at(prefix))
    versions = {name: version for name, (version, _) in there.items()}
    return vulnerabilities.known(prefix, versions)


def _told(found: Sequence[VulnerabilityData]) -> tuple[Problem, ...]:
    if not found:
        return ()
    shown = list(dict.fromkeys(f"{each['name']} {each['version']}" for each in found))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    said = "vulnerability" if len(found) == 1 else "vulnerabilities"
    what = f"{len(found)} known {said} in {', '.join(shown[:3])}{more}."
    again = ("upgrade", "--dry-run", "--audit")
    return (Problem("vulnerable", what, "To see more", Severity.WARNING, command=again),)


def _declared(prefix: Path | None) -> SourceData | None:
    """What the environment at `prefix` was made for by a notebook's own kernel."""
    known = memory.of_prefix(prefix) if prefix is not None else None
    if known is None:
        return None
    return SourceData(kind=known.kind, file=known.source or None, cell=0, line=0)


def _environment_data(
    prefix: Path, registered: Mapping[str, Kernel], place: Place, *, size: bool
) -> EnvironmentData:
    """One environment for the reports, also one that is broken."""
    kernel = registered.get(prefix_layout.identity(prefix))
    try:
        data = registry.describe(registry.environment_at(prefix), kernel, place)
    except EnvmagicError as error:
        data = EnvironmentData(
            name=kernel.name if kernel else names.kernel_name_of(prefix),
            prefix=str(prefix),
            python="",
            backend="",
            owned=False,
            kernel=kernel.name if kernel else None,
            display_name=kernel.display_name if kernel else "",
            current=prefix_layout.same(prefix, place.prefix),
            size=None,
            problem=error.problem.message,
        )
    if size and prefix.is_dir():
        data["size"] = sizes.of(prefix)
    return data


def _packages(prefix: Path) -> int:
    try:
        return len(inspection.distributions(registry.environment_at(prefix)))
    except EnvmagicError:
        return 0
