"""Runtimes: damaged ones, old ones, and those that nobody has used for long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import Severity
from envmagic.core.model import Kernel
from envmagic.environments import integrity
from envmagic.environments.runtimes import own_copy, store
from envmagic.environments.runtimes.store import Index, Runtime
from envmagic.jupyter import kernelspecs
from envmagic.operations.doctor.finding import Finding, problem
from envmagic.system import directories, locks

__all__ = ["of_runtimes"]

_UNUSED = 90 * 24 * 3600.0  # seconds after which nobody seems to need it
_NEW = 3600.0  # seconds that making one takes at most
_OLD = 180 * 24 * 3600.0  # seconds after which newer versions of its parts will be there


def of_runtimes(kernels: Iterable[Kernel]) -> Iterator[Finding]:
    """What is wrong with each runtime; one that is in use stays until its kernels have ended."""
    if any(kernelspecs.is_current(kernel) for kernel in kernels) and not own_copy.is_there():
        place = str(directories.runtimes())
        yield Finding(
            problem(
                "no-runtime",
                f"What kernels consist of is missing in {display.user_path(place)}.",
                "",
                place,
                command=("doctor", "--fix"),
            ),
            own_copy.ensure,
        )
    for runtime in store.every():
        said = _wrong(runtime)
        if said is not None:
            code, message = said

            def drop(runtime: Runtime = runtime) -> str:
                with locks.lock(store.directory(runtime.kind)):
                    now = store.at(runtime.place)
                    if now is None or _wrong(now) is None:
                        return ""  # somebody has it by now, or it is gone
                    return "" if store.remove(now) else store.forget(now)

            yield Finding(
                problem(
                    code,
                    f"The runtime for {runtime.kind} in {display.user_path(runtime.place)}"
                    f" {message}",
                    "",
                    str(runtime.place),
                    Severity.WARNING,
                    command=("doctor", "--fix"),
                ),
                drop,
            )

    for copy in own_copy.old():

        def delete(copy: Path = copy) -> None:
            with locks.lock(copy.parent):
                own_copy.remove(copy)

        yield Finding(
            problem(
                "unused-runtime",
                f"The envmagic in {display.user_path(copy)} is not needed any more.",
                "",
                str(copy),
                Severity.WARNING,
                command=("doctor", "--fix"),
            ),
            delete,
        )


def _wrong(runtime: Runtime) -> tuple[str, str] | None:
    """The problem's code and the rest of its sentence."""
    now = time.time()
    index = Index.load(runtime.kind)
    if not runtime.whole or integrity.broken_distributions(runtime.distributions, base=runtime.lib):
        return "damaged-runtime", "lacks files; the next kernel gets a new one."
    # one that was made just now may not be noted yet
    forgotten = now - runtime.made > _NEW and not index.knows(runtime.name)
    if (forgotten or now - runtime.used > _UNUSED) and not store.is_used(runtime):
        return "unused-runtime", "is not needed any more."
    if runtime.shared and now - runtime.made > _OLD:
        return "old-runtime", "is old; the next kernel gets a new one."
    return None
