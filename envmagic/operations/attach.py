"""`attach`: adopt an environment that exists already."""

from __future__ import annotations

import time

from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import CreateData
from envmagic.core.verbs import AttachRequest
from envmagic.environments import backends, clearing, provisioning, registry, what_changed
from envmagic.environments.backends.base import NOTHING
from envmagic.operations import beside_jupyter, first_look
from envmagic.operations.handover import meanwhile, move, start_recording

__all__ = ["attach"]


def attach(request: AttachRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """Verify an existing environment, see that a kernel can start behind it, register it."""
    started = time.monotonic()
    if request.use and place.switch is not None:
        place.switch.check()
    at = registry.existing(request.target, place)
    with meanwhile(request.use, at.prefix, place) as switch:
        with clearing.locked(at.prefix):
            before = backends.look(registry.environment_at(at.prefix))
            ready = provisioning.make_ready(before, at.name, NOTHING, progress, switch=switch)
        environment, kernel = ready.there.environment, ready.kernel
        data = CreateData(
            environment=registry.describe(environment, kernel, place),
            action="attached",
            changes=what_changed.changes(before.versions, ready.there.versions),
            notes=list(ready.notes),
        )
        recorded = start_recording(place, environment)
        data["record"] = recorded.data
        data["switch"] = move(
            request.use, kernel, environment.prefix, place, progress, carry=not request.leave
        )
    data["seconds"] = round(time.monotonic() - started, 3)
    held = ready.there.distributions
    halves = beside_jupyter.lacking(held, held, place)
    problems = (*first_look.of_environment(environment), *recorded.problems, *halves)
    return Report("attach", data, changed=True, problems=problems)
