"""What is said of names that a notebook installs and of which nothing says that they exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from envmagic.core.display import display
from envmagic.core.errors import Problem, Severity
from envmagic.imports import Where
from envmagic.record.entries import site_name
from envmagic.record.need import Needs

__all__ = ["said_of"]

_MOST = 5  # names


def said_of(
    found: Mapping[Path, Needs | Problem], target: Callable[[Path], Path | None], here: Path
) -> Iterator[Problem]:
    """One warning (`unknown-install`) a notebook; `target` is the file it is recorded in."""
    for path, needs in found.items():
        if isinstance(needs, Needs) and needs.unconfirmed:
            yield _said(path, needs.unconfirmed, target(path), here)


def _said(
    path: Path, names: tuple[tuple[str, Where], ...], file: Path | None, here: Path
) -> Problem:
    notebook = display(path, here)
    named = [_with_place(name, where, notebook) for name, where in names]
    more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
    one = len(named) == 1
    them = "it" if one else "them"
    they = "it exists" if one else "they exist"
    beside = f"into {display(file, here)}" if file is not None else "beside these lines"
    return Problem(
        "unknown-install",
        f"{notebook} installs {', '.join(named[:_MOST])}{more}: not recorded, since no import and"
        f" nothing that is known says that {they}.",
        f"If so, write {them} {beside} yourself: {' '.join(name for name, _ in names)}",
        Severity.WARNING,
        str(path),
    )


def _with_place(name: str, where: Where, notebook: str) -> str:
    """`name` and the cell; the file too, where it is another one that the notebook runs."""
    file = f"{site_name(notebook, where)}, " if where.file else ""
    cell = f"cell {where.cell}" if where.cell else f"line {where.line}"
    return f"{name} ({file}{cell})"
