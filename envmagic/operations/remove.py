"""`remove`: a kernel always, its environment only when it is ours."""

from __future__ import annotations

import time
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Frontend, Kernel, Place, Progress, Report, Switch
from envmagic.core.schema import RemoveData
from envmagic.core.verbs import RemoveRequest
from envmagic.environments import clearing, inspection, journal, ownership, registry
from envmagic.environments.running import pids_in
from envmagic.jupyter import kernelspecs
from envmagic.planning import memory
from envmagic.record import recorded_with

__all__ = ["remove", "take_away"]

_LEAVING = 2.5  # seconds that a kernel which was told to end may still take: 1.5, then it is killed


def remove(request: RemoveRequest, place: Place, progress: Progress) -> Report[RemoveData]:
    """Take a kernel away, and its environment if envmagic made it. Never asks; see `--yes`."""
    at = registry.existing(request.target, place)
    with clearing.locked(at.prefix):
        kernel = kernelspecs.of_prefix(at.prefix)
        if kernel is None and not at.prefix.exists():
            raise registry.no_such(request.target)
        deletes = ownership.is_owned(at.prefix) and not at.prefix.is_symlink()
        problems = _plan_problems(at.prefix, kernel, deletes=deletes)
        data = RemoveData(
            kernel=kernel.name if kernel else None,
            prefix=str(at.prefix),
            delete=deletes,
            size=inspection.size(at.prefix) if deletes else 0,
            done=False,
        )
        _refuse_running(at.prefix, kernel, place, deletes=deletes)
        if request.dry_run:
            return Report("remove", data, problems=problems)
        if not request.yes:
            again = Problem(
                "not-confirmed",
                "Nothing was removed.",
                "To do it",
                Severity.INFO,
                command=("remove", request.target, "--yes"),
            )
            return Report("remove", data, problems=(*problems, again), failed=True)
        _carry_out(at.prefix, kernel, deletes=deletes)
    data["done"] = True
    recorded_with.sweep()
    return Report("remove", data, changed=True, problems=problems)


def take_away(prefix: Path, place: Place) -> None:
    """Remove the environment at `prefix`, which is ours, and its kernel.

    Raises `EnvmagicError` where something runs in it.
    """
    with clearing.locked(prefix):
        kernel = kernelspecs.of_prefix(prefix)
        _refuse_running(prefix, kernel, place, deletes=True)
        _carry_out(prefix, kernel, deletes=True)


def _carry_out(prefix: Path, kernel: Kernel | None, *, deletes: bool) -> None:
    """The kernel first: one without its environment could not start. What a kill leaves undone is
    done by the next call, which finds it in the journal."""
    if not deletes:
        if kernel is not None:
            kernelspecs.unregister(kernel)
        memory.forget(prefix)
        return
    written = clearing.written_in(prefix)
    ownership.check(prefix, written)
    entry, before = journal.removing(prefix), kernelspecs.snapshot(kernel.name) if kernel else None
    try:
        if kernel is not None:
            kernelspecs.unregister(kernel)
        ownership.delete(prefix, written)
        memory.forget(prefix)
    except BaseException:
        if kernel is not None and prefix.exists():
            kernelspecs.restore(kernel.name, before)
        raise
    finally:
        journal.finish(entry)


def _plan_problems(prefix: Path, kernel: Kernel | None, *, deletes: bool) -> tuple[Problem, ...]:
    if kernel is None and not deletes:
        raise EnvmagicError(
            "not-ours",
            f"{display.user_path(prefix)} was not made by envmagic and has no kernel of ours.",
            subject=str(prefix),
        )
    if deletes or not prefix.exists():
        return ()
    return (
        Problem(
            "kept",
            f"{display.user_path(prefix)} stays: envmagic did not make it.",
            severity=Severity.INFO,
            subject=str(prefix),
        ),
    )


def _refuse_running(prefix: Path, kernel: Kernel | None, place: Place, *, deletes: bool) -> None:
    """A kernel that runs in `prefix` would lose the files, or the spec it restarts from."""
    here = registry.is_this_process(prefix)
    if here and deletes and place.frontend is Frontend.TERMINAL:
        raise EnvmagicError(
            "in-use",
            f"This command itself runs from {display.user_path(prefix)}.",
            "Use the envmagic of another environment.",
            subject=str(prefix),
        )
    if here and place.frontend is Frontend.NOTEBOOK and prefix.exists():
        raise EnvmagicError(
            "in-use",
            "This notebook runs there.",
            "Move it away first",
            subject=str(prefix),
            command=("use", "python3"),
        )
    pids = pids_in(prefix, kernels_only=not deletes)
    end = time.monotonic() + _LEAVING
    while pids and time.monotonic() < end:
        time.sleep(0.05)
        pids = pids_in(prefix, kernels_only=not deletes)
    if pids and kernel is not None and place.switch is not None:
        _refuse_asleep(prefix, kernel, place.switch)
    if pids:
        raise EnvmagicError(
            "in-use",
            f"A process still runs in {display.user_path(prefix)} (pid {pids[0]}).",
            "Shut its kernel down first.",
            subject=str(prefix),
        )


def _refuse_asleep(prefix: Path, kernel: Kernel, switch: Switch) -> None:
    """The notebook's own kernel that sleeps there is in no list of the frontend's."""
    for sleeping in switch.asleep():
        if sleeping.kernel == kernel.name:
            raise EnvmagicError(
                "in-use",
                f"The kernel {kernel.name} that this notebook left sleeps there with"
                f" {sleeping.variables} variable{'' if sleeping.variables == 1 else 's'}.",
                "To end it, leave it with `use python3 --drop` once you are there",
                subject=str(prefix),
                command=("use", kernel.name),
            )
