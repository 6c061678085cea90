"""`ship dask`: the notebook's environment on the workers of a Dask cluster.

Each part of it is a plug-in, so that workers have it that join later, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Progress
from envmagic.shipping import dask_parts, fitness, wheels
from envmagic.shipping.dask_client import connected
from envmagic.shipping.dask_members import Cluster, Looked, Member
from envmagic.shipping.engine import Asked, Shipped
from envmagic.shipping.payload import Payload

__all__ = ["check", "plugins", "ship"]


def ship(asked: Asked, progress: Progress) -> Shipped:
    """Give the payload to the cluster's workers and its scheduler. Raises `EnvmagicError`."""
    payload = asked.payload.without(dask_parts.LEAVES)
    with connected(asked) as client:
        cluster = Cluster(client, payload, progress)
        fitness.check_python(payload, cluster.pythons())
        looked = cluster.look()
        fitness.check_platform(payload, [member.seen for member in looked.members])
        new = _New.of(payload, looked)
        _check_installers(new, looked)
        if new.parts:
            progress.step(f"Sending to {client.scheduler.address}")
            looked = _sent(cluster, asked, new, progress)
        if payload.variables:  # they are put back where they go, so they come last
            looked = cluster.put(dask_parts.variables(payload))
        return _shipped(client, asked.payload, looked, new.sent)


def check(asked: Asked, progress: Progress) -> Shipped:
    """Look what the cluster's workers and its scheduler have. Raises `EnvmagicError`."""
    payload = asked.payload.without(dask_parts.LEAVES)
    with connected(asked) as client:
        cluster = Cluster(client, payload, progress)
        fitness.check_python(payload, cluster.pythons())
        return _shipped(client, asked.payload, cluster.look(), ())


def plugins(payload: Payload, index: str | None, progress: Progress) -> list[Any]:
    """What has the same done by somebody's own `client.register_plugin`. Raises `EnvmagicError`."""
    payload = payload.without(dask_parts.LEAVES)
    parts = [_packages(payload, index, progress), *dask_parts.modules(payload)]
    return dask_parts.for_scripts([*parts, *dask_parts.variables(payload)])


@dataclass(frozen=True)
class _New:
    """What a cluster is to be given."""

    payload: Payload
    parts: frozenset[str]
    """Under which it is registered."""
    lacking: tuple[tuple[Member, tuple[str, ...]], ...]
    """Who lacks which distributions."""

    @classmethod
    def of(cls, payload: Payload, there: Looked) -> _New:
        if there.within and not there.members:
            return cls(payload, frozenset(), ())
        lacking = tuple((member, tuple(_lacks(member, payload))) for member in there.members)
        parts = {
            name
            for name, module in dask_parts.names_of_modules(payload).items()
            if name not in there.registered
            or any(m.seen.modules.get(module.name) != module.digest for m in there.members)
        }
        packages = dask_parts.name_of_packages(payload)
        known = packages in there.registered
        if payload.pins and (not known or any(_differs(m, payload) for m in there.members)):
            parts.add(packages)
        return cls(payload, frozenset(parts), lacking if packages in parts else ())

    @property
    def sent(self) -> tuple[str, ...]:
        """What it is called."""
        names = {name for _, lacks in self.lacking for name in lacks}
        pins = [f"{pin.name} {pin.version}" for pin in self.payload.pins if pin.name in names]
        every = dask_parts.names_of_modules(self.payload)
        return (*pins, *(module.name for name, module in every.items() if name in self.parts))


def _lacks(member: Member, payload: Payload) -> Iterator[str]:
    """The distributions that `member` has not, or of which it may have an older wheel."""
    for pin in payload.pins:
        if pin.directory is not None or member.seen.versions.get(pin.name) != pin.version:
            yield pin.name


def _differs(member: Member, payload: Payload) -> bool:
    return any(member.seen.versions.get(pin.name) != pin.version for pin in payload.pins)


