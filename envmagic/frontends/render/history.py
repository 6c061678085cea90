"""What `history` and `undo` say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import PurePath

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import Change, ChangeData, HistoryData, UndoData
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import joined, path
from envmagic.frontends.render.record import record_fact
from envmagic.frontends.render.verbs import restart_lines

__all__ = ["history", "undo"]

_FEW = 4


def history(report: Report[HistoryData], frontend: Frontend | None) -> tuple[Part, ...]:
    """A table of the changes, the latest below, where a person looks first."""
    data = report.data
    if not data["history"]:
        return (Line(f"Nothing has changed in {data['environment']['name']} so far."),)
    rows = tuple(
        Row(
            (
                str(each["number"]),
                _when(each["when"]),
                each["what"] + (" (cut off)" if each["cut_off"] else ""),
                _changed(each["changes"], _traits(each["traits"])),
                PurePath(each["notebook"]).name if each["notebook"] else "–",
            ),
            dim=each["what"] == "another tool",
        )
        for each in data["history"]
    )
    head = ("", "When", "What", "Changed", "From")
    return (Table(head, rows, data["environment"]["name"], (2,), (0,)),)


def undo(report: Report[UndoData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    name, undone, changes = data["environment"]["name"], data["undone"], data["changes"]
    what = _what(undone)
    if changes:
        head = Line(f"Took back {what} in {name}: {_changed(changes)}", tone=Tone.GOOD)
    else:
        head = Line(f"{name} is as it was before {what}.", tone=Tone.GOOD)
    record = data.get("record")
    return (
        head,
        *((Facts((Fact("Record", record_fact(record)),)),) if record else ()),
        *(Line(note, tone=Tone.INFO) for note in data.get("notes", [])),
        *restart_lines(data.get("restart", [])),
    )


def _what(undone: list[ChangeData]) -> str:
    if len(undone) == 1:
        return f"change {undone[0]['number']} ({undone[0]['what']})"
    return f"changes {undone[0]['number']} to {undone[-1]['number']}"


def _traits(traits: Mapping[str, list[str]]) -> list[str]:
    """`Python 3.11.7 → 3.12.1`; of a rename the names, where those are others."""
    said = []
    if "python" in traits:
        said.append("Python {} → {}".format(*traits["python"]))
    if "name" in traits:
        said.append("{} → {}".format(*traits["name"]))
    elif "directory" in traits:
        said.append(" → ".join(map(path, traits["directory"])))
    return said


def _changed(changes: Iterable[Change], said: Sequence[str] = ()) -> str:
    """`+six 1.17.0, pandas 2.2 → 2.3, −idna 3.4`, behind what is `said`."""
    old = {c["name"]: c["version"] for c in changes if c["action"] == "removed"}
    new = {c["name"]: c["version"] for c in changes if c["action"] == "installed"}
    said = [*said, *(f"{n} {old[n]} → {v}" for n, v in new.items() if n in old)]
    said += [f"+{n} {v}" for n, v in new.items() if n not in old]
    said += [f"−{n} {v}" for n, v in old.items() if n not in new]
    return joined(said, _FEW)


def _when(text: str) -> str:
    """In the time of the machine, to the minute."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return text
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
