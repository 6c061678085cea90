"""Recording one notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Environment, Place
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import RecordData
from envmagic.record import own_environment
from envmagic.record.conda_part import listed
from envmagic.record.entries import lines_of
from envmagic.record.environments import InstalledIndex, NotebookEnvironments
from envmagic.record.job import Job, read
from envmagic.record.need import Surroundings
from envmagic.record.needs import needs_of
from envmagic.record.result import Outcome, RecordOptions, data_of
from envmagic.record.user_lines import names_in, own_lines
from envmagic.record.writing import recorded
from envmagic.requirements import Kind
from envmagic.requirements.record_file import RecordFile

__all__ = ["OF_ANOTHER", "keep", "listed_in", "record_notebook", "sources_for", "state_of"]


OF_ANOTHER = "record-of-another"
"""The code of the problem that a record is of another environment than the kernel's."""


def record_notebook(
    place: Place,
    environment: Environment,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> tuple[RecordData | None, tuple[Problem, ...], bool]:
    """Record the notebook at `place` with `environment`; `installed` are requirements it was given.

    `removed` are distributions that were taken out of it (normalised names). Recording is on from
    then, unless it was turned off. Returns the data, warnings and whether the file changed; no data
    where there is no notebook, or a program runs it. Other verbs call this after they have
    installed, so what fails here is a warning.
    """
    if place.notebook is None or place.executing:
        return None, (), False
    try:
        asked = RecordOptions(state=None if _is_off(place.notebook) else "on")
        environments = NotebookEnvironments.live(place, InstalledIndex.of(environment))
        outcome = _live(place, environments, asked, installed, removed)
    except EnvmagicError as error:
        return None, (_warning(error.problem),), False
    said = (p if p.severity is not Severity.ERROR else _warning(p) for p in outcome.problems)
    return data_of([outcome], asked), tuple(said), outcome.changed


def _warning(problem: Problem) -> Problem:
    return replace(problem, severity=Severity.WARNING)


def keep(place: Place, *, was_on: bool = False) -> tuple[Problem, ...]:
    """Bring the record of the live notebook at `place` up to date, if its file says recording on,
    or is gone and said so before (`was_on`): deleting it turns nothing off.

    Returns what is wrong; raises nothing that a cell could be blamed for.
    """
    if place.notebook is None or place.executing:
        return ()
    try:
        path = place.notebook.parent / REQUIREMENTS
        block = requirements.read(path).block
        again = block is None and was_on and not path.exists()
        if not again and (block is None or not block.recording):
            return ()
        here = InstalledIndex.here()
        environments = NotebookEnvironments.live(place, here)
        asked = RecordOptions(state="on") if again else RecordOptions()
        if block is None or own_environment.is_here(
            place.notebook, block, here, environments, place.kernel
        ):
            return tuple(_live(place, environments, asked).problems)
        outcome = _live(place, NotebookEnvironments.elsewhere(place), asked)
        return (_of_another(path, here), *outcome.problems)
    except EnvmagicError as error:
        return (error.problem,)


def _of_another(file: Path, here: InstalledIndex) -> Problem:
    where = user_path(here.prefix) if here.prefix is not None else "this kernel"
    return Problem(
        OF_ANOTHER,
        f"{file.name} has versions of another environment than {where}, where this notebook runs"
        " now; they stay as they are.",
        "To have those",
        Severity.INFO,
        str(file),
        command=("restore",),
    )


def _live(
    place: Place,
    environments: NotebookEnvironments,
    asked: RecordOptions,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> Outcome:
    assert place.notebook is not None
    file = place.notebook.parent / REQUIREMENTS
    sources = sources_for(place.notebook, read(file), place, environments)
    told = replace(sources, installed=tuple(installed), removed=frozenset(removed))
    needs = needs_of(place.notebook, told)
    job = Job(file, (place.notebook,), {place.notebook: needs}, asked, place, environments)
    return recorded(job)


def _is_off(notebook: Path) -> bool:
    file = requirements.read(notebook.parent / REQUIREMENTS)
    return file.block is not None and not file.block.recording


def state_of(notebook: Path) -> RecordData | None:
    """What the file beside `notebook` says of the record; None when it has no block."""
    try:
        file = requirements.read(notebook.parent / REQUIREMENTS)
    except EnvmagicError:
        return None
    if file.block is None:
        return None
    return RecordData(
        file=str(file.path),
        state="on" if file.block.recording else "off",
        pin=file.block.pin.value,
        lines=list(lines_of(list(file.block.entries))),
    )


def sources_for(
    path: Path,
    file: RecordFile,
    place: Place,
    environments: NotebookEnvironments,
    listed: frozenset[str] | None = None,
) -> Surroundings:
    """What is known of the notebook `path`; `listed` are the names in `file`, where they are known
    already."""
    live = path == place.notebook
    return Surroundings(
        environments,
        cells=place.cells if live else (),
        failed=place.failed if live else frozenset(),
        saved=not live or path.exists(),
        listed=listed_in(file) if listed is None else listed,
        unknown=_unknown(file) if live else frozenset(),
        target=file.path,
        live=environments.kernel_prefix(path, place),
    )


def _unknown(file: RecordFile) -> frozenset[str]:
    """The modules that the block of `file` lists as unresolved."""
    entries = file.block.entries if file.block is not None else ()
    return frozenset(entry.text for entry in entries if entry.kind is Kind.UNRESOLVED)


def listed_in(file: RecordFile) -> frozenset[str]:
    """The distributions that `file` names, in the user's lines or in the block."""
    names = set(own_lines(file).of(None))
    beside = listed(file.path.parent) if file.path.name == REQUIREMENTS else None
    if beside is not None:
        names |= {*beside.conda, *beside.pip}
    return frozenset(names | {*names_in(file.block, file.path.parent)} if file.block else names)
