"""What `record` says, and the one line other verbs say about the record."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePath

from envmagic.core.errors import Severity
from envmagic.core.model import Frontend, Report
from envmagic.core.schema import RecordData, RecordedRequirement, SiteData
from envmagic.frontends.render.parts import Code, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import count, joined, near

__all__ = ["lines", "record", "record_fact"]

_ROWS = 40
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?(?=$|[\s=<>!~;@])")
_EVIDENCE = {
    "environment": "installed",
    "import-name": "installed, by its metadata",
    "install-line": "install line",
    "table": "known name",
    "identity": "same name",
    "used-as": "used as a part",
}


def record_fact(data: RecordData) -> str:
    """The record in one line: `requirements.txt · 5 requirements · recording on`."""
    said = [_files(data)] if _files(data) else []
    said += [count(len(data["lines"]), "requirement")] if "lines" in data else []
    said += [f"recording {data['state']}"] if data.get("state") else []
    return " · ".join(said)


def lines(report: Report[RecordData]) -> str | None:
    """The requirement lines alone, when that is what was asked for (`record --to -`), else None."""
    failed = any(problem.severity is Severity.ERROR for problem in report.problems)
    to_screen = report.verb == "record" and not _files(report.data) and not failed
    return "\n".join(report.data.get("lines", [])) if to_screen else None


def record(report: Report[RecordData], frontend: Frontend | None) -> tuple[Part, ...]:
    """The parts of a `record` report."""
    data = report.data
    if data.get("diff"):  # which files those are, a problem says below it
        return (Code(data["diff"].rstrip()),)
    printed = lines(report)
    if printed:
        return (Code(printed),)
    done = () if _is_refused(report) else (_headline(report, data),)
    return (*done, *_requirements(data), *_others(data))


def _is_refused(report: Report[RecordData]) -> bool:
    """Nothing could be written into the files that are named; the problem says why."""
    wrong = {p.subject for p in report.problems if p.severity is Severity.ERROR}
    return not wrong.isdisjoint(report.data.get("files") or ())


def _written(data: RecordData) -> frozenset[str]:
    """The lines of the record, and the distributions they name."""
    lines = data.get("lines", [])
    return frozenset(name for line in lines for name in (line, _key(line)))


def _key(requirement: str) -> str:
    named = _NAMED.match(requirement)
    return re.sub(r"[-_.]+", "-", named["name"]).lower() if named else requirement


def _own(data: RecordData) -> set[str]:
    """What the user's own lines ask for: needed, and not written once more."""
    if _in_conda(data):
        return set()
    written = _written(data) | {*data.get("unwritten", [])}
    return {
        _key(requirement["name"])
        for notebook in data.get("notebooks", [])
        for requirement in notebook["requirements"]
        if not requirement["optional"] and not written & {*_keys(requirement)}
    }


def _in_conda(data: RecordData) -> bool:
    """Whether some lines are in conda's words, so that names do not tell which is which."""
    return any(file.endswith(".yml") for file in data.get("files") or ())


def _keys(requirement: RecordedRequirement) -> tuple[str, str]:
    return _key(requirement["name"]), requirement["requirement"]


def _headline(report: Report[RecordData], data: RecordData) -> Line:
    own = len(_own(data))
    wanted = len(data.get("lines", [])) + own
    if not report.changed and not any(map(os.path.exists, _paths(data))):
        if data.get("unwritten") and not wanted:
            return Line("Nothing was written", tone=Tone.INFO)
        if wanted == own:
            why = "lines of your own ask for all" if own else "nothing that has to be installed"
            why += " that is imported" if own else " is imported"
            return Line(f"Nothing to record: {why}", tone=Tone.INFO)
    files = _files(data) or "Nothing was written"
    what = count(wanted, "requirement")
    what += f", {own} of them in lines of your own" if own else ""
    done = "written" if report.changed else "up to date"
    state = f", recording {data['state']}" if data.get("state") else ""
    return Line(f"{files}: {what}, {done}{state}", tone=Tone.GOOD)


def _paths(data: RecordData) -> list[str]:
    file = data.get("file")
    return data.get("files") or ([file] if file else [])


def _files(data: RecordData) -> str:
    """The files of the record: requirements.txt, with environment.yml where conda is."""
    files = _paths(data)
    if len(files) <= 2:
        return " and ".join(near(file) for file in files)
    return count(len(files), "file")


def _requirements(data: RecordData) -> tuple[Part, ...]:
    """A row for each requirement: what is imported, what holds it, who says so, who needs it."""
    found: dict[str, list[tuple[str, RecordedRequirement]]] = {}
    for notebook in data.get("notebooks", []):
        for requirement in notebook["requirements"]:
            same = found.setdefault(requirement["requirement"], [])
            same.append((notebook["path"], requirement))
    if not found:
        return ()
    written, own = _written(data), _own(data)
    apart = len({PurePath(notebook["path"]).parent for notebook in data["notebooks"]}) > 1
    shown = sorted(found.items())[:_ROWS]
    rows = [_row(text, users, written, own, apart=apart) for text, users in shown]
    more = len(found) - len(rows)
    head = ("Import", "Distribution", "Version", "From", "Used in")
    table = Table(head, tuple(rows), code=(0, 1, 2))
    keys = {key for users in found.values() for _, need in users for key in _keys(need)}
    lines = [] if _in_conda(data) else data.get("lines", [])
    others = sum(not keys & {line, _key(line)} for line in lines)
    said = [f"and {more} more"] if more > 0 else []
    said += [f"and {others} more in the file"] if others else []
    return (table, *(Line(line) for line in said))


