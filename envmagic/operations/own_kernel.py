"""What the kernel `envmagic` becomes at its start: the kernel of the notebook's environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Kernel
from envmagic.environments import backends, registry
from envmagic.environments.backends import commands
from envmagic.environments.runtimes import own_copy
from envmagic.jupyter import kernelspecs
from envmagic.planning.plan import Kind, Plan, State
from envmagic.planning.planner import looked_for, plan_of
from envmagic.system import prefix_layout

__all__ = ["ReadyKernel", "at_home", "lacks", "ready_kernel"]


@dataclass(frozen=True)
class ReadyKernel:
    """What starts a kernel, as its kernelspec says it."""

    python: str
    """The version that the notebook runs on, or will; empty where it stays where it is."""
    words: tuple[str, ...] = ()
    """Empty while the environment is not ready."""
    variables: dict[str, str] = field(default_factory=dict)
    shows: str = ""
    """What people see as its name."""
    guessed: bool = False
    """It follows from what the notebook imports."""
    looked_for: tuple[Path, ...] = ()
    """What is to be there, or not, for this to hold."""


def ready_kernel(notebook: Path | None, directory: Path) -> ReadyKernel:
    """What starts the kernel of the notebook's environment, if that is ready.

    Raises `EnvmagicError` where there is no plan.
    """
    plan = plan_of(notebook, directory)
    if plan.source.file is None:
        return ReadyKernel("")
    python = plan.python.version
    if plan.state is not State.READY:
        return ReadyKernel(python)
    kernel = kernelspecs.of_prefix(plan.prefix)
    if kernel is None:  # its programs may have come with the notebook: a cell is to be run first
        return ReadyKernel(python)
    if not kernelspecs.is_current(kernel):
        kernel = _as_now(plan)
    if kernel is None:
        return ReadyKernel(python)
    return ReadyKernel(
        python,
        kernel.argv,
        dict(kernel.env),
        kernel.display_name,
        guessed=plan.source.kind is Kind.IMPORTS,
        looked_for=tuple(looked_for(notebook, directory)),
    )


def at_home(notebook: Path | None, directory: Path) -> tuple[Problem, ...] | None:
    """What is to be said where the cells of `notebook`, or of a session without one, run in this
    very process; None where they do not.

    They do where the environment is this process's own, and in a session without a notebook where
    nothing is declared.
    """
    try:
        plan = plan_of(notebook, directory)
    except EnvmagicError:
        return None  # the first cell says it
    if prefix_layout.same(plan.prefix, sys.prefix):
        return (lacks(plan),) if plan.lacking else ()
    return () if notebook is None and plan.source.kind is Kind.IMPORTS else None


def lacks(plan: Plan) -> Problem:
    """That the environment, which is somebody else's, lacks what is declared."""
    return Problem(
        "lacking",
        f"{display.user_path(plan.prefix)} lacks {', '.join(plan.lacking)}.",
        "To install it",
        Severity.WARNING,
        command=("install", *plan.lacking),
    )


def _as_now(plan: Plan) -> Kernel | None:
    """The kernel of an environment that an earlier version has registered, as this one would start
    it; None where there are no parts to start one with."""
    if not own_copy.is_there():
        return None
    environment = registry.environment_at(plan.prefix)
    launch = backends.of(environment).launch(environment)
    return kernelspecs.unregistered(environment, plan.name, launch, uv=commands.find_uv())
