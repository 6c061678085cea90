"""What `clone` says."""

from __future__ import annotations

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import CloneData
from envmagic.frontends.render.parts import Fact, Facts, Line, Part, Tone
from envmagic.frontends.render.phrases import count, made_of, path
from envmagic.frontends.render.verbs import switch_lines

__all__ = ["clone"]


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
