"""What `ship` says."""

from __future__ import annotations

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import ShipData, WorkerData
from envmagic.frontends.render.parts import Code, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import count, joined, near

__all__ = ["ship"]

_FEW = 4


def ship(report: Report[ShipData], frontend: Frontend | None) -> tuple[Part, ...]:
    """One line of what was done, then the workers, those first that differ."""
    data = report.data
    if data["files"]:
        return (*_image(report), *(Line(note, tone=Tone.INFO) for note in data["notes"]))
    said: list[Part] = []
    if data["sent"]:
        where = f" to {data['address']}" if data["address"] else ""
        said.append(Line(f"Sent{where}: {joined(data['sent'], _FEW)}", tone=Tone.GOOD))
    if data["file"]:
        said.append(Line(f"{near(data['file'])} written", tone=Tone.GOOD))
    if data["workers"]:
        said += [_summary(data), _table(data["workers"])]
    if data["variable"]:
        said.append(Line(f"{data['variable']} holds it:", tone=Tone.GOOD))
        said.append(Code(_written(data["settings"])))
    return (*said, *(Line(note, tone=Tone.INFO) for note in data["notes"]))


def _image(report: Report[ShipData]) -> tuple[Part, ...]:
    """What was written, or is different, and what takes it."""
    data = report.data
    if data["diff"]:
        return (Code(data["diff"].rstrip()),)
    where = near(data["file"])
    holds = count(len(data["distributions"]), "distribution")
    if not report.changed:
        return (Line(f"{where} is up to date: {holds}", tone=Tone.GOOD),)
    then = {"docker": f"docker build -t NAME {where}"}.get(data["engine"], "")
    hint = f"What takes it: {then or 'the address of a git repository of it, at a Binder'}"
    files = count(sum(each["changed"] for each in data["files"]), "file")
    return (Line(f"{where} holds the notebook and {holds}: {files} written.", hint, Tone.GOOD),)


def _summary(data: ShipData) -> Line:
    all_of_them = [w for w in data["workers"] if w["worker"] != "scheduler"]
    differing = [w for w in all_of_them if w["differs"]]
    same = len(all_of_them) - len(differing)
    what = count(len(data["distributions"]), "distribution")
    if data["modules"]:
        what += f" and {joined(data['modules'], _FEW)}"
    if differing:
        return Line(f"{same} of {count(len(all_of_them), 'worker')} have all of {what}.")
    has = "has" if same == 1 else "have"
    return Line(f"{count(same, 'worker')} {has} Python {data['python']} and {what}.")


def _table(workers: list[WorkerData]) -> Table:
    rows = tuple(
        Row(
            (w["worker"], w["python"], w["platform"], _differs(w)),
            dim=not w["differs"],
        )
        for w in workers
    )
    return Table(("Worker", "Python", "Platform", "Differs"), rows, "", (0,))


def _differs(worker: WorkerData) -> str:
    """`six 1.16.0, not 1.17.0`."""
    said = [
        f"{d['name']} {d['there']}, not {d['here']}"
        if d["there"]
        else f"no {d['name']} {d['here']}"
        for d in worker["differs"]
    ]
    return joined(said, _FEW) if said else "–"


def _written(settings: dict[str, object]) -> str:
    from json import dumps

    return dumps(settings, indent=2, ensure_ascii=False)
