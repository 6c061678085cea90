"""Paths and texts for a person's eyes."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "command_line",
    "display",
    "joined",
    "quoted",
    "redact",
    "remedy",
    "shell_line",
    "shortened",
    "typed",
    "user_path",
    "user_text",
    "without_codes",
]

_WORD = 100  # characters of a quotation
# Begins at `://`, and not at the scheme: from each letter of a long word one would be looked for.
_CREDENTIALS = re.compile(r"(?<=[a-zA-Z0-9+.-])://[^/\s]+@")
_TOKEN = re.compile(r"(://[^/\s]+/t/)[^/\s]+")  # as the addresses of conda's channels have one
_QUERY = re.compile(
    r"(?<=[?&])((?:access_)?token|api_?key|auth|key|pass(?:word|wd)?|secret|sig(?:nature)?)"
    r"=[^&#\s'\"]+",
    re.IGNORECASE,
)
# ECMA-48: control sequences, strings such as titles and links, other escapes; then what is left
_CODES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-Z\\a-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def redact(text: str) -> str:
    """`text` without what must not be seen: the user and password of every URL, and tokens."""
    if "://" not in text:
        return text
    text = _TOKEN.sub(r"\1***", _CREDENTIALS.sub("://***@", text))
    return _QUERY.sub(r"\1=***", text)


def without_codes(text: str) -> str:
    """`text` without colours, cursor movements and other codes for a terminal."""
    return text if text.isprintable() else _CODES.sub("", text)


def shortened(text: str) -> str:
    """The user's own words in one line that can be shown: no secrets, no codes, a line's worth."""
    line = " ".join(redact(without_codes(text)).split())
    return line if len(line) <= _WORD else f"{line[:_WORD].rstrip()} …"


def quoted(text: str) -> str:
    """The user's own words as messages quote them; see `shortened`."""
    return repr(shortened(text))


def user_path(path: Path | str) -> str:
    """`path` for a person's eyes: under the home directory with `~`, since outputs get shared."""
    text = str(path)
    base = _home()
    if text == base != os.sep:
        return "~"
    return "~" + text[len(base) :] if base != os.sep and text.startswith(base + os.sep) else text


def _home() -> str:
    """The home directory; the root, which stands for none, where the user has none."""
    try:
        return str(Path.home())
    except RuntimeError:
        return os.sep


def typed(path: Path | str) -> str:
    """A path or name as it is typed in a command of ours: quoted where it holds a space or a
    character of the shell's. `~` may be quoted too, for the verbs expand it themselves."""
    text = user_path(path)
    if re.fullmatch(r"[\w@%+=:,./~-]+" if os.name != "nt" else r"[\w@%+=:,./~\\-]+", text):
        return text
    return shlex.quote(text) if os.name != "nt" else f'"{text}"'


def command_line(words: Sequence[str], prefix: str = "") -> str:
    """The words of a command as they are typed behind `prefix`; empty without words."""
    return " ".join(filter(None, (prefix, *map(typed, words)))) if words else ""


def shell_line(words: Sequence[str]) -> str:
    """The words of another program's command as they are typed in a shell; empty without words."""
    plain = re.compile(r"[\w@%+=:,./~-]+" if os.name != "nt" else r"[\w@+=:,./\\-]+")

    def quoted(word: str) -> str:
        if plain.fullmatch(word):
            return user_path(word) if os.name != "nt" else word  # cmd.exe knows no `~`
        return shlex.quote(word) if os.name != "nt" else f'"{word}"'

    return " ".join(map(quoted, words))


def remedy(hint: str, command: str) -> str:
    """What to do next, as one reads it: in words, then the command; either may be empty."""
    return f"{hint}: {command}" if hint and command else hint or command


def user_text(text: str) -> str:
    """What a tool said, for a person's eyes: the home directory in it with `~`."""
    base = _home()
    return text if base == os.sep else text.replace(base + os.sep, "~" + os.sep)


def joined(words: Sequence[str]) -> str:
    """`words` as a sentence lists them: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def few(words: Sequence[str], most: int = 3) -> str:
    """The first of `words` as `joined` lists them, and how many more there are."""
    more = [f"{len(words) - most} more"] if len(words) > most else []
    return joined([*words[:most], *more])


def display(path: Path, relative_to: Path | None = None) -> str:
    """`path` as short as it can be read: relative below `relative_to`, else with `~`."""
    if relative_to is not None and path != relative_to and path.is_relative_to(relative_to):
        return str(path.relative_to(relative_to))
    return user_path(path)
