"""What the first cell of a notebook with its own environment does before it runs there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import EnvSpec, Place, Progress, Report, Switch
from envmagic.core.names import normalized
from envmagic.core.schema import CreateData
from envmagic.core.verbs import CarryOutRequest, CreateRequest
from envmagic.environments import ownership, provisioning
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.provisioning import Ready
from envmagic.environments.registry import Target
from envmagic.operations import create, own_kernel, remove
from envmagic.planning import consent, memory
from envmagic.planning.guessing import carrying
from envmagic.planning.guessing.guess import guess_of
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
    if not plan.questions:
        return
    first, more = plan.questions[0], len(plan.questions) - 1
    others = f", and {more} more lines do" if more > 1 else ", and one more line does" * more
    raise EnvmagicError(
        "not-trusted",
        f"{first.line!r} in {first.source} reaches beyond your package index ({first.reason})"
        f"{others}. Nothing was installed.",
        "To agree and go on",
        subject=first.line,
        command=("sync", "--trust"),
    )


def _carried_out(
    plan: Plan, place: Place, progress: Progress, unsaved: tuple[str, ...]
) -> Report[CreateData]:
    declaration = plan.declaration
    theirs = declaration.as_it_is and not ownership.is_owned(plan.prefix)
    guesser = _Guesser(plan, unsaved) if _is_guessed(plan) else None
    if plan.state is State.BROKEN:
        _clear_away(plan, place, theirs=theirs)
    request = CreateRequest(
        target=str(plan.prefix),
        python=_python(plan),
        backend=None if plan.prefix.exists() else declaration.backend,
    )
    report = create.provide(
        "%%env",
        request,
        Target(plan.prefix, plan.name),
        InstallPlan() if theirs else declaration.wanted,
        place,
        progress,
        _notes(plan),
        make=guesser or create.make,
        records=guesser is not None,
    )
    memory.carried_out(
        plan.prefix,
        plan.source.kind.value,
        str(plan.source.file or ""),
        memory.digest(declaration.wanted, ""),
        plan.notebook,
        without=guesser.without if guesser else (),
    )
    problems = [_warning("not-all", text) for text in (guesser.lacking if guesser else ())]
    if theirs and plan.lacking:
        problems.append(own_kernel.lacks(plan))
    return replace(report, problems=(*report.problems, *problems))


def _is_guessed(plan: Plan) -> bool:
    return plan.source.kind is Kind.IMPORTS and plan.notebook is not None


def _clear_away(plan: Plan, place: Place, *, theirs: bool) -> None:
    """Make room for the environment that is made anew. Raises where it is not ours to do."""
    with provisioning.locked(plan.prefix):
        pass  # what was cut off is brought to an end
    if not plan.prefix.exists():
        return
    if theirs or not ownership.is_owned(plan.prefix):
        raise EnvmagicError(
            "broken",
            f"{plan.problem} envmagic did not make it, so it was left alone.",
            "Make it anew with the tool that made it.",
            subject=str(plan.prefix),
        )
    remove.take_away(plan.prefix, place)


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


def _warning(code: str, text: str) -> Problem:
    return Problem(code, text, severity=Severity.WARNING)


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
