"""`use`: move the notebook to an environment or to any kernel."""

from __future__ import annotations

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import How, Kernel, Place, Progress, Report
from envmagic.core.schema import SwitchData, UseData
from envmagic.core.verbs import UseRequest
from envmagic.environments import backends, provisioning, registry
from envmagic.jupyter import kernelspecs
from envmagic.operations import first_look
from envmagic.operations.handover import move

__all__ = ["use"]


def use(request: UseRequest, place: Place, progress: Progress) -> Report[UseData]:
    """Move the notebook to the environment or kernel that the word means."""
    if place.switch is None:
        raise WordsError(
            "no-notebook",
            "use moves a running notebook, and there is none in a terminal.",
            command=("use", request.target),
        )
    tuple(backends.every())  # in memory now: the environment that they lie in may go meanwhile
    kernel = _kernel(request.target, place)
    place.switch.check()
    if kernel.prefix is None:
        switched = place.switch.to(
            kernel, progress, drop=request.drop, keep_saved_name=False, carry=not request.leave
        )
        switch = SwitchData(
            how=switched.how.value,
            kernel=switched.kernel,
            message=switched.message,
            hint=switched.hint,
        )
        return Report("use", UseData(environment=None, switch=switch), changed=True)
    environment = registry.environment_at(kernel.prefix)
    if kernel.ours:
        kernel = provisioning.renewed(kernel, environment, progress)
    switch = move(
        True,
        kernel,
        environment.prefix,
        place,
        progress,
        drop=request.drop,
        carry=not request.leave,
    )
    data = UseData(environment=registry.describe(environment, kernel, place), switch=switch)
    changed = switch["how"] != How.ALREADY.value
    return Report("use", data, changed, first_look.of_environment(environment))


def _kernel(word: str, place: Place) -> Kernel:
    """The kernel for `word`. Raises when there is none, or an environment that has none yet."""
    named = None
    if not names.is_path(word):
        special = place.switch.named(word.lower()) if place.switch is not None else None
        named = special or kernelspecs.find(word)
    if named is not None:
        return named
    at = registry.existing(word, place)
    kernel = kernelspecs.of_prefix(at.prefix)
    if kernel is not None:
        return kernel
    environment = registry.environment_at(at.prefix)
    raise EnvmagicError(
        "not-registered",
        f"{display.user_path(environment.prefix)} is no kernel yet.",
        command=("attach", word),
        subject=word,
    )
