"""`ship`: the notebook's environment on the workers of an engine, or what they have of it."""

from __future__ import annotations

from envmagic import shipping
from envmagic.core.errors import Problem
from envmagic.core.model import Environment, Place, Progress, Report
from envmagic.core.schema import ShipData, WorkerData
from envmagic.core.verbs import IMAGES, ShipRequest
from envmagic.environments import backends
from envmagic.operations.here import environment_of
from envmagic.operations.ship_image import ship_image
from envmagic.shipping import workers
from envmagic.shipping.elsewhere import Elsewhere, is_elsewhere
from envmagic.shipping.engine import Asked, Engine, Shipped
from envmagic.shipping.payload import Payload

__all__ = ["ship"]


def ship(request: ShipRequest, place: Place, progress: Progress) -> Report[ShipData]:
    """Give what the record needs to the engine that is asked for, or write what an image of it is
    built of. Raises `EnvmagicError`."""
    if request.engine in IMAGES:
        return ship_image(request, place, progress)
    environment = environment_of(place)
    engine = _engine(request.engine, environment)
    there = backends.look(environment)
    payload = Payload.of(there, place.directory, place.notebook, place.cells, request.variables)
    asked = Asked(payload, place, request.target, request.to, request.index)
    done = (engine.check if request.check else engine.ship)(asked, progress)
    compared = payload.without(done.leaves)
    found = [workers.data_of(seen, compared) for seen in done.workers]
    differs = [each for each in found if each["differs"]]
    return Report(
        "ship",
        _data(request, compared, done, found),
        changed=bool(done.sent or done.settings or done.file),
        problems=(*done.problems, *(_problem(each, request, done.again) for each in differs)),
        failed=bool(differs),
    )


def _engine(name: str, environment: Environment) -> Engine:
    return Elsewhere(name) if is_elsewhere(environment) else shipping.engine_called(name)


def _data(
    request: ShipRequest, payload: Payload, done: Shipped, found: list[WorkerData]
) -> ShipData:
    return ShipData(
        engine=request.engine,
        address=done.address,
        python=payload.python,
        platform=payload.platform,
        distributions={pin.name: pin.version for pin in payload.pins},
        modules=payload.module_names,
        variables=sorted(payload.variables),
        sent=list(done.sent),
        workers=sorted(found, key=lambda each: (not each["differs"], each["worker"])),
        settings=done.settings,
        variable=done.variable,
        file=done.file,
        files=[],
        diff="",
        notes=list(done.notes),
    )


def _problem(worker: WorkerData, request: ShipRequest, again: str) -> Problem:
    first = worker["differs"][0]
    has = f"has {first['name']} {first['there']}" if first["there"] else f"has no {first['name']}"
    more = len(worker["differs"]) - 1
    others = f", and differs in {more} more" if more else ""
    target = (request.target,) if request.target else ()
    return Problem(
        "worker-differs",
        f"{_called(worker['worker'])} {has} (here {first['here']}){others}.",
        again or ("To send it" if request.check else "Restart its workers, and send it again"),
        subject=worker["worker"],
        command=() if again else ("ship", request.engine, *target),
    )


def _called(worker: str) -> str:
    """Dask's scheduler reads what workers are sent, and has to have what they have."""
    return f"The {worker}" if worker == "scheduler" else f"The worker {worker}"