def _row(
    text: str,
    users: list[tuple[str, RecordedRequirement]],
    written: frozenset[str],
    own: set[str],
    *,
    apart: bool,
) -> Row:
    first = users[0][1]
    optional = all(requirement["optional"] for _, requirement in users)
    where = "; ".join(_sites(path, need["sites"], apart=apart) for path, need in users)
    named = _NAMED.match(text)
    distribution = named[0] if named else first["name"]
    version = text[named.end() :].strip() if named else text
    modules = {s["module"] for _, requirement in users for s in requirement["sites"]}
    imports = _shortest(m for m in modules if m)
    evidence = _EVIDENCE.get(first["evidence"], first["evidence"])
    if _key(first["name"]) in own:
        evidence = "your own line"
    if optional:
        evidence += ", optional"
        evidence = evidence if written & {*_keys(first)} else "optional, a comment"
    return Row((imports, distribution, version.removeprefix("=="), evidence, where), dim=optional)


def _shortest(modules: Iterable[str]) -> str:
    """The modules without those below another of them: `numpy` for numpy and numpy.linalg."""
    kept: list[str] = []
    for module in sorted(modules):
        if not any(module.startswith(f"{other}.") for other in kept):
            kept.append(module)
    if len(kept) <= 2:
        return ", ".join(kept)
    parts = [module.split(".") for module in kept]
    shared = os.path.commonprefix(parts)  # noqa: RUF071 - of lists, part by part
    return ".".join(shared) + ".…" if shared else f"{kept[0]}, {kept[1]}…"


def _sites(notebook: str, sites: Iterable[SiteData], *, apart: bool) -> str:
    """The files and cells; a file that the notebook takes in is named itself. `apart`: there are
    several directories, so a name alone would not do."""
    found: dict[str, set[int]] = {}
    for site in sites:
        found.setdefault(site["file"] or notebook, set()).add(site["cell"])
    found = found or {notebook: set()}
    return "; ".join(
        _cells(file if apart else PurePath(file).name, cells - {0}) for file, cells in found.items()
    )


def _cells(name: str, cells: Iterable[int]) -> str:
    numbers = sorted(cells)
    if not numbers:
        return name
    shown = ", ".join(str(cell) for cell in numbers[:4]) + ("…" if len(numbers) > 4 else "")
    return f"{name}, cell {shown}" if len(numbers) == 1 else f"{name}, cells {shown}"


def _others(data: RecordData) -> tuple[Part, ...]:
    """What a reader may miss in the list, and why it is not there."""
    local = sorted({name for nb in data.get("notebooks", []) for name in nb["local"]})
    provided = sorted({name for nb in data.get("notebooks", []) for name in nb["provided"]})
    said = [("Local modules", local), ("Provided by the platform", provided)]
    lines = [
        Line(f"{label}, so not required: {', '.join(names)}", tone=Tone.INFO)
        for label, names in said
        if names
    ]
    return (*lines, *_of_other_languages(data), *_unparsed(data))


def _of_other_languages(data: RecordData) -> tuple[Part, ...]:
    others = [nb for nb in data.get("notebooks", []) if nb["language"] != "python"]
    if not others:
        return ()
    names = joined([f"{PurePath(nb['path']).name} ({nb['language']})" for nb in others], 4)
    return (Line(f"Not in Python, so not looked into: {names}", tone=Tone.INFO),)


def _unparsed(data: RecordData) -> tuple[Part, ...]:
    """Lines that no Python 3 can read, and where they are."""
    found: dict[str, dict[int, list[int]]] = {}
    total = 0
    for notebook in data.get("notebooks", []):
        for site in notebook["unparsed"]:
            total += 1
            cells = found.setdefault(site["file"] or notebook["path"], {})
            cells.setdefault(site["cell"], []).append(site["line"])
    if not found:
        return ()
    what = f"{count(total, 'line')} could not be read as Python"
    if len(found) > 1:
        return (Line(f"{what}, in {count(len(found), 'file')}", tone=Tone.INFO),)
    (file, cells), *_ = found.items()
    places = [_lines_in(cell, numbers) for cell, numbers in sorted(cells.items())]
    more = f" and {len(places) - 4} more cells" if len(places) > 4 else ""
    where = "; ".join(places[:4]) + more
    return (Line(f"{what}: {PurePath(file).name}, {where}", tone=Tone.INFO),)


def _lines_in(cell: int, lines: Iterable[int]) -> str:
    numbers = sorted(set(lines))
    noun = "line" if len(numbers) == 1 else "lines"
    shown = ", ".join(map(str, numbers[:4])) + ("…" if len(numbers) > 4 else "")
    return f"cell {cell}, {noun} {shown}" if cell else f"{noun} {shown}"
