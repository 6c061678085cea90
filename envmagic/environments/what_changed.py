"""What an installation is asked for and what it changed, in words and as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from envmagic.core import display
from envmagic.core.names import normalized
from envmagic.core.schema import Change
from envmagic.environments.backends.base import InstallPlan

__all__ = ["changes", "named"]

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
    """What `wanted` asks for, the first of it by name, without credentials."""
    lines = (line for line in wanted.requirements if not _OPTION.match(line))
    words = [*lines, *(display.user_path(f) for f in wanted.files)]
    shown = list(dict.fromkeys(map(_bare, words)))
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more


def _bare(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])", requirement)
    return match[0] if match else display.shortened(requirement)
