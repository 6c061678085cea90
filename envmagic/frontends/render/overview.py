"""What `list`, `status` and `doctor` say."""

from __future__ import annotations

from pathlib import PurePath

from envmagic.core.errors import Severity
from envmagic.core.model import Frontend, Report
from envmagic.core.schema import (
    AutoloadData,
    DoctorData,
    EnvironmentData,
    IndexData,
    ListData,
    RuntimeData,
    SleepingData,
    StatusData,
)
from envmagic.frontends.render.found import merely_found
from envmagic.frontends.render.parts import Code, Fact, Facts, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import count, file_size, joined, made_of, path
from envmagic.frontends.render.record import record_fact

__all__ = ["autoload", "doctor", "list_all", "status"]

_INDEXES = {
    "index-url": "Index",
    "extra-index-url": "Index, besides",
    "find-links": "Packages in",
    "no-index": "Other indexes",
}


def list_all(report: Report[ListData], frontend: Frontend | None) -> tuple[Part, ...]:
    """All environments in one table, those merely found and the other kernels in one each."""
    data = report.data
    kernels = data["kernels"]
    found = [e for e in data["environments"] if e.get("found") and not e.get("current")]
    environments = [e for e in data["environments"] if e not in found]
    said: list[Part] = []
    if environments:
        said.append(_environments(environments))
        said += [
            Line(f"{e['name']}: {e['problem']}", tone=Tone.WARN)
            for e in environments
            if e.get("problem")
        ]
    elif not found:
        none = "There are no environments yet."
        said.append(Line(none, "To make one", Tone.INFO, ("create",)))
    said += merely_found(found, every=data.get("all", False))
    if kernels:
        rows = tuple(
            Row((k["name"], k["display_name"], k["language"], path(k["directory"])))
            for k in kernels
        )
        head = ("Name", "Shown as", "Language", "Where")
        said.append(Table(head, rows, "Other kernels", code=(3,)))
    if data["runtimes"]:
        rows = tuple(
            Row((r["python"], _for(r), file_size(r["size"]), path(r["directory"])))
            for r in data["runtimes"]
        )
        head = ("Python", "For", "Size", "Where")
        said.append(Table(head, rows, "What kernels consist of", (3,), (2,)))
    return tuple(said)


def _for(runtime: RuntimeData) -> str:
    return "all environments" if runtime["shared"] else "those with other versions"


def _environments(environments: list[EnvironmentData]) -> Table:
    sized = any(e.get("size") is not None for e in environments)
    head = ("Name", "Python", "Made by", "Kernel", *(("Size",) if sized else ()), "Where")
    rows = []
    for environment in environments:
        size = environment.get("size")
        cells = (
            environment["name"],
            environment.get("python") or "?",
            _made_by(environment),
            environment.get("kernel") or "–",
            *((file_size(size) if size is not None else "–",) if sized else ()),
            path(environment["prefix"]),
        )
        rows.append(Row(cells, bool(environment.get("current")), dim=not environment.get("kernel")))
    where = len(head) - 1
    return Table(head, tuple(rows), "Environments", (where,), (4,) if sized else ())


def _made_by(environment: EnvironmentData) -> str:
    backend = str(environment.get("backend") or "?")
    attached = environment.get("kernel") and not environment.get("owned")
    notebooks = environment.get("notebooks", [])
    said = [backend, *(["attached"] if attached else [])]
    if notebooks:
        one = PurePath(notebooks[0]).name
        said.append(f"for {one if len(notebooks) == 1 else count(len(notebooks), 'notebook')}")
    return ", ".join(said)


