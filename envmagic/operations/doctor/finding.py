"""What doctor finds: a problem, and how it is mended when it is ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envmagic.core.errors import Problem, Severity

__all__ = ["Finding", "problem"]


@dataclass(frozen=True)
class Finding:
    """Something wrong, and how it is mended when it is ours."""

    problem: Problem
    mend: Callable[[], object] | None = None
    """Mends it; a text that it returns is said, too."""


def problem(
    code: str,
    message: str,
    hint: str,
    subject: str,
    severity: Severity = Severity.ERROR,
    *,
    command: tuple[str, ...] = (),
    tool_command: tuple[str, ...] = (),
) -> Problem:
    """A `Problem`, in the order in which findings say it."""
    return Problem(
        code, message, hint, severity, subject, command=command, tool_command=tool_command
    )
