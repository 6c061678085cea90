"""What a line of the user's leaves open of what a notebook needs."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from envmagic.core.errors import Problem, Severity
from envmagic.record import markers
from envmagic.record.held import RecordContext
from envmagic.record.need import Need
from envmagic.record.ranges import joined

__all__ = ["lacking"]


def lacking(need: Need, context: RecordContext) -> Iterator[Problem]:
    """Warnings: the line lacks extras or is for other machines (`own-line`), or the notebook
    installs no version that it allows (`record-conflict`)."""
    lines = context.partial.get(need.name, ())
    if lines and not need.optional:
        where = " or ".join(dict.fromkeys(markers.of(lines)))
        yield _said(
            f"{context.notebook} needs {need.name}, and your own line asks for it only where"
            f" {where}.",
            "If it is needed elsewhere too, add a line for there.",
            need.name,
        )
    missing = need.extras - context.extras.get(need.name, need.extras)
    line = context.users.get(need.name)
    asked = line.requirement if line is not None else None
    there = context.index is not None and need.name in context.index.distributions
    if asked is not None and not there and joined(str(asked.specifier), need.specifier) is None:
        yield Problem(
            "record-conflict",
            f"{context.notebook} installs {need.name}{need.specifier}, and your own line {asked}"
            " allows no such version.",
            "Change one of the two.",
            Severity.WARNING,
            need.name,
        )
    if missing and line is not None and line.requirement is not None:
        whole = copy.copy(line.requirement)
        whole.extras = whole.extras | need.extras
        yield _said(
            f"{context.notebook} needs {need.name}[{','.join(sorted(missing))}], and your own line"
            f" {line.requirement} is without that.",
            f"Write the extra into it: {whole}",
            need.name,
        )


def _said(message: str, hint: str, name: str) -> Problem:
    return Problem("own-line", message, hint, Severity.WARNING, name)
