"""What can go wrong, as values: one `Problem` type for errors, warnings and the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["EnvmagicError", "Problem", "Severity", "WordsError"]


class Severity(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in one sentence, with the next command to type.

    `code` is stable and documented; `subject` is the path, name or line it is about; `hint` may be
    empty when there is nothing to type.
    """

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    subject: str = ""
    detail: str = ""
    """All that a tool said when it failed; empty otherwise. Shown by `--json` only."""

    def line(self) -> str:
        """The problem as one line of text: the sentence, then the next command."""
        return f"{self.message} {self.hint}".rstrip()


class EnvmagicError(Exception):
    """A verb could not do what it was asked; carries its `Problem`. Exit code 1."""

    exit_code = 1

    def __init__(
        self, code: str, message: str, hint: str = "", *, subject: str = "", detail: str = ""
    ) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.problem = Problem(code, message, hint, Severity.ERROR, subject, detail)

    def saying(self, more: str) -> EnvmagicError:
        """The same error with the sentence `more` behind its own."""
        told = self.problem
        message = f"{told.message} {more}"
        return type(self)(told.code, message, told.hint, subject=told.subject, detail=told.detail)


class WordsError(EnvmagicError):
    """The words were wrong, or nothing matches them. Exit code 2."""

    exit_code = 2
