"""The verb `record`: what notebooks import, written to the requirements file beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.display import display, user_path
from envmagic.core.errors import EnvmagicError, Problem, WordsError
from envmagic.core.model import Frontend, Place, Progress, Report
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import RecordData
from envmagic.core.verbs import RecordRequest
from envmagic.record import formats, name_overrides, selection, unconfirmed
from envmagic.record.environments import NotebookEnvironments
from envmagic.record.job import Job, read
from envmagic.record.need import Needs, Surroundings
from envmagic.record.needs import needs_of
from envmagic.record.of_notebook import listed_in, sources_for
from envmagic.record.parallel import scanned
from envmagic.record.result import Outcome, RecordOptions, data_of
from envmagic.record.writing import recorded, refused
from envmagic.requirements import Pin
from envmagic.requirements.record_file import RecordFile

__all__ = ["record"]

MANY = 16  # notebooks; from there only cells that can hold an import are parsed
SESSION = "(this session)"  # in the place of a notebook whose name cannot be told
# No requirements file is called so, whatever is in it.
_OTHERS = frozenset(
    """
    .ipynb .py .r .rmd .qmd .md .rst .html .toml .yml .yaml .json .lock .cfg .ini .conf .csv .tsv
    .xml .sh .bat .ps1 .js .ts .zip .gz .whl .pdf .png
    """.split()
)


def record(request: RecordRequest, place: Place, progress: Progress) -> Report[RecordData]:
    """Write, or with `--check` compare, the record of the notebooks that `request` names.

    Raises `EnvmagicError` when a single notebook or its requirements file cannot be read or
    written; among several, a notebook that cannot be read is a warning and keeps what it had, and
    what is wrong with one file is its problem and not the others'.
    """
    asked = _understood(request, place)
    if request.to is not None and not request.paths and place.notebook is None:
        place = _of_session(place)
    chosen = selection.choose(request.paths, place)
    environments = NotebookEnvironments.chosen(request.env, place)
    groups = _grouped(chosen, asked)
    if len(chosen.notebooks) > 1:
        progress.step(f"reading {len(chosen.notebooks)} notebooks")
    kept: dict[Path | None, RecordFile] = {}
    outcomes: list[Outcome] = []
    for file in groups:
        try:
            kept[file] = read(file)
        except EnvmagicError as error:
            outcomes.append(_or_refused(file, error, alone=len(groups) == 1))
    paths = [path for path in chosen.notebooks if _target(path, asked) in kept]
    found = _scanned(paths, kept, asked, place, environments)
    problems = _ask_online(found) if request.online else []
    problems += unconfirmed.said_of(found, lambda path: _target(path, asked), place.directory)
    for file in kept:
        try:
            job = Job(file, groups[file], found, asked, place, environments)
            outcomes.append(recorded(job))
        except EnvmagicError as error:
            outcomes.append(_or_refused(file, error, alone=len(groups) == 1))
    problems += [*chosen.problems, *name_overrides.unusable({path.parent: None for path in paths})]
    report = _report(outcomes, asked, problems)
    if report.changed:
        from envmagic.operations import lock_beside

        report = replace(report, problems=(*report.problems, *lock_beside.behind_here(place)))
    differing = [outcome for outcome in outcomes if report.failed and outcome.changed]
    if not differing:
        return report
    said = _out_of_date(differing, _same_words(request), place.directory)
    return replace(report, problems=(said, *report.problems))


def _of_session(place: Place) -> Place:
    """`place` with a name for the notebook that cannot be told; the cells that ran are known."""
    if place.frontend is not Frontend.NOTEBOOK:
        return place
    return replace(place, notebook=place.directory / SESSION)


def _grouped(chosen: selection.Chosen, asked: RecordOptions) -> dict[Path | None, list[Path]]:
    """The notebooks by the file that they are recorded in."""
    groups: dict[Path | None, list[Path]] = {}
    for path in chosen.notebooks:
        groups.setdefault(_target(path, asked), []).append(path)
    for directory in chosen.directories if asked.beside else ():
        groups.setdefault(directory / REQUIREMENTS, [])
    return groups


def _target(notebook: Path, asked: RecordOptions) -> Path | None:
    return None if asked.print else asked.file or notebook.parent / REQUIREMENTS


def _or_refused(file: Path | None, error: EnvmagicError, *, alone: bool) -> Outcome:
    if alone:
        raise error
    return refused(file, error.problem)


def _same_words(request: RecordRequest) -> tuple[str, ...]:
    """What to type to write what was checked; without `--env none`, for then versions count."""
    words = ["record", *([request.state] if request.state else []), *request.paths]
    words += ["--to", request.to] if request.to else []
    words += ["--pin", request.pin] if request.pin else []
    words += ["--env", request.env] if request.env not in (None, "none") else []
    return tuple(words)


def _ask_online(found: dict[Path, Needs | Problem]) -> list[Problem]:
    from envmagic.record import index_lookup

    read = {path: needs for path, needs in found.items() if isinstance(needs, Needs)}
    answered, problems = index_lookup.resolve_online(list(read.values()))
    found.update(zip(read, answered, strict=True))
    return problems


def _understood(request: RecordRequest, place: Place) -> RecordOptions:
    if request.pin is not None and request.pin not in {p.value for p in Pin}:
        raise WordsError(
            "bad-pin",
            f"--pin {request.pin} is none of exact, compatible, minimum and none.",
            subject=request.pin,
        )
    to_screen = request.to == "-"
    file = None
    if request.to is not None and not to_screen:
        file = Path(os.path.abspath(place.directory / Path(request.to).expanduser()))
        if file.is_dir():
            file = file / REQUIREMENTS
        _refuse_others(file)
    pin = Pin(request.pin) if request.pin else None
    return RecordOptions(pin, request.state, request.check, file, to_screen)


def _refuse_others(file: Path) -> None:
    """Raise `WordsError` where `file` is no file of a record: a block in it would destroy it."""
    format = formats.of(file)
    if format is formats.FORMATS[0]:
        if file.suffix.lower() not in _OTHERS and not _is_other_text(file):
            return
    elif format.by_name:
        return
    raise WordsError(
        "no-requirements",
        f"{user_path(file)} is no requirements file, so nothing is recorded in it.",
        "Name one",
        subject=str(file),
        command=("record", "--to", "requirements-notebook.txt"),
    )


def _is_other_text(file: Path) -> bool:
    """Whether most lines that are there are none that pip reads."""
    if not file.is_file():
        return False
    there = read(file)
    return there.block is None and requirements.looks_other(there.user_text)


def _scanned(
    paths: Sequence[Path],
    kept: Mapping[Path | None, RecordFile],
    asked: RecordOptions,
    place: Place,
    environments: NotebookEnvironments,
) -> dict[Path, Needs | Problem]:
    if len(paths) == 1:
        target = kept[_target(paths[0], asked)]
        return {paths[0]: needs_of(paths[0], sources_for(paths[0], target, place, environments))}
    listed = {file: listed_in(held) for file, held in kept.items()}

    def sources(path: Path) -> Surroundings:
        file = _target(path, asked)
        found = sources_for(path, kept[file], place, environments, listed[file])
        return replace(found, thorough=len(paths) < MANY)

    return scanned(paths, sources)


def _report(
    outcomes: Sequence[Outcome], asked: RecordOptions, more: Sequence[Problem]
) -> Report[RecordData]:
    problems = [p for outcome in outcomes for p in outcome.problems]
    changed = any(outcome.changed for outcome in outcomes)
    data = data_of(outcomes, asked)
    failed = asked.check and changed
    return Report("record", data, changed and not asked.check, (*problems, *more), failed=failed)


def _out_of_date(differing: Sequence[Outcome], words: tuple[str, ...], here: Path) -> Problem:
    files = [f for o in differing for f in _files(o)]
    what = " and ".join(display(f, here) for f in files)
    if len(files) > 2:
        what = f"{len(files)} files"
    are, them = ("is", "it") if len(files) == 1 else ("are", "them")
    return Problem(
        "out-of-date",
        f"{what} {are} not what the notebooks need.",
        f"Write {them}",
        command=words,
        subject=str(files[0]) if len(files) == 1 else "",
    )


def _files(outcome: Outcome) -> list[Path]:
    """The files that differ: one of them may be as it should be."""
    own = [outcome.file] if outcome.file and (outcome.differs or not outcome.conda) else []
    return [*own, *([outcome.conda] if outcome.conda else [])]
