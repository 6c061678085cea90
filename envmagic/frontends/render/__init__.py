"""How a report looks: text, HTML and JSON from one description of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envmagic.core.model import Frontend, Report
    from envmagic.frontends.render.parts import Part

__all__ = ["bundle", "hint_at", "html", "json", "text"]


def text(report: Report, frontend: Frontend | None = None) -> str:
    """`report` as plain text, without a newline at its end; hints are those of `frontend`."""
    from envmagic.frontends.render import plain, verbs

    return plain.write([_at(part, frontend) for part in verbs.parts(report, frontend)])


def html(report: Report) -> str:
    """`report` as an HTML fragment that takes its colours from the theme; no scripts."""
    from envmagic.frontends.render import markup, verbs

    return markup.write(verbs.parts(report))


def json(report: Report) -> str:
    """`report` as the versioned JSON envelope."""
    from json import dumps

    return dumps(report.as_json(), indent=2, ensure_ascii=False)


def bundle(report: Report) -> dict[str, str]:
    """The MIME bundle that a notebook shows for `report`."""
    return {"text/plain": text(report), "text/html": html(report)}


def hint_at(hint: str, frontend: Frontend | None) -> str:
    """`hint` as it is typed at `frontend`; the verbs write theirs for a notebook.

    A terminal can move no notebook, so there `use` is said to be for the notebook.
    """
    from envmagic.core.model import Frontend

    if frontend is not Frontend.TERMINAL or "in the notebook" in hint:
        return hint
    if "%env use " in hint:
        return f"{hint.rstrip('.')} in the notebook"
    return hint.replace("%env ", "envmagic ")


def _at(part: Part, frontend: Frontend | None) -> Part:
    from dataclasses import replace

    from envmagic.frontends.render.parts import Line

    if isinstance(part, Line):
        return replace(part, hint=hint_at(part.hint, frontend))
    return part
