"""What `clone` and `rename` say."""

from __future__ import annotations

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import CloneData, RenameData
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Tone
from envmagic.frontends.render.phrases import count, made_of, path
from envmagic.frontends.render.verbs import switch_lines

__all__ = ["clone", "rename"]


def clone(report: Report[CloneData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    environment = data["environment"]
    packages = count(data["distributions"], "package")
    head = f"Made {environment['name']} ({made_of(environment)}) with {packages}"
    rows = [
        Fact("Where", path(environment["prefix"])),
        Fact("From", path(data["source"])),
        Fact("Kernel", environment["name"]),
    ]
    switch = data.get("switch")
    stays = switch is None or switch["how"] == "none"
    hint = stays and frontend is Frontend.NOTEBOOK  # a terminal has none to move
    return (
        Line(
            f"{head} in {data['seconds']:.1f} s",
            "To move this notebook there" if hint else "",
            Tone.GOOD,
            ("use", environment["name"]) if hint else (),
        ),
        Facts(tuple(rows)),
        *(Line(note, tone=Tone.INFO) for note in data.get("notes", [])),
        *switch_lines(switch),
    )


def rename(report: Report[RenameData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    environment, before = data["environment"], data["before"]
    moved = environment["prefix"] != before["prefix"]
    where = Fact("Where", path(environment["prefix"]))
    here = (Line(f"This notebook runs in {environment['name']}.", data["hint"], Tone.INFO),)
    return (
        Line(f"{before['name']} is called {environment['name']} now", tone=Tone.GOOD),
        *((Facts((where,)),) if moved else ()),
        *(here if environment["current"] and frontend is Frontend.NOTEBOOK else ()),
    )
