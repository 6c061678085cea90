"""What can go wrong, as values: one `Problem` type for errors, warnings and the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from envmagic.core.display import command_line, redact, remedy, shell_line, without_codes

__all__ = ["EnvmagicError", "Problem", "Severity", "UnforeseenError", "WordsError"]

_LONGEST = 1200  # characters of a message


class Severity(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in one sentence, and what to do next.

    `code` is stable and documented; `subject` is the path, name or line it is about; `hint` is what
    to do in words, empty when there is nothing to be done or the command says it all.
    """

    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    subject: str = ""
    detail: str = ""
    """All that a tool said when it failed; empty otherwise. Shown by `--json` only."""
    command: tuple[str, ...] = ()
    """The words of the command of ours that helps, the verb first; each frontend writes it as it is
    typed there."""
    tool_command: tuple[str, ...] = ()
    """The words of another program's command that helps, in the place of one of ours."""

    def __post_init__(self) -> None:
        # whoever quotes a person or a tool: no secret and no code for a terminal gets further
        for name in ("message", "hint", "subject", "detail"):
            object.__setattr__(self, name, redact(without_codes(getattr(self, name))))
        for name in ("command", "tool_command"):
            object.__setattr__(self, name, tuple(map(redact, getattr(self, name))))
        if len(self.message) > _LONGEST:
            object.__setattr__(self, "message", f"{self.message[:_LONGEST].rstrip()} …")

    def line(self, prefix: str = "") -> str:
        """The problem as one line of text, the command as words with `prefix` before them."""
        what = command_line(self.command, prefix) or shell_line(self.tool_command)
        return f"{self.message} {remedy(self.hint, what)}".rstrip()


class EnvmagicError(Exception):
    """A verb could not do what it was asked; carries its `Problem`. Exit code 1."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        *,
        command: tuple[str, ...] = (),
        tool_command: tuple[str, ...] = (),
        subject: str = "",
        detail: str = "",
    ) -> None:
        self.problem = Problem(
            code, message, hint, Severity.ERROR, subject, detail, command, tool_command
        )
        super().__init__(self.problem.line())

    def saying(self, more: str) -> EnvmagicError:
        """The same error with the sentence `more` behind its own."""
        told = self.problem
        return type(self)(
            told.code,
            f"{told.message} {more}",
            told.hint,
            command=told.command,
            tool_command=told.tool_command,
            subject=told.subject,
            detail=told.detail,
        )


class WordsError(EnvmagicError):
    """The words were wrong, or nothing matches them. Exit code 2."""

    exit_code = 2


class UnforeseenError(EnvmagicError):
    """An exception that nobody foresaw. Exit code 70, which is EX_SOFTWARE of BSD's sysexits."""

    exit_code = 70
