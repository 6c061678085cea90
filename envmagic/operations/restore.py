"""`restore`: the environment that a notebook had, as exactly as it can be had again."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment, EnvSpec, Place, Progress, Report, Switch
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import (
    Change,
    CreateData,
    EnvironmentData,
    InsteadData,
    RestoreData,
)
from envmagic.core.verbs import CreateRequest, RestoreRequest
from envmagic.environments import backends, clearing, journal, provisioning, registry
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.environments.provisioning import Ready
from envmagic.environments.registry import Target
from envmagic.jupyter import kernelspecs, notebook_file
from envmagic.operations import anew, at_prefix, create, jupyters_own
from envmagic.operations.restore_report import against, besides, told, unread
from envmagic.operations.restoring import Restoring
from envmagic.operations.upgrading.limits import Limits
from envmagic.planning import cells as in_cells
from envmagic.planning import past as pasts
from envmagic.planning.locked import Locked, locked_in
from envmagic.planning.past import How, Past
from envmagic.record import recorded_with
from envmagic.system import directories

__all__ = ["restore"]


def restore(request: RestoreRequest, place: Place, progress: Progress) -> Report[RestoreData]:
    """Make the environment that the notebook had, or bring the one that is there to it.

    From a lock with its hashes, else in the recorded versions, else as of a date. What could not be
    had exactly is in the answer. Raises `EnvmagicError`; nothing has changed then.
    """
    as_of = pasts.date_of(request.as_of) if request.as_of is not None else None
    asked, place = place, _meant(request, place)
    past = pasts.past_of(place.notebook, place.directory, place.cells, as_of)
    if not past.wanted:
        raise _nothing(past, place)
    at = _where(request, asked, place)
    if journal.unfinished_at(at.prefix) is not None and not request.dry_run:
        with clearing.locked(at.prefix):  # which settles what was cut off
            pass
    there = _there(at, request, place)
    python, other = _python(request, past, place, there)
    past = _within_cells(past, place, python.version)
    job = Restoring(past, python, _locked(past, python.version))
    if request.dry_run:
        return _planned(job, at, place, there, other)
    wish = CreateRequest(
        str(at.prefix),
        python=request.python if there is not None else python.version or None,
        backend=past.declaration.backend if there is None else None,
        trust=request.trust,
    )

    def do(plan: InstallPlan) -> Report[CreateData]:
        def make(spec: EnvSpec, _: InstallPlan, progress: Progress, switch: Switch | None) -> Ready:
            return provisioning.make(spec, plan, progress, switch)

        return create.provide(
            "restore", wish, at, plan, place, progress, [], make=make, records=False, held=False
        )

    made = job.carried_out(do)
    if place.notebook is not None and recorded_with.is_of(place.notebook, at.prefix) is None:
        recorded_with.note(place.notebook, at.prefix)  # it was made for that, moved there or not
    held = backends.look(registry.environment_at(at.prefix)).versions
    data = RestoreData(**made.data)  # type: ignore[typeddict-item]
    data |= told(job, held, other)
    data["notes"] = [*data["notes"], *besides(job, place, there)]
    # a lock is not to be made from what was restored: that may be of another day or Python
    others = [p for p in made.problems if p.code != "lock-behind"]
    return Report("restore", data, made.changed, (*others, *against(job, place)))


def _meant(request: RestoreRequest, place: Place) -> Place:
    """The place of the notebook that is named; nothing moves where that is another one."""
    if request.notebook is None:
        return place
    path = Path(place.directory, Path(request.notebook).expanduser()).absolute()
    if not path.is_file():
        shown = display.quoted(request.notebook)
        raise WordsError("no-notebook", f"There is no notebook {shown}.", subject=str(path))
    if path == place.notebook:
        return place
    kernel = notebook_file.read(path).kernel
    prefix = registry.environment_of(kernel, path.parent)
    return Place(place.frontend, path.parent, path, prefix, kernel)


def _nothing(past: Past, place: Place) -> EnvmagicError:
    what = display.display(place.notebook or place.directory)
    return EnvmagicError(
        "nothing-to-restore",
        f"Nothing says what {what} had: no lock, no {REQUIREMENTS}, and no import."
        + "".join(f" {note}" for note in unread(past, place)),
        "To make an environment all the same",
        command=("create",),
        subject=str(place.notebook or place.directory),
    )


def _where(request: RestoreRequest, asked: Place, place: Place) -> Target:
    """The environment that is named, that the notebook says, else `.venv` beside it."""
    if request.target is not None:
        return registry.target(request.target, asked)
    beside = registry.target(None, place)
    notebook = place.notebook
    cells = notebook_file.read(notebook).cells if notebook and _is_saved(notebook) else ()
    said = in_cells.of_magic(notebook, cells, place.directory)
    if said is not None and said.prefix is not None:
        return Target(said.prefix, said.name)
    own = kernelspecs.of_prefix(place.prefix) if place.prefix is not None else None
    if own is not None and place.prefix is not None:
        return Target(place.prefix, own.name)
    return _of_a_kernel_that_is_not_here(place, beside) or beside


def _of_a_kernel_that_is_not_here(place: Place, beside: Target) -> Target | None:
    """One called as the kernel that the notebook was saved with elsewhere: it opens with that."""
    if not _is_saved(place.notebook) or place.notebook is None:
        return None
    file = notebook_file.read(place.notebook)
    name = file.kernel
    if not name or file.language != "python" or kernelspecs.find(name) is not None:
        return None
    with contextlib.suppress(WordsError):
        if names.validate(name) == name and name != beside.name:
            return Target(directories.envs() / name, name)
    return None


def _is_saved(notebook: Path | None) -> bool:
    return notebook is not None and notebook.is_file() and notebook.stat().st_size > 0


def _there(at: Target, request: RestoreRequest, place: Place) -> Inventory | None:
    """What is in the environment that is to be restored; None where it is to be made."""
    if at_prefix.is_vacant(at.prefix) or anew.has_lost_its_python(at.prefix):
        return None
    environment = at_prefix.present(at.prefix, CreateRequest(str(at.prefix)))
    _refuse_other_python(environment, at, request)
    there = backends.look(environment)
    if not request.here:
        here = ("restore", "--here", *([request.target] if request.target else ()))
        jupyters_own.refuse(there.environment, place, here, ())
    return there


def _refuse_other_python(environment: Environment, at: Target, request: RestoreRequest) -> None:
    """What is there stays on its Python."""
    wanted = request.python
    if wanted is None or backends.of(environment).has_python(environment, wanted):
        return
    notebook = (request.notebook,) if request.notebook is not None else ()
    raise EnvmagicError(
        "other-python",
        f"{display.user_path(at.prefix)} has Python {environment.version}, not {wanted}.",
        "To have one on that beside it",
        subject=str(at.prefix),
        command=("restore", *notebook, names.suggest(f"{at.name}-{wanted}"), "--python", wanted),
    )


def _python(
    request: RestoreRequest, past: Past, place: Place, there: Inventory | None
) -> tuple[Python, list[InsteadData]]:
    """The Python to restore it on, and what is said where it had another."""
    if there is not None:
        environment = there.environment
        return Python(environment.python, environment.version), []
    if past.declaration.backend is not None:  # it brings its own
        return Python(Path(), request.python or ""), []
    if request.python is not None:
        found = backends.choose(None).python(EnvSpec(Path(), "", request.python))
        return Python(found.executable, found.version), []
    chosen, other = pasts.python_of(past, place.notebook, place.directory)
    assert chosen.executable is not None
    told = []
    if other is not None:
        why = f"{other.source} asks for it, and there is none here"
        told = [InsteadData(name="python", was=other.text, taken=chosen.version, why=why)]
    return Python(chosen.executable, chosen.version), told


def _within_cells(past: Past, place: Place, version: str) -> Past:
    """As of a date, the versions that cells ask for count as the user's own lines do."""
    if past.how is not How.DATE or not version:
        return past
    wanted, limits = past.declaration.wanted, Limits.of_cells(place, version).lines
    texts = [limit.constraint for limit in limits if limit.requirement.specifier]
    wanted = replace(wanted, constraints=tuple(dict.fromkeys((*wanted.constraints, *texts))))
    return replace(past, declaration=replace(past.declaration, wanted=wanted))


def _locked(past: Past, version: str) -> Locked | None:
    file = past.declaration.source.file
    if past.how is not How.LOCK or past.declaration.pinned is not None or file is None:
        return None
    return locked_in(file, version)


def _planned(
    job: Restoring,
    at: Target,
    place: Place,
    there: Inventory | None,
    other: list[InsteadData],
) -> Report[RestoreData]:
    """What would be done; nothing is."""
    planned = job.planned()
    held = there.versions if there is not None else {}
    data = told(job, planned, other)
    data["dry_run"] = True
    data["environment"] = EnvironmentData(
        name=at.name, prefix=str(at.prefix), python=job.python.version, kernel=None
    )
    data["action"] = "reused" if there is not None else "created"
    data["planned"] = [
        Change(name=n, version=v, action="kept" if held.get(n) == v else "installed")
        for n, v in sorted(planned.items())
    ]
    data["notes"] = besides(job, place, there)
    return Report("restore", data, problems=tuple(against(job, place)))
