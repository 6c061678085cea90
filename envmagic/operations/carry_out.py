"""What the first cell of a notebook with its own environment does before it runs there."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import EnvSpec, Place, Progress, Report, Switch
from envmagic.core.names import normalized
from envmagic.core.schema import CreateData
from envmagic.core.verbs import CarryOutRequest, CreateRequest
from envmagic.environments import backends, changing, clearing, ownership, provisioning, registry
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.provisioning import Maker, Ready
from envmagic.environments.registry import Target
from envmagic.operations import create, own_kernel
from envmagic.operations.making_room import make_room
from envmagic.planning import consent, memory
from envmagic.planning.guessing import carrying
from envmagic.planning.guessing.guess import guess_of
from envmagic.planning.guessing.offers import WHEELS_ONLY
from envmagic.planning.plan import Kind, Plan, State
from envmagic.planning.planner import plan_of
from envmagic.record.need import Surroundings

__all__ = ["carry_out"]


def carry_out(request: CarryOutRequest, place: Place, progress: Progress) -> Report[CreateData]:
    """Make the environment of the plan, or what it lacks, and move the notebook there.

    Raises `EnvmagicError` where that cannot be done; a plan that `request.failed` knows is not
    tried again.
    """
    unsaved = (*place.cells, request.cell) if request.cell else place.cells
    plan = plan_of(place.notebook, place.directory, unsaved)
    key = hashlib.sha256(repr(plan).encode("utf-8", "surrogateescape")).hexdigest()
    if key in request.failed:
        raise _again(request.failed[key])
    if request.trust:
        consent.trust(plan.questions)
    else:
        _ask(plan)
    try:
        return _carried_out(plan, place, progress, unsaved)
    except EnvmagicError as error:
        request.failed[key] = error.problem
        raise


def _again(problem: Problem) -> EnvmagicError:
    """What went wrong before, said at once: nothing has changed that it could hang on."""
    helps = problem.command or problem.tool_command
    return EnvmagicError(
        problem.code,
        problem.message,
        problem.hint if helps else "To try again",
        command=problem.command if helps else ("sync",),
        tool_command=problem.tool_command,
        subject=problem.subject,
        detail=problem.detail,
    )


def _ask(plan: Plan) -> None:
    """Raises where something of `plan` has to be agreed to first."""
    if plan.questions:
        raise consent.refusal(plan.questions, "To agree and go on", ("sync", "--trust"))


def _carried_out(
    plan: Plan, place: Place, progress: Progress, unsaved: tuple[str, ...]
) -> Report[CreateData]:
    theirs = plan.declaration.as_it_is and not ownership.is_owned(plan.prefix)
    make_room(plan, place, theirs=theirs)
    if _is_guessed(plan):
        report, without = _guessed(plan, place, progress, unsaved)
    else:
        wanted = InstallPlan() if theirs else plan.declaration.wanted
        report, without = _provided(plan, wanted, place, progress), ()
    memory.carried_out(
        plan.prefix,
        plan.source.kind.value,
        str(plan.source.file or ""),
        memory.digest(plan.declaration.wanted, ""),
        plan.notebook,
        without=without,
    )
    if theirs and plan.lacking:
        return replace(report, problems=(*report.problems, own_kernel.lacks(plan)))
    return report


def _provided(
    plan: Plan, wanted: InstallPlan, place: Place, progress: Progress, make: Maker | None = None
) -> Report[CreateData]:
    """The environment with what is `wanted`; what `make` makes is recorded."""
    request = CreateRequest(
        target=str(plan.prefix),
        python=_python(plan),
        backend=None if plan.prefix.exists() else plan.declaration.backend,
    )
    at, notes = Target(plan.prefix, plan.name), _notes(plan)
    return create.provide(
        "%%env",
        request,
        at,
        wanted,
        place,
        progress,
        notes,
        make=make or provisioning.make,
        records=make is not None,
    )


def _guessed(
    plan: Plan, place: Place, progress: Progress, unsaved: tuple[str, ...]
) -> tuple[Report[CreateData], tuple[str, ...]]:
    """The environment with what is guessed, as far as it can be had, and the requirements that
    cannot."""
    guesser = _Guesser(plan, unsaved)
    if plan.state is not State.LACKING:
        report = _provided(plan, plan.declaration.wanted, place, progress, guesser)
        return _not_all(report, guesser.lacking, guesser.without), guesser.without
    before = memory.of_prefix(plan.prefix)
    without = before.without if before is not None else ()
    lines = (shlex.join(WHEELS_ONLY), *plan.lacking)
    more = InstallPlan(lines, directory=place.directory)
    try:
        return _provided(plan, more, place, progress, guesser), without
    except EnvmagicError as error:
        if error.problem.code != "install-failed":
            raise
        failed = _one_by_one(plan, place, progress)
        report = _provided(plan, InstallPlan(), place, progress, guesser)
        report = _not_all(report, tuple(failed.values()), tuple(failed))
        return report, tuple(sorted({*without, *failed}))


def _one_by_one(plan: Plan, place: Place, progress: Progress) -> dict[str, str]:
    """Install what `plan` lacks as far as it can be had; the requirements that cannot, and why."""
    failed = {}
    with clearing.locked(plan.prefix):
        there = backends.look(registry.environment_at(plan.prefix))
        for line in plan.lacking:
            wanted = InstallPlan((shlex.join(WHEELS_ONLY), line), directory=place.directory)
            try:
                there, _ = changing.install_checked(there, wanted, progress)
            except EnvmagicError as error:
                if error.problem.code != "install-failed":
                    raise
                failed[line] = error.problem.message
    return failed


def _not_all(
    report: Report[CreateData], texts: tuple[str, ...], without: tuple[str, ...]
) -> Report[CreateData]:
    """`report` with a warning for each sentence about what could not be had; the last says how the
    requirements that it is `without` may be had all the same: a person may let them be built."""
    problems = [Problem("not-all", text, severity=Severity.WARNING) for text in texts]
    if problems and without:
        hint, command = "To try to have it built from source", ("install", *without)
        problems[-1] = replace(problems[-1], hint=hint, command=command)
    return replace(report, problems=(*report.problems, *problems))


def _is_guessed(plan: Plan) -> bool:
    return plan.source.kind is Kind.IMPORTS and plan.notebook is not None


def _python(plan: Plan) -> str | None:
    """The Python to make it from; None where it is there, or its backend brings its own."""
    if plan.state in (State.READY, State.LACKING) or plan.python.executable is None:
        return None
    brings_its_own = plan.source.kind is Kind.CONDA
    return None if brings_its_own else plan.python.version


def _notes(plan: Plan) -> list[str]:
    kind = plan.source.kind
    if kind is Kind.IMPORTS:
        notes = ["Nothing here declares an environment: it has what the notebook imports."]
    else:
        notes = [f"Declared by {_said(plan)}."]
    passed = (f"{display.user_path(p.file)} was passed over: {p.reason}." for p in plan.passed_over)
    return [*notes, *passed]


def _said(plan: Plan) -> str:
    """What declares it, as a person at the notebook names it."""
    file, notebook = plan.source.file, plan.notebook
    if notebook is None or file is None or file.parent != notebook.parent:
        return str(plan.source)
    return f"cell {plan.source.cell}" if file == notebook else file.name


@dataclass
class _Guesser:
    """Makes the environment that is guessed, and keeps what could not be had."""

    plan: Plan
    unsaved: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    """A sentence each."""
    without: tuple[str, ...] = field(default=())
    """Requirements that were wanted and are not in it."""

    def __call__(
        self, spec: EnvSpec, wanted: InstallPlan, progress: Progress, switch: Switch | None
    ) -> Ready:
        notebook = self.plan.notebook
        assert notebook is not None
        saved = notebook.is_file() and notebook.stat().st_size > 0
        guess = guess_of(notebook, Surroundings(cells=self.unsaved, saved=saved, thorough=False))
        carried = carrying.carry_out(guess, spec, progress, switch=switch)
        self.lacking = carried.lacking
        held = {normalized(Requirement(text).name) for text in carried.requirements}
        self.without = tuple(w.requirement for w in guess.wishes if w.name not in held)
        return replace(carried.ready, notes=(*carried.ready.notes, *carried.chosen))
