"""How a report looks: text, HTML and JSON from one description of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envmagic.core.errors import Problem
    from envmagic.core.model import Frontend, Report

__all__ = ["bundle", "html", "json", "line", "text"]


def text(report: Report[Any], frontend: Frontend | None = None) -> str:
    """`report` as plain text, without a newline at its end; commands are those of `frontend`."""
    from envmagic.frontends.render import plain, verbs

    return _readable(plain.write(verbs.parts(report, frontend), frontend))


def html(report: Report[Any]) -> str:
    """`report` as an HTML fragment that takes its colours from the theme; no scripts."""
    from envmagic.frontends.render import markup, verbs

    return _readable(markup.write(verbs.parts(report)))


def json(report: Report[Any], frontend: Frontend | None = None) -> str:
    """`report` as the versioned JSON envelope, a promise; commands are those of `frontend`."""
    from json import dumps

    from envmagic.frontends.render.remedy import command_line, hint_of, remedy

    envelope = {
        "schema": 1,
        "verb": report.verb,
        "ok": report.ok,
        "changed": report.changed,
        "data": dict(report.data),
        "problems": [
            {
                "code": p.code,
                "severity": p.severity.value,
                "message": p.message,
                "hint": remedy(hint_of(p, frontend), p.command, frontend),
                "command": command_line(p.command, frontend),
                "subject": p.subject,
                "detail": p.detail,
            }
            for p in report.problems
        ],
    }
    return _readable(dumps(envelope, indent=2, ensure_ascii=False))


def bundle(report: Report[Any]) -> dict[str, str]:
    """The MIME bundle that a notebook shows for `report`."""
    return {"text/plain": text(report), "text/html": html(report)}


def line(problem: Problem, frontend: Frontend | None = None) -> str:
    """`problem` as one line of text: the sentence, then what to do at `frontend`."""
    from envmagic.frontends.render.remedy import hint_of, remedy

    what = remedy(hint_of(problem, frontend), problem.command, frontend)
    return _readable(f"{problem.message} {what}".rstrip())


def _readable(text: str) -> str:
    """`text` with a question mark for each byte that was no UTF-8: a notebook cannot show it."""
    return text.encode("utf-8", "replace").decode()
