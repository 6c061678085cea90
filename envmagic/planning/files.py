"""What the files in a directory declare; of those in one directory the first counts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from envmagic import requirements
from envmagic.core.display import quoted, shortened
from envmagic.core.encoding import by_mark
from envmagic.core.errors import EnvmagicError
from envmagic.core.record_files import ENVIRONMENTS, LOCK, REQUIREMENTS, lock_of
from envmagic.environments import backends
from envmagic.environments.backends.base import InstallPlan
from envmagic.planning import lock_file, other_locks
from envmagic.planning.documents import bad_declaration, read, standard, toml
from envmagic.planning.plan import Declaration, Kind, PassedOver, Source, WantedPython
from envmagic.system import reading

__all__ = ["in_directory", "looked_for"]

_VENV = ".venv"
_GROUPS = ("notebook", "dev")
"""Of these dependency groups the first that there is comes along."""


def in_directory(
    directory: Path, notebook: Path | None, *, locks: bool = True
) -> tuple[Declaration | None, list[PassedOver]]:
    """What the first file in `directory` that declares an environment says, and the others; without
    `locks` as if there were no lock.

    Raises `EnvmagicError` for one that is malformed, naming file and line.
    """
    over: list[PassedOver] = []
    found: Declaration | None = None
    for file, reader in _candidates(directory, notebook):
        if not file.exists() or (not locks and reader in (lock_file.declaration, _other_lock)):
            continue
        if found is not None and found.pinned == file:
            continue
        if found is not None:
            over.append(PassedOver(file, f"{_name(found)} beside it counts"))
            continue
        if not file.is_file():
            over.append(PassedOver(file, "it is no file"))
            continue
        read_from = reader(file)
        if isinstance(read_from, str):
            over.append(PassedOver(file, read_from))
        else:
            found = read_from
    return found, over


def looked_for(directory: Path, notebook: Path | None) -> list[Path]:
    """The files that `in_directory` reads where they are there."""
    return [file for file, _ in _candidates(directory, notebook)]


_Reader = Callable[[Path], "Declaration | str"]
"""What the file says, or why it says nothing: a clause."""


def _candidates(directory: Path, notebook: Path | None) -> Iterator[tuple[Path, _Reader]]:
    if notebook is not None:
        yield directory / lock_of(notebook).name, lock_file.declaration
    yield directory / LOCK, lock_file.declaration
    yield directory / REQUIREMENTS, partial(_requirements, notebook=notebook)
    yield directory / "pyproject.toml", _project
    for name in ENVIRONMENTS:
        yield directory / name, _conda
    for name in other_locks.NAMES:
        yield directory / name, _other_lock


def _name(found: Declaration) -> str:
    return found.source.file.name if found.source.file is not None else ""


def _requirements(file: Path, notebook: Path | None) -> Declaration | str:
    source = Source(Kind.REQUIREMENTS, file)
    try:
        raw = reading.content(file)
    except OSError as error:
        return f"it cannot be read: {(error.strerror or '').lower()}"
    if not by_mark(raw)[0] and b"\0" in raw[:4096]:
        return "it is no text"
    held = requirements.read(file)
    text = requirements.decode(held.raw)[0]
    if requirements.looks_other(text):
        return "most of its lines are no requirements"
    lines = _parsed(text, source)
    if not any(not line.is_option or line.includes for line in lines):
        return "it asks for nothing"
    recorded = held.block.notebooks if held.block is not None else frozenset()
    mine = notebook is not None and _from(file.parent, notebook) in recorded
    if notebook is not None and not mine and _is_of_others(held, recorded):
        return "it is the record of other notebooks"
    python = held.block.python if held.block is not None else None
    preferred = ((python, f"{source} was recorded with Python {python}"),) if python else ()
    wanted = InstallPlan(files=(file,), directory=file.parent)
    place = file.parent / _VENV
    return Declaration(source, place, wanted=wanted, preferred=preferred, recorded=mine)


def _from(directory: Path, notebook: Path) -> str:
    """What the record calls the notebook."""
    return Path(os.path.relpath(notebook, directory)).as_posix()


def _is_of_others(held: requirements.RequirementsFile, recorded: frozenset[str]) -> bool:
    """Whether nobody has written a line of it, and the notebooks that it is of are all there."""
    there = all((held.path.parent / notebook).exists() for notebook in recorded)
    return bool(recorded) and there and not held.user_lines()


def _parsed(text: str, source: Source) -> tuple[requirements.RequirementLine, ...]:
    try:
        return requirements.parse_lines(text, str(source))
    except EnvmagicError as error:
        number = re.search(r"\d+", error.problem.message)
        line = int(number[0]) if number else 0
        raise bad_declaration(
            source, f"{quoted(error.problem.subject)} is no requirement", line
        ) from error


def _project(file: Path) -> Declaration | str:
    source = Source(Kind.PROJECT, file)
    text = read(file)
    said = toml(text, source)
    project = said.get("project")
    wanted: list[str] = []
    pythons: tuple[WantedPython, ...] = ()
    if isinstance(project, dict):
        wanted += _list(project, "dependencies", text, source)
        python = project.get("requires-python")
        if isinstance(python, str) and python:
            pythons = (WantedPython(python, source),)
    group = _group(said.get("dependency-groups"), text, source)
    if not wanted and not group:
        return "it declares no dependencies"
    pinned, pins = other_locks.beside(file.parent)
    return Declaration(
        source,
        file.parent / _VENV,
        wanted=InstallPlan((*wanted, *group), constraints=pins, directory=file.parent),
        pythons=pythons,
        pinned=pinned,
    )


def _other_lock(file: Path) -> Declaration | str:
    """A lock by itself, that is where no file of its project's says in its terms what is needed."""
    lines = other_locks.lines(file)
    if isinstance(lines, str):
        return lines
    wanted = InstallPlan(lines, directory=file.parent, alone=True)
    return Declaration(Source(Kind.LOCK, file), file.parent / _VENV, wanted=wanted, pinned=file)


