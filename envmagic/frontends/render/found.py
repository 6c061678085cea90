"""What `list` says of environments that are merely found: few one by one, many as a number."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from envmagic.core.schema import EnvironmentData
from envmagic.frontends.render.parts import Line, Part, Row, Table, Tone
from envmagic.frontends.render.phrases import count, file_size, joined, path

__all__ = ["merely_found"]

_FEW = 3
"""So many of one tool's are shown one by one, those of this project not counted."""


def merely_found(found: Sequence[EnvironmentData], *, every: bool) -> tuple[Part, ...]:
    """A table of what can be attached: each one of this project; of the others each one where a
    tool has few or `every` one is wanted, else how many and where."""
    if not found:
        return ()
    one_by_one = [e for e in found if e["here"]]
    folded: list[list[EnvironmentData]] = []
    for tool in sorted({e["found"] for e in found}):
        others = [e for e in found if e["found"] == tool and not e["here"]]
        if every or len(others) <= _FEW:
            one_by_one += others
        else:
            folded.append(others)
    sized = any(e.get("size") is not None for e in found)
    rows = [_row(e, sized=sized) for e in one_by_one]
    rows += [_folded(others, sized=sized) for others in folded]
    head = ("Tool", "Python", *(("Size",) if sized else ()), "Where")
    where = len(head) - 1
    parts: list[Part] = [
        Table(head, tuple(rows), "Found, not attached yet", (where,), (2,) if sized else ())
    ]
    one = len(found) == 1
    none = "It has no kernel yet." if one else "None of them has a kernel yet."
    attach = ("attach", found[0]["prefix"] if one else "PATH")
    parts.append(Line(none, "To use it" if one else "To use one", Tone.INFO, attach))
    if folded:
        hidden = sum(map(len, folded))
        parts.append(
            Line(f"{hidden} are only counted.", "To see each", Tone.INFO, ("list", "--all"))
        )
    return tuple(parts)


def _row(environment: EnvironmentData, *, sized: bool) -> Row:
    size = environment.get("size")
    shown = (file_size(size) if size is not None else "–",) if sized else ()
    python = environment.get("python") or "?"
    return Row((environment["found"], python, *shown, path(environment["prefix"])), dim=True)


def _folded(others: Sequence[EnvironmentData], *, sized: bool) -> Row:
    number = count(len(others), "environment")
    where = f"{number} in {_place([e['prefix'] for e in others])}"
    return Row((others[0]["found"], _pythons(others), *(("–",) if sized else ()), where), dim=True)


def _pythons(environments: Sequence[EnvironmentData]) -> str:
    """`3.9 to 3.12`: the oldest and the newest."""
    versions = {
        tuple(int(n) for n in e["python"].split(".")[:2]) for e in environments if e.get("python")
    }
    shown = [".".join(map(str, v)) for v in sorted(versions)]
    return " to ".join(dict.fromkeys(shown[:1] + shown[-1:])) or "?"


def _place(prefixes: Sequence[str]) -> str:
    """The directory that holds all of them; where that says nothing, two that hold some."""
    above = list(dict.fromkeys(str(Path(prefix).parent) for prefix in prefixes))
    try:
        shared = os.path.commonpath(above)
    except ValueError:  # on several drives
        shared = os.sep
    if Path(shared) in (Path(shared).parent, Path.home()):
        return joined([path(place) for place in above], 2)
    return path(shared)
