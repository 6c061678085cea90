"""`plan`: which environment a notebook would run in by itself, from what it and its place say."""

from __future__ import annotations

from pathlib import Path

from envmagic.core.errors import WordsError
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import (
    PassedOverData,
    PlanData,
    PlannedPythonData,
    QuestionData,
    SourceData,
)
from envmagic.core.verbs import PlanRequest
from envmagic.planning.plan import Plan, Source
from envmagic.planning.planner import plan_of

__all__ = ["data_of", "plan"]


def plan(request: PlanRequest, place: Place, progress: Progress) -> Report[PlanData]:
    """Show the plan of the notebook at `place`, or of the one that is named."""
    named = _named(request.notebook, place)
    if named is not None and named != place.notebook:
        return Report("plan", data_of(plan_of(named, named.parent)))
    return Report("plan", data_of(plan_of(place.notebook, place.directory, place.cells)))


def _named(word: str | None, place: Place) -> Path | None:
    if word is None:
        return place.notebook
    path = Path(place.directory, Path(word).expanduser()).absolute()
    if not path.is_file():
        raise WordsError("no-notebook", f"There is no notebook {word}.", subject=str(path))
    return path


def data_of(found: Plan) -> PlanData:
    """`found` as `--json` has it."""
    return PlanData(
        notebook=str(found.notebook) if found.notebook is not None else None,
        source=_source(found.source),
        name=found.name,
        prefix=str(found.prefix),
        state=found.state.value,
        python=PlannedPythonData(version=found.python.version, why=found.python.why),
        lacking=list(found.lacking),
        unresolved=list(found.declaration.unresolved),
        questions=[
            QuestionData(line=q.line, why=q.reason, source=_source(q.source))
            for q in found.questions
        ],
        passed_over=[PassedOverData(file=str(p.file), why=p.reason) for p in found.passed_over],
        problem=found.problem,
    )


def _source(source: Source) -> SourceData:
    return SourceData(
        kind=source.kind.value,
        file=str(source.file) if source.file is not None else None,
        cell=source.cell,
        line=source.line,
    )
