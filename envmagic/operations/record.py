"""The verb `record`: what notebooks import, written to the requirements file beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.display import display, typed, user_path
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Place, Progress, Report
from envmagic.core.schema import RecordData
from envmagic.core.verbs import RecordRequest
from envmagic.operations import notebooks, supplied, unconfirmed
from envmagic.operations.entries import lines_of
from envmagic.operations.installation import Installations, Installed
from envmagic.operations.merging import FILE, Asked, Outcome, read, recorded, refused
from envmagic.operations.needs import Needs, Sources, needs_of
from envmagic.operations.own import names_in, own_lines
from envmagic.operations.scanning import scanned
from envmagic.requirements import Kind, Pin, RequirementsFile

__all__ = ["FILE", "keep", "record", "record_notebook", "state_of"]

MANY = 16  # notebooks; from there only cells that can hold an import are parsed
SESSION = "(this session)"  # in the place of a notebook whose name cannot be told
# No requirements file is called so, whatever is in it.
_OTHERS = frozenset(
    """
    .ipynb .py .r .rmd .qmd .md .rst .html .toml .yml .yaml .json .lock .cfg .ini .conf .csv .tsv
    .xml .sh .bat .ps1 .js .ts .zip .gz .whl .pdf .png
    """.split()
)


def record(request: RecordRequest, place: Place, progress: Progress) -> Report:
    """Write, or with `--check` compare, the record of the notebooks that `request` names.

    Raises `EnvmagicError` when a single notebook or its requirements file cannot be read or
    written; among several, a notebook that cannot be read is a warning and keeps what it had, and
    what is wrong with one file is its problem and not the others'.
    """
    asked = _understood(request, place)
    if request.to is not None and not request.paths and place.notebook is None:
        place = _of_session(place)
    chosen = notebooks.choose(request.paths, place)
    installations = Installations.chosen(request.env, place)
    groups = _grouped(chosen, asked)
    if len(chosen.notebooks) > 1:
        progress.step(f"reading {len(chosen.notebooks)} notebooks")
    kept: dict[Path | None, RequirementsFile] = {}
    outcomes: list[Outcome] = []
    for file in groups:
        try:
            kept[file] = read(file)
        except EnvmagicError as error:
            outcomes.append(_or_refused(file, error, alone=len(groups) == 1))
    paths = [path for path in chosen.notebooks if _target(path, asked) in kept]
    found = _scanned(paths, kept, asked, place, installations)
    problems = _ask_online(found) if request.online else []
    problems += unconfirmed.said_of(found, lambda path: _target(path, asked), place.directory)
    for file in kept:
        try:
            outcomes.append(recorded(file, groups[file], found, asked, place, installations))
        except EnvmagicError as error:
            outcomes.append(_or_refused(file, error, alone=len(groups) == 1))
    problems += [*chosen.problems, *supplied.unusable({path.parent: None for path in paths})]
    report = _report(outcomes, asked, problems)
    differing = [outcome for outcome in outcomes if report.failed and outcome.changed]
    if not differing:
        return report
    said = _out_of_date(differing, _same_words(request), place.directory)
    return replace(report, problems=(said, *report.problems))


def _of_session(place: Place) -> Place:
    """`place` with a name for the notebook that cannot be told; the cells that ran are known."""
    from envmagic.core.model import Door

    if place.door is not Door.NOTEBOOK:
        return place
    return replace(place, notebook=place.directory / SESSION)


def _grouped(chosen: notebooks.Chosen, asked: Asked) -> dict[Path | None, list[Path]]:
    """The notebooks by the file that they are recorded in."""
    groups: dict[Path | None, list[Path]] = {}
    for path in chosen.notebooks:
        groups.setdefault(_target(path, asked), []).append(path)
    for directory in chosen.directories if asked.beside else ():
        groups.setdefault(directory / FILE, [])
    return groups


def _target(notebook: Path, asked: Asked) -> Path | None:
    return None if asked.print else asked.file or notebook.parent / FILE


def _or_refused(file: Path | None, error: EnvmagicError, *, alone: bool) -> Outcome:
    if alone:
        raise error
    return refused(file, error.problem)


def _same_words(request: RecordRequest) -> str:
    """What to type to write what was checked; without `--env none`, for then versions count."""
    words = ["%env record", *([request.state] if request.state else []), *map(typed, request.paths)]
    words += ["--to", typed(request.to)] if request.to else []
    words += ["--pin", request.pin] if request.pin else []
    words += ["--env", typed(request.env)] if request.env not in (None, "none") else []
    return " ".join(words)


def _ask_online(found: dict[Path, Needs | Problem]) -> list[Problem]:
    from envmagic.operations import online

    read = {path: needs for path, needs in found.items() if isinstance(needs, Needs)}
    answered, problems = online.asked(list(read.values()))
    found.update(zip(read, answered, strict=True))
    return problems


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
        asked = Asked(state=None if _is_off(place.notebook) else "on")
        installations = Installations.live(place, Installed.of(environment))
        outcome = _live(place, installations, asked, installed, removed)
    except EnvmagicError as error:
        return None, (replace(error.problem, severity=Severity.WARNING),), False
    return _data([outcome], asked), tuple(outcome.problems), outcome.changed


def keep(place: Place) -> tuple[Problem, ...]:
    """Bring the record of the live notebook at `place` up to date, if its file says recording on.

    Returns what is wrong; raises nothing that a cell could be blamed for.
    """
    if place.notebook is None or place.executing:
        return ()
    try:
        file = requirements.read(place.notebook.parent / FILE)
        if file.block is None or not file.block.recording:
            return ()
        installations = Installations.live(place, Installed.here())
        return tuple(_live(place, installations, Asked()).problems)
    except EnvmagicError as error:
        return (error.problem,)


def _live(
    place: Place,
    installations: Installations,
    asked: Asked,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> Outcome:
    assert place.notebook is not None
    file = place.notebook.parent / FILE
    sources = _sources(place.notebook, read(file), place, installations)
    told = replace(sources, installed=tuple(installed), removed=frozenset(removed))
    needs = needs_of(place.notebook, told)
    return recorded(file, [place.notebook], {place.notebook: needs}, asked, place, installations)


def _is_off(notebook: Path) -> bool:
    file = requirements.read(notebook.parent / FILE)
    return file.block is not None and not file.block.recording


def state_of(notebook: Path) -> RecordData | None:
    """What the file beside `notebook` says of the record; None when it has no block."""
    try:
        file = requirements.read(notebook.parent / FILE)
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


def _understood(request: RecordRequest, place: Place) -> Asked:
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
            file = file / FILE
        _refuse_others(file)
    pin = Pin(request.pin) if request.pin else None
    return Asked(pin, request.state, request.check, file, to_screen)


def _refuse_others(file: Path) -> None:
    """Raise `WordsError` where `file` is no requirements file: a block in it would destroy it."""
    if file.suffix.lower() not in _OTHERS and not _is_other_text(file):
        return
    raise WordsError(
        "no-requirements",
        f"{user_path(file)} is no requirements file, so nothing is recorded in it.",
        "Name one: %env record --to requirements-notebook.txt",
        subject=str(file),
    )


def _is_other_text(file: Path) -> bool:
    """Whether most lines that are there are none that pip reads."""
    if not file.is_file():
        return False
    there = read(file)
    return there.block is None and requirements.looks_other(there.user_text)


def _scanned(
    paths: Sequence[Path],
    kept: Mapping[Path | None, RequirementsFile],
    asked: Asked,
    place: Place,
    installations: Installations,
) -> dict[Path, Needs | Problem]:
    if len(paths) == 1:
        target = kept[_target(paths[0], asked)]
        return {paths[0]: needs_of(paths[0], _sources(paths[0], target, place, installations))}
    listed = {file: _listed(held) for file, held in kept.items()}

    def sources(path: Path) -> Sources:
        file = _target(path, asked)
        found = _sources(path, kept[file], place, installations, listed[file])
        return replace(found, thorough=len(paths) < MANY)

    return scanned(paths, sources)


def _sources(
    path: Path,
    file: RequirementsFile,
    place: Place,
    installations: Installations,
    listed: frozenset[str] | None = None,
) -> Sources:
    """What is known of the notebook `path`; `listed` are the names in `file`, where they are known
    already."""
    live = path == place.notebook
    return Sources(
        lambda kernel: installations.index_for(path, kernel),
        cells=place.cells if live else (),
        failed=place.failed if live else frozenset(),
        saved=not live or path.exists(),
        listed=_listed(file) if listed is None else listed,
        unknown=_unknown(file) if live else frozenset(),
        target=file.path,
        live=installations.kernel_prefix(path, place),
    )


def _unknown(file: RequirementsFile) -> frozenset[str]:
    """The modules that the block of `file` lists as unresolved."""
    entries = file.block.entries if file.block is not None else ()
    return frozenset(entry.text for entry in entries if entry.kind is Kind.UNRESOLVED)


def _listed(file: RequirementsFile) -> frozenset[str]:
    """The distributions that `file` names, in the user's lines or in the block."""
    names = set(own_lines(file).of(None))
    return frozenset(names | {*names_in(file.block, file.path.parent)} if file.block else names)


