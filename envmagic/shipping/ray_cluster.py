"""`ship ray`: the notebook's environment as a `runtime_env`, which Ray's workers run in.

A session takes one when it begins. Where it has begun already, tasks and actors are given theirs,
which is put into a variable of the notebook; without a session, that is all that is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Progress
from envmagic.shipping import fitness, workers
from envmagic.shipping.engine import Asked, Shipped
from envmagic.shipping.payload import Payload
from envmagic.shipping.ray import failures, nodes, runtime_env, session, unpacked

__all__ = ["OWN", "VARIABLE", "check", "ship"]

OWN = frozenset({"ray"})
"""Distributions that the cluster has itself; Ray refuses to run with another version."""
VARIABLE = "runtime_env"
"""What is set in the notebook."""
_USES = (
    f"To connect with it: ray.init(ADDRESS, {VARIABLE}={VARIABLE})",
    f"For tasks and actors, ship it once connected: @ray.remote({VARIABLE}={VARIABLE})",
    f"For a job: ray job submit --runtime-env-json with json.dumps({VARIABLE})",
)
_given: list[dict[str, Any]] = []
"""What the variable was set to last, when Ray was running."""


def ship(asked: Asked, progress: Progress) -> Shipped:
    """Connect with a `runtime_env`, or set it in the notebook. Raises `EnvmagicError`."""
    ray = session.running()
    if ray is not None:
        session.same(ray, asked.target)
        return _to_running(ray, asked, progress)
    if asked.target is not None:
        return _connecting(session.imported(), asked, asked.target, progress)
    payload, leaves = _payload(asked)
    told = _told(asked, payload, unpacked.modules_of(payload, progress))
    return Shipped(
        settings=runtime_env.shown(told),
        variable=_set(asked, told),
        notes=_USES,
        leaves=leaves,
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
            seen = nodes.look(ray, payload, progress, _known(asked))
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
    known = _known(asked)
    with failures.explained(address):
        before = dict(ray.get_runtime_context().runtime_env)
        if known is None:
            seen = nodes.look(ray, payload, progress)
            fitness.check_platform(payload, seen)
            if _fits(payload, seen, before):
                return Shipped(address, workers=seen, leaves=leaves)
        installer = "pip" if "pip" in before else runtime_env.installer_of(payload.environment)
        modules = unpacked.modules_of(payload, progress)
        told = session.uploaded(ray, _told(asked, payload, modules, installer))
        progress.step(f"Waiting for the workers at {address}")
        seen = nodes.look(ray, payload, progress, told)
    if told == known:
        return Shipped(address, workers=seen, leaves=leaves)
    return Shipped(
        address,
        sent=_new(payload, told, modules, known or before),
        workers=seen,
        settings=runtime_env.shown(told),
        variable=_set(asked, told, given=True),
        notes=(f"For tasks and actors: @ray.remote({VARIABLE}={VARIABLE})",),
        leaves=leaves,
    )


def _payload(asked: Asked) -> tuple[Payload, frozenset[str]]:
    leaves = asked.payload.only_for(OWN) | OWN
    return asked.payload.without(leaves), leaves


def _told(
    asked: Asked, payload: Payload, modules: Sequence[Path], installer: str | None = None
) -> dict[str, Any]:
    chosen = installer or runtime_env.installer_of(payload.environment)
    return runtime_env.built(payload, modules, installer=chosen, index=asked.index)


def _set(asked: Asked, told: dict[str, Any], *, given: bool = False) -> str:
    if asked.place.frontend is not Frontend.NOTEBOOK:
        return ""
    asked.place.values[VARIABLE] = told
    _given[:] = [told] if given else []
    return VARIABLE


def _known(asked: Asked) -> dict[str, Any] | None:
    """What tasks were given before, if the notebook's variable still says so."""
    there = asked.place.values.get(VARIABLE)
    return next((told for told in _given if told is there), None)


def _fits(payload: Payload, seen: Sequence[workers.Seen], before: Mapping[str, Any]) -> bool:
    """Whether tasks of this session have all that they need without another word."""
    variables = before.get("env_vars") or {}
    return payload.variables.items() <= variables.items() and not any(
        workers.data_of(each, payload)["differs"] for each in seen
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
