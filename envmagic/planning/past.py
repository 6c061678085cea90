"""What a notebook had: what is locked, what is recorded, or what there was at a date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta, timezone
from enum import Enum
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envmagic import requirements
from envmagic._version import REQUIRES_PYTHON
from envmagic.core.display import quoted
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.names import normalized
from envmagic.environments import backends
from envmagic.environments.backends.base import InstallPlan
from envmagic.imports.trees import up_from
from envmagic.jupyter import notebook_file
from envmagic.planning import cells as in_cells
from envmagic.planning import files, pythons
from envmagic.planning.guessing import dating
from envmagic.planning.imports import of_imports
from envmagic.planning.plan import (
    ChosenPython,
    Declaration,
    Kind,
    PassedOver,
    Source,
    WantedPython,
)
from envmagic.requirements import RequirementLine

__all__ = ["How", "Past", "date_of", "past_of", "python_of"]


class How(str, Enum):
    """What says what a notebook had; of those that do the first counts."""

    LOCK = "lock"
    PINS = "pins"
    DATE = "date"


@dataclass(frozen=True)
class Past:
    """What a notebook had."""

    how: How
    declaration: Declaration
    lines: tuple[RequirementLine, ...] = ()
    """All that is asked for, but of a lock."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> version, as recorded or in another tool's lock."""
    until: datetime | None = None
    why: str = ""
    """Where that time is from, a clause; empty where it was said."""
    over: tuple[PassedOver, ...] = ()

    @property
    def file(self) -> Path | None:
        return self.declaration.pinned or self.declaration.source.file

    @property
    def day(self) -> str:
        """The last day that counts."""
        last = self.until - timedelta(seconds=1) if self.until is not None else None
        return last.strftime("%Y-%m-%d") if last is not None else ""

    @property
    def wanted(self) -> InstallPlan:
        """What is to be installed, but for a lock."""
        return replace(self.declaration.wanted, until=self.until)


def past_of(
    notebook: Path | None, directory: Path, cells: tuple[str, ...], as_of: datetime | None
) -> Past:
    """What `notebook`, or a session in `directory`, had; with `as_of` what there was at that time.

    Raises `EnvmagicError` where something that says so cannot be understood.
    """
    declaration, over = _declared(notebook, directory, cells)
    is_lock = declaration.source.kind is Kind.LOCK
    if is_lock and declaration.pinned is None and as_of is None:
        return Past(How.LOCK, declaration, over=over)
    if is_lock and as_of is not None:
        declaration, over = _declared(notebook, directory, cells, locks=False)
    lines = _lines(declaration.wanted)
    pins = {**_pinned(declaration.wanted.constraints), **_pins(lines)}
    if as_of is not None:
        declaration, lines = _unpinned(declaration, lines)
        return Past(How.DATE, declaration, lines, {}, as_of, "", over)
    if pins or declaration.source.kind is Kind.CONDA:
        return Past(How.PINS, declaration, lines, pins, over=over)
    until, why = _last_change(notebook, declaration.source.file)
    return Past(How.DATE, declaration, lines, pins, until, why, over)


def date_of(text: str) -> datetime:
    """The time that `text`, a date or a time, ends at. Raises `WordsError`."""
    whole_day = re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()) is not None
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise WordsError(
            "option-value",
            f"{quoted(text)} is no date.",
            "For example",
            command=("restore", "--as-of", "2024-05-31"),
            subject=text,
        ) from None
    begins = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    now = datetime.now(timezone.utc)
    if begins > now + timedelta(days=1):  # somewhere it is tomorrow already
        raise WordsError(
            "option-value",
            f"{text.strip()} is still to come.",
            "To have what there is today",
            command=("restore", "--as-of", now.strftime("%Y-%m-%d")),
            subject=text,
        )
    if whole_day:
        moment = datetime.combine(moment, time()) + timedelta(days=1)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def python_of(
    past: Past, notebook: Path | None, directory: Path
) -> tuple[ChosenPython, WantedPython | None]:
    """The Python that it had, or the nearest here; with what is asked for where that is another.

    Raises `EnvmagicError` where there is no Python at all.
    """
    nearest, _ = pythons.beside(up_from(directory))
    asked = [*past.declaration.pythons, *([nearest] if nearest else [])]
    preferred = [*past.declaration.preferred, *_recorded(directory), *_saved_with(notebook)]
    for wanted in (asked, asked[1:], []):
        try:
            chosen, _ = pythons.choose(wanted, preferred)
        except EnvmagicError as error:
            if error.problem.code != "no-python" or not wanted:
                raise
            continue
        parts = tuple(map(int, chosen.version.split(".")[:2]))
        if parts < REQUIRES_PYTHON and wanted:  # nothing is made from those
            continue
        return chosen, None if wanted == asked else asked[0]
    raise AssertionError("a Python runs this")


