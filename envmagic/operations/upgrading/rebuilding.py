"""An environment of ours on another Python: made beside, tried, and then put in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment, EnvSpec, Kernel, Place, Progress
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments import backends, beside, clearing, history, ownership
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.environments.running import pids_in
from envmagic.jupyter import kernelspecs
from envmagic.operations.upgrading.limits import notebooks_of
from envmagic.operations.upgrading.outlook import Outlook
from envmagic.operations.upgrading.resolving import Asked
from envmagic.planning.guessing import trial
from envmagic.planning.guessing.guess import guess_of
from envmagic.planning.guessing.trial import Failure
from envmagic.record.need import Surroundings

__all__ = ["Rebuilt", "check", "looked", "python_of", "rebuilt"]


@dataclass(frozen=True)
class Rebuilt:
    """What came of it."""

    outlook: Outlook
    there: Inventory
    kernel: Kernel
    notes: tuple[str, ...] = ()


def python_of(environment: Environment, wanted: str) -> Python:
    """The Python that is `wanted`. Raises as `pythons.find`, and where it is the same."""
    spec = EnvSpec(environment.prefix, "", wanted, environment.backend)
    python = backends.of(environment).python(spec)
    if python.version == environment.version:
        raise WordsError(
            "other-python",
            f"{display.user_path(environment.prefix)} has Python {python.version} already.",
            "To take newer packages on it",
            command=("upgrade",),
            subject=wanted,
        )
    return python


def check(environment: Environment, wanted: str, place: Place) -> None:
    """Raise `EnvmagicError` where the environment cannot be exchanged: it is not ours, holds what
    is the user's, or another process runs in it."""
    prefix = environment.prefix
    if not environment.owned or prefix.is_symlink():
        own = names.suggest(f"{names.kernel_name_of(prefix)}-{wanted}")
        listed = ("-r", REQUIREMENTS) if (place.directory / REQUIREMENTS).is_file() else ()
        raise EnvmagicError(
            "not-ours",
            f"envmagic did not make {display.user_path(prefix)}, so it is not made anew.",
            "To make one of your own",
            command=("create", own, "--python", wanted, *listed),
            subject=str(prefix),
        )
    ownership.check(prefix, clearing.written_in(prefix))
    pids = pids_in(prefix)
    if pids:
        raise EnvmagicError(
            "in-use",
            f"Another process runs in {display.user_path(prefix)} (pid {pids[0]}).",
            "Shut its kernel down first.",
            subject=str(prefix),
        )


def looked(asked: Asked, progress: Progress) -> Outlook:
    """What goes together on the other Python: wheels alone, else also what has to be built."""
    try:
        return Outlook.of(replace(asked, wheels_only=True), progress)
    except EnvmagicError as error:
        if error.problem.code != "install-failed":
            raise
        return Outlook.of(asked, progress)


def rebuilt(asked: Asked, python: str, place: Place, progress: Progress) -> Rebuilt:
    """Make the environment anew on `python` and put it in the place of the old one, when its kernel
    starts and every import of the notebook works that does now.

    The versions that are there stay where they can; where an import fails with them the newest are
    tried. Raises `EnvmagicError` with the old environment as it was. The caller holds its lock.
    """
    failed: list[Failure] = []
    for attempt in (asked, replace(asked, others_stay=False)):
        outlook = looked(attempt, progress)
        spec = _spec(asked.there.environment, python)
        with beside.made(spec, _plan(outlook), progress) as new:
            progress.step(f"Trying it with Python {asked.version}")
            new.start()
            failed = list(_failing(new.there, asked.there, place))
            if failed:
                continue
            with new.in_place(progress) as (environment, kernel):
                there = backends.look(environment)
                was = asked.there.environment.version
                history.changed(spec.prefix, "", python=(was, environment.version))
            return Rebuilt(outlook, there, kernel, new.notes)
    more = f" {len(failed) - 1} more imports fail." if len(failed) > 1 else ""
    raise EnvmagicError(
        "import-fails",
        f"With Python {asked.version}, {failed[0]}.{more}"
        f" {display.user_path(asked.there.environment.prefix)} is as it was.",
        "Change that import, or stay with this Python.",
        subject=failed[0].asked.module,
    )


def _spec(environment: Environment, python: str) -> EnvSpec:
    kernel = kernelspecs.of_prefix(environment.prefix)
    name = kernel.name if kernel is not None else names.kernel_name_of(environment.prefix)
    return EnvSpec(environment.prefix, name, python, environment.backend)


def _plan(outlook: Outlook) -> InstallPlan:
    """All of it, nothing besides."""
    asked = outlook.asked
    lines = [f"{n}=={v}" for n, v in sorted(outlook.fits.items()) if n not in asked.sources]
    return InstallPlan(
        (*lines, *asked.sources.values()),
        directory=asked.directory,
        alone=True,
        finding=asked.finding,
    )


def _failing(new: Inventory, old: Inventory, place: Place) -> Iterator[Failure]:
    """The imports of the notebooks that work in the `old` environment and not in the `new` one,
    each run in a fresh process."""
    for notebook in notebooks_of(place):
        cells = place.cells if notebook == place.notebook else ()
        sources = Surroundings(cells=cells, saved=notebook.is_file(), thorough=False)
        imports = guess_of(notebook, sources).imports
        failures = trial.tried(_python(new), notebook.parent, imports)
        asked = [failure.asked for failure in failures]
        before = {f.asked for f in trial.tried(_python(old), notebook.parent, asked)}
        yield from (failure for failure in failures if failure.asked not in before)


def _python(there: Inventory) -> Path:
    return there.environment.python
