"""What `restore` says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import InsteadData, RestoreData, RestoredFrom
from envmagic.frontends.render import verbs
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import count, made_of, near, path

__all__ = ["restore"]


def restore(report: Report[RestoreData], frontend: Frontend | None) -> tuple[Part, ...]:
    """What it was restored from, and a table of what is otherwise."""
    data = report.data
    otherwise = _otherwise(data.get("instead", []))
    if data["dry_run"]:
        return (*_plan(data), *otherwise)
    shown = Report("create", data, report.changed)
    first, facts, *rest = verbs.create(shown, frontend)
    assert isinstance(first, Line) and isinstance(facts, Facts)
    name, of = data["environment"]["name"], made_of(data["environment"])
    seconds = f" in {data['seconds']:.1f} s" if data.get("seconds") else ""
    head = f"Restored {name} ({of}){seconds}" if report.changed else f"{name} is as it was ({of})"
    rows = (Fact("From", _source(data["source"])), *facts.rows)
    return (replace(first, text=head), Facts(rows), *otherwise, *rest)


def _plan(data: RestoreData) -> tuple[Part, ...]:
    environment = data["environment"]
    does = "made" if data["action"] == "created" else "brought to what it was"
    version = f" (Python {environment['python']})" if environment["python"] else ""
    changed = [each for each in data["planned"] if each["action"] != "kept"]
    head = f"{environment['name']}{version} would be {does}:"
    if not changed and data["action"] != "created":
        head = f"{environment['name']}{version} has all that it had; nothing would change."
    facts = (
        Fact("From", _source(data["source"])),
        Fact("Where", path(environment["prefix"])),
        *((Fact("To install", count(len(changed), "distribution")),) if changed else ()),
    )
    rows = tuple(
        Row((each["name"], each["version"] or "–", each["action"]), dim=each["action"] == "kept")
        for each in data["planned"]
    )
    table = (Table(("Distribution", "Version", ""), rows),) if rows else ()
    notes = (Line(note, tone=Tone.INFO) for note in data.get("notes", []))
    return (Line(head, tone=Tone.INFO), Facts(facts), *table, *notes)


def _source(source: RestoredFrom) -> str:
    file = near(source["file"]) if source["file"] else "what is imported"
    if source["kind"] == "lock":
        return f"{file}, hashes checked"
    if source["kind"] == "pins":
        return f"the versions in {file}"
    why = f": {source['why']}" if source["why"] else ""
    return f"{file}, as of {_moment(source['date'])}{why}"


def _moment(text: str) -> str:
    """A day where all of it counts, else the minute."""
    moment = datetime.fromisoformat(text).astimezone(timezone.utc)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return (moment - timedelta(days=1)).strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _otherwise(instead: list[InsteadData]) -> tuple[Part, ...]:
    if not instead:
        return ()
    rows = tuple(
        Row((each["name"], each["was"], each["taken"] or "nothing", each["why"]))
        for each in instead
    )
    head = Line(f"Not exactly as it was: {count(len(instead), 'difference')}.", tone=Tone.WARN)
    return (head, Table(("", "Was", "Taken", "Why"), rows))
