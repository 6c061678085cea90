"""`list` and `status`: what there is, and what this notebook has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envmagic.core import names
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Frontend, Kernel, Place, Progress, Report
from envmagic.core.schema import (
    EnvironmentData,
    KernelData,
    ListData,
    RuntimeData,
    SleepingData,
    StatusData,
)
from envmagic.core.verbs import ListRequest, StatusRequest
from envmagic.environments import inspection, registry, sizes
from envmagic.environments.runtimes import store
from envmagic.jupyter import kernelspecs
from envmagic.operations.handover import recorded_state
from envmagic.system import prefix_layout

__all__ = ["list_all", "status"]


def list_all(request: ListRequest, place: Place, progress: Progress) -> Report[ListData]:
    """`list`: all environments, and the kernels that belong to none of them."""
    every = kernelspecs.every()
    registered = kernelspecs.by_prefix(every)
    environments = [
        _environment_data(prefix, registered, place, size=request.size)
        for prefix in registry.known_prefixes(place)
    ]
    environments.sort(key=lambda e: (not e["current"], e["name"]))
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
    return Report("list", ListData(environments=environments, kernels=others, runtimes=runtimes))


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
    data = StatusData(
        notebook=str(place.notebook) if place.notebook else None,
        kernel=place.kernel or (environment["kernel"] if environment else None),
        environment=environment,
        record=recorded_state(place),
        asleep=[],
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
