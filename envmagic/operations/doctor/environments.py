"""What is wrong inside environments."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Environment, EnvSpec, Kernel, Progress
from envmagic.environments import (
    backends,
    changing,
    clearing,
    earlier_versions,
    provisioning,
    registry,
    relocation,
    satisfaction,
)
from envmagic.environments.backends.base import NOTHING, Fault, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.running import pids_in
from envmagic.jupyter import kernelspecs
from envmagic.operations import anew, first_look
from envmagic.operations.doctor import conda
from envmagic.operations.doctor.finding import Finding, problem

__all__ = ["of_environment"]

_FEW = 5


def of_environment(prefix: Path, progress: Progress) -> Iterator[Finding]:
    """What is wrong inside one environment."""
    kernel = kernelspecs.of_prefix(prefix)
    if not prefix.is_dir():
        return  # said of its kernel
    lost = conda.gone(prefix, kernel)
    if lost is not None:
        yield Finding(lost)
        return
    try:
        environment = registry.environment_at(prefix)
    except EnvmagicError as error:
        yield Finding(error.problem, _rebuilding(prefix, error.problem, progress))
        return
    for said in first_look.shadowed(environment):
        yield Finding(said)
    made = relocation.made_at(environment)
    if made is not None:
        yield _moved(environment, made)
        return
    yield from _contents(environment, kernel, progress)
    yield from _declared(environment, progress)
    for fault in backends.of(environment).faults(environment):
        yield Finding(fault.problem, _mending(fault, environment, progress))


def _moved(environment: Environment, made: Path) -> Finding:
    """Its commands work where it was made; those of one of ours can be mended."""
    prefix = environment.prefix

    def mend() -> None:
        with clearing.locked(prefix):
            relocation.relocate(registry.environment_at(prefix), made)

    ours = relocation.is_of_ours(environment, made)
    return Finding(first_look.moved(environment, made), mend if ours else None)


def _rebuilding(prefix: Path, said: Problem, progress: Progress) -> Callable[[], object] | None:
    """Makes one of ours anew whose Python is gone, with what it held."""
    if said.code != "no-interpreter" or not anew.has_lost_its_python(prefix):
        return None

    def rebuild() -> str:
        with clearing.locked(prefix):
            if not anew.has_lost_its_python(prefix):
                return ""
            pids = pids_in(prefix)
            if pids:
                where = display.user_path(prefix)
                raise EnvmagicError("in-use", f"A process still runs in {where} (pid {pids[0]}).")
            name = kernelspecs.free_name(names.kernel_name_of(prefix), prefix)
            notes: list[str] = []
            spec = EnvSpec(prefix, name, said.command[-1])  # `create … --python V`
            anew.make_anew(spec, NOTHING, progress, notes, None, provisioning.make)
            return f"{display.user_path(prefix)}: {notes[0]}"

    return rebuild


def _mending(
    fault: Fault, environment: Environment, progress: Progress
) -> Callable[[], object] | None:
    plan = fault.plan
    if plan is None or not environment.owned:
        return None

    def mend() -> None:
        with clearing.locked(environment.prefix):
            there = backends.look(environment)
            changing.install_checked(there, plan, progress, beside=fault.beside)

    return mend


def _contents(
    environment: Environment, kernel: Kernel | None, progress: Progress
) -> Iterator[Finding]:
    prefix = environment.prefix
    name = kernel.name if kernel else registry.Target(prefix, prefix.name).name
    there = backends.look(environment)
    broken = there.broken()

    def reinstall() -> None:
        with clearing.locked(prefix):
            now = registry.environment_at(prefix)
            held = backends.look(now)
            still = held.broken() if now.owned else []
            if still:
                changing.install_checked(held, changing.again(held, still), progress)

    if broken:
        yield Finding(
            problem(
                "broken-distribution",
                f"Files of {', '.join(broken)} are missing in {display.user_path(prefix)}.",
                f"{shlex.quote(str(environment.python))} -m pip install --force-reinstall"
                f" {' '.join(broken)}",
                str(prefix),
            ),
            reinstall if environment.owned else None,
        )

    def make_ready() -> None:
        now = registry.environment_at(prefix)
        if now.owned:
            provisioning.make_ready(backends.look(now), name, NOTHING, progress)

    def ready() -> None:
        with clearing.locked(prefix):
            make_ready()

    # somebody else's kernel may need what ours needs no longer
    superfluous = [] if _starts_others(prefix) else earlier_versions.superfluous(there)

    def slim() -> str:
        with clearing.locked(prefix):
            if pids_in(prefix, kernels_only=True):
                return f"A kernel runs in {display.user_path(prefix)}; nothing was taken out."
            now = backends.look(registry.environment_at(prefix))
            make_ready()
            if not _starts_others(prefix):
                changing.take_out(now, earlier_versions.superfluous(now), progress)
            return ""

    if superfluous:
        yield Finding(
            problem(
                "holds-kernel",
                f"{display.user_path(prefix)} holds packages that its kernel needs there no"
                f" longer: {', '.join(superfluous)}.",
                "",
                str(prefix),
                Severity.WARNING,
                command=("doctor", "--fix"),
            ),
            slim,
        )
    old = kernel is not None and not kernelspecs.launcher_in(kernel.argv)
    if old and "ipykernel" not in there.distributions:
        yield Finding(
            problem(
                "no-ipykernel",
                f"The kernel {name!r} cannot start: ipykernel is not installed in"
                f" {display.user_path(prefix)}.",
                "",
                name,
                command=("attach", str(prefix)),
            ),
            ready if environment.owned else None,
        )
    elif environment.owned and kernel is None:
        yield Finding(
            problem(
                "no-kernel",
                f"{display.user_path(prefix)} has no kernel.",
                "",
                str(prefix),
                Severity.WARNING,
                command=("attach", str(prefix)),
            ),
            ready,
        )


def _declared(environment: Environment, progress: Progress) -> Iterator[Finding]:
    """What packages in an environment of ours say that they need, and what is not there."""
    if not environment.owned or not backends.of(environment).of_distributions:
        return
    unmet = _unmet(backends.look(environment))
    if not unmet:
        return

    def complete() -> None:
        with clearing.locked(environment.prefix):
            there = backends.look(registry.environment_at(environment.prefix))
            lines = {str(needed) for _, needed in _unmet(there)}
            changing.install_checked(there, InstallPlan(tuple(sorted(lines))), progress)

    said = [f"{name} needs {needed}" for name, needed in unmet[:_FEW]]
    more = f", and {len(unmet) - _FEW} more" if len(unmet) > _FEW else ""
    yield Finding(
        problem(
            "unmet",
            f"{display.user_path(environment.prefix)} lacks what its packages say they need:"
            f" {', '.join(said)}{more}.",
            "",
            str(environment.prefix),
            Severity.WARNING,
            command=("doctor", "--fix"),
        ),
        complete,
    )


def _unmet(there: Inventory) -> list[tuple[str, Requirement]]:
    """The name of each package with a requirement of its that is not met."""
    python = there.environment.version
    return [
        (name, _without_marker(needed))
        for name, (_, info) in sorted(there.distributions.items())
        for needed in satisfaction.missing(
            satisfaction.requirements_of(info, python), there.distributions, python
        )
    ]


def _without_marker(needed: Requirement) -> Requirement:
    needed.marker = None  # it holds here
    return needed


def _starts_others(prefix: Path) -> bool:
    """Whether a kernelspec that is not ours starts the ipykernel of the environment."""
    return any(
        not kernel.ours
        and "ipykernel_launcher" in kernel.argv
        and not kernel.directory.is_relative_to(prefix)
        and Path(kernel.argv[0]).is_relative_to(prefix)
        for kernel in kernelspecs.every()
    )
