"""What an installation is asked for and what it changed, in words and as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.core.schema import Change
from envmagic.environments.backends.base import InstallPlan

__all__ = ["changes", "named"]

_MOST = 5
_MOST_OF_A_FILE = 3

_OPTION = re.compile(r"-(?!(?:e|r|-editable|-requirement)[\s=])")  # that installs nothing itself


def changes(
    before: Mapping[str, str], after: Mapping[str, str], asked: Iterable[str] = ()
) -> list[Change]:
    """What was installed and removed between two looks at an environment (name -> version).

    What was `asked` for comes first.
    """
    first = [normalized(_bare(line)) for line in asked]
    rank = {name: number for number, name in reversed(list(enumerate(first)))}
    removed = [
        Change(name=name, version=version, action="removed")
        for name, version in sorted(before.items())
        if after.get(name) != version
    ]
    installed = [
        Change(name=name, version=version, action="installed")
        for name, version in sorted(after.items(), key=lambda i: (rank.get(i[0], len(rank)), i[0]))
        if before.get(name) != version
    ]
    return removed + installed


def named(wanted: InstallPlan) -> str:
    """What `wanted` asks for, the first of it by name, without credentials; of files what they ask
    for as well."""
    lines = [line for line in wanted.requirements if not _OPTION.match(line)]
    words = [_some(map(_bare, lines), _MOST)] if lines else []
    return ", ".join([*words, *(_file(path, wanted.directory) for path in wanted.files)])


def _file(path: Path, directory: Path | None) -> str:
    is_beside = directory is not None and path.parent == directory
    shown = path.name if is_beside else display.user_path(path)
    try:
        lines = requirements.read(path).all_lines()
    except EnvmagicError:  # another format
        return shown
    texts = (line.text for line in lines if not line.is_option and not line.constraint)
    inside = _some(map(_bare, texts), _MOST_OF_A_FILE)
    return f"{shown} ({inside})" if inside else shown


def _some(words: Iterable[str], most: int) -> str:
    names = list(dict.fromkeys(words))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _bare(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])", requirement)
    return match[0] if match else display.shortened(requirement)
