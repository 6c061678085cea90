"""Making an environment and making it ready: what `create`, `attach` and `%%env` share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic._version import __version__
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, EnvSpec, Kernel, Progress, Switch
from envmagic.environments import (
    backends,
    changing,
    clearing,
    fulfilment,
    journal,
    ownership,
    relocation,
    runtimes,
)
from envmagic.environments.backends import commands
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.early_start import EarlyStart, runs_at_start
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import Behind, Host, linked_pip
from envmagic.environments.what_changed import named
from envmagic.jupyter import kernelspecs

__all__ = ["Ready", "make", "make_ready", "registered", "renewed"]

OLDEST_OF_IPYKERNEL = (3, 8)
"""The oldest Python that an ipykernel we can talk to runs on."""


@dataclass(frozen=True)
class Ready:
    """An environment that has what was asked for, and its kernel."""

    there: Inventory
    """What is installed now."""
    kernel: Kernel
    notes: tuple[str, ...] = ()
    """What happened besides, for the person, one sentence each."""


Maker = Callable[[EnvSpec, InstallPlan, Progress, Switch | None], Ready]
"""Makes an environment with what is wanted in it, and its kernel, as `make` does."""


def make(
    spec: EnvSpec,
    wanted: InstallPlan,
    progress: Progress,
    switch: Switch | None = None,
    *,
    look: Callable[[Inventory], object] = lambda there: None,
    fill: Callable[[Environment], object] | None = None,
) -> Ready:
    """Make the environment `spec` with `wanted` in it and register it, whole or not at all.

    `spec.prefix` must not exist or be empty, and `spec.name` be free for its kernel. The caller
    holds its lock. Whatever goes wrong, an interrupt included, the directory and the kernelspec
    are as they were before. With `switch`, which moves there afterwards, the kernel is begun as
    soon as there is a Python. `look` is called with what is there once it is filled, and may raise
    what it likes where that is not right. `fill` puts more into it, once `wanted` is in.
    """
    backend = backends.choose(spec.backend)
    python = backend.python(spec)
    entry = journal.begin(spec.prefix)
    before = kernelspecs.snapshot(spec.name)
    early: EarlyStart | None = None
    try:
        version = f" {python.version}" if python.version else ""
        progress.step(f"Creating {spec.name} with Python{version} ({backend.name.value})")
        left = backend.create(spec, python.executable, wanted, progress)
        environment = backends.inspect(spec.prefix, owned=True)
        _refuse_old(environment.version, display.user_path(spec.prefix))

        def begin(behind: Behind) -> None:
            nonlocal early
            early = early or _begun(switch, environment, spec.name, behind, wanted)

        behind = _behind(environment, progress, soon=begin)
        begin(behind)
        notes: list[str] = []
        if wanted:
            progress.step(f"Installing {named(wanted)}")
            notes += backend.fill(environment, wanted, left, progress)
        if fill is not None:
            fill(environment)
        linked_pip.put(environment, behind.runtime, fetched_by=progress)
        there = changing.mended(changing.looked_again(environment), {}, progress)
        fulfilment.check(there, wanted)
        look(there)
        if wanted or fill is not None:  # it may not agree with the kernel's parts
            behind = _behind(environment, progress)
        if early is not None:
            early.settle(there, behind)
        # from here on it is ready, whatever comes
        ownership.mark(
            spec.prefix,
            token=entry.token,
            name=spec.name,
            backend=backend.name.value,
            version=__version__,
        )
        kernel = _register(environment, spec.name, behind)
    except BaseException as error:
        try:
            if switch is not None:
                switch.give_up()
        finally:
            kept = None
            with contextlib.suppress(Exception):  # the first error is the one to tell
                kernelspecs.restore(spec.name, before)
            with contextlib.suppress(Exception):  # the next call goes on with it
                kept = clearing.clear(entry)
        if kept and isinstance(error, EnvmagicError):
            raise error.saying(kept.message) from error
        raise
    journal.finish(entry)
    backend.created(environment)
    return Ready(there, kernel, tuple(notes))


def make_ready(
    there: Inventory,
    name: str,
    wanted: InstallPlan,
    progress: Progress,
    *,
    switch: Switch | None = None,
) -> Ready:
    """See that an existing environment holds `wanted`, has a kernel, and is registered.

    `there` is what it holds. An environment that is not ours gets nothing but `wanted`. With
    `switch`, which moves there afterwards, the kernel is begun at once. Raises `EnvmagicError`;
    what was newly installed is taken out again then.
    """
    before, environment = there, there.environment
    _refuse_old(environment.version, display.user_path(environment.prefix))
    notes: list[str] = []
    early = None
    try:
        made = relocation.made_at(environment)
        if made is not None:
            note, environment = _moved(environment, made)
            notes.append(note)
        own = kernelspecs.of_prefix(environment.prefix)
        if own is None and made is not None and not os.path.lexists(made):
            own = kernelspecs.of_prefix(made)  # whose notebooks follow
        name = own.name if own else kernelspecs.free_name(name, environment.prefix)
        if wanted:
            # what is installed now may be what lets a kernel start
            known = runtimes.known(Host.of(environment)) if switch is not None else None
            if known is not None:
                early = _begun(switch, environment, name, known, wanted)
            notes += changing.install(there, wanted, progress)
            there = changing.mended(changing.looked_again(environment), there.versions, progress)
            fulfilment.check(there, wanted)
            environment = there.environment
        behind = _behind(environment, progress)
        if not wanted:
            early = _begun(switch, environment, name, behind, wanted)
        if environment.owned and "pip" not in there.distributions:
            linked_pip.put(environment, behind.runtime)
            there = changing.looked_again(environment)
        if not behind.envmagic:
            notes.append(_without_us(environment))
        if early is not None:
            early.settle(there, behind)
        kernel = _register(environment, name, behind)
        return Ready(there, kernel, tuple(notes))
    except BaseException:
        try:
            if switch is not None:
                switch.give_up()
        finally:
            changing.put_back(before, progress)
        raise


def _moved(environment: Environment, made: Path) -> tuple[str, Environment]:
    """What is said of an environment that was made at `made`; and it, with commands of its own
    where it is of ours."""
    was = f"It was moved or copied from {display.user_path(made)}"
    if relocation.is_of_ours(environment, made) and relocation.relocate(environment, made):
        owned = ownership.is_owned(environment.prefix)
        return f"{was}; its commands belong to it again.", replace(environment, owned=owned)
    return f"{was}, and its commands, pip among them, still work there.", environment


def renewed(kernel: Kernel, environment: Environment, progress: Progress) -> Kernel:
    """The kernel of `environment`, ours, which can start now: what it needs is behind it.

    Its spec is written anew where an older version of us has written it.
    """
    behind = _behind(environment, progress)
    if kernelspecs.is_current(kernel):
        return kernel
    return _register(environment, kernel.name, behind)


def registered(environment: Environment, name: str, progress: Progress) -> Kernel:
    """The kernel `name` of `environment`, written anew; what it needs is behind it."""
    return _register(environment, name, _behind(environment, progress))


def _behind(
    environment: Environment,
    progress: Progress,
    *,
    soon: Callable[[Behind], object] = lambda behind: None,
) -> Behind:
    host = Host.of(environment)
    _refuse_old(host.version, display.user_path(environment.prefix))
    return runtimes.behind(host, progress, soon=soon)


def _without_us(environment: Environment) -> str:
    short = environment.short_version
    if not Host.of(environment).runs_envmagic:
        return f"Its Python {short} is too old for envmagic, so %env is not there in its kernel."
    return "What it holds is too old for envmagic, so %env is not there in its kernel."


def _begun(
    switch: Switch | None, environment: Environment, name: str, behind: Behind, wanted: InstallPlan
) -> EarlyStart | None:
    """The start of its kernel, where the notebook moves there and the kernel can do without what
    is `wanted`."""
    if switch is None or (wanted and runs_at_start(environment)):
        return None
    launch = backends.of(environment).launch(environment)
    uv = commands.find_uv()
    kernel = kernelspecs.planned(environment, name, launch, uv=uv, behind=behind.answer)
    return EarlyStart(switch, kernel, environment, behind)


def _register(environment: Environment, name: str, behind: Behind) -> Kernel:
    uv = commands.find_uv()
    launch = backends.of(environment).launch(environment)
    return kernelspecs.register(environment, name, launch, uv=uv, logos=behind.runtime.lib)


def _refuse_old(version: str, where: str) -> None:
    parts = tuple(int(p) for p in version.split(".")[:2]) if version else ()
    if parts and parts < OLDEST_OF_IPYKERNEL:
        raise EnvmagicError(
            "python-too-old",
            f"Python {version} of {where} is too old for ipykernel;"
            f" {'.'.join(map(str, OLDEST_OF_IPYKERNEL))} at least.",
            subject=where,
        )
