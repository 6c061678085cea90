"""An environment that is made beside the place that it is for, tried there, and then moved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic._version import __version__
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, EnvSpec, Kernel, Progress
from envmagic.environments import (
    backends,
    changing,
    exchange,
    fulfilment,
    ownership,
    provisioning,
    relocation,
    runtimes,
)
from envmagic.environments.backends import commands
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import Host, linked_pip
from envmagic.environments.what_changed import named
from envmagic.jupyter import kernelspecs
from envmagic.system import process, scratch

__all__ = ["Beside", "made"]

_SECONDS = 300.0
# a kernel's output goes another way, and would come too late
_CODE = "import os; open({mark!r}, 'x').close(); os._exit(0)"


@dataclass(frozen=True)
class Beside:
    """An environment that is whole and nobody knows of yet."""

    spec: EnvSpec
    """Where it is to be."""
    there: Inventory
    notes: tuple[str, ...] = ()

    def start(self) -> None:
        """Start its kernel, which ends at once. Raises `EnvmagicError` where it does not start."""
        environment = self.there.environment
        launch = backends.of(environment).launch(environment)
        uv = commands.find_uv()
        kernel = kernelspecs.unregistered(environment, self.spec.name, launch, uv=uv)
        with scratch.beside(environment.prefix.parent) as place:
            place.mkdir(0o700)
            file, mark = place / "connection.json", place / "started"
            words = [str(file) if w == "{connection_file}" else w for w in kernel.argv]
            words += ["-c", _CODE.format(mark=str(mark))]
            base = process.clean_environment()
            said = {name: process.expanded(value, base) for name, value in kernel.env.items()}
            said["JPY_PARENT_PID"] = str(os.getpid())  # it ends when that one is gone
            try:
                process.run(words, env=said, timeout=_SECONDS)
                reason = "" if mark.exists() else "it ended before it ran anything"
            except process.CommandFailed as error:
                reason = error.last_line
        if reason:
            raise EnvmagicError(
                "kernel-cannot-start",
                f"Its kernel does not start with Python {environment.version}: {reason}",
                subject=self.spec.name,
            )

    @contextlib.contextmanager
    def in_place(self, progress: Progress) -> Iterator[tuple[Environment, Kernel]]:
        """It is in its place inside the `with` block, ours, with its kernel, instead of the one
        that was there; when the block fails everything is as it was."""
        spec, built = self.spec, self.there.environment.prefix
        before = kernelspecs.snapshot(spec.name)
        try:
            with exchange.exchanged(spec.prefix, built):
                environment = backends.inspect(spec.prefix, owned=True)
                relocation.relocate(environment, built)
                ownership.mark(
                    spec.prefix,
                    token=os.urandom(16).hex(),
                    name=spec.name,
                    backend=environment.backend.value,
                    version=__version__,
                )
                kernel = provisioning.registered(environment, spec.name, progress)
                yield environment, kernel
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                kernelspecs.restore(spec.name, before)
            raise


@contextlib.contextmanager
def made(spec: EnvSpec, wanted: InstallPlan, progress: Progress) -> Iterator[Beside]:
    """The environment `spec` with `wanted` in it, in a directory beside its place, which is cleared
    away after the `with` block. Raises `EnvmagicError` where it cannot be made."""
    backend = backends.choose(spec.backend)
    python = backend.python(spec)
    with scratch.beside(spec.prefix.parent) as place:
        prefix = place / spec.prefix.name
        try:
            prefix.mkdir(parents=True)
        except OSError as error:
            raise _not_made(place, error) from error
        progress.step(f"Making {spec.name} with Python {python.version} beside the one there is")
        left = backend.create(replace(spec, prefix=prefix), python.executable, wanted, progress)
        environment = backends.inspect(prefix, owned=True)
        notes = []
        if wanted:
            progress.step(f"Installing {named(wanted)}")
            notes += backend.fill(environment, wanted, left, progress)
        behind = runtimes.behind(Host.of(environment), progress)
        linked_pip.put(environment, behind.runtime, fetched_by=progress)
        there = changing.mended(changing.looked_again(environment), {}, progress)
        fulfilment.check(there, wanted)
        yield Beside(spec, there, tuple(notes))


def _not_made(place: Path, error: OSError) -> EnvmagicError:
    return EnvmagicError(
        "not-writable",
        f"{display.user_path(place.parent)} cannot be written: {(error.strerror or '').lower()}.",
        subject=str(place.parent),
    )