def _list(table: dict[str, Any], key: str, text: str, source: Source) -> list[str]:
    items = table.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise bad_declaration(source, f"{key} is no list of requirements", _line(text, key))
    for item in items:
        try:
            Requirement(item)
        except InvalidRequirement as error:
            line = _line(text, item)
            raise bad_declaration(source, f"{quoted(item)} is no requirement", line) from error
    return list(items)


def _group(groups: object, text: str, source: Source) -> Sequence[str]:
    """The requirements of the first of the groups that come along."""
    if not isinstance(groups, dict):
        return ()
    resolved = standard("dependency_groups", source.file).resolve_dependency_groups
    name = next((name for name in _GROUPS if name in groups), None)
    if name is None:
        return ()
    try:
        return tuple(str(item) for item in resolved(groups, name))
    except Exception as error:  # a group of errors among them, which Python 3.10 does not know
        line = _line(text, name)
        raise bad_declaration(source, f"the group {name!r}: {_reason(error)}", line) from error


def _reason(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None)
    return _reason(inner[0]) if inner else shortened(str(error))


def _line(text: str, word: str) -> int:
    """The first line of `text` that holds `word`."""
    return next((n for n, line in enumerate(text.splitlines(), 1) if word in line), 0)


def _conda(file: Path) -> Declaration | str:
    source = Source(Kind.CONDA, file)
    text = read(file)
    if not re.search(r"(?m)^[\"']?dependencies[\"']?\s*:", text):
        return "it names no dependencies"
    backend = backends.of_file(file)
    wanted = InstallPlan(files=(file,), directory=file.parent)
    return Declaration(
        source,
        file.parent / _VENV,
        wanted=wanted,
        backend=backend.name if backend is not None else None,
    )