def _declared(
    notebook: Path | None, directory: Path, cells: tuple[str, ...], *, locks: bool = True
) -> tuple[Declaration, tuple[PassedOver, ...]]:
    """The nearest file that says it, else the notebook's own cells."""
    over: list[PassedOver] = []
    for place in up_from(directory):
        found, more = files.in_directory(place, notebook, locks=locks)
        over += more
        if found is not None:
            return found, tuple(over)
    if notebook is None:
        source = Source(Kind.IMPORTS)
        return Declaration(source, wanted=InstallPlan(directory=directory)), tuple(over)
    block, _ = in_cells.of_script_block(notebook, notebook_file.read(notebook).cells)
    return block or of_imports(notebook, cells), tuple(over)


def _lines(wanted: InstallPlan) -> tuple[RequirementLine, ...]:
    found = [line for text in wanted.requirements for line in requirements.parse_lines(text, "")]
    for file in wanted.files:
        if backends.of_file(file) is None:
            found += requirements.read(file).all_lines()
    return tuple(found)


def _unpinned(
    declaration: Declaration, lines: tuple[RequirementLine, ...]
) -> tuple[Declaration, tuple[RequirementLine, ...]]:
    """`declaration` with the lines of the user's as they are, and without versions of a record or a
    lock, which are of another day."""
    own = {
        line.text
        for file in declaration.wanted.files
        if backends.of_file(file) is None
        for line in requirements.read(file).user_lines()
    }
    found = tuple(
        line
        if line.requirement is None or not declaration.wanted.files or line.text in own
        else replace(line, text=_bare(line.requirement))
        for line in lines
        if line.includes is None and not line.constraint
    )
    if any(backends.of_file(file) is not None for file in declaration.wanted.files):
        return declaration, lines
    texts = tuple(line.text for line in found)
    wanted = replace(declaration.wanted, requirements=texts, files=(), constraints=())
    return replace(declaration, wanted=wanted), found


def _bare(requirement: Requirement) -> str:
    bare = Requirement(str(requirement))
    bare.specifier = SpecifierSet()
    return str(bare)


def _pins(lines: tuple[RequirementLine, ...]) -> dict[str, str]:
    return _exact([line.requirement for line in lines if line.requirement is not None])


def _pinned(texts: tuple[str, ...]) -> dict[str, str]:
    return _exact([r for r in map(requirements.requirement, texts) if r is not None])


def _exact(found: list[Requirement]) -> dict[str, str]:
    pins = {}
    for each in found:
        exact = [s.version for s in each.specifier if s.operator in ("==", "===")]
        applies = each.marker is None or each.marker.evaluate()
        if exact and "*" not in exact[0] and applies:
            pins[normalized(each.name)] = exact[0]
    return pins


def _last_change(notebook: Path | None, file: Path | None) -> tuple[datetime, str]:
    """When what is meant was last changed, and how that is known."""
    named = notebook if notebook is not None and notebook.is_file() else file
    if named is None:
        return datetime.now(timezone.utc), "today, since nothing says another"
    committed = dating.last_commit(named)
    if committed is not None:
        return committed, f"when git has {named.name} changed last"
    changed = datetime.fromtimestamp(named.stat().st_mtime, timezone.utc)
    return changed, f"when {named.name} was written last"


def _recorded(directory: Path) -> list[tuple[str, str]]:
    """The Python of the record beside it, which a lock does not say."""
    file = directory / "requirements.txt"
    block = requirements.read(file).block if file.is_file() else None
    version = block.python if block is not None else None
    return [(version, f"{file.name} was recorded with Python {version}")] if version else []


def _saved_with(notebook: Path | None) -> list[tuple[str, str]]:
    if notebook is None or not notebook.is_file() or not notebook.stat().st_size:
        return []
    parts = notebook_file.read(notebook).version.split(".")[:2]
    if not all(part.isdigit() for part in parts) or tuple(map(int, parts)) < REQUIRES_PYTHON:
        return []
    version = ".".join(parts)
    return [(version, f"the notebook was saved with Python {version}")]
