"""What `upgrade` says."""

from __future__ import annotations

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import UpgradeData, UpgradeRow, VulnerabilityData
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import changes_line, count
from envmagic.frontends.render.record import record_fact
from envmagic.frontends.render.verbs import restart_lines, switch_lines

__all__ = ["upgrade"]


def upgrade(report: Report[UpgradeData], frontend: Frontend | None) -> tuple[Part, ...]:
    """What changed, a table of what did and of what stays, and vulnerabilities that were asked
    for."""
    data = report.data
    rows, record = data["packages"], data.get("record")
    return (
        Line(_headline(data), tone=Tone.INFO if data["dry_run"] else Tone.GOOD),
        *((_table(rows, done=not data["dry_run"]),) if rows else ()),
        *((Facts((Fact("Record", record_fact(record)),)),) if record else ()),
        *(Line(note, tone=Tone.INFO) for note in data.get("notes", [])),
        *restart_lines(data.get("restart", [])),
        *switch_lines(data.get("switch")),
        *(_vulnerabilities(data["vulnerabilities"]) if "vulnerabilities" in data else ()),
    )


def _headline(data: UpgradeData) -> str:
    name, python = data["environment"]["name"], data.get("python")
    changing = [row for row in data["packages"] if row["now"] != row["fits"]]
    if data["dry_run"]:
        what = f"{count(len(changing), 'package')} would change" if changing else "all would stay"
        if python:
            return (
                f"{name} would be made anew on Python {python} if every import works there; {what}."
                " Nothing was changed."
            )
        return f"In {name} {what}; nothing was changed."
    if python:
        return f"Made {name} anew on Python {python}"
    if data["changes"]:
        return f"Upgraded {name}: {changes_line(data['changes'])}"
    if not data["packages"] and not data["others"]:
        return f"{name} stays as it is: nothing newer fits."
    newest = "is the newest there is" if not data["packages"] else "is the newest that fits"
    return f"All that was looked at in {name} {newest}."


def _table(rows: list[UpgradeRow], *, done: bool) -> Table:
    was, now = ("Was", "Now") if done else ("Now", "Newest that fits")
    shown = sorted(rows, key=lambda row: (row["now"] == row["fits"], row["name"]))
    return Table(
        ("Package", was, now, "Newest", "Why it stays"),
        tuple(
            Row(
                (row["name"], row["now"] or "–", row["fits"], row["newest"], row["why"]),
                dim=row["now"] == row["fits"],
            )
            for row in shown
        ),
    )


def _vulnerabilities(found: list[VulnerabilityData]) -> tuple[Part, ...]:
    if not found:
        return (Line("No known vulnerabilities in what is installed.", tone=Tone.GOOD),)
    rows = tuple(
        Row(
            (
                f"{each['name']} {each['version']}",
                next((a for a in each["aliases"] if a.startswith("CVE-")), each["id"]),
                each["summary"],
                ", ".join(each["fixed"]) or "–",
            )
        )
        for each in found
    )
    head = Line(_counted(found), tone=Tone.WARN)
    return (head, Table(("Package", "Vulnerability", "What it is", "Fixed in"), rows))


def _counted(found: list[VulnerabilityData]) -> str:
    number = len(found)
    known = "1 known vulnerability" if number == 1 else f"{number} known vulnerabilities"
    return f"{known} in what is installed:"
