"""What `lock` says."""

from __future__ import annotations

from envmagic.core.model import Frontend, Report
from envmagic.core.schema import LockData
from envmagic.frontends.render.parts import Code, Line, Part, Tone
from envmagic.frontends.render.phrases import count, near

__all__ = ["lock"]


def lock(report: Report[LockData], frontend: Frontend | None) -> tuple[Part, ...]:
    said: list[Part] = []
    for each in report.data["locks"]:
        holds = count(each["distributions"], "distribution")
        if each["diff"]:
            said.append(Code(each["diff"]))
        elif each["changed"] and not report.failed:
            said.append(Line(f"{near(each['file'])} written: {holds}, with hashes", tone=Tone.GOOD))
        elif not each["changed"]:
            said.append(Line(f"{near(each['file'])} is up to date: {holds}", tone=Tone.GOOD))
    return tuple(said)
