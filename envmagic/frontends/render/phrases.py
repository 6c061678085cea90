"""Small phrases that several reports share: paths, sizes, packages, lists of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from envmagic.core import display
from envmagic.core.schema import Change, EnvironmentData
from envmagic.frontends.render.parts import Fact

__all__ = [
    "changes_line",
    "count",
    "file_size",
    "joined",
    "made_of",
    "near",
    "packages_fact",
    "path",
]

_FEW = 6


def path(text: str) -> str:
    """A path for a person's eyes."""
    return display.user_path(text)


def near(text: str) -> str:
    """A path as seen from here: relative below the working directory, which is mostly the
    notebook's."""
    try:
        here = Path.cwd()
    except OSError:  # it is gone
        return path(text)
    return display.display(Path(text), here)


def file_size(size: int) -> str:
    """Bytes in the unit that leaves two or three digits: `76 MB`, `1.2 GB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def count(number: int, noun: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def joined(words: Sequence[str], most: int) -> str:
    """`a, b and c`; beyond `most` words, `a, b and 5 more`."""
    shown = list(words) if len(words) <= most else [*words[:most], f"{len(words) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def made_of(environment: EnvironmentData) -> str:
    """`Python 3.12.4, uv`: what an environment is."""
    backend = environment.get("backend")
    return f"Python {environment['python']}" + (f", {backend}" if backend else "")


def changes_line(changes: Iterable[Change]) -> str:
    """`pandas 2.3.3, numpy 1.26 → 2.1 and 12 more`; empty when nothing changed."""
    said = _changes(changes)
    return joined(said, _FEW) if said else ""


def packages_fact(changes: Iterable[Change]) -> Fact:
    """The packages that changed, the first of them if they are many, the rest unfolding."""
    said = _changes(changes)
    if len(said) <= _FEW:
        return Fact("Packages", joined(said, _FEW))
    return Fact("Packages", joined(said, _FEW - 2), folded=", ".join(said[_FEW - 2 :]))


def _changes(changes: Iterable[Change]) -> list[str]:
    changes = list(changes)
    old = {c["name"]: c["version"] for c in changes if c["action"] == "removed"}
    new = {c["name"]: c["version"] for c in changes if c["action"] == "installed"}
    said = [f"{n} {old[n]} → {v}" if n in old else f"{n} {v}" for n, v in new.items()]
    return said + [f"{n} {v}" for n, v in old.items() if n not in new]
