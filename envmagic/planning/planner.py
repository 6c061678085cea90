"""From a notebook and what is around it to its plan: nothing is run, and nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from envmagic import requirements
from envmagic._version import REQUIRES_PYTHON
from envmagic.core import names
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments import backends, inspection, registry
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.satisfaction import missing
from envmagic.imports.trees import tree_of, up_from
from envmagic.jupyter import notebook_file
from envmagic.jupyter.notebook_file import Cell, NotebookFile
from envmagic.planning import cells as in_cells
from envmagic.planning import consent, files, memory, prefixes, pythons
from envmagic.planning.imports import of_imports
from envmagic.planning.plan import (
    ChosenPython,
    Declaration,
    Kind,
    PassedOver,
    Plan,
    Source,
    State,
    WantedPython,
)
from envmagic.requirements import RequirementLine
from envmagic.system import directories

__all__ = ["looked_for", "plan_of"]


@dataclass(frozen=True)
class _Around:
    """Where a plan is made."""

    notebook: Path | None
    directory: Path
    cells: tuple[Cell, ...]
    """Of the saved notebook, then those that were run and not saved."""
    unsaved: tuple[str, ...]
    language: str
    """The version of Python in the notebook's metadata."""


def plan_of(notebook: Path | None, directory: Path, unsaved: Sequence[str] = ()) -> Plan:
    """The plan of `notebook`, or of a session without one that was started in `directory`.

    `unsaved`: sources of cells that were run since it was saved. Raises `EnvmagicError` where a
    declaration cannot be understood, or asks for a Python that is not there.
    """
    around = _around(notebook, directory, tuple(unsaved))
    declaration, over = _declared(around)
    nearest, more = pythons.beside(up_from(around.directory))
    over += more
    return _completed(around, declaration, nearest, over)


def looked_for(notebook: Path | None, directory: Path) -> list[Path]:
    """What a plan looks for and does not list; where one of them comes or goes, it may be another
    plan."""
    places = up_from(directory)
    tops = [place / ".git" for place in (directory, *directory.parents)]
    declaring = [file for place in places for file in files.looked_for(place, notebook)]
    return [*tops, *declaring, *(path for place in places for path in prefixes.looked_for(place))]


def _around(notebook: Path | None, directory: Path, unsaved: tuple[str, ...]) -> _Around:
    file = NotebookFile("python")
    if notebook is not None and notebook.is_file() and notebook.stat().st_size:
        file = notebook_file.read(notebook)
    saved = {cell.source.strip() for cell in file.cells}
    unsaved = tuple(source for source in unsaved if source.strip() not in saved)
    more = (Cell(0, source) for source in unsaved)
    return _Around(notebook, directory, (*file.cells, *more), unsaved, file.version)


def _declared(around: _Around) -> tuple[Declaration, list[PassedOver]]:
    """What counts, and what looks like a declaration and does not."""
    over: list[PassedOver] = []
    said = in_cells.of_magic(around.notebook, around.cells, around.directory)
    block, more = in_cells.of_script_block(around.notebook, around.cells)
    found = said or block
    if found is not None:
        return found, more if found is block else over
    for directory in up_from(around.directory):
        prefix, more = prefixes.in_directory(directory)
        over += more
        found, more = files.in_directory(directory, around.notebook)
        over += more
        # one of ours was made from the file beside it, which may ask for more by now
        made_from = found is not None and found.prefix == prefix
        if prefix is not None and not (made_from and _is_ours(prefix)):
            return _as_it_is(prefix, found), over
        if found is not None:
            return found, over
    if around.notebook is None:
        source = Source(Kind.IMPORTS)
        return Declaration(source, wanted=InstallPlan(directory=around.directory)), over
    return of_imports(around.notebook, around.unsaved), over


def _is_ours(prefix: Path) -> bool:
    try:
        return registry.environment_at(prefix).owned
    except EnvmagicError:
        return True  # it is broken; what it was made from says how to mend it


def _as_it_is(prefix: Path, beside: Declaration | None) -> Declaration:
    """That the environment at `prefix` counts; it may lack what the file `beside` it asks for."""
    source = Source(Kind.ENVIRONMENT, prefix)
    wanted = beside.wanted if beside is not None else InstallPlan()
    name = names.kernel_name_of(prefix)
    return Declaration(source, prefix, name, wanted=wanted, as_it_is=True)