def _report(outcomes: Sequence[Outcome], asked: Asked, more: Sequence[Problem]) -> Report:
    problems = [p for outcome in outcomes for p in outcome.problems]
    changed = any(outcome.changed for outcome in outcomes)
    data = _data(outcomes, asked)
    failed = asked.check and changed
    return Report("record", data, changed and not asked.check, (*problems, *more), failed=failed)


def _out_of_date(differing: Sequence[Outcome], words: str, here: Path) -> Problem:
    files = [f for o in differing for f in _files(o)]
    what = " and ".join(display(f, here) for f in files)
    if len(files) > 2:
        what = f"{len(files)} files"
    are, them = ("is", "it") if len(files) == 1 else ("are", "them")
    return Problem(
        "out-of-date",
        f"{what} {are} not what the notebooks need.",
        f"Write {them}: {words}",
        subject=str(files[0]) if len(files) == 1 else "",
    )


def _files(outcome: Outcome) -> list[Path]:
    """The files that differ: one of them may be as it should be."""
    own = [outcome.file] if outcome.file and (outcome.differs or not outcome.conda) else []
    return [*own, *([outcome.conda] if outcome.conda else [])]


def _data(outcomes: Sequence[Outcome], asked: Asked) -> RecordData:
    """Of several files those are named that there are; nothing is said of the others' lines."""
    of_files = [o for o in outcomes if o.file is not None]
    first = of_files[0] if len(of_files) == 1 else None
    told = [o for o in outcomes if o.written] or list(outcomes)
    data = RecordData(
        file=str(first.file) if first else None,
        files=[str(f) for o in told for f in (o.file, o.conda) if f is not None],
        changed=not asked.check and any(o.changed for o in outcomes),
        notebooks=[n for o in outcomes for n in o.notebooks],
        lines=_unique(line for o in told for line in o.lines),
    )
    if first is not None:
        data["state"] = "on" if first.block.recording else "off"
        data["pin"] = first.block.pin.value
    if asked.check:
        data["diff"] = "".join(o.diff for o in outcomes)
    return data


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
