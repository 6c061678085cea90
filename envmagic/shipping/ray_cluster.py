"""`ship ray`: the notebook's environment as a `runtime_env`, which Ray's workers run in.

A session takes one when it begins. Where it has begun already, tasks and actors are given theirs,
which is put into a variable of the notebook; without a session, that is all that is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Frontend, Progress
from envmagic.core.record_files import ENVIRONMENTS
from envmagic.shipping import fitness, workers
from envmagic.shipping.engine import Asked, Shipped
from envmagic.shipping.payload import Payload
from envmagic.shipping.ray import failures, nodes, packages, runtime_env, session, unpacked

__all__ = ["OWN", "VARIABLE", "check", "ship", "told"]

OWN = frozenset({"ray"})
"""Distributions that the cluster has itself; Ray refuses to run with another version."""
VARIABLE = "runtime_env"
"""What is set in the notebook."""
_USES = (
    f"To connect with it: ray.init(ADDRESS, {VARIABLE}={VARIABLE})",
    f"For tasks and actors, ship it once connected: @ray.remote({VARIABLE}={VARIABLE})",
    f"For a job: ray job submit --runtime-env-json with json.dumps({VARIABLE})",
)
_TASKS = f"For tasks and actors: @ray.remote({VARIABLE}={VARIABLE})"
_given: list[tuple[str, dict[str, Any]]] = []
"""The session that ran when the variable was set last, and what it was set to."""


def ship(asked: Asked, progress: Progress) -> Shipped:
    """Connect with a `runtime_env`, or set it in the notebook. Raises `EnvmagicError`."""
    ray = session.running()
    if ray is not None:
        session.same(ray, asked.target)
        return _to_running(ray, asked, progress)
    if asked.target is not None:
        return _connecting(session.imported(), asked, asked.target, progress)
    found = told(asked.payload, progress, index=asked.index, conda=_conda_file(asked))
    return Shipped(
        settings=runtime_env.shown(found),
        variable=_set(asked, found),
        notes=_USES,
        leaves=_leaves(asked.payload),
    )


def told(
    payload: Payload, progress: Progress, *, index: str | None = None, conda: str | None = None
) -> dict[str, Any]:
    """The `runtime_env` of `payload`, for a session or a job that is yet to begin; `index` and
    `conda` as in `runtime_env.built`. Raises `EnvmagicError`."""
    own = payload.without(_leaves(payload))
    return runtime_env.built(
        own,
        unpacked.modules_of(own, progress),
        installer=runtime_env.installer_of(payload.environment),
        index=index,
        conda=conda,
    )


def check(asked: Asked, progress: Progress) -> Shipped:
    """Look what tasks have in this session, or at the address. Raises `EnvmagicError`."""
    payload, leaves = _payload(asked)
    ray = session.running()
    if ray is not None:
        session.same(ray, asked.target)
        address = session.address_of(ray)
        session.reach(address)
        with failures.explained(address):
            seen = nodes.look(ray, payload, progress, _known(ray, asked))
        return Shipped(address, workers=seen, leaves=leaves)
    if asked.target is None:
        raise EnvmagicError(
            "not-connected",
            "This notebook is connected to no Ray.",
            "To connect it",
            command=("ship", "ray", "auto"),
        )
    ray = session.imported()
    session.reach(asked.target)
    with session.begun(ray, asked.target, None, stays=False):
        address = session.address_of(ray)
        seen = nodes.look(ray, payload, progress)
    return Shipped(address, workers=seen, leaves=leaves)


def _connecting(ray: Any, asked: Asked, target: str, progress: Progress) -> Shipped:
    payload, leaves = _payload(asked)
    # workers that are started here are this very environment's
    installed = payload.without(payload.names) if target == "local" else payload
    session.reach(target)
    told = _told(asked, installed, unpacked.modules_of(installed, progress))
    progress.step(f"Connecting to Ray at {target}")
    if any(module.compiled for module in payload.modules) and target != "local":
        with session.begun(ray, target, None, stays=False):
            fitness.check_platform(payload, nodes.look(ray, payload, progress))
    is_notebook = asked.place.frontend is Frontend.NOTEBOOK
    with session.begun(ray, target, told, stays=is_notebook):
        address = session.address_of(ray)
        progress.step(f"Waiting for the workers at {address}")
        seen = nodes.look(ray, payload, progress)
    return Shipped(
        address,
        sent=(*installed.names, *payload.module_names),
        workers=seen,
        settings={} if is_notebook else runtime_env.shown(told),
        leaves=leaves,
    )


def _to_running(ray: Any, asked: Asked, progress: Progress) -> Shipped:
    payload, leaves = _payload(asked)
    address = session.address_of(ray)
    session.reach(address)
    known = _known(ray, asked)
    with failures.explained(address):
        before = dict(ray.get_runtime_context().runtime_env)
        modules = unpacked.modules_of(payload, progress)
        if known is None:
            seen = nodes.look(ray, payload, progress)
            fitness.check_platform(payload, seen)
            if _fits(payload, modules, seen, before):
                return Shipped(address, workers=seen, leaves=leaves)
        installer = "pip" if "pip" in before else runtime_env.installer_of(payload.environment)
        there = [*(before.get("py_modules") or ()), *((known or {}).get("py_modules") or ())]
        wanted = runtime_env.like(_told(asked, payload, modules, installer), before)
        told = packages.uploaded(ray, wanted, modules, there)
        progress.step(f"Waiting for the workers at {address}")
        seen = nodes.look(ray, payload, progress, told)
    if told == known:
        return Shipped(address, workers=seen, notes=(_TASKS,), leaves=leaves)
    return Shipped(
        address,
        sent=_new(payload, told, modules, known or before),
        workers=seen,
        settings=runtime_env.shown(told),
        variable=_set(asked, told, session.identity(ray)),
        notes=(_TASKS,),
        leaves=leaves,
    )


def _leaves(payload: Payload) -> frozenset[str]:
    return payload.only_for(OWN) | OWN


def _payload(asked: Asked) -> tuple[Payload, frozenset[str]]:
    leaves = _leaves(asked.payload)
    return asked.payload.without(leaves), leaves


def _told(
    asked: Asked, payload: Payload, modules: Sequence[Path], installer: str | None = None
) -> dict[str, Any]:
    chosen = installer or runtime_env.installer_of(payload.environment)
    conda = _conda_file(asked)
    return runtime_env.built(payload, modules, installer=chosen, index=asked.index, conda=conda)


def _conda_file(asked: Asked) -> str | None:
    """What a conda environment here is recorded in, which Ray makes one of."""
    if asked.payload.environment.backend is not BackendName.CONDA:
        return None
    files = (asked.place.directory / name for name in ENVIRONMENTS)
    return next((str(file) for file in files if file.is_file()), None)


def _set(asked: Asked, told: dict[str, Any], to: str = "") -> str:
    if asked.place.frontend is not Frontend.NOTEBOOK:
        return ""
    asked.place.values[VARIABLE] = told
    _given[:] = [(to, told)]
    return VARIABLE


def _known(ray: Any, asked: Asked) -> dict[str, Any] | None:
    """What tasks of this session were given before, if the notebook's variable still says so."""
    there, now = asked.place.values.get(VARIABLE), session.identity(ray)
    return next((told for to, told in _given if told is there and to == now), None)


def _fits(
    payload: Payload,
    modules: Sequence[Path],
    seen: Sequence[workers.Seen],
    before: Mapping[str, Any],
) -> bool:
    """Whether tasks of this session have all that they need without another word. What a worker has
    imported does not change with its file, so a module counts only if Ray was given this one."""
    variables = before.get("env_vars") or {}
    return (
        payload.variables.items() <= variables.items()
        and set(packages.addresses(modules)) <= set(before.get("py_modules") or ())
        and not any(workers.data_of(each, payload)["differs"] for each in seen)
    )


def _new(
    payload: Payload, told: Mapping[str, Any], modules: Sequence[Path], before: Mapping[str, Any]
) -> tuple[str, ...]:
    """What was not there `before`: distributions and modules."""
    lines, uris = runtime_env.packages_of(before), before.get("py_modules") or ()
    pins = [p.name for p in payload.pins if p.directory is None and p.line not in lines]
    sent = [
        module.stem
        for module, uri in zip(modules, told.get("py_modules", ()), strict=True)
        if uri not in uris and module.suffix != ".dist-info"
    ]
    return (*pins, *sent)
