"""What `plan` says."""

from __future__ import annotations

from pathlib import PurePath

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import PlanData, SourceData
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Tone
from envmagic.frontends.render.phrases import joined, near, path

__all__ = ["plan"]

_MANY = 8


def plan(report: Report[PlanData], frontend: Frontend | None) -> tuple[Part, ...]:
    """Which environment, from what, and what carrying it out would do."""
    data = report.data
    version = data["python"]["version"]
    rows = [
        Fact("Declared by", _declared_by(data["source"])),
        Fact("Where", path(data["prefix"])),
        Fact("Python", f"{version}: {data['python']['why']}"),
    ]
    if data["lacking"]:
        rows.append(_lacking(data["lacking"]))
    if data["unresolved"]:
        rows.append(Fact("Unresolved", joined(data["unresolved"], _MANY)))
    rows += [Fact("Asks first", f"{q['line']}: {q['why']}") for q in data["questions"]]
    rows += [Fact("Passed over", f"{near(p['file'])}: {p['why']}") for p in data["passed_over"]]
    return (_head(data), Facts(tuple(rows)))


def _head(data: PlanData) -> Line:
    what = PurePath(data["notebook"]).name if data["notebook"] else "This session"
    name = data["name"]
    if data["state"] == "ready":
        return Line(f"{what} runs in {name}, which has all that is asked for", tone=Tone.GOOD)
    if data["state"] == "broken":
        return Line(f"{what} runs in {name}, which is broken: {data['problem']}", tone=Tone.BAD)
    if data["source"]["kind"] == "environment" and data["state"] == "lacking":
        return Line(f"{what} runs in {name} as it is", tone=Tone.INFO)
    does = "lacks some of what is asked for" if data["state"] == "lacking" else "is not there yet"
    return Line(f"{what} would run in {name}, which {does}", tone=Tone.INFO)


def _declared_by(source: SourceData) -> str:
    if source["kind"] == "imports":
        return "what it imports" if source["file"] else "nothing"
    where = near(source["file"] or "")
    if source["cell"]:
        where = f"cell {source['cell']}"
    return f"{where}, line {source['line']}" if source["line"] else where


def _lacking(lines: list[str]) -> Fact:
    if len(lines) <= _MANY:
        return Fact("To install", joined(lines, _MANY))
    return Fact("To install", joined(lines, _MANY - 2), folded=", ".join(lines[_MANY - 2 :]))