def _completed(
    around: _Around,
    declaration: Declaration,
    nearest: WantedPython | None,
    over: list[PassedOver],
) -> Plan:
    name, prefix = _place(around, declaration)
    there, problem = _there(prefix)
    state = State.MISSING
    lacking: tuple[str, ...] = ()
    if there is not None:
        chosen = ChosenPython(there.version, "the environment has it")
        lacking = _lacking(declaration, there, _without(prefix))
        state = State.LACKING if lacking else State.READY
    else:
        state = State.BROKEN if problem else State.MISSING
        wanted = [*declaration.pythons, *([nearest] if nearest else [])]
        chosen, more = pythons.choose(wanted, [*declaration.preferred, *_saved_with(around)])
        over += more
        lacking = tuple(line.text for line in _lines(declaration.wanted))
    installs = state is not State.READY and not (declaration.as_it_is and not _is_ours(prefix))
    tree = tree_of(around.directory)
    return Plan(
        around.notebook,
        declaration,
        prefix,
        name,
        state,
        chosen,
        lacking,
        consent.questions(declaration.wanted, declaration.source, tree) if installs else (),
        tuple(dict.fromkeys(over)),
        problem,
    )


def _saved_with(around: _Around) -> list[tuple[str, str]]:
    parts = around.language.split(".")[:2]
    if not all(part.isdigit() for part in parts) or tuple(map(int, parts)) < REQUIRES_PYTHON:
        return []  # what it imports may run on a newer one, and we do
    version = ".".join(parts)
    return [(version, f"the notebook was saved with Python {version}")]


def _place(around: _Around, declaration: Declaration) -> tuple[str, Path]:
    """What the environment is called, and where it is."""
    known = memory.of_notebook(around.notebook) if around.notebook is not None else None
    if declaration.prefix is not None:
        prefix = declaration.prefix
        if known is not None and declaration.recorded and _is_of_ours(known.prefix):
            prefix = known.prefix  # the record is of what the notebook has there
        elif declaration.source.kind is Kind.REQUIREMENTS and not prefix.exists():
            prefix = _of_one_that_is_gone(around, declaration) or prefix
        return declaration.name or names.kernel_name_of(prefix), prefix
    if known is not None and known.kind == declaration.source.kind.value:
        return known.prefix.name, known.prefix
    content = memory.digest(declaration.wanted, "")
    known = memory.of_content(content)
    if known is not None and declaration.wanted:
        return known.prefix.name, known.prefix
    left = _of_one_that_is_gone(around, declaration)
    if left is not None:
        return left.name, left
    named = around.notebook.stem if around.notebook is not None else around.directory.name
    name = names.suggest(named)
    prefix = directories.envs() / name
    if prefix.exists():  # another notebook's, which is called the same
        name = names.suffixed(name, around.notebook or around.directory)
        prefix = directories.envs() / name
    return name, prefix


def _of_one_that_is_gone(around: _Around, declaration: Declaration) -> Path | None:
    """The environment that was guessed for a notebook which is there no more, if it has what this
    one needs: that was renamed, or moved."""
    if around.notebook is None or not declaration.wanted:
        return None
    for carried in memory.every():
        guessed = carried.kind == Kind.IMPORTS.value and carried.notebooks
        if guessed and not any(Path(notebook).exists() for notebook in carried.notebooks):
            there, _ = _there(carried.prefix)
            if there is not None and not _lacking(declaration, there, frozenset(carried.without)):
                return carried.prefix
    return None


def _is_of_ours(prefix: Path) -> bool:
    """Whether it is one of those that lie beside no notebook, and is there."""
    return prefix.parent == directories.envs() and prefix.exists()


def _there(prefix: Path) -> tuple[Environment | None, str]:
    """The environment at `prefix`, if it is one that can run, else why not."""
    if not backends.is_environment(prefix):
        return None, ""
    try:
        return registry.environment_at(prefix), ""
    except EnvmagicError as error:
        return None, error.problem.message


def _without(prefix: Path) -> frozenset[str]:
    """What could not be had when the environment at `prefix` was made."""
    known = memory.of_prefix(prefix)
    return frozenset(known.without if known is not None else ())


def _lacking(
    declaration: Declaration, there: Environment, without: frozenset[str]
) -> tuple[str, ...]:
    held = inspection.distributions(there)
    found = []
    for line in _lines(declaration.wanted):
        if line.text in without:
            continue
        if line.requirement is not None:
            if missing([line.requirement], held, there.version):
                found.append(line.text)
        elif line.name is not None and line.name not in held:
            found.append(line.text)
    return tuple(found)


def _lines(wanted: InstallPlan) -> list[RequirementLine]:
    """The lines of `wanted` that install something."""
    lines = [line for text in wanted.requirements for line in requirements.parse_lines(text, "")]
    for file in wanted.files:
        if backends.of_file(file) is None:
            lines += requirements.read(file).all_lines()
    return [line for line in lines if not line.is_option and not line.constraint]