def _check_installers(new: _New, there: Looked) -> None:
    """Raise `EnvmagicError` where somebody would have to install and cannot."""
    for member, names in new.lacking:
        if names and not member.installs:
            run = "run_on_scheduler" if member.seen.worker == "scheduler" else "run"
            raise EnvmagicError(
                "worker-without-pip",
                f"The {_called(member)} lacks {display.joined(list(names[:3]))} and has neither pip"
                " nor uv to install them. Nothing was sent.",
                f"Give it one in a cell: import subprocess, sys; client.{run}("
                "lambda: subprocess.call([sys.executable, '-m', 'ensurepip']))",
                subject=member.seen.worker,
            )


def _sent(cluster: Cluster, asked: Asked, new: _New, progress: Progress) -> Looked:
    """Register what is new; where somebody cannot take it, the cluster is as it was."""
    payload = new.payload
    parts: list[Any] = [p for p in dask_parts.modules(payload) if p.name in new.parts]
    if dask_parts.name_of_packages(payload) in new.parts:
        parts.insert(0, _packages(payload, asked.index, progress))
    names = {part.name for part in parts}  # a build changes when its project was changed last
    looked = cluster.put(parts)
    for member in looked.members:
        for name in sorted(names & set(member.failed)):
            cluster.take(names)
            raise _not_installed(asked, member, member.failed[name])
    cluster.supersede(_superseded(names, looked.registered))
    return looked


def _superseded(names: set[str], registered: frozenset[str]) -> list[str]:
    """Those that are `registered` and not to be any more, where `names` are."""
    kinds = tuple(f"{name.rpartition(':')[0]}:" for name in names)
    return sorted(n for n in registered if n.startswith(kinds) and n not in names)


def _packages(payload: Payload, index: str | None, progress: Progress) -> Any:
    with TemporaryDirectory() as scratch:
        pins = [pin for pin in payload.pins if pin.directory is not None]
        built = wheels.built(pins, payload.environment, Path(scratch), progress)
        return dask_parts.packages(payload, built, index)


def _not_installed(asked: Asked, member: Member, why: str) -> EnvmagicError:
    target = (asked.target,) if asked.target else ()
    return EnvmagicError(
        "worker-install",
        f"The {_called(member)} cannot install what the record needs: {why.rstrip('.')}. The"
        " cluster is as it was.",
        "To name an index that it reaches",
        subject=member.seen.worker,
        detail=why,
        command=("ship", "dask", *target, "--index", "URL"),
    )


def _shipped(client: Any, payload: Payload, looked: Looked, sent: Sequence[str]) -> Shipped:
    return Shipped(
        address=str(client.scheduler.address),
        sent=tuple(sent),
        workers=tuple(member.seen for member in looked.members),
        notes=tuple(_notes(payload, looked)),
        problems=tuple(_imported_before(looked.members)),
        leaves=dask_parts.LEAVES,
    )


def _notes(payload: Payload, looked: Looked) -> Iterator[str]:
    if looked.within:
        yield "Workers in the notebook's own process have what it has."
    elif not any(member.seen.worker != "scheduler" for member in looked.members):
        yield "No worker is there yet; those that join have it."
    for pin in payload.pins:
        theirs = {m.seen.versions.get(pin.name, pin.version) for m in looked.members}
        if pin.name in dask_parts.LEAVES and theirs - {pin.version}:
            told = display.joined(sorted(theirs - {pin.version}))
            yield f"The cluster runs {pin.name} {told} (here {pin.version}), and keeps it."
    loaded = sorted({name for member in looked.members for name in member.said["dasks"]})
    if loaded:
        yield f"Dask itself has imported its own {display.joined(loaded)}, and goes on with it."


def _imported_before(members: Sequence[Member]) -> Iterator[Problem]:
    names = sorted({name for member in members for name in member.said["before"]})
    old = [member for member in members if member.said["before"]]
    if old:
        yield Problem(
            "worker-restart",
            f"{display.joined(names)} had been imported on {len(old)} of the workers before; they"
            " go on with that until they are restarted.",
            "Run client.restart() in a cell; what they hold in memory is computed again.",
            Severity.WARNING,
            subject=old[0].seen.worker,
        )


def _called(member: Member) -> str:
    name = member.seen.worker
    return name if name == "scheduler" else f"worker {name}"
