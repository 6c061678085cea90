"""What each verb's report says, as parts; pure functions of the verb's `data`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Frontend, Report
from envmagic.core.schema import (
    CreateData,
    InstallData,
    ProjectData,
    RemoveData,
    SwitchData,
    UseData,
)
from envmagic.frontends.grammar.table import VERBS
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Tone
from envmagic.frontends.render.phrases import (
    changes_line,
    file_size,
    joined,
    made_of,
    near,
    packages_fact,
    path,
)
from envmagic.frontends.render.record import record_fact
from envmagic.frontends.render.remedy import hint_of

__all__ = [
    "Renderer",
    "create",
    "install",
    "parts",
    "remove",
    "restart_lines",
    "switch_lines",
    "use",
]

Renderer = Callable[[Report[Any], Frontend | None], tuple[Part, ...]]
"""Says what became of one verb, without its problems."""

_TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.INFO}


def parts(report: Report[Any], frontend: Frontend | None = None) -> tuple[Part, ...]:
    """Everything `report` has to say: what its verb says, then its problems."""
    verb = VERBS["create" if report.verb == "%%env" else report.verb]
    module, _, name = verb.shows.partition(".")
    show: Renderer = getattr(import_module(f"envmagic.frontends.render.{module}"), name)
    said = show(report, frontend)
    return (*said, *(_problem(p, frontend) for p in report.problems))


def _problem(problem: Problem, frontend: Frontend | None) -> Line:
    hint = hint_of(problem, frontend)
    return Line(problem.message, hint, _TONES[problem.severity], problem.command)


def create(report: Report[CreateData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    environment = data["environment"]
    rows = [Fact("Where", path(environment["prefix"]))]
    rows += [packages_fact(data["changes"])] if data.get("changes") else []
    kernel = environment.get("kernel")
    rows += [Fact("Kernel", kernel)] if kernel else []
    record = data.get("record")
    rows += [Fact("Record", record_fact(record))] if record else []
    return (
        Line(_headline(report, data), tone=Tone.GOOD),
        Facts(tuple(rows)),
        *(Line(note, tone=Tone.INFO) for note in data.get("notes", [])),
        *restart_lines(data.get("restart", [])),
        # a terminal runs no notebook
        *(switch_lines(data.get("switch")) if frontend is not Frontend.TERMINAL else ()),
    )


def _headline(report: Report[CreateData], data: CreateData) -> str:
    environment = data["environment"]
    name, of = environment["name"], made_of(environment)
    has_all = f"{name} has everything that is asked for ({of})"
    if not report.changed:
        return has_all
    if data["action"] == "reused" and not data.get("changes"):
        return f"{has_all}; the record was written"
    verb = {"created": "Created", "attached": "Attached", "reused": "Updated"}[data["action"]]
    seconds = data.get("seconds")
    return f"{verb} {name} ({of})" + (f" in {seconds:.1f} s" if seconds else "")


def switch_lines(switch: SwitchData | None) -> tuple[Line, ...]:
    """What became of the notebook; nothing when it was not to move."""
    if switch is None or switch["how"] == "none":
        return ()
    kernel = switch["kernel"]
    if switch["how"] == "already":
        return (Line(f"This notebook runs in {kernel}.", switch["hint"], Tone.INFO),)
    if switch["how"] == "pick":
        return (Line(switch["message"], switch["hint"], Tone.WARN),)
    here = f"This notebook runs in {kernel} now."
    if switch["how"] == "session":
        here = f"This notebook is moving to {kernel}."
    rest = f"{switch['message']} {switch['hint']}".strip()
    return (Line(here, rest, Tone.GOOD),)


def use(report: Report[UseData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    lines = switch_lines(data["switch"])
    environment = data.get("environment")
    if environment is None or data["switch"]["how"] == "pick":
        return lines
    return (
        *lines,
        Facts((Fact("Where", path(environment["prefix"]), below=made_of(environment)),)),
    )


def install(report: Report[InstallData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    name = data["environment"]["name"]
    changes = data.get("changes", [])
    nothing = {
        "install": f"{name} has all of that already",
        "uninstall": f"{name} has none of that",
        "sync": f"{name} has everything the requirements ask for",
    }
    if not changes:
        head = Line(nothing[report.verb], tone=Tone.GOOD)
    else:
        done = "Removed from" if report.verb == "uninstall" else "Installed into"
        head = Line(f"{done} {name}: {changes_line(changes)}", tone=Tone.GOOD)
    record, project = data.get("record"), data.get("project")
    rows = [Fact("Project", _project(report.verb, project))] if project else []
    rows += [Fact("Record", record_fact(record))] if record else []
    return (
        head,
        *((Facts(tuple(rows)),) if rows else ()),
        *(Line(note, tone=Tone.INFO) for note in data.get("notes", [])),
        *restart_lines(data.get("restart", [])),
    )


def _project(verb: str, project: ProjectData) -> str:
    """What its tool did to the project's file."""
    tool, file = project["tool"], near(project["file"])
    if not project["changed"]:
        return f"{file} is as it was ({tool})"
    done, way = ("added", "to") if verb == "install" else ("removed", "from")
    return f"{done} with {tool} {way} {file}"


def restart_lines(modules: list[str]) -> tuple[Line, ...]:
    if not modules:
        return ()
    was = "was" if len(modules) == 1 else "were"
    text = f"{joined(modules, 6)} {was} imported before and changed on disk."
    return (Line(text, "Restart the kernel to use what is installed now.", Tone.WARN),)


def remove(report: Report[RemoveData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    done, kernel, prefix = data.get("done"), data.get("kernel"), data.get("prefix")
    head = Line("Removed", tone=Tone.GOOD) if done else Line("This would go:", tone=Tone.INFO)
    rows = [Fact("Kernel", kernel)] if kernel else []
    if prefix and data.get("delete"):
        size = f" ({file_size(data['size'])})" if data.get("size") else ""
        rows.append(Fact("Environment", f"{path(prefix)}{size}"))
    elif prefix:
        rows.append(Fact("Stays", path(prefix)))
    return (head, Facts(tuple(rows)))
