"""The parts of kernels that environments have not themselves, kept outside of them.

For each kind of Python there is one runtime that environments share, and others for those that hold
parts of their own that it does not agree with. `jupyter/launcher` puts them behind an environment.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments import inspection, integrity
from envmagic.environments.inspection import Distributions
from envmagic.environments.runtimes import building, own_copy, store
from envmagic.environments.runtimes.agreement import conflict
from envmagic.environments.runtimes.host import Host
from envmagic.environments.runtimes.store import Index, Runtime
from envmagic.environments.satisfaction import applying, closure, is_met, names_of
from envmagic.jupyter import launcher
from envmagic.system import locks

__all__ = ["Behind", "Host", "behind", "known"]

_KERNEL = ("ipykernel>=6",)
"""What a kernel is started with, where envmagic is not."""


@dataclass(frozen=True)
class Behind:
    """What stands behind a Python to make a kernel of it."""

    runtime: Runtime
    envmagic: bool
    """`%env` is there in its kernel."""
    code: str
    """The name of the directory with envmagic."""
    instead: tuple[str, ...] = ()
    """Modules that come from there although the environment has them, broken or ours of old."""

    @property
    def verdict(self) -> dict[str, Any]:
        """As `launcher` reads it."""
        return {
            "runtime": self.runtime.name,
            "envmagic": self.envmagic,
            "instead": list(self.instead),
        }

    @property
    def answer(self) -> dict[str, Any]:
        """The same as an answer to a launcher that asks."""
        return {**self.verdict, "code": self.code if self.envmagic else ""}


def behind(
    host: Host,
    progress: Progress,
    *,
    doubted: bool = False,
    soon: Callable[[Behind], object] = lambda behind: None,
) -> Behind:
    """What is to be put behind `host`, made if it is not there yet.

    `doubted`: what was known of it did not start. `soon` is called with what is being made, once a
    kernel can start with it and before it is known that one does. Raises `EnvmagicError` where
    there is nothing that agrees with what it holds; it names what does not.
    """
    with ThreadPoolExecutor(1) as beside:
        code = beside.submit(own_copy.ensure)  # while an installer runs
        there = None if doubted else _known(host, Index.load(host.kind), code)
        if there is not None:
            return there
        with locks.lock(store.directory(host.kind)):
            index = Index.load(host.kind)  # another one may have made it meanwhile
            there = None if doubted else _known(host, index, code)
            if there is not None:
                return there
            try:
                found, lasts = _found(host, index, code, progress, soon)
            except BaseException:
                with contextlib.suppress(EnvmagicError):  # the first error is the one to tell
                    index.save()
                raise
            if lasts:
                index.verdicts[_digest(host, index)] = found.verdict
            index.save()
            return found


def known(host: Host) -> Behind | None:
    """What `behind` gives where that is there already; None where it would have to be made."""
    code: Future[str] = Future()
    code.set_result(own_copy.ensure())
    return _known(host, Index.load(host.kind), code)


def _known(host: Host, index: Index, code: Future[str]) -> Behind | None:
    """What `index` says of what `host` holds, where that is whole."""
    verdict = index.verdicts.get(_digest(host, index)) if index.names else None
    if verdict is None:
        return None
    runtime = store.at(store.directory(host.kind) / verdict["runtime"])
    if runtime is None or not runtime.whole:
        return None
    return Behind(runtime, verdict["envmagic"], code.result(), tuple(verdict["instead"]))


def _digest(host: Host, index: Index) -> str:
    places = [str(place) for place in host.directories]
    return launcher.digest(launcher.distributions(places, index.names))


def _found(
    host: Host,
    index: Index,
    code: Future[str],
    progress: Progress,
    soon: Callable[[Behind], object],
) -> tuple[Behind, bool]:
    """The shared runtime where it agrees with what `host` holds, else one of its own.

    And whether that follows from versions: what is broken in one place need not be so elsewhere.
    """
    held = dict(host.held)

    def filled(runtime: Runtime) -> None:
        if not set(held) & {*runtime.distributions, "envmagic"}:
            soon(Behind(runtime, host.runs_envmagic, code.result()))

    shared = _shared(host, index, progress, filled)
    of_old = "envmagic" in held and own_copy.is_ours(held["envmagic"][1])
    old: tuple[str, ...] = ("envmagic",) if of_old else ()
    if "ipykernel" in held and not is_met(_KERNEL[0], held["ipykernel"][0]):
        del held["ipykernel"]  # no frontend talks to that one, so nobody's code can want it
        old += tuple(sorted(building.modules_of(shared.distributions["ipykernel"][1])))
    wrong: object = None
    for roots in (own_copy.BEHIND, _KERNEL) if host.runs_envmagic else (_KERNEL,):
        with_us = roots is own_copy.BEHIND
        differs = conflict(roots, held, shared.distributions, host.version)
        if differs is not None and wrong is None:
            where = display.user_path(host.prefix)
            progress.step(f"Looking for a kernel that agrees with what is in {where}, once")
        wrong = wrong or differs
        runtime = shared if differs is None else _own(host, roots, held, index, progress)
        if runtime is None:
            continue
        index.names |= closure(names_of(roots), {**runtime.distributions, **held}, host.version)
        try:
            parts = {name: held[name] for name in held if name in index.names}
            instead = _broken(host, runtime, parts, old)
        except EnvmagicError as error:
            wrong = error.problem.message
            continue
        return Behind(runtime, with_us, code.result(), old + instead), not instead
    raise EnvmagicError(
        "kernel-cannot-start",
        f"No kernel agrees with what is in {display.user_path(host.prefix)}: {wrong}.",
        "Install another version of it there.",
        subject=str(host.prefix),
    )


def _broken(
    host: Host, runtime: Runtime, held: Distributions, old: Sequence[str]
) -> tuple[str, ...]:
    """The modules of `held` without which a kernel starts behind `host`, and with which it does
    not, those that are `old` apart. Raises `EnvmagicError` when it does not in either case."""
    if not held and not old:
        return ()
    try:
        building.tried(host, runtime.place, old)
        return ()
    except EnvmagicError:
        own = set(integrity.broken_distributions(held)) | ({"ipykernel"} & set(held))
        instead = sorted(
            module
            for name, (_, info) in runtime.distributions.items()
            if name in own
            for module in building.modules_of(info)
        )
        building.tried(host, runtime.place, [*old, *instead])
        return tuple(instead)


def _shared(
    host: Host, index: Index, progress: Progress, filled: Callable[[Runtime], object]
) -> Runtime:
    """The runtime that environments share, made where there is none that is whole."""
    roots = own_copy.REQUIRES if host.runs_envmagic else _KERNEL
    held = store.at(store.directory(host.kind) / index.shared) if index.shared else None
    if (
        held is not None
        and held.whole
        and conflict(roots, {}, held.distributions, host.version) is None
    ):
        return held
    made = building.build(host, roots, progress, at_hand=_at_hand(host), filled=filled)
    index.forget(index.shared)
    index.shared = made.name
    index.names |= {*made.distributions, "envmagic"}  # what a newer one of them may have
    return made


def _own(
    host: Host, roots: Sequence[str], held: Distributions, index: Index, progress: Progress
) -> Runtime | None:
    """A runtime for what `host` holds; None where nothing agrees with that."""
    for requirement in applying(roots, host.version):
        there = held.get(requirement.name)
        if there and not requirement.specifier.contains(there[0], prereleases=True):
            return None
    every = [r for r in store.every() if r.kind == host.kind and r.whole and index.knows(r.name)]
    for runtime in every:
        if conflict(roots, held, runtime.distributions, host.version) is None:
            return runtime
    try:
        made = building.build(host, roots, progress, held=held)
    except EnvmagicError as error:
        if error.problem.code in ("install-failed", "kernel-cannot-start"):
            return None
        raise
    return made


def _at_hand(host: Host) -> Iterator[tuple[Distributions, Path]]:
    """Where the parts of a kernel for this kind of Python are on this machine."""
    for runtime in store.every():
        if runtime.kind == host.kind:
            yield runtime.distributions, runtime.lib
            yield inspection.distributions_in((runtime.place / "pip-info",)), runtime.place / "pip"
    if launcher.kind_of_python() == host.kind:
        for place in map(Path, sys.path):
            if place.name in ("site-packages", "dist-packages"):
                yield inspection.distributions_in((place,)), place
