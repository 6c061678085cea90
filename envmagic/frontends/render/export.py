"""What `export` says."""

from __future__ import annotations

from envmagic.core.errors import Severity
from envmagic.core.model import Frontend, Report
from envmagic.core.schema import ExportData
from envmagic.frontends.render.parts import Code, Line, Part, Tone
from envmagic.frontends.render.phrases import count, joined, near

__all__ = ["export", "printed"]

_NEXT = {
    "docker": "docker build -t NAME -f {0} .",
    "requirements": "pip install -r {0}",
    "environment.yml": "conda env create -f {0}",
    "pylock": "uv pip sync {0}",
}
"""What takes the first of the files."""


def printed(report: Report[ExportData]) -> str | None:
    """The text alone, where that is what was asked for, else None."""
    failed = any(problem.severity is Severity.ERROR for problem in report.problems)
    if report.verb != "export" or failed or report.data["files"]:
        return None
    return report.data["text"].rstrip("\n")


def export(report: Report[ExportData], frontend: Frontend | None) -> tuple[Part, ...]:
    data = report.data
    text = printed(report)
    if data["cell"] and text:
        holds = count(data["requirements"], "requirement")
        return (Line(f"The block with {holds} is in the next cell", tone=Tone.GOOD),)
    if text is not None:
        return (Code(text),) if text else (Line("Nothing is recorded", tone=Tone.INFO),)
    named = [near(file["file"]) for file in data["files"]]
    shown = joined(named, 4)
    holds = count(data["requirements"], "requirement")
    if not report.changed:
        are = "is" if len(named) == 1 else "are"
        return (Line(f"{shown} {are} up to date: {holds}", tone=Tone.GOOD),)
    then = _NEXT.get(data["format"], "").format(named[0])
    hint = f"What takes it: {then}" if then else ""
    return (Line(f"{shown} written: {holds}.", hint, Tone.GOOD),)
