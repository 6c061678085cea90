"""Paths and texts for a person's eyes."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = ["command_line", "display", "remedy", "shell_line", "typed", "user_path", "user_text"]


def user_path(path: Path | str) -> str:
    """`path` for a person's eyes: under the home directory with `~`, since outputs get shared."""
    text = str(path)
    base = str(Path.home())
    if text == base:
        return "~"
    return "~" + text[len(base) :] if base != os.sep and text.startswith(base + os.sep) else text


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
    base = str(Path.home())
    return text if base == os.sep else text.replace(base + os.sep, "~" + os.sep)


def display(path: Path, relative_to: Path | None = None) -> str:
    """`path` as short as it can be read: relative below `relative_to`, else with `~`."""
    if relative_to is not None and path != relative_to and path.is_relative_to(relative_to):
        return str(path.relative_to(relative_to))
    return user_path(path)