def status(report: Report[StatusData], frontend: Frontend | None) -> tuple[Part, ...]:
    """This notebook at a glance; in a terminal that names none, the directory."""
    data, terminal = report.data, frontend is Frontend.TERMINAL
    notebook, environment, record = (
        data.get("notebook"),
        data.get("environment"),
        data.get("record"),
    )
    unknown = "none" if terminal else "not known"
    rows = [] if terminal and not notebook else [Fact("Notebook", path(notebook or unknown))]
    if environment:
        packages = environment.get("packages")
        known = f", {count(packages, 'package')}" if packages is not None else ""
        what = f"{environment['name']} ({made_of(environment)}{known})"
        rows.append(Fact("Environment", what, below=path(environment["prefix"])))
    declared = data.get("declared")
    if declared is not None:
        by = "its imports" if declared["kind"] == "imports" else path(declared["file"] or "")
        rows.append(Fact("Declared by", by))
    rows.append(Fact("Kernel", data.get("kernel") or unknown))
    rows.append(Fact("Record", record_fact(record) if record else "none"))
    rows += [_sleeper(sleeper) for sleeper in data.get("asleep", [])]
    return (_status_line(data, terminal=terminal), Facts(tuple(rows)))


def _status_line(data: StatusData, *, terminal: bool) -> Line:
    environment = data.get("environment")
    notebook = data.get("notebook")
    what = PurePath(notebook).name if notebook else "This session"
    if environment is None:
        none = f"{what} runs in no environment of its own."
        return Line(none, "To make one", Tone.INFO, ("create",))
    if environment.get("problem"):
        return Line(f"{environment['name']}: {environment['problem']}", tone=Tone.BAD)
    if terminal and not notebook:
        return Line(f"The environment is {environment['name']}", tone=Tone.GOOD)
    return Line(f"{what} runs in {environment['name']}", tone=Tone.GOOD)


def _sleeper(sleeper: SleepingData) -> Fact:
    variables = count(sleeper["variables"], "variable")
    memory = file_size(sleeper["memory"])
    name = sleeper["kernel"]
    return Fact("Asleep", f"{name}: {variables}, {memory}", below=f"%env use {name}")


def doctor(report: Report[DoctorData], frontend: Frontend | None) -> tuple[Part, ...]:
    """How much was looked at and what was mended; the problems follow by themselves."""
    data = report.data
    if "report" in data:
        nothing = Line("Nothing happened that was not foreseen", tone=Tone.GOOD)
        return (Code(data["report"].rstrip()),) if data["report"] else (nothing,)
    looked = joined(
        [count(data["kernels"], "kernel"), count(data["environments"], "environment")], 2
    )
    fixed = [Line(f"Mended: {what}", tone=Tone.GOOD) for what in data["fixed"]]
    broken = [p for p in report.problems if p.severity is not Severity.INFO]
    indexes = tuple(map(_index, data["indexes"]))
    more: tuple[Part, ...] = (*fixed, *((Facts(indexes),) if indexes else ()))
    if not broken:
        return (Line(f"All is well: {looked} looked at", tone=Tone.GOOD), *more)
    number = count(len(broken), "problem")
    tone = Tone.BAD if any(p.severity is Severity.ERROR for p in broken) else Tone.WARN
    return (Line(f"{number} in {looked}:", tone=tone), *more)


def _index(index: IndexData) -> Fact:
    """One place where packages come from, and where that is said."""
    said = index["said"]
    where = said if said.isidentifier() else path(said)
    return Fact(_INDEXES[index["option"]], f"{index['url'] or 'none'} ({where})")


def autoload(report: Report[AutoloadData], frontend: Frontend | None) -> tuple[Part, ...]:
    """Whether IPython loads envmagic, and the file that has it do so."""
    data = report.data
    tone = Tone.GOOD if report.changed else Tone.INFO
    others = [name for name in data["profiles"] if name != "default"]
    also = (Fact("Also in", f"the profile {joined(others, 4)}"),) if others else ()
    where = Facts((Fact("File", path(data["file"])), *also))
    if data["state"] == "on":
        since = "from now on, each time it starts" if report.changed else "each time it starts"
        return (Line(f"IPython loads envmagic {since}", tone=tone), where)
    if data["state"] == "edited":
        return (Line("IPython runs a file there that envmagic did not write so", tone=tone), where)
    if report.changed:
        return (Line("IPython loads envmagic no longer when it starts", tone=tone),)
    line = Line("IPython does not load envmagic by itself", "To have it", tone, ("autoload", "on"))
    return (line, Facts(also)) if also else (line,)
